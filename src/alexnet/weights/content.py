"""What a file of weights holds, by this project's names and checked: `Weights`; a module a format reads and writes it.

Layers have the paper's names (`conv1.weight`, `fc6.bias`), convolutions are [kernels, maps of the tower, k, k], fully
connected layers [units, inputs] with the inputs channel by channel, and colours are RGB.
"""

import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alexnet.architectures import Architecture, Input
from alexnet.catalogue import TORCHVISION, TORCHVISION_NAMES
from alexnet.data.store import Statistics
from alexnet.errors import DataError, UsageError
from alexnet.layers import Convolution, FullyConnected, Layer
from alexnet.nn.network import Network

Shapes = dict[str, tuple[int, ...]]
THEIRS = {
    f"{theirs}.{kind}": f"{ours}.{kind}" for ours, theirs in TORCHVISION_NAMES.items() for kind in ("weight", "bias")
}
_OURS = re.compile(r"[A-Za-z]\w*\.(weight|bias)")


@dataclass(frozen=True)
class Found:
    """What a reader finds in a file; the attributes are those of `Weights`."""

    tensors: dict[str, Tensor]
    architecture: Architecture | None = None
    input: Input | None = None
    classes: tuple[str, ...] | None = None
    statistics: Statistics | None = None


@dataclass(frozen=True)
class Weights:
    """Weights as read from a file, in this project's layer names, order of numbers, and RGB.

    Attributes:
        tensors: `conv1.weight`, `conv1.bias` … `fc8.bias`; float32, finite, on the CPU.
        source: What was asked for, for messages and a run's records.
        digest: SHA-256, in hexadecimal digits, of the file that held them.
        architecture: The network they belong to, where the file says so or its layout tells.
        input: The pixels that they expect, where that is known.
        classes: Names, in the order of the scores, where the file holds them.
        statistics: Of the pictures that they were learned from, where the file holds them.
    """

    tensors: dict[str, Tensor]
    source: str
    digest: str
    architecture: Architecture | None
    input: Input | None
    classes: tuple[str, ...] | None
    statistics: Statistics | None


def zip_members(path: Path) -> list[zipfile.ZipInfo]:
    """List the members of an archive; none if it is no archive.

    Raises:
        DataError: If the list is torn.
    """
    try:
        if not zipfile.is_zipfile(path):
            return []
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except OSError:
        raise
    except Exception as error:  # a torn archive can raise anything
        raise DataError(f"{path} is torn ({error}): fetch or save it again") from error


def plain_tensors(network: Network) -> dict[str, Tensor]:
    """Give a network's weights by name as files hold them: on the CPU, in the usual order of numbers."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def checked(tensors: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """Give the tensors as float32.

    Raises:
        DataError: If one is no tensor of finite fractions.
    """
    if not tensors:
        raise DataError(f"{path} holds no weights: give another file")
    return {name: _checked_tensor(name, tensor, path) for name, tensor in tensors.items()}


def _checked_tensor(name: str, tensor: object, path: Path) -> Tensor:
    """Give one of them as float32."""
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise DataError(f"{path}: {name} is no plain tensor: give a file that holds weights and nothing else")
    if not tensor.is_floating_point() or tensor.element_size() < 2:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise DataError(f"{path}: {name} is of {kind}: weights are float32, or float16, bfloat16 or float64")
    if not tensor.numel():
        raise DataError(f"{path}: {name} is empty: it is torn, or no file of weights")
    plain = tensor.detach().to(torch.float32).contiguous()
    # Two numbers tell of all: NaN spreads into both.
    if not all(extreme.isfinite() for extreme in torch.aminmax(plain)):
        raise DataError(f"{path}: {name} holds NaN or infinity: its training had diverged; take an earlier checkpoint")
    return plain


def by_our_names(tensors: Mapping[str, Any], path: Path) -> Found:
    """Take torchvision's names, or ours, for what they are; `module.` of nn.DataParallel is dropped.

    Raises:
        DataError: If other names are among them, or a tensor is not in order.
    """
    names = {name: str(name).replace("module.", "") for name in tensors}
    if names and all(name in THEIRS for name in names.values()):
        plain = checked({THEIRS[name]: tensors[there] for there, name in names.items()}, path)
        return Found(plain, resized(TORCHVISION, plain), "imagenet")
    odd = [name for name, short in names.items() if short not in THEIRS and not _OURS.fullmatch(short)]
    # A mixture of both kinds belongs to nothing either.
    odd = odd or [name for name, short in names.items() if short in THEIRS]
    if odd or len(set(names.values())) < len(names):
        first = str((odd or [*names])[0])[:80]
        raise DataError(
            f"{path} holds another network: {len(odd)} of its {len(names)} names are neither torchvision's "
            f"(features.0.weight) nor alexnet's (conv1.weight), the first is {first}: give the weights of an AlexNet"
        )
    return Found(checked({names[name]: tensor for name, tensor in tensors.items()}, path))


def shapes(architecture: Architecture) -> Shapes:
    """Give the shapes of a network's weights by name, without making room for them.

    Raises:
        DataError: If they are absurd.
    """
    try:
        with torch.device("meta"):
            network = Network(architecture)
    except (RuntimeError, TypeError, KeyError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{architecture.name} is no network that can be made ({reason}): restore its file") from error
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def shapes_of(tensors: Mapping[str, Tensor]) -> Shapes:
    """Give the shapes of tensors by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def without_sizes(layers: Iterable[Layer]) -> list[Layer]:
    """Give layers as if each had one kernel or unit: what makes them alike but for their sizes."""
    return [_with_size(layer, layer.towers if isinstance(layer, Convolution) else 1) for layer in layers]


def _with_size(layer: Layer, size: int) -> Layer:
    """Change the number of kernels or units; other layers have none."""
    if isinstance(layer, Convolution):
        return replace(layer, channels=size)
    return replace(layer, units=size) if isinstance(layer, FullyConnected) else layer


def resized(base: Architecture, tensors: Mapping[str, Tensor]) -> Architecture | None:
    """Give `base` with as many kernels and units as the tensors have, or None if they belong to no such network."""
    layers = tuple(
        _with_size(layer, len(tensors[f"{layer.name}.bias"])) if f"{layer.name}.bias" in tensors else layer
        for layer in base.layers
    )
    other = layers[:-1] != base.layers[:-1]
    try:
        architecture = replace(base, layers=layers, name=f"{base.name} resized" if other else base.name)
    except UsageError:
        return None
    wanted = shapes(architecture)
    return architecture if all(wanted.get(name) == shape for name, shape in shapes_of(tensors).items()) else None

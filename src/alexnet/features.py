"""A vector for every picture of a split, kept on disk: what a layer gives for it, or its pixels.

    FOLDER/SPLIT-LAYER-STORE-NETWORK/   digests of both in the name, so that old vectors are never taken for new ones
      values.npy    float16, one row per picture, mapped into memory when it is read
      squares.npy   float32, the squared length of each row

Vectors are made once, in one pass over the split, and are whole or absent.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16, Float32, UInt8
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.data.batches import batches
from alexnet.data.split import Split
from alexnet.durable import atomic_file, atomic_folder
from alexnet.errors import AlexNetError, UsageError, did_you_mean
from alexnet.layers import Convolution, Dropout, FullyConnected
from alexnet.nn.network import arithmetic
from alexnet.runs.trained import Trained

VALUES, SQUARES = "values.npy", "squares.npy"
BATCH = 128
PIXEL_SIDE = 32  # larger pictures are averaged down to it before their pixels are compared
PIXELS = "pixels"

Encode = Callable[[UInt8[Tensor, "n side side 3"]], Float[Tensor, "n values"]]


@dataclass(frozen=True)
class Vectors:
    """One vector per picture, in the order of the split.

    Attributes:
        values: The vectors; mapped, read where they are touched.
        squares: Their squared lengths.
    """

    values: Float16[np.ndarray, "n values"]
    squares: Float32[np.ndarray, "n"]

    @staticmethod
    def open(folder: Path) -> "Vectors":
        """Map what `write_vectors` wrote.

        Raises:
            OSError, ValueError, EOFError: If it is not there, or torn.
        """
        # Copy on write: torch wants memory that it could write to.
        values, squares = np.load(folder / VALUES, mmap_mode="c"), np.load(folder / SQUARES)
        if values.ndim != 2 or squares.shape != values.shape[:1]:
            raise ValueError(f"{folder} holds {values.shape} values and {squares.shape} squares")
        return Vectors(values, squares)


def last_hidden(architecture: Architecture) -> str:
    """Name the layer whose output the classifier reads (§6.1): `relu7` in the paper's network, after its ReLU.

    Dropout is passed over: at test it at most scales all distances alike.
    """
    layers = architecture.layers
    last = max(place for place, layer in enumerate(layers) if isinstance(layer, Convolution | FullyConnected))
    hidden = [layer.name for layer in layers[:last] if not isinstance(layer, Dropout)]
    if not hidden:
        raise UsageError(f"{architecture.name} has no hidden layer: take another network")
    return hidden[-1]


@torch.no_grad()
def layer_values(trained: Trained, layer: str, pictures: UInt8[Tensor, "n side side 3"]) -> Float32[Tensor, "n values"]:
    """Give the output of one layer for the centre crop of pictures, laid out as a vector each.

    Args:
        trained: The network, in evaluation mode, as `load` gives it.
        layer: Its name.
        pictures: As the store holds them, on the network's device.

    Raises:
        UsageError: If the network has no such layer.
    """
    names = [name for name, _ in trained.network.named_children()]
    if layer not in names:
        raise UsageError(f"{trained.network.architecture.name} has no layer {layer}: {did_you_mean(layer, names)}")
    (x,) = trained.view.test(pictures, 1)
    with arithmetic(trained.device, trained.recipe.precision):
        for name, module in trained.network.named_children():
            x = module(x)
            if name == layer:
                break
    return x.float().flatten(1)


def pixel_values(pictures: UInt8[Tensor, "n side side 3"]) -> Float32[Tensor, "n values"]:
    """Give the pixels of pictures as a vector each; pictures above 32 pixels are averaged down to 32 first."""
    planes = pictures.permute(0, 3, 1, 2).float()
    if planes.shape[-1] > PIXEL_SIDE:
        planes = F.adaptive_avg_pool2d(planes, PIXEL_SIDE)
    return planes.flatten(1)


def network_digest(trained: Trained) -> str:
    """Hash all that decides what a layer gives for a stored picture: network, weights, statistics, view, precision."""
    view, network = trained.view, trained.network
    told = [network.architecture.to_json(), view.view_side, trained.recipe.precision]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    arrays = [tensor.detach().cpu().contiguous().numpy() for _, tensor in sorted(network.state_dict().items())]
    for array in (*arrays, view.statistics.mean_image, view.statistics.deviation):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def vectors_folder(folder: Path, kind: str, digests: tuple[str, ...], split: Split) -> Path:
    """Name the folder of the vectors of a split; see `stored_vectors`."""
    return folder / "-".join([split.name, kind, *(digest[:12] for digest in digests)])


def stored_vectors(
    folder: Path,
    kind: str,
    digests: tuple[str, ...],
    split: Split,
    encode: Encode,
    device: torch.device,
    progress: Callable[[int], None] = lambda images: None,
) -> Vectors:
    """Give the vectors of a split: those on disk; where there are none, or torn ones, they are made and written now.

    Older ones of this kind are removed.

    Args:
        folder: Where vectors are kept; made if need be.
        kind: A layer's name, or `pixels`.
        digests: Of the store and of the network: what the vectors depend on.
        split: Whose pictures.
        encode: What makes vectors of pictures.
        device: Where it takes them.
        progress: Called with the number of pictures of each batch.

    Raises:
        AlexNetError: If a value is more than float16 holds, or the folder cannot be written.
    """
    place = vectors_folder(folder, kind, digests, split)
    with suppress(OSError, ValueError, EOFError):
        return Vectors.open(place)
    write_vectors(place, split, encode, device, progress)
    for old in folder.glob(f"{vectors_folder(folder, kind, digests[:1], split).name}-*"):
        if old != place:
            shutil.rmtree(old, ignore_errors=True)
    return Vectors.open(place)


def write_vectors(
    place: Path, split: Split, encode: Encode, device: torch.device, progress: Callable[[int], None]
) -> None:
    """Encode a split, batch after batch, into a folder that is whole or absent.

    Raises:
        AlexNetError: If a value is more than float16 holds, the disk is full, or the folder cannot be written.
    """
    squares = np.empty(len(split), np.float32)
    with atomic_folder(place) as made:
        with atomic_file(made / VALUES) as stream:
            for batch in batches(split, np.arange(len(split)), BATCH, device):
                values = encode(batch.pictures).cpu().half()
                if not values.isfinite().all():
                    raise AlexNetError(f"{place.name} has values beyond float16's 65,504: compare another layer")
                if not stream.tell():
                    header = {"descr": "<f2", "fortran_order": False, "shape": (len(split), values.shape[1])}
                    np.lib.format.write_array_header_1_0(stream, header)
                squares[batch.indices] = values.float().square().sum(1).numpy()
                stream.write(np.ascontiguousarray(values.numpy(), "<f2").data)
                progress(len(batch.indices))
        with atomic_file(made / SQUARES) as stream:
            np.save(stream, squares)

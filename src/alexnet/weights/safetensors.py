"""`.safetensors`: our checkpoints, our plain files that name their network, and plain files of others.

In a checkpoint the weights stand under `network.` or, where the run averaged them, `average.`; its metadata tells the
network (see `alexnet.runs.checkpoint`). Files of ours carry a digest of all of their bytes, which is compared first.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from alexnet import sealed
from alexnet.architectures import Architecture
from alexnet.data.store import Statistics
from alexnet.errors import DataError
from alexnet.weights.content import Found, by_our_names, checked, shapes, shapes_of

# Of our checkpoints and plain files alike. Format 1 had no digest; its weights are still taken.
FORMAT = 2


def read(path: Path) -> Found:
    """Read a file of any of these kinds.

    Raises:
        DataError: If it is torn, damaged, of another version, or of another network than it says.
    """
    try:
        whole = sealed.check(path)
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            facts = json.loads((file.metadata() or {}).get("alexnet", "null"))
            prefix = next((p for p in ("average.", "network.") if any(name.startswith(p) for name in names)), "")
            tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names if name.startswith(prefix)}
            measured = {name: file.get_tensor(name) for name in names if name.startswith("statistics.")}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is torn, or no .safetensors ({error}): fetch or save it again") from error
    if facts is None:
        return by_our_names(tensors, path)
    if not whole and isinstance(facts, dict) and facts.get("format") == FORMAT:
        raise DataError(f"{path} is damaged (its digest is gone): fetch or save it again")
    return _ours(path, tensors, facts, measured if prefix else {})


def _ours(path: Path, tensors: Mapping[str, Tensor], facts: Any, measured: Mapping[str, Tensor]) -> Found:
    """Take a file at its word, once its tensors are those of the network that it names."""
    if not isinstance(facts, dict) or facts.get("format") not in (1, FORMAT) or "architecture" not in facts:
        raise DataError(f"{path} is not of format {FORMAT} of alexnet's weights: use the alexnet that wrote it")
    architecture = Architecture.from_json(facts["architecture"])
    statistics = statistics_of({name.removeprefix("statistics."): tensor for name, tensor in measured.items()}, path)
    plain = checked(tensors, path)
    refuse_other(plain, architecture, path)
    return Found(plain, architecture, architecture.input, class_names(facts.get("classes"), path), statistics)


def refuse_other(tensors: Mapping[str, Tensor], architecture: Architecture, path: Path) -> None:
    """Refuse tensors that are not all those of the network that their file names."""
    wanted, found = shapes(architecture), shapes_of(tensors)
    if odd := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise DataError(
            f"{path} does not hold the network that it names, {architecture.name}: {len(odd)} of {len(wanted)} "
            f"weights differ, the first is {odd[0]} (expected {wanted.get(odd[0], 'none')}, "
            f"found {found.get(odd[0], 'none')}): restore it"
        )


def class_names(value: object, path: Path) -> tuple[str, ...] | None:
    """Check names of classes as JSON gave them."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError(f"{path}: its classes are no list of names: restore it")
    return tuple(value)


def statistics_of(tensors: Mapping[str, Tensor], path: Path) -> Statistics | None:
    """Make a store's statistics of tensors, or None of none.

    Raises:
        DataError: If one is missing, or of another shape or type.
    """
    if not tensors:
        return None
    side = tensors["mean_image"].shape[0] if "mean_image" in tensors and tensors["mean_image"].dim() else 0
    wanted: dict[str, tuple[tuple[int, ...], torch.dtype]]
    wanted = {field.name: ((3,), torch.float64) for field in fields(Statistics)}
    wanted |= {"mean_image": ((side, side, 3), torch.float32), "colour_axes": ((3, 3), torch.float64)}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    if found != wanted or not side:
        odd = next((name for name in wanted if found.get(name) != wanted[name]), "mean_image")
        raise DataError(f"{path}: its statistics are not in order, the first is {odd}: restore it")
    return Statistics(**{name: tensor.numpy() for name, tensor in tensors.items()})


def statistics_tensors(statistics: Statistics) -> dict[str, Tensor]:
    """Give a store's statistics as tensors by the names of the fields."""
    return {
        field.name: torch.from_numpy(np.array(getattr(statistics, field.name), order="C"))
        for field in fields(Statistics)
    }


def write(
    stream: IO[bytes], tensors: Mapping[str, Tensor], architecture: Architecture, classes: Sequence[str] | None = None
) -> None:
    """Write tensors under plain names, which any program can read, and the network into the metadata."""
    facts: dict[str, Any] = {"format": FORMAT, "architecture": architecture.to_json()}
    if classes is not None:
        facts["classes"] = list(classes)
    sealed.write(stream, tensors, {"format": "pt", "alexnet": json.dumps(facts)})

"""`.npy`: the dictionary of layers that caffe-tensorflow makes of a Caffe network (bvlc_alexnet.npy).

It is a pickle, read without running it. Convolutions are [k, k, maps of the tower, kernels], fully connected layers
[inputs, units], the inputs of fc6 row by row with the maps innermost, colours BGR.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.catalogue import CAFFE
from alexnet.errors import DataError
from alexnet.unpickling import unpickle
from alexnet.weights.caffemodel import caffe_network, in_rgb
from alexnet.weights.content import Found, checked, resized

# The layer that is the first to see maps as a row of inputs, and the layer they come from.
_FIRST_CONNECTED, _LAST_MAPS = "fc6", "conv5"


def read(path: Path) -> Found:
    """Read the weights of Caffe's AlexNet; of CaffeNet's the file would tell nothing else.

    Raises:
        DataError: If it is torn, hostile, or of another network.
    """
    layers = _dictionary(path)
    pairs = {str(_text(name)): _pair(_text(name), layers[name], path) for name in layers}
    layers.clear()
    maps = len(pairs[_LAST_MAPS][1]) if _LAST_MAPS in pairs else 0
    tensors: dict[str, Tensor] = {}
    for name in list(pairs):
        weight, bias = pairs.pop(name)
        tensors |= {f"{name}.weight": _in_our_order(name, weight, maps, path), f"{name}.bias": _copy(bias)}
    plain = checked(in_rgb(tensors, path), path)
    return Found(plain, resized(CAFFE, plain), "raw-imagenet")


def _dictionary(path: Path) -> dict[Any, Any]:
    """Take the dictionary out of the array of one object that numpy.save makes of it."""
    try:
        with open(path, "rb") as stream:
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(stream)
            held = unpickle(stream, "weights") if dtype.hasobject else None
    except Exception as error:  # a pickle can raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise DataError(f"{path} is torn, or no .npy of layers ({reason}): fetch it again") from error
    if shape != () or not isinstance(held, list) or len(held) != 1 or not isinstance(held[0], dict):
        raise DataError(f"{path} is no dictionary of layers as caffe-tensorflow makes it: give bvlc_alexnet.npy")
    return held[0]


def _text(value: object) -> str:
    """Read a name, which Python 2 wrote as bytes."""
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _pair(name: str, held: object, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Take a layer's weights and biases out of either form."""
    if isinstance(held, dict):
        parts = {_text(part): array for part, array in held.items()}
        held = [parts.get("weights"), parts.get("biases")]
    arrays = [array for array in held if isinstance(array, np.ndarray)] if isinstance(held, list | tuple) else []
    if len(arrays) != 2 or arrays[0].ndim not in (2, 4) or arrays[1].ndim != 1:
        raise DataError(f"{path}: {name[:80]} holds no weights and biases: give bvlc_alexnet.npy")
    return arrays[0], arrays[1]


def _in_our_order(name: str, weight: np.ndarray, maps: int, path: Path) -> Tensor:
    """Give a layer's weights as [kernels, maps, k, k] or [units, inputs]."""
    if weight.ndim == 4:
        return _copy(weight.transpose(3, 2, 0, 1))
    if name != _FIRST_CONNECTED:
        return _copy(weight.T)
    inputs, units = weight.shape
    side = math.isqrt(inputs // maps) if maps else 0
    if side * side * maps != inputs:
        raise DataError(f"{path}: {name} has {inputs} inputs, which are no square maps of {maps}: fetch it again")
    return _copy(weight.reshape(side, side, maps, units).transpose(3, 2, 0, 1)).flatten(1)


def _copy(array: np.ndarray) -> Tensor:
    """Copy an array into a tensor of its own."""
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def write(stream: IO[bytes], tensors: Mapping[str, Tensor], architecture: Architecture, path: Path) -> None:
    """Write a network of Caffe's.

    Raises:
        UsageError: If it is not one of Caffe's.
    """
    caffe_network(architecture, path)
    maps, side, _ = next(row.input for row in architecture.rows() if row.layer.name == _FIRST_CONNECTED)
    layers = {}
    turned = in_rgb(tensors, path)
    for name in {tensor.partition(".")[0]: None for tensor in turned}:
        weight = turned[f"{name}.weight"]
        if name == _FIRST_CONNECTED:
            weight = weight.unflatten(1, (maps, side, side)).permute(2, 3, 1, 0).flatten(0, 2)
        else:
            weight = weight.permute(2, 3, 1, 0) if weight.dim() == 4 else weight.T
        layers[name] = [weight.contiguous().numpy(), turned[f"{name}.bias"].numpy()]
    np.save(stream, np.array(layers, dtype=object), allow_pickle=True)

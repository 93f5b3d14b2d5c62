"""`.caffemodel`: what Caffe saves, in its old and new forms; written in the new one.

Field numbers are those of Caffe's caffe.proto. Of the messages only what weights need is described here, and the arrays
as bytes, so that each stays one buffer; the outermost message is walked through by hand, a layer at a time, because a
network must not lie in memory thrice. Caffe's colours are BGR: conv1 is turned round.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.catalogue import CAFFE, CAFFENET
from alexnet.errors import AlexNetError, DataError, UsageError
from alexnet.layers import (
    Activation,
    AdaptivePool,
    Convolution,
    Dropout,
    FullyConnected,
    Layer,
    Pool,
    ResponseNorm,
)
from alexnet.weights.content import Found, checked, resized, without_sizes

# Of NetParameter: its name, and the layers in the old and the new form.
NAME, OLD_LAYERS, LAYERS = 1, 2, 100
# By message: field, number, what it holds; `*` for a list. Text is declared as bytes, which need not be UTF-8.
_MESSAGES = {
    "BlobShape": (("dim", 1, "*int64"),),
    "BlobProto": (
        *(("num", 1, "int64"), ("channels", 2, "int64"), ("height", 3, "int64"), ("width", 4, "int64")),
        *(("data", 5, "bytes"), ("shape", 7, "BlobShape"), ("double_data", 8, "bytes")),
    ),
    "V0LayerParameter": (("name", 1, "bytes"), ("blobs", 50, "*BlobProto")),
    "V1LayerParameter": (("layer", 1, "V0LayerParameter"), ("name", 4, "bytes"), ("blobs", 6, "*BlobProto")),
    "LayerParameter": (
        *(("name", 1, "bytes"), ("type", 2, "bytes"), ("bottom", 3, "*bytes"), ("top", 4, "*bytes")),
        ("blobs", 7, "*BlobProto"),
    ),
}
_TYPES: dict[type[Layer], str] = {
    Convolution: "Convolution",
    FullyConnected: "InnerProduct",
    Activation: "ReLU",
    ResponseNorm: "LRN",
    Pool: "Pooling",
    AdaptivePool: "Pooling",
    Dropout: "Dropout",
}


@cache
def _messages() -> dict[str, Any]:
    """Make message classes of the descriptions.

    Raises:
        AlexNetError: If the package protobuf is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise AlexNetError('Caffe\'s files need protobuf: pip install "alexnet[caffe]"') from error
    field_kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="alexnet_caffe.proto", package="alexnet_caffe", syntax="proto2")
    for name, rows in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in rows:
            label = field_kind.LABEL_REPEATED if kind.startswith("*") else field_kind.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            kind = kind.removeprefix("*")
            if kind in _MESSAGES:
                added.type, added.type_name = field_kind.TYPE_MESSAGE, f".alexnet_caffe.{kind}"
            else:
                added.type = field_kind.TYPE_BYTES if kind == "bytes" else field_kind.TYPE_INT64
                added.options.packed = field == "dim"
    pool = descriptor_pool.DescriptorPool()
    described = pool.AddSerializedFile(file.SerializeToString())
    described = pool.FindFileByName(file.name) if described is None else described
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"alexnet_caffe.{name}"))
        for name in described.message_types_by_name
    }


def read(path: Path) -> Found:
    """Read the weights of BVLC's AlexNet, CaffeNet, or what was made from them.

    Raises:
        DataError: If it is torn, or no network of Caffe's.
    """
    messages = _messages()
    net_name = ""
    order: list[str] = []
    tensors: dict[str, Tensor] = {}
    with open(path, "rb") as stream:
        for number, data in _fields(stream, path):
            if number == NAME:
                net_name = data.decode(errors="replace")
                continue
            message = messages["LayerParameter" if number == LAYERS else "V1LayerParameter"]()
            try:
                message.ParseFromString(data)
            except Exception as error:  # protobuf's own class of error lies in its extra
                raise _torn(path, f"layer {len(order) + 1} cannot be read") from error
            # What was read is let go before what it is read into is made.
            del data
            name, arrays = _contents(message)
            del message
            order.append(name)
            if arrays:
                tensors |= _layer_tensors(name, arrays, path)
    base = _network_of(net_name, order)
    plain = checked(in_rgb(tensors, path), path)
    return Found(plain, resized(base, plain) if base else None, "raw-imagenet")


def _torn(path: Path, what: str) -> DataError:
    return DataError(f"{path} is torn, or no .caffemodel ({what}): fetch it again")


def _varint(stream: IO[bytes], path: Path) -> int:
    """Read a whole number of protobuf's: seven bits a byte, the lowest first."""
    value = 0
    for place in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            break
        value |= (byte[0] & 127) << place
        if byte[0] < 128:
            return value
    raise _torn(path, f"at byte {stream.tell():,}")


def _fields(stream: IO[bytes], path: Path) -> Iterator[tuple[int, bytes]]:
    """Walk through the outermost message: number and content of its name and its layers."""
    size = path.stat().st_size
    while stream.tell() < size:
        key = _varint(stream, path)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise _torn(path, f"at byte {stream.tell():,}")
        if wire == 0:
            _varint(stream, path)
            continue
        length = {1: 8, 5: 4}.get(wire, -1) if wire != 2 else _varint(stream, path)
        if not 0 <= length <= size - stream.tell():
            raise _torn(path, f"at byte {stream.tell():,}")
        if wire == 2 and number in (NAME, OLD_LAYERS, LAYERS):
            yield number, stream.read(length)
        else:
            stream.seek(length, 1)


@dataclass(frozen=True)
class _Array:
    """An array as a file has it: what it says of its sizes, and its numbers."""

    sizes: tuple[int, ...]
    data: bytes
    kind: str


def _contents(message: Any) -> tuple[str, list[_Array]]:
    """Take the name and the arrays out of a layer of any form; the oldest files have each layer inside another."""
    layer = message.layer if hasattr(message, "layer") and message.HasField("layer") else message
    arrays = []
    for blob in layer.blobs:
        old = (blob.num, blob.channels, blob.height, blob.width)
        double = blob.HasField("double_data")
        sizes = tuple(blob.shape.dim) if blob.HasField("shape") else old
        arrays.append(_Array(sizes, blob.double_data if double else blob.data, "<f8" if double else "<f4"))
    return layer.name.decode(errors="replace"), arrays


def _layer_tensors(name: str, arrays: list[_Array], path: Path) -> dict[str, Tensor]:
    """Make a layer's weights and biases of its arrays."""
    if len(arrays) != 2:
        raise DataError(
            f"{path}: {name[:80]} has {len(arrays)} arrays, not weights and biases: give an AlexNet or CaffeNet"
        )
    weight, bias = (_tensor(name, array, path) for array in arrays)
    # In old files every array has four sizes: those of a fully connected layer are 1, 1, units, inputs.
    if weight.dim() == 4 and weight.shape[:2] == (1, 1):
        weight = weight[0, 0]
    return {f"{name}.weight": weight, f"{name}.bias": bias.flatten()}


def _tensor(name: str, array: _Array, path: Path) -> Tensor:
    """Copy one array into a tensor, its sizes checked against its numbers first."""
    sizes, width = array.sizes, int(array.kind[2])
    if min(sizes, default=0) < 1 or len(sizes) > 4 or math.prod(sizes) * width != len(array.data):
        claimed = " × ".join(map(str, sizes[:4]))
        raise DataError(
            f"{path}: {name[:80]} claims {claimed} numbers, but has {len(array.data) // width:,}: fetch it again"
        )
    return torch.from_numpy(np.frombuffer(array.data, array.kind).astype(np.float32).reshape(sizes))


def _network_of(net_name: str, order: list[str]) -> Architecture | None:
    """Tell the two networks apart: CaffeNet pools before it normalises."""
    if "norm1" in order and "pool1" in order:
        return CAFFE if order.index("norm1") < order.index("pool1") else CAFFENET
    named = {"alexnet": CAFFE, "caffenet": CAFFENET}
    return next((base for word, base in named.items() if word in net_name.lower()), None)


def in_rgb(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Turn conv1's colours round, from BGR to RGB or back."""
    conv1 = tensors.get("conv1.weight")
    if conv1 is None:
        raise DataError(f"{path} has no layer conv1: give an AlexNet or CaffeNet")
    if conv1.dim() != 4 or conv1.shape[1] != 3:
        raise DataError(f"{path}: conv1 is {tuple(conv1.shape)}, not kernels over 3 colours: give one for colour")
    return {**tensors, "conv1.weight": conv1.flip(1)}


def caffe_network(architecture: Architecture, path: Path) -> str:
    """Give the name that Caffe has for a network.

    Raises:
        UsageError: If Caffe has no such network, or the file could not say which one the weights belong to.
    """
    layers = without_sizes(architecture.layers)
    for base, name in ((CAFFE, "AlexNet"), (CAFFENET, "CaffeNet")):
        if layers == without_sizes(base.layers):
            if base is CAFFENET and path.suffix.lower() == ".npy":
                raise UsageError(f"{path}: .npy holds no order of layers, which tells CaffeNet: write .caffemodel")
            return name
    raise UsageError(
        f"{path}: {architecture.name} is neither Caffe's AlexNet nor CaffeNet (caffe, caffenet), which alone this "
        "form can hold: write .safetensors, .pth or .npz"
    )


def write(stream: IO[bytes], tensors: Mapping[str, Tensor], architecture: Architecture, path: Path) -> None:
    """Write a network of Caffe's in the new form.

    Raises:
        UsageError: If it is not one of Caffe's.
    """
    net_name, previous = caffe_network(architecture, path), b"data"
    turned = in_rgb(tensors, path)
    _put(stream, NAME, net_name.encode())
    for layer in architecture.layers:
        name = layer.name.encode()
        kind = _TYPES[type(layer)].encode()
        message = _messages()["LayerParameter"](name=name, type=kind, bottom=[previous], top=[name])
        for part in ("weight", "bias"):
            if (tensor := turned.get(f"{layer.name}.{part}")) is not None:
                blob = message.blobs.add(data=tensor.numpy().astype("<f4").tobytes())
                blob.shape.dim.extend(tensor.shape)
        _put(stream, LAYERS, message.SerializeToString())
        previous = name


def _put(stream: IO[bytes], number: int, data: bytes) -> None:
    """Write one field of the outermost message."""
    for value in (number << 3 | 2, len(data)):
        while value > 127:
            stream.write(bytes([value & 127 | 128]))
            value >>= 7
        stream.write(bytes([value]))
    stream.write(data)

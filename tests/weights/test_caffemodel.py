import struct
import sys

import numpy as np
import pytest
import torch

from alexnet.errors import AlexNetError, DataError, UsageError
from alexnet.weights import caffemodel

# Protobuf as its specification has it, written here a second time.


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])


def field(number, data):
    return varint(number * 8 + 2) + varint(len(data)) + data


def whole(number, value):
    return varint(number * 8) + varint(value)


def old_blob(array):
    sizes = (1,) * (4 - array.ndim) + array.shape
    head = b"".join(whole(number, size) for number, size in enumerate(sizes, 1))
    return head + field(5, array.astype("<f4").tobytes()) + field(6, b"")


def new_blob(array):
    return field(7, field(1, b"".join(map(varint, array.shape)))) + field(5, array.astype("<f4").tobytes())


def layer(name, arrays, form):
    if form == "new":
        blobs = b"".join(field(7, new_blob(array)) for array in arrays)
        return field(100, field(1, name.encode()) + field(2, b"Convolution") + field(3, b"data") + blobs)
    if form == "old":
        blobs = b"".join(field(6, old_blob(array)) for array in arrays)
        return field(2, field(2, b"data") + field(4, name.encode()) + whole(5, 4) + blobs)
    blobs = b"".join(field(50, old_blob(array)) for array in arrays)
    return field(2, field(1, field(1, name.encode()) + field(2, b"conv") + blobs) + field(2, b"data"))


def caffes_file(network, form="new", name="a net", order=None):
    arrays = {}
    for key, tensor in network.state_dict().items():
        array = tensor.numpy()
        arrays.setdefault(key.split(".")[0], []).append(array[:, ::-1] if key == "conv1.weight" else array)
    names = [layer.name for layer in network.architecture.layers] if order is None else order
    body = b"".join(layer(one, arrays.get(one, []), form) for one in names)
    # Around it what else stands in such files: an input's name and sizes, a flag, a fixed number.
    return field(1, name.encode()) + field(3, b"data") + whole(4, 10) + varint(12 * 8 + 5) + bytes(4) + body


def stored(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", ["new", "old", "oldest"])
def test_every_form_of_caffes_file_is_read(caffe, same, tmp_path, form):
    found = caffemodel.read(stored(tmp_path / "w.caffemodel", caffes_file(caffe, form)))
    same(found.tensors, caffe)
    assert found.architecture.layers == caffe.architecture.layers
    assert found.architecture.name == "caffe resized"
    assert found.input == "raw-imagenet"


@pytest.mark.parametrize("which", ["caffe", "caffenet"])
def test_what_is_written_is_read_again_and_is_the_new_form(which, request, same, tmp_path):
    network = request.getfixturevalue(which)
    path = tmp_path / "w.caffemodel"
    with open(path, "wb") as stream:
        tensors = {name: tensor.detach() for name, tensor in network.state_dict().items()}
        caffemodel.write(stream, tensors, network.architecture, path)
    found = caffemodel.read(path)
    same(found.tensors, network)
    assert found.architecture.layers == network.architecture.layers
    assert network.conv1.weight.detach().numpy()[:, ::-1].tobytes() in path.read_bytes()
    assert field(1, b"conv1") + field(2, b"Convolution") + field(3, b"data") in path.read_bytes()


def test_the_two_networks_are_told_apart_by_their_order_else_by_their_name(caffe, caffenet, tmp_path):
    def name_of(network, **options):
        found = caffemodel.read(stored(tmp_path / "w.caffemodel", caffes_file(network, **options)))
        return found.architecture.name if found.architecture else None

    assert name_of(caffe, name="CaffeNet") == "caffe resized"
    assert name_of(caffenet, name="AlexNet") == "caffenet resized"
    weighted = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]
    assert name_of(caffe, order=weighted, name="AlexNet") == "caffe resized"
    assert name_of(caffe, order=weighted, name="CaffeNet") == "caffenet resized"
    assert name_of(caffe, order=weighted) is None


def test_groups_and_colours_are_caffes(caffe, tmp_path):
    """Caffe's own convolution, by loops: group g of the kernels sees group g of the maps; pictures are BGR."""

    def convolve(maps, weight, bias, stride, pad, groups):
        maps = np.pad(maps, ((0, 0), (pad, pad), (pad, pad)))
        out_of_group, in_of_group, kernel = len(weight) // groups, len(maps) // groups, weight.shape[2]
        side = (maps.shape[1] - kernel) // stride + 1
        out = np.empty((len(weight), side, side))
        for o, y, x in np.ndindex(out.shape):
            group = o // out_of_group
            seen = maps[group * in_of_group : (group + 1) * in_of_group]
            patch = seen[:, y * stride : y * stride + kernel, x * stride : x * stride + kernel]
            out[o, y, x] = (patch * weight[o]).sum() + bias[o]
        return out

    chance = np.random.default_rng(0)
    conv1 = chance.normal(size=(4, 3, 11, 11)), chance.normal(size=4)
    conv2 = chance.normal(size=(8, 2, 5, 5)), chance.normal(size=8)
    data = field(1, b"CaffeNet") + layer("conv1", conv1, "old") + layer("conv2", conv2, "old")
    tensors = caffemodel.read(stored(tmp_path / "w.caffemodel", data)).tensors
    caffe.double()
    try:
        picture, maps = chance.normal(size=(3, 27, 27)), chance.normal(size=(4, 9, 9))
        with torch.no_grad():
            ours = {}
            for name, x in (("conv1", picture), ("conv2", maps)):
                module = getattr(caffe, name)
                parts = {part: tensors[f"{name}.{part}"].double() for part in ("weight", "bias")}
                ours[name] = torch.func.functional_call(module, parts, torch.from_numpy(x)[None])[0].numpy()
    finally:
        caffe.float()
    exact = [tuple(array.astype(np.float32).astype(float) for array in pair) for pair in (conv1, conv2)]
    np.testing.assert_allclose(ours["conv1"], convolve(picture[::-1], *exact[0], 4, 0, 1), atol=1e-10)
    np.testing.assert_allclose(ours["conv2"], convolve(maps, *exact[1], 1, 2, 2), atol=1e-10)


def test_doubles_become_float32(tmp_path):
    blob = whole(1, 1) + whole(2, 3) + whole(3, 1) + whole(4, 1) + field(8, struct.pack("<3d", 1.0, 2.0, 3.0))
    bias = whole(4, 1) + whole(3, 1) + whole(2, 1) + whole(1, 1) + field(8, struct.pack("<d", 0.5))
    data = field(2, field(4, b"conv1") + field(6, blob) + field(6, bias))
    found = caffemodel.read(stored(tmp_path / "w.caffemodel", data))
    assert found.tensors["conv1.weight"].flatten().tolist() == [3.0, 2.0, 1.0]
    assert found.tensors["conv1.bias"].tolist() == [0.5]


def test_a_torn_file_is_refused(caffe, tmp_path, refused_when_torn):
    data = caffes_file(caffe)
    # A cut between two layers leaves a whole file of fewer layers: none of these places is one.
    refused_when_torn(caffemodel.read, data, [5, *range(1500, len(data), len(data) // 40), len(data) - 1])


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (
            whole(1, 2**31 - 1) + whole(2, 2**31 - 1) + whole(3, 2**31 - 1) + whole(4, 2**31 - 1),
            "claims 2147483647 × 2",
        ),
        (field(7, field(1, varint(2**62) * 4)) + field(5, bytes(16)), "claims 4611686018427387904 × "),
        (field(7, field(1, varint(2**64 - 2) * 2)) + field(5, bytes(16)), "claims -2 × -2 numbers, but has 4"),
        (field(7, field(1, varint(1) * 1000)) + field(5, bytes(4)), "claims 1 × 1 × 1 × 1 numbers"),
        (field(7, b"") + field(5, bytes(4)), "claims  numbers, but has 1"),
        (field(5, bytes(4)), "claims 0 × 0 × 0 × 0 numbers, but has 1"),
        (field(7, field(1, varint(1))) + field(5, bytes(7)), "claims 1 numbers"),
        (
            field(7, field(1, varint(1))) + field(5, struct.pack("<f", float("nan"))),
            r"conv1 is \(1,\), not kernels over 3 colours",
        ),
    ],
)
def test_absurd_sizes_are_refused_before_room_is_made(tmp_path, blob, reason):
    data = field(100, field(1, b"conv1") + field(7, blob) + field(7, blob))
    with pytest.raises(DataError, match=reason):
        caffemodel.read(stored(tmp_path / "w.caffemodel", data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no protobuf at all",
        bytes(100),
        b"\xff" * 100,
        field(2, b"\xff" * 20),
        field(1, b"AlexNet"),
        layer("data", [], "new"),
        varint(100 * 8 + 2) + varint(2**60) + b"x",
        varint(100 * 8 + 3) + b"x",
    ],
)
def test_what_is_no_caffemodel_is_refused(tmp_path, data):
    with pytest.raises(DataError, match=r"w.caffemodel (is torn, or no .caffemodel|has no layer conv1)"):
        caffemodel.read(stored(tmp_path / "w.caffemodel", data))


def test_a_layer_with_other_arrays_is_named(tmp_path):
    data = layer("bn1", [np.ones(2)] * 3, "new")
    with pytest.raises(DataError, match="bn1 has 3 arrays, not weights and biases"):
        caffemodel.read(stored(tmp_path / "w.caffemodel", data))


def test_a_network_that_is_not_caffes_is_not_written(ours, tmp_path):
    with open(tmp_path / "w", "wb") as stream, pytest.raises(UsageError, match="tiny is neither Caffe's AlexNet nor"):
        caffemodel.write(stream, {}, ours.architecture, tmp_path / "w")


def test_without_protobuf_one_line_says_what_to_install(tmp_path, monkeypatch):
    caffemodel._messages.cache_clear()
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(AlexNetError, match=r'pip install "alexnet\[caffe\]"'):
        caffemodel.read(stored(tmp_path / "w.caffemodel", b""))

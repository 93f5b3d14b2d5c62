import pickle

import numpy as np
import pytest
import torch

from alexnet import weights
from alexnet.errors import DataError, UsageError
from alexnet.weights import npy


def written(path, network):
    tensors = {name: tensor.detach() for name, tensor in network.state_dict().items()}
    with open(path, "wb") as stream:
        npy.write(stream, tensors, network.architecture, path)
    return path


def caffe_tensorflows(network):
    """Lay the weights out as caffe-tensorflow does, one number at a time where the order matters."""
    layers = {}
    for name, tensor in network.state_dict().items():
        layer, kind = name.split(".")
        array = tensor.double().numpy()
        if kind == "weight" and array.ndim == 4:
            out, maps, high, wide = array.shape
            ordered = np.empty((high, wide, maps, out), np.float32)
            for o, m, y, x in np.ndindex(array.shape):
                ordered[y, x, 2 - m if layer == "conv1" else m, o] = array[o, m, y, x]
        elif kind == "weight":
            ordered = np.empty(array.shape[::-1], np.float32)
            side, maps = 6, array.shape[1] // 36
            for unit, i in np.ndindex(array.shape):
                place = i
                if layer == "fc6":
                    m, y, x = i // side**2, i // side % side, i % side
                    place = (y * side + x) * maps + m
                ordered[place, unit] = array[unit, i]
        else:
            ordered = array.astype(np.float32)
        layers.setdefault(layer, []).append(ordered)
    return layers


def save(path, layers):
    np.save(path, np.array(layers, dtype=object), allow_pickle=True)
    return path


def test_what_is_written_is_read_again(caffe, same, tmp_path):
    same(npy.read(written(tmp_path / "w.npy", caffe)).tensors, caffe)


def test_the_order_of_numbers_is_caffe_tensorflows(caffe, same, tmp_path):
    found = npy.read(save(tmp_path / "w.npy", caffe_tensorflows(caffe)))
    same(found.tensors, caffe)
    assert found.architecture.layers == caffe.architecture.layers
    assert found.input == "raw-imagenet"
    layers = np.load(written(tmp_path / "ours.npy", caffe), allow_pickle=True).item()
    for name, arrays in caffe_tensorflows(caffe).items():
        for array, ours in zip(arrays, layers[name], strict=True):
            np.testing.assert_array_equal(ours, array)


def test_the_newer_form_with_named_arrays_is_read(caffe, same, tmp_path):
    layers = {n: {"weights": w, "biases": b} for n, (w, b) in caffe_tensorflows(caffe).items()}
    same(npy.read(save(tmp_path / "w.npy", layers)).tensors, caffe)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_every_protocol_is_read_and_arrays_by_columns_too(caffe, same, tmp_path, protocol):
    layers = {n: [np.asfortranarray(w), b] for n, (w, b) in caffe_tensorflows(caffe).items()}
    header = save(tmp_path / "w.npy", {}).read_bytes()[:128]
    array = np.array(layers, dtype=object)
    (tmp_path / "w.npy").write_bytes(header + pickle.dumps(array, protocol=protocol))
    same(npy.read(tmp_path / "w.npy").tensors, caffe)


def test_names_that_python_2_wrote_as_bytes_are_read(caffe, same, tmp_path):
    layers = {n.encode(): {b"weights": w, b"biases": b} for n, (w, b) in caffe_tensorflows(caffe).items()}
    same(npy.read(save(tmp_path / "w.npy", layers)).tensors, caffe)


def test_code_in_it_is_not_run(caffe, gadget, tmp_path):
    file = save(tmp_path / "w.npy", {**caffe_tensorflows(caffe), "x": [gadget, gadget]})
    with pytest.raises(
        DataError, match=r"w.npy is torn, or no .npy of layers \(posix.mkdir is not allowed in weights\)"
    ):
        npy.read(file)


def test_a_torn_file_is_refused(caffe, tmp_path, refused_when_torn):
    data = written(tmp_path / "w.npy", caffe).read_bytes()
    refused_when_torn(npy.read, data, [0, 3, 9, 100, 128, *range(200, len(data), len(data) // 20), len(data) - 1])


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([1, 2], "no dictionary of layers"),
        ({"conv1": 3}, "conv1 holds no weights and biases"),
        ({"conv1": [np.ones((2, 2)), np.ones((2, 2))]}, "conv1 holds no weights and biases"),
        ({"conv1": [np.ones((2, 2))]}, "conv1 holds no weights and biases"),
        ({"fc6": [np.ones((36, 2)), np.ones(2)]}, "fc6 has 36 inputs, which are no square maps of 0"),
        ({"conv5": [np.ones((1, 1, 2, 2)), np.ones(2)], "fc6": [np.ones((36, 2)), np.ones(2)]}, "no square maps of 2"),
        ({"conv2": [np.ones((1, 1, 2, 2)), np.ones(2)]}, "has no layer conv1"),
        ({"conv1": [np.ones((5, 5, 1, 2)), np.ones(2)]}, r"conv1 is \(2, 1, 5, 5\), not kernels over 3 colours"),
        ({"conv1": [np.ones((5, 5, 3, 2), int), np.ones(2)]}, "conv1.weight is of int64"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, layers, reason):
    with pytest.raises(DataError, match=rf"w.npy.*{reason}"):
        npy.read(save(tmp_path / "w.npy", layers))


def test_a_plain_array_is_refused(tmp_path):
    np.save(tmp_path / "w.npy", np.ones(3))
    with pytest.raises(DataError, match=r"w\.npy is no dictionary of layers"):
        npy.read(tmp_path / "w.npy")


def test_a_network_that_is_not_caffes_is_not_written(torchvision, tmp_path):
    with pytest.raises(UsageError, match=r"torchvision is neither Caffe's AlexNet nor CaffeNet"):
        written(tmp_path / "w.npy", torchvision)


def test_caffenet_is_not_written_as_it_would_be_read_as_alexnet(caffenet, tmp_path):
    with pytest.raises(UsageError, match=r"which tells CaffeNet: write \.caffemodel"):
        weights.write(tmp_path / "w.npy", caffenet)
    assert not (tmp_path / "w.npy").exists()


def test_a_network_of_other_sizes_is_known_by_its_layers(caffe, tmp_path):
    wide = torch.zeros(3)
    layers = caffe_tensorflows(caffe)
    layers["fc8"] = [layers["fc8"][0][:, :3], wide.numpy()]
    assert npy.read(save(tmp_path / "w.npy", layers)).architecture.classes == 3

import numpy as np
import pytest
import torch

from alexnet import weights
from alexnet.catalogue import TORCHVISION_NAMES
from alexnet.errors import AlexNetError, UsageError
from alexnet.nn.network import placed

THEIRS = {f"{name}.{part}" for name in TORCHVISION_NAMES.values() for part in ("weight", "bias")}
EVERYWHERE = [".pth", ".npz", ".safetensors"]
CAFFES = [".npy", ".caffemodel"]
CASES = [(name, ending) for name in ("ours", "torchvision", "caffe", "caffenet") for ending in EVERYWHERE]
CASES += [("caffe", ".npy"), ("caffe", ".caffemodel"), ("caffenet", ".caffemodel")]


@pytest.mark.parametrize(("which", "ending"), CASES)
def test_what_is_written_is_read_again_bit_by_bit(which, ending, request, tmp_path):
    network = request.getfixturevalue(which)
    weights.write(tmp_path / f"w{ending}", network)
    found = weights.read(tmp_path / f"w{ending}").tensors
    expected = network.state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor.view(torch.int32), expected[name].view(torch.int32)), name


def test_a_network_in_another_memory_layout_is_written_the_same(caffe, tmp_path):
    from copy import deepcopy

    laid_out = placed(deepcopy(caffe), torch.device("cpu"))
    assert not laid_out.conv3.weight.is_contiguous()
    for ending in EVERYWHERE + CAFFES:
        weights.write(tmp_path / f"a{ending}", caffe)
        weights.write(tmp_path / f"b{ending}", laid_out)
        one, other = (weights.read(tmp_path / f"{name}{ending}").tensors for name in "ab")
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_torchvisions_network_gets_its_names_and_others_keep_ours(torchvision, caffe, tmp_path):
    weights.write(tmp_path / "theirs.pth", torchvision)
    weights.write(tmp_path / "theirs.npz", torchvision)
    weights.write(tmp_path / "ours.pth", caffe)
    assert set(torch.load(tmp_path / "theirs.pth", weights_only=True)) == THEIRS
    with np.load(tmp_path / "theirs.npz") as arrays:
        assert set(arrays.files) == THEIRS
    assert set(torch.load(tmp_path / "ours.pth", weights_only=True)) == set(caffe.state_dict())


def test_classes_go_where_there_is_a_place_for_them(ours, tmp_path):
    names = [f"class {n}" for n in range(10)]
    weights.write(tmp_path / "w.safetensors", ours, names)
    assert weights.read(tmp_path / "w.safetensors").classes == tuple(names)


@pytest.mark.parametrize("ending", CAFFES)
def test_a_network_that_caffe_lacks_is_refused_and_the_old_file_kept(torchvision, tmp_path, ending):
    (tmp_path / f"w{ending}").write_text("old")
    with pytest.raises(UsageError, match=r"torchvision is neither .* write .safetensors, .pth or .npz"):
        weights.write(tmp_path / f"w{ending}", torchvision)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("name", ["w.onnx", "w"])
def test_other_endings_are_refused(ours, tmp_path, name):
    with pytest.raises(UsageError, match=r"weights are not written as .*\.pth \.npz \.npy \.caffemodel \.safetensors"):
        weights.write(tmp_path / name, ours)


def test_a_place_that_does_not_exist_is_named(ours, tmp_path):
    with pytest.raises(AlexNetError, match=r"cannot write .*nowhere/w.pth"):
        weights.write(tmp_path / "nowhere/w.pth", ours)

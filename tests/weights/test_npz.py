import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from alexnet.catalogue import TORCHVISION
from alexnet.errors import DataError
from alexnet.weights import npz


def test_what_is_written_is_read_again_and_not_compressed(ours, same, tmp_path):
    with open(tmp_path / "w.npz", "wb") as stream:
        npz.write(stream, {name: tensor.detach() for name, tensor in ours.state_dict().items()})
    same(npz.read(tmp_path / "w.npz").tensors, ours)
    with zipfile.ZipFile(tmp_path / "w.npz") as archive:
        assert all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())


def test_compressed_and_big_endian_arrays_are_read(ours, same, tmp_path):
    arrays = {name: tensor.numpy().astype(">f4") for name, tensor in ours.state_dict().items()}
    np.savez_compressed(tmp_path / "w.npz", **arrays)
    same(npz.read(tmp_path / "w.npz").tensors, ours)


def test_an_array_of_objects_is_refused_unread(gadget, tmp_path):
    np.savez(tmp_path / "w.npz", **{"conv1.weight": np.array([gadget], dtype=object)})
    with pytest.raises(DataError, match=r"w.npz is torn, or no .npz of numbers \(Object arrays"):
        npz.read(tmp_path / "w.npz")


def test_an_archive_that_grows_too_much_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "ALWAYS_ALLOWED_BYTES", 1000)
    np.savez_compressed(tmp_path / "bomb.npz", **{"fc6.weight": np.zeros((1000, 1000), np.float32)})
    with pytest.raises(DataError, match=r"bomb.npz would grow from [\d,]+ to 4,000,128 bytes"):
        npz.read(tmp_path / "bomb.npz")


def test_a_torn_file_is_refused(ours, tmp_path, refused_when_torn):
    np.savez(tmp_path / "w.npz", **{name: tensor.numpy() for name, tensor in ours.state_dict().items()})
    data = (tmp_path / "w.npz").read_bytes()
    refused_when_torn(npz.read, data, [0, 10, *range(1000, len(data), len(data) // 20), len(data) - 1])


def test_whole_numbers_are_refused(tmp_path):
    np.savez(tmp_path / "w.npz", **{"conv1.weight": np.arange(3)})
    with pytest.raises(DataError, match=r"conv1\.weight is of int64"):
        npz.read(tmp_path / "w.npz")


FEATURES = Path(os.environ.get("ALEXNET_DATA", "none")) / "torchvision_alexnet_features.npz"


@pytest.mark.skipif(not FEATURES.is_file(), reason="ALEXNET_DATA names no folder with torchvision_alexnet_features.npz")
def test_the_convolutional_part_of_torchvisions_network_is_read():
    found = npz.read(FEATURES)
    assert found.architecture == TORCHVISION
    assert list(found.tensors) == [f"conv{n}.{part}" for n in range(1, 6) for part in ("weight", "bias")]
    with np.load(FEATURES) as arrays:
        assert torch.equal(found.tensors["conv2.weight"], torch.from_numpy(arrays["features.3.weight"]))

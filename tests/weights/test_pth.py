import io
import zipfile
from collections import OrderedDict

import pytest
import torch

from alexnet.errors import DataError
from alexnet.weights import pth


def saved(path, held, **options):
    torch.save(held, path, **options)
    return path


def test_what_is_written_is_read_again(ours, same, tmp_path):
    with open(tmp_path / "w.pth", "wb") as stream:
        pth.write(stream, ours.state_dict())
    same(pth.read(tmp_path / "w.pth").tensors, ours)


@pytest.mark.parametrize("place", ["state_dict", "model"])
def test_the_network_is_found_among_other_things(ours, same, tmp_path, place):
    held = {"epoch": 90, place: ours.state_dict(), "best_acc1": torch.tensor(56.5), "arch": "alexnet"}
    same(pth.read(saved(tmp_path / "checkpoint.pth.tar", held)).tensors, ours)


def test_the_old_form_is_read(ours, same, tmp_path):
    file = saved(tmp_path / "old.pth", ours.state_dict(), _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(file)
    same(pth.read(file).tensors, ours)


def test_parameters_are_read_like_tensors(ours, same, tmp_path):
    same(pth.read(saved(tmp_path / "w.pth", OrderedDict(ours.named_parameters()))).tensors, ours)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_it_is_named_and_not_run(ours, gadget, tmp_path, zipped):
    file = saved(tmp_path / "w.pth", {**ours.state_dict(), "x": gadget}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(DataError, match=r"w.pth .* would call posix.mkdir, .* save the state dict alone") as caught:
        pth.read(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_torn_file_is_refused(ours, tmp_path, refused_when_torn, zipped):
    data = saved(tmp_path / "w.pth", ours.state_dict(), _use_new_zipfile_serialization=zipped).read_bytes()
    refused_when_torn(pth.read, data, [0, 1, 10, 100, *range(1000, len(data), len(data) // 23), len(data) - 1])


def test_a_small_file_that_claims_a_large_tensor_is_refused(tmp_path):
    file = saved(tmp_path / "w.pth", {"fc6.weight": torch.ones(1).expand(200_000, 200_000)})
    assert file.stat().st_size < 2000
    with pytest.raises(DataError, match=r"claims 160,000,000,000 bytes of weights, but has 1,\d\d\d"):
        pth.read(file)


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    plain = saved(tmp_path / "plain.pth", {"fc6.weight": torch.zeros(1000, 1000)})
    packed = io.BytesIO()
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    (tmp_path / "bomb.pth").write_bytes(packed.getvalue())
    with pytest.raises(DataError, match=r"bomb\.pth is compressed"):
        pth.read(tmp_path / "bomb.pth")


@pytest.mark.parametrize("held", [[torch.ones(2)], torch.ones(2), {1: torch.ones(2)}, "text"])
def test_what_is_no_state_dict_is_refused(tmp_path, held):
    with pytest.raises(DataError, match=r"w.pth holds no state dict: save one"):
        pth.read(saved(tmp_path / "w.pth", held))


def test_an_entry_that_is_no_tensor_is_refused_by_name(ours, tmp_path):
    with pytest.raises(DataError, match=r"fc8.bias is no plain tensor"):
        pth.read(saved(tmp_path / "w.pth", {**ours.state_dict(), "fc8.bias": 3}))

"""Tests of alexnet.sealed."""

import hashlib
import json
import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from alexnet import sealed
from alexnet.errors import DataError

TENSORS = {
    "scalar": torch.tensor(7.0, dtype=torch.float64),
    "tiny": torch.tensor([True, False, True]),
    "half": torch.randn(3, 5).bfloat16(),
    "none": torch.zeros(0, 4),
    "turned": torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last),
    "bytes": torch.arange(11, dtype=torch.uint8),
}


def written(path, tensors=None, metadata=None, **options):
    with open(path, "wb") as stream:
        sealed.write(stream, TENSORS if tensors is None else tensors, metadata or {"note": 'ä\n"'}, **options)
    return path


def test_the_library_reads_every_kind_of_tensor_back(tmp_path):
    found = load_file(written(tmp_path / "a"))
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    with safe_open(tmp_path / "a", "pt") as file:
        assert file.metadata()["note"] == 'ä\n"'


@pytest.mark.parametrize("dtype", sealed.DTYPES, ids=str)
def test_every_type_has_the_name_that_the_library_gives_it(tmp_path, dtype):
    save_file({"a": torch.ones(2, dtype=dtype)}, tmp_path / "theirs")
    data = (tmp_path / "theirs").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["a"]["dtype"] == sealed.DTYPES[dtype]


def test_the_digest_is_that_of_the_file_with_its_digits_as_zeros(tmp_path):
    data = written(tmp_path / "a").read_bytes()
    start = data.index(b'"sha256":"') + len(b'"sha256":"')
    zeros = data[:start] + b"0" * 64 + data[start + 64 :]
    assert data[start : start + 64].decode() == hashlib.sha256(zeros).hexdigest()
    assert sealed.check(tmp_path / "a")
    assert sealed.check(tmp_path / "a", from_disk=True)


def test_equal_tensors_make_equal_files(tmp_path):
    other = dict(reversed(TENSORS.items()))
    assert written(tmp_path / "a").read_bytes() == written(tmp_path / "b", other).read_bytes()


def test_every_bit_of_a_file_is_under_the_digest(tmp_path):
    data = written(tmp_path / "a", {"x": torch.ones(2)}, {"n": "1"}).read_bytes()
    refused = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / "a").write_bytes(damaged)
        try:
            refused += not sealed.check(tmp_path / "a")  # no sealed file any more
        except DataError:
            refused += 1
    assert refused == 8 * len(data)


def test_a_file_cut_anywhere_or_with_something_behind_it_is_refused(tmp_path):
    data = written(tmp_path / "a", {"x": torch.ones(2)}, {"n": "1"}).read_bytes()
    for size in range(len(data)):
        (tmp_path / "a").write_bytes(data[:size])
        with pytest.raises(DataError, match=r"is torn|is damaged"):
            sealed.check(tmp_path / "a")
    (tmp_path / "a").write_bytes(data + b"\0")
    with pytest.raises(DataError, match=r"is damaged .its digest does not match.: restore it, or use another one"):
        sealed.check(tmp_path / "a")


def test_a_file_without_a_digest_is_told_apart(tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "plain", {"sha": "none"})
    assert not sealed.check(tmp_path / "plain")
    with pytest.raises(FileNotFoundError):
        sealed.check(tmp_path / "missing")
    with pytest.raises(DataError, match="is no file: give one"):
        sealed.check(tmp_path)


def test_a_header_that_no_network_needs_is_refused_before_it_is_parsed(tmp_path):
    length = sealed.MOST_HEADER_BYTES + 1
    with open(tmp_path / "a", "wb") as stream:
        stream.write(length.to_bytes(8, "little") + b"{")
        os.truncate(stream.fileno(), length + 8)
    with pytest.raises(DataError, match=r"has a header of 32,000,001 bytes, which no network needs"):
        sealed.check(tmp_path / "a")


def test_halfway_is_told_once_when_half_of_the_bytes_are_out(tmp_path):
    sizes = []
    tensors = {name: torch.zeros(sealed.PIECE // 4) for name in "abcd"}
    written(tmp_path / "a", tensors, halfway=lambda: sizes.append((tmp_path / "a").stat().st_size))
    assert len(sizes) == 1
    assert 2 * sealed.PIECE < sizes[0] <= 3 * sealed.PIECE + 1000

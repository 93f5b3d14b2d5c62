"""Tests of alexnet.data.checksums: sums as Python's integers give them, and every changed byte changes them."""

import zlib

import numpy as np
import pytest

from alexnet.data.checksums import file_checksum, word_sums


@pytest.mark.parametrize("side", [1, 2, 3, 5, 16])
def test_sums_are_those_of_the_integers(side):
    records = np.random.default_rng(side).integers(0, 256, (4, side, side, 3), np.uint8)
    padded = [record.tobytes() + bytes(-record.size % 8) for record in records]
    words = [[int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)] for data in padded]
    assert word_sums(records).tolist() == [sum(row) % 2**64 for row in words]


def test_sums_of_a_part_of_an_array_are_the_same():
    records = np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3), np.uint8)
    assert word_sums(records[1::2]).tolist() == word_sums(records).tolist()[1::2]
    assert word_sums(records[:0]).shape == (0,)


def test_every_changed_byte_changes_the_sum():
    record = np.random.default_rng(0).integers(0, 256, (1, 3, 3, 3), np.uint8)
    for place in range(27):
        for change in (1, 128, 255):
            other = record.copy()
            other.reshape(-1)[place] ^= change
            assert word_sums(other) != word_sums(record)


def test_a_file_has_its_crc():
    assert file_checksum(b"123456789") == 0xCBF43926 == zlib.crc32(b"123456789")

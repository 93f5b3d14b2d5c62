"""Tests of alexnet.data.notes: a note comes back as it was written, or is refused."""

from collections import Counter

import numpy as np
import pytest

from alexnet.data.notes import Note, note_name
from alexnet.data.statistics import Totals
from alexnet.errors import DataError


def note(train=True):
    totals = Totals(2)
    if train:
        totals.add(np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3))
    return Note(
        plan="0" * 64,
        split="train",
        number=7,
        entry={"file": "train.images-00007.u8", "images": 2, "bytes": 24, "sha256": "1" * 64},
        labels=np.array([1, 0]),
        checksums=np.array([2**64 - 1, 3], np.uint64),
        ends=np.array([], np.int64),
        names=["ä\n\udcff", ""],
        totals=totals,
        bad=[("x\udcff", 1, "empty file")],
        remarks=Counter({"turned": 2}),
    )


@pytest.mark.parametrize("train", [True, False])
def test_a_note_comes_back_as_it_was(tmp_path, train):
    note(train).write(tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.name == note_name("train", 7) == "train-00007.note"
    found, wanted = Note.read(file), note(train)
    for name in ("plan", "split", "number", "entry", "names", "bad", "remarks"):
        assert getattr(found, name) == getattr(wanted, name)
    for name in ("labels", "checksums", "ends"):
        assert getattr(found, name).tolist() == getattr(wanted, name).tolist()
    assert found.totals.images == wanted.totals.images
    assert np.array_equal(found.totals.pixels, wanted.totals.pixels)
    assert np.array_equal(found.totals.products, wanted.totals.products)


def test_any_flipped_byte_of_a_note_is_found(tmp_path):
    note().write(tmp_path)
    file = tmp_path / "train-00007.note"
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        data = bytearray(whole)
        data[place] ^= 16
        file.write_bytes(data)
        with pytest.raises(DataError, match="damaged"):
            Note.read(file)
    for data in (b"", whole[:50], whole[:-1]):
        file.write_bytes(data)
        with pytest.raises(DataError, match="damaged"):
            Note.read(file)
    file.unlink()
    with pytest.raises(DataError, match="missing"):
        Note.read(file)

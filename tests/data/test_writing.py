"""Tests of alexnet.data.writing; what a whole store is, tests/data/test_store.py and test_preparation.py test."""

import errno
import hashlib
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from alexnet.data.checksums import word_sums
from alexnet.data.notes import Note
from alexnet.data.plan import Plan
from alexnet.data.statistics import Totals
from alexnet.data.store import Store
from alexnet.data.writing import HashedFile, Records, ShardWriter, encoded, finish
from alexnet.errors import AlexNetError

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), np.uint8)


@pytest.fixture(params=["raw", "jpeg"])
def plan(request):
    return Plan("made", {}, {}, ["a", "b"], 4, request.param, {"train": 6, "test": 2}, 3, [("x", "hidden")])


def records(plan, start, stop, split="train", bad=()):
    images, totals = IMAGES[start:stop], Totals(4)
    if split == "train":
        totals.add(images)
    names = [f"{split}/ä \udcff\n{number}" for number in range(start, stop)]
    data, sizes, checksums = encoded(images, plan.records)
    return Records(data, sizes, checksums, [number % 2 for number in range(start, stop)], names, list(bad), totals)


def write(folder, plan):
    """Write two shards of training pictures (one of six is bad) and one of test pictures."""
    store, notes = folder / "store", folder / "notes"
    store.mkdir()
    notes.mkdir()
    pieces = {
        ("train", 0): [records(plan, 0, 2), records(plan, 2, 3)],
        ("train", 1): [records(plan, 3, 5, bad=[("bad", 1, "empty file")])],
        ("test", 0): [records(plan, 5, 7, "test")],
    }
    for shard, parts in pieces.items():
        writer = ShardWriter(store, notes, plan, *shard)
        for part in parts:
            writer.add(part)
        writer.close()
    return store, notes


def test_a_file_is_hashed_while_it_is_written(tmp_path):
    file = HashedFile(tmp_path / "a")
    file.write(b"some")
    file.write(memoryview(b" bytes"))
    assert file.close() == {"bytes": 10, "sha256": hashlib.sha256(b"some bytes").hexdigest()}
    assert (tmp_path / "a").read_bytes() == b"some bytes"
    file.abandon()  # does no harm
    with pytest.raises(AlexNetError, match=r"cannot write .*a: File exists"):
        HashedFile(tmp_path / "a")


def test_a_full_disk_is_told_in_one_line(tmp_path, monkeypatch):
    file = HashedFile(tmp_path / "a")

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("alexnet.data.writing.os.fsync", full)
    with pytest.raises(AlexNetError, match=r"cannot write .*a: No space left on device, [\d,]+ MB free there"):
        file.close()
    assert file.stream.closed


def test_records_are_the_pixels_or_a_jpeg_of_them():
    data, sizes, checksums = encoded(IMAGES, "raw")
    assert data == IMAGES.tobytes()
    assert sizes == [48] * 7
    assert checksums == word_sums(IMAGES).tolist()
    grey = np.full((2, 16, 16, 3), 77, np.uint8)
    data, sizes, checksums = encoded(grey, "jpeg")
    first = data[: sizes[0]]
    assert sum(sizes) == len(data)
    assert checksums == [zlib.crc32(first)] * 2
    image = Image.open(io.BytesIO(first))
    assert (image.format, image.size) == ("JPEG", (16, 16))
    assert image.layer[0][1:3] == (2, 2)  # 4:2:0
    assert np.array_equal(np.asarray(image), grey[0])
    assert encoded(IMAGES[:0], "raw") == (b"", [], []) == encoded(IMAGES[:0], "jpeg")


def test_what_is_written_in_pieces_is_read_whole(tmp_path, plan):
    store, notes = write(tmp_path, plan)
    finish(store, notes, plan)
    opened = Store(store)
    assert opened.verify() == []
    assert opened.records == plan.records
    train = opened.splits["train"]
    tolerance = 0 if plan.records == "raw" else 255
    pictures = train.pictures(np.arange(5))
    assert np.abs(pictures.astype(int) - IMAGES[:5]).max() <= tolerance
    assert train.labels.tolist() == [0, 1, 0, 1, 0]
    assert train.names[3] == "train/ä \udcff\n3"  # any file name survives
    assert opened.splits["test"].labels.tolist() == [1, 0]
    np.testing.assert_allclose(opened.statistics.mean_image, IMAGES[:5].mean(0), rtol=1e-6)
    report = json.loads((store / "report.json").read_text())
    assert [report[key] for key in ("seen", "used", "bad", "skipped")] == [9, 7, 1, 1]
    ending = "u8" if plan.records == "raw" else "jpgs"
    assert [entry["file"] for entry in opened.manifest["splits"]["train"]["shards"]] == [
        f"train.images-00000.{ending}",
        f"train.images-00001.{ending}",
    ]


def test_a_shard_counts_when_its_note_is_there(tmp_path, plan):
    writer = ShardWriter(tmp_path, tmp_path, plan, "train", 0)
    writer.add(records(plan, 0, 3))
    assert [file.name for file in tmp_path.iterdir()] == [plan.shard_name("train", 0)]
    writer.close()
    note = Note.read(tmp_path / "train-00000.note")
    assert note.plan == plan.digest
    assert note.entry["sha256"] == hashlib.sha256((tmp_path / plan.shard_name("train", 0)).read_bytes()).hexdigest()
    assert len(note.ends) == (0 if plan.records == "raw" else 3)


def test_the_manifest_comes_last(tmp_path, plan, monkeypatch):
    listed = []

    def noted(path, data):
        listed.extend(sorted(file.name for file in path.parent.iterdir()))
        path.write_bytes(data)

    store, notes = write(tmp_path, plan)
    monkeypatch.setattr("alexnet.data.writing.write_atomic", noted)
    finish(store, notes, plan)
    assert sorted([*listed, "manifest.json"]) == sorted(file.name for file in store.iterdir())
    assert len(listed) == 3 + 2 + 2 * (3 if plan.records == "raw" else 4)

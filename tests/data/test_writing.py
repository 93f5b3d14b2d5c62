"""Tests of alexnet.data.writing; what a whole store is, tests/data/test_store.py and test_preparation.py test."""

import hashlib
import json
import zlib

import numpy as np
import pytest

from alexnet.data.statistics import Totals
from alexnet.data.store import Store
from alexnet.data.writing import HashedFile, Records, StoreWriter, writing

IMAGES = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)


def records(split, start, stop):
    images = IMAGES[start:stop]
    names = [f"{split}/ä \udcff\n{number}" for number in range(start, stop)]
    checksums = [zlib.crc32(image.data) for image in images]
    return Records(split, images, [number % 2 for number in range(start, stop)], names, checksums)


def finish(writer):
    totals = Totals(4)
    totals.add(IMAGES)
    writer.finish({"side": 4, "classes": ["a", "b"], "counts": {}, "source": {}}, totals.statistics(), {"seen": 5})


def test_a_file_is_hashed_while_it_is_written(tmp_path):
    file = HashedFile(tmp_path / "a")
    file.write(b"some")
    file.write(memoryview(b" bytes"))
    assert file.close() == {"bytes": 10, "sha256": hashlib.sha256(b"some bytes").hexdigest()}
    assert (tmp_path / "a").read_bytes() == b"some bytes"
    with pytest.raises(FileExistsError):
        HashedFile(tmp_path / "a")


def test_what_is_written_in_pieces_is_read_whole(tmp_path):
    with writing(tmp_path) as writer:
        for split, start, stop in (("train", 0, 2), ("test", 4, 5), ("train", 2, 4)):
            writer.add(records(split, start, stop))
        finish(writer)
    store = Store(tmp_path)
    assert store.verify() == []
    train = store.splits["train"]
    assert np.array_equal(train.images, IMAGES[:4])
    assert train.labels.tolist() == [0, 1, 0, 1]
    assert train.names[3] == "train/ä \udcff\n3"  # any file name survives
    assert np.array_equal(store.splits["test"].images, IMAGES[4:])
    assert json.loads((tmp_path / "report.json").read_text()) == {"seen": 5}


def test_the_manifest_comes_last(tmp_path, monkeypatch):
    listed = []

    def noted(path, data):
        listed.extend(sorted(file.name for file in tmp_path.iterdir()))
        path.write_bytes(data)

    monkeypatch.setattr("alexnet.data.writing.write_atomic", noted)
    with writing(tmp_path) as writer:
        writer.add(records("train", 0, 5))
        finish(writer)
    endings = ("crc32.u32", "images.u8", "labels.i64", "names.txt")
    assert listed == sorted(["report.json", "statistics.safetensors", *(f"train.{ending}" for ending in endings)])


def test_files_are_closed_whatever_happens(tmp_path):
    writers = []

    def fail():
        with writing(tmp_path) as writer:
            writers.append(writer)
            writer.add(records("train", 0, 1))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert isinstance(writers[0], StoreWriter)
    assert all(file.stream.closed for file in writers[0].splits["train"].files)
    assert not (tmp_path / "manifest.json").exists()

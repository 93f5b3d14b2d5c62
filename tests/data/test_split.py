"""Tests of alexnet.data.split: pictures across shards, each checked when it is first read."""

import shutil

import numpy as np
import pytest

from alexnet.data import plan, split
from alexnet.data.preparation import prepare
from alexnet.data.split import Names
from alexnet.data.store import Store
from alexnet.errors import DataError

SIDE = 16
RECORD = SIDE * SIDE * 3


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The same pictures raw in one shard, raw in many, and as JPEG in many."""
    top = tmp_path_factory.mktemp("stores")
    prepare("shapes", None, top / "one", side=SIDE, count=80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SHARD_BYTES", 7 * RECORD)
        for records in ("raw", "jpeg"):
            prepare("shapes", None, top / records, side=SIDE, count=80, records=records)
    return top


@pytest.fixture(scope="module")
def pixels(stores):
    return np.fromfile(stores / "one" / "train.images-00000.u8", np.uint8).reshape(-1, SIDE, SIDE, 3)


def train(path):
    return Store(path).splits["train"]


@pytest.mark.parametrize("large", [1, 10 * RECORD])
def test_pictures_come_in_the_order_asked_for_from_whatever_shard(stores, pixels, large, monkeypatch):
    monkeypatch.setattr(split, "LARGE_RECORD", large)
    for name in ("one", "raw"):
        one = train(stores / name)
        assert len(list((stores / name).glob("train.images-*"))) == {"one": 1, "raw": 9}[name]
        for places in ([], [59], [3, 3], [0, 59, 7, 6, 8, 13], range(60), np.random.default_rng(0).permutation(60)):
            indices = np.array(places, np.int64)
            assert np.array_equal(one.pictures(indices), pixels[indices])


def test_jpeg_records_are_near_the_pixels(stores, pixels):
    one = train(stores / "jpeg")
    order = np.random.default_rng(0).permutation(60)
    found = one.pictures(order)
    assert np.abs(found.astype(float) - pixels[order]).mean() < 12
    assert np.array_equal(found, one.pictures(np.arange(60))[order])  # whatever was asked for before


@pytest.mark.parametrize("place", [-1, 60])
def test_a_place_that_is_not_there_is_refused(stores, place):
    with pytest.raises(IndexError, match=f"train has 60 pictures, there is none at {place}$"):
        train(stores / "raw").pictures(np.array([0, place]))


@pytest.mark.parametrize("large", [1, 10 * RECORD])
@pytest.mark.parametrize("name", ["one", "raw", "jpeg"])
def test_a_damaged_record_is_named_when_it_is_first_read(stores, tmp_path, name, large, monkeypatch):
    monkeypatch.setattr(split, "LARGE_RECORD", large)
    path = shutil.copytree(stores / name, tmp_path / "store")
    one = train(path)
    shard = {"one": 0, "raw": 4, "jpeg": 4}[name]
    file = next(path.glob(f"train.images-{shard:05d}.*"))
    data = bytearray(file.read_bytes())
    place = 30 * RECORD + 5 if name == "one" else 2 * RECORD + 5 if name == "raw" else int(one._ends[30]) - 3
    data[place] ^= 4
    file.write_bytes(data)
    sound = np.array([0, 29, 31, 59])
    one.pictures(sound)
    for _ in range(2):
        message = rf"{file.name} is damaged in record 30 .its checksum does not match.: .*alexnet verify .*prepare"
        with pytest.raises(DataError, match=message):
            one.pictures(np.array([0, 30]))
    one.pictures(sound)


@pytest.mark.parametrize("name", ["raw", "jpeg"])
def test_a_record_is_checked_once(stores, name, monkeypatch):
    one, checked = train(stores / name), []
    sums, crc = split.word_sums, split.file_checksum
    monkeypatch.setattr(split, "word_sums", lambda records: checked.append(len(records)) or sums(records))
    monkeypatch.setattr(split, "file_checksum", lambda data: checked.append(1) or crc(data))
    one.pictures(np.arange(10))
    assert sum(checked) == 10
    one.pictures(np.arange(9, -1, -1))
    assert sum(checked) == 10


def test_pictures_are_copies(stores, pixels):
    one = train(stores / "one")
    one.pictures(np.arange(3))[...] = 0
    assert np.array_equal(one.pictures(np.arange(3)), pixels[:3])


def test_names_are_a_sequence():
    names = Names(b'"a"\n"\\u00e4 \\udcff\\n"\n""\n')
    wanted = ["a", "ä \udcff\n", ""]
    assert len(names) == 3
    assert list(names) == wanted == [names[0], names[1], names[2]]
    assert names[-1] == ""
    assert names[1:] == wanted[1:]
    assert "a" in names
    with pytest.raises(IndexError):
        names[3]
    assert list(Names(b"")) == []


def test_pictures_are_read_from_their_places(photo_store):
    read = Store(photo_store).splits["test"].pictures(np.array([5, 0, 5]))
    for place, picture in zip((5, 0, 5), read, strict=True):
        start = place * 32 * 32 * 3
        data = (photo_store / "test.images-00000.u8").read_bytes()[start : start + 32 * 32 * 3]
        assert picture.tobytes() == data

"""Equal pictures: found in every split, told apart by their pixels and not by a checksum alone."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from alexnet.data import duplicates
from alexnet.data.duplicates import Group, find_duplicates
from alexnet.data.preparation import prepare
from alexnet.data.split import Split
from alexnet.data.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Pictures, a colour each but for copies: of 0 in train, of 1 in test, of 2 thrice, in two classes."""
    top = tmp_path_factory.mktemp("copies")
    colours = {
        "train/cat": [0, 1, 2, 0],
        "train/dog": [3, 4],
        "val/cat": [5, 6, 6],
        "val/dog": [7],
        "test/cat": [1, 2],
        "test/dog": [2],
    }
    for folder, shades in colours.items():
        (top / "photos" / folder).mkdir(parents=True)
        for number, shade in enumerate(shades):
            Image.new("RGB", (8, 8), (shade, 100, 200)).save(top / "photos" / folder / f"{number}.png")
    prepare("folder", top / "photos", top / "store", side=4)
    return Store(top / "store")


def names(store, groups):
    return [group.names(store) for group in groups]


COPIES = [
    ["train/cat/0.png", "train/cat/3.png"],
    ["train/cat/1.png", "test/cat/0.png"],
    ["train/cat/2.png", "test/cat/1.png", "test/dog/0.png"],
    ["val/cat/1.png", "val/cat/2.png"],
]


def test_all_groups_are_found_in_order(store):
    assert names(store, find_duplicates(store)) == COPIES


def test_a_group_knows_splits_and_classes(store):
    groups = find_duplicates(store)
    assert [group.splits for group in groups] == [["train"], ["train", "test"], ["train", "test"], ["val"]]
    assert [group.leaks for group in groups] == [False, True, True, False]
    assert groups[2].labels(store) == [0, 0, 1]
    assert groups[2].inside("test") == [1, 2]
    assert groups[2].inside("val") == []


@pytest.mark.parametrize("chunk_bytes", [1, 100, 16 << 20])
def test_equal_checksums_are_no_proof(store, monkeypatch, chunk_bytes):
    monkeypatch.setattr(duplicates, "CHUNK_BYTES", chunk_bytes)
    for split in store.splits.values():
        split.pictures(np.arange(len(split)))  # checked now, not against what follows
    monkeypatch.setattr(Split, "checksums", property(lambda split: np.zeros(len(split), np.uint64)))
    assert sorted(names(store, find_duplicates(store))) == sorted(COPIES)


def test_only_suspects_are_read(store, monkeypatch):
    read, pictures = [], Split.pictures

    def noted(split, places):
        read.extend((split.name, place) for place in places.tolist())
        return pictures(split, places)

    monkeypatch.setattr(Split, "pictures", noted)
    groups = find_duplicates(store)
    assert sorted(read) == sorted(place for group in groups for place in group.places)


def test_a_store_without_copies_has_none(tiny_store):
    store = Store(tiny_store)
    images = [image.tobytes() for split in store.splits.values() for image in split.pictures(np.arange(len(split)))]
    assert all(one != other for one, other in combinations(images, 2))
    assert find_duplicates(store) == []


def test_values_that_occur_more_than_once_are_found():
    chance = np.random.default_rng(0)
    for _ in range(20):
        values = chance.integers(0, 8, 10).astype(np.uint32)
        expected = [place for place in range(10) if (values == values[place]).sum() > 1]
        assert duplicates._shared(values).tolist() == expected
    assert duplicates._shared(np.array([5], np.uint32)).tolist() == []


def test_a_training_picture_alone_leaks_nothing():
    assert not Group((("val", 0), ("test", 0))).leaks
    assert Group((("train", 0), ("val", 0))).leaks

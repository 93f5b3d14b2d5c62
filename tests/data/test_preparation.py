import json
import shutil
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image

from alexnet.data import preparation, shards
from alexnet.data.preparation import prepare
from alexnet.data.sources import shapes
from alexnet.durable import lock
from alexnet.errors import AlexNetError, DataError, UsageError


def tree(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def pictures(tmp_path):
    """Write three classes of seven small pictures each."""
    chance = np.random.default_rng(0)
    for name in ("ant", "bee", "cow"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(7):
            size = (int(chance.integers(10, 60)), int(chance.integers(10, 60)), 3)
            Image.fromarray(chance.integers(0, 256, size, np.uint8)).save(tmp_path / "pictures" / name / f"{i}.png")
    return tmp_path / "pictures"


def test_the_number_of_workers_changes_no_byte(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "CHUNK_BYTES", 5000)  # many chunks
    (pictures / "bee" / "9.png").write_bytes(b"no picture")
    stores = []
    for workers in (0, 1, 3):
        prepare("folder", pictures, tmp_path / str(workers), side=16, workers=workers)
        stores.append(tree(tmp_path / str(workers)))
    assert stores[0] == stores[1] == stores[2]


def test_the_size_of_chunks_changes_no_byte(tmp_path, monkeypatch):
    prepare("shapes", None, tmp_path / "a", side=16, count=80)
    monkeypatch.setattr(shards, "CHUNK_BYTES", 1)
    prepare("shapes", None, tmp_path / "b", side=16, count=80)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_pixels_are_those_of_the_source(tmp_path):
    store = prepare("shapes", None, tmp_path / "a", side=16, count=80, seed=5)
    examples = list(shapes.Shapes(side=16, count=80, seed=5).examples())
    for split in store.splits.values():
        own = [example for example in examples if example.split == split.name]
        pixels = np.stack([example.picture for example in own])
        np.testing.assert_array_equal(split.pictures(np.arange(len(split))), pixels)
        assert split.labels.tolist() == [example.label for example in own]
        assert list(split.names) == [example.name for example in own]


def test_every_file_is_accounted_for(pictures, tmp_path):
    (pictures / "ant" / "empty.jpg").touch()
    (pictures / "ant" / ".hidden").touch()
    (pictures / "notes.txt").write_text("notes")
    store = prepare("folder", pictures, tmp_path / "store", side=16)
    report = json.loads((tmp_path / "store" / "report.json").read_text())
    assert store.manifest["counts"] == {"used": 21, "bad": 1, "skipped": 2}
    assert report["seen"] == 24 == report["used"] + report["bad"] + report["skipped"]
    assert report["reasons"]["bad"] == {"empty file": 1}
    assert report["files"] == [
        {"file": "ant/empty.jpg", "state": "bad", "reason": "empty file"},
        {"file": "ant/.hidden", "state": "skipped", "reason": "hidden or metadata"},
        {"file": "notes.txt", "state": "skipped", "reason": "beside the class folders"},
    ]


def test_strict_fails_on_the_first_unreadable_picture(pictures, tmp_path):
    (pictures / "cow" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"cow/torn.jpg: damaged JPEG"):
        prepare("folder", pictures, tmp_path / "store", side=16, strict=True)
    assert not (tmp_path / "store").exists()


def test_a_class_that_cannot_be_read_is_an_error(pictures, tmp_path):
    for file in (pictures / "bee").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"class bee has no training picture \(none of 7 can be read, .*bee/.*: empty"):
        prepare("folder", pictures, tmp_path / "store", side=16)
    assert not (tmp_path / "store").exists()


def test_limits_take_the_first_pictures(tmp_path):
    whole = prepare("shapes", None, tmp_path / "whole", side=16, count=80)
    part = prepare("shapes", None, tmp_path / "part", side=16, count=80, limit={"train": 25, "test": 3})
    assert {name: len(split) for name, split in part.splits.items()} == {"train": 25, "val": 10, "test": 3}
    assert list(part.splits["train"].names) == whole.splits["train"].names[:25]
    assert part.manifest["source"]["options"] == {"limit": {"test": 3, "train": 25}}
    assert part.digest != whole.digest


@pytest.mark.parametrize("limit", [{"trian": 5}, {"train": 0}, {"train": 61}])
def test_impossible_limits_are_refused(tmp_path, limit):
    with pytest.raises(UsageError, match="limit"):
        prepare("shapes", None, tmp_path / "store", side=16, count=80, limit=limit)


def test_a_limit_that_leaves_a_class_out_is_refused(pictures, tmp_path):
    with pytest.raises(UsageError, match=r"the limit leaves class cow no training picture: raise the limit of train"):
        prepare("folder", pictures, tmp_path / "store", side=16, limit={"train": 8})


def test_progress_counts_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "CHUNK_BYTES", 16 * 16 * 3 * 30)
    seen = []
    prepare("shapes", None, tmp_path / "a", side=16, count=80, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(30, 80), (60, 80), (70, 80), (80, 80)]


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("shape", {}, "shape is no kind of source: did you mean shapes"),
        ("shapes", {"cuont": 80}, "shapes has no option cuont: did you mean count"),
        ("shapes", {"path": 1}, "shapes has no option path"),
        ("shapes", {"side": 0}, "side must be from 1 to 4096, not 0"),
        ("shapes", {"workers": -1}, "workers must be 0 .* not -1"),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_written(tmp_path, kind, options, message):
    with pytest.raises(UsageError, match=message):
        prepare(kind, None, tmp_path / "store", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", ["sound", "damaged", "empty folder"])
def test_a_store_is_replaced(tmp_path, state):
    if state == "empty folder":
        (tmp_path / "store").mkdir()
    else:
        prepare("shapes", None, tmp_path / "store", count=80, side=16)
    if state == "damaged":
        manifest = tmp_path / "store" / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 7'))
    assert prepare("shapes", None, tmp_path / "store", count=80, side=24).side == 24
    assert sorted(file.name for file in tmp_path.iterdir()) == [".store.lock", "store"]


def test_that_another_store_was_replaced_is_told(tmp_path):
    told = []
    first = prepare("shapes", None, tmp_path / "store", count=80, side=16, say=told.append).digest
    prepare("shapes", None, tmp_path / "store", count=80, side=16, say=told.append)
    assert told == []
    prepare("shapes", None, tmp_path / "store", count=80, side=24, say=told.append)
    assert len(told) == 1
    assert f"replaces another store (digest {first[:12]})" in told[0]


def test_store_and_source_must_not_lie_in_each_other(pictures, tmp_path):
    with pytest.raises(UsageError, match="lie in each other"):
        prepare("folder", pictures, pictures / "store", side=16)
    shutil.copytree(pictures, prepare("shapes", None, tmp_path / "s", count=80, side=16).path / "pictures")
    with pytest.raises(UsageError, match="lie in each other"):
        prepare("folder", tmp_path / "s" / "pictures", tmp_path / "s", side=16)
    assert (tmp_path / "s" / "pictures" / "ant").is_dir()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing_and_the_next_try_is_whole(tmp_path, monkeypatch, error):
    def interrupt(done, total):
        if done > 30:
            raise error

    monkeypatch.setattr(shards, "CHUNK_BYTES", 5000)
    with pytest.raises(error):
        prepare("shapes", None, tmp_path / "store", count=80, side=16, progress=interrupt)
    assert [file.name for file in tmp_path.iterdir()] == [".store.lock"]
    prepare("shapes", None, tmp_path / "store", count=80, side=16)
    prepare("shapes", None, tmp_path / "other", count=80, side=16)
    assert tree(tmp_path / "store") == tree(tmp_path / "other")


def test_an_interruption_leaves_the_old_store(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    digest = prepare("shapes", None, tmp_path / "store", count=80, side=16).digest
    with pytest.raises(KeyboardInterrupt):
        prepare("shapes", None, tmp_path / "store", count=160, side=16, progress=interrupt)
    assert preparation.Store(tmp_path / "store").digest == digest
    assert preparation.Store(tmp_path / "store").verify() == []


def test_what_a_killed_preparation_left_is_removed(tmp_path):
    (tmp_path / ".store.tmp-99999").mkdir()
    (tmp_path / ".store.tmp-99999" / "train.images.u8").touch()
    prepare("shapes", None, tmp_path / "store", count=80, side=16)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".store.lock", "store"]


def test_two_preparations_of_one_store_do_not_mix(tmp_path):
    with lock(tmp_path / ".store.lock", "it"), pytest.raises(AlexNetError, match="store is in use by another"):
        prepare("shapes", None, tmp_path / "store", count=80, side=16)
    assert not (tmp_path / "store").exists()


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(preparation.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1_000_000))
    for records, needed in (("raw", 49), ("jpeg", 6)):
        with pytest.raises(AlexNetError, match=f"store needs {needed} MB, 1 MB are free there"):
            prepare("shapes", None, tmp_path / "store", count=4000, records=records)
    assert not (tmp_path / "store").exists()

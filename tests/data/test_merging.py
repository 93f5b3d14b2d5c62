"""Tests of alexnet.data.merging: parts give the very store; what does not belong together is refused by name."""

import os
import shutil

import numpy as np
import pytest

from alexnet.data import merging, plan
from alexnet.data.merging import merge, verify_part
from alexnet.data.preparation import prepare, prepare_part
from alexnet.data.store import Store, verify_store
from alexnet.errors import AlexNetError, DataError, Interrupted, UsageError

SIDE, RECORD = 16, 16 * 16 * 3


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(plan, "SHARD_BYTES", 7 * RECORD)


@pytest.fixture(scope="module", params=["raw", "jpeg"])
def originals(request, tmp_path_factory):
    """A store, and the same in three parts, prepared out of order by other numbers of threads."""
    top = tmp_path_factory.mktemp("parts")
    how = {"side": SIDE, "count": 80, "records": request.param}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SHARD_BYTES", 7 * RECORD)
        prepare("shapes", None, top / "whole", **how)
        for number in (3, 1, 2):
            prepare_part("shapes", None, top / str(number), (number, 3), workers=number, **how)
    return top


@pytest.fixture
def parts(originals, tmp_path):
    """Copy them, for damage."""
    return shutil.copytree(originals, tmp_path / "parts")


def three(folder):
    return [folder / str(number) for number in (2, 3, 1)]


def tree(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def flip(file, place):
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def test_the_merged_store_is_the_one_prepared_whole(originals, tmp_path):
    seen = []
    store = merge(tmp_path / "m", three(originals), progress=lambda done, total: seen.append((done, total)))
    assert tree(tmp_path / "m") == tree(originals / "whole")
    assert store.verify() == []
    assert seen[-1] == (80, 80)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".m.lock", "m"]


def test_merging_over_disks_copies(originals, tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    merge(tmp_path / "m", three(originals))
    assert tree(tmp_path / "m") == tree(originals / "whole")


def test_a_part_is_no_store_and_says_so(originals):
    with pytest.raises(UsageError, match="is a part of a store: join the parts with `alexnet merge`"):
        Store(originals / "1")


def test_missing_parts_are_named(parts, tmp_path):
    with pytest.raises(UsageError, match="part 2 is missing of 3: prepare and give all of them"):
        merge(tmp_path / "m", [parts / "1", parts / "3"])
    with pytest.raises(UsageError, match="parts 1, 3 are missing of 3"):
        merge(tmp_path / "m", [parts / "2"])
    assert not (tmp_path / "m").exists()


def test_a_part_given_twice_is_named(parts, tmp_path):
    shutil.copytree(parts / "2", parts / "again")
    with pytest.raises(UsageError, match=r"/2 and .*/again are both part 2: give one of them"):
        merge(tmp_path / "m", [*three(parts), parts / "again"])


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ({"side": 20}, "side, shard_examples, fingerprint"),
        ({"count": 88}, "counts, fingerprint"),
        ({"seed": 1}, "fingerprint"),
    ],
)
def test_a_part_of_another_store_is_named_with_what_differs(parts, tmp_path, how, what):
    records = Store(parts / "whole").records
    shutil.rmtree(parts / "1")
    prepare_part("shapes", None, parts / "1", (1, 3), **{"side": SIDE, "count": 80, "records": records, **how})
    with pytest.raises(DataError, match=rf"/1 is a part of another store than .*/2 .they differ in {what}.: prepare"):
        merge(tmp_path / "m", three(parts))


def test_a_part_of_another_division_is_named(parts, tmp_path):
    records = Store(parts / "whole").records
    shutil.rmtree(parts / "1")
    prepare_part("shapes", None, parts / "1", (1, 2), side=SIDE, count=80, records=records)
    with pytest.raises(DataError, match="differ in number of parts"):
        merge(tmp_path / "m", three(parts))


@pytest.mark.parametrize("kind", ["a store", "nothing", "an empty folder"])
def test_what_is_no_part_is_named(parts, tmp_path, kind):
    (parts / "empty").mkdir()
    folder = {"a store": parts / "whole", "nothing": parts / "no", "an empty folder": parts / "empty"}[kind]
    with pytest.raises(UsageError, match=rf"{folder.name} is .*make parts with `alexnet prepare --part K/N`"):
        merge(tmp_path / "m", [*three(parts), folder])


def test_a_damaged_part_is_named_and_nothing_is_made(parts, tmp_path):
    shard = next((parts / "2" / "store").glob("train*"))
    note = next((parts / "3" / "notes").glob("val*"))
    flip(shard, 5)
    with pytest.raises(DataError, match=rf"{shard.name} is damaged .*: prepare part 2 of 3 again"):
        merge(tmp_path / "m", three(parts))
    assert [problem["file"] for problem in verify_part(parts / "2")] == [shard.name]
    flip(shard, 5)
    assert verify_part(parts / "2") == []
    flip(note, 100)
    with pytest.raises(DataError, match=rf"{note.name} is damaged .*: prepare part 3 of 3 again"):
        merge(tmp_path / "m", three(parts))
    flip(note, 100)
    shutil.rmtree(tmp_path / ".m.unfinished")  # which had taken that shard
    shard.rename(parts / "elsewhere")
    with pytest.raises(DataError, match=rf"{shard.name} is missing: prepare part 2 of 3 again"):
        merge(tmp_path / "m", three(parts))
    flip(parts / "1" / "plan.json", 30)
    with pytest.raises(DataError, match=r"plan.json is (missing or )?damaged"):
        merge(tmp_path / "m", three(parts))
    assert len(verify_part(parts / "1")) == 1
    assert not (tmp_path / "m").exists()


def test_a_shard_of_another_part_in_its_place_is_refused(parts, tmp_path):
    note = next((parts / "2" / "notes").glob("train*"))
    shutil.copy(next((parts / "3" / "notes").glob("train*")), note)
    with pytest.raises(DataError, match="belongs to another store, or to another shard: prepare part 2 of 3 again"):
        merge(tmp_path / "m", three(parts))


def test_an_interrupted_merge_goes_on(originals, tmp_path):
    def stop(done, total):
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"of 13 shards are kept"):
        merge(tmp_path / "m", three(originals), progress=stop)
    said = []
    merge(tmp_path / "m", three(originals), say=said.append)
    assert "going on" in said[0]
    assert tree(tmp_path / "m") == tree(originals / "whole")


def test_parts_without_pictures_merge_too(tmp_path):
    for number in range(1, 10):
        prepare_part("shapes", None, tmp_path / str(number), (number, 9), side=16, count=40)
    store = merge(tmp_path / "m", [tmp_path / str(number) for number in range(1, 10)])
    prepare("shapes", None, tmp_path / "whole", side=16, count=40)
    assert tree(store.path) == tree(tmp_path / "whole")


@pytest.mark.parametrize("part", [(0, 3), (4, 3), (-1, 1)])
def test_a_part_that_cannot_be_is_refused(tmp_path, part):
    with pytest.raises(UsageError, match="there is no part"):
        prepare_part("shapes", None, tmp_path / "p", part, side=4, count=80)


def test_the_destination_is_not_taken_from_others(parts, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    with pytest.raises(UsageError, match="exists and is not a store"):
        merge(tmp_path / "mine", three(parts))
    with pytest.raises(UsageError, match=r"which would be lost|lie in each other"):
        merge(parts / "1", three(parts))
    with merging.locked(tmp_path / "m"), pytest.raises(AlexNetError, match="in use"):
        merge(tmp_path / "m", three(parts))


def test_a_part_replaces_a_part(parts):
    records = Store(parts / "whole").records
    before = tree(parts / "1")
    prepare_part("shapes", None, parts / "1", (1, 3), side=SIDE, count=80, records=records)
    assert tree(parts / "1") == before
    assert verify_store(parts / "whole") == []
    assert np.array_equal(sorted(before), sorted(tree(parts / "1")))

"""Tests of alexnet.data.unfinished: whenever a preparation ends, nothing half is there and the next one is whole."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data import plan, shards
from alexnet.data.plan import Plan
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.durable import PREPARATION_FAULTS
from alexnet.errors import AlexNetError, DataError, Interrupted, UsageError

SIDE, RECORD = 16, 16 * 16 * 3
SHARDS = 9 + 2 + 2  # of 60 + 10 + 10 pictures, seven a shard


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(plan, "SHARD_BYTES", 7 * RECORD)
    monkeypatch.setattr(shards, "CHUNK_BYTES", 3 * RECORD)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """What an uninterrupted preparation makes."""
    folder = tmp_path_factory.mktemp("wanted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SHARD_BYTES", 7 * RECORD)
        prepare("shapes", None, folder / "store", side=SIDE, count=80, workers=1)
    return tree(folder / "store")


def tree(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def stop_after(pictures, error=KeyboardInterrupt):
    def progress(done, total):
        if done >= pictures:
            raise error

    return progress


def begin(tmp_path, pictures=30, error=KeyboardInterrupt, **options):
    """Prepare until so many pictures are done."""
    with pytest.raises((Interrupted, AlexNetError, RuntimeError)) as caught:
        prepare(
            "shapes",
            None,
            tmp_path / "store",
            **{"side": SIDE, "count": 80, **options},
            progress=stop_after(pictures, error),
        )
    return caught.value


def go_on(tmp_path, **options):
    """Prepare to the end; what was said, and how many pictures were done anew."""
    said, counts = [], []
    prepare(
        *("shapes", None, tmp_path / "store"),
        **{"side": SIDE, "count": 80, **options},
        say=said.append,
        progress=lambda done, total: counts.append(done),
    )
    return said, counts


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError(errno.EIO, "Input/output error")])
def test_an_interrupted_preparation_goes_on_where_it_was(tmp_path, wanted, error, workers):
    begin(tmp_path, 30, error, workers=workers)
    assert not (tmp_path / "store").exists()
    assert names(tmp_path) == [".store.lock", ".store.unfinished"]
    left = tmp_path / ".store.unfinished"
    assert names(left / "notes") == [f"train-0000{number}.note" for number in range(4)]
    assert names(left / "store") == [f"train.images-0000{number}.u8" for number in range(4)]
    said, counts = go_on(tmp_path, workers=4 - workers)
    assert said == [f"going on with an interrupted preparation: 4 of {SHARDS} shards are finished"]
    assert counts[:2] == [28, 31]
    assert tree(tmp_path / "store") == wanted
    assert names(tmp_path) == [".store.lock", "store"]


def test_ctrl_c_tells_what_is_kept_in_one_line(tmp_path):
    error = begin(tmp_path)
    assert isinstance(error, Interrupted)
    assert str(error) == (
        f"interrupted; 4 of {SHARDS} shards are kept in {tmp_path}/.store.unfinished: "
        "the same command goes on from there"
    )
    assert error.exit_code == 130


def test_a_full_disk_tells_what_is_kept_and_the_rerun_is_whole(tmp_path, wanted, monkeypatch):
    fsync = os.fsync

    def full(number):
        if os.readlink(f"/proc/self/fd/{number}").endswith("train.images-00003.u8"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(AlexNetError) as caught:
            prepare("shapes", None, tmp_path / "store", side=SIDE, count=80)
    message = str(caught.value)
    assert "train.images-00003.u8: No space left on device, " in message
    assert f"MB free there; 3 of {SHARDS} shards are kept in " in message
    assert "\n" not in message
    assert not (tmp_path / "store").exists()
    go_on(tmp_path)
    assert tree(tmp_path / "store") == wanted


def test_other_options_lose_no_finished_shard(tmp_path, wanted):
    begin(tmp_path)
    left = tree(tmp_path / ".store.unfinished" / "store")
    with pytest.raises(
        UsageError, match=r"\.store\.unfinished keeps finished shards .*: run that one again, or remove"
    ):
        go_on(tmp_path, seed=1)
    assert tree(tmp_path / ".store.unfinished" / "store") == left
    said, _ = go_on(tmp_path)
    assert said == [f"going on with an interrupted preparation: 4 of {SHARDS} shards are finished"]
    assert tree(tmp_path / "store") == wanted


def test_what_came_to_the_destination_meanwhile_is_kept(tmp_path, wanted):
    def write(done, total):
        (tmp_path / "store").mkdir(exist_ok=True)
        (tmp_path / "store" / "thesis.txt").write_text("all of it")

    with pytest.raises(AlexNetError, match=rf"exists and is not a store: .*; {SHARDS} of {SHARDS} shards are kept in"):
        prepare("shapes", None, tmp_path / "store", side=SIDE, count=80, progress=write)
    assert (tmp_path / "store" / "thesis.txt").read_text() == "all of it"
    (tmp_path / "store").rename(tmp_path / "mine")
    go_on(tmp_path)
    assert tree(tmp_path / "store") == wanted


@pytest.mark.parametrize("damage", ["shard", "note", "missing shard", "missing note", "swapped notes", "plan"])
def test_what_was_damaged_meanwhile_is_made_again(tmp_path, wanted, damage):
    begin(tmp_path)
    left = tmp_path / ".store.unfinished"
    note, shard = left / "notes" / "train-00001.note", left / "store" / "train.images-00001.u8"
    file = {"shard": shard, "note": note, "plan": left / "plan.json"}.get(damage)
    if file:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif damage == "swapped notes":
        other = left / "notes" / "train-00002.note"
        both = note.read_bytes(), other.read_bytes()
        other.write_bytes(both[0])
        note.write_bytes(both[1])
    else:
        (shard if damage == "missing shard" else note).unlink()
    said, _ = go_on(tmp_path)
    assert tree(tmp_path / "store") == wanted
    found = {"swapped notes": 2, "plan": None}.get(damage, 3)
    assert said[0].endswith(f": {found} of {SHARDS} shards are finished" if found else "beginning anew")


def test_refused_data_leave_what_is_finished(tmp_path):
    error = begin(tmp_path, 30, DataError("refused"))
    assert str(error).startswith(f"refused; 4 of {SHARDS} shards are kept in ")
    assert names(tmp_path) == [".store.lock", ".store.unfinished"]


def test_what_is_refused_when_all_is_read_leaves_nothing(tmp_path):
    photos = tmp_path / "photos"
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(np.full((16, 16, 3), 40 * number, np.uint8)).save(photos / name / f"{number}.png")
    for file in (photos / "dog").iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(DataError, match="class dog has no training picture") as caught:
        prepare("folder", photos, tmp_path / "store", side=SIDE)
    assert "kept" not in str(caught.value)
    assert names(tmp_path) == [".store.lock", "photos"]


def test_the_form_of_the_records_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "RAW_BYTES", 1)
    begin(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(plan, "SHARD_BYTES", 7 * RECORD)
    said, _ = go_on(tmp_path)
    assert said == [f"going on with an interrupted preparation: 4 of {SHARDS} shards are finished"]
    assert Store(tmp_path / "store").records == "jpeg"


def test_an_unfinished_folder_is_no_store(tmp_path):
    begin(tmp_path)
    left = tmp_path / ".store.unfinished"
    for folder in (left, left / "store", left / "notes"):
        with pytest.raises(AlexNetError):
            Store(folder)
    assert Plan.read(left).part is None
    assert replace(Plan.read(left), part=(1, 2)).digest == Plan.read(left).digest


def kill(tmp_path, *how):
    """Run the script; a line a kill."""
    script = Path(__file__).with_name("killing.py")
    command = [sys.executable, str(script), str(tmp_path), *map(str, how)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge(told):
    """Whatever moment it was killed at: never half, then whole, and nothing left but the lock."""
    assert told["after"] == "whole"
    assert told["litter"] == [".store.lock", "store"]
    assert told["before"] in ("absent", "whole")


def test_a_kill_at_any_named_point_leaves_nothing_half(tmp_path):
    kills = kill(tmp_path, "points", 1)
    assert [told["at"] for told in kills] == [f"{name}:1" for name in PREPARATION_FAULTS]
    for told in kills:
        judge(told)
        name = told["at"].removesuffix(":1")
        assert told["signal"] == 9, name  # it is passed
        assert told["before"] == ("whole" if name in ("folder-renamed", "store-published") else "absent"), name
        if name in ("store-filled", "store-listed", "store-whole"):
            assert told["notes"] == 4  # all of them: nothing is decoded again


@pytest.mark.slow
@pytest.mark.parametrize("nth", [2, 3, 4])
def test_a_kill_at_a_later_passing_leaves_nothing_half(tmp_path, nth):
    kills = kill(tmp_path, "points", nth)
    assert sum(told["signal"] == 9 for told in kills) >= 7  # the points of files and shards
    for told in kills:
        judge(told)


def test_a_kill_at_a_random_moment_leaves_nothing_half(tmp_path):
    for told in kill(tmp_path, "moments", 3):
        judge(told)


@pytest.mark.slow
def test_kills_at_twenty_random_moments_leave_nothing_half(tmp_path):
    kills = kill(tmp_path, "moments", 20)
    assert len(kills) == 20
    for told in kills:
        judge(told)
    assert sum(told["signal"] == 9 for told in kills) >= 5


def test_totals_of_the_statistics_do_not_depend_on_shards(tmp_path, monkeypatch, wanted):
    monkeypatch.undo()
    prepare("shapes", None, tmp_path / "one", side=SIDE, count=80)
    assert (tmp_path / "one" / "statistics.safetensors").read_bytes() == wanted["statistics.safetensors"]
    assert np.array_equal(
        Store(tmp_path / "one").splits["train"].checksums, np.frombuffer(wanted["train.checksums.u64"], np.uint64)
    )

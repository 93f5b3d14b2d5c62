"""Tests of alexnet.data.plan: shards and parts cover every example once; a plan survives the disk or is refused."""

import json
from dataclasses import replace

import pytest

from alexnet.data import plan as plans
from alexnet.data.plan import Plan, chosen_records, shard_examples
from alexnet.errors import DataError

PLAN = Plan(
    kind="folder",
    fingerprint={"files": 30, "nested": [["a", 1]]},
    limit={},
    classes=["cat", "dög \udcff"],
    side=16,
    records="raw",
    counts={"train": 21, "val": 0, "test": 5},
    shard_examples=4,
    skipped=[("x", "hidden")],
)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 20])
def test_parts_hold_every_shard_once_and_in_order(parts):
    whole = list(PLAN.own())
    assert whole == [("train", i) for i in range(6)] + [("test", i) for i in range(2)]
    assert sum(PLAN.examples(*shard) for shard in whole) == 26
    pieces = [list(replace(PLAN, part=(k, parts)).own()) for k in range(1, parts + 1)]
    assert sorted(shard for piece in pieces for shard in piece) == sorted(whole)
    for split in PLAN.counts:
        assert [s for piece in pieces for s in piece if s[0] == split] == [s for s in whole if s[0] == split]
        sizes = [sum(s[0] == split for s in piece) for piece in pieces]
        assert max(sizes) - min(sizes) <= 1


def test_the_last_shard_is_shorter():
    assert [PLAN.examples("train", number) for number in range(6)] == [4, 4, 4, 4, 4, 1]


def test_a_plan_survives_the_disk(tmp_path):
    for plan in (PLAN, replace(PLAN, part=(2, 3))):
        plan.write(tmp_path)
        assert Plan.read(tmp_path) == plan
        assert Plan.read(tmp_path).digest == PLAN.digest


@pytest.mark.parametrize(
    "change",
    [
        {"side": 17},
        {"records": "jpeg"},
        {"counts": {"train": 20, "val": 0, "test": 5}},
        {"classes": ["cat"]},
        {"fingerprint": {}},
        {"limit": {"train": 21}},
        {"shard_examples": 5},
        {"kind": "hub"},
    ],
)
def test_another_store_has_another_digest(change):
    assert replace(PLAN, **change).digest != PLAN.digest


def test_a_damaged_plan_is_refused(tmp_path):
    PLAN.write(tmp_path)
    whole = (tmp_path / "plan.json").read_bytes()
    for data in (b"", b"[]", b"{}", whole[:-4], whole.replace(b'"side": 16', b'"side": 17')):
        (tmp_path / "plan.json").write_bytes(data)
        with pytest.raises(DataError, match="damaged"):
            Plan.read(tmp_path)
    (tmp_path / "plan.json").unlink()
    with pytest.raises(DataError, match="missing"):
        Plan.read(tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps({**json.loads(whole), "version": 9}))
    with pytest.raises(DataError, match=r"is of version 9, this program 2: prepare it again"):
        Plan.read(tmp_path)


def test_shards_are_as_large_as_stated(monkeypatch):
    assert shard_examples(256) == 1365  # 256 MiB of 196,608 bytes each
    assert shard_examples(32) * 32 * 32 * 3 > 184e6  # all of CIFAR-10 is one
    monkeypatch.setattr(plans, "SHARD_BYTES", 10)
    assert shard_examples(256) == 1


def test_records_are_raw_while_they_are_small():
    assert chosen_records(1, 10)[0] == "raw"
    assert chosen_records(64_000_000_000, None)[0] == "raw"
    assert chosen_records(64_000_000_001, None) == ("jpeg", "64.0 GB raw is more than 64 GB")
    assert chosen_records(6_000_000_000, 12_000_000_000)[0] == "raw"
    found = chosen_records(6_000_000_001, 12_000_000_000)
    assert found == ("jpeg", "6.0 GB raw is more than half of the 12.0 GB free there")

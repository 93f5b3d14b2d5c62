"""Tests of alexnet.cli.stores: prepare, merge, verify."""

import json
import shutil
import sys

import pytest

from alexnet.cli.stores import limits, pairs, part_of
from alexnet.data.store import Store
from alexnet.errors import UsageError


def test_prepare_says_what_is_in_the_store(command, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "train" / "cats" / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "photos" / "train" / "cats" / "notes.txt").write_text("no picture")
    done = command("prepare", "folder", "photos", "new", "--side", 24, "--workers", 2)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "new: 3 classes, 24×24 pixels",
        "  train        18 images, 6 a class",
        "  test          9 images, 3 a class",
        "  bad: 1 × not a picture: train/cats/bad.jpg",
        "  skipped: 1 × not a picture: train/cats/notes.txt",
    ]
    assert Store(tmp_path / "new").side == 24
    strict = command("prepare", "folder", "photos", "strict", "--strict")
    assert (strict.code, strict.out) == (3, "")
    assert strict.err == "error: train/cats/bad.jpg: not a picture\n"
    assert not (tmp_path / "strict").exists()


def test_prepare_draws_shapes_by_its_options(command):
    done = command("prepare", "shapes", "new", "--count", 40, "--side", 16, "--seed", 3, "--limit", "train=25", "val=3")
    assert done.code == 0
    store = Store("new")
    assert {name: len(split) for name, split in store.splits.items()} == {"train": 25, "val": 3, "test": 5}
    assert store.manifest["source"]["fingerprint"]["seed"] == 3
    assert "  train        25 images, 2 to 3 a class" in done.out


def test_prepare_takes_breeds_by_its_options(command, photos, tmp_path):
    for number, kind in enumerate(("cats", "dogs", "emus")):
        shutil.copytree(photos / "train" / kind, tmp_path / "Images" / f"n0000000{number}-{kind}")
    (tmp_path / "Images" / "n00000000-cats" / "0.jpg").unlink()
    done = command("prepare", "stanford-dogs", ".", "new", "--side", 8, "--classes-largest", 2, "--seed", 3)
    assert (done.code, done.err) == (0, "")
    assert Store("new").classes == ["dogs", "emus"]
    assert Store("new").manifest["source"]["fingerprint"]["split"] == {"name": "write-up-000", "seed": 3}
    assert "  train         6 images, 3 a class" in done.out
    assert command("prepare", "stanford-dogs", ".", "new", "--side", 8, "--classes", "cats", "emus").code == 0
    assert Store("new").classes == ["cats", "emus"]
    refused = command("prepare", "stanford-dogs", ".", "boxes", "--boxes")
    assert (refused.code, refused.err[:29]) == (2, "error: boxes need Annotation ")
    assert command("prepare", "stanford-dogs", ".", "official", "--split", "official").code == 2


def test_prepare_says_what_to_fetch_where_there_is_nothing(command):
    for kind, url in (("cats-dogs", "https://www.kaggle.com/c/dogs-vs-cats"), ("stanford-dogs", "images.tar")):
        done = command("prepare", kind, "nowhere", "new", *(("--val-share", 0.3) if kind == "cats-dogs" else ()))
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: no ")
        assert url in done.err
        assert done.err.count("\n") == 1


def test_prepare_takes_a_data_set_of_the_hub(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    done = command("prepare", "hub", "ethz/food101", "new", "--splits", "train=train", "--image", "image")
    assert (done.code, done.out) == (1, "")
    assert done.err == 'error: ethz/food101 needs the library datasets: pip install "alexnet[datasets]"\n'
    assert command("prepare", "hub", "ethz/food101", "new", "--splits", "train").code == 2


@pytest.mark.parametrize("words", [["train"], ["=x"], ["x="], [""], ["val=a", "val=b"]])
def test_splits_that_say_nothing_are_refused(words):
    with pytest.raises(UsageError, match=r"is not understood: write OURS=ITS, as val=validation, each once"):
        pairs(["test=test", *words])
    assert pairs(["train=train[:50%]", "val=a=b"]) == {"train": "train[:50%]", "val": "a=b"}


@pytest.mark.parametrize("word", ["train", "train=", "train=0", "train=-1", "train=x", "train=1.5", "train=²", "=", ""])
def test_a_limit_that_says_nothing_is_refused(word):
    with pytest.raises(UsageError, match=r"is not understood: write SPLIT=N, as train=5000"):
        limits(["test=3", word])


def test_a_limit_is_given_once():
    with pytest.raises(UsageError, match=r"--limit train=5 is not understood: .* each once"):
        limits(["train=2", "train=5"])


def test_limits_are_read():
    assert limits(["train=5000", "test=1000"]) == {"train": 5000, "test": 1000}


def test_verify_prints_one_json_value_with_the_keys_of_the_design(command, tiny_store, tmp_path):
    done = command("verify", tiny_store, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"ok": True, "problems": []}
    assert command("verify", tiny_store).out == f"{tiny_store}: whole\n"

    store = shutil.copytree(tiny_store, tmp_path / "store")
    pixels = bytearray((store / "val.images-00000.u8").read_bytes())
    pixels[5 * 32 * 32 * 3 + 7] ^= 1
    (store / "val.images-00000.u8").write_bytes(pixels)
    labels = bytearray((store / "test.labels.i64").read_bytes())
    labels[0] ^= 1
    (store / "test.labels.i64").write_bytes(labels)
    done = command("verify", "store", "--json")
    assert (done.code, done.err) == (3, "")
    told = json.loads(done.out)
    assert told["ok"] is False
    pixel = {"file": "val.images-00000.u8", "record": 5, "problem": "its checksum does not match"}
    label = {"file": "test.labels.i64", "record": None, "problem": "its digest does not match"}
    assert sorted(told["problems"], key=str) == sorted([pixel, label], key=str)
    done = command("verify", "store")
    assert (done.code, done.err) == (3, "")
    assert sorted(done.out.splitlines()) == [
        "store: 2 problems: prepare it again",
        "test.labels.i64: its digest does not match",
        "val.images-00000.u8: record 5: its checksum does not match",
    ]


def test_verify_looks_at_a_run_too(command, tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    assert command("verify", "run").out == "run: whole\n"
    best = tmp_path / "run/best.safetensors"
    best.write_bytes(best.read_bytes()[:-1])
    done = command("verify", "run", "--json")
    problem = "is damaged (its digest does not match): restore it, or use another one"
    expected = {"ok": False, "problems": [{"file": "best.safetensors", "record": None, "problem": problem}]}
    assert (done.code, json.loads(done.out)) == (3, expected)
    assert command("verify", "run").out.splitlines() == [
        f"best.safetensors: {problem}",
        "run: 1 problem: alexnet resume mends what it can",
    ]


def test_verify_tells_of_a_store_that_cannot_be_opened_too(command, tiny_store, tmp_path):
    store = shutil.copytree(tiny_store, tmp_path / "store")
    (store / "train.images-00000.u8").write_bytes(b"short")
    done = command("verify", "store", "--json")
    assert (done.code, done.err) == (3, "")
    told = json.loads(done.out)
    assert told["ok"] is False
    assert "train.images-00000.u8 is torn" in told["problems"][0]["problem"]


def test_parts_are_prepared_merged_and_verified(command, monkeypatch):
    monkeypatch.setattr("alexnet.data.plan.SHARD_BYTES", 10 * 16 * 16 * 3)
    how = ("--count", 80, "--side", 16)
    for number, line in ((1, "3 of 8 shards, 30"), (2, "5 of 8 shards, 50")):
        done = command("prepare", "shapes", f"p{number}", *how, "--part", f"{number}/2")
        assert (done.code, done.err) == (0, "")
        assert done.out == f"p{number}: part {number}/2, {line} images seen\n"
        assert command("verify", f"p{number}").out == f"p{number}: whole\n"
    done = command("merge", "merged", "p2", "p1")
    assert (done.code, done.err) == (0, "")
    whole = command("prepare", "shapes", "whole", *how)
    assert done.out == whole.out.replace("whole:", "merged:")
    assert Store("merged").digest == Store("whole").digest
    missing = command("merge", "merged", "p2")
    assert (missing.code, missing.err) == (2, "error: part 1 is missing of 2: prepare and give all of them\n")
    assert command("data", "p1").code == 2


@pytest.mark.parametrize("word", ["0/3", "4/3", "3", "/", "a/b", "1/0", "-1/3", "1/2/3", "²/3"])
def test_a_part_that_says_nothing_is_refused(word):
    with pytest.raises(UsageError, match=r"is not understood: write K/N with K from 1 to N, as 3/16"):
        part_of(word)


def test_a_part_is_read():
    assert part_of("3/16") == (3, 16)


def test_the_form_of_the_records_is_chosen_and_said(command, monkeypatch):
    done = command("prepare", "shapes", "asked", "--count", 40, "--side", 16, "--format", "jpeg")
    assert (done.code, done.err) == (0, "")
    assert Store("asked").records == "jpeg"
    monkeypatch.setattr("alexnet.data.plan.RAW_BYTES", 30_000)
    done = command("prepare", "shapes", "chosen", "--count", 40, "--side", 16)
    assert done.code == 0
    assert done.err == "jpeg records: 0.0 GB raw is more than 0 GB (--format chooses)\n"
    assert Store("chosen").digest == Store("asked").digest


def test_ctrl_c_while_preparing_is_one_line_and_the_same_command_goes_on(command, tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet.data.plan.SHARD_BYTES", 10 * 16 * 16 * 3)
    monkeypatch.setattr("alexnet.data.shards.CHUNK_BYTES", 5 * 16 * 16 * 3)
    how = ("prepare", "shapes", "store", "--count", 80, "--side", 16)

    def stop(self, done, total):
        if done > 30:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alexnet.progress.Progress.reached", stop)
        done = command(*how)
    assert (done.code, done.out) == (130, "")
    kept = "error: interrupted; 3 of 8 shards are kept in .store.unfinished: the same command goes on from there\n"
    assert done.err == kept
    assert not (tmp_path / "store").exists()
    done = command(*how)
    assert (done.code, done.err) == (0, "going on with an interrupted preparation: 3 of 8 shards are finished\n")
    assert command("verify", "store").out == "store: whole\n"

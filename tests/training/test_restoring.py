"""Tests of alexnet.training.restoring."""

import json
import math
import shutil

import pytest

from alexnet import rotation
from alexnet.data.preparation import prepare
from alexnet.errors import DataError, UsageError
from alexnet.runs.run import Run
from alexnet.training.loop import resume
from alexnet.training.restoring import restored


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the tiny run, to be changed."""
    return Run(shutil.copytree(tiny_run, tmp_path / "run"))


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_what_was_best_by_another_store_counts_no_more(run, tmp_path):
    same = restored(run, run.newest(), run.store(), "cpu", allow_changes=False)
    assert same.best_top1 == max(row["val_top1"] for row in run.log())
    other = prepare("shapes", None, tmp_path / "other", side=32, count=80)
    learner = restored(run, run.newest(), other, "cpu", allow_changes=True)
    assert learner.best_top1 == -1
    assert (learner.schedule.best_error, learner.schedule.epochs_since_best) == (math.inf, 0)
    assert learner.images_seen == learner.epoch * len(other.splits["train"])


@pytest.mark.parametrize("change_batches", [True, False])
def test_an_epoch_of_other_batches_begins_anew(run, change_batches, capsys):
    checkpoint = run.newest()
    checkpoint.facts.update(epoch=1, batch=1, images_seen=48 + checkpoint.facts["recipe"]["batch_size"])
    if change_batches:
        change(run.path / "recipe.json", batch_size=checkpoint.facts["recipe"]["batch_size"] // 2)
    learner = restored(run, checkpoint, run.store(), "cpu", allow_changes=True)
    assert (learner.epoch, learner.batch) == (1, 0 if change_batches else 1)
    assert learner.images_seen == (48 if change_batches else checkpoint.facts["images_seen"])
    assert ("but the epoch begins anew" in capsys.readouterr().err) == change_batches


def test_a_store_of_other_classes_is_refused_before_anything_is_written(run, photo_store):
    before = (run.path / "store.json").read_bytes(), (run.path / "classes.json").read_bytes()
    with pytest.raises(UsageError, match=r"has 3 classes, .* knows 10: train anew, with --weights"):
        resume(run.path, store=photo_store, allow_changes=True)
    assert before == ((run.path / "store.json").read_bytes(), (run.path / "classes.json").read_bytes())


def test_a_run_whose_checkpoints_were_removed_does_not_begin_anew(run):
    rotation.forget(run.path)
    before = (run.path / "best.safetensors").read_bytes()
    with pytest.raises(DataError, match=r"has no checkpoint any more, .*; its best network can still be used"):
        resume(run.path)
    assert (run.path / "best.safetensors").read_bytes() == before

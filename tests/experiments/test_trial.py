"""Tests of alexnet.experiments.trial."""

import math
from dataclasses import replace

import pytest

from alexnet.data.store import Store
from alexnet.evaluation import evaluate
from alexnet.experiments.trial import Trial
from alexnet.runs.run import Run


@pytest.fixture(scope="module")
def trial(tmp_path_factory, tiny_store, tiny_network, tiny_recipe):
    """Two runs."""
    work = tmp_path_factory.mktemp("work")
    return Trial.of("as written", Store(tiny_store), tiny_network, tiny_recipe.with_changes(epochs=1), (0, 5), work)


def test_the_runs_differ_in_their_seed_alone_and_are_named_by_it(trial, tiny_recipe):
    assert trial.seeds == (0, 5)
    assert list(trial.named_runs) == ["as-written-0", "as-written-5"]
    assert [run.recipe for run in trial.runs.values()] == [
        tiny_recipe.with_changes(epochs=1, seed=seed) for seed in (0, 5)
    ]


def test_their_time_is_that_of_their_logs(trial):
    seconds = [row["seconds"] for run in trial.runs.values() for row in run.log()]
    assert trial.seconds == pytest.approx(sum(seconds))
    assert len(seconds) == 2


def test_a_row_tells_what_was_scored_how(trial, tiny_store):
    test = Store(tiny_store).splits["test"]
    row = trial.row(trial.evaluations(test, 2), "loss", 1.5, "a note")
    assert row.label == "as written, 8 test images, centre and mirror"
    assert (row.metric, row.printed, row.seeds, row.note) == ("loss", 1.5, (0, 5), "a note")
    assert row.values == tuple(evaluate([run.trained()], test, 2).loss for run in trial.runs.values())


def test_a_row_of_the_logs_counts_epochs_from_one(trial):
    row = trial.logged("train_loss", 1, 2.3)
    assert (row.label, row.metric, row.printed) == ("as written, epoch 1", "train_loss", 2.3)
    assert row.values == tuple(run.log()[0]["train_loss"] for run in trial.runs.values())


def test_a_row_of_the_end_says_after_which_epoch_it_was(trial, monkeypatch):
    logs = {path: [{"epoch": 1 + n, "val_top1": n / 10} for n in range(2 + seed)] for seed, path in paths(trial)}
    monkeypatch.setattr(Run, "log", lambda run: logs[run.path])
    row = trial.last("val_top1")
    assert (row.label, row.metric, row.values) == ("as written, at the end", "val_top1", (0.1, 0.6))
    assert row.note == "after 2 / 7 epochs"


def paths(trial):
    return [(seed, run.path) for seed, run in trial.runs.items()]


def test_what_a_log_or_a_result_leaves_open_is_no_number(trial, monkeypatch, tiny_store):
    # Of five classes or fewer nobody counts the best five.
    found = trial.evaluations(Store(tiny_store).splits["test"])
    assert all(map(math.isnan, trial.row([replace(one, top5=None) for one in found], "top5").values))
    monkeypatch.setattr(Run, "log", lambda run: [{"epoch": 1, "val_top5": None}])
    assert all(map(math.isnan, trial.logged("val_top5", 1).values))
    assert all(map(math.isnan, trial.last("val_top5").values))

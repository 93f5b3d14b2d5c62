"""Tests of alexnet.experiments.write_up_000."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from alexnet.catalogue import PAPER, TORCHVISION
from alexnet.data.preparation import prepare
from alexnet.evaluation import Evaluation
from alexnet.experiments import write_up_000
from alexnet.experiments.lines import LINES
from alexnet.experiments.write_up_000 import SCRATCH, TUNED, as_written, reproduce, table_rows, trainings, verdict
from alexnet.recipe import changes
from alexnet.recipes import FINE_TUNE


def result(confusion):
    counts = np.array(confusion)
    return Evaluation(float(counts.trace() / counts.sum()), None, 1.0, int(counts.sum()), 1, 0.5, counts)


@pytest.fixture
def on_drawn_dogs(monkeypatch, tiny_network, tiny_recipe):
    """Let both sets be drawn pictures and all trainings tiny ones, from scratch."""

    def drawn(name):
        return lambda data, work: prepare("shapes", None, work / f"store-{name}", side=32, count=64)

    listed = {
        label: replace(one, network=tiny_network, recipe=tiny_recipe, pretrained=False)
        for label, one in trainings().items()
    }
    monkeypatch.setattr(write_up_000, "SETS", {name: drawn(name) for name in ("cut-outs", "photographs")})
    monkeypatch.setattr(write_up_000, "trainings", lambda: listed)
    monkeypatch.setattr(write_up_000, "convolutions", lambda data: None)


def test_as_written_are_the_four_models_that_it_printed():
    models = as_written()
    assert [one.printed for one in models.values()] == [0.2241, 0.2172, 0.1897, 0.2207]
    for one in models.values():
        recipe = one.recipe
        assert (one.network, one.pretrained, one.crops) == (TORCHVISION, True, (1,))
        assert (recipe.epochs, recipe.batch_size, recipe.lr, recipe.momentum) == (30, 128, 0.01, 0.9)
        assert (recipe.weight_decay, recipe.crop, recipe.colour_probability) == (0.0, "random-resized", 0.5)
    assert [one.recipe.optimizer for one in models.values()] == ["sgd", "sgd", "adam", "adam"]
    assert [one.recipe.schedule for one in models.values()] == ["constant", "steps", "constant", "steps"]
    falling = models["SGD, rate / 10 each 10 epochs"].recipe
    assert (falling.lr_steps, falling.lr_drop_factor) == ((10, 20), 10)


def test_ours_begin_with_nothing_and_with_the_convolutions_and_come_first():
    listed = trainings()
    assert list(listed)[:2] == [SCRATCH, TUNED]
    scratch, tuned = listed[SCRATCH], listed[TUNED]
    assert (scratch.pretrained, scratch.recipe.epochs) == (False, 30)
    assert (scratch.network, scratch.recipe.start) == (PAPER, "he")
    assert (tuned.pretrained, changes(tuned.recipe, FINE_TUNE)) == (True, [])


def test_only_what_is_pretrained_begins_with_weights_and_a_seed_is_done_before_the_next(monkeypatch, tmp_path):
    done, kept = [], []

    def noted(store, network, recipe, path, weights, crops):
        done.append((recipe.seed, path.relative_to(tmp_path).as_posix(), weights))
        return dict.fromkeys(crops, result([[1, 2], [0, 3]]))

    pictures = SimpleNamespace()
    sets = dict.fromkeys(("cut-outs", "photographs"), lambda data, work: pictures)
    quiet = {"SETS": sets, "convolutions": lambda data: "weights", "train_and_test": noted, "Run": lambda path: None}
    quiet |= {
        "breeds": lambda store: ["cats", "dogs"],
        "seconds": lambda run, results: 60.0,
        "draw": lambda *given: None,
    }
    for name, stand_in in (quiet | {"keep": lambda *given: kept.append((given[2], len(done)))}).items():
        monkeypatch.setattr(write_up_000, name, stand_in)
    reproduce(tmp_path, tmp_path, tmp_path, quick=False)
    names = ("ours", "ours-tuned", "sgd", "sgd-falling", "adam", "adam-falling")
    assert done == [
        (seed, f"{of_set}/{name}-{seed}", None if name == "ours" else "weights")
        for seed in (0, 1, 2)
        for name in names
        for of_set in sets
    ]
    # Minutes, and the trainings that they are of.
    assert kept == [(12.0, 12), (24.0, 24), (36.0, 36)]


def test_all_are_trained_tested_and_kept_and_quick_is_one_seed_and_two_updates(on_drawn_dogs, tmp_path, capsys):
    folder = tmp_path / "results" / "write-up-000"
    for _ in range(2):  # the second uses the runs of the first
        reproduce(tmp_path, tmp_path / "work", tmp_path / "results", quick=True)
        kept = json.loads((folder / "result.json").read_text())
    assert kept["command"] == "alexnet reproduce write-up-000"
    printed = [None] * 4 + [0.2241, 0.2172, 0.1897, 0.2207] + [None]
    assert [row["printed"] for row in kept["rows"]] == printed * 2
    assert {tuple(row["seeds"]) for row in kept["rows"]} == {(0,)}
    assert "centre and mirror" in kept["rows"][0]["label"]
    assert f"{kept['verdict']}\nevidence: {folder}\n" in capsys.readouterr().out
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert pictures == [
        f"{kind}-{name}.png" for kind in ("confusion", "curves") for name in ("cut-outs", "photographs")
    ]
    names = ("ours", "ours-tuned", "sgd", "sgd-falling", "adam", "adam-falling")
    runs = {run.name: json.loads((run / "log.jsonl").read_text()) for run in (folder / "runs").iterdir()}
    assert set(runs) == {f"{of_set}-{name}-0" for of_set in ("cut-outs", "photographs") for name in names}
    assert {row["images_seen"] for row in runs.values()} == {32}


def test_rows_and_verdict_tell_what_is_constant(monkeypatch):
    good, constant = result([[3, 1], [0, 4]]), result([[4, 0], [4, 0]])
    results = {SCRATCH: {2: good, 10: constant}, TUNED: {10: good, 1: good}}
    results |= {label: {1: constant if "Adam" in label else good} for label in as_written()}
    found = {
        (label, name): [of_label] * 2 for label, of_label in results.items() for name in ("cut-outs", "photographs")
    }
    rows = table_rows({"cut-outs": ["cats", "dogs"]}, found)
    assert rows[0].values == (0.875, 0.875)
    assert rows[0].note == "7 of 8 right; 62% are called dogs / 7 of 8 right; 62% are called dogs"
    assert rows[1].values == (0.5, 0.5)
    assert rows[2].note.startswith("ImageNet's own pictures; ")
    assert (rows[-1].label, rows[-1].values) == ("cut-outs: always cats, the largest class", (0.5,))
    assert verdict(found).startswith(
        "Cut-outs: as written 87.5%, 87.5%, 50.0%, 50.0% (4 of 8 networks give one answer, 0 of them diverged); "
        "ours 87.5% from scratch, 87.5% from the pretrained convolutions. Photographs:"
    )


def test_the_short_table_finds_its_rows():
    sizes = {"cut-outs": [[63, 0], [0, 227]], "photographs": [[63, 0], [0, 190]]}
    found = {
        (label, name): [dict.fromkeys(training.crops, result(confusion))]
        for label, training in trainings().items()
        for name, confusion in sizes.items()
    }
    labels = {row.label for row in table_rows({name: ["cats", "dogs"] for name in sizes}, found)}
    wanted = [label for line in LINES if line.name == "write-up-000" for label in (line.beside, line.ours)]
    assert len(wanted) == 6
    assert labels.issuperset(wanted)

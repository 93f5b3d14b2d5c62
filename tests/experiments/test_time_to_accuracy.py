"""Tests of alexnet.experiments.time_to_accuracy."""

import contextlib
import io
import json
import re
from itertools import pairwise

import pytest

from alexnet.catalogue import CIFAR_18PCT
from alexnet.cli import main
from alexnet.data.store import Store
from alexnet.experiments import clock, time_to_accuracy
from alexnet.experiments.clock import Timed, Way
from alexnet.experiments.time_to_accuracy import FAMILIES, Family, clock_targets, plain_rows, reproduce, tricks
from alexnet.layers import Convolution, FullyConnected, ResponseNorm
from alexnet.recipe import changes
from alexnet.runs.run import Run


def test_the_first_family_is_of_alexnets_and_harder_targets_take_more_epochs():
    alexnet, convnet = FAMILIES
    for way in alexnet.targets.values():
        kinds = [type(layer) for layer in way.network.layers]
        assert [kinds.count(kind) for kind in (Convolution, ResponseNorm, FullyConnected)] == [5, 2, 3]
    assert list(alexnet.targets) == [0.80, 0.85, 0.90]
    for family in (alexnet, convnet):
        work = [way.recipe.epochs * way.network.macs for way in family.targets.values()]
        assert all(one < next for one, next in pairwise(work))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.folder)
def test_each_trick_that_is_left_out_is_one(family):
    way = family.targets[family.tried]
    for name, other in tricks(way).items():
        fields = {field for field, *_ in changes(other.recipe, way.recipe)}
        beside = {"lr"} if "batches" in name else {"crop"} if "shifted" in name else set()
        changed = len(fields - beside) + (other.crops != way.crops)
        assert changed == 1, name
        assert (other.arch, other.changes) == (way.arch, way.changes)


def test_failures_are_counted(monkeypatch, tmp_path, tiny_store, tiny_recipe, tiny_run):
    results = iter([Timed(0.81, 10.0, 19.0), Timed(0.79, 11.0, 20.0)] * 5)
    monkeypatch.setattr(time_to_accuracy, "clocked", lambda *given: next(results))
    monkeypatch.setattr(time_to_accuracy, "Run", lambda path: Run(tiny_run))
    way = Way("cifar-18pct", (), tiny_recipe)
    (seconds, top1), runs, told = clock_targets(
        Family("a", "a", {0.80: way}, way, 0.80), Store(tiny_store), tmp_path, quick=False
    )
    assert list(runs) == [f"a-80-{seed}" for seed in range(5)]
    assert seconds.values == (10.0, 11.0, 10.0, 11.0, 10.0)
    assert seconds.note == "cifar-18pct, 2 epochs; 2 of 5 failed; 19 s of processors"
    assert told == ["a to 80% in 10 s (2 of 5 failed)"]
    assert (top1.values[:2], top1.seeds) == ((0.81, 0.79), (0, 1, 2, 3, 4))


def test_a_plain_recipe_is_at_a_target_after_the_first_epoch_that_is():
    rows = plain_rows(FAMILIES[0], [{"seconds": 10.0, "val_top1": top1} for top1 in (0.5, 0.86, 0.84)])
    assert [row.values for row in rows[:2]] == [(20.0,), (20.0,)]
    assert rows[2].to_json()["mean"] is None
    assert rows[2].note.endswith("by its log, not within 3 epochs and 30 s")


def in_this_process(words):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(list(words)) == 0
    return out.getvalue()


def test_both_tables_are_made_and_kept(on_drawn_pictures, monkeypatch, tmp_path, tiny_recipe, capsys):
    on_drawn_pictures(time_to_accuracy)
    monkeypatch.setattr(clock, "typed", in_this_process)
    way = Way("cifar-18pct", ("width=0.25",), tiny_recipe, 2)
    family = Family("a small one", "small", {0.80: way, 0.85: way}, Way("cifar-18pct", (), tiny_recipe), 0.80)
    monkeypatch.setattr(time_to_accuracy, "FAMILIES", (family,))
    reproduce(tmp_path, tmp_path / "work", tmp_path, quick=True)
    told = json.loads((tmp_path / "time-to-accuracy" / "result.json").read_text())
    labels = [row["label"].removeprefix("a small one").strip(" ,") for row in told["rows"]]
    assert labels[:4] == ["to 80%", "to 80%", "to 80%, plain recipe", "to 85%, plain recipe"]
    assert labels[4:] == ["1 epoch", f"1 epoch, without {next(iter(tricks(way)))}"]
    assert told["rows"][0]["note"].startswith(f"{CIFAR_18PCT.name} width=0.25, 1 epoch; 1 of 1 failed; ")
    assert re.fullmatch(r"[+-]\d+\.\d\d%, \d+ s of training", told["rows"][-1]["note"])
    names = ["small-80-0", "small-plain-0", "small-trick-0-0", "small-trick-1-0"]
    assert sorted(path.name for path in (tmp_path / "time-to-accuracy" / "runs").iterdir()) == names
    assert (tmp_path / "time-to-accuracy" / "curves.png").is_file()
    assert told["verdict"] in capsys.readouterr().out

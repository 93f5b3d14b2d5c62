"""Tests of alexnet.cli.evaluating."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from alexnet.cli.evaluating import print_classes
from alexnet.data.store import Store
from alexnet.evaluation import ClassResult, best_weights, evaluate, shares_of_truth
from alexnet.runs.run import Run
from alexnet.training.loop import train


@pytest.fixture(scope="module")
def other_run(tmp_path_factory, tiny_store, tiny_network, tiny_recipe):
    path = tmp_path_factory.mktemp("run") / "other"
    return train(tiny_store, tiny_network, tiny_recipe.with_changes(seed=3), path).path


@pytest.mark.parametrize("crops", [1, 2, 10])
def test_evaluate_prints_one_json_value_with_the_keys_of_the_design(command, tiny_run, tiny_store, crops):
    done = command("evaluate", tiny_run, "--crops", crops, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert list(told) == ["top1", "top5", "loss", "images", "crops", "seconds"]
    result = evaluate([Run(tiny_run).trained()], Store(tiny_store).splits["test"], crops)
    assert {**told, "seconds": 0} == {**result.to_json(), "seconds": 0}
    assert 0 <= told["top1"] <= told["top5"] <= 1


def test_evaluate_tells_people_the_same(command, tiny_run):
    told = json.loads(command("evaluate", tiny_run, "--split", "val", "--json").out)
    text = command("evaluate", tiny_run, "--split", "val").out
    assert f"{told['top1']:.2%}" in text
    assert f"{told['top5']:.2%}" in text
    assert "8 images" in text
    assert "1 crop" in text


def test_top5_of_three_classes_is_null(command, photo_run):
    done = command("evaluate", photo_run, "--json")
    assert json.loads(done.out)["top5"] is None
    assert "top-5" not in command("evaluate", photo_run).out


def test_several_runs_are_averaged(command, tiny_run, other_run, tiny_store):
    both = json.loads(command("evaluate", tiny_run, other_run, "--json").out)
    assert "weights" not in both
    split = Store(tiny_store).splits["test"]
    runs = [Run(path).trained() for path in (tiny_run, other_run)]
    assert both["loss"] == evaluate(runs, split).loss
    assert both["loss"] not in (evaluate([run], split).loss for run in runs)


def test_runs_are_averaged_with_weights(command, tiny_run, other_run, tiny_store):
    told = json.loads(command("evaluate", tiny_run, other_run, "--weights", 3, 1, "--crops", 2, "--json").out)
    assert list(told) == ["top1", "top5", "loss", "images", "crops", "seconds", "weights"]
    assert told["weights"] == [0.75, 0.25]
    runs = [Run(path).trained() for path in (tiny_run, other_run)]
    assert told["loss"] == evaluate(runs, Store(tiny_store).splits["test"], 2, weights=[3, 1]).loss
    text = command("evaluate", tiny_run, other_run, "--weights", 3, 1).out
    assert f"  weights: 0.750 {tiny_run} · 0.250 {other_run}\n" in text


def test_the_best_weights_are_fitted_on_val_and_told(command, tiny_run, other_run, tiny_store):
    words = ("evaluate", tiny_run, other_run, "--crops", 2, "--weights", "best")
    told = json.loads(command(*words, "--json").out)
    runs, splits = [Run(path).trained() for path in (tiny_run, other_run)], Store(tiny_store).splits
    best = best_weights(shares_of_truth(runs, splits["val"], 2))
    assert told["weights"] == best
    assert told["loss"] == evaluate(runs, splits["test"], 2, weights=best).loss
    first, second = best
    assert f"  weights fitted on val: {first:.3f} {tiny_run} · {second:.3f} {other_run}\n" in command(*words).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--weights", "best", "--split", "val"), "--weights best fits them on val, so val cannot judge them: "),
        (("--weights", "best", 1), "--weights best finds all of them: give best alone, or a number for each run"),
        (("--weights", 1), "the runs are 2 and the weights 1: give one for each"),
        (("--weights", 0, 0), "weights 0 0 average nothing: give finite numbers"),
        (("--weights", 1, "-1"), "weights 1 -1 average nothing: give finite numbers"),
        (("--weights", 1, "b"), "--weights: needs a number for each run, or best, not b"),
    ],
)
def test_weights_that_make_no_sense_are_refused(command, tiny_run, other_run, words, message):
    done = command("evaluate", tiny_run, other_run, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")


def test_the_best_weights_need_a_val_split(command, photo_run, photo_store):
    done = command("evaluate", photo_run, photo_run, "--weights", "best")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: --weights best fits them on val, and {photo_store} has no val: give numbers\n"


def test_classes_are_told_the_worst_first(command, photo_run, photo_store):
    store = Store(photo_store)
    rows = evaluate([Run(photo_run).trained()], store.splits["test"]).per_class(store.classes)
    lines = command("evaluate", photo_run, "--per-class").out.splitlines()
    table = [line.split() for line in lines[lines.index("") + 1 :]]
    assert table[0] == ["class", "images", "top-1", "precision", "most", "often", "taken", "for"]
    assert sorted(line[0] for line in table[1:]) == sorted(store.classes)
    shares = [float(line[2].rstrip("%")) for line in table[1:]]
    assert shares == sorted(shares)
    by_name = {row.label: row for row in rows}
    for name, images, top1, _, *mistake in table[1:]:
        assert (int(images), top1) == (by_name[name].images, f"{by_name[name].top1:.1%}")
        assert mistake == ([by_name[name].mistaken_for, f"({by_name[name].mistakes})"] if top1 != "100.0%" else [])
    told = json.loads(command("evaluate", photo_run, "--per-class", "--json").out)
    keys = ("label", "images", "top1", "precision")
    assert told["classes"] == [{key: getattr(row, key) for key in keys} for row in rows]
    assert [row["label"] for row in told["classes"]] == store.classes


def test_a_thousand_classes_stay_readable(capsys):
    name = "a kind of tench, " * 6
    rows = [ClassResult(f"{number} {name}", 50, number / 1000, 0.5, f"0 {name}", 7) for number in range(998)]
    rows += [ClassResult("none", 0, None, None, None, 0), ClassResult("never", 50, 0.999, None, None, 0)]
    print_classes(rows[::-1])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 50 + 2
    assert max(map(len, lines)) < 120
    assert lines[2].startswith("0 a kind of tench, ")
    assert lines[-2:] == [
        "… and 949 more, each with top-1 of 5.0% or more: --json has all",
        "1 more class without a picture here",
    ]


def test_the_confusion_matrix_is_written_as_asked(command, photo_run, photo_store, tmp_path):
    store = Store(photo_store)
    result = evaluate([Run(photo_run).trained()], store.splits["test"])
    done = command("evaluate", photo_run, "--confusion", "mixed.csv", "--json")
    assert (done.code, done.err) == (0, "wrote mixed.csv\n")
    assert json.loads(done.out)["images"] == 9
    header, *rows = csv.reader((tmp_path / "mixed.csv").read_text().splitlines())
    assert header == ["true class", *store.classes]
    assert np.array([row[1:] for row in rows]).astype(int).tolist() == result.confusion.tolist()
    assert command("evaluate", photo_run, "--confusion", "mixed.PNG").code == 0
    with Image.open(tmp_path / "mixed.PNG") as picture:
        assert picture.size[0] > 300


def test_a_folder_that_cannot_be_written_to_is_told_before_the_work(command, monkeypatch):
    monkeypatch.setattr("os.access", lambda place, way: False)  # for its owner root may write everywhere
    done = command("evaluate", "no-such-run", "--confusion", "mixed.csv")
    assert (done.code, done.err) == (2, "error: --confusion mixed.csv: . cannot be written to, choose another folder\n")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("mixed.jpg", "--confusion mixed.jpg: end the name in .csv for counts or in .png for a picture"),
        ("gone/mixed.csv", "--confusion gone/mixed.csv: there is no folder gone, make it first"),
        ("mixed.png", "--confusion mixed.png needs matplotlib: pip install 'alexnet[plot]'"),
    ],
)
def test_a_confusion_file_that_cannot_be_written_is_refused_before_the_work(command, monkeypatch, file, message):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = command("evaluate", "no-such-run", "--confusion", file)
    assert (done.code, done.out, done.err) == (2, "", f"error: {message}\n")


def test_without_a_test_split_val_is_measured(command, photos, tiny_network, tiny_recipe, tmp_path):
    from alexnet.data.preparation import prepare

    store = prepare("folder", photos / "train", tmp_path / "store", side=32)  # no split: a fifth becomes val
    run = train(store, tiny_network, tiny_recipe.with_changes(batch_size=4), tmp_path / "run")
    assert json.loads(command("evaluate", run.path, "--json").out)["images"] == len(store.splits["val"])


def test_another_store_of_the_same_classes_can_be_measured(command, tiny_run, tmp_path, photo_store):
    from alexnet.data.preparation import prepare

    prepare("shapes", None, tmp_path / "other", side=32, count=32, seed=9)
    assert json.loads(command("evaluate", tiny_run, "--store", "other", "--json").out)["images"] == 4
    done = command("evaluate", tiny_run, "--store", photo_store)
    assert done.code == 2
    assert f"{photo_store} has other classes than {tiny_run} (3, not 10): evaluate on a store of" in done.err
    done = command("evaluate", tiny_run, tiny_run, "--store", photo_store)
    assert "has other classes than" in done.err
    prepare("shapes", None, tmp_path / "large", side=40, count=32)
    done = command("evaluate", tiny_run, "--store", "large")
    assert done.code == 2
    assert "test has pictures of 40 pixels, the network learned from 32: prepare them with --side 32" in done.err


def test_a_run_with_a_config_file_of_someones_is_measured_on_its_store(command, tiny_run, tmp_path):
    both = shutil.copytree(tiny_run, tmp_path / "both")
    (both / "config.json").write_text("{}")
    told = [json.loads(command("evaluate", run, "--json").out) | {"seconds": 0} for run in (both, tiny_run)]
    assert told[0] == told[1]


def test_every_run_must_know_the_classes_and_the_difference_is_named(command, tiny_run, photo_run, tiny_store):
    done = command("evaluate", tiny_run, photo_run)
    assert done.code == 2
    assert f"{tiny_store} has other classes than {photo_run} (10, not 3)" in done.err


# predict

"""Tests of alexnet.experiments.write_up_000_causes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet.catalogue import TORCHVISION
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.errors import Diverged
from alexnet.evaluation import Evaluation
from alexnet.experiments import five_dogs, write_up_000_causes
from alexnet.experiments.evidence import finished_run
from alexnet.experiments.write_up_000 import as_written
from alexnet.experiments.write_up_000_causes import (
    Cause,
    causes,
    curved,
    numbered_by_size,
    reproduce,
    table_rows,
    verdict,
    with_labels_dealt,
    with_raw_pixels,
)
from alexnet.layers import Dropout
from alexnet.recipe import changes
from alexnet.runs.run import Run


def result(confusion, loss=1.0):
    counts = np.array(confusion)
    return Evaluation(float(counts.trace() / counts.sum()), None, loss, int(counts.sum()), 1, 0.5, counts)


def test_each_cause_changes_one_thing_of_the_first_model():
    listed = causes()
    first = listed.pop("as-written")
    assert changes(first.recipe, as_written()["SGD"].recipe) == []
    assert (first.network, first.pretrained, first.input, first.labels_dealt) == (TORCHVISION, True, None, False)
    changed = {
        name: {field for field, *_ in changes(cause.recipe, first.recipe)}
        | {
            field
            for field in ("network", "pretrained", "input", "labels_dealt")
            if getattr(cause, field) != getattr(first, field)
        }
        for name, cause in listed.items()
    }
    assert changed == {
        "rate-0.1": {"lr"},
        "rate-0": {"lr", "epochs"},
        "adam": {"optimizer"},
        "adam-0.0001": {"optimizer", "lr"},
        "scores-only": {"freeze"},
        "head-behind-head": {"network"},
        "gaussian-start": {"network", "pretrained"},
        "raw-input": {"input"},
        "colour-noise": {"colour_noise"},
        "labels-dealt": {"labels_dealt"},
        "dropout-0.9": {"network"},
        "dropout-off": {"network"},
    }


def test_the_networks_of_causes_are_what_they_are_called():
    listed = {name: cause.network for name, cause in causes().items()}
    deep = listed["head-behind-head"].with_classes(5).rows()
    assert [row.output for row in deep[-2:]] == [(1000,), (5,)]
    gaussian = [(row.layer, row.weights, row.deviation, row.bias) for row in listed["gaussian-start"].start]
    assert gaussian[:5] == [(f"conv{n}", "normal", 0.01, float(n in (2, 4, 5))) for n in range(1, 6)]
    assert {weights for _, weights, *_ in gaussian[5:]} == {"uniform"}
    dropout = [layer.probability for layer in listed["dropout-0.9"].layers if isinstance(layer, Dropout)]
    assert dropout == [0.9, 0.9]
    assert not any(isinstance(layer, Dropout) for layer in listed["dropout-off"].layers)


def test_labels_are_dealt_out_to_the_training_pictures_alone(photos, tmp_path):
    (tmp_path / "stanford-dogs").mkdir()
    (tmp_path / "stanford-dogs" / "Images").symlink_to(photos)
    store = prepare("folder", photos, tmp_path / "store", side=33)
    dealt = with_labels_dealt(store, tmp_path, tmp_path / "work")
    assert dealt.classes == ["0-cats", "1-dogs", "2-emus"]

    def labels(of, split, apart):
        named = zip(of.splits[split].names, of.splits[split].labels, strict=True)
        return {apart(name): int(label) for name, label in named}

    for split in ("train", "test"):
        right = labels(store, split, lambda name: name.replace("/", "-"))
        here = labels(dealt, split, lambda name: name.rpartition("/")[2])
        assert here.keys() == right.keys()
        assert sorted(here.values()) == sorted(right.values())
        assert (here == right) == (split == "test")


def test_tested_on_raw_pixels_a_network_sees_grey_levels_less_their_mean(tiny_run, tiny_store):
    trained = Run(tiny_run).trained()
    assert trained.view.convention == "deviation"
    pictures = torch.from_numpy(np.asarray(Store(tiny_store).splits["test"].pictures(np.arange(2))))
    (seen,) = with_raw_pixels(trained).view.test(pictures)
    mean = Store(tiny_store).statistics.mean_image
    wanted = (pictures.numpy().astype(np.float64) - mean)[:, 4:28, 4:28]
    np.testing.assert_allclose(seen.permute(0, 2, 3, 1).numpy(), wanted, atol=1e-4)


def test_answers_are_counted_against_classes_numbered_by_their_size():
    answers = [[0, 0, 1], [1, 1, 1, 1, 2], [2, 2]]  # of pictures of class 0, 1, 2
    by_size = {1: 0, 0: 1, 2: 2}
    right = sum(by_size[label] == answer for label, of_class in enumerate(answers) for answer in of_class)
    counts = [[of_class.count(answer) for answer in range(3)] for of_class in answers]
    found = numbered_by_size(result(counts))
    assert found.top1 == pytest.approx(right / 10)
    assert found.confusion.tolist() == [counts[1], counts[0], counts[2]]


def test_constant_answers_stand_beside_the_figures_that_they_equal():
    shown = np.array([63, 60, 54, 58, 55])
    constant = np.zeros((5, 5), int)
    constant[:, 4] = shown
    found = dict.fromkeys(causes(), result(np.diag(shown))) | {"adam": result(constant)}
    rows = table_rows(["Maltese", "Afghan", "Irish", "Scottish", "Pomeranian"], found)
    assert [(row.printed, row.values[0]) for row in rows[:5]] == [
        (0.2172, pytest.approx(63 / 290)),
        (None, pytest.approx(60 / 290)),
        (None, pytest.approx(54 / 290)),
        (None, pytest.approx(58 / 290)),
        (0.1897, pytest.approx(55 / 290)),
    ]
    of_adam = next(row for row in rows if row.label.startswith("adam:"))
    assert of_adam.note == "55 of 290 right; 100% are called Pomeranian"
    assert "adam (18.97%). As written, 100.0%" in verdict(found)


def test_at_most_seven_curves_are_drawn_and_none_of_a_training_that_diverged():
    constant = result([[3, 0], [3, 0]])
    found = {
        "as-written": result([[3, 0], [0, 3]]),
        "adam": constant,
        "tested-raw": constant,
        "labels-dealt": result([[2, 1], [1, 2]]),
    }
    assert curved(found | {"rate-0.1": result([[3, 0], [3, 0]], float("nan"))}) == ["as-written", "adam"]
    assert len(curved(found | {str(number): constant for number in range(9)})) == 7


def test_all_causes_are_trained_tested_and_kept(monkeypatch, tmp_path, tiny_network, tiny_recipe, capsys):
    first = Cause("SGD at 0.01", tiny_recipe, tiny_network, pretrained=False)
    wild = tiny_recipe.with_changes(lr=100.0, optimizer="sgd", warmup_epochs=0)
    listed = {
        "as-written": first,
        "rate-0.1": replace(first, recipe=wild),
        "labels-dealt": replace(first, labels_dealt=True),
    }

    def diverging(store, network, recipe, path, weights):
        run = finished_run(store, network, recipe, path, weights)
        if path.name == "rate-0.1":
            raise Diverged("the loss is nan")
        return run

    def drawn(*given):
        return prepare("shapes", None, given[-1] / "store", side=32, count=64)

    for name, stand_in in {"causes": lambda: listed, "cut_outs": drawn, "with_labels_dealt": drawn}.items():
        monkeypatch.setattr(write_up_000_causes, name, stand_in)
    monkeypatch.setattr(write_up_000_causes, "convolutions", lambda data: None)
    monkeypatch.setattr(five_dogs, "finished_run", diverging)
    for _ in range(2):  # the second uses the runs of the first
        reproduce(tmp_path, tmp_path / "work", tmp_path, quick=False)
        folder = tmp_path / "write-up-000-causes"
        kept = json.loads((folder / "result.json").read_text())
    labels = [row["label"].partition(":")[0] for row in kept["rows"] if not row["label"].startswith("always")]
    assert labels == ["as-written", "rate-0.1", "labels-dealt", "tested-raw", "tested-by-size"]
    assert "diverged; " in next(row["note"] for row in kept["rows"] if row["label"].startswith("rate-0.1"))
    assert "rate-0.1 (" in kept["verdict"]
    assert sorted(path.name for path in folder.iterdir()) == ["confusion.png", "curves.png", "result.json", "runs"]
    assert kept["verdict"] in capsys.readouterr().out
    assert len(list((folder / "runs").iterdir())) == 3

"""Tests of alexnet.experiments.five_dogs."""

import math

import numpy as np
import pytest
import torch

from alexnet.data.store import Store
from alexnet.errors import Diverged
from alexnet.evaluation import Evaluation, evaluate
from alexnet.experiments import five_dogs
from alexnet.experiments.evidence import finished_run
from alexnet.experiments.five_dogs import SETS, breeds, constancy, seconds, told, train_and_test


def result(confusion, loss=1.0):
    counts = np.array(confusion)
    return Evaluation(float(counts.trace() / counts.sum()), None, loss, int(counts.sum()), 1, 0.5, counts)


def test_both_sets_have_the_write_ups_number_of_training_pictures(monkeypatch, tmp_path, tiny_store):
    asked = []

    def noted(*given, **options):
        asked.append((*given, options))
        return Store(tiny_store)

    monkeypatch.setattr(five_dogs, "prepare", noted)
    for make in SETS.values():
        make(tmp_path / "data", tmp_path / "work")
    data, work = tmp_path / "data", tmp_path / "work"
    shares = {"val_share": 0.1057, "test_share": 0.25}
    assert asked == [
        ("stanford-dogs", data / "stanford-dogs", work / "store-cut-outs", {"classes_largest": 5}),
        ("folder", data / "stanford-dogs-originals/Images", work / "store-photographs", shares),
    ]
    # 652, 107 and 253 of the 1,012 photographs, breed by breed.
    sizes = [252, 239, 196, 170, 155]
    held = [(round(n * shares["val_share"]), round(n * shares["test_share"])) for n in sizes]
    assert (sum(val for val, _ in held), sum(test for _, test in held)) == (107, 253)


def test_breeds_are_named_without_their_ids(tiny_store):
    store = Store(tiny_store)
    store.__dict__["classes"] = ["n02085936-Maltese_dog", "Afghan_hound", "n02109525-Saint_Bernard"]
    assert breeds(store) == ["Maltese_dog", "Afghan_hound", "Saint_Bernard"]


def test_each_number_of_views_is_tested(tiny_store, tiny_network, tiny_recipe, tmp_path):
    store = Store(tiny_store)
    results = train_and_test(store, tiny_network, tiny_recipe, tmp_path / "run", crops=(10, 1))
    assert {views: one.crops for views, one in results.items()} == {10: 10, 1: 1}
    run = finished_run(store, tiny_network, tiny_recipe, tmp_path / "run")
    assert results[1].top1 == evaluate([run.trained()], store.splits["test"]).top1
    taken = sum(row["seconds"] for row in run.log()) + results[1].seconds + results[10].seconds
    assert seconds(run, results) == pytest.approx(taken)


def test_a_diverged_network_answers_its_first_class_as_argmax_of_nan_does(
    tiny_store, tiny_network, tiny_recipe, tmp_path, monkeypatch, capsys
):
    def diverges(*given):
        raise Diverged("the loss is nan")

    monkeypatch.setattr(five_dogs, "finished_run", diverges)
    store = Store(tiny_store)
    assert torch.full((3,), math.nan).argmax() == 0
    found = train_and_test(store, tiny_network, tiny_recipe, tmp_path / "run")[1]
    labels = store.splits["test"].labels
    assert found.confusion[:, 0].tolist() == [int((labels == label).sum()) for label in range(len(store.classes))]
    assert not found.confusion[:, 1:].any()
    assert found.top1 == pytest.approx(np.mean(labels == 0))
    assert constancy(found) == 1
    assert told(found, store.classes).startswith("diverged; ")
    assert "run: the loss is nan" in capsys.readouterr().err


def test_the_note_tells_how_near_answers_are_to_a_constant_one():
    found = result([[6, 0, 0], [3, 1, 0], [10, 0, 0]])
    assert constancy(found) == pytest.approx(19 / 20)
    assert told(found, ["cats", "dogs", "emus"]) == "7 of 20 right; 95% are called cats"
    assert told(result([[0, 5], [0, 3]], math.nan), ["cats", "dogs"]) == "diverged; 3 of 8 right; 100% are called dogs"

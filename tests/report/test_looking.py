"""Tests of alexnet.report.looking."""

import numpy as np
import pytest
import torch

from alexnet.data.store import Store
from alexnet.evaluation import evaluate, probabilities
from alexnet.prediction import load
from alexnet.report.looking import look, measure


@pytest.fixture(scope="module")
def model(tiny_run):
    return load(tiny_run)


@pytest.fixture(scope="module")
def store(tiny_store):
    return Store(tiny_store)


def test_one_pass_gives_the_result_and_each_pictures_answer(model, store):
    split = store.splits["test"]
    result, best, shares, truth = measure(model, split)
    assert result.to_json() | {"seconds": 0} == evaluate([model.trained], split).to_json() | {"seconds": 0}
    expected = probabilities(model.trained, torch.from_numpy(split.pictures(np.arange(len(split))))).numpy()
    assert best.tolist() == expected.argmax(1).tolist()
    np.testing.assert_allclose(shares, expected.max(1), rtol=1e-5)
    np.testing.assert_allclose(truth, expected[np.arange(len(split)), split.labels], rtol=1e-5)


def test_answers_are_of_their_kind(account):
    seen = account.look
    assert all(one.top[0].label == one.truth for one in seen.surest)
    assert all(one.answer.top[0].label != one.answer.truth for one in seen.mistakes)
    certainty = [one.answer.top[0].probability for one in seen.mistakes]
    assert certainty == sorted(certainty, reverse=True)
    for one in seen.mistakes:
        known = {guess.label: guess.probability for guess in one.answer.top}
        assert one.truth == pytest.approx(known.get(one.answer.truth, one.truth), abs=1e-5)
        assert one.truth <= certainty[0]


def test_neighbors_come_with_their_pictures(account, store):
    assert len(account.look.alike) == 5
    train = store.splits["train"]
    one = account.look.alike[0]
    for found, pictures in zip((one.match.neighbors, one.match.by_pixels), one.pictures, strict=True):
        assert len(found) == len(pictures) == 6
        np.testing.assert_array_equal(pictures, train.pictures(np.array([near.place for near in found])))


def test_of_training_pictures_no_neighbors_are_searched(model, store, tmp_path):
    assert look(model, store, "train", tmp_path / "features").alike == []
    assert not (tmp_path / "features").exists()


def test_without_a_folder_no_neighbors_are_searched(model, store):
    counted = []
    assert look(model, store, "test", None, counted.append).alike == []
    assert sum(counted) == len(store.splits["test"])

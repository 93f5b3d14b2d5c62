"""Tests of alexnet.answers."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet import answers
from alexnet.answers import CELL_PX, HEAD_PX, MARGIN_PX, NAMED_PX, Answer, answers_of, choose, draw_answers
from alexnet.data.canvas import Canvas
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.evaluation import probabilities
from alexnet.prediction import Guess, load

LABELS, BEST = np.array([0, 0, 1, 1, 0, 2]), np.array([0, 1, 1, 0, 0, 2])
SHARES = np.array([0.9, 0.95, 0.4, 0.97, 0.99, 0.5])


def test_the_surest_are_right_and_of_several_classes():
    assert choose(LABELS, BEST, SHARES, "surest", 3).tolist() == [4, 5, 2]
    assert choose(LABELS, BEST, SHARES, "surest", 8).tolist() == [4, 5, 2, 0]


def test_the_worst_mistakes_are_the_surest_wrong_answers():
    assert choose(LABELS, BEST, SHARES, "mistakes", 8).tolist() == [3, 1]
    assert choose(LABELS, BEST, SHARES, "mistakes", 1).tolist() == [3]


def test_chance_takes_each_as_often():
    drawn = [tuple(choose(LABELS, BEST, SHARES, "random", 3, seed)) for seed in range(200)]
    assert len(set(drawn)) == 20  # 3 of 6
    assert (
        choose(LABELS, BEST, SHARES, "random", 3, 5).tolist()
        == choose(LABELS, BEST, 1 - SHARES, "random", 3, 5).tolist()
    )


@pytest.fixture
def model(tiny_run):
    return load(tiny_run)


@pytest.mark.parametrize("how", ["surest", "mistakes", "random"])
def test_answers_are_those_for_the_chosen_pictures(model, tiny_store, how):
    store, seen = Store(tiny_store), []
    split = store.splits["train"]
    found = answers_of(model, split, how, 5, progress=seen.append)
    assert sum(seen) == len(split)
    shares = probabilities(model.trained, torch.from_numpy(split.pictures(np.arange(len(split))))).numpy()
    names = list(split.names)
    for answer in found:
        place = names.index(answer.name)
        assert np.array_equal(answer.picture, split.pictures(np.array([place]))[0])
        assert answer.truth == store.classes[split.labels[place]]
        assert [guess.label for guess in answer.top] == [store.classes[i] for i in np.argsort(-shares[place])[:5]]
        if how != "random":
            assert (answer.top[0].label == answer.truth) == (how == "surest")
    if how != "random":
        certain = [answer.top[0].probability for answer in found]
        wrong = shares.argmax(1) != split.labels
        assert certain[0] == pytest.approx(shares[~wrong if how == "surest" else wrong].max())


def test_more_than_five_classes_may_be_asked_for(model, tiny_store):
    (found,) = answers_of(model, Store(tiny_store).splits["train"], "random", 1, top=7)
    assert len(found.top) == 7


def test_if_all_are_right_there_are_no_mistakes(model, tiny_store, monkeypatch):
    split = Store(tiny_store).splits["train"]
    right = torch.eye(len(Store(tiny_store).classes))[torch.from_numpy(split.labels)]
    given = iter(right.split(128))
    monkeypatch.setattr(answers, "probabilities", lambda *rest: next(given))
    assert answers_of(model, split, "mistakes") == []


def test_answers_about_other_classes_are_refused(model, photo_store):
    with pytest.raises(UsageError, match=r"has other classes than the network \(3, not 10\): evaluate on a store of"):
        answers_of(model, Store(photo_store).splits["test"], "surest")


# The sheet.


@pytest.fixture
def words(monkeypatch):
    found, write = [], Canvas.write

    def remember(self, left, top, text, *rest, **look):
        found.append((text, look.get("color")))
        write(self, left, top, text, *rest, **look)

    monkeypatch.setattr(Canvas, "write", remember)
    return found


def answer(truth, *shares):
    chance = np.random.default_rng(0)
    top = [Guess(label, share) for label, share in zip(("cat", "dog", "emu"), shares, strict=True)]
    return Answer("album/one.jpg", truth, chance.integers(0, 256, (CELL_PX, CELL_PX, 3), np.uint8), top)


def test_a_sheet_shows_pictures_with_bars_as_long_as_their_probabilities(tmp_path, words):
    told = [answer("dog", 0.75, 0.25, 0), answer("cat", 1, 0, 0), answer(None, 0.5, 0.3, 0.2)]
    draw_answers(tmp_path / "sheet.png", "title", "about", told)
    with Image.open(tmp_path / "sheet.png") as image:
        sheet = np.asarray(image.convert("RGB"))
    left, top = MARGIN_PX, HEAD_PX
    assert np.array_equal(sheet[top : top + CELL_PX, left : left + CELL_PX], told[0].picture)
    bars = [sheet[top + NAMED_PX + row * answers.BAR_PX + 3, left : left + CELL_PX] for row in range(3)]
    assert [(bar == answers.OTHER_BAR).all(1).sum() for bar in bars] == [round(0.75 * CELL_PX), 0, 2]
    assert [(bar == answers.TRUE_BAR).all(1).sum() for bar in bars] == [0, round(0.25 * CELL_PX), 0]
    assert ("dog", answers.WRONG) in words
    assert ("cat", answers.RIGHT) in words
    assert [text for text, _ in words].count("one.jpg") == 1
    assert {"75.0%", "100%", "0.0%"} <= {text for text, _ in words}


def test_a_sheet_is_no_longer_than_48_pictures(tmp_path, words, monkeypatch):
    monkeypatch.setattr(answers, "MOST", 5)
    draw_answers(tmp_path / "sheet.png", "title", "about", [answer("dog", 0.75, 0.25, 0)] * 7)
    assert [text for text, _ in words].count("75.0%") == 5


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"sheet.jpg would hold a PNG"):
        draw_answers(tmp_path / "sheet.jpg", "title", "about", [answer("dog", 1, 0, 0)])


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"needs matplotlib: pip install 'alexnet\[plot\]'"):
        draw_answers(tmp_path / "sheet.png", "title", "about", [answer("dog", 1, 0, 0)])

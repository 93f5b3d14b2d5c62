"""Contact sheets: which classes and pictures, in which cells, under which words."""

import numpy as np
import pytest
from PIL import Image

from alexnet.data import contact
from alexnet.data.contact import BAND_PX, CELL_PX, COLUMNS, HEAD_PX, NAMED_PX, ROW_PX, chosen_classes
from alexnet.data.contact import draw_contact_sheet as draw
from alexnet.data.store import Store


@pytest.fixture
def store(photo_store):
    return Store(photo_store)


def test_a_row_a_class_holds_pictures_of_it_alone(store, tmp_path, words, shows):
    path = tmp_path / "sheet.png"
    assert draw(store, path, "test", [], seed=0) == "test: 3 classes"
    split = store.splits["test"]
    for label, name in enumerate(("cats", "dogs", "emus")):
        top = HEAD_PX + label * ROW_PX
        assert [word.text for word in words if top < word.top < top + BAND_PX] == [name, "3 pictures"]
        # Three are fewer than a row holds: all of them, in their order.
        for column, place in enumerate(np.flatnonzero(split.labels == label)):
            assert shows(
                path, 24 + column * (CELL_PX + 6), top + BAND_PX, split.pictures(np.array([place]))[0], CELL_PX
            )
    with Image.open(path) as image:
        assert image.size == (1080, HEAD_PX + 3 * ROW_PX + 10)


def test_pictures_are_drawn_by_the_seed(store, tmp_path, monkeypatch, shows):
    monkeypatch.setattr(contact, "COLUMNS", 1)
    images, path = store.splits["train"].pictures(np.arange(len(store.splits["train"]))), tmp_path / "sheet.png"
    seen = []
    for seed in (0, 1):
        draw(store, path, "train", [0, 1], seed)
        seen.append([p for p in range(12) for row in (0, 1) if shows(path, 24, place_of(row), images[p], CELL_PX)])
    assert [len(drawn) for drawn in seen] == [2, 2]
    assert seen[0] != seen[1]
    assert all(cats < 6 <= dogs for cats, dogs in seen)


def place_of(row):
    return HEAD_PX + row * ROW_PX + BAND_PX


def test_the_same_store_and_seed_give_the_same_bytes(store, tmp_path):
    for name in ("one.png", "two.png"):
        draw(store, tmp_path / name, "train", [], seed=4)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_of_many_classes_some_are_shown_and_that_is_said(store, tmp_path, words, monkeypatch):
    monkeypatch.setattr(contact, "CLASSES", 2)
    assert draw(store, tmp_path / "sheet.png", "train", [], 0) == "train: 2 of 3 classes, spread evenly"
    told = [word.text for word in words]
    assert "cats" in told
    assert "emus" in told
    assert "dogs" not in told
    assert any(text.startswith("2 of 3 classes, spread evenly") for text in told)


def test_classes_are_chosen_evenly_or_as_wanted(store, monkeypatch):
    assert chosen_classes(store, []) == [0, 1, 2]
    assert chosen_classes(store, [2, 0]) == [2, 0]
    monkeypatch.setattr(contact, "CLASSES", 3)
    store.classes[:] = [str(label) for label in range(101)]
    assert chosen_classes(store, []) == [0, 50, 100]


def test_one_class_is_shown_with_many_pictures_and_their_names(store, tmp_path, words, shows):
    path = tmp_path / "one.png"
    assert draw(store, path, "train", [1], 0) == "train: all 6 pictures of dogs"
    split = store.splits["train"]
    assert words[0].text == "dogs"
    for cell in range(6):
        left = 24 + cell * (CELL_PX + 6)
        assert shows(path, left, HEAD_PX, split.pictures(np.array([6 + cell]))[0], CELL_PX)
        (name,) = [w.text for w in words if w.left == left and w.top > HEAD_PX + CELL_PX]
        assert name == split.names[6 + cell].split("/")[-1]


def test_many_pictures_of_one_class_fill_rows(store, tmp_path, monkeypatch, shows):
    monkeypatch.setattr(contact, "COLUMNS", 2)
    monkeypatch.setattr(contact, "PICTURES_OF_ONE", 3)
    path = tmp_path / "one.png"
    assert draw(store, path, "train", [0], 0) == "train: 3 of 6 pictures of cats"
    images = store.splits["train"].pictures(np.arange(len(store.splits["train"])))
    assert any(shows(path, 24, HEAD_PX + NAMED_PX, images[place], CELL_PX) for place in range(6))


def test_a_class_without_pictures_in_a_split_says_so(store, tmp_path, words):
    store.classes.append("gnus")
    draw(store, tmp_path / "sheet.png", "train", [], 0)
    assert "0 pictures" in [word.text for word in words]
    assert draw(store, tmp_path / "sheet.png", "train", [3], 0) == "train: all 0 pictures of gnus"


def test_cells_fill_the_width():
    assert contact.column_left(0) == 24
    assert 0 <= 1080 - 24 - (contact.column_left(COLUMNS - 1) + CELL_PX) < COLUMNS

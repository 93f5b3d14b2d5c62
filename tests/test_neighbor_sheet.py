"""Tests of alexnet.neighbor_sheet."""

import numpy as np
import pytest
from PIL import Image

from alexnet.data.canvas import LINE_PX, MARGIN_PX, SHEET_PX, Canvas
from alexnet.neighbor_sheet import (
    CELL_PX,
    MATCH_PX,
    OTHER,
    ROW_PX,
    SAME,
    agreement,
    column_left,
    draw_neighbors,
    head_height,
)
from alexnet.neighbors import Match, Neighbor


def match(label, features, pixels, seed=0):
    found = [[Neighbor(f"{one}.jpg", one, 2.5, 0) for one in labels] for labels in (features, pixels)]
    picture = np.random.default_rng(seed).integers(0, 256, (CELL_PX, CELL_PX, 3), np.uint8)
    return Match(f"my/{label}.jpg", label, picture, *found)


def pictures_of(one, seed):
    chance = np.random.default_rng(seed)
    return tuple(
        chance.integers(0, 256, (len(row), CELL_PX, CELL_PX, 3), np.uint8) for row in (one.neighbors, one.by_pixels)
    )


MATCHES = [match("cat", ["cat", "dog"], ["dog", "dog"]), match(None, ["cat"], ["emu"], 1)]


def test_neighbors_of_the_same_class_are_counted():
    assert agreement(MATCHES) == (1, 0, 2)
    assert agreement([*MATCHES, match("emu", ["emu"] * 6, ["cat"] * 4 + ["emu"] * 2)]) == (7, 2, 8)
    assert agreement(MATCHES[1:]) == (0, 0, 0)


@pytest.fixture
def words(monkeypatch):
    """All that is written, with its colour."""
    found, write = [], Canvas.write

    def remember(self, left, top, text, *rest, **look):
        found.append((text, look.get("color")))
        write(self, left, top, text, *rest, **look)

    monkeypatch.setattr(Canvas, "write", remember)
    return found


def test_a_query_stands_left_of_its_nearest_in_both_rows(tmp_path, words):
    pictures = [pictures_of(one, seed) for seed, one in enumerate(MATCHES)]
    draw_neighbors(tmp_path / "sheet.png", "title", "relu7", MATCHES, pictures)
    with Image.open(tmp_path / "sheet.png") as image:
        sheet = np.asarray(image.convert("RGB"))

    def at(left, top):
        return sheet[top : top + CELL_PX, left : left + CELL_PX]

    for number, (one, rows) in enumerate(zip(MATCHES, pictures, strict=True)):
        top = head_height(3) + number * MATCH_PX + LINE_PX + 4
        assert np.array_equal(at(MARGIN_PX, top), one.picture)
        for row, shown in enumerate(rows):
            for column, picture in enumerate(shown):
                assert np.array_equal(at(column_left(column), top + row * ROW_PX), picture)
    assert {("cat", SAME), ("dog", OTHER)} <= set(words)
    told = [text for text, _ in words]
    assert "Of its class are 1 of 2 by relu7, 0 by pixels." in told
    assert "None.jpg" in told  # a query of no known class has its file's name
    assert told.count("by relu7") == told.count("by pixels") == 2
    assert told.count("2.5") == 6


def test_own_pictures_are_not_judged(tmp_path, words):
    draw_neighbors(tmp_path / "sheet.png", "title", "relu7", MATCHES[1:], [pictures_of(MATCHES[1], 0)])
    assert not [text for text, colour in words if colour in (SAME, OTHER)]
    assert not [text for text, _ in words if "class" in text]


def test_six_fit_on_the_sheet():
    assert column_left(5) + CELL_PX <= SHEET_PX - MARGIN_PX

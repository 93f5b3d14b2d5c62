"""The sheet of colour shifts: which pictures, what is in its cells, what its words say."""

import sys

import numpy as np
import pytest
from PIL import Image

from alexnet.data import sheets
from alexnet.data.canvas import MARGIN_PX
from alexnet.data.chance import Chance
from alexnet.data.choosing import spread
from alexnet.data.colour import colour_shift
from alexnet.data.sheets import CELL_PX, DRAWS, HEAD_PX, READINGS, ROW_PX, draw_colours, recoloured
from alexnet.data.store import Store
from alexnet.errors import AlexNetError, UsageError
from alexnet.recipe import Recipe


def cell(sheet, row, left):
    top = HEAD_PX + row * ROW_PX
    return sheet[top : top + CELL_PX, left : left + CELL_PX].astype(int)


def resized(picture):
    return np.asarray(Image.fromarray(picture).resize((CELL_PX, CELL_PX), Image.Resampling.BICUBIC)).astype(int)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Fewer pictures, drawn sooner."""
    monkeypatch.setattr(sheets, "PICTURES", 3)


@pytest.mark.parametrize("form", READINGS)
def test_pictures_are_recoloured_about_the_mean_image(photo_store, form):
    store = Store(photo_store)
    pictures, recipe = store.splits["train"].pictures(np.arange(4)), Recipe(colour_form=form)
    chance = Chance(0, 1, np.arange(4))
    shown = recoloured(np.ascontiguousarray(pictures), chance, recipe, store.statistics)
    mean = store.statistics.mean_image.astype(np.float64)
    shifts = colour_shift(chance, recipe, store.statistics).double().numpy()
    for picture, shift, one in zip(pictures, shifts, shown, strict=True):
        expected = (picture - mean + shift) / (1.1 if form == "authors" else 1) + mean
        # Half a grey level of rounding.
        assert np.abs(one - expected.clip(0, 255)).max() < 0.5 + 1e-3


def test_the_sheet_shows_originals_and_draws_with_their_shifts(photo_store, tmp_path, words):
    store, path = Store(photo_store), tmp_path / "sheet.png"
    draw_colours(store, path)
    sheet = np.asarray(Image.open(path).convert("RGB"))
    split = store.splits["train"]
    places = spread(split.labels, 3)
    assert len(sheet) == HEAD_PX + len(places) * ROW_PX + MARGIN_PX
    for row, place in enumerate(places):
        assert np.array_equal(cell(sheet, row, sheets._left(0, 0)), resized(split.pictures(np.array([place]))[0]))
        for group, form in enumerate(READINGS, start=1):
            recipe = Recipe(colour_form=form)
            for draw in range(DRAWS):
                chance, left = Chance(0, draw, places[row : row + 1]), sheets._left(group, draw)
                (picture,) = recoloured(split.pictures(np.array([place])), chance, recipe, store.statistics)
                assert np.array_equal(cell(sheet, row, left), resized(picture))
                (shift,) = colour_shift(chance, recipe, store.statistics).tolist()
                top = HEAD_PX + row * ROW_PX
                told = [text for x, y, text in words if left < x < left + CELL_PX and top < y < top + ROW_PX]
                assert told == ["  ".join(f"{value:+.1f}".replace("-", "−") for value in shift)]


def test_each_reading_is_named_with_its_deviations(photo_store, tmp_path, words):
    store = Store(photo_store)
    draw_colours(store, tmp_path / "sheet.png")
    told = [text for _, _, text in words]
    for name in ("authors (2012 source)", "printed (§4.1)", "lighting (fb.resnet.torch)", "original"):
        assert name in told
    assert "deviation 5.5 / 0.48 / 0.11 grey levels along the axes" in told
    first = 0.1 * store.statistics.colour_deviations[0]
    assert any(text.startswith(f"deviation {first:.1f} / ") for text in told)
    assert {"cats", "dogs", "emus"} <= set(told)


def test_the_same_store_gives_the_same_bytes(photo_store, tmp_path):
    draw_colours(Store(photo_store), tmp_path / "one.png")
    draw_colours(Store(photo_store), tmp_path / "two.PNG")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.PNG").read_bytes()


def test_names_are_written_as_they_are(photo_store, tmp_path, words):
    store = Store(photo_store)
    store.classes[:] = ["$\\frac{", "odd \udcff byte", "a name much too long for its place"]
    draw_colours(store, tmp_path / "sheet.png")
    assert "a name much too l…" in [text for _, _, text in words]


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet", "sheet.png.txt"])
def test_another_kind_of_file_is_refused(photo_store, tmp_path, name):
    with pytest.raises(UsageError, match=rf"{name} would hold a PNG: end its name in \.png"):
        draw_colours(Store(photo_store), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_says_what_to_install(photo_store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"sheet.png needs matplotlib: pip install 'alexnet\[plot\]'"):
        draw_colours(Store(photo_store), tmp_path / "sheet.png")


def test_a_folder_that_is_not_there_is_told(photo_store, tmp_path):
    with pytest.raises(AlexNetError, match=r"cannot write .*none/sheet.png: No such file"):
        draw_colours(Store(photo_store), tmp_path / "none" / "sheet.png")

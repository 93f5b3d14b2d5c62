"""Sheets: pictures at their pixels, words in their room, whole files."""

import sys

import numpy as np
import pytest
from PIL import Image

from alexnet.data.canvas import canvas, short_class
from alexnet.errors import AlexNetError, UsageError


@pytest.fixture
def draw(tmp_path):
    """Draw on a sheet of 200 × 100 pixels; the pixels that came out."""

    def on_sheet(function):
        with canvas(tmp_path / "sheet.png", 200, 100) as sheet:
            function(sheet)
        with Image.open(tmp_path / "sheet.png") as image:
            return np.asarray(image.convert("RGB"))

    return on_sheet


def inked(sheet):
    """Columns from the first to the last that is not white."""
    columns = np.flatnonzero((sheet < 128).any((0, 2)))
    return columns.min(), columns.max()


def test_a_picture_stands_where_it_is_put(draw):
    picture = np.random.default_rng(0).integers(0, 256, (10, 20, 3), np.uint8)
    sheet = draw(lambda canvas: canvas.show(7, 30, picture, 20, 10))
    assert sheet.shape == (100, 200, 3)
    assert np.array_equal(sheet[30:40, 7:27], picture)
    sheet = sheet.copy()
    sheet[30:40, 7:27] = 255
    assert (sheet == 255).all()


def test_words_begin_where_they_are_put(draw):
    sheet = draw(lambda canvas: canvas.write(50, 60, "H"))
    left, right = inked(sheet)
    assert 50 <= left <= 54
    assert right < 70
    rows = np.flatnonzero((sheet < 128).any((1, 2)))
    assert abs(rows.max() - 60) <= 2


@pytest.mark.parametrize("keep_end", [False, True])
def test_words_keep_to_their_room(draw, keep_end, monkeypatch):
    from matplotlib.text import Text

    told = []
    set_text = Text.set_text
    monkeypatch.setattr(Text, "set_text", lambda self, text: (told.append(text), set_text(self, text))[1])
    name = "n02085936_" + "0123456789" * 5
    sheet = draw(lambda canvas: canvas.write(20, 60, name, 100, keep_end))
    left, right = inked(sheet)
    assert left >= 20
    assert 100 < right <= 120  # not cut more than needed
    cut = told[-1]
    assert name.endswith(cut[1:]) if keep_end else name.startswith(cut[:-1])
    assert cut[0 if keep_end else -1] == "…"


def test_words_that_have_room_are_not_cut(draw):
    with_room = draw(lambda canvas: canvas.write(20, 60, "name", 100))
    assert np.array_equal(with_room, draw(lambda canvas: canvas.write(20, 60, "name")))


def test_words_are_no_formulas_and_may_lack_letters(draw):
    left, right = inked(draw(lambda canvas: canvas.write(5, 60, "$\\frac{ 강아지", 150)))
    assert left < right


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("n02113978-Mexican_hairless", "Mexican_hairless"),
        ("n01440764 tench, Tinca tinca", "tench, Tinca tinca"),
        ("n01440764", "n01440764"),
        ("n01440764-", "n01440764-"),
        ("nine", "nine"),
        ("my n01440764-x", "my n01440764-x"),
    ],
)
def test_wordnet_numbers_are_left_out_before_a_name(name, short):
    assert short_class(name) == short


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet", "sheet.png.txt"])
def test_another_kind_of_file_is_refused(tmp_path, name):
    with (
        pytest.raises(UsageError, match=rf"{name} would hold a PNG: end its name in \.png"),
        canvas(tmp_path / name, 10, 10),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with (
        pytest.raises(UsageError, match=r"sheet.png needs matplotlib: pip install 'alexnet\[plot\]'"),
        canvas(tmp_path / "sheet.png", 10, 10),
    ):
        pass


def test_a_sheet_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), canvas(tmp_path / "sheet.png", 10, 10):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    with (
        pytest.raises(AlexNetError, match=r"cannot write .*none/sheet.png: No such file"),
        canvas(tmp_path / "none/sheet.png", 10, 10),
    ):
        pass

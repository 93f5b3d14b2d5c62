"""Tests of alexnet.drawing."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from alexnet.drawing import SERIES, SHADES, Area, Drawing, Line, Words, style_rules
from alexnet.errors import UsageError

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = (
    Area(((0, 0), (100, 0), (100, 30), (0, 30)), "one", "one"),
    Line(((0, 60), (100, 60)), "two", 6),
    Line(((50, 80),), "three", 4),
    Words(5, 20, "a < b & <c>\n", 12, "seven", bold=True),
)
DRAWING = Drawing(100, 100, 'what "it" <shows>', SHAPES)


def contrast(one, other):
    """Compare two shades as WCAG does."""

    def light(shade):
        parts = [int(shade[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(np.array(linear) * (0.2126, 0.7152, 0.0722))

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_an_svg_says_what_it_shows_and_escapes_its_words():
    root = ElementTree.fromstring(DRAWING.svg())
    assert (root.get("role"), root.get("aria-label")) == ("img", 'what "it" <shows>')
    assert root.get("viewBox") == "0 0 100 100"
    assert [element.tag.removeprefix(SVG) for element in root] == ["polygon", "polyline", "circle", "text"]
    assert root.find(f"{SVG}text").text == r"a < b & <c>\n"
    assert root.find(f"{SVG}polyline").get("points") == "0,60 100,60"


def test_what_only_adorns_is_hidden_from_those_who_listen():
    assert ElementTree.fromstring(Drawing(5, 5, "", ()).svg()).get("aria-hidden") == "true"


def test_an_svg_file_brings_its_own_styles_and_sheet(tmp_path):
    DRAWING.save(tmp_path / "it.svg")
    root = ElementTree.parse(tmp_path / "it.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("100", "100")
    style, sheet = root[0], root[1]
    assert style.text == style_rules()
    assert sheet.get("class") == "f-paper s-paper"
    used = {name for element in root.iter() for name in (element.get("class") or "").split()}
    assert all(f".{name}{{" in style.text for name in used)


def test_a_png_has_the_shapes_where_they_are_described(tmp_path):
    DRAWING.save(tmp_path / "it.png")
    with Image.open(tmp_path / "it.png") as picture:
        assert picture.size == (200, 200)
        pixels = np.asarray(picture.convert("RGB"))

    def shade(name):
        return [int(SHADES[name][0][at : at + 2], 16) for at in (1, 3, 5)]

    assert pixels[50, 190].tolist() == shade("one")
    assert pixels[120, 100].tolist() == shade("two")
    assert pixels[160, 100].tolist() == shade("three")
    assert pixels[100, 100].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["ink", "quiet"])
def test_words_can_be_read_in_light_and_dark(name):
    for column in (0, 1):
        for behind in ("paper", "face"):
            assert contrast(SHADES[name][column], SHADES[behind][column]) >= 4.5


@pytest.mark.parametrize("name", SERIES)
def test_lines_can_be_seen_in_light_and_dark(name):
    least = 3 if name != "five" else 2  # the lightest of the palette; its dash tells it apart too
    assert all(contrast(SHADES[name][column], SHADES["paper"][column]) >= least for column in (0, 1))


def test_other_endings_and_a_missing_matplotlib_are_told(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"end its name in .svg or .png"):
        DRAWING.save(tmp_path / "it.gif")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"needs matplotlib: pip install 'alexnet\[plot\]', or end the name in .svg"):
        DRAWING.save(tmp_path / "it.png")
    DRAWING.save(tmp_path / "it.svg")

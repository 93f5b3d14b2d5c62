"""Tests of alexnet.report.markup."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from alexnet.report.markup import Markup, Section, join, picture, table, tag

HOSTILE = "<script>hacked=1</script>\"'&\n\u202e\udcff"


class Told(HTMLParser):
    """What a browser would make of markup."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def test_no_name_becomes_markup_wherever_it_stands():
    text = tag("p", HOSTILE, tag("b", HOSTILE), title=HOSTILE)
    told = Told(text)
    assert [name for name, _ in told.tags] == ["p", "b"]
    shown = "<script>hacked=1</script>\"'&\\n\\u202e\\udcff"
    assert told.tags[0][1]["title"] == shown
    assert told.words == [shown, shown]
    assert text.encode()  # half a surrogate could not be written


def test_markup_is_not_escaped_twice():
    assert join(["<", Markup("<br>")]) == "&lt;<br>"
    assert tag("img", alt="", src="x") == '<img alt="" src="x">'
    assert tag("li", "x", aria_label="y", class_="z") == '<li aria-label="y" class="z">x</li>'


def test_a_table_names_rows_and_columns():
    told = Told(table(("class", "top-1"), [("cat", "1"), ("dog", tag("td", "2", class_="hit"))], "how good", (1,)))
    heads = [attrs["scope"] for name, attrs in told.tags if name == "th"]
    assert heads == ["col", "col", "row", "row"]
    cells = [attrs for name, attrs in told.tags if name == "td"]
    assert cells == [{"class": "n"}, {"class": "hit"}]
    assert told.words[0] == "how good"


def test_a_section_is_named_by_its_heading():
    told = Told(Section("data", "Data", tag("p", "x")).markup())
    assert told.tags[0] == ("section", {"id": "data", "aria-labelledby": "data-title"})
    assert told.tags[1] == ("h2", {"id": "data-title"})


@pytest.mark.parametrize(
    ("side", "exact", "form", "shown"), [(32, False, "PNG", 32), (300, False, "JPEG", 128), (300, True, "PNG", 300)]
)
def test_pictures_are_within_the_page(side, exact, form, shown):
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    ((name, attrs),) = Told(picture(pixels, "a <cat>", exact)).tags
    assert (name, attrs["alt"], attrs["width"], attrs["height"]) == ("img", "a <cat>", str(shown), str(shown))
    with Image.open(io.BytesIO(base64.b64decode(attrs["src"].split(",", 1)[1]))) as image:
        assert (image.format, image.size) == (form, (shown, shown))
        if form == "PNG":
            np.testing.assert_array_equal(np.asarray(image), pixels)

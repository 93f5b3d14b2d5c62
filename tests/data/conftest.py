"""What the tests of sheets share."""

from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from alexnet.data.canvas import Canvas


class Word(NamedTuple):
    """What was written, and where."""

    left: float
    top: float
    text: str


@pytest.fixture
def words(monkeypatch):
    """All that is written on sheets, with its place."""
    found = []
    write = Canvas.write

    def remember(self, left, top, text, *rest, **look):
        found.append(Word(left, top, text))
        write(self, left, top, text, *rest, **look)

    monkeypatch.setattr(Canvas, "write", remember)
    return found


@pytest.fixture
def shows():
    """Compare a part of a PNG with a picture that was scaled to it by Pillow."""

    def check(path, left, top, picture, width, height=None):
        size = (width, height or width)
        with Image.open(path) as image:
            sheet = np.asarray(image.convert("RGB"))
        wanted = Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.BICUBIC)
        return np.array_equal(sheet[top : top + size[1], left : left + size[0]], np.asarray(wanted))

    return check

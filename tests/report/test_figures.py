"""Tests of alexnet.report.figures."""

import sys

import pytest
from PIL import Image

from alexnet.errors import UsageError
from alexnet.report.figures import saved_figure


def test_a_figure_becomes_a_png_of_200_pixels_an_inch_when_the_block_ends(tmp_path):
    with saved_figure(tmp_path / "it.png", 2, 1) as figure:
        figure.subplots()
        assert list(tmp_path.iterdir()) == []
    with Image.open(tmp_path / "it.png") as picture:
        assert picture.size == (400, 200)


def test_nothing_is_left_of_a_figure_that_failed(tmp_path):
    with pytest.raises(ZeroDivisionError), saved_figure(tmp_path / "it.png", 2, 1):
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with (
        pytest.raises(UsageError, match=r"it.png needs matplotlib: pip install 'alexnet\[plot\]'"),
        saved_figure(tmp_path / "it.png", 2, 1),
    ):
        pass

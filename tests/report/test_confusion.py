"""Tests of alexnet.report.confusion."""

import sys

import numpy as np
import pytest
from PIL import Image

from alexnet.errors import UsageError
from alexnet.report.confusion import draw_confusion, draw_confusions


def drawn(path):
    """Read a picture's colours in the middle of the cells; the corners of the matrix are found by its frame."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("count", [1, 2, 25, 26, 120])
def test_a_confusion_matrix_is_drawn_whatever_the_number_of_classes(tmp_path, count):
    confusion = np.diag(np.arange(count) + 1)
    draw_confusion(confusion, [f"a $long name_{number}$ that goes on" for number in range(count)], tmp_path / "it.png")
    picture = drawn(tmp_path / "it.png")
    assert 400 < picture.shape[0] <= picture.shape[1] <= 2500
    dark, white = picture.max(2) < 0x40, picture.min(2) == 255
    assert dark.any()
    assert white.mean() > 0.3


def test_the_shade_is_the_share_of_the_true_class_by_rows(tmp_path):
    confusion = np.array([[0, 3], [0, 1000]])  # both classes always taken for the second
    draw_confusion(confusion, ["cats", "dogs"], tmp_path / "it.png")
    columns = (drawn(tmp_path / "it.png").max(2) < 0x50).sum(0) > 200  # of the darkest shade
    inside = np.flatnonzero(columns)
    assert len(inside) > 100  # one dark column of cells, besides the scale
    draw_confusion(np.array([[3, 0], [1000, 0]]), ["cats", "dogs"], tmp_path / "other.png")
    other = np.flatnonzero((drawn(tmp_path / "other.png").max(2) < 0x50).sum(0) > 200)
    assert other[0] < inside[0]


def test_classes_without_pictures_are_drawn_white(tmp_path):
    draw_confusion(np.zeros((30, 30), np.int64), [str(number) for number in range(30)], tmp_path / "it.png")
    picture = drawn(tmp_path / "it.png")
    height, width, _ = picture.shape
    assert (picture[height // 3 : height // 2, width // 3 : width // 2] == 255).all()


def test_several_matrices_are_drawn_side_by_side(tmp_path):
    right, constant = np.diag([9, 9]), np.array([[9, 0], [9, 0]])
    matrices = {"right": right, "constant": constant, "right too": right, "constant too": constant}
    draw_confusions(matrices, ["cats", "dogs"], tmp_path / "it.png", columns=2)
    dark = drawn(tmp_path / "it.png").max(2) < 0x50  # of the darkest shade
    height, width = dark.shape
    assert height / width == pytest.approx(1, abs=0.35)
    # Of each row of matrices, the left one has dark cells one below and beside the other, the right one in one column.
    whole = dark.sum(0)
    left, right_half = whole[: width // 2], whole[width // 2 :]
    assert 0.6 < left.sum() / right_half.sum() < 1.6
    assert right_half.max() > 1.7 * left.max()


def test_drawing_a_confusion_matrix_without_matplotlib_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"it.png needs matplotlib: pip install 'alexnet\[plot\]'"):
        draw_confusion(np.eye(2, dtype=np.int64), ["cats", "dogs"], tmp_path / "it.png")

"""Tests of alexnet.diagram."""

from itertools import pairwise
from pathlib import Path

import pytest

from alexnet.catalogue import ARCHITECTURES, PAPER, SINGLE, named
from alexnet.diagram import diagram, stages, told
from alexnet.drawing import Area, Line, Words
from alexnet.paper import HIDDEN_UNITS, KERNELS, MAP_SIDES
from alexnet.variations import vary


def words(architecture):
    return [shape for shape in diagram(architecture).shapes if isinstance(shape, Words)]


def test_the_paper_has_the_sizes_of_figure_2_in_each_tower():
    columns = stages(PAPER)
    assert [column.name for column in columns] == ["input", *(f"conv{n}" for n in range(1, 6)), "fc6", "fc7", "fc8"]
    assert [column.boxes for column in columns] == [1, 2, 2, 2, 2, 2, 2, 2, 1]
    assert [column.depth for column in columns] == [3, *(n // 2 for n in KERNELS), *[HIDDEN_UNITS // 2] * 2, 1000]
    assert [column.side for column in columns] == [224, *MAP_SIDES, 0, 0, 0]
    assert [column.name for column in columns if column.meets] == ["conv1", "conv3", "fc6", "fc7", "fc8"]
    written = [shape.text for shape in words(PAPER)]
    # As printed: 48, 128, 192, 192, 128 maps and 2048 units, twice each.
    assert [written.count(size) for size in ("48", "128", "192", "2048", "1000")] == [2, 4, 4, 4, 1]
    assert "stride of 4" in written
    assert written.count("max pooling") == 3


def test_the_figure_in_the_docs_is_the_papers(tmp_path):
    diagram(PAPER).save(tmp_path / "it.svg")
    kept = Path(__file__).parent.parent / "docs" / "figure-2.svg"
    assert kept.read_text() == (tmp_path / "it.svg").read_text()


def test_a_box_has_three_faces_for_each_tower():
    def faces(architecture):
        return sum(isinstance(shape, Area) for shape in diagram(architecture).shapes)

    assert faces(PAPER) == 3 * (1 + 7 * 2 + 1)
    assert faces(SINGLE) == 3 * 9


def test_lines_cross_where_the_towers_meet():
    """Where layers meet, each of both towers sends its two lines to both."""

    def dashes(architecture):
        return sum(isinstance(shape, Line) and bool(shape.dash) for shape in diagram(architecture).shapes)

    # Twice the links: input to two; conv2, conv4, conv5 two each; conv3, fc6, fc7 four each; both to fc8.
    assert dashes(PAPER) == 2 * (2 + 3 * 2 + 3 * 4 + 2)
    assert dashes(SINGLE) == 2 * 8


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_fits_its_sheet(name):
    drawing = diagram(named(name))
    for shape in drawing.shapes:
        if isinstance(shape, Words):
            half = 0.33 * shape.size * len(shape.text)
            left = {"start": shape.left, "middle": shape.left - half, "end": shape.left - 2 * half}[shape.anchor]
            assert left >= 0, shape
            assert left + 2 * half <= drawing.width + 4, shape
            assert 0 < shape.base < drawing.height
        else:
            assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in shape.points)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_notes_below_do_not_run_into_each_other(name):
    rows = {}
    for shape in words(named(name)):
        if shape.anchor == "middle" and shape.fill == "quiet":
            rows.setdefault(shape.base, []).append(shape)
    for row in rows.values():
        row.sort(key=lambda shape: shape.left)
        for one, other in pairwise(row):
            assert other.left - one.left > 0.27 * one.size * (len(one.text) + len(other.text))


def test_variations_and_other_classes_are_drawn_too(tiny_network):
    assert "tanh" in [shape.text for shape in words(vary(PAPER, "activation=tanh"))]
    text = [shape.text for shape in words(tiny_network)]
    assert "unshared" in text
    assert "average to 2×2" in text
    assert told(PAPER.with_classes(7)).endswith("fc8 7")

"""Tests of alexnet.report.chart."""

import numpy as np
import pytest

from alexnet.drawing import Line, Words
from alexnet.report.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Series, chart, ticks


def lines(drawing, colour="one"):
    return [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.stroke == colour]


def words(drawing):
    return [shape.text for shape in drawing.shapes if isinstance(shape, Words)]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 90, [0, 20, 40, 60, 80]),
        (0, 3, [0, 1, 2, 3]),
        (2, 2, [2]),
        (0, 1e-9, None),
    ],
)
def test_ticks_are_round(low, high, expected):
    found = ticks(low, high)
    assert found == (pytest.approx(expected) if expected else pytest.approx([n * 2e-10 for n in range(6)]))


def test_a_curve_goes_through_its_values():
    ys = np.array([1.0, 3.0, 2.0])
    (line,) = lines(chart("Loss", "loss", [Series(np.array([1.0, 2, 4]), ys)], "{:.1f}"))
    xs, places = zip(*line.points, strict=True)
    assert xs == pytest.approx([LEFT + (WIDTH - LEFT - RIGHT) * epoch / 4 for epoch in (1, 2, 4)])
    depth = [HEIGHT - BOTTOM - y for y in places]
    assert depth == pytest.approx((HEIGHT - TOP - BOTTOM) * ys / (3 * 1.06))


def test_gaps_interrupt_a_curve_and_a_lone_value_is_a_dot():
    ys = np.array([1.0, np.nan, 2.0, 3.0])
    drawn = lines(chart("Loss", "loss", [Series(np.arange(1.0, 5), ys)], "{:.1f}"))
    assert [len(line.points) for line in drawn] == [1, 2]


def test_what_was_not_measured_is_said():
    assert "not measured" in words(chart("Top-5", "top-5", [Series(np.ones(1), np.full(1, np.nan))]))


def test_rates_that_fall_by_powers_have_powers_marked():
    rate = chart("Rate", "rate", [Series(np.arange(1.0, 5), np.array([1e-2, 1e-3, 1e-4, 1e-5]))], powers=True)
    assert [text for text in words(rate) if text.startswith(("0.", "1e"))] == ["1e-05", "0.0001", "0.001", "0.01"]
    (line,) = lines(rate)
    steps = np.diff([y for _, y in line.points])
    assert steps == pytest.approx([steps[0]] * 3)


def test_training_is_thin_behind_and_ends_are_written_where_asked():
    xs, ys = np.arange(1.0, 3), np.array([0.5, 0.75])
    drawing = chart("Top-1", "top-1", [Series(xs, ys), Series(xs, ys / 2, bold=False)], "{:.0%}", ends=True)
    assert [line.width for line in lines(drawing)] == [1.2, 2.4]
    assert words(drawing)[-1] == "75%"


def test_several_runs_differ_in_colour_and_dash():
    xs = np.arange(1.0, 3)
    drawing = chart("Loss", "loss", [Series(xs, xs * n, n) for n in range(9)], "{:.1f}")
    looks = [(shape.stroke, shape.dash) for shape in drawing.shapes if isinstance(shape, Line) and shape.width == 2.4]
    assert len(set(looks)) == 7

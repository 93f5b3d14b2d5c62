"""Curves over epochs as drawings: axes with round numbers, a line for each series, its colour and dash its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from alexnet.drawing import SERIES, Drawing, Line, Words

WIDTH, HEIGHT = 340.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 62.0, 34.0, 40.0
# So that curves differ in more than colour.
DASHES: tuple[tuple[float, ...], ...] = ((), (7, 4), (2, 4), (9, 4, 2, 4), (12, 5), (4, 3), (1, 3))
TICKS = 5


@dataclass(frozen=True)
class Series:
    """One curve.

    Attributes:
        xs: Where it was measured.
        ys: Values; NaN where there is none.
        number: Of its colour and dash.
        bold: Whether it is drawn bold: what counts.
    """

    xs: Float[np.ndarray, "n"]
    ys: Float[np.ndarray, "n"]
    number: int = 0
    bold: bool = True


def ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Give round numbers from `low` to `high`, about `count` of them: steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0, 2.4)
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def chart(
    title: str, about: str, series: Sequence[Series], form: str = "{:.3g}", ends: bool = False, powers: bool = False
) -> Drawing:
    """Draw curves over the epochs.

    Args:
        title: What the upward axis measures.
        about: The same for those who do not see it.
        series: The curves.
        form: How its numbers are written.
        ends: Write the last value of each bold curve beside it.
        powers: Mark powers of ten where the values span more than one.
    """
    values = np.concatenate([one.ys for one in series])
    values = values[np.isfinite(values)]
    if not len(values):
        words = Words(LEFT, HEIGHT / 2, "not measured", 13, "quiet")
        return Drawing(WIDTH, HEIGHT, f"{about}: not measured", (Words(0, 16, title, 14, bold=True), words))
    logarithmic = bool(powers and values.min() > 0 and values.max() > 20 * values.min())
    bottom, top = (values.min() / 1.5, values.max() * 1.5) if logarithmic else (0.0, max(values.max() * 1.06, 1e-9))
    last = max(float(one.xs[-1]) for one in series)
    place = _Places(bottom, top, last, logarithmic)
    shapes: list[Line | Words] = [Words(0, 16, title, 14, bold=True)]
    shapes += _axes(place, form)
    for one in sorted(series, key=lambda one: one.bold):
        shapes += _curve(one, place)
        if ends and one.bold and math.isfinite(one.ys[-1]):
            x, y = place(float(one.xs[-1]), float(one.ys[-1]))
            shapes.append(Words(x + 7, y + 4, form.format(one.ys[-1]), 12, bold=True))
    return Drawing(WIDTH, HEIGHT, about, tuple(shapes))


@dataclass(frozen=True)
class _Places:
    """From epochs and values to places on the sheet."""

    bottom: float
    top: float
    last: float
    logarithmic: bool

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        """Place a point."""
        share = (y - self.bottom) / (self.top - self.bottom)
        if self.logarithmic:
            share = math.log(y / self.bottom) / math.log(self.top / self.bottom)
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + width * x / self.last, TOP + height * (1 - share)

    def levels(self) -> list[float]:
        """Give the values that are marked."""
        if not self.logarithmic:
            return ticks(self.bottom, self.top)
        powers = range(math.floor(math.log10(self.bottom)), math.ceil(math.log10(self.top)) + 1)
        return [level for level in (10.0**power for power in powers) if self.bottom <= level <= self.top]


def _axes(place: _Places, form: str) -> list[Line | Words]:
    """Draw a rule at each round value, and the epochs below."""
    shapes: list[Line | Words] = []
    for level in place.levels():
        left, y = place(0, level)
        shapes.append(Line(((left, y), (WIDTH - RIGHT, y)), "rule"))
        shapes.append(Words(left - 7, y + 4, form.format(level), 12, "quiet", "end"))
    base = HEIGHT - BOTTOM
    epochs = sorted({round(epoch) for epoch in ticks(0, place.last) if round(epoch) >= 1} or {round(place.last)})
    for epoch in epochs:
        x = LEFT + (WIDTH - LEFT - RIGHT) * epoch / place.last
        shapes.append(Line(((x, base), (x, base + 4)), "quiet"))
        shapes.append(Words(x, base + 18, f"{epoch:,}", 12, "quiet", "middle"))
    shapes.append(Line(((LEFT, base), (WIDTH - RIGHT, base)), "quiet"))
    shapes.append(Words(WIDTH - RIGHT, base + 34, "epoch", 12, "quiet", "end"))
    return shapes


def _curve(one: Series, place: _Places) -> list[Line | Words]:
    """Draw a curve, interrupted where nothing was measured; a value that stands alone is a dot."""
    shapes: list[Line | Words] = []
    known = np.isfinite(one.ys) & (~np.array(place.logarithmic) | (one.ys > 0))
    breaks = np.flatnonzero(np.diff(known.astype(int))) + 1
    colour, dash = SERIES[one.number % len(SERIES)], DASHES[one.number % len(DASHES)]
    for part in np.split(np.arange(len(known)), breaks):
        if known[part[0]]:
            points = tuple(place(float(one.xs[at]), float(one.ys[at])) for at in part)
            look = (2.4, dash, 1.0) if one.bold else (1.2, dash, 0.75)
            shapes.append(Line(points, colour, *look))
    return shapes

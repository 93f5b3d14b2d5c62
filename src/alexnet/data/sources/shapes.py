"""Ten classes of drawn pictures, for the demo and the tests: no download, the same on every machine.

Five are told apart by shape, three by the direction of a texture, two by the colour of soft blobs, so that the first
layer of a network that learns them has a use for gratings and for colour blobs, as in Figure 3 of the paper. Place,
size, turn, colours, contrast, background and noise vary; no class is mirrored into another.
"""

import colorsys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.random import Generator

from alexnet.data.sources import Example
from alexnet.errors import UsageError

VERSION = 1
Plane = Float32[np.ndarray, "side side"]
Colour = Float32[np.ndarray, "3 1 1"]
Canvas = Float32[np.ndarray, "3 side side"]
Paint = Float32[np.ndarray, "3 _ _"]  # a colour or a canvas


@cache
def _grid(side: int) -> tuple[Plane, Plane]:
    """Coordinates of the pixels' centres, from -1 to 1: to the right, and down."""
    steps = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1).astype(np.float32)
    x, y = np.meshgrid(steps, steps)
    return x, y


def _colour(chance: Generator, hue: float, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    red_green_blue = colorsys.hsv_to_rgb(hue % 1, chance.uniform(*saturation), chance.uniform(*value))
    return np.array(red_green_blue, np.float32)[:, None, None]


def _mix(canvas: Paint, colour: Paint, cover: Plane) -> Canvas:
    """Lay a colour over the canvas, where and as far as `cover` (0 to 1) says."""
    return canvas + cover * (colour - canvas)


def _wave(x: Plane, y: Plane, direction: float, period: float, phase: float, sharpness: float) -> Plane:
    """Draw stripes from -1 to 1 that follow one another along `direction`; sine waves, or sharper, to bars."""
    right, down = np.array([np.cos(direction), np.sin(direction)], np.float32) * np.float32(2 * np.pi / period)
    wave = np.sin(x * right + y * down + np.float32(phase))
    return np.asarray(np.tanh(wave * np.float32(sharpness)) / np.float32(np.tanh(sharpness)), np.float32)


def _background(chance: Generator, x: Plane, y: Plane) -> Canvas:
    """Paint two muted colours that run into each other, along a direction, with soft clouds between."""
    hue = chance.random()
    first = _colour(chance, hue, (0.1, 0.6), (0.15, 0.85))
    second = _colour(chance, hue + chance.normal(0, 0.15), (0.1, 0.6), (0.15, 0.85))
    direction, tilt = chance.uniform(0, 2 * np.pi), chance.uniform(0.2, 0.6)
    cover = 0.5 + tilt * (x * np.float32(np.cos(direction)) + y * np.float32(np.sin(direction)))
    cover += 0.15 * _wave(x, y, chance.uniform(0, np.pi), chance.uniform(1, 2.5), chance.uniform(0, 6.3), 0.5)
    return _mix(first, second, cover.clip(0, 1).astype(np.float32))


def _disc(u: Plane, v: Plane) -> Plane:
    return np.hypot(u, v) - 0.9


def _ring(u: Plane, v: Plane) -> Plane:
    return np.abs(np.hypot(u, v) - 0.72) - 0.24


def _square(u: Plane, v: Plane) -> Plane:
    return np.maximum(np.abs(u), np.abs(v)) - 0.8


def _triangle(u: Plane, v: Plane) -> Plane:
    return np.maximum(np.abs(u) * np.float32(0.866) - v * np.float32(0.5), v) - 0.5


def _cross(u: Plane, v: Plane) -> Plane:
    u, v = np.abs(u), np.abs(v)
    return np.maximum(np.maximum(u, v) - 0.95, np.minimum(u, v) - 0.3)


def _shape(chance: Generator, canvas: Canvas, x: Plane, y: Plane, distance: Callable[[Plane, Plane], Plane]) -> Canvas:
    """Draw a shape, given as the signed distance to its edge, somewhere, at some size and turn, on its soft shadow."""
    size, turn = chance.uniform(0.38, 0.72), chance.uniform(0, 2 * np.pi)
    left, top = chance.uniform(size - 0.95, 0.95 - size, 2)
    cos, sin = np.float32(np.cos(turn) / size), np.float32(np.sin(turn) / size)
    away_x, away_y = x - np.float32(left), y - np.float32(top)
    depth = distance(cos * away_x + sin * away_y, cos * away_y - sin * away_x) * np.float32(size * len(x) / 2)  # pixels
    paint = _contrasting(chance, canvas)
    shade = (0.5 - depth / np.float32(0.16 * len(x))).clip(0, 1) * np.float32(chance.uniform(0, 0.45))
    canvas = canvas * (1 - shade)
    if chance.random() < 0.5:  # lit from one side
        paint = paint * (1 + np.float32(chance.uniform(0.15, 0.35)) * (away_x * cos + away_y * sin))
    canvas = _mix(canvas, paint, (0.5 - depth).clip(0, 1))
    if chance.random() < 0.4:  # an outline
        edge = (1.2 - np.abs(depth)).clip(0, 1) * np.float32(chance.uniform(0.4, 0.9))
        canvas = _mix(canvas, np.full((3, 1, 1), float(chance.random() < 0.5), np.float32), edge)
    return canvas


def _contrasting(chance: Generator, canvas: Canvas) -> Colour:
    """Choose a colour of any hue that stands out from the mean of the canvas."""
    mean = canvas.mean((1, 2), keepdims=True)
    choices = [_colour(chance, chance.random(), (0.3, 1.0), (0.2, 1.0)) for _ in range(4)]
    return max(choices, key=lambda colour: float(np.abs(colour - mean).sum()) * chance.uniform(0.5, 1))


def _stripes(chance: Generator, canvas: Canvas, x: Plane, y: Plane, direction: float) -> Canvas:
    """Cover the canvas, or a round part of it, with stripes of two colours."""
    period = 2 / len(x) * float(np.exp(chance.uniform(np.log(4), np.log(14))))  # 4 to 14 pixels
    direction += chance.normal(0, np.radians(5))
    wave = 0.5 + 0.5 * _wave(x, y, direction, period, chance.uniform(0, 2 * np.pi), float(chance.choice([0.4, 1.5, 4])))
    hue = chance.random()
    first = _colour(chance, hue, (0.2, 1.0), (0.55, 1.0))
    second = _colour(chance, hue + chance.choice([0.08, 0.33, 0.5]), (0.2, 1.0), (0.05, 0.6))
    painted = _mix(first, second, wave.astype(np.float32))
    cover = np.full(x.shape, np.float32(chance.uniform(0.5, 1)))
    if chance.random() < 0.6:  # a window with a soft rim
        left, top = chance.uniform(-0.35, 0.35, 2).astype(np.float32)
        radius, rim = chance.uniform(0.5, 0.9), chance.uniform(0.05, 0.4)
        cover *= (0.5 - (np.hypot(x - left, y - top) - np.float32(radius)) / np.float32(rim)).clip(0, 1)
    return _mix(canvas, painted, cover)


def _blobs(chance: Generator, canvas: Canvas, x: Plane, y: Plane, hue: float) -> Canvas:
    """Scatter soft spots of colours near one hue: round ones, the last in front."""
    for _ in range(chance.integers(4, 9)):
        left, top = chance.uniform(-0.85, 0.85, 2).astype(np.float32)
        radius = np.float32(chance.uniform(0.1, 0.36))
        spot = np.exp(-((((x - left) ** 2 + (y - top) ** 2) / radius**2) ** int(chance.choice([1, 2]))))
        paint = _colour(chance, hue + chance.uniform(-0.1, 0.1), (0.6, 1.0), (0.6, 1.0))
        canvas = _mix(canvas, paint, spot * np.float32(chance.uniform(0.75, 1)))
    return canvas


DIAGONAL = np.pi / 4
WARM, COOL = 0.04, 0.55
# What draws each class on its background.
DRAW: dict[str, Callable[[Generator, Canvas, Plane, Plane], Canvas]] = {
    "disc": lambda chance, canvas, x, y: _shape(chance, canvas, x, y, _disc),
    "ring": lambda chance, canvas, x, y: _shape(chance, canvas, x, y, _ring),
    "square": lambda chance, canvas, x, y: _shape(chance, canvas, x, y, _square),
    "triangle": lambda chance, canvas, x, y: _shape(chance, canvas, x, y, _triangle),
    "cross": lambda chance, canvas, x, y: _shape(chance, canvas, x, y, _cross),
    "stripes-horizontal": lambda chance, canvas, x, y: _stripes(chance, canvas, x, y, 2 * DIAGONAL),
    "stripes-vertical": lambda chance, canvas, x, y: _stripes(chance, canvas, x, y, 0.0),
    "stripes-diagonal": lambda chance, canvas, x, y: _stripes(chance, canvas, x, y, chance.choice([-1, 1]) * DIAGONAL),
    "blobs-warm": lambda chance, canvas, x, y: _blobs(chance, canvas, x, y, WARM),
    "blobs-cool": lambda chance, canvas, x, y: _blobs(chance, canvas, x, y, COOL),
}
CLASSES = list(DRAW)
MIN_COUNT = 16


def draw(label: int, side: int, seed: int, index: int) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """Draw picture `index` of the set `seed`, of class `label`."""
    chance = np.random.default_rng([seed, index])
    x, y = _grid(side)
    canvas = DRAW[CLASSES[label]](chance, _background(chance, x, y), x, y)
    noise = chance.standard_normal(canvas.shape, np.float32) * np.float32(chance.uniform(0.01, 0.05))
    picture = ((canvas + noise).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(picture.transpose(1, 2, 0))


class Shapes:
    """The drawn set: three quarters for training, an eighth each for validation and test, classes in turns.

    Args:
        path: Not used: this source has no files.
        count: Pictures in all.
        side: Of the pictures, in pixels.
        seed: Another seed draws another set.

    Raises:
        UsageError: If `count` or `side` is too small to hold all classes.
    """

    default_side = 64

    def __init__(self, path: Path | None = None, *, count: int = 4000, side: int = default_side, seed: int = 0) -> None:
        if path is not None:
            raise UsageError(f"shapes are drawn, not read: leave out {path}")
        if count < MIN_COUNT:
            raise UsageError(f"count must be {MIN_COUNT} or more, not {count}: training needs every class")
        if side < 16:
            raise UsageError(f"side must be 16 or more for shapes to be seen, not {side}")
        if seed < 0:
            raise UsageError(f"seed must be 0 or more, not {seed}")
        self.side, self.seed = side, seed
        self.classes = list(CLASSES)
        self.splits = {"train": count - 2 * (count // 8), "val": count // 8, "test": count // 8}
        self.fingerprint: dict[str, Any] = {"version": VERSION, "count": count, "side": side, "seed": seed}
        self.skipped: list[tuple[str, str]] = []

    def examples(self) -> Iterator[Example]:
        """Draw the pictures, one after another."""
        index = 0
        for split, count in self.splits.items():
            for within in range(count):
                label = within % len(CLASSES)
                picture = draw(label, self.side, self.seed, index)
                yield Example(picture, label, split, f"{self.classes[label]}-{index:06d}")
                index += 1

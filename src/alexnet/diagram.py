"""A network as a figure, drawn from its description (Figure 2): boxes of maps, towers, and where they meet.

Each box is what a layer with weights gives, before it is pooled, with its side and maps written as in the paper; lines
run from the kernel to the value that it makes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from alexnet.architectures import Architecture
from alexnet.drawing import Area, Drawing, Line, Point, Words
from alexnet.layers import Activation, AdaptivePool, Convolution, Dropout, FullyConnected, Layer, Pool, ResponseNorm

Shape = Line | Area | Words
MARGIN, GAP, HEAD, NOTE = 26.0, 58.0, 34.0, 15.0
LEAST_COLUMN = 104.0  # room for what is written below
SLANT_X, SLANT_Y = 0.4, 0.3  # of a box's side, drawn backwards


@dataclass(frozen=True)
class Stage:
    """One column of the figure.

    Attributes:
        name: Of the layer.
        boxes: How many towers share it.
        depth: Maps or units of each box.
        side: Of the maps; 0 for units.
        kernel: Side of the kernels that make it; 0 where all is connected.
        meets: Whether each box sees all boxes before it.
        notes: What else is done, as `stride of 4`.
    """

    name: str
    boxes: int
    depth: int
    side: int
    kernel: int
    meets: bool
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> float:
        """Of a box's front."""
        return 4 + 2.1 * self.depth**0.5 if self.side else 12.0

    @property
    def height(self) -> float:
        """Of a box's front: the root of the side, so that small maps can still be seen."""
        return 10 + 9.0 * self.side**0.5 if self.side else 24 + 1.7 * self.depth**0.5

    @property
    def slant(self) -> Point:
        """How far a box reaches backwards, to the right and up."""
        return (SLANT_X * self.height, SLANT_Y * self.height) if self.side else (6.0, 5.0)

    @property
    def size(self) -> Point:
        """Room of a box, its back included."""
        return self.width + self.slant[0], self.height + self.slant[1]


def stages(architecture: Architecture) -> list[Stage]:
    """Find the columns of the figure: the picture, and each layer with weights with what follows it."""
    towers = architecture.towers
    found = [Stage("input", 1, 3, architecture.input_side, 0, False)]
    rows = architecture.rows()
    for place, row in enumerate(rows):
        layer = row.layer
        if not isinstance(layer, Convolution | FullyConnected):
            continue
        # The scores are one column, and so is what no number of towers divides.
        last = row is rows[-1] or row.output[0] % towers
        boxes = 1 if last else towers
        notes = _about(layer)
        for follower in rows[place + 1 :]:
            if isinstance(follower.layer, Convolution | FullyConnected):
                break
            notes += _note(follower.layer)
        kernel, side = (layer.kernel, row.output[1]) if isinstance(layer, Convolution) else (0, 0)
        meets = layer.towers == 1
        found.append(Stage(layer.name, boxes, row.output[0] // boxes, side, kernel, meets, tuple(notes)))
    return found


def _about(layer: Convolution | FullyConnected) -> list[str]:
    """Tell of a layer with weights what its box does not show."""
    if isinstance(layer, FullyConnected):
        return ["dense"]
    kernels = f"{layer.kernel}×{layer.kernel} kernels"
    return [kernels, *(["unshared"] * (not layer.shared)), *([f"stride of {layer.stride}"] * (layer.stride > 1))]


def _note(layer: Layer) -> list[str]:
    """Tell what a layer without weights does, where it is worth a word."""
    match layer:
        case Pool():
            return [f"{layer.kind} pooling"]
        case ResponseNorm():
            return ["response norm" if layer.over == "maps" else "norm in maps"]
        case AdaptivePool():
            return [f"average to {layer.side}×{layer.side}"]
        case Dropout():
            return ["dropout"]
        case Activation(kind="tanh"):
            return ["tanh"]
        case _:
            return []


def diagram(architecture: Architecture) -> Drawing:
    """Draw a network: towers one above the other, layers without towers in one row (Figure 2)."""
    columns = stages(architecture)
    rows = max(stage.boxes for stage in columns)
    tall = [stage for stage in columns if stage.boxes == rows]
    row_height = max(stage.size[1] for stage in tall) + (44 if rows > 1 else 24)
    body = max(rows * row_height, max(stage.size[1] for stage in columns) + 24)
    lefts, x = [], MARGIN + 22
    for stage in columns:
        lefts.append(x)
        x += max(stage.size[0] + GAP, LEAST_COLUMN)
    width = x - GAP + MARGIN + 20
    boxes = [
        [_Box(stage, left, HEAD + body * (number + 0.5) / stage.boxes) for number in range(stage.boxes)]
        for stage, left in zip(columns, lefts, strict=True)
    ]
    shapes: list[Shape] = [Words(MARGIN, 22, _title(architecture), 14, bold=True)]
    for column in boxes:
        shapes += [shape for box in column for shape in box.shapes()]
    for before, after in pairwise(boxes):
        shapes += _connections(before, after)
    base = HEAD + body + 22
    for stage, left in zip(columns, lefts, strict=True):
        middle = left + stage.size[0] / 2
        shapes.append(Words(middle, base, stage.name, 13, anchor="middle", bold=True))
        shapes += [
            Words(middle, base + NOTE * number, note, 11.5, "quiet", "middle")
            for number, note in enumerate(stage.notes, start=1)
        ]
    height = base + NOTE * max(len(stage.notes) for stage in columns) + 16
    return Drawing(width, height, told(architecture), tuple(shapes))


def _title(architecture: Architecture) -> str:
    towers = f", {architecture.towers} towers" if architecture.towers > 1 else ""
    return f"{architecture.name}: {architecture.parameters:,} parameters{towers}"


def told(architecture: Architecture) -> str:
    """Tell the figure in words, for those who do not see it."""
    parts = []
    for stage in stages(architecture):
        size = f"{stage.side} by {stage.side} by {stage.depth}" if stage.side else f"{stage.depth}"
        parts.append(f"{stage.name} {size}" + (f" in each of {stage.boxes} towers" if stage.boxes > 1 else ""))
    return f"The network {architecture.name}: {'; '.join(parts)}"


@dataclass(frozen=True)
class _Box:
    """A box in its place: its left edge, and its middle between top and bottom, the back included."""

    stage: Stage
    left: float
    middle: float

    @property
    def top(self) -> float:
        """Upper edge of the front."""
        return self.middle - self.stage.size[1] / 2 + self.stage.slant[1]

    def shapes(self) -> Iterator[Shape]:
        """Draw front, top and right side, and write the sizes as the paper does."""
        stage, left, top = self.stage, self.left, self.top
        right, bottom = left + stage.width, top + stage.height
        yield from _cuboid(left, top, stage.width, stage.height, stage.slant)
        yield Words((left + right) / 2, bottom + 15, str(stage.depth), 12, anchor="middle")
        if stage.side:
            yield Words(left - 4, bottom - 3, str(stage.side), 12, anchor="end")
            yield Words(left + stage.slant[0] / 2 - 5, top - stage.slant[1] / 2 - 2, str(stage.side), 12, anchor="end")

    def kernel(self, side: int) -> tuple[float, float, float, float, Point]:
        """Place a kernel within the box: left, top, width, height and slant."""
        stage = self.stage
        part = min(1.0, (side / stage.side) ** 0.6)
        height, slant = part * stage.height, (part * stage.slant[0], part * stage.slant[1])
        left = self.left + (stage.slant[0] - slant[0]) * 0.55
        top = self.middle + slant[1] / 2 - height / 2
        return left, top, stage.width, height, slant

    @property
    def entrance(self) -> Point:
        """Where lines end in the box."""
        return self.left + self.stage.width / 2, self.middle + self.stage.slant[1] / 2


def _cuboid(left: float, top: float, width: float, height: float, slant: Point, fill: bool = True) -> Iterator[Shape]:
    """Draw a box seen from the front, left of it and from above."""
    right, bottom, (dx, dy) = left + width, top + height, slant
    front = ((left, top), (right, top), (right, bottom), (left, bottom))
    roof = ((left, top), (left + dx, top - dy), (right + dx, top - dy), (right, top))
    flank = ((right, top), (right + dx, top - dy), (right + dx, bottom - dy), (right, bottom))
    for points, shade in ((front, "face"), (roof, "face"), (flank, "side")):
        yield Area(points, shade, "ink") if fill else Line((*points, points[0]), "one", 1.1)


def _connections(before: list[_Box], after: list[_Box]) -> Iterator[Shape]:
    """Draw lines from what is seen to what it makes: within a tower, or from all to all where they meet."""
    stage = after[0].stage
    for number, box in enumerate(before):
        if stage.kernel:
            left, top, width, height, slant = box.kernel(stage.kernel)
            yield from _cuboid(left, top, width, height, slant, fill=False)
            right = left + width + slant[0]
            ends = ((right, top - slant[1]), (right - slant[0], top + height))
        else:
            right = box.left + box.stage.size[0]
            ends = ((right, box.top - box.stage.slant[1]), (right - box.stage.slant[0], box.top + box.stage.height))
        seen = after if stage.meets or len(before) != len(after) else [after[number]]
        for other in seen:
            for end in ends:
                yield Line((end, other.entrance), "one", 0.9, (4, 3), 0.8)

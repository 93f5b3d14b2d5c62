"""Drawings of lines, areas and words, described once and written as SVG or PNG.

Colours are named by what they are for; each has a shade for light and one for dark surroundings.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from alexnet.durable import atomic_file, write_atomic
from alexnet.errors import UsageError, printable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

Point = tuple[float, float]
# By name: on light, on dark. `one` … `seven` are Okabe and Ito's, which colour-blind readers can tell apart, made
# lighter on dark; their yellow is too light for a line on white.
SHADES = {
    "paper": ("#ffffff", "#16181b"),
    "ink": ("#1c1c1c", "#ececec"),
    "quiet": ("#595959", "#a9afb6"),
    "rule": ("#d9d9d9", "#3d434a"),
    "face": ("#eef4f8", "#22303a"),
    "side": ("#d5e3ec", "#2c3f4d"),
    "one": ("#0072b2", "#56b4e9"),
    "two": ("#d55e00", "#f0955a"),
    "three": ("#009e73", "#2fc79b"),
    "four": ("#b5518b", "#e79bc8"),
    "five": ("#56b4e9", "#9ad6fb"),
    "six": ("#b07a00", "#e6b93c"),
    "seven": ("#000000", "#ffffff"),
}
SERIES = ("one", "two", "three", "four", "five", "six", "seven")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
DPI = 144  # of a PNG: two of its pixels for one of the drawing


@dataclass(frozen=True)
class Line:
    """A line through some points; one point alone makes a dot."""

    points: tuple[Point, ...]
    stroke: str = "ink"
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0


@dataclass(frozen=True)
class Area:
    """A filled shape with an outline."""

    points: tuple[Point, ...]
    fill: str = "face"
    stroke: str = "ink"
    opacity: float = 1.0


@dataclass(frozen=True)
class Words:
    """A line of text at its baseline."""

    left: float
    base: float
    text: str
    size: float = 12.0
    fill: str = "ink"
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


@dataclass(frozen=True)
class Drawing:
    """Shapes, the later ones in front, on a sheet whose places are counted from its top left corner.

    Attributes:
        width: Of the sheet.
        height: Of the sheet.
        about: What it shows, in words, for those who do not see it; nothing if it only adorns.
        shapes: What is drawn.
    """

    width: float
    height: float
    about: str
    shapes: tuple[Line | Area | Words, ...]

    def svg(self) -> str:
        """Give the element `svg` for a page that has `style_rules()` among its styles."""
        told = f'role="img" aria-label="{_text(self.about)}"' if self.about else 'aria-hidden="true"'
        width, height = _number(self.width), _number(self.height)
        head = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" {told}'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {head}>{"".join(map(_svg, self.shapes))}</svg>'

    def save(self, path: Path) -> None:
        """Write an SVG, which suits itself to light and dark, or a PNG on white, as the name's ending asks.

        Raises:
            UsageError: If it ends otherwise, or matplotlib is not installed, which draws PNGs.
            AlexNetError: If the file cannot be written.
        """
        if path.suffix.lower() == ".svg":
            sheet = Area(((0, 0), (self.width, 0), (self.width, self.height), (0, self.height)), "paper", "paper")
            body = Drawing(self.width, self.height, self.about, (sheet, *self.shapes)).svg()
            start, rest = body.split(">", 1)
            write_atomic(path, f"{start}><style>{style_rules()}</style>{rest}\n".encode())
        elif path.suffix.lower() == ".png":
            _save_png(self, path)
        else:
            raise UsageError(f"{path} would be no picture: end its name in .svg or .png")


def style_rules(dark: bool = True) -> str:
    """Give the styles of the shapes' classes, for light surroundings and, where these are, for dark ones."""

    def rules(column: int) -> str:
        return "".join(
            f".s-{name}{{stroke:{shades[column]}}}.f-{name}{{fill:{shades[column]}}}" for name, shades in SHADES.items()
        )

    text = f"svg text{{font-family:{FONT}}}svg polyline{{fill:none;stroke-linecap:round;stroke-linejoin:round}}"
    return text + rules(0) + (f"@media screen and (prefers-color-scheme:dark){{{rules(1)}}}" if dark else "")


def _number(value: float) -> str:
    """Write a coordinate shortly."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _text(words: str) -> str:
    """Escape words; what XML has no place for is written out."""
    return escape(printable(words))


def _svg(shape: Line | Area | Words) -> str:
    """Write one shape."""
    if isinstance(shape, Words):
        weight = ' font-weight="700"' if shape.bold else ""
        anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
        place = f'x="{_number(shape.left)}" y="{_number(shape.base)}" font-size="{_number(shape.size)}"'
        return f'<text class="f-{shape.fill}" {place}{weight}{anchor}>{_text(shape.text)}</text>'
    faint = "" if shape.opacity == 1 else f' opacity="{shape.opacity:g}"'
    if isinstance(shape, Area):
        return f'<polygon class="f-{shape.fill} s-{shape.stroke}" points="{_points(shape.points)}"{faint}/>'
    if len(shape.points) == 1:
        ((x, y),) = shape.points
        radius = _number(1 + shape.width)
        return f'<circle class="f-{shape.stroke}" cx="{_number(x)}" cy="{_number(y)}" r="{radius}"{faint}/>'
    dash = f' stroke-dasharray="{" ".join(map(_number, shape.dash))}"' if shape.dash else ""
    look = f'stroke-width="{_number(shape.width)}"{dash}{faint}'
    return f'<polyline class="s-{shape.stroke}" points="{_points(shape.points)}" {look}/>'


def _save_png(drawing: Drawing, path: Path) -> None:
    """Draw with matplotlib, in the shades for light surroundings."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        way_out = "pip install 'alexnet[plot]', or end the name in .svg"
        raise UsageError(f"{path.name} needs matplotlib: {way_out}") from error
    with rc_context({"font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(drawing.width / 72, drawing.height / 72), dpi=DPI)
        for order, shape in enumerate(drawing.shapes):
            one = _artist(figure, shape, drawing)
            one.set_zorder(order)
        with atomic_file(path) as stream:
            figure.savefig(stream, format="png", metadata={"Software": None})


def _artist(figure: "Figure", shape: Line | Area | Words, drawing: Drawing) -> "Artist":
    """Put a shape on a figure of matplotlib, whose places are shares from its lower left corner."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon

    def place(x: float, y: float) -> Point:
        return x / drawing.width, 1 - y / drawing.height

    if isinstance(shape, Words):
        look: Any = {"weight": "bold" if shape.bold else "normal", "color": SHADES[shape.fill][0], "parse_math": False}
        look["ha"] = {"start": "left", "middle": "center", "end": "right"}[shape.anchor]
        # DejaVu is wider than what pages are set in.
        return figure.text(*place(shape.left, shape.base), shape.text, size=shape.size * 0.92, **look)
    points = [place(*point) for point in shape.points]
    if isinstance(shape, Area):
        look = {"facecolor": SHADES[shape.fill][0], "edgecolor": SHADES[shape.stroke][0], "alpha": shape.opacity}
        return figure.add_artist(Polygon(points, linewidth=1, transform=figure.transFigure, **look))
    look = {"color": SHADES[shape.stroke][0], "alpha": shape.opacity, "linewidth": shape.width}
    look |= {"linestyle": (0, shape.dash)} if shape.dash else {}
    look |= {"marker": "o", "markersize": 2 * (1 + shape.width)} if len(points) == 1 else {}
    xs, ys = zip(*points, strict=True)
    return figure.add_artist(Line2D(xs, ys, transform=figure.transFigure, **look))

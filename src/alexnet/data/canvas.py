"""A PNG with pictures and words at pixel places: the one look of all sheets that are drawn of a store."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from alexnet.durable import atomic_file
from alexnet.errors import UsageError, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 144
INK, QUIET = "#222222", "#6b6b6b"
# Sizes of type in points, at two pixels each, and the measures of a sheet made for a phone: half its width in points.
TITLE, HEADING, LABEL = 14, 11, 9.5
SHEET_PX, MARGIN_PX, GAP_PX, LINE_PX = 1080, 24, 6, 28


def short_class(name: str) -> str:
    """Leave out the WordNet number that a class's name begins with, if there is a name after it."""
    return re.sub(r"^n\d{8}[-_ ]+(?=.)", "", name)


def refuse_other_than_png(path: Path) -> None:
    """Refuse a name under which nobody would look for a PNG.

    Raises:
        UsageError: If `path` does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path} would hold a PNG: end its name in .png")


@dataclass(frozen=True)
class Canvas:
    """A sheet in the making; places are pixels from its top left corner."""

    figure: "Figure"

    def write(self, left: float, top: float, words: str, room: float = 0, keep_end: bool = False, **look: Any) -> None:
        """Write words on a line, taken as they are.

        Args:
            left: Where they begin (or end, or have their middle, with `ha`).
            top: Their baseline (or another line of theirs, with `va`).
            words: What to write.
            room: How many pixels there are for it; what does not fit is cut off with an ellipsis. 0 cuts nothing.
            keep_end: Cut at the beginning: names of files differ at their end.
            look: As matplotlib names it.
        """
        width, height = self.figure.get_size_inches() * DPI
        place = (left / width, 1 - top / height)
        text = self.figure.text(*place, printable(words), parse_math=False, **{"va": "baseline", **look})
        letters = text.get_text()
        while room and letters and text.get_window_extent().width > room:
            # In steps near to what is too much, so that long names cost no more than short ones.
            share = room / text.get_window_extent().width
            kept = min(len(letters) - 1, int(len(letters) * share) + 1)
            letters = letters[len(letters) - kept :] if keep_end else letters[:kept]
            text.set_text("…" + letters.lstrip() if keep_end else letters.rstrip() + "…")

    def show(
        self, left: int, top: int, picture: UInt8[np.ndarray, "h w 3"], width: int, height: int | None = None
    ) -> None:
        """Put a picture, scaled to `width` × `height` (a square without it), pixel on pixel of the PNG."""
        size = (width, height or width)
        cell = Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.BICUBIC)
        below = round(self.figure.get_size_inches()[1] * DPI) - top - size[1]
        self.figure.figimage(np.asarray(cell), left, below)


@contextmanager
def canvas(path: Path, width: int, height: int) -> Iterator[Canvas]:
    """Give an empty white sheet, and write it to `path` at the end; the same bytes for the same content.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    refuse_other_than_png(path)
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(f"{path.name} needs matplotlib: pip install 'alexnet[plot]'") from error
    # DejaVu comes with matplotlib: the same picture everywhere. What it has no letters for is drawn as boxes.
    with rc_context({"font.family": "DejaVu Sans", "font.size": LABEL, "text.color": INK}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        FigureCanvasAgg(figure)  # measures words
        yield Canvas(figure)
        with atomic_file(path) as stream:
            figure.savefig(
                stream, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 3}
            )  # a third of the time for 7 % more bytes

"""Pictures and the training pictures nearest to them, as a sheet (Figure 4, right), with the nearest by pixels below.

The paper shows the first only and says of the second that it would not retrieve them (§6.1); here both can be seen.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alexnet.data.canvas import GAP_PX, HEADING, LABEL, LINE_PX, MARGIN_PX, QUIET, SHEET_PX, Canvas, canvas, short_class
from alexnet.data.contact import write_head
from alexnet.neighbors import SHOWN, Match, Neighbor

# Of Okabe and Ito's colours, which colour-blind readers can tell apart.
SAME, OTHER = "#0072B2", "#D55E00"
QUERY_GAP_PX, FRAME_PX = 30, 5
CELL_PX = (SHEET_PX - 2 * MARGIN_PX - QUERY_GAP_PX - (SHOWN - 1) * GAP_PX) // (SHOWN + 1)
ROW_PX = LINE_PX + CELL_PX + 2 * LINE_PX + 4  # what is compared; pictures; class and distance
MATCH_PX = 2 * ROW_PX + LINE_PX + 6


def column_left(column: int) -> int:
    """Give the left edge of a neighbor's column, in pixels."""
    return MARGIN_PX + CELL_PX + QUERY_GAP_PX + column * (CELL_PX + GAP_PX)


def head_height(lines: int) -> int:
    """Give the room above the first block, in pixels, below a title and so many lines."""
    return 82 + lines * (LINE_PX + 2)


def agreement(matches: Sequence[Match]) -> tuple[int, int, int]:
    """Count neighbors of their query's class, by features and by pixels, and how many could be."""
    known = [match for match in matches if match.label is not None]
    shares = [
        sum(one.label == match.label for match in known for one in getattr(match, way))
        for way in ("neighbors", "by_pixels")
    ]
    return shares[0], shares[1], sum(len(match.neighbors) for match in known)


def draw_neighbors(
    path: Path, title: str, layer: str, matches: Sequence[Match], pictures: Sequence[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Draw a block for each query: its picture, the nearest by a layer, and below them the nearest by pixels.

    Args:
        path: The PNG.
        title: Its first line.
        layer: What was compared in the upper row.
        matches: What was found.
        pictures: For each of them, the pictures of `neighbors` and of `by_pixels`.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    lines = ["Left a picture; beside it the training pictures at the least Euclidean distance, nearest first."]
    by_features, by_pixels, all_of_them = agreement(matches)
    if all_of_them:
        lines.append("Blue: of the picture's class. Orange: of another one.")
        lines.append(f"Of its class are {by_features} of {all_of_them} by {layer}, {by_pixels} by pixels.")
    head = head_height(len(lines))
    height = head + len(matches) * MATCH_PX + MARGIN_PX
    with canvas(path, SHEET_PX, height) as sheet:
        write_head(sheet, title, *lines)
        for number, (match, (upper, lower)) in enumerate(zip(matches, pictures, strict=True)):
            top = head + number * MATCH_PX
            words = Path(match.query).name if match.label is None else short_class(match.label)
            look: Any = {"keep_end": match.label is None, "fontsize": HEADING, "fontweight": "bold"}
            sheet.write(MARGIN_PX, top + LINE_PX - 6, words, CELL_PX + QUERY_GAP_PX - GAP_PX, **look)
            sheet.show(MARGIN_PX, top + LINE_PX + 4, match.picture, CELL_PX)
            _draw_row(sheet, top, f"by {layer}", match, match.neighbors, upper)
            _draw_row(sheet, top + ROW_PX, "by pixels", match, match.by_pixels, lower)


def _draw_row(
    sheet: Canvas, top: int, words: str, match: Match, neighbors: Sequence[Neighbor], pictures: np.ndarray
) -> None:
    """Draw the nearest in one way, each framed and named in the colour of right or wrong."""
    sheet.write(column_left(0), top + LINE_PX - 6, words, color=QUIET, fontsize=LABEL)
    for column, (one, picture) in enumerate(zip(neighbors, pictures, strict=True)):
        left, upper = column_left(column), top + LINE_PX + 4
        colour = QUIET if match.label is None else SAME if one.label == match.label else OTHER
        if match.label is not None:
            rgb = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
            bar = np.broadcast_to(np.array(rgb, np.uint8), (FRAME_PX, CELL_PX, 3))
            sheet.show(left, upper + CELL_PX, bar, CELL_PX, FRAME_PX)
        sheet.show(left, upper, picture, CELL_PX)
        below = upper + CELL_PX + 26
        sheet.write(left, below, short_class(one.label), CELL_PX, color=colour, fontsize=LABEL)
        sheet.write(left, below + 22, f"{one.distance:,.4g}", CELL_PX, color=QUIET, fontsize=LABEL - 1)

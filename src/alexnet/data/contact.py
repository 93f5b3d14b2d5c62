"""A contact sheet of a store: one row of pictures per class, or many pictures of one class with their names."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from alexnet.data.canvas import (
    GAP_PX,
    HEADING,
    LABEL,
    LINE_PX,
    MARGIN_PX,
    QUIET,
    SHEET_PX,
    TITLE,
    Canvas,
    canvas,
)
from alexnet.data.choosing import sample
from alexnet.data.store import Store

CLASSES = 20  # rows of a sheet
COLUMNS = 6
PICTURES_OF_ONE = 48  # of a class that is shown alone
CELL_PX = (SHEET_PX - 2 * MARGIN_PX - (COLUMNS - 1) * GAP_PX) // COLUMNS
HEAD_PX, BAND_PX = 104, 40  # above the rows, and above each row for its name
ROW_PX = BAND_PX + CELL_PX + 14
NAMED_PX = CELL_PX + LINE_PX + GAP_PX  # a cell with its name below


def chosen_classes(store: Store, wanted: list[int]) -> list[int]:
    """Give the classes that have room on one sheet: of those wanted (none: all), some spread evenly."""
    labels = np.array(wanted or range(len(store.classes)))
    return labels[np.linspace(0, len(labels) - 1, min(CLASSES, len(labels))).round().astype(int)].tolist()


def draw_contact_sheet(store: Store, path: Path, split: str, wanted: list[int], seed: int) -> str:
    """Draw pictures of a split's classes, drawn by lot.

    Args:
        store: Its pictures are shown as stored.
        path: The PNG.
        split: Where the pictures come from.
        wanted: Labels of the classes; none are all. Of more than 20, 20 are shown.
        seed: Which pictures are drawn.

    Returns:
        What the sheet shows, in a few words.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    shown = chosen_classes(store, wanted)
    labels = store.splits[split].labels
    places = {label: np.flatnonzero(labels == label) for label in shown}
    if len(shown) == 1:
        return _draw_class(store, path, split, shown[0], places[shown[0]], seed)
    number = len(wanted) or len(store.classes)
    many = f"{len(shown)} of {number:,} classes, spread evenly" if number > len(shown) else f"{number} classes"
    words = f"{split}: {many}"
    with canvas(path, SHEET_PX, HEAD_PX + len(shown) * ROW_PX + MARGIN_PX - 14) as sheet:
        write_head(sheet, f"{store.path.resolve().name}: {split}", f"{many}; pictures drawn with seed {seed}")
        for row, label in enumerate(shown):
            top = HEAD_PX + row * ROW_PX
            count = f"{len(places[label]):,} pictures"
            sheet.write(MARGIN_PX, top + 28, store.classes[label], SHEET_PX - 200, fontsize=HEADING, fontweight="bold")
            sheet.write(SHEET_PX - MARGIN_PX, top + 28, count, ha="right", color=QUIET)
            drawn = sample(places[label], COLUMNS, seed)
            for column, picture in enumerate(store.splits[split].pictures(drawn)):
                sheet.show(column_left(column), top + BAND_PX, picture, CELL_PX)
    return words


def _draw_class(store: Store, path: Path, split: str, label: int, places: Int64[np.ndarray, "n"], seed: int) -> str:
    """Draw many pictures of one class, each with its name."""
    drawn = sample(places, PICTURES_OF_ONE, seed)
    many = f"{len(drawn)} of {len(places):,}" if len(drawn) < len(places) else f"all {len(places)}"
    rows = -(-len(drawn) // COLUMNS)
    with canvas(path, SHEET_PX, HEAD_PX + rows * NAMED_PX + MARGIN_PX) as sheet:
        about = f"{split} of {store.path.resolve().name}: {many} pictures; drawn with seed {seed}"
        write_head(sheet, store.classes[label], about)
        for cell, (place, picture) in enumerate(zip(drawn, store.splits[split].pictures(drawn), strict=True)):
            top, left = HEAD_PX + cell // COLUMNS * NAMED_PX, column_left(cell % COLUMNS)
            sheet.show(left, top, picture, CELL_PX)
            name = Path(store.splits[split].names[place]).name
            sheet.write(left, top + CELL_PX + 20, name, CELL_PX, True, color=QUIET, fontsize=LABEL - 1)
    return f"{split}: {many} pictures of {store.classes[label]}"


def column_left(column: int) -> int:
    """Give the left edge of a column, in pixels."""
    return MARGIN_PX + column * (CELL_PX + GAP_PX)


def write_head(sheet: Canvas, title: str, *lines: str) -> None:
    """Write what a sheet shows above its pictures."""
    room = SHEET_PX - 2 * MARGIN_PX
    sheet.write(MARGIN_PX, 46, title, room, fontsize=TITLE, fontweight="bold")
    for number, line in enumerate(lines, start=1):
        sheet.write(MARGIN_PX, 46 + number * (LINE_PX + 2), line, room, color=QUIET, fontsize=LABEL)

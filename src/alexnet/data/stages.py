"""Pictures on their way into a network, as two sheets: step by step, and as the batch that it is fed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from alexnet.data.canvas import GAP_PX, HEADING, LABEL, MARGIN_PX, QUIET, SHEET_PX, Canvas, canvas, short_class
from alexnet.data.chance import Chance, order
from alexnet.data.choosing import spread
from alexnet.data.contact import CELL_PX, COLUMNS, NAMED_PX, column_left, write_head
from alexnet.data.contact import HEAD_PX as BATCH_HEAD_PX
from alexnet.data.decode import UnreadablePicture, decode_file, fit, scale
from alexnet.data.feed import Feed
from alexnet.errors import DataError
from alexnet.paper import COLOUR_NOISE

PICTURES = 6  # rows of the table, where no photographs are given
BATCH = 48  # pictures of a batch that are drawn at most
HEAD_PX, BAND_PX, UNDER_PX = 196, 40, 62  # above all rows; above each, for its name; under each, for its sizes


@dataclass(frozen=True)
class Row:
    """One picture in all its stages, each of its own size, each with its name and what there is to say of it."""

    name: str
    stages: list[tuple[str, str, UInt8[np.ndarray, "_ _ 3"]]]


def rows_of_files(feed: Feed, files: list[Path]) -> list[Row]:
    """Take photographs through all stages, as `prepare` and then training would.

    Raises:
        DataError: If one cannot be read as a picture.
    """
    rows, side = [], feed.store.side
    for number, file in enumerate(files):
        try:
            photograph = decode_file(file)
        except UnreadablePicture as error:
            raise DataError(f"{file}: {error}") from error
        stored = fit(photograph, side)
        first = [("as it is", "", photograph), ("resized", f"short side {side}", scale(photograph, side))]
        (later,) = _later_stages(feed, stored[None], np.array([number]))
        rows.append(Row(file.name, [*first, ("centre crop", "as stored", stored), *later]))
    return rows


def rows_of_store(feed: Feed, split: str) -> list[Row]:
    """Take a few stored pictures of a split, of classes far apart, through the stages that are left to them."""
    part, classes = feed.store.splits[split], feed.store.classes
    places = spread(part.labels, PICTURES)
    stored = part.pictures(places)
    names = [classes[label] for label in part.labels[places]]
    told = zip(names, stored, _later_stages(feed, stored, places), strict=True)
    return [Row(name, [("as stored", "", picture), *later]) for name, picture, later in told]


def _later_stages(
    feed: Feed, stored: UInt8[np.ndarray, "n side side 3"], places: Int64[np.ndarray, "n"]
) -> list[list[tuple[str, str, UInt8[np.ndarray, "_ _ 3"]]]]:
    """Give, for each stored picture: with colour noise, in training twice, in testing."""
    first, second = (Chance(feed.recipe.seed, epoch, places) for epoch in (0, 1))
    shifts = [" ".join(f"{shift:+.0f}".replace("-", "−") for shift in row) for row in feed.shifts(first)]
    shifts = [words if any(row) else "no shift" for words, row in zip(shifts, feed.shifts(first), strict=True)]
    coloured = [("colour noise", shift, one) for shift, one in zip(shifts, feed.recoloured(stored, first), strict=True)]
    again = [("in training", "epoch 1", first), ("in training", "epoch 2", second)]
    trained = [[(name, epoch, one) for one in feed.in_training(stored, chance)] for name, epoch, chance in again]
    tested = [("in testing", "centre", one) for one in feed.in_testing(stored)]
    return [list(row) for row in zip(coloured, *trained, tested, strict=True)]


def draw_stages(feed: Feed, path: Path, files: list[Path], split: str) -> str:
    """Draw the stages of photographs or, where none are given, of some of a store's pictures, with their sizes.

    Args:
        feed: How pictures reach the network.
        path: The PNG.
        files: Photographs.
        split: Of the store, where there are no photographs.

    Returns:
        What the sheet shows, in a few words.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        DataError: If a photograph cannot be read.
        AlexNetError: If the file cannot be written.
    """
    rows = rows_of_files(feed, files) if files else rows_of_store(feed, split)
    noise = f"recipe {feed.name} has none, this is the paper's, {COLOUR_NOISE:g} (§4.1)"
    if feed.recipe.colour_noise:
        some, share = feed.recipe.colour_probability < 1, feed.recipe.colour_probability
        noise = f"{feed.recipe.colour_noise:g} (§4.1)" + (f" on {share:.0%} of the pictures" if some else "")
    lines = [feed.words(), f"Colour noise: {noise}; below it, the shift of R, G, B in grey levels."]
    if not files:
        lines.append(f"Of {split}: resized and cut when it was prepared; give photographs to see these steps too.")
    columns = len(rows[0].stages)
    cell = (SHEET_PX - 2 * MARGIN_PX - (columns - 1) * GAP_PX) // columns
    row_px = BAND_PX + cell + UNDER_PX
    with canvas(path, SHEET_PX, HEAD_PX + len(rows) * row_px) as sheet:
        write_head(sheet, f"From picture to input: {feed.store.path.resolve().name}", *lines)
        for column, (name, _, _) in enumerate(rows[0].stages):
            left = MARGIN_PX + column * (cell + GAP_PX)
            sheet.write(left, HEAD_PX - 12, name, cell, fontsize=LABEL, fontweight="bold")
        for number, row in enumerate(rows):
            _draw_row(sheet, row, HEAD_PX + number * row_px, cell)
    return f"the stages of some pictures of {split}" if not files else f"photographs and their stages: {len(files)}"


def _draw_row(sheet: Canvas, row: Row, top: int, cell: int) -> None:
    """Draw a picture's stages, each as large as its cell lets it be, with its size and more below."""
    sheet.write(MARGIN_PX, top + 28, row.name, SHEET_PX - 2 * MARGIN_PX, fontsize=HEADING, fontweight="bold")
    for column, (_, about, stage) in enumerate(row.stages):
        left, (height, width) = MARGIN_PX + column * (cell + GAP_PX), stage.shape[:2]
        shown_width, shown_height = (max(1, round(cell * length / max(height, width))) for length in (width, height))
        lower = (cell - shown_height) // 2  # upright and lying ones stand about the same middle
        sheet.show(left, top + BAND_PX + lower, stage, shown_width, shown_height)
        for line, words in enumerate((f"{width}×{height}", about)):
            below = top + BAND_PX + cell + 22 + 22 * line
            sheet.write(left, below, words, cell, color=QUIET, fontsize=LABEL - line)


def draw_batch(feed: Feed, path: Path) -> str:
    """Draw the first batch of a training as the network is fed it, with its labels.

    Args:
        feed: How pictures reach the network.
        path: The PNG.

    Returns:
        What the sheet shows, in a few words.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    split, seed, size = feed.store.splits["train"], feed.recipe.seed, feed.recipe.batch_size
    places = order(len(split), seed, 0)[:size]
    # The first of a batch look as they do in the whole of it.
    shown = places[:BATCH]
    fed = feed.in_training(split.pictures(shown), Chance(seed, 0, shown))
    many = f"{len(shown)} of its {len(places)} pictures" if len(shown) < len(places) else f"{len(places)} pictures"
    rows = -(-len(shown) // COLUMNS)
    with canvas(path, SHEET_PX, BATCH_HEAD_PX + 30 + rows * NAMED_PX + MARGIN_PX) as sheet:
        lines = (feed.words(), f"The first batch of epoch 1: {many}. The mean is put back, so that they can be seen.")
        write_head(sheet, f"What the network is fed: {feed.store.path.resolve().name}", *lines)
        for place, (label, picture) in enumerate(zip(split.labels[shown], fed, strict=True)):
            top, left = BATCH_HEAD_PX + 30 + place // COLUMNS * NAMED_PX, column_left(place % COLUMNS)
            sheet.show(left, top, picture, CELL_PX)
            sheet.write(left, top + CELL_PX + 22, short_class(feed.store.classes[label]), CELL_PX, fontsize=LABEL)
    return f"the first batch: {many}"

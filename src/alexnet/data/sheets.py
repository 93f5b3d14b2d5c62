"""What the colour shift does to a store's own pictures: one PNG with its three readings side by side (§4.1)."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from alexnet.data.canvas import GAP_PX, MARGIN_PX, QUIET, Canvas, canvas
from alexnet.data.chance import Chance
from alexnet.data.choosing import spread
from alexnet.data.colour import colour_shift, recolour, shift_sizes
from alexnet.data.store import Statistics, Store
from alexnet.paper import COLOUR_NOISE
from alexnet.recipe import ColourForm, Recipe

PICTURES = 6
DRAWS = 3
# Each reading with its source and its formula.
READINGS: dict[ColourForm, tuple[str, str]] = {
    "authors": ("2012 source", "coefficient × deviation, then all ÷ 1.1"),
    "printed": ("§4.1", "coefficient × eigenvalue, pixels 0–1"),
    "lighting": ("fb.resnet.torch", "coefficient × ImageNet's eigenvalue, pixels 0–1"),
}
# In pixels of the PNG, which is made to be read at about half its size.
CELL_PX, ROW_PX, GROUP_GAP_PX = 176, 212, 40
LEFT_PX, HEAD_PX, LINE_PX = 44, 196, 30


def recoloured(
    pictures: UInt8[np.ndarray, "n side side 3"], chance: Chance, recipe: Recipe, statistics: Statistics
) -> UInt8[np.ndarray, "n side side 3"]:
    """Recolour pictures as training does, about the mean image, and bring them back to grey levels 0–255."""
    mean = torch.from_numpy(statistics.mean_image)
    shown = recolour(torch.from_numpy(pictures.astype(np.float32)) - mean, chance, recipe, statistics) + mean
    return shown.round().clamp(0, 255).byte().numpy()


def draw_colours(store: Store, path: Path) -> None:
    """Draw the readings of the colour shift on a few training pictures, at the paper's deviation of 0.1 (§4.1).

    Args:
        store: Its pictures, axes and deviations are used.
        path: The PNG.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    places = spread(store.splits["train"].labels, PICTURES)
    width = _left(len(READINGS), DRAWS - 1) + CELL_PX + MARGIN_PX
    height = HEAD_PX + len(places) * ROW_PX + MARGIN_PX
    with canvas(path, width, height) as sheet:
        _draw_head(sheet, store)
        _draw_originals(sheet, store, places)
        for group, form in enumerate(READINGS, start=1):
            _draw_reading(sheet, store, places, form, group)


def _left(group: int, column: int) -> int:
    """Give a column's left edge in pixels; group 0 is the original, the others are the readings."""
    columns = column + (1 + (group - 1) * DRAWS if group else 0)
    return LEFT_PX + columns * (CELL_PX + GAP_PX) + group * (GROUP_GAP_PX - GAP_PX)


def _draw_head(sheet: Canvas, store: Store) -> None:
    """Say what the sheet shows, and name each reading with its deviations over its draws."""
    about = f"Colour shift along the principal axes (§4.1) on {_short(store.path.resolve().name, 60)}"
    sheet.write(LEFT_PX, 44, about, fontsize=13, fontweight="bold")
    how = (
        f"Each draw: three coefficients from N(0, {COLOUR_NOISE:g}), the same ones in every reading; "
        "below it, the shift of R, G, B in grey levels. The axes of fb.resnet.torch have signs of their own."
    )
    sheet.write(LEFT_PX, 44 + LINE_PX, how, color=QUIET)
    base = HEAD_PX - 14 - 2 * LINE_PX
    sheet.write(_left(0, 0), base, "original", fontweight="bold", fontsize=11)
    for group, (form, (source, formula)) in enumerate(READINGS.items(), start=1):
        sizes, _ = shift_sizes(Recipe(colour_form=form), store.statistics)
        deviations = " / ".join(f"{size:.1f}" if size >= 1 else f"{size:.2f}" for size in COLOUR_NOISE * sizes)
        sheet.write(_left(group, 0), base, f"{form} ({source})", fontweight="bold", fontsize=11)
        sheet.write(_left(group, 0), base + LINE_PX, formula, color=QUIET)
        sheet.write(_left(group, 0), base + 2 * LINE_PX, f"deviation {deviations} grey levels along the axes")


def _draw_originals(sheet: Canvas, store: Store, places: Int64[np.ndarray, "n"]) -> None:
    """Show the pictures as stored, each with its class."""
    split = store.splits["train"]
    for row, (place, picture) in enumerate(zip(places, split.pictures(places), strict=True)):
        sheet.show(_left(0, 0), HEAD_PX + row * ROW_PX, picture, CELL_PX)
        middle = HEAD_PX + row * ROW_PX + CELL_PX / 2
        label = _short(store.classes[split.labels[place]], 18)
        sheet.write(LEFT_PX - 8, middle, label, color=QUIET, rotation=90, va="center", ha="right")


def _draw_reading(sheet: Canvas, store: Store, places: Int64[np.ndarray, "n"], form: ColourForm, group: int) -> None:
    """Show the draws of one reading, each with its shift."""
    recipe = Recipe(colour_noise=COLOUR_NOISE, colour_form=form)
    pictures = store.splits["train"].pictures(places)
    for draw in range(DRAWS):
        left, chance = _left(group, draw), Chance(0, draw, places)
        shifts = colour_shift(chance, recipe, store.statistics)
        for row, picture in enumerate(recoloured(pictures, chance, recipe, store.statistics)):
            sheet.show(left, HEAD_PX + row * ROW_PX, picture, CELL_PX)
            words = "  ".join(f"{shift:+.1f}" for shift in shifts[row].tolist())
            under = HEAD_PX + row * ROW_PX + CELL_PX + 21
            sheet.write(left + CELL_PX / 2, under, words.replace("-", "−"), color=QUIET, ha="center", fontsize=8)


def _short(name: str, letters: int) -> str:
    """Cut a name to what there is room for."""
    return name if len(name) <= letters else name[: letters - 1] + "…"

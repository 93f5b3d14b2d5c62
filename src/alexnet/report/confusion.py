"""Which class was taken for which, as a picture."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int64

from alexnet.errors import printable
from alexnet.report.figures import COLOURS, INK, QUIET, saved_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED_CLASSES = 25  # a confusion matrix of more is drawn without their names


def draw_confusion(
    confusion: Int64[np.ndarray, "classes classes"], classes: Sequence[str], path: Path, title: str = "Confusion matrix"
) -> None:
    """Draw which class was taken for which: a row for each true class, shaded by the share of its pictures.

    Up to 25 classes are named, with their pictures counted in every cell; of more, the shades alone are drawn.

    Args:
        confusion: Pictures by true class (row) and best class (column).
        classes: Their names.
        path: The PNG, made to be read at half its size.
        title: What was measured, in a few words.

    Raises:
        UsageError: If matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    named = len(classes) <= NAMED_CLASSES
    side = 2.6 + 0.36 * len(classes) if named else 7.5  # inches
    images = int(confusion.sum())
    about = f"{images:,} pictures, {confusion.trace() / max(images, 1):.1%} recognised"
    with saved_figure(path, max(side + 0.8, 5.6), side + 0.5) as figure:
        figure.suptitle(f"{title}\n", x=0.02, ha="left", fontsize=11, fontweight="bold", parse_math=False)
        figure.text(0.02, 1 - 0.36 / (side + 0.5), about, color=QUIET)
        _draw_cells(figure, confusion, classes if named else [])


def _draw_cells(figure: "Figure", confusion: Int64[np.ndarray, "n n"], names: Sequence[str]) -> None:
    """Draw one matrix with its scale, and its classes' names where they are given."""
    axes = figure.subplots()
    image = _shade(axes, confusion)
    axes.set_xlabel("Guessed class" if names else "Guessed class, by its number")
    axes.set_ylabel("True class, with its pictures" if names else "True class, by its number")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=25, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1], format="{x:.0%}")
    bar.outline.set_visible(False)
    bar.set_label("Share of the true class")
    if names:
        short = _short(names)
        counted = [f"{name}  {total:,}" for name, total in zip(short, confusion.sum(1), strict=True)]
        axes.set_xticks(range(len(names)), short, rotation=90, parse_math=False)
        axes.set_yticks(range(len(names)), counted, parse_math=False)
        _count(axes, confusion)


def draw_confusions(
    confusions: Mapping[str, Int64[np.ndarray, "classes classes"]], classes: Sequence[str], path: Path, columns: int = 3
) -> None:
    """Draw the confusion matrices of several networks side by side: few classes, the same pictures.

    Args:
        confusions: One or more, by what is written above each.
        classes: Names of their classes.
        path: The PNG, made to be read at half its size.
        columns: Matrices in a row.

    Raises:
        UsageError: If matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    rows, side = -(-len(confusions) // columns), 1.0 + 0.28 * len(classes)  # inches
    with saved_figure(path, columns * side + 1.4, rows * (side + 0.4) + 1.2) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharex="col", sharey="row")
        for axes, drawn in zip_longest(grid.flat, confusions.items()):
            if drawn is None:
                axes.set_axis_off()
                continue
            title, confusion = drawn
            _shade(axes, confusion)
            share = confusion.trace() / max(int(confusion.sum()), 1)
            axes.set_title(f"{title}: {share:.1%}", fontsize=8.5, fontweight="normal", parse_math=False)
            axes.set_yticks(range(len(classes)), _short(classes), fontsize=8, parse_math=False)
            axes.set_xticks(range(len(classes)), _short(classes), fontsize=8, rotation=90, parse_math=False)
            _count(axes, confusion)
        figure.supxlabel("Guessed class", fontsize=9.5, color=QUIET)
        figure.supylabel("True class", fontsize=9.5, color=QUIET)


def _shade(axes: "Axes", confusion: Int64[np.ndarray, "n n"]) -> Any:
    """Shade the cells; the root of a share, because mistakes are few among many right answers."""
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    shades = LinearSegmentedColormap.from_list("shares", ["white", COLOURS[0], "#00263d"])
    axes.spines[:].set_visible(True)
    return axes.imshow(_shares(confusion), cmap=shades, norm=PowerNorm(0.5, 0, 1))


def _count(axes: "Axes", confusion: Int64[np.ndarray, "n n"]) -> None:
    """Write the pictures into the cells."""
    axes.tick_params(length=0)
    shares = _shares(confusion)
    for row, column in np.argwhere(confusion):
        ink = "white" if shares[row, column] > 0.15 else INK
        words = counted_shortly(int(confusion[row, column]))
        axes.text(column, row, words, color=ink, ha="center", va="center", fontsize=8)


def _shares(confusion: Int64[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Give the share of each true class; 0 where it has no pictures."""
    shares: Float[np.ndarray, "n n"] = confusion / np.maximum(confusion.sum(1), 1)[:, None]
    return shares


def _short(names: Sequence[str]) -> list[str]:
    """Cut long names."""
    return [name if len(name) <= 24 else name[:23] + "…" for name in map(printable, names)]


def counted_shortly(count: int) -> str:
    """Write a count in five letters or fewer.

    >>> [counted_shortly(count) for count in (7, 9_999, 10_000, 1_234_567)]
    ['7', '9,999', '10k', '1.2M']
    """
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:.0f}k" if count < 999_500 else f"{count / 1e6:.1f}M"

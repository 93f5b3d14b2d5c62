"""How runs learned, as PNGs: their curves, their first updates; beside them what conv1 learned.

The log of one or several runs goes in; each curve is drawn once, in the same colour in both panels.
"""

import json
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from alexnet.filters import draw_filters
from alexnet.report.figures import COLOURS, QUIET, saved_figure
from alexnet.report.log import Log, names_apart, read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A picture of first updates ends at so many times the level that is marked.
LEVEL_SHARE = 1.35
# Cross-entropies over this are of scores that ran away for a while; ln(22,000) is less.
RUNAWAY = 10.0


def draw_curves(runs: list[Path], path: Path) -> None:
    """Draw loss, top-1 and learning rate of runs over their epochs, several runs in one picture.

    Args:
        runs: Folders that hold a `log.jsonl`.
        path: The PNG; 1,600 pixels wide, made to be read at half of that.

    Raises:
        UsageError: If matplotlib is not installed.
        DataError: If a log cannot be read.
        AlexNetError: If the file cannot be written.
    """
    logs = [replace(read_log(run), name=name) for run, name in zip(runs, names_apart(runs), strict=True)]
    with saved_figure(path, 8, 3.9) as figure:
        _draw(figure, logs)


def _draw(figure: "Figure", logs: list[Log]) -> None:
    """Lay out loss and top-1 side by side, the learning rate under each, one legend above all."""
    grid = figure.subplots(2, 2, sharex=True, height_ratios=(5, 1))
    for log, colour in zip(logs, cycle(COLOURS), strict=False):
        _draw_curve(grid[0, 0], log, "loss", 1, colour)
        _draw_curve(grid[0, 1], log, "top1", 100, colour)
        for axes in grid[1]:  # the rate of an epoch holds from the end of the one before to its own
            epochs, rates = [log["epoch"][0] - 1, *log["epoch"]], [log["lr"][0], *log["lr"]]
            axes.step(epochs, rates, color=colour, linewidth=1.2, clip_on=False)
    _cut_off_runaways(grid[0, 0], logs)
    if len(logs) == 1:
        _label_end(grid[0, 0], logs[0], "loss", 1, "{:.2f}")
        _label_end(grid[0, 1], logs[0], "top1", 100, "{:.1f}%")
    for axes, title in zip(grid[0], ("Loss", "Top-1 accuracy"), strict=True):
        axes.set_title(title)
        axes.grid(axis="y")
        axes.set_ylim(bottom=0)
    grid[0, 1].set_ylim(0, 100)
    grid[0, 1].yaxis.set_major_formatter("{x:.0f}%")
    for axes in grid[1]:
        _finish_rate(axes, logs)
    _add_legend(figure, logs)


def _draw_curve(axes: "Axes", log: Log, key: str, unit: float, colour: str) -> None:
    """Draw training thin and validation bold; an epoch that stands alone is a dot."""
    for part, width, alpha in (("train", 1.1, 0.65), ("val", 2.2, 1.0)):
        values = log[f"{part}_{key}"] * unit
        look: Any = {"color": colour, "linewidth": width, "alpha": alpha, "markersize": 2 + 2 * width, "clip_on": False}
        axes.plot(log["epoch"], values, marker="o" if np.isfinite(values).sum() == 1 else None, **look)


def _cut_off_runaways(axes: "Axes", logs: list[Log]) -> None:
    """Let losses that ran away leave the picture, where they would flatten all others."""
    losses = np.concatenate([log[f"{part}_loss"] for log in logs for part in ("train", "val")])
    rest = losses[losses <= RUNAWAY]
    if len(rest) and np.nanmax(losses) > RUNAWAY:
        for line in axes.lines:
            line.set_clip_on(True)
        axes.set_ylim(top=1.05 * rest.max())


def _last(log: Log, key: str) -> float:
    """Give the last validation value, or that of training if no pictures were held out."""
    validation = log[f"val_{key}"]
    measured = validation if np.isfinite(validation).any() else log[f"train_{key}"]
    return float(measured[-1])


def _label_end(axes: "Axes", log: Log, key: str, unit: float, form: str) -> None:
    """Write the last value beside the end of its curve."""
    value = _last(log, key) * unit
    if np.isfinite(value):
        end = (log["epoch"][-1], value)
        axes.annotate(form.format(value), end, (6, 0), textcoords="offset points", va="center", annotation_clip=False)


def _finish_rate(axes: "Axes", logs: list[Log]) -> None:
    """Name the strip of the learning rate; drops by a factor need a logarithmic scale to be seen."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    rates = np.concatenate([log["lr"] for log in logs])
    low, high = rates.min(), rates.max()
    axes.set_title("Learning rate", fontsize=9.5, fontweight="normal", color=QUIET)
    axes.set_xlabel("Epoch")
    axes.set_xlim(0, max(log["epoch"][-1] for log in logs))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if low > 0 and high > 5 * low and all(len(set(log["lr"])) <= 6 for log in logs):
        axes.set_yscale("log")
        axes.set_ylim(low / 2, high * 2)
        axes.set_yticks([low, high])
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, high * 1.1 or 1)
        axes.set_yticks([0, high])
    axes.yaxis.set_major_formatter("{x:.2g}")


def _add_legend(figure: "Figure", logs: list[Log]) -> None:
    """Say that bold is of held-out pictures; of several runs, which colour is which, and where it ended."""
    from matplotlib.lines import Line2D

    alone = len(logs) == 1
    colour = COLOURS[0] if alone else QUIET
    lines = [Line2D([], [], color=colour, linewidth=2.2), Line2D([], [], color=colour, linewidth=1.1, alpha=0.65)]
    names = ["held out", "training"]
    if not alone:
        names = [f"{log.name}  {_last(log, 'top1'):.1%}" for log in logs] + names
        lines = [Line2D([], [], color=c, linewidth=2.2) for _, c in zip(logs, cycle(COLOURS), strict=False)] + lines
    for columns in range(len(names), 0, -1):
        look = {"ncols": columns, "handlelength": 1.6, "columnspacing": 1.8}
        legend = figure.legend(lines, names, loc="outside upper left", **look)
        for text in legend.get_texts():
            text.set_parse_math(False)
        if legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()


def draw_updates(runs: list[Path], path: Path, level: float, level_name: str) -> None:
    """Draw the loss of runs over their first updates, from `updates.jsonl`, with one level marked.

    Args:
        runs: Folders that hold an `updates.jsonl`.
        path: The PNG; 1,600 pixels wide.
        level: A loss to draw a line at, as ln(classes).
        level_name: What to call it.

    Raises:
        UsageError: If matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    rows = [[json.loads(line) for line in (run / "updates.jsonl").read_text().splitlines()] for run in runs]
    with saved_figure(path, 8, 3.9) as figure:
        axes = figure.subplots()
        axes.axhline(level, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(level_name, (0, level), (4, -11), textcoords="offset points", color=QUIET)
        for name, of_run, colour in zip(names_apart(runs), rows, cycle(COLOURS), strict=False):
            updates, losses = [row["update"] for row in of_run], [row["loss"] for row in of_run]
            alone = "o" if len(updates) == 1 else None
            axes.plot(updates, losses, color=colour, linewidth=1.8, marker=alone, label=name)
        axes.set_title("Training loss, mean of ten updates")
        axes.set_xlabel("Update")
        axes.grid(axis="y")
        axes.set_xlim(left=0)
        # First losses may be many times the level; what matters is near it.
        axes.set_ylim(top=LEVEL_SHARE * level)
        figure.legend(loc="outside upper left", ncols=2)


def draw(run: Path, kernels: Float[np.ndarray, "n 3 k k"], towers: int) -> list[Path]:
    """Draw `filters.png` and `curves.png` into a run's folder; the paths of both.

    The filters come first: they need nothing but Pillow.

    Raises:
        UsageError: If matplotlib is not installed; `filters.png` is there then.
    """
    filters, curves = run / "filters.png", run / "curves.png"
    draw_filters(kernels, towers, filters)
    draw_curves([run], curves)
    return [curves, filters]

"""The one look of the figures that matplotlib draws."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.durable import atomic_file
from alexnet.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers; their yellow is too light for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
INK, QUIET, RULE = "#222222", "#6b6b6b", "#dddddd"
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 9.5,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
}


@contextmanager
def saved_figure(path: Path, width: float, height: float) -> Iterator["Figure"]:
    """Give a figure of so many inches in the one style; it becomes a PNG when the block ends.

    Raises:
        UsageError: If matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(f"{path.name} needs matplotlib: pip install 'alexnet[plot]'") from error
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), dpi=200, layout="constrained")
        yield figure
        with atomic_file(path) as stream:
            figure.savefig(stream, format="png", metadata={"Software": None})

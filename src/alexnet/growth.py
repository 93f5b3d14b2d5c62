"""How the filters grow: the kernels of conv1 after each epoch, kept beside the run, and drawn side by side.

RUN/growth/EPOCH.npy   float16, [kernels, 3, k, k]; 70 kB for the paper's 96 kernels
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import nn

from alexnet.data.canvas import LABEL, MARGIN_PX, QUIET, SHEET_PX, canvas
from alexnet.data.contact import write_head
from alexnet.durable import atomic_file
from alexnet.errors import AlexNetError, DataError, UsageError
from alexnet.filters import as_colours, conv1_kernels

FOLDER = "growth"
KERNELS, EPOCHS = 16, 16  # columns and rows of the picture
LEFT_PX, HEAD_PX, GAP_PX = 110, 104, 6
CELL_PX = (SHEET_PX - LEFT_PX - MARGIN_PX - (KERNELS - 1) * GAP_PX) // KERNELS

Kernels = Float[np.ndarray, "n 3 k k"]


def keep(run: Path, epoch: int, network: nn.Module) -> None:
    """Keep conv1 as it is after an epoch; a network without colours there, or a full disk, stops nothing."""
    with suppress(AlexNetError, OSError):
        kernels = conv1_kernels(network).astype(np.float16)
        (run / FOLDER).mkdir(exist_ok=True)
        with atomic_file(run / FOLDER / f"{epoch}.npy") as stream:
            np.save(stream, kernels)


def kept(run: Path) -> list[tuple[int, Kernels]]:
    """Read what was kept, epoch by epoch.

    Raises:
        UsageError: If nothing was.
        DataError: If a file is damaged.
    """
    files = sorted(
        (file for file in (run / FOLDER).glob("*.npy") if file.stem.isdecimal()), key=lambda one: int(one.stem)
    )
    if not files:
        raise UsageError(f"{run} has kept no kernels of its epochs: train with this version, for one epoch or more")
    found = []
    for file in files:
        try:
            kernels = np.load(file)
            if kernels.ndim != 4 or kernels.shape[1] != 3:
                raise ValueError(f"it has the shape {kernels.shape}")
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{file} cannot be read ({error}): remove it") from error
        found.append((int(file.stem), kernels.astype(np.float32)))
    return found


def draw_growth(path: Path, title: str, epochs: Sequence[tuple[int, Kernels]]) -> None:
    """Draw some kernels after some epochs, one row per epoch, each kernel in its own column.

    Args:
        path: The PNG.
        title: Its first line.
        epochs: What `kept` gives.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    shown = [epochs[place] for place in _spread(len(epochs), EPOCHS)]
    columns = _spread(len(shown[0][1]), KERNELS)
    about = f"{len(columns)} of {len(shown[0][1])} kernels, each in its own column and on its own scale; grey is zero."
    with canvas(path, SHEET_PX, HEAD_PX + len(shown) * (CELL_PX + GAP_PX) + MARGIN_PX) as sheet:
        write_head(sheet, title, about)
        for row, (epoch, kernels) in enumerate(shown):
            top = HEAD_PX + row * (CELL_PX + GAP_PX)
            words = "start" if epoch == 0 else f"epoch {epoch}"
            sheet.write(LEFT_PX - 12, top + CELL_PX / 2 + 6, words, color=QUIET, ha="right", fontsize=LABEL)
            for column, cell in enumerate(as_colours(kernels[columns])):
                scale = -(-CELL_PX // len(cell))
                large = cell.repeat(scale, axis=0).repeat(scale, axis=1)
                sheet.show(LEFT_PX + column * (CELL_PX + GAP_PX), top, large, CELL_PX)


def _spread(number: int, count: int) -> list[int]:
    """Choose up to `count` of a number of places, evenly, first and last among them."""
    return np.unique(np.linspace(0, number - 1, min(count, number)).round().astype(int)).tolist()

"""What the first layer learned: the kernels of conv1 as a picture (Figure 3).

A network goes in; a PNG comes out, in which each kernel can be told from its neighbours and from grey, which is zero.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import nn

from alexnet.durable import atomic_file
from alexnet.errors import UsageError

COLUMNS = 16  # 96 kernels make the 6 rows of Figure 3
CELL_PX = 44  # least side of a drawn kernel
GAP_PX = 4
TOWER_GAP_PX = 16
WHITE = 255


def conv1_kernels(network: nn.Module) -> Float[np.ndarray, "n 3 k k"]:
    """Take the kernels of conv1 out of a network, wherever it runs (float32, channels in RGB order).

    Raises:
        UsageError: If the network has no conv1 that looks at the colours of the picture.
    """
    weight = dict(network.named_parameters()).get("conv1.weight")
    if weight is None or weight.ndim != 4 or weight.shape[1] != 3:
        raise UsageError("this network has no conv1 on red, green and blue: its filters cannot be drawn")
    kernels: np.ndarray = weight.detach().float().cpu().numpy()
    return kernels


def as_colours(kernels: Float[np.ndarray, "n 3 k k"]) -> UInt8[np.ndarray, "n k k 3"]:
    """Turn weights into colours: zero is mid-grey, a kernel's greatest weight on either side reaches black or white.

    Each kernel has its own scale, because their norms differ widely; a kernel of zeros is grey.
    """
    largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
    shades = 0.5 + kernels / (2 * np.where(largest > 0, largest, 1))
    return np.round(shades * 255).astype(np.uint8).transpose(0, 2, 3, 1)


def filter_sheet(kernels: Float[np.ndarray, "n 3 k k"], towers: int = 1) -> UInt8[np.ndarray, "h w 3"]:
    """Lay the kernels out on white, 16 in a row, enlarged without smoothing; the towers stand one above the other.

    Args:
        kernels: Weights of conv1, tower after tower.
        towers: How many towers the kernels belong to; Figure 3 has two, of 48 kernels each.
    """
    scale = -(-CELL_PX // kernels.shape[-1])
    cells = as_colours(kernels).repeat(scale, axis=1).repeat(scale, axis=2)
    columns = min(COLUMNS, len(cells) // towers)
    blocks = [_grid(tower, columns) for tower in np.split(cells, towers)]
    between = np.full((TOWER_GAP_PX - GAP_PX, blocks[0].shape[1], 3), WHITE, np.uint8)
    spaced = [part for block in blocks for part in (between, block)][1:]
    return np.pad(np.concatenate(spaced), ((0, GAP_PX), (0, GAP_PX), (0, 0)), constant_values=WHITE)


def _grid(cells: UInt8[np.ndarray, "n side side 3"], columns: int) -> UInt8[np.ndarray, "h w 3"]:
    """Fill rows from the left, each cell with a gap above and to its left; the last row may end early."""
    missing = -len(cells) % columns
    bordered = np.pad(cells, ((0, missing), (GAP_PX, 0), (GAP_PX, 0), (0, 0)), constant_values=WHITE)
    bordered[len(cells) :] = WHITE
    _, h, w, _ = bordered.shape
    rows = bordered.reshape(-1, columns, h, w, 3).swapaxes(1, 2)
    return rows.reshape(-1, columns * w, 3)


def draw_filters(kernels: Float[np.ndarray, "n 3 k k"], towers: int, path: Path) -> None:
    """Write the kernels of conv1 as a PNG, whole or not at all (Figure 3).

    Args:
        kernels: What `conv1_kernels` gives.
        towers: How many towers share them; their kernels are drawn in a block each.
        path: The file, `filters.png` in a run.

    Raises:
        UsageError: If the kernels cannot be shared out evenly over the towers.
        AlexNetError: If the file cannot be written.
    """
    if towers < 1 or len(kernels) % towers:
        raise UsageError(f"{len(kernels)} kernels cannot be shared out over {towers} towers")
    with atomic_file(path) as stream:
        Image.fromarray(filter_sheet(kernels, towers)).save(stream, "PNG", optimize=True)

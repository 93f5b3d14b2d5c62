"""The parts of pictures that excite a unit most: what layers above conv1 learned, shown by what they answer to.

A split goes in, in batches; for a few units of one layer, the pictures that drive each hardest come out, cut to what
the unit sees of them. Memory does not grow with the number of pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.compatibility import check_fit
from alexnet.data.augment import Boxes, cut
from alexnet.data.batches import batches
from alexnet.data.canvas import HEADING, LABEL, MARGIN_PX, SHEET_PX, canvas
from alexnet.data.contact import write_head
from alexnet.data.split import Split
from alexnet.errors import UsageError, did_you_mean
from alexnet.layers import AdaptivePool, Convolution, FullyConnected, Pool
from alexnet.nn.network import arithmetic
from alexnet.runs.trained import Trained

UNITS, STRONGEST = 12, 9
MOST_UNITS = 48  # on a sheet
BATCH = 128
GREY = 128  # beyond the edge of the picture
COLUMNS, SPACE_PX, HEAD_PX, NAMED_PX = 4, 28, 104, 34
SIDE_PX = (SHEET_PX - 2 * MARGIN_PX - (COLUMNS - 1) * SPACE_PX) // COLUMNS
CELL_PX = (SIDE_PX - 4) // 3


@dataclass(frozen=True)
class ReceptiveField:
    """What a layer's units see of the network's input, along one side, in its pixels.

    Attributes:
        side: Of the part that one unit sees.
        step: Between neighbouring units.
        start: Where the first unit's part begins; below 0 beyond the edge.
    """

    side: int
    step: int
    start: int


def receptive_field(architecture: Architecture, layer: str) -> ReceptiveField:
    """Follow the windows of convolutions and pools down to the input; after a dense layer all of it is seen.

    What response norms within a map see around that is left out: it only scales.

    Raises:
        UsageError: If the network has no such layer.
    """
    side, step, start = 1, 1, 0
    whole = ReceptiveField(architecture.input_side, 0, 0)
    for row in architecture.rows():
        one = row.layer
        if isinstance(one, Convolution | Pool):
            side += (one.kernel - 1) * step
            start -= (one.padding[0] if isinstance(one, Convolution) else 0) * step
            step *= one.stride
        elif isinstance(one, FullyConnected) or (isinstance(one, AdaptivePool) and row.input != row.output):
            # An adaptive pool's windows differ in size.
            side, step, start = whole.side, whole.step, whole.start
        if one.name == layer:
            return whole if len(row.output) == 1 or step == 0 else ReceptiveField(side, step, start)
    names = [one.name for one in architecture.layers]
    raise UsageError(f"{architecture.name} has no layer {layer}: {did_you_mean(layer, names)}")


@dataclass(frozen=True)
class Unit:
    """A unit with what excites it most.

    Attributes:
        number: Of its map, or of itself after a dense layer.
        values: Its strongest outputs, the greatest first, one per picture.
        places: Of these pictures in the split.
        patches: What it sees of each, grey beyond the edge.
    """

    number: int
    values: Float[np.ndarray, "k"]
    places: Int64[np.ndarray, "k"]
    patches: UInt8[np.ndarray, "k side side 3"]


def chosen_units(architecture: Architecture, layer: str, wanted: Sequence[int] = ()) -> list[int]:
    """Give the units that are wanted; without any, some spread evenly over the layer.

    Raises:
        UsageError: If the layer has no such unit, there is no such layer, or more are wanted than a sheet holds.
    """
    receptive_field(architecture, layer)
    number = next(row.output[0] for row in architecture.rows() if row.layer.name == layer)
    if odd := [unit for unit in wanted if not 0 <= unit < number]:
        raise UsageError(f"{layer} has units 0 to {number - 1}, not {odd[0]}")
    if len(wanted) > MOST_UNITS:
        raise UsageError(f"{len(wanted)} units are more than a sheet holds: give {MOST_UNITS} or fewer")
    return list(wanted) or np.unique(np.linspace(0, number - 1, UNITS).round().astype(int)).tolist()


@torch.no_grad()
def strongest(
    trained: Trained,
    split: Split,
    layer: str,
    units: Sequence[int],
    count: int = STRONGEST,
    progress: Callable[[int], None] = lambda images: None,
) -> list[Unit]:
    """Find the pictures that excite some units most, each by the place in it that does so most.

    Args:
        trained: The network, in evaluation mode.
        split: Its pictures are shown by their centre crop.
        layer: Name of the layer.
        units: Its maps, or units after a dense layer.
        count: Pictures per unit, if there are so many.
        progress: Called with the number of pictures of each batch.

    Raises:
        UsageError: If there is no such layer, or the pictures are of another size than the network takes.
    """
    check_fit([trained], split, 1)
    seen = receptive_field(trained.network.architecture, layer)
    values = torch.empty(len(units), 0)
    places, positions = torch.empty(len(units), 0, dtype=torch.int64), torch.empty(len(units), 0, dtype=torch.int64)
    width = 1
    for batch in batches(split, np.arange(len(split)), BATCH, trained.device):
        maps = _outputs(trained, layer, batch.pictures)[:, list(units)]
        width = maps.shape[-1] if maps.dim() == 4 else 1
        best = maps.flatten(2).max(2) if maps.dim() == 4 else maps[..., None].max(2)
        found = torch.from_numpy(batch.indices).expand(len(units), -1)
        values = torch.cat([values, best.values.T.float().cpu()], 1)
        places, positions = torch.cat([places, found], 1), torch.cat([positions, best.indices.T.cpu()], 1)
        # A stable order, so that of equal values the earlier picture stays.
        kept = values.sort(stable=True, dim=1, descending=True).indices[:, :count]
        values, places, positions = (one.gather(1, kept) for one in (values, places, positions))
        progress(len(batch.indices))
    patches = [_cut(trained, split, *row, seen, width) for row in zip(places, positions, strict=True)]
    rows = zip(units, values.numpy(), places.numpy(), patches, strict=True)
    return [Unit(*row) for row in rows]


def _outputs(trained: Trained, layer: str, pictures: Tensor) -> Float[Tensor, "n units ..."]:
    """Give what a layer makes of the centre crop of pictures."""
    (x,) = trained.view.test(pictures, 1)
    with arithmetic(trained.device, trained.recipe.precision):
        for name, module in trained.network.named_children():
            x = module(x)
            if name == layer:
                break
    return x


def _cut(
    trained: Trained,
    split: Split,
    places: Int64[Tensor, "k"],
    positions: Int64[Tensor, "k"],
    seen: ReceptiveField,
    width: int,
) -> UInt8[np.ndarray, "k side side 3"]:
    """Cut what a unit sees out of pictures, at the size that the network is shown them in."""
    view, border = trained.view, seen.side
    middle = (view.view_side - view.side) // 2
    boxes = Boxes.same(len(places), middle, middle, view.side, False)
    stored = torch.from_numpy(split.pictures(places.numpy())).float()
    shown = cut(stored, boxes, view.side, view.view_side).round().clamp(0, 255).byte().numpy()
    shown = np.pad(shown, ((0, 0), (border, border), (border, border), (0, 0)), constant_values=GREY)
    tops, lefts = (axis.numpy() * seen.step + seen.start + border for axis in (positions // width, positions % width))
    parts = zip(shown, tops, lefts, strict=True)
    return np.stack([one[top : top + border, left : left + border] for one, top, left in parts])


def draw_patches(path: Path, title: str, about: str, units: Sequence[Unit]) -> None:
    """Draw the strongest patches of units, nine each, the strongest first.

    Args:
        path: The PNG.
        title: Its first line.
        about: Its second line.
        units: What `strongest` found.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    rows = -(-len(units) // COLUMNS)
    with canvas(path, SHEET_PX, HEAD_PX + rows * (NAMED_PX + SIDE_PX + 20) + MARGIN_PX) as sheet:
        write_head(sheet, title, about)
        for number, unit in enumerate(units):
            left = MARGIN_PX + number % COLUMNS * (SIDE_PX + SPACE_PX)
            top = HEAD_PX + number // COLUMNS * (NAMED_PX + SIDE_PX + 20)
            quiet: Any = {"fontsize": LABEL, "ha": "right"}
            sheet.write(left, top + 24, f"unit {unit.number}", fontsize=HEADING, fontweight="bold")
            sheet.write(left + SIDE_PX - 2, top + 24, f"{unit.values[0]:.3g} to {unit.values[-1]:.3g}", **quiet)
            for place, patch in enumerate(unit.patches[:STRONGEST]):
                row, column = divmod(place, 3)
                sheet.show(left + column * (CELL_PX + 2), top + NAMED_PX + row * (CELL_PX + 2), patch, CELL_PX)

"""The view of a training batch (crop, mirror, mean, colour, scale; §2, §4.1) in one pass over memory, on a GPU.

It is for the common case, in which pixels map to pixels; all else goes the way of `alexnet.data.augment`, and either
way the numbers are the same.
"""

from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from alexnet.data.augment import Boxes, View, random_boxes
from alexnet.data.chance import Chance
from alexnet.data.colour import recolouring
from alexnet.machine.kernels import BLOCK, kernel, launch, tl, usable
from alexnet.recipe import Recipe

# What is drawn for a picture: its corner's row and column, whether it is mirrored, what is added to R, G and B, and
# what the sum is divided by.
CHOICES = 7


@kernel
@no_type_check
def _reflect(at, SIDE: tl.constexpr, PAD: tl.constexpr):
    """Give the place in the picture of a place in the padded view."""
    if PAD == 0:
        return at
    last: tl.constexpr = SIDE - 1
    period: tl.constexpr = 2 * last if last > 0 else 1
    # Made positive first: a remainder has the sign of what is divided.
    at = ((at - PAD) % period + period) % period - last
    return last - tl.where(at < 0, -at, at)


@kernel
@no_type_check
def _show(
    pictures, choices, mean, middle, scale, out, values,
    SIDE: tl.constexpr, SOURCE: tl.constexpr, PAD: tl.constexpr, CHOICES: tl.constexpr, IMAGE: tl.constexpr,
    MIDDLE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Work out a block of the output, whose values lie picture by picture, row by row, pixel by pixel, R G B."""
    value = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = value < values
    colour = (value % 3).to(tl.int32)
    within = (value % (SIDE * SIDE * 3)).to(tl.int32)
    picture = value // (SIDE * SIDE * 3)
    column, row = within // 3 % SIDE, within // (3 * SIDE)
    choice = choices + picture * CHOICES
    top = tl.load(choice, mask=there, other=0.0).to(tl.int32)
    left = tl.load(choice + 1, mask=there, other=0.0).to(tl.int32)
    mirrored = tl.load(choice + 2, mask=there, other=0.0) > 0
    row = _reflect(top + row, SOURCE, PAD)
    column = _reflect(left + tl.where(mirrored, SIDE - 1 - column, column), SOURCE, PAD)
    place = (row * SOURCE + column) * 3 + colour
    x = tl.load(pictures + picture * (SOURCE * SOURCE * 3) + place, mask=there, other=0).to(tl.float32)
    x -= tl.load(mean + (place if IMAGE else colour), mask=there, other=0.0)
    if MIDDLE:
        x -= tl.load(middle + within, mask=there, other=0.0)
    x += tl.load(choice + 3 + colour, mask=there, other=0.0)
    x = tl.div_rn(x, tl.load(choice + 6, mask=there, other=1.0))
    x *= tl.load(scale + colour, mask=there, other=0.0)
    tl.store(out + value, x.to(out.dtype.element_ty), mask=there)


def _pixels_stay(view: View, boxes: Boxes, recipe: Recipe) -> bool:
    """Tell whether every pixel of the view is a pixel of the stored picture."""
    whole = all((edge == np.floor(edge)).all() for edge in (boxes.top, boxes.left))
    uncut = bool((boxes.height == view.side).all() and (boxes.width == view.side).all())
    return not recipe.rotation and view.view_side == view.stored_side and whole and uncut


def _choices(view: View, boxes: Boxes, chance: Chance, recipe: Recipe) -> Float32[np.ndarray, "n choices"]:
    """Lay out what was drawn for each picture."""
    table = np.zeros((len(chance.indices), CHOICES), np.float32)
    table[:, 0], table[:, 1], table[:, 2], table[:, 6] = boxes.top, boxes.left, boxes.mirror, 1
    shifts, divisors = recolouring(chance, recipe, view.statistics)
    if shifts is not None:
        table[:, 3:6] = shifts.numpy()
    if divisors is not None:
        table[:, 6] = divisors.numpy()
    return table


def show(
    view: View,
    pictures: UInt8[Tensor, "n source source 3"],
    chance: Chance,
    recipe: Recipe,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n 3 side side"]:
    """Show a training batch as `View.train` does, in one pass where a kernel can.

    Args:
        view: What the network is shown.
        pictures: On the device of the view.
        chance: The random choices for them.
        recipe: Says which random changes there are.
        dtype: Of the result; sums are float32.

    Returns:
        The network's input, channels last.
    """
    boxes = random_boxes(chance, recipe, view.view_side, view.side)
    if not usable(pictures) or not _pixels_stay(view, boxes, recipe):
        return view.train(pictures, chance, recipe, dtype).contiguous(memory_format=torch.channels_last)
    out = torch.empty((len(pictures), view.side, view.side, 3), dtype=dtype, device=pictures.device)
    choices = torch.from_numpy(_choices(view, boxes, chance, recipe)).to(pictures.device, non_blocking=True)
    middle = view.mean if view.middle is None else view.middle.contiguous()
    constants = {"SIDE": view.side, "SOURCE": view.stored_side, "PAD": recipe.pad, "CHOICES": CHOICES, "BLOCK": BLOCK}
    constants |= {"IMAGE": view.mean.dim() == 3, "MIDDLE": view.middle is not None}
    arguments = (pictures.contiguous(), choices, view.mean, middle, view.scale, out, out.numel())
    launch(_show, -(-out.numel() // BLOCK), pictures, *arguments, **constants)
    return out.permute(0, 3, 1, 2)

"""From a batch of pictures to what the network sees: crop, mirror, colour (§4.1), mean and scale (§2), all at once.

All geometry along one axis (enlarging, padding, cropping, mirroring) is a table of source coordinates, one row a
picture; pictures are then either gathered or resampled by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.data import view_compiled
from alexnet.data.chance import Chance
from alexnet.data.colour import recolour, recolouring
from alexnet.data.store import Statistics
from alexnet.data.view_compiled import Places
from alexnet.errors import UsageError
from alexnet.paper import CROP_SIDE, PICTURE_SIDE
from alexnet.recipe import Recipe

# Mean and standard deviation that torchvision's networks expect, on the 0–1 scale, RGB.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# Mean colour, in grey levels, RGB, of the mean image that Caffe's published weights were trained with.
IMAGENET_COLOUR = (122.67891434, 116.66876762, 104.00698793)


@dataclass(frozen=True)
class Boxes:
    """Where each picture is cut, in pixels of the padded view: corners, sides, and whether it is mirrored."""

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray
    mirror: np.ndarray

    @staticmethod
    def same(pictures: int, top: float, left: float, side: float, mirror: bool) -> "Boxes":
        """Cut all pictures alike."""
        one = np.ones(pictures)
        return Boxes(one * top, one * left, one * side, one * side, np.full(pictures, mirror))


def random_boxes(chance: Chance, recipe: Recipe, view_side: int, side: int) -> Boxes:
    """Draw where each picture is cut (§4.1): anywhere, the centre, or a part of any size and shape.

    Differs from the paper: its 2048 = 32 × 32 × 2 views leave out the last offset; like the 2012 source we use all 33.
    With `shared_crop`, pictures that follow each other in the batch are cut alike, as the first of them is.
    """
    chance = chance.shared(recipe.shared_crop)
    padded = view_side + 2 * recipe.pad
    n = len(chance.indices)
    height, width = np.full(n, float(side)), np.full(n, float(side))
    place = chance.uniform("crop", 2)
    top, left = np.floor(place * (padded - side + 1)).T
    if recipe.crop == "random-resized":
        shape = chance.uniform("crop shape", 2)
        area = (recipe.crop_scale_low + (1 - recipe.crop_scale_low) * shape[:, 0]) * padded**2
        ratio = np.exp((2 * shape[:, 1] - 1) * np.log(4 / 3))
        height, width = (np.minimum(np.sqrt(area * r), padded) for r in (ratio, 1 / ratio))
        top, left = place[:, 0] * (padded - height), place[:, 1] * (padded - width)
    centred = ~chance.whether("crop or centre", recipe.crop_probability if recipe.crop != "centre" else 0.0)
    height, width = np.where(centred, side, height), np.where(centred, side, width)
    middle = (padded - side) // 2
    top, left = np.where(centred, middle, top), np.where(centred, middle, left)
    return Boxes(top, left, height, width, chance.whether("mirror", recipe.mirror))


def _coordinates(
    start: np.ndarray, length: np.ndarray, reverse: np.ndarray, side: int, view_side: int, pad: int, source_side: int
) -> np.ndarray:
    """Give, for each picture and output pixel, the place along one axis of the stored picture, in its pixels."""
    step = np.arange(side) + 0.5
    # Multiplied before it is divided, a box of the output's own side gives whole numbers, not nearly whole ones.
    view = start[:, None] + np.where(reverse[:, None], step[::-1], step) * length[:, None] / side - 0.5 - pad
    if pad:
        # Beyond the border the picture is reflected without repeating its last pixel, again and again if need be.
        last = view_side - 1
        view = last - np.abs(view % max(2 * last, 1) - last)
    return np.clip((view + 0.5) * source_side / view_side - 0.5, 0, source_side - 1)


def places(boxes: Boxes, side: int, view_side: int, pad: int, source: int) -> Places:
    """Find where each output pixel lies in its stored picture, when that is enlarged to the view, padded and cut."""
    none, scale = np.zeros(len(boxes.top), bool), source / view_side
    return Places(
        _coordinates(boxes.top, boxes.height, none, side, view_side, pad, source),
        _coordinates(boxes.left, boxes.width, boxes.mirror, side, view_side, pad, source),
        np.maximum(boxes.height / side * scale, 1.0),
        np.maximum(boxes.width / side * scale, 1.0),
    )


def cut(
    pictures: Float32[Tensor, "n source source 3"], boxes: Boxes, side: int, view_side: int, pad: int = 0
) -> Float32[Tensor, "n side side 3"]:
    """Enlarge stored pictures to the view, pad, cut the boxes out, bring them to `side`, and mirror: all at once.

    Where pixels map to pixels they are gathered; else they are interpolated linearly, over as many source pixels as
    the box shrinks (so that nothing aliases).
    """
    n, source = pictures.shape[:2]
    at = places(boxes, side, view_side, pad, source)
    if np.all(boxes.height == side) and np.all(boxes.width == side) and source == view_side:
        at_row, at_column = (
            torch.from_numpy(np.rint(axis).astype(np.int64)).to(pictures.device) for axis in (at.rows, at.columns)
        )
        picture = torch.arange(n, device=pictures.device)
        return pictures[picture[:, None, None], at_row[:, :, None], at_column[:, None, :]]
    row_weights = _interpolation(at.rows, at.row_reach, source).to(pictures.device)
    column_weights = _interpolation(at.columns, at.column_reach, source).to(pictures.device)
    across = torch.bmm(column_weights, pictures.transpose(1, 2).reshape(n, source, source * 3))
    across = across.view(n, side, source, 3).transpose(1, 2).reshape(n, source, side * 3)
    return torch.bmm(row_weights, across).view(n, side, side, 3)


def _interpolation(at: np.ndarray, reach: np.ndarray, source: int) -> Float32[Tensor, "n side source"]:
    """Weigh source pixels by a triangle around each place."""
    weights = np.maximum(0, 1 - np.abs(at[:, :, None] - np.arange(source)) / reach[:, None, None]).astype(np.float32)
    return torch.from_numpy(weights / weights.sum(axis=2, keepdims=True))


def rotate(pictures: Float[Tensor, "n side side 3"], degrees: np.ndarray) -> Float[Tensor, "n side side 3"]:
    """Turn each picture about its centre, anticlockwise; corners that come from outside are filled by reflection."""
    angle = torch.from_numpy(np.deg2rad(degrees)).to(pictures)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    planes = pictures.permute(0, 3, 1, 2)
    grid = F.affine_grid(turn, list(planes.shape), align_corners=False)
    return F.grid_sample(planes, grid, padding_mode="reflection", align_corners=False).permute(0, 2, 3, 1)


class View:
    """What a network is shown: the way from stored pictures to its input.

    Attributes:
        side: Side of the network's input.
        view_side: Side that stored pictures get before the crop.
        convention: The architecture's input convention.
        statistics: Of the training pictures.
    """

    def __init__(
        self, architecture: Architecture, statistics: Statistics, view_side: int = 0, device: torch.device | None = None
    ) -> None:
        """Prepare the constants.

        Args:
            architecture: Gives the input's side and convention.
            statistics: Of the store that the network learns from.
            view_side: Side before the crop; 0 takes the store's own, or 8/7 of the input where the store is smaller.
            device: Where batches will be.

        Raises:
            UsageError: If the view is smaller than the network's input.
        """
        self.side, self.convention, self.statistics = architecture.input_side, architecture.input, statistics
        stored = self.stored_side
        # Paper (§4.1): 256 for an input of 224; 8/7 keeps that proportion.
        self.view_side = view_side or (stored if stored >= self.side else round(self.side * PICTURE_SIDE / CROP_SIDE))
        if self.view_side < self.side:
            raise UsageError(
                f"view_side={self.view_side} is smaller than the network's input of {self.side}: "
                f"raise it, or set it to 0"
            )
        none, one = np.zeros(3), np.ones(3)
        mean, deviation = {
            "raw": (statistics.mean_image, one),
            "raw-2012": (none, one),
            "raw-imagenet": (np.array(IMAGENET_COLOUR), one),
            "deviation": (statistics.mean_image, statistics.deviation),
            "imagenet": (np.array(IMAGENET_MEAN) * 255, np.array(IMAGENET_DEVIATION) * 255),
        }[self.convention]
        # A colour that never varies is 0 without its mean, whatever that is divided by.
        scale = 1 / np.where(deviation == 0, 1, deviation)
        self.mean, self.scale = (torch.tensor(x, dtype=torch.float32, device=device) for x in (mean, scale))
        # What is subtracted after the crop, the same wherever that lies.
        self.middle: Tensor | None = None
        if self.convention == "raw-2012":
            whole = torch.tensor(statistics.mean_image, dtype=torch.float32, device=device)[None]
            place = (self.view_side - self.side) // 2
            self.middle = cut(whole, Boxes.same(1, place, place, self.side, False), self.side, self.view_side)[0]

    @property
    def stored_side(self) -> int:
        """Side of the pictures that it takes, in pixels: the store's that the network learned from."""
        return len(self.statistics.mean_image)

    def _cut(
        self, pictures: UInt8[Tensor, "n source source 3"], boxes: Boxes, pad: int = 0
    ) -> Float32[Tensor, "n side side 3"]:
        """Cut boxes out of pictures, less the mean."""
        x = cut(pictures.float() - self.mean, boxes, self.side, self.view_side, pad)
        return x if self.middle is None else x - self.middle

    def train(
        self,
        pictures: UInt8[Tensor, "n source source 3"],
        chance: Chance,
        recipe: Recipe,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n 3 side side"]:
        """Show a training batch with the recipe's random changes, which depend on nothing but `chance`.

        Args:
            pictures: As the store holds them.
            chance: The random choices for them.
            recipe: Says which changes there are.
            dtype: float32, or bfloat16 for a network that would round its input to it anyway.
        """
        boxes = random_boxes(chance, recipe, self.view_side, self.side)
        at = places(boxes, self.side, self.view_side, recipe.pad, self.stored_side)
        if not recipe.rotation and view_compiled.applies(pictures, at):
            shifts, divisors = recolouring(chance, recipe, self.statistics)
            return view_compiled.show(pictures, at, self.mean, self.middle, shifts, divisors, self.scale, dtype)
        x = self._cut(pictures, boxes, recipe.pad)
        if recipe.rotation:
            # Pictures that are not turned are not resampled either: that would change them by rounding.
            turned = np.flatnonzero(chance.whether("rotation or not", recipe.rotation_probability))
            if len(turned):
                degrees = (2 * chance.uniform("rotation")[turned, 0] - 1) * recipe.rotation
                x[turned] = rotate(x[turned], degrees)
        x = recolour(x, chance, recipe, self.statistics)
        return (x * self.scale).permute(0, 3, 1, 2).to(dtype)

    def test(
        self, pictures: UInt8[Tensor, "n source source 3"], crops: int = 1, dtype: torch.dtype = torch.float32
    ) -> Iterator[Float[Tensor, "n 3 side side"]]:
        """Show a batch without chance, once per crop: the centre; the centre and its mirror image; or the ten of §4.1.

        The ten come in the authors' order: top left, top right, centre, bottom left, bottom right, then their mirrors.
        """
        for top, left, mirror in crop_places(crops, self.view_side - self.side):
            boxes = Boxes.same(len(pictures), top, left, self.side, mirror)
            at = places(boxes, self.side, self.view_side, 0, self.stored_side)
            if view_compiled.applies(pictures, at):
                yield view_compiled.show(pictures, at, self.mean, self.middle, None, None, self.scale, dtype)
            else:
                yield (self._cut(pictures, boxes) * self.scale).permute(0, 3, 1, 2).to(dtype)


def crop_places(crops: int, free: int) -> list[tuple[int, int, bool]]:
    """List the test crops as (top, left, mirrored), where `free` is how far a crop can move.

    Raises:
        UsageError: If `crops` is not 1, 2 or 10.
    """
    middle = (free // 2, free // 2)
    places = {1: [middle], 2: [middle], 10: [(0, 0), (0, free), middle, (free, 0), (free, free)]}
    if crops not in places:
        raise UsageError(f"crops={crops} is unknown: choose 1 (centre), 2 (centre and mirror) or 10")
    mirrors = (False,) if crops == 1 else (False, True)
    return [(top, left, mirror) for mirror in mirrors for top, left in places[crops]]

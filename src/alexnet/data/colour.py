"""The colour shift of §4.1 in its three readings: from stored pictures, less their mean, to recoloured ones.

| `colour_form` | shift along an axis: a coefficient from N(0, `colour_noise`) times | then |
|---|---|---|
| `printed` | the eigenvalue of pixels on the 0–1 scale (§4.1) | |
| `authors` | the standard deviation in grey levels (2012 source) | all divided by 1 + `colour_noise` |
| `lighting` | ImageNet's eigenvalue on the 0–1 scale, as fb.resnet.torch has it | |

The first two take axes and deviations from the store or, with `colour_axes=imagenet`, from ImageNet; `lighting` has
constants of its own, whatever `colour_axes` says.
"""

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from alexnet.data.chance import Chance
from alexnet.data.store import Statistics
from alexnet.paper import IMAGENET_COLOUR_DEVIATIONS, LIGHTING_AXES, LIGHTING_EIGENVALUES
from alexnet.recipe import Recipe


def imagenet_axes() -> Float64[np.ndarray, "3 3"]:
    """Give ImageNet's principal axes of RGB as columns, signed as `Statistics.colour_axes` are.

    Differs from the paper: its authors' own axes are in a file that we do not have; these are fb.resnet.torch's for
    the same pictures, printed to four digits, and here the nearest axes that are exactly orthogonal.
    """
    left, _, right = np.linalg.svd(np.array(LIGHTING_AXES))
    axes: np.ndarray = left @ right
    return axes * np.sign(axes[np.abs(axes).argmax(0), range(3)])


def shift_sizes(recipe: Recipe, statistics: Statistics) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3 3"]]:
    """Give the shift for a coefficient of 1, in grey levels along each axis, and the axes of RGB as columns (§4.1).

    Paper (§4.1): the size is the eigenvalue, when `colour_form` is `printed`.
    Differs from the paper: that is the eigenvalue of pixels on the 0–1 scale, which it does not name; on 0–255 the
    shift would be over a thousand grey levels.
    """
    if recipe.colour_form == "lighting":
        return np.array(LIGHTING_EIGENVALUES) * 255, np.array(LIGHTING_AXES)
    deviations, axes = statistics.colour_deviations, statistics.colour_axes
    if recipe.colour_axes == "imagenet":
        deviations, axes = np.array(IMAGENET_COLOUR_DEVIATIONS), imagenet_axes()
    return deviations if recipe.colour_form == "authors" else (deviations / 255) ** 2 * 255, axes


def colour_noise(recipe: Recipe, epoch: int) -> float:
    """Give the coefficients' standard deviation in an epoch, counted from 0: none from `colour_noise_until` on."""
    over = 0 < recipe.colour_noise_until <= epoch
    return 0.0 if over else recipe.colour_noise


def colour_shift(chance: Chance, recipe: Recipe, statistics: Statistics) -> Float32[Tensor, "n 3"]:
    """Draw each picture's colour shift along the principal axes of RGB, in grey levels (§4.1)."""
    coefficients = chance.normal("colour", 3) * colour_noise(recipe, chance.epoch)
    coefficients *= chance.whether("colour or not", recipe.colour_probability)[:, None]
    sizes, axes = shift_sizes(recipe, statistics)
    return torch.from_numpy((coefficients * sizes @ axes.T).astype(np.float32))


def recolouring(
    chance: Chance, recipe: Recipe, statistics: Statistics
) -> tuple[Float32[Tensor, "n 3"] | None, Float32[Tensor, "n"] | None]:
    """Draw what is added to the colours of each picture and what it is then divided by; None where nothing is."""
    noise = colour_noise(recipe, chance.epoch)
    if not noise:
        return None, None
    shifts = colour_shift(chance, recipe, statistics)
    if recipe.colour_form != "authors":
        return shifts, None
    # The 2012 source keeps the noisy pictures' scale near that of the test pictures.
    shifted = torch.from_numpy(chance.whether("colour or not", recipe.colour_probability))
    return shifts, 1 + noise * shifted.float()


def recolour(
    pictures: Float32[Tensor, "n h w 3"], chance: Chance, recipe: Recipe, statistics: Statistics
) -> Float32[Tensor, "n h w 3"]:
    """Shift the colours of pictures, each by its own draw (§4.1).

    Args:
        pictures: In grey levels, less their mean.
        chance: The random choices for them.
        recipe: Says how large the shifts are and how many pictures get one.
        statistics: Of the training pictures.
    """
    shifts, divisors = recolouring(chance, recipe, statistics)
    if shifts is not None:
        pictures = pictures + shifts.to(pictures.device)[:, None, None, :]
    return pictures if divisors is None else pictures / divisors.to(pictures.device)[:, None, None, None]

"""What is shown beside an answer: what the network saw, what mattered in it, what the first filters saw, and neighbors.

Pictures leave as PNGs in base64, ready for a page or a program.
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from PIL import Image
from torch import Tensor

from alexnet.errors import UsageError
from alexnet.filters import as_colours, conv1_kernels
from alexnet.importance import importance
from alexnet.layers import Activation
from alexnet.nn.network import arithmetic
from alexnet.runs.trained import Trained

MAPS = 24  # of conv1, the strongest
THUMB_PX = 96
FOR, AGAINST = (255, 140, 0), (90, 60, 200)  # told apart by every eye


@dataclass(frozen=True)
class Near:
    """A training picture that is like the one that was sent.

    Attributes:
        name: Of the picture in its source.
        label: Its class.
        distance: Euclidean, between the vectors that are compared.
        picture: As the store holds it.
    """

    name: str
    label: str
    distance: float
    picture: UInt8[np.ndarray, "side side 3"]


Neighbors = Callable[[UInt8[np.ndarray, "side side 3"]], Sequence[Near]]


def look(
    trained: Trained, stored: UInt8[np.ndarray, "stored stored 3"], neighbors: Neighbors | None = None
) -> dict[str, Any]:
    """Look closer at one picture.

    Args:
        trained: The network.
        stored: As the store would hold it.
        neighbors: Finds training pictures that are like it, the nearest first.

    Returns:
        What can be written as JSON: `seen`, a PNG; `importance`, a PNG, with the best class, its probability, and the
        least of it that covering a part leaves; `maps` of the first layer, each with its kernel; `neighbors`, null
        where they cannot be had.
    """
    picture = torch.from_numpy(stored.copy()).to(trained.device)
    seen, mattered = seen_pixels(trained, picture), importance(trained, picture)
    near = None
    if neighbors is not None:
        near = [
            {"name": one.name, "label": one.label, "distance": one.distance, "picture": thumb(one.picture)}
            for one in neighbors(stored)
        ]
    return {
        "seen": png(seen),
        "importance": {
            "method": "occlusion",
            "label": trained.classes[mattered.label],
            "probability": mattered.probability,
            "least": float(mattered.covered.min()),
            "picture": png(coloured(seen, mattered.smooth())),
        },
        "maps": first_maps(trained, picture),
        "neighbors": near,
    }


def seen_pixels(trained: Trained, picture: UInt8[Tensor, "stored stored 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """Give the part of a picture that the network sees: what it is fed, less what it is fed for a black picture."""
    fed, black = (next(trained.view.test(some[None])) for some in (picture, torch.zeros_like(picture)))
    shown = (fed - black)[0].permute(1, 2, 0) / trained.view.scale
    pixels: UInt8[np.ndarray, "side side 3"] = shown.round().clamp(0, 255).byte().cpu().numpy()
    return pixels


def coloured(
    seen: UInt8[np.ndarray, "side side 3"], falls: Float64[np.ndarray, "side side"]
) -> UInt8[np.ndarray, "side side 3"]:
    """Lay orange on what speaks for the class and violet on what speaks against it, over the picture in grey."""
    grey = np.repeat(seen.mean(2, keepdims=True) * 0.6 + 40, 3, axis=2)
    strength = np.abs(falls) / max(float(np.abs(falls).max()), 1e-30)
    cover = 0.65 * strength[..., None]
    colour = np.where(falls[..., None] > 0, np.array(FOR), np.array(AGAINST))
    return np.rint(grey * (1 - cover) + colour * cover).clip(0, 255).astype(np.uint8)


@torch.no_grad()
def first_maps(trained: Trained, picture: UInt8[Tensor, "stored stored 3"]) -> list[dict[str, Any]]:
    """Give the strongest maps of the first layer after its activation, each scaled to its own largest value.

    Returns:
        `filter`, counted from 1; `mean` activation; `kernel`, a PNG as in Figure 3 (null if it looks at no colours);
        `map`, a PNG in grey.
    """
    first = next((one.name for one in trained.network.architecture.layers if isinstance(one, Activation)), None)
    if first is None:
        return []
    (view,) = trained.view.test(picture[None])
    with arithmetic(trained.device, trained.recipe.precision):
        maps = trained.network.features(view)[first][0].float().abs().cpu()
    if maps.dim() != 3:
        return []
    try:
        kernels = as_colours(conv1_kernels(trained.network))
    except UsageError:
        kernels = None
    means = maps.mean((1, 2))
    told = []
    for place in means.topk(min(MAPS, len(maps))).indices.tolist():
        grey = (maps[place] / maps[place].max().clamp_min(1e-30) * 255).round().byte().numpy()
        kernel = None if kernels is None else png(kernels[place])
        told.append({"filter": place + 1, "mean": means[place].item(), "kernel": kernel, "map": png(grey)})
    return told


def thumb(picture: UInt8[np.ndarray, "side side 3"]) -> str:
    """Give a small PNG of a picture."""
    image = Image.fromarray(picture)
    image.thumbnail((THUMB_PX, THUMB_PX))
    return png(np.asarray(image))


def png(pixels: UInt8[np.ndarray, "h w *colours"]) -> str:
    """Write pixels as a PNG in base64."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()

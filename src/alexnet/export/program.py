"""A trained network in operations that every runtime knows: what is exported.

Stored pictures go in, uint8, and probabilities come out: mean, crop and scale are inside, so nobody can get them wrong.
The bare network takes its own input and gives scores.
"""

from collections.abc import Iterator
from copy import deepcopy

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from alexnet.data.augment import Boxes, View, cut
from alexnet.nn.network import Network
from alexnet.nn.response_norm import ResponseNorm, band
from alexnet.runs.trained import Trained


class PlainResponseNorm(nn.Module):
    """Response normalisation in operations that every runtime knows; for pictures to be shown, not for training.

    ONNX has an operator of its own for a window over maps. Sums over a window are a product with a band here as in
    `ResponseNorm`: a 1×1 convolution, which takes two thirds of that operator's time in onnxruntime and knows towers.
    """

    def __init__(self, own: ResponseNorm, maps: int) -> None:
        super().__init__()
        self.layer = own.layer
        self.register_buffer("band", band(maps, own.layer, torch.zeros(1))[:, :, None, None])

    def forward(self, x: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n maps h w"]:
        """Normalise."""
        layer, squares = self.layer, x * x
        if layer.over == "maps":
            total = F.conv2d(squares, self.get_buffer("band"))
        else:
            total = F.avg_pool2d(squares, layer.size, 1, layer.size // 2) * layer.size**2
        s = total * layer.effective_alpha + layer.k
        if layer.beta == 0.75:
            root = s.rsqrt()
            return x * (root * root.sqrt())
        return x * s.pow(-layer.beta)


class Preprocessing(nn.Module):
    """The centre view of stored pictures, as `View.test` gives it, in operations that can be exported."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.stored, self.side = view.stored_side, view.side
        self.place = (view.view_side - view.side) // 2
        self.enlarges = view.view_side != view.stored_side
        self.register_buffer("mean", view.mean)
        self.register_buffer("scale", view.scale)
        self.register_buffer("middle", view.middle if view.middle is not None else torch.zeros(3))
        # Enlarging and cutting are linear along each axis, and alike: their matrix is what becomes of single rows.
        self.register_buffer("rows", torch.stack(list(_rows(view))) if self.enlarges else torch.zeros(0))

    def forward(self, pictures: UInt8[Tensor, "n stored stored 3"]) -> Float32[Tensor, "n 3 side side"]:
        """Cut the centre out and bring it to the network's convention."""
        x = (pictures.float() - self.get_buffer("mean")).permute(0, 3, 1, 2)
        if self.enlarges:
            rows = self.get_buffer("rows")
            x = rows.T @ x @ rows
        else:
            x = x[:, :, self.place : self.place + self.side, self.place : self.place + self.side]
        x = x.permute(0, 2, 3, 1) - self.get_buffer("middle")
        return (x * self.get_buffer("scale")).permute(0, 3, 1, 2)


def _rows(view: View) -> Iterator[Float32[Tensor, "side"]]:
    """Give, for each row of the stored picture, how much of it is in each row of the view."""
    place = (view.view_side - view.side) // 2
    for row in range(view.stored_side):
        picture = torch.zeros(1, view.stored_side, view.stored_side, 3)
        picture[:, row] = 1
        yield cut(picture, Boxes.same(1, place, place, view.side, False), view.side, view.view_side)[0, :, 0, 0]


class Program(nn.Module):
    """What is exported: a network, with all that is before and after it unless it is to be bare."""

    def __init__(self, trained: Trained, bare: bool) -> None:
        super().__init__()
        self.network = _traceable(trained.network)
        self.before = nn.Identity() if bare else Preprocessing(trained.view)
        self.after = nn.Identity() if bare else nn.Softmax(1)

    def forward(self, x: Tensor) -> Float32[Tensor, "n classes"]:
        """Answer."""
        return self.after(self.network(self.before(x)))


def _traceable(network: Network) -> Network:
    """Copy a network and give the copy a response normalisation that can be exported."""
    copy = deepcopy(network).cpu().float().eval()
    for row in network.architecture.rows():
        own = getattr(copy, row.layer.name)
        if isinstance(own, ResponseNorm):
            setattr(copy, row.layer.name, PlainResponseNorm(own, row.input[0]))
    return copy

"""Local response normalisation (§3.3), with a backward pass in closed form that keeps only its input.

Four choices are independent: the window runs over neighbouring maps or within a map; α is divided by the window or not;
the window may stop at the border of a tower; k is any positive number.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from alexnet.layers import Pool
from alexnet.layers import ResponseNorm as Description
from alexnet.nn import norm_compiled, norm_kernels


def band(maps: int, layer: Description, like: Tensor) -> Float[Tensor, "maps maps"]:
    """Mark with 1 which maps share a window: at most n // 2 apart, and in the same tower."""
    index = torch.arange(maps, device=like.device)
    near = (index[:, None] - index[None, :]).abs() <= layer.size // 2
    tower = index * layer.towers // maps
    return (near & (tower[:, None] == tower[None, :])).to(like.dtype)


# Values in a piece of work: few enough that its temporaries stay in a core's cache.
PIECE = 1 << 18


def window_sum(x: Tensor, layer: Description, band: Tensor | None) -> Tensor:
    """Sum over each value's window; what lies outside the maps, or in another tower, counts as zero.

    Over maps, `x` is (pixels, maps) and the sum a product with the band: at the speed of a matrix product, where a
    sliding sum would be bound by memory. Within a map, `x` is (n, maps, h, w).
    """
    if band is None:
        return F.avg_pool2d(x, layer.size, 1, layer.size // 2, divisor_override=1)
    return x @ band


def power(s: Tensor, beta: float) -> Tensor:
    """Give s^-β; for the paper's β = 0.75 by two square roots, which are many times cheaper than a power."""
    if beta == 0.75:
        root = s.rsqrt()
        return root.sqrt().mul_(root)
    return s.pow(-beta)


def pieces(layer: Description, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Cut tensors of one shape (n, maps, h, w) alike: along pixels where the window runs over maps, else pictures."""
    if layer.over == "maps":
        tensors = tuple(tensor.permute(0, 2, 3, 1).view(-1, tensor.shape[1]) for tensor in tensors)
    length = max(1, PIECE // max(1, tensors[0].shape[1:].numel()))
    yield from zip(*(tensor.split(length) for tensor in tensors), strict=True)


def scales(x: Tensor, layer: Description, band: Tensor | None) -> tuple[Tensor, Tensor]:
    """Give s = k + α W(x²) and s^-β, in float32 or wider; x² and W(x²) are rounded to the dtype of `x` before."""
    wide = torch.promote_types(x.dtype, torch.float32)
    s = window_sum(x * x, layer, band).to(wide).mul_(layer.effective_alpha).add_(layer.k)
    return s, power(s, layer.beta)


class _Normalise(torch.autograd.Function):
    """y = x · s^-β with s = k + α W(x²), where W sums over the window; only x is kept for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Description) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        ctx.layer, ctx.band = layer, band(x.shape[1], layer, x) if layer.over == "maps" else None
        ctx.save_for_backward(x)
        y = torch.empty_like(x)
        for x_, y_ in pieces(layer, x, y):
            y_.copy_(scales(x_, layer, ctx.band)[1].mul_(x_))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        # W is its own adjoint for odd windows, so dx = g s^-β − 2αβ x W(g x s^(-β-1)).
        (x,), layer = ctx.saved_tensors, ctx.layer
        dx = torch.empty_like(x)
        for x_, g_, dx_ in pieces(layer, x, g.contiguous(memory_format=torch.channels_last), dx):
            s, scale = scales(x_, layer, ctx.band)
            inner = (scale / s).mul_(g_).mul_(x_).to(x.dtype)
            pull = window_sum(inner, layer, ctx.band).mul(x_).mul_(2 * layer.effective_alpha * layer.beta)
            dx_.copy_(scale.mul_(g_).sub_(pull))
        return dx, None


# From maps, a normalisation, whether a ReLU comes before it, and the pool after it, to what these make of the maps.
Kernel = Callable[..., Tensor]


def one_pass(x: Tensor, layer: Description, pool: Pool | None = None) -> Kernel | None:
    """Find what does a normalisation, and the layers about it, in one pass over maps like these, if anything does."""
    for kernels in (norm_kernels, norm_compiled):
        if kernels.available(x, layer, pool):
            return kernels.normalise
    return None


class ResponseNorm(nn.Module):
    """Local response normalisation as a module; see `alexnet.layers.ResponseNorm` for its choices."""

    def __init__(self, layer: Description) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n maps h w"]:
        """Normalise; the result has the dtype of `x` and lies channels last, which the sums over maps need."""
        kernel = one_pass(x, self.layer)
        return kernel(x, self.layer) if kernel is not None else _Normalise.apply(x, self.layer)

    def extra_repr(self) -> str:
        """Show the choices in `print(network)`."""
        return str(self.layer)

"""The "local" layers of the 2012 source: convolutions with a kernel of their own at every position.

All positions are one batched product of matrices. What their kernels see is gathered in one copy of runs that lie
together in memory, channels last, and the gradients go back by as many sums as a kernel has places; `F.unfold`, whose
runs are as long as a kernel is wide, takes several times as long for both.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from alexnet import layers


class Unshared(nn.Module):
    """A convolution with a kernel of its own at every position.

    Attributes:
        weight: (positions, towers, kernel · kernel · maps of a tower, channels of a tower): as the product wants it.
        bias: (channels, side, side).
    """

    def __init__(self, layer: layers.Convolution, shape: layers.Shape) -> None:
        super().__init__()
        channels, side, _ = layer.output(shape)
        self.layer, self.side = layer, side
        per_tower = channels // layer.towers
        self.weight = nn.Parameter(torch.empty(side * side, layer.towers, layer.fan_in(shape), per_tower))
        self.bias = nn.Parameter(torch.empty(channels, side, side))

    def forward(self, x: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n channels oh ow"]:
        """Multiply each patch with the kernel of its position."""
        layer, (before, after) = self.layer, self.layer.padding
        x = F.pad(x, (before, after, before, after)) if any(layer.padding) else x
        if torch.compiler.is_compiling():
            return self._plainly(x)
        out = _Patches.apply(x, layer.kernel, layer.stride, layer.towers) @ self.weight  # positions towers n channels
        out = out.permute(2, 0, 1, 3).reshape(-1, self.side, self.side, layer.channels)
        return out.permute(0, 3, 1, 2) + self.bias.to(out.dtype)

    def _plainly(self, x: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n channels oh ow"]:
        """Do the same in operations that every runtime knows, for export."""
        towers, kernel = self.layer.towers, self.layer.kernel
        patches = F.unfold(x, kernel, stride=self.layer.stride).unflatten(1, (towers, -1, kernel * kernel))
        weight = self.weight.unflatten(2, (kernel * kernel, -1))
        out = torch.einsum("ntmkp,ptkmo->ntop", patches, weight)
        return out.reshape(-1, self.layer.channels, self.side, self.side) + self.bias


class _Patches(torch.autograd.Function):
    """What each kernel sees: (positions, towers, n, kernel · kernel · maps of a tower)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: int, stride: int, towers: int) -> Tensor:
        ctx.shape, ctx.kernel, ctx.stride, ctx.towers = x.shape, kernel, stride, towers
        windows = x.permute(0, 2, 3, 1).unfold(1, kernel, stride).unfold(2, kernel, stride)
        windows = windows.unflatten(3, (towers, -1))  # n rows columns towers maps kernel kernel
        return windows.permute(1, 2, 3, 0, 5, 6, 4).flatten(4, 6).flatten(0, 1).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        n, maps, height, width = ctx.shape
        kernel, stride, towers = ctx.kernel, ctx.stride, ctx.towers
        rows, columns = ((side - kernel) // stride + 1 for side in (height, width))
        g = g.reshape(rows, columns, towers, n, kernel, kernel, maps // towers).permute(3, 0, 1, 4, 5, 2, 6)
        # Values that many kernels see would be rounded as often in bfloat16.
        dx = g.new_zeros(n, height, width, maps, dtype=torch.promote_types(g.dtype, torch.float32))
        seen = dx.unflatten(3, (towers, -1))
        for row in range(kernel):
            for column in range(kernel):
                down, across = row + stride * (rows - 1) + 1, column + stride * (columns - 1) + 1
                seen[:, row:down:stride, column:across:stride] += g[:, :, :, row, column]
        return dx.to(g.dtype).permute(0, 3, 1, 2), None, None, None

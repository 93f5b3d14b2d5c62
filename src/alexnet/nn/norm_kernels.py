"""Response normalisation over maps (§3.3) in one pass over memory, with the ReLU before and the max pool after it.

In go maps that lie channels last, in float32, bfloat16 or float16; squares and sums are float32 in any case, where
PyTorch's operations round each to the maps' dtype. Each program takes some whole pixels with all their maps, so that
every window lies within it. Kept for the way back is only the input, and where there is a pool, a byte for each of its
outputs: which place of its window was the largest.

With s = k + α W(x²), where W sums over the window: y = x s^-β, and back dx = g s^-β − 2αβ x W(g x s^(-β-1)), as W is
its own adjoint.
"""

from dataclasses import dataclass
from typing import Any, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from alexnet.layers import Pool, ResponseNorm
from alexnet.machine.kernels import block, kernel, launch, tl, triton, usable

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
# Windows are added up one shifted read after another; the paper's is 5 wide, the widest in use 9.
WIDEST = 15
# A normalisation that leaves every value as it is: 1^-β is 1, exactly.
NOTHING = ResponseNorm("none", size=1, alpha=0.0, k=1.0)


@kernel
@no_type_check
def _tile(pixels, MAPS: tl.constexpr, BLOCK: tl.constexpr):
    """Give the pixels of this program as a column, all maps as a row, and which of these values there are."""
    wide: tl.constexpr = triton.next_power_of_2(MAPS)
    high: tl.constexpr = BLOCK // wide
    pixel = (tl.program_id(0) * high + tl.arange(0, high))[:, None]
    channel = tl.arange(0, wide)[None, :]
    return pixel, channel, (pixel < pixels) & (channel < MAPS)


@kernel
@no_type_check
def _squares(x, at, channel, there, TOWER: tl.constexpr, SIZE: tl.constexpr, RELU: tl.constexpr):
    """Sum the squares over the window about each value."""
    total = tl.zeros(there.shape, tl.float32)
    in_tower = channel % TOWER
    for step in tl.static_range(-(SIZE // 2), SIZE // 2 + 1):
        near = there & (in_tower + step >= 0) & (in_tower + step < TOWER)
        a = tl.load(x + at + step, mask=near, other=0.0).to(tl.float32)
        if RELU:
            a = tl.where(a < 0, 0.0, a)
        total += a * a
    return total


@kernel
@no_type_check
def _scales(s, beta, ROOTS: tl.constexpr):
    """Give s^-β and s^(-β-1); for β = 0.75 by two square roots."""
    if ROOTS:
        root = tl.rsqrt(s)
        scale = root * tl.sqrt(root)
        return scale, scale * root * root
    scale = tl.exp(-beta * tl.log(s))
    return scale, scale / s


@kernel
@no_type_check
def _value(x, at, there, RELU: tl.constexpr):
    """Read values as what is normalised: after the ReLU, where there is one. NaN stays NaN."""
    a = tl.load(x + at, mask=there, other=0.0).to(tl.float32)
    if RELU:
        a = tl.where(a < 0, 0.0, a)
    return a


@kernel
@no_type_check
def _forward(
    x, y, pixels, alpha, beta, k,
    MAPS: tl.constexpr, TOWER: tl.constexpr, SIZE: tl.constexpr, ROOTS: tl.constexpr, RELU: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Normalise."""
    pixel, channel, there = _tile(pixels, MAPS, BLOCK)
    at = pixel.to(tl.int64) * MAPS + channel
    s = k + alpha * _squares(x, at, channel, there, TOWER, SIZE, RELU)
    scale, _ = _scales(s, beta, ROOTS)
    tl.store(y + at, (_value(x, at, there, RELU) * scale).to(y.dtype.element_ty), mask=there)


@kernel
@no_type_check
def _forward_pooled(
    x, y, winner, pixels, alpha, beta, k, side_y, side_x, pooled_y, pooled_x,
    MAPS: tl.constexpr, TOWER: tl.constexpr, SIZE: tl.constexpr, ROOTS: tl.constexpr, RELU: tl.constexpr,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Normalise and take the largest of each window; the first of equal ones, and NaN before all, as PyTorch does."""
    pixel, channel, there = _tile(pixels, MAPS, BLOCK)
    column, row, picture = pixel % pooled_x, pixel // pooled_x % pooled_y, pixel // (pooled_x * pooled_y)
    best = tl.full(there.shape, float("-inf"), tl.float32)
    which = tl.zeros(there.shape, tl.int32)
    for place in tl.static_range(KERNEL * KERNEL):
        down, right = row * STRIDE + place // KERNEL, column * STRIDE + place % KERNEL
        inside = there & (down < side_y) & (right < side_x)
        at = ((picture * side_y + down) * side_x + right).to(tl.int64) * MAPS + channel
        s = k + alpha * _squares(x, at, channel, inside, TOWER, SIZE, RELU)
        scale, _ = _scales(s, beta, ROOTS)
        # Rounded before it is compared, as where the pool is a step of its own.
        value = (_value(x, at, inside, RELU) * scale).to(y.dtype.element_ty).to(tl.float32)
        better = inside & ((value > best) | (value != value))
        best = tl.where(better, value, best)
        which = tl.where(better, place, which)
    at = pixel.to(tl.int64) * MAPS + channel
    tl.store(y + at, best.to(y.dtype.element_ty), mask=there)
    tl.store(winner + at, which.to(tl.uint8), mask=there)


@kernel
@no_type_check
def _gathered(
    g, winner, pixel, channel, there, side_y, side_x, pooled_y, pooled_x,
    MAPS: tl.constexpr, KERNEL: tl.constexpr, STRIDE: tl.constexpr,
):  # fmt: skip
    """Add up what comes back from the windows that cover each value and had it as their largest."""
    column, row, picture = pixel % side_x, pixel // side_x % side_y, pixel // (side_x * side_y)
    back = tl.zeros(there.shape, tl.float32)
    windows: tl.constexpr = (KERNEL + STRIDE - 1) // STRIDE
    for number in tl.static_range(windows * windows):
        down, right = row // STRIDE - number // windows, column // STRIDE - number % windows
        place = (row - down * STRIDE) * KERNEL + column - right * STRIDE
        covers = there & (down >= 0) & (down < pooled_y) & (row - down * STRIDE < KERNEL)
        covers = covers & (right >= 0) & (right < pooled_x) & (column - right * STRIDE < KERNEL)
        at = ((picture * pooled_y + down) * pooled_x + right).to(tl.int64) * MAPS + channel
        won = covers & (tl.load(winner + at, mask=covers, other=255).to(tl.int32) == place)
        back += tl.load(g + at, mask=won, other=0.0).to(tl.float32)
    return back


@kernel
@no_type_check
def _backward(
    x, g, winner, dx, pixels, alpha, beta, k, side_y, side_x, pooled_y, pooled_x,
    MAPS: tl.constexpr, TOWER: tl.constexpr, SIZE: tl.constexpr, ROOTS: tl.constexpr, RELU: tl.constexpr,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Go back through pool (where KERNEL is not 0), normalisation and ReLU."""
    pixel, channel, there = _tile(pixels, MAPS, BLOCK)
    at = pixel.to(tl.int64) * MAPS + channel
    if KERNEL:
        back = _gathered(g, winner, pixel, channel, there, side_y, side_x, pooled_y, pooled_x, MAPS, KERNEL, STRIDE)
    else:
        back = tl.load(g + at, mask=there, other=0.0).to(tl.float32)
    a = _value(x, at, there, RELU)
    scale, steep = _scales(k + alpha * _squares(x, at, channel, there, TOWER, SIZE, RELU), beta, ROOTS)
    # The neighbours of a value belong to other threads of this program: they hand each other g x s^(-β-1) through the
    # place where dx will be, which no other program touches.
    tl.store(dx + at, (back * a * steep).to(dx.dtype.element_ty), mask=there)
    tl.debug_barrier()
    pull = tl.zeros(there.shape, tl.float32)
    in_tower = channel % TOWER
    for step in tl.static_range(-(SIZE // 2), SIZE // 2 + 1):
        near = there & (in_tower + step >= 0) & (in_tower + step < TOWER)
        pull += tl.load(dx + at + step, mask=near, other=0.0).to(tl.float32)
    tl.debug_barrier()
    result = back * scale - 2 * alpha * beta * a * pull
    if RELU:
        result = tl.where(a <= 0, 0.0, result)
    tl.store(dx + at, result.to(dx.dtype.element_ty), mask=there)


def available(x: Tensor, layer: ResponseNorm, pool: Pool | None = None) -> bool:
    """Tell whether the kernels do this; where they do not, PyTorch's operations do, up to rounding."""
    fits = layer.over == "maps" and layer.size <= WIDEST and x.dim() == 4 and x.dtype in DTYPES
    pools = pool is None or (pool.kind == "max" and pool.kernel**2 <= 255)
    return fits and pools and usable(x)


@dataclass(frozen=True)
class _Work:
    """What is to be done to maps of one shape.

    Attributes:
        numbers: α as a factor of the plain sum, β, k.
        sides: Of the maps, and of what the pool makes of them: heights, then widths.
        constants: What the kernels are compiled for.
        window: Side and stride of the pool, as constants; a side of 0 is none.
    """

    numbers: tuple[float, float, float]
    sides: tuple[int, ...]
    constants: dict[str, Any]
    window: dict[str, Any]

    @staticmethod
    def of(x: Tensor, layer: ResponseNorm, relu: bool, pool: Pool | None) -> "_Work":
        """Describe what is to be done to `x`."""
        maps, *sides = x.shape[1:]
        pooled = [pool.output((maps, side, side))[1] for side in sides] if pool else sides
        constants = {"MAPS": maps, "TOWER": maps // layer.towers, "SIZE": layer.size, "ROOTS": layer.beta == 0.75}
        constants |= {"RELU": relu, "BLOCK": block(maps)}
        window = {"KERNEL": pool.kernel, "STRIDE": pool.stride} if pool else {"KERNEL": 0, "STRIDE": 1}
        return _Work((layer.effective_alpha, layer.beta, layer.k), (*sides, *pooled), constants, window)

    def programs(self, pixels: int) -> int:
        """Count the programs that these pixels need."""
        high = self.constants["BLOCK"] // (1 << (self.constants["MAPS"] - 1).bit_length())
        return -(-pixels // high)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, work: _Work) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        n, maps, pixels = len(x), x.shape[1], len(x) * work.sides[2] * work.sides[3]
        y = torch.empty((n, maps, *work.sides[2:]), dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        programs = work.programs(pixels)
        if work.window["KERNEL"]:
            winner = torch.empty((n, *work.sides[2:], maps), dtype=torch.uint8, device=x.device)
            arguments = (x, y, winner, pixels, *work.numbers, *work.sides)
            launch(_forward_pooled, programs, x, *arguments, **work.constants, **work.window)
        else:
            winner = torch.empty(0, dtype=torch.uint8, device=x.device)
            launch(_forward, programs, x, x, y, pixels, *work.numbers, **work.constants)
        ctx.save_for_backward(x, winner)
        ctx.work = work
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (x, winner), work = ctx.saved_tensors, ctx.work
        dx = torch.empty_like(x, memory_format=torch.channels_last)
        g, pixels = g.contiguous(memory_format=torch.channels_last), len(x) * work.sides[0] * work.sides[1]
        arguments = (x, g, winner, dx, pixels, *work.numbers, *work.sides)
        launch(_backward, work.programs(pixels), x, *arguments, **work.constants, **work.window)
        return dx, None


def pooled(x: Float[Tensor, "n maps h w"], pool: Pool, relu: bool = False) -> Float[Tensor, "n maps oh ow"]:
    """Pool (§3.4), after a ReLU if wanted; unlike PyTorch's, its way back is repeatable and keeps a byte a place."""
    return normalise(x, NOTHING, relu, pool)


def normalise(
    x: Float[Tensor, "n maps h w"], layer: ResponseNorm, relu: bool = False, pool: Pool | None = None
) -> Float[Tensor, "n maps oh ow"]:
    """Normalise over maps (§3.3), after a ReLU and before a max pool (§3.4) if wanted; see `available` for what can be.

    Args:
        x: The maps; worked on as channels last, of which a copy is made where they lie otherwise.
        layer: The choices of the normalisation.
        relu: Whether negative values become 0 before it.
        pool: What follows it.

    Returns:
        Maps of the dtype of `x`, channels last. In bfloat16 none is rounded more often than in separate steps.
    """
    return _Normalise.apply(x, _Work.of(x, layer, relu, pool))

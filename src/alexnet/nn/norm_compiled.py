"""Response normalisation (§3.3) on the CPU, with the ReLU before it and the max pool after it, in one pass.

Alone, each of them reads and writes all maps; together, a row of maps is normalised and pooled while it lies in the
processor's cache, and only the input and a byte for each pooled value are kept for the way back. (Sums within a map
need more of it than a row: they take a few maps of a picture at a time, and no pool.) The maps are those of the layers
one after another, up to rounding: squares and sums are float32 for bfloat16 maps too, where PyTorch's operations round
each of them to bfloat16. `norm_kernels` is the same for a GPU.
"""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from alexnet.layers import Pool, ResponseNorm
from alexnet.machine import compiled

DTYPES = (torch.float32, torch.bfloat16)
# A window's places are told in a byte.
LARGEST_KERNEL = 15


class _Stage(ctypes.Structure):
    """As `Stage` of compiled.cpp."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("threads", "pictures", "height", "width", "maps")),
        *((name, ctypes.c_int32) for name in ("relu", "window", "towers", "within")),
        *((name, ctypes.c_float) for name in ("alpha", "beta", "k")),
        *((name, ctypes.c_int32) for name in ("kernel", "stride", "down", "across")),
    )


def available(x: Tensor, layer: ResponseNorm, pool: Pool | None = None) -> bool:
    """Tell whether the compiled form does this; where it does not, PyTorch's operations do, up to rounding."""
    pools = pool is None or (pool.kind == "max" and pool.kernel <= LARGEST_KERNEL)
    there = x.device.type == "cpu" and x.dtype in DTYPES and x.dim() == 4
    return (
        (layer.over == "maps" or pool is None)
        and pools
        and there
        and not torch.compiler.is_compiling()
        and compiled.library().functions is not None
    )


def normalise(
    x: Float[Tensor, "n maps h w"], layer: ResponseNorm, relu: bool = False, pool: Pool | None = None
) -> Float[Tensor, "n maps oh ow"]:
    """Normalise (§3.3), after a ReLU and before a max pool (§3.4) if wanted; see `available` for what can be.

    Args:
        x: The maps; worked on as channels last, of which a copy is made where they lie otherwise.
        layer: The choices of the normalisation.
        relu: Whether negative values become 0 before it.
        pool: What follows it.

    Returns:
        Maps of the dtype of `x`, channels last. In bfloat16 each is rounded as often as in separate steps.
    """
    pictures, maps, height, width = x.shape
    nothing = layer.effective_alpha == 0 and layer.k == 1
    stage = _Stage(
        threads=torch.get_num_threads(),
        pictures=pictures,
        height=height,
        width=width,
        maps=maps,
        relu=relu,
        window=0 if nothing else layer.size,
        towers=layer.towers,
        within=layer.over == "map",
        alpha=layer.effective_alpha,
        beta=layer.beta,
        k=layer.k,
        kernel=pool.kernel if pool else 0,
        stride=pool.stride if pool else 1,
        down=pool.output((maps, height, height))[1] if pool else height,
        across=pool.output((maps, width, width))[1] if pool else width,
    )
    return _Normalise.apply(x, stage)


def _run(name: str, dtype: torch.dtype, stage: _Stage, *tensors: Tensor | None) -> None:
    function = getattr(compiled.library().functions, f"{name}_{str(dtype).removeprefix('torch.')}")
    function(ctypes.byref(stage), *(ctypes.c_void_p(None if t is None else t.data_ptr()) for t in tensors))


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, stage: _Stage) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        shape = (*x.shape[:2], stage.down, stage.across)
        y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
        where = torch.empty(shape, dtype=torch.uint8, memory_format=torch.channels_last) if stage.kernel else None
        _run("forward", x.dtype, stage, x, y, where)
        ctx.stage = stage
        ctx.save_for_backward(x, where)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        x, where = ctx.saved_tensors
        dx = torch.empty_like(x)
        _run("backward", x.dtype, ctx.stage, x, g.contiguous(memory_format=torch.channels_last), where, dx)
        return dx, None

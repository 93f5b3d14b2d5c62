"""From stored pictures to the network's input in one pass on the CPU: cut, mirrored, less the mean, recoloured, scaled.

The numbers are those of `alexnet.data.augment`, which says what is done; here it is done by compiled.cpp, a picture at
a time, in the processor's cache, straight into the layout and the precision that the first convolution wants.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from torch import Tensor

from alexnet.machine import compiled

# So many source pixels can make one output pixel; pictures that shrink more than that take the other way.
LARGEST_REACH = 31.0


class _Views(ctypes.Structure):
    """As `Views` of compiled.cpp."""

    _fields_ = tuple(
        (name, ctypes.c_int32) for name in ("threads", "pictures", "source", "side", "mean_is_image", "divide")
    )


@dataclass(frozen=True)
class Places:
    """Where each output pixel lies in its stored picture, along each axis, in source pixels.

    Attributes:
        rows: Of each output row.
        columns: Of each output column.
        row_reach: Source pixels on each side that a row is made of, weighed by a triangle; 1 where nothing shrinks.
        column_reach: The same for columns.
    """

    rows: Float64[np.ndarray, "n side"]
    columns: Float64[np.ndarray, "n side"]
    row_reach: Float64[np.ndarray, "n"]
    column_reach: Float64[np.ndarray, "n"]


def applies(pictures: Tensor, places: Places) -> bool:
    """Say whether the compiled form can do it."""
    reach = float(max(places.row_reach.max(initial=1), places.column_reach.max(initial=1)))
    return pictures.device.type == "cpu" and reach <= LARGEST_REACH and compiled.library().functions is not None


def show(
    pictures: UInt8[Tensor, "n source source 3"],
    places: Places,
    mean: Float32[Tensor, "..."],
    middle: Float32[Tensor, "side side 3"] | None,
    shifts: Float32[Tensor, "n 3"] | None,
    divisors: Float32[Tensor, "n"] | None,
    factors: Float32[Tensor, "3"],
    dtype: torch.dtype,
) -> Float[Tensor, "n 3 side side"]:
    """Make the network's input.

    Args:
        pictures: As the store holds them.
        places: What is cut out of each.
        mean: Subtracted before, in grey levels: an image of the store's side, or a colour.
        middle: Subtracted after the cut, if anything is.
        shifts: Added to the colours of each picture, if they are.
        divisors: What each picture is then divided by, if they are.
        factors: What each colour is multiplied by at last.
        dtype: float32 or bfloat16.
    """
    n, side = places.rows.shape
    job = _Views(
        threads=torch.get_num_threads(),
        pictures=n,
        source=pictures.shape[1],
        side=side,
        mean_is_image=mean.dim() == 3,
        divide=divisors is not None,
    )
    shifts = torch.zeros(n, 3) if shifts is None else shifts
    out = torch.empty(n, 3, side, side, dtype=dtype, memory_format=torch.channels_last)
    # Kept by name until the call is over: a pointer keeps nothing alive.
    arrays = [np.ascontiguousarray(a) for a in (places.rows, places.columns, places.row_reach, places.column_reach)]
    before = [pictures.contiguous(), mean.contiguous()]
    after = [None if t is None else t.contiguous() for t in (middle, shifts, divisors, factors)]
    function = getattr(compiled.library().functions, f"views_{str(dtype).removeprefix('torch.')}")
    function(
        ctypes.byref(job),
        *(ctypes.c_void_p(t.data_ptr()) for t in before),
        *(ctypes.c_void_p(a.ctypes.data) for a in arrays),
        *(ctypes.c_void_p(None if t is None else t.data_ptr()) for t in after),
        ctypes.c_void_p(out.data_ptr()),
    )
    return out

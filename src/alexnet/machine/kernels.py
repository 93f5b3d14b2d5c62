"""Triton, where it is installed: what kernels are written with, and whether a tensor can be worked on by one.

PyTorch's CUDA builds bring Triton along. Where it is missing this still imports, and `usable` says no; then the same
sums are done by PyTorch. With the environment variable TRITON_INTERPRET=1 kernels run on the CPU, slowly: for tests.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:
    # What marks the parameters that a kernel is compiled for.
    triton, tl = None, SimpleNamespace(constexpr=None)

__all__ = ["BLOCK", "block", "kernel", "launch", "tl", "triton", "usable"]

# Numbers that one program of a kernel works on at a time: four for each of 256 threads. More of them make a thread's
# reads lie apart and take registers from other threads, by the machine code for an H200.
BLOCK = 1024
WARPS = 8


def kernel(function: Callable[..., None]) -> Any:
    """Make a kernel of a function; it is compiled when first launched, for each choice of its constants.

    Put `typing.no_type_check` beneath it: what checks types at run time would stand between Triton and the source.
    """
    return function if triton is None else triton.jit(function)


def usable(tensor: Tensor) -> bool:
    """Tell whether kernels can work on a tensor: it lies on a GPU, or they are interpreted on the CPU."""
    if triton is None:
        return False
    return bool(triton.knobs.runtime.interpret) if tensor.device.type == "cpu" else tensor.is_cuda


def block(values: int) -> int:
    """Give the length of a block that holds so many values at least: a power of two."""
    return max(BLOCK, 1 << (values - 1).bit_length())


def launch(function: Any, programs: int, like: Tensor, *arguments: Any, **constants: Any) -> None:
    """Start a kernel on the device of a tensor.

    Args:
        function: Of `kernel`.
        programs: How many instances of it run; none is nothing to do.
        like: Says on which device.
        arguments: Tensors and numbers that it takes.
        constants: What it is compiled for.
    """
    if programs:
        with torch.cuda.device_of(like):
            function[(programs,)](*arguments, **constants, num_warps=WARPS)

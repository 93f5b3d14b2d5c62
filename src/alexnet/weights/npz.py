"""`.npz`: one NumPy array a tensor, under torchvision's names or ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from alexnet.errors import DataError
from alexnet.weights.content import Found, by_our_names, zip_members

# What an archive may grow to when it is unpacked: weights do not shrink much, so what grows more is a trap.
MOST_GROWTH, ALWAYS_ALLOWED_BYTES = 20, 200_000_000


def read(path: Path) -> Found:
    """Read the arrays.

    Raises:
        DataError: If it is torn, or of another network.
    """
    tensors = {}
    size, unpacked = path.stat().st_size, sum(member.file_size for member in zip_members(path))
    if unpacked > max(ALWAYS_ALLOWED_BYTES, MOST_GROWTH * size):
        raise DataError(f"{path} would grow from {size:,} to {unpacked:,} bytes: it is no file of weights")
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            for name in arrays.files:
                array = arrays[name]
                tensors[name] = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except Exception as error:  # a torn archive can raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise DataError(f"{path} is torn, or no .npz of numbers ({reason}): fetch or save it again") from error
    return by_our_names(tensors, path)


def write(stream: IO[bytes], tensors: Mapping[str, Tensor]) -> None:
    """Write the arrays, not compressed."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    np.savez(stream, **arrays)  # type: ignore[arg-type]

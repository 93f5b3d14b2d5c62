"""Batches: pictures of a store as uint8 on the device, with their labels and their places in the split."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from alexnet.data.split import Split


@dataclass(frozen=True)
class Batch:
    """Some pictures of a split.

    Attributes:
        pictures: RGB, 0–255, at the size of the store, on the device.
        labels: True classes, on the device.
        indices: Places in the split, on the host: all random choices for a picture come from them.
    """

    pictures: UInt8[Tensor, "n side side 3"]
    labels: Int64[Tensor, "n"]
    indices: Int64[np.ndarray, "n"]


def batches(
    split: Split, order: Int64[np.ndarray, "pictures"], batch_size: int, device: torch.device
) -> Iterator[Batch]:
    """Go through the pictures in the given order; the last batch holds what is left.

    Args:
        split: Of an open store.
        order: Places of pictures in the split.
        batch_size: Pictures a batch.
        device: Where pictures and labels go.
    """
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        pictures = torch.from_numpy(split.pictures(indices))
        labels = torch.from_numpy(split.labels[indices])
        yield Batch(pictures.to(device, non_blocking=True), labels.to(device, non_blocking=True), indices)

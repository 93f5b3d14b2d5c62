"""A split that stays on the device: each picture is read from the store once, and batches are gathered there."""

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from alexnet.data.split import Split

# Of the device's free memory, how much a split may take; the rest is the network's.
SHARE = 0.5


class Resident:
    """The pictures of a split on a device, each put there when a batch first asks for it.

    Attributes:
        labels: Of all pictures, on the device.
    """

    def __init__(self, split: Split, device: torch.device) -> None:
        """Take the memory; nothing is read yet but the labels."""
        self._split, self._device = split, device
        self._pictures = torch.empty((len(split), split.side, split.side, 3), dtype=torch.uint8, device=device)
        self._there = np.zeros(len(split), bool)
        self.labels = torch.from_numpy(split.labels).to(device)

    @staticmethod
    def where_it_fits(split: Split, device: torch.device) -> "Resident | None":
        """Keep a split on a GPU that has room for it; on the CPU, reading it from its file is as quick."""
        if device.type != "cuda":
            return None
        free, _ = torch.cuda.mem_get_info(device)
        return Resident(split, device) if len(split) * split.side**2 * 3 <= SHARE * free else None

    def gather(self, indices: Int64[np.ndarray, "n"]) -> tuple[UInt8[Tensor, "n side side 3"], Int64[Tensor, "n"]]:
        """Give the pictures at some places of the split and their labels, on the device; copies.

        Raises:
            IndexError: If there is no such place.
            DataError: If a record is damaged.
        """
        if len(indices) and indices.min() < 0:
            raise IndexError(f"{self._split.name} has no picture at {indices.min()}")
        new = np.unique(indices[~self._there[indices]])
        if len(new):
            pictures, _ = on_host(self._split, new, self._device)
            places = torch.from_numpy(new).to(self._device)
            self._pictures[places] = pictures.to(self._device, non_blocking=True)
            self._there[new] = True
        chosen = torch.from_numpy(indices).to(self._device)
        return self._pictures.index_select(0, chosen), self.labels.index_select(0, chosen)


def on_host(
    split: Split, indices: Int64[np.ndarray, "n"], device: torch.device
) -> tuple[UInt8[Tensor, "n side side 3"], Int64[Tensor, "n"]]:
    """Read pictures and labels into the computer's memory; for a GPU into pages that it can fetch by itself."""
    pinned = device.type == "cuda"
    pictures = torch.empty((len(indices), split.side, split.side, 3), dtype=torch.uint8, pin_memory=pinned)
    split.pictures(indices, pictures.numpy())
    labels = torch.from_numpy(split.labels[indices])
    return pictures, labels.pin_memory() if pinned else labels

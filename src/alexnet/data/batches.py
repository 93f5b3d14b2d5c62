"""Batches: pictures of a store as uint8 on the device, with their labels and their places in the split."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from alexnet.data.lookahead import ahead
from alexnet.data.resident import Resident, on_host
from alexnet.data.split import Split

# Batches that a GPU has waiting: one is copied while another is ready.
AHEAD = 2


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
    split: Split,
    order: Int64[np.ndarray, "pictures"],
    batch_size: int,
    device: torch.device,
    resident: Resident | None = None,
) -> Iterator[Batch]:
    """Go through the pictures in the given order; the last batch holds what is left.

    For a GPU, a thread reads the next batches and copies them there while the network computes. For the CPU, each is
    read when it is asked for; `alexnet.data.lookahead.ahead` can read them, and what is made of them, meanwhile.

    Args:
        split: Of an open store.
        order: Places of pictures in the split.
        batch_size: Pictures per batch.
        device: Where pictures and labels go.
        resident: The same split, where it is kept on the device.
    """

    def made(start: int) -> Batch:
        indices = order[start : start + batch_size]
        if resident is not None:
            return Batch(*resident.gather(indices), indices)
        pictures, labels = on_host(split, indices, device)
        return Batch(pictures.to(device, non_blocking=True), labels.to(device, non_blocking=True), indices)

    steps = (partial(made, start) for start in range(0, len(order), batch_size))
    if device.type == "cuda":
        yield from on_stream(steps, device)
    else:
        yield from (make() for make in steps)


def on_stream(steps: Iterable[Callable[[], Batch]], device: torch.device) -> Iterator[Batch]:
    """Make batches on a stream and in a thread of their own, and let the consumer's stream wait for each.

    Args:
        steps: Each makes a batch on the device.
        device: A GPU.
    """
    here, beside = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    beside.wait_stream(here)

    def made() -> Iterator[tuple[Batch, torch.cuda.Event]]:
        for make in steps:
            with torch.cuda.stream(beside):
                batch = make()
            yield batch, beside.record_event()

    try:
        for batch, ready in ahead(made(), AHEAD):
            here.wait_event(ready)
            for tensor in (batch.pictures, batch.labels):
                tensor.record_stream(here)  # else its memory could be used again before it is read
            yield batch
    finally:
        here.wait_stream(beside)

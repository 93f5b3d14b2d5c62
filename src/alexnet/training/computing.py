"""How a training computes on the machine at hand: what is set before it begins, and the line that says so.

What is chosen here changes how sums are rounded and how long they take, never what is summed; a checkpoint tells it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int64

from alexnet.data.batches import Batch, batches
from alexnet.data.lookahead import ahead
from alexnet.data.resident import Resident
from alexnet.data.split import Split
from alexnet.machine import compiled
from alexnet.machine.memory import keep_memory
from alexnet.nn.network import Network
from alexnet.recipe import Recipe
from alexnet.training import gpu
from alexnet.training.gradients import Gradients, graph_helps

# What processors call their bfloat16, the best first, and what it is called here.
BFLOAT16 = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512", "bf16": "NEON"}


class Computing:
    """The means of one training.

    Attributes:
        gradients: Gives loss and scores of a batch, and leaves its gradients with the parameters.
        dtype: Of the network's input: what its first layer would make of it anyway.
        told: What was chosen, in a line.
    """

    def __init__(self, network: Network, recipe: Recipe, split: Split, device: torch.device, repeatable: bool) -> None:
        """Choose, and set what has to be set for the whole process.

        Args:
            network: On its device.
            recipe: Gives precision and batch size.
            split: What is learned from.
            device: Where.
            repeatable: Whether equal runs must give equal numbers on a GPU, too; on the CPU they always do.
        """
        gpu.settle(repeatable)
        self._split, self._batch_size, self._device = split, recipe.batch_size, device
        self._resident = Resident.where_it_fits(split, device)
        self.gradients = Gradients(network, recipe, graph_helps(device, recipe.batch_size))
        self.dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
        if device.type == "cpu":
            self.told = " · ".join(cpu_choices(recipe, keep_memory()))
        else:
            self.told = gpu.choices(device, recipe, repeatable, self._resident is not None)

    def batches(self, order: Int64[np.ndarray, "pictures"]) -> Iterator[Batch]:
        """Go through pictures of the split; the next batch is read while one is learned from."""
        found = batches(self._split, order, self._batch_size, self._device, self._resident)
        return ahead(found) if self._device.type == "cpu" else found


def cpu_choices(recipe: Recipe, memory_kept: bool) -> list[str]:
    """Say what was chosen for the CPU, in a few words each."""
    threads = torch.get_num_threads()
    told = [f"CPU, {threads} thread{'s' if threads > 1 else ''}"]
    if recipe.precision == "bfloat16":
        unit = bfloat16_unit()
        slow = "bfloat16 that this processor has no unit for: --precision float32 is quicker"
        told.append(f"bfloat16 ({unit})" if unit else slow)
    else:
        told.append("float32")
    library = compiled.library()
    told.append(f"kernels {library.told}" if library.functions else f"PyTorch's kernels ({library.told})")
    return [*told, "memory kept between updates"] if memory_kept else told


def bfloat16_unit() -> str | None:
    """Name what multiplies bfloat16 in the processor; None if nothing does."""
    flags = compiled.processor().split()
    return next((name for flag, name in BFLOAT16.items() if flag in flags), None)

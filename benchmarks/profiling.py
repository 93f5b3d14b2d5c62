"""Where the time of a training step on the CPU goes, each part beside the least time that this machine allows it.

    python benchmarks/profiling.py --network single

Parts are as the network passes them: a convolution; ReLU, normalisation and pool where one kernel does them; a fully
connected layer. The least time of a product of matrices follows from its operations and the rate of a large product, or
from its bytes where that is longer; that of anything else from the bytes that it must read and write, each once, and
the rate of a large copy, or of a sum in place, which need not fetch what it overwrites. These rates are measured first,
and a part may beat them by a little. What is between the parts is `rest`.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import workloads
from contestants import random_labels
from cpu import COPIED, cores, stored_side
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from workloads import CPU

from alexnet.architectures import Architecture, Row
from alexnet.catalogue import named
from alexnet.data import view_kernels
from alexnet.data.augment import View
from alexnet.data.chance import Chance
from alexnet.errors import AlexNetError
from alexnet.layers import Pool, Weighted
from alexnet.machine.memory import keep_memory
from alexnet.nn.network import Network, arithmetic, initialise, placed
from alexnet.nn.passage import ORDER, at_once, through
from alexnet.optim import make_optimizer
from alexnet.recipe import Recipe

# Bytes a weight: the update reads weight, gradient and velocity, and writes weight and velocity; all are float32. A
# cast reads one form and writes the other: weights on the way forward, gradients on the way back.
UPDATE, CAST = 20, 2 * (4 + 2)


@dataclass(frozen=True)
class Rates:
    """What the machine can do at most: floating-point operations and bytes a second."""

    operations: float
    bytes: float


@dataclass(frozen=True)
class Part:
    """Layers that are passed at once.

    Attributes:
        modules: The layers, in order.
        rows: Their shapes.
        first: Whether they are the first, which need no gradient of their input.
    """

    modules: list[nn.Module]
    rows: list[Row]
    first: bool

    @property
    def name(self) -> str:
        """Their names."""
        return ", ".join(row.layer.name for row in self.rows)

    def least(self, images: int, size: int, rates: Rates) -> float:
        """Give the least seconds that they take both ways.

        Args:
            images: In the batch.
            size: Bytes of a value.
            rates: Of the machine.
        """
        into, out = (images * math.prod(shape) for shape in (self.rows[0].input, self.rows[-1].output))
        macs, weights = (sum(getattr(row, name) for row in self.rows) for name in ("macs", "parameters"))
        if any(isinstance(row.layer, Weighted) for row in self.rows):
            ways = 1 if self.first else 2
            forward = max(2 * macs * images / rates.operations, size * (into + out + weights) / rates.bytes)
            values = into + out + weights + weights + (0 if self.first else into)
            return forward + max(2 * ways * macs * images / rates.operations, size * values / rates.bytes)
        # A max pool keeps a byte for each value: where it was.
        places = out if any(isinstance(row.layer, Pool) for row in self.rows) else 0
        return (size * (into + out) + places + size * (into + out + into) + places) / rates.bytes


@dataclass
class Clock(TorchDispatchMode):
    """The seconds between marks, casts apart."""

    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    casts: float = 0.0
    last: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do an operation of PyTorch's, and time it if it is a cast."""
        if function is not torch.ops.aten._to_copy.default:
            return function(*args, **(kwargs or {}))
        begun = time.perf_counter()
        result = function(*args, **(kwargs or {}))
        self.casts += time.perf_counter() - begun
        return result

    def begin(self) -> None:
        """Count from here."""
        self.last = (time.perf_counter(), self.casts)

    def mark(self, part: str, way: str) -> None:
        """Count what was since the last mark, but casts, for a part on its way forward or back."""
        now = (time.perf_counter(), self.casts)
        spent = (now[0] - self.last[0]) - (now[1] - self.last[1])
        self.seconds[part, way] = self.seconds.get((part, way), 0.0) + spent
        self.last = now


def parts_of(network: Network) -> list[Part]:
    """Divide a network into what it passes at once."""
    modules = [(module, row) for module, row in zip(network.children(), network.architecture.rows(), strict=True)]
    modules = [pair for pair in modules if not isinstance(pair[0], nn.Identity)]
    parts: list[Part] = []
    while modules:
        count = max(1, len(at_once([module for module, _ in modules[: len(ORDER)]])))
        taken, modules = modules[:count], modules[count:]
        parts.append(Part([module for module, _ in taken], [row for _, row in taken], not parts))
    return parts


class Step:
    """A training step that is timed part by part."""

    def __init__(self, architecture: Architecture, images: int, low: bool) -> None:
        self.recipe = Recipe(batch_size=images, precision=workloads.precision(low))
        self.network = placed(initialise(Network(architecture)), CPU).train()
        self.parts = parts_of(self.network)
        self.optimizer = make_optimizer(self.recipe, self.network)
        side = stored_side(architecture)
        self.view = View(architecture, workloads.drawn_statistics(side))
        self.pictures = workloads.drawn_pictures(images, side)
        self.labels = random_labels(architecture, images, CPU)
        self.turn = 0

    def gradients(self, clock: Clock, pictures: Tensor) -> Tensor:
        """Go forward and back; the gradients are then with the parameters."""
        clock.begin()
        x, outputs = pictures, []
        with arithmetic(CPU, self.recipe.precision):
            for part in self.parts:
                x = through(part.modules, x)
                outputs.append(x)
                clock.mark(part.name, "forward")
        loss = F.cross_entropy(x.float(), self.labels)
        clock.mark("loss", "forward")
        # The gradient of a part's output is known when all that follows it is done.
        later = ["loss", *(part.name for part in reversed(self.parts))]
        for output, name in zip(reversed(outputs), later, strict=False):
            output.register_hook(lambda _, name=name: clock.mark(name, "back"))
        loss.backward()
        clock.mark(later[-1], "back")
        return loss.detach()

    def __call__(self) -> dict[tuple[str, str], float]:
        """Take a step.

        Returns:
            Seconds by part and way, `rest` included.
        """
        self.turn += 1
        indices = np.arange(len(self.labels)) + self.turn * len(self.labels)
        dtype = workloads.dtype_of(self.recipe.precision == "bfloat16")
        begun = time.perf_counter()
        with Clock() as clock:
            clock.begin()
            pictures = view_kernels.show(self.view, self.pictures, Chance(0, 0, indices), self.recipe, dtype)
            clock.mark("view", "forward")
            self.gradients(clock, pictures)
            self.optimizer.step()
            clock.mark("update", "forward")
            self.optimizer.zero_grad(set_to_none=True)
        whole = time.perf_counter() - begun
        seconds = {**clock.seconds, ("casts", "forward"): clock.casts}
        return {**seconds, ("rest", "forward"): whole - sum(seconds.values())}

    def least(self, rates: Rates) -> dict[str, float]:
        """Give the least seconds of each part; nothing is known of the others."""
        images, low = len(self.labels), self.recipe.precision == "bfloat16"
        size, side = 2 if low else 4, self.view.side
        weights = sum(parameter.numel() for parameter in self.network.parameters())
        found = {part.name: part.least(images, size, rates) for part in self.parts}
        found["view"] = images * side**2 * 3 * (1 + size) / rates.bytes
        found["update"] = weights * UPDATE / rates.bytes
        return {**found, "casts": weights * CAST / rates.bytes} if low else found


def table(steps: list[dict[tuple[str, str], float]], least: dict[str, float]) -> Iterator[str]:
    """Tell the step of median length, part by part in its order."""
    seconds = sorted(steps, key=lambda step: sum(step.values()))[len(steps) // 2]
    whole = sum(seconds.values())
    names = list(dict.fromkeys(name for name, _ in seconds))
    width = max(map(len, names))
    yield f"{'part':{width}} {'forward':>9} {'back':>9} {'share':>7} {'at least':>9} {'times':>6}"
    for name in names:
        forward, back = (1000 * seconds.get((name, way), 0.0) for way in ("forward", "back"))
        told = f"{name:{width}} {forward:9.1f} {back:9.1f} {(forward + back) / whole / 10:6.1f}%"
        if name in least:
            told += f" {1000 * least[name]:9.1f} {(forward + back) / 1000 / least[name]:6.1f}"
        yield told
    forward, back = (
        1000 * sum(time for (_, way), time in seconds.items() if way == one) for one in ("forward", "back")
    )
    shares, total = 100 * (forward + back) / 1000 / whole, sum(least.values())
    yield f"{'all, ms':{width}} {forward:9.1f} {back:9.1f} {shares:6.1f}% {1000 * total:9.1f} {whole / total:6.1f}"


def measured(work: Callable[[], object], amount: float) -> float:
    """Give the median rate of some work."""
    work()
    rates = []
    for _ in range(5):
        begun = time.perf_counter()
        work()
        rates.append(amount / (time.perf_counter() - begun))
    return statistics.median(rates)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--network", default="single", metavar="NAME", help="whose step (default: single)")
    add("--batch", type=int, default=128, metavar="N", help="images in a batch (default: 128)")
    add("--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of the layers (default: bfloat16)")
    add("--side", type=int, metavar="N", help="of the input (default: the network's own)")
    add("--steps", type=int, default=5, metavar="N", help="that are timed, after two that are not (default: 5)")
    add("--product", type=int, default=4096, metavar="N", help="side of the matrices multiplied (default: 4096)")
    add("--threads", type=int, default=cores(), metavar="N", help="default: one a core")
    options = parser.parse_args()
    try:
        architecture = named(options.network)
        architecture = replace(architecture, input_side=options.side) if options.side else architecture
    except AlexNetError as error:
        sys.exit(f"error: {error}")
    keep_memory()
    torch.set_num_threads(options.threads)
    low = options.precision == "bfloat16"
    product = workloads.multiply(options.product, workloads.dtype_of(low))
    moved = (measured(work, 2 * COPIED) for work in (workloads.copy(COPIED), workloads.raise_by_one(COPIED)))
    rates = Rates(measured(product, 2 * options.product**3), max(moved))
    step = Step(architecture, options.batch, low)
    steps = [step() for _ in range(2 + options.steps)][2:]
    whole = statistics.median(sum(one.values()) for one in steps)
    told = f"{options.network}, batch {options.batch}, {options.precision}, threads: {options.threads}"
    print(f"{told}: {options.batch / whole:.1f} images/s")
    print(f"matrix product {rates.operations / 1e9:,.0f} GFLOP/s, memory {rates.bytes / 1e9:.1f} GB/s read and written")
    for line in table(steps, step.least(rates)):
        print(line)


if __name__ == "__main__":
    main()

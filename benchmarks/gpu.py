"""How fast networks train on a GPU, beside what others would write, in one run; without a GPU it says so and ends.

    python benchmarks/gpu.py

First everything is held to float64: response normalisation and each network's loss and gradients. Then the contestants
take turns, timed by CUDA events: normalisation alone and between ReLU and pool; whole steps (forward, backward and
update, with dropout, without reading) of three networks; and `paper` from a store that is kept on the GPU, augmentation
included, beside the same step on given batches. The rivals are what the write-ups do (eager, float32, NCHW); the same
with every switch that a good engineer turns (autocast, channels last, fused SGD, cuDNN's fastest algorithms); and that
compiled.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from checks import check_network, check_norm
from contestants import (
    Normalisation,
    autocast,
    fed,
    our_norm,
    our_step,
    random_batch,
    their_norm,
    their_step,
    training_operations,
)
from measuring import Row, machine, publish, rows_of
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.catalogue import PAPER, SINGLE, TORCHVISION
from alexnet.data.augment import View
from alexnet.data.preparation import prepare
from alexnet.recipe import Recipe
from alexnet.training.gpu import choices, settle
from alexnet.training.gradients import GRAPH_UP_TO

SHAPES = ((128, 96, 55, 55), (128, 256, 27, 27))
BATCHES = (128, 1024)
WANTED = {("paper", 128): 25_000.0, ("paper", 1024): 45_000.0}
FLOAT32, SWITCHES, COMPILED = "eager float32", "autocast and every switch", "the same compiled"


@dataclass
class Bench:
    """How it is measured.

    Attributes:
        device: Where.
        low: Whether layers compute in bfloat16.
        compiled: Whether the compiled rivals take part; their first use takes minutes.
        rounds: Turns that each contestant takes.
        seconds: About how long a turn is.
        facts: What is told besides the rows.
    """

    device: torch.device
    low: bool = True
    compiled: bool = True
    rounds: int = 7
    seconds: float = 0.3
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def dtype(self) -> torch.dtype:
        """Of what layers compute."""
        return torch.bfloat16 if self.low else torch.float32

    def time(self, work: Callable[[], object], times: int) -> float:
        """Give the seconds that some work takes, by the GPU's own clock where there is one."""
        if self.device.type != "cuda":
            begun = time.perf_counter()
            for _ in range(times):
                work()
            return time.perf_counter() - begun
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(times):
            work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000

    def take_turns(
        self, label: str, images: int, contestants: Mapping[str, Callable[[], object]]
    ) -> dict[str, list[float]]:
        """Let each take its turn, round after round; the first use and the memory of each are told as facts.

        Returns:
            Images a second, round by round.
        """
        often = {}
        for name, work in contestants.items():
            before, begun = self._memory(), time.perf_counter()
            self.time(work, 5)
            self.facts[f"{label}, {name}, first use, s"] = round(time.perf_counter() - begun, 2)
            # Besides its weights, which are there already: activations, gradients, velocity.
            self.facts[f"{label}, {name}, memory, MiB"] = self._memory() - before
            often[name] = max(2, int(self.seconds / (self.time(work, 3) / 3)))
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        for turn in range(self.rounds):
            for name, work in contestants.items():
                rates[name].append(images * often[name] / self.time(work, often[name]))
                print(f"  round {turn + 1}, {label}, {name}: {rates[name][-1]:,.0f}/s", flush=True)
        return rates

    def _memory(self) -> int:
        """Give the most memory that was taken since this was last asked, in MiB."""
        if self.device.type != "cuda":
            return 0
        most = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return most >> 20

    def ceilings(self, side: int = 8192, size: int = 1 << 32) -> None:
        """Measure the largest rates of a product of two matrices of this side and of a copy of so many bytes."""
        a, b = (torch.randn(side, side, device=self.device).to(self.dtype) for _ in range(2))
        source = torch.randint(256, (size,), dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        for name, work, amount in (
            ("matrix product, TFLOP/s", lambda: a @ b, 2 * side**3 / 1e12),
            ("copy, GB/s read and written", lambda: target.copy_(source), 2 * size / 1e9),
        ):
            self.time(work, 3)
            self.facts[name] = round(statistics.median(amount * 5 / self.time(work, 5) for _ in range(5)), 3)


def norm_rows(bench: Bench, shape: tuple[int, ...], relu_and_pool: bool) -> Iterator[Row]:
    """Measure normalisation forward and back, alone or between ReLU and pool."""
    wide = [torch.randn(shape, device=bench.device).contiguous(memory_format=torch.channels_last) for _ in range(3)]
    short = [x.to(bench.dtype) for x in wide]
    back = torch.randn_like(our_norm(wide[0], relu_and_pool))

    def turn(function: Normalisation, inputs: list[Tensor], low: bool) -> Callable[[], object]:
        turns = cycle([x.requires_grad_() for x in inputs])

        def work() -> None:
            x = next(turns)
            with autocast(bench.device, low):
                y = function(x, relu_and_pool)
            torch.autograd.grad(y, x, back.to(y.dtype))

        return work

    contestants = {"ours": turn(our_norm, short, False), FLOAT32: turn(their_norm, wide, False)}
    contestants["eager autocast"] = turn(their_norm, short, bench.low)
    if bench.compiled:
        contestants[COMPILED] = turn(torch.compile(their_norm), short, bench.low)
    label = f"{'ReLU, norm, pool' if relu_and_pool else 'norm'} of {'×'.join(map(str, shape))}"
    wanted = {FLOAT32: {"wanted_ratio": 8.0}, COMPILED: {"wanted_ratio": 1.0}}
    yield from rows_of(label, "images/s", bench.take_turns(label, shape[0], contestants), wanted)


def step_rows(bench: Bench, architecture: Architecture, images: int) -> Iterator[Row]:
    """Measure whole steps on given batches."""
    given = [random_batch(architecture, images, bench.device) for _ in range(3)]
    short = [(pictures.to(bench.dtype), labels) for pictures, labels in given]
    recipe = Recipe(batch_size=images, precision="bfloat16" if bench.low else "float32")
    mode = "reduce-overhead" if images <= GRAPH_UP_TO else "default"

    def turn(step: Callable[[Tensor, Tensor], None], inputs: list[tuple[Tensor, Tensor]]) -> Callable[[], object]:
        turns = cycle(inputs)
        return lambda: step(*next(turns))

    contestants = {
        "ours": turn(our_step(architecture, recipe, bench.device), short),
        FLOAT32: turn(their_step(architecture, bench.device, False, False), given),
        SWITCHES: turn(their_step(architecture, bench.device, bench.low, True), short),
    }
    if bench.compiled:
        contestants[COMPILED] = turn(their_step(architecture, bench.device, bench.low, True, mode), short)
    label = f"step of {architecture.name}, batch {images}"
    rates = bench.take_turns(label, images, contestants)
    share = statistics.median(rates["ours"]) * training_operations(architecture) / 1e12
    bench.facts[f"{label}, TFLOP/s"] = round(share, 3)
    wanted: dict[str, dict[str, float]] = {SWITCHES: {"wanted_ratio": 1.5}, COMPILED: {"wanted_ratio": 1.0}}
    if (architecture.name, images) in WANTED:
        wanted[FLOAT32] = {"wanted_value": WANTED[architecture.name, images]}
    yield from rows_of(label, "images/s", rates, wanted)


def end_to_end_row(bench: Bench, architecture: Architecture, images: int, stored_side: int, pictures: int) -> Row:
    """Measure steps on pictures of a store, read, augmented and learned from, beside steps on given batches."""
    with tempfile.TemporaryDirectory() as scratch:
        store = prepare("shapes", None, Path(scratch) / "store", side=stored_side, count=pictures)
        architecture = architecture.with_classes(len(store.classes))
        recipe = Recipe(batch_size=images, precision="bfloat16" if bench.low else "float32")
        view = View(architecture, store.statistics, device=bench.device)
        source = fed(store, view, recipe, bench.device, bench.dtype)
        given = cycle([next(source) for _ in range(3)])
        one, other = (our_step(architecture, recipe, bench.device) for _ in range(2))
        label = f"{architecture.name} from a store on the GPU, batch {images}"
        contestants = {"ours": lambda: one(*next(source)), "given batches": lambda: other(*next(given))}
        rates = bench.take_turns(label, images, contestants)
        source.close()
    (row,) = rows_of(label, "images/s", rates, {"given batches": {"wanted_ratio": 0.95}})
    return row


def measure(bench: Bench) -> list[Row]:
    """Check all, then measure all."""
    networks = (PAPER, SINGLE, TORCHVISION)
    for shape in SHAPES:
        check_norm(shape, bench.device, bench.dtype)
    for architecture in networks:
        check_network(architecture, bench.device, bench.low)
    bench.ceilings()
    rows = [row for shape in SHAPES for alone in (False, True) for row in norm_rows(bench, shape, alone)]
    rows += [row for network in networks for images in BATCHES for row in step_rows(bench, network, images)]
    return rows + [end_to_end_row(bench, PAPER, images, 256, 4096) for images in BATCHES]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="turns that each takes (default: 7)")
    parser.add_argument("--no-compile", action="store_true", help="leave out the compiled rivals (minutes)")
    results = Path(__file__).parent / "results"
    parser.add_argument("--results", type=Path, default=results, metavar="DIR", help="where the result is written")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("error: PyTorch finds no CUDA device here: run this on a machine with an NVIDIA GPU", file=sys.stderr)
        sys.exit(2)
    device = torch.device("cuda")
    settle(repeatable=False)
    chosen = choices(device, Recipe(precision="bfloat16"), repeatable=False, resident=True)
    name = torch.cuda.get_device_name(device)
    bench = Bench(device, compiled=not options.no_compile, rounds=options.rounds, facts=machine())
    bench.facts |= {"gpu": name, "cuda": torch.version.cuda, "chosen": chosen}
    rows = measure(bench)
    command = f"python benchmarks/gpu.py --rounds {options.rounds}" + " --no-compile" * options.no_compile
    publish(f"gpu-{name.lower().replace(' ', '-')}", command, bench.facts, rows, options.results)


if __name__ == "__main__":
    main()

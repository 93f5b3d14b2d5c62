"""How fast networks train and answer on the CPU, beside what others would write, in one run.

    python benchmarks/cpu.py

First everything is held to float64. Then the contestants take turns, each in a process of its own that waits while the
others work: response normalisation; training steps (forward, backward and update, with dropout) of three networks; the
way from stored pictures to probabilities; augmentation; and training from a store beside the same steps on given
batches. The rivals are what the write-ups do (eager, float32, maps one after another, each picture transformed by
itself); the same with every switch that a good engineer turns (autocast, channels last, fused SGD); that compiled; and
that with memory kept as this library keeps it. What the machine could do at most, products of matrices and copies, is
measured in the same rounds.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import workloads
from apart import Failed
from checks import check_answers, check_network, check_norm, check_views
from contestants import training_operations
from measuring import Row, machine, publish, rows_of
from racing import COMPILED, FLOAT32, KEPT, SWITCHES, Bench, Entry, Race
from workloads import CPU

from alexnet.architectures import Architecture
from alexnet.catalogue import PAPER, SINGLE, named
from alexnet.data.preparation import prepare
from alexnet.errors import AlexNetError
from alexnet.machine.compiled import library, processor
from alexnet.recipe import Recipe
from alexnet.recipes import load_recipe

SHAPES = ((96, 55, 55), (256, 27, 27))  # maps of conv1 and conv2
NETWORKS = ("single", "paper", "torchvision")
PRODUCT, EXACT = "matrix product in bfloat16", "ours in float32"
# Shares of the matrix product's rate that a training step must reach.
SHARES = {"single": 0.35, "paper": 0.28}
COPIED = 1 << 28  # bytes, more than any cache holds
QUIET = 0.5  # load average above which figures are not to be trusted

Wanted = dict[str, dict[str, Any]]


def with_amx(ratio: float) -> dict[str, Any]:
    """Say what ratio is wanted, where the processor has matrix units of its own for bfloat16."""
    if "amx_bf16" in processor().split():
        return {"wanted_ratio": ratio}
    return {"note": f"{ratio:g} wanted where the processor has AMX"}


def ceiling_rows(bench: Bench) -> Iterator[Row]:
    """Measure what the machine can do at most, with one thread and with all."""
    side, size = bench.side, COPIED
    kinds = {
        "matrix product in float32": ("GFLOP/s", partial(workloads.multiply, side, torch.float32), 2 * side**3 / 1e9),
        PRODUCT: ("GFLOP/s", partial(workloads.multiply, side, torch.bfloat16), 2 * side**3 / 1e9),
        "copy, read and written": ("GB/s", partial(workloads.copy, size), 2 * size / 1e9),
    }
    for label, (unit, make, units) in kinds.items():
        counts = sorted({bench.threads, 1}, reverse=True)
        rates = bench.race(label, {f"threads: {n}": Entry(make, units, threads=n) for n in counts}).rates
        most, one = (rates[f"threads: {n}"] for n in (bench.threads, 1))
        yield Row.of(f"{label}, threads: {bench.threads}", unit, most, "threads: 1", one)


def norm_rows(bench: Bench) -> Iterator[Row]:
    """Measure response normalisation forward and back."""
    wanted: Wanted = {FLOAT32: {"wanted_ratio": 8.0}, COMPILED: {"wanted_ratio": 1.0}}
    for maps in SHAPES:
        shape = (bench.images, *maps)
        label = f"norm of {'×'.join(map(str, shape))}"
        ours = {
            f"ours in {workloads.precision(low)}": Entry(
                partial(workloads.our_norm_work, shape, low), bench.images, keep=True
            )
            for low in (False, True)
        }
        rivals = {
            name: bench.rival(name, partial(workloads.their_norm_work, shape, way.compiled), bench.images)
            for name, way in bench.ways(FLOAT32, COMPILED, KEPT).items()
        }
        rates = bench.race(label, ours | rivals).rates
        for mine in ours:
            chosen = {name: rates[name] for name in (mine, *rivals) if name in rates}
            yield from rows_of(f"{label}, {mine}, theirs in float32", "images/s", chosen, wanted)


def step_rows(bench: Bench, architecture: Architecture, first: bool) -> Iterator[Row]:
    """Measure training steps; of the first network in float32 too, and what memory they take."""
    images, operations = bench.images, training_operations(architecture) / 1e9
    ways = bench.ways(FLOAT32, SWITCHES, COMPILED, KEPT) if first else bench.ways(SWITCHES, COMPILED, KEPT)
    low, exact = (Entry(partial(workloads.our_step_work, architecture, images, x), images, True) for x in (True, False))
    rivals = {
        name: bench.rival(name, partial(workloads.their_step_work, architecture, images, way), images)
        for name, way in ways.items()
    }
    product = Entry(partial(workloads.multiply, bench.side, torch.bfloat16), 2 * bench.side**3 / 1e9)
    label = f"step of {architecture.name}, batch {images}"
    race = bench.race(label, {"ours": low, **({EXACT: exact} if first else {}), **rivals, PRODUCT: product})
    rates = {name: race.rates[name] for name in ("ours", *rivals) if name in race.rates}
    wanted: Wanted = {FLOAT32: with_amx(6.0), COMPILED: {"wanted_ratio": 1.0}}
    yield from rows_of(f"{label}, bfloat16", "images/s", rates, wanted)
    done = [rate * operations for rate in rates["ours"]]
    share = {"wanted_ratio": SHARES[architecture.name]} if architecture.name in SHARES else {}
    yield Row.of(f"{label}, bfloat16, of what is possible", "GFLOP/s", done, PRODUCT, race.rates[PRODUCT], **share)
    if first:
        mine = race.rates[EXACT]
        yield Row.of(f"{label}, float32", "images/s", mine, FLOAT32, rates[FLOAT32], wanted_ratio=1.4)
        yield from memory_rows(label, race, [name for name in rivals if name in rates])


def memory_rows(label: str, race: Race, rivals: list[str]) -> Iterator[Row]:
    """Compare the most memory that steps took, in float32 and in bfloat16."""
    pairs = [("ours", "bfloat16", name) for name in rivals] + [(EXACT, "float32", FLOAT32)]
    for mine, precision, name in pairs:
        ours, theirs = race.peaks[mine], race.peaks[name]
        if all(ours) and all(theirs):
            more: dict[str, Any] = {"wanted_ratio": 1.0, "less_is_better": True}
            yield Row.of(f"{label}, {precision}, memory", "MiB", ours, name, theirs, **more)


def stored_side(architecture: Architecture) -> int:
    """Give the side of pictures that leave room for crops as the paper's do: 256 for 224."""
    return round(architecture.input_side * 8 / 7 / 2) * 2


def answer_rows(bench: Bench, architecture: Architecture) -> Iterator[Row]:
    """Measure the way from stored pictures to probabilities."""
    for crops, images in ((1, bench.images), (10, max(1, bench.images // 8))):
        common = (architecture, stored_side(architecture), crops, images)
        entries = {"ours": Entry(partial(workloads.our_answers_work, *common), images, keep=True)}
        rivals = (FLOAT32, SWITCHES, COMPILED) if crops == 1 else (FLOAT32, SWITCHES)
        for name, way in bench.ways(*rivals).items():
            entries[name] = bench.rival(name, partial(workloads.their_answers_work, *common, way), images)
        label = f"answers of {architecture.name}, crops: {crops}, batch {images}, bfloat16"
        wanted: Wanted = {FLOAT32: with_amx(5.0)} if crops == 1 else {}
        yield from rows_of(label, "images/s", bench.race(label, entries).rates, wanted)


def view_cases(images: int) -> list[tuple[Architecture, Recipe, int]]:
    """List what views are measured of: network, recipe and stored side."""
    fast = load_recipe("fast").with_changes(batch_size=images)
    return [
        (PAPER, Recipe(batch_size=images, precision="bfloat16"), 256),
        (SINGLE.with_he_start(), fast, 32),
    ]


def view_rows(bench: Bench) -> Iterator[Row]:
    """Measure augmentation: pictures cut, mirrored, recoloured; and small ones enlarged."""
    for architecture, recipe, stored in view_cases(bench.images):
        several = 8 * bench.images
        rival = f"DataLoader, Pillow, workers: {bench.threads}"
        entries = {
            "ours": Entry(partial(workloads.our_views_work, architecture, recipe, stored), bench.images, keep=True),
            rival: Entry(
                partial(workloads.their_views_work, architecture, recipe, stored, several, bench.threads), several
            ),
        }
        label = f"views of {architecture.input_side} from pictures of {stored}"
        yield from rows_of(label, "views/s", bench.race(label, entries).rates, {})


def store_rows(bench: Bench, architecture: Architecture) -> Iterator[Row]:
    """Measure steps on pictures of a store beside the same steps on given batches."""
    with tempfile.TemporaryDirectory() as scratch:
        pictures = 10 * bench.images  # of which eight tenths are for training
        store = prepare("shapes", None, Path(scratch) / "store", side=stored_side(architecture), count=pictures)
        architecture = architecture.with_classes(len(store.classes))
        common = (store.path, architecture, bench.images, True)
        entries = {
            name: Entry(partial(workloads.store_step_work, *common, read), bench.images, keep=True)
            for name, read in (("ours", True), ("given batches", False))
        }
        label = f"{architecture.name} from a store, batch {bench.images}"
        wanted: Wanted = {"given batches": {"wanted_ratio": 0.95}}
        yield from rows_of(label, "images/s", bench.race(label, entries).rates, wanted)


def check(bench: Bench) -> None:
    """Hold all that is measured to float64, or to PyTorch's separate steps.

    Raises:
        SystemExit: If something is wrong; nothing is timed then.
    """
    for maps in SHAPES:
        check_norm((bench.images, *maps), CPU, torch.bfloat16)
    for architecture in bench.networks:
        check_network(architecture, CPU, True, images=2)
    check_answers(bench.networks[0].with_he_start(), stored_side(bench.networks[0]))
    for architecture, recipe, stored in view_cases(4):
        check_views(architecture, recipe, stored)


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "ceilings": ceiling_rows,
    "norm": norm_rows,
    "step": lambda bench: (
        row for place, network in enumerate(bench.networks) for row in step_rows(bench, network, place == 0)
    ),
    "answers": lambda bench: answer_rows(bench, bench.networks[0]),
    "views": view_rows,
    "store": lambda bench: store_rows(bench, bench.networks[0]),
}


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quick", action="store_true", help="3 rounds, batches of 32, no compiled rivals: minutes, and rough")
    add("--rounds", type=int, metavar="N", help="turns that each takes (default: 5)")
    add("--batch", type=int, metavar="N", help="images in a batch (default: 128)")
    add("--no-compile", action="store_true", help="leave out the compiled rivals, a minute each")
    add("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of: {', '.join(PARTS)} (default: all)")
    networks = " ".join(NETWORKS)
    add("--networks", nargs="+", default=NETWORKS, metavar="NAME", help=f"whose steps are timed (default: {networks})")
    add("--side", type=int, metavar="N", help="of the networks' input (default: each network's own)")
    add("--product", type=int, default=4096, metavar="N", help="side of the matrices multiplied (default: 4096)")
    add("--threads", type=int, default=cores(), metavar="N", help="of each contestant (default: one a core)")
    add("--results", type=Path, default=Path(__file__).parent / "results", metavar="DIR", help="where the result goes")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.batch = options.batch or (32 if options.quick else 128)
    return options


def cores() -> int:
    """Count the cores that this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """Run it."""
    options, facts = parsed(), machine()
    print(
        f"{facts['cpu']}, cores: {facts['cores']}, threads: {options.threads}, load: {facts['load_before']}", flush=True
    )
    if (facts["load_before"] or 0) > QUIET:
        told = f"the load is {facts['load_before']:.2f}: something else uses the machine, and figures will be off"
        print(f"warning: {told}", file=sys.stderr, flush=True)
    try:
        networks = [named(name) for name in options.networks]
        networks = [replace(one, input_side=options.side) for one in networks] if options.side else networks
    except AlexNetError as error:
        sys.exit(f"error: {error}")
    compiled = not (options.quick or options.no_compile)
    if compiled and shutil.which(os.environ.get("CXX", "g++")) is None:
        print("note: there is no C++ compiler (g++), so the compiled rivals are left out", flush=True)
        compiled = False
    facts |= {"threads": options.threads, "AMX": "amx_bf16" in processor().split(), "kernels": library().told}
    torch.set_num_threads(options.threads)
    bench = Bench(
        options.batch, options.rounds, options.threads, compiled, tuple(networks), options.product, facts=facts
    )
    check(bench)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        # What a first use costs is told, so nothing of an earlier run may be there.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = scratch
        try:
            rows = [row for part in options.only or PARTS for row in PARTS[part](bench)]
        except Failed as error:
            sys.exit(f"error: {error}")
    publish("cpu", command(), bench.facts, rows, options.results)


def command() -> str:
    """Tell what was asked for, without the folder of the results."""
    words = sys.argv[1:]
    if "--results" in words:
        place = words.index("--results")
        del words[place : place + 2]
    return " ".join(["python benchmarks/cpu.py", *words])


if __name__ == "__main__":
    main()

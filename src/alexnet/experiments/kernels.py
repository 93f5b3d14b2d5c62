"""The compiled kernels learn what PyTorch's operations learn: write-up 004's pictures by both, three seeds each.

The kernels round otherwise, so that no two weights are the same in the end; what counts is that the networks are as
good. The input has 99 pixels instead of 227, and there are five epochs, so that two cores need twenty minutes.
"""

import statistics
from contextlib import nullcontext
from pathlib import Path

from alexnet.architectures import Architecture
from alexnet.catalogue import SINGLE
from alexnet.data.preparation import prepare
from alexnet.errors import UsageError
from alexnet.evaluation import evaluate
from alexnet.experiments.evidence import Row, finished_run, folder_name, keep
from alexnet.machine import compiled
from alexnet.recipe import Recipe
from alexnet.recipes import FAST
from alexnet.variations import vary

SEEDS = (0, 1, 2)
TRAINING, WATCHED, EPOCHS, SIDE = 5_000, 500, 5, 99


def training(seed: int, quick: bool) -> tuple[Architecture, Recipe]:
    """Give the network and the recipe, in bfloat16."""
    return vary(SINGLE, f"side={SIDE}"), FAST.with_changes(epochs=1 if quick else EPOCHS, seed=seed)


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train by both, three seeds each, score on all test pictures, keep and print the table.

    Args:
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: One epoch of 320 pictures.

    Raises:
        UsageError: If there are no compiled kernels here.
    """
    if compiled.library().functions is None:
        raise UsageError(f"there is nothing to compare: {compiled.library().told}")
    source, training_images = data / "cifar-10-batches-py", 320 if quick else TRAINING
    watched = prepare("cifar10", source, work / "store", limit={"train": training_images, "test": WATCHED})
    everything = {"train": training_images} | ({"test": 2 * WATCHED} if quick else {})
    whole = prepare("cifar10", source, work / "store-all-test", limit=everything)
    rows, runs, seconds = [], {}, 0.0
    for label, kernels in (("compiled", nullcontext), ("PyTorch's", compiled.without)):
        values = []
        for seed in SEEDS:
            name = f"{folder_name(label)}-{seed}"
            with kernels():
                run = runs[name] = finished_run(watched, *training(seed, quick), work / name)
                result = evaluate([run.trained()], whole.splits["test"])
            values.append(result.top1)
            seconds += result.seconds + sum(row["seconds"] for row in run.log())
        rows.append(Row(f"{label} kernels, {result.images:,} test images", "top1", None, tuple(values), SEEDS))
    ours, theirs = (statistics.fmean(row.values) for row in rows)
    spread = max(statistics.stdev(row.values) for row in rows)
    verdict = (
        f"Mean top-1 is {ours:.2%} by compiled kernels and {theirs:.2%} by PyTorch's; seeds differ by {spread:.2%} "
        "(standard deviation)."
    )
    keep(results, "kernels", seconds / 60, rows, verdict, runs)

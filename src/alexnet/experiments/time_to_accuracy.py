"""Seconds to 80, 85 and 90 % top-1 on CIFAR-10's test pictures, from typing the command, on the machine at hand.

Two tables: an AlexNet (`cifar-alexnet`: five convolutions with the paper's kernels and response norms, or the share of
them that `width` says, and three fully connected layers; no batch norm, no residuals), and cuda-convnet's networks.

Protocol, fixed before the runs: the store is prepared before; all 50,000 and all 10,000 pictures; `clock` says what is
in the time. Each target has a recipe that is planned to end there, chosen on a fifth of the training pictures, held
out: five seeds of each for 80 %, three for 85, one for 90, which takes most of an hour and which cuda-convnet's nets
are not asked for. A run that ends below its target failed: its time counts, and so does the failure.

Beside these stand two things that are not clocked, but are sums of what the logs say of training and validation, so
that they may share the machine. A plain recipe for the network of 80 %: its log says after which epoch it was first at
a target, which nobody knows beforehand. And what the recipe of 80 % loses without one trick, in the same number of
epochs: accuracy, or time, or both. Each with one seed: what is less than the five seeds differ by says nothing.
"""

import math
import statistics
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.evaluation import evaluate
from alexnet.experiments.clock import Way, clocked
from alexnet.experiments.evidence import Row, finished_run, keep, run_until_diverged
from alexnet.recipe import Recipe
from alexnet.recipes import RECIPES
from alexnet.report.curves import draw_curves
from alexnet.runs.run import Run

# Rows, the runs that they come from by the names of their folders, and what they say.
Found = tuple[list[Row], dict[str, Run], list[str]]

TRICK_SEED = 0

# One rate to the end, float32, whole pictures and their mirror images, no smoothing, no average; but He's start.
PLAIN = Recipe(
    epochs=20, optimizer="sgd", schedule="constant", start="he", colour_noise=0.0, crop="centre", precision="float32"
)


@dataclass(frozen=True)
class Family:
    """One table.

    Attributes:
        name: Its word in labels.
        folder: Its word in the names of folders.
        targets: The way for each target, a share of the test pictures.
        plain: What stands beside them.
        tried: The target whose way is tried without one trick after another.
    """

    name: str
    folder: str
    targets: dict[float, Way]
    plain: Way
    tried: float


# A little dropout does for few epochs; many want the paper's.
_ALEXNET = Way("cifar-alexnet", ("width=0.25", "dropout=0.1"), RECIPES["cifar-alexnet"], 10)
_WIDER = Way("cifar-alexnet", ("width=0.375", "dropout=0.1"), RECIPES["cifar-alexnet"], 10, seeds=(0, 1, 2))
_HOUR = Way("cifar-alexnet", ("width=0.5",), RECIPES["cifar-alexnet"], 10, seeds=(0,))
_SMALL_BATCHES = RECIPES["cifar-alexnet"].with_changes(label_smoothing=0.0, batch_size=32, lr=0.02)
_CONVNET = Way("cifar-18pct", (), _SMALL_BATCHES, 2)
FAMILIES = (
    Family(
        "an AlexNet",
        "alexnet",
        {0.80: _ALEXNET.with_changes(epochs=9), 0.85: _WIDER.with_changes(epochs=24), 0.90: _HOUR},
        Way(_ALEXNET.arch, _ALEXNET.changes, PLAIN),
        0.80,
    ),
    Family(
        "cuda-convnet's",
        "convnet",
        {0.80: _CONVNET.with_changes(epochs=7), 0.85: replace(_CONVNET.with_changes(epochs=25), seeds=(0, 1, 2))},
        Way(_CONVNET.arch, (), PLAIN),
        0.80,
    ),
)


def tricks(way: Way) -> dict[str, Way]:
    """Leave one trick after another out of a way."""
    recipe, root = way.recipe, (128 / way.recipe.batch_size) ** 0.5
    listed = {
        "the fall of the rate": way.with_changes(schedule="constant"),
        f"batches of {recipe.batch_size} (128, at {root:.2g} times the rate)": way.with_changes(
            batch_size=128, lr=recipe.lr * root
        ),
        "Nesterov's momentum (PyTorch's SGD)": way.with_changes(optimizer="sgd"),
        "He's start (the network's own)": way.with_changes(start="architecture"),
        "shifted pictures": way.with_changes(pad=0, crop="centre"),
        "mirrored pictures": way.with_changes(mirror=0.0),
        "smoothed labels": way.with_changes(label_smoothing=0.0),
        "averaged weights": way.with_changes(weight_average=0.0),
        "bfloat16": way.with_changes(precision="float32"),
        "more views at test": Way(way.arch, way.changes, recipe),
    }
    return {name: one for name, one in listed.items() if one != way}


def clock_targets(family: Family, store: Store, work: Path, quick: bool) -> Found:
    """Clock the way to each target, several times."""
    rows: list[Row] = []
    runs: dict[str, Run] = {}
    told = []
    for target, way in list(family.targets.items())[: 1 if quick else None]:
        way, seeds = (way.with_changes(epochs=1), way.seeds[:1]) if quick else (way, way.seeds)
        names = [f"{family.folder}-{100 * target:.0f}-{seed}" for seed in seeds]
        timed = [clocked(way, store.path, work / name, seed) for name, seed in zip(names, seeds, strict=True)]
        failed, busy = sum(one.top1 < target for one in timed), statistics.fmean(one.processor_seconds for one in timed)
        label, failures = f"{family.name} to {target:.0%}", f"{failed} of {len(timed)} failed"
        note = f"{way.network.name}, {in_epochs(way)}; {failures}; {busy:.0f} s of processors"
        told.append(f"{label} in {statistics.fmean(one.seconds for one in timed):.0f} s ({failures})")
        rows.append(Row(label, "seconds", None, tuple(one.seconds for one in timed), seeds, note))
        rows.append(Row(label, "top1", None, tuple(one.top1 for one in timed), seeds))
        runs |= {name: Run(work / name) for name in names}
    return rows, runs, told


def plain_rows(family: Family, log: list[dict[str, Any]]) -> list[Row]:
    """Tell when a plain training was first at each target, by its log."""
    until, rows = list(accumulate(row["seconds"] for row in log)), []
    for target in family.targets:
        reached = [at for at, row in zip(until, log, strict=True) if row["val_top1"] >= target]
        late = "" if reached else f", not within {len(log)} epochs and {until[-1]:.0f} s"
        note = f"{family.plain.network.name}, by its log{late}"
        label = f"{family.name} to {target:.0%}, plain recipe"
        rows.append(Row(label, "seconds", None, (reached[0] if reached else math.nan,), (0,), note))
    return rows


def without_tricks(family: Family, store: Store, work: Path, quick: bool) -> Found:
    """Measure the way to one target, whole and without each trick, in the same number of epochs."""
    whole = family.targets[family.tried]
    rows: list[Row] = []
    runs: dict[str, Run] = {}
    for number, (name, way) in enumerate(list({"": whole, **tricks(whole)}.items())[: 2 if quick else None]):
        way = way.with_changes(seed=TRICK_SEED, **({"epochs": 1} if quick else {}))
        path, top1 = work / f"{family.folder}-trick-{number}-{TRICK_SEED}", math.nan
        run, note = run_until_diverged(store, way.network, way.recipe, path)
        runs[path.name] = run
        if not note:
            top1 = evaluate([run.trained()], store.splits["test"], way.crops).top1
            lost = f"{top1 - rows[0].values[0]:+.2%}, " if rows else ""
            note = f"{lost}{sum(row['seconds'] for row in run.log()):.0f} s of training"
        label = f"{family.name}, {in_epochs(way)}{f', without {name}' if name else ''}"
        rows.append(Row(label, "top1", None, (top1,), (TRICK_SEED,), note))
    return rows, runs, []


def in_epochs(way: Way) -> str:
    """Say how long it trains."""
    return f"{way.recipe.epochs} epoch{'s' * (way.recipe.epochs > 1)}"


def plainly(family: Family, store: Store, work: Path, quick: bool) -> Found:
    """Train by the plain recipe."""
    plain = family.plain.with_changes(epochs=1) if quick else family.plain
    run = finished_run(store, plain.network, plain.recipe, work / f"{family.folder}-plain-0")
    return plain_rows(family, run.log()), {run.path.name: run}, []


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Clock every target, train what stands beside, print both tables; keep them whenever a part is done.

    Args:
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: The first target and the first trick of each table, one epoch of 1,280 pictures each, 200 scored.
    """
    limit = {"train": 1_280, "test": 200} if quick else {}
    store = prepare("cifar10", data / "cifar-10-batches-py", work / "store", limit=limit)
    tables: dict[str, list[Row]] = {family.name: [] for family in FAMILIES}
    runs: dict[str, Run] = {}
    told: list[str] = []
    # What goes by the clock first: all else may share the machine.
    for part in (clock_targets, plainly, without_tricks):
        for family in FAMILIES:
            new, trained, sentences = part(family, store, work, quick)
            tables[family.name] += new
            told += sentences
            rows, runs = list(chain(*tables.values())), runs | trained
            minutes = sum(row["seconds"] for run in runs.values() for row in run.log()) / 60
            folder = keep(results, "time-to-accuracy", minutes, rows, f"{'; '.join(told)}.", runs)
    draw_curves([run.path for name, run in runs.items() if drawn(name) and run.log()], folder / "curves.png")


def drawn(name: str) -> bool:
    """Say whether a run's curve is drawn: those of an AlexNet's first seed, but not those without a trick."""
    return name.startswith(FAMILIES[0].folder) and name.endswith("-0") and "-trick-" not in name

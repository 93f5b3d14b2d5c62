"""Write-up 001: CIFAR-10 whole, enlarged to 227, batches of 4, one rate to the end; and ours, in an hour.

It prints a training and a validation loss for its first and last epochs of 50, and no accuracy. The validation loss
ends at 1.728 and 0.837 in two epochs that follow each other, the training loss little below that of the third epoch.

Protocol, fixed before the runs. *As written*: its network, PyTorch's start and ImageNet's mean and deviation (neither
is told; taken as in write-up 004), whole pictures enlarged to 227, the recipe `write-up-001`, float32. All 50 epochs
are 625,000 updates; here the first two, a budget of two hours on two cores; the printed losses of these epochs stand
beside them.
*Why it jumps*: a network of the same layers, small enough for eight epochs of 6,250 updates on two cores
(`cifar-alexnet` at an eighth of its width, half of the pictures), the same start, by the recipe and with one change
each. First other update rules: neither rule nor rate is told, so which of them gives such a curve? Then cures: averaged
weights (the training is the same to the last bit, only what is measured is the mean of many updates), a rate that
falls, larger batches. The measure is the largest change of the validation loss from an epoch to the next in the second
half; each once, and the last loss tells whether anything was learned. *Ours*: an AlexNet of half the width on the same
pictures, unenlarged, 36 epochs, which one core has in an hour; three seeds.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from alexnet.architectures import Architecture, Start
from alexnet.catalogue import CIFAR_ALEXNET, SINGLE
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.experiments.evidence import Row, finished_run, keep, run_until_diverged
from alexnet.experiments.trial import Trial
from alexnet.paper import WRITE_UP_001_LOSSES
from alexnet.recipe import Recipe
from alexnet.recipes import RECIPES
from alexnet.report.curves import draw_curves
from alexnet.runs.run import Run
from alexnet.variations import vary

# Rows, the runs that they come from by name, and what they say.
Part = tuple[list[Row], dict[str, Run], str]

WRITTEN = RECIPES["write-up-001"]
WRITTEN_EPOCHS = 2
JUMP_PICTURES, JUMP_EPOCHS = 25_000, 8
SEEDS = (0, 1, 2)
# As many epochs as an hour of one core has.
OURS = (vary(CIFAR_ALEXNET, "width=0.5"), RECIPES["cifar-alexnet"].with_changes(epochs=36))
# From an epoch to the next, as far as losses are printed.
PRINTED_JUMP = abs(WRITE_UP_001_LOSSES[50][1] - WRITE_UP_001_LOSSES[49][1])


def with_pytorchs_start(network: Architecture) -> Architecture:
    """Give a network the start and the input that a lesson of PyTorch's would."""
    return replace(network, start=tuple(Start(row.layer, "uniform") for row in network.start), input="imagenet")


def jumping() -> dict[str, tuple[Architecture, Recipe]]:
    """List the trainings that show why the loss jumps, each with one change."""
    network = with_pytorchs_start(vary(CIFAR_ALEXNET, "width=0.125"))
    small = WRITTEN.with_changes(epochs=JUMP_EPOCHS)
    ways = {
        "its recipe, SGD at 0.001": small,
        "SGD at 0.01": small.with_changes(lr=0.01),
        "Adam at 0.001": small.with_changes(optimizer="adam"),
        "its recipe, measured with averaged weights": small.with_changes(weight_average=0.9995),
        "its recipe, the rate falling to 0": small.with_changes(schedule="linear"),
        "its recipe, batches of 128 at the paper's rate": small.with_changes(batch_size=128, lr=0.01),
    }
    return {label: (network, recipe) for label, recipe in ways.items()}


def largest_change(losses: Sequence[float]) -> float:
    """Give the largest change of a loss from an epoch to the next, in the second half of a training."""
    return max((abs(after - before) for before, after in pairwise(losses[len(losses) // 2 - 1 :])), default=0.0)


def ours(store: Store, work: Path, quick: bool) -> Part:
    """Train ours with each seed."""
    network, recipe = OURS
    recipe, seeds = (recipe.with_changes(epochs=1), SEEDS[:1]) if quick else (recipe, SEEDS)
    trial = Trial.of("ours", store, network, recipe, seeds, work)
    test = store.splits["test"]
    rows = [trial.row(trial.evaluations(test, crops), note=f"{recipe.epochs} epochs") for crops in (1, 10)]
    minutes = trial.seconds / 60 / len(seeds)
    told = f"Ours reaches {statistics.fmean(rows[-1].values):.1%} in {minutes:.0f} minutes."
    return rows, trial.named_runs, told


def why_it_jumps(store: Store, work: Path, quick: bool) -> Part:
    """Train small networks that show it."""
    rows: list[Row] = []
    runs: dict[str, Run] = {}
    told = []
    for number, (label, (network, recipe)) in enumerate(jumping().items()):
        recipe = recipe.with_changes(epochs=2) if quick else recipe
        run, note = run_until_diverged(store, network, recipe, work / f"jump-{number}")
        runs[f"jump-{number}-0"], log = run, run.log()
        change = math.nan if note else largest_change([row["val_loss"] for row in log])
        # The first row repeats what was printed, as far as it is told.
        rows.append(Row(label, "change_of_loss", None if number else PRINTED_JUMP, (change,), (recipe.seed,), note))
        for metric in ("train_loss", "val_loss"):
            value = math.nan if note else log[-1][metric]
            rows.append(Row(f"{label}, at the end", metric, None, (value,), (recipe.seed,), note))
        told.append(f"{label}: {note or f'{change:.2f}, ending at {value:.2f}'}")
    printed = f"From an epoch to the next its validation loss changes by {PRINTED_JUMP:.2f}"
    return rows, runs, f"{printed}; on a small network at most by: {'; '.join(told)}."


def as_written(store: Store, work: Path, quick: bool) -> Part:
    """Train as written, for the first epochs."""
    # A quick look needs no large maps.
    network = with_pytorchs_start(vary(SINGLE, "side=67") if quick else SINGLE)
    # Without a view of their own, pictures are enlarged by 8/7 more, and their border is cut away.
    recipe = WRITTEN.with_changes(epochs=1 if quick else WRITTEN_EPOCHS, view_side=network.input_side)
    run, rows = finished_run(store, network, recipe, work / "as-written"), []
    for row in run.log():
        for metric, printed in zip(("train_loss", "val_loss"), WRITE_UP_001_LOSSES[row["epoch"]], strict=True):
            rows.append(Row(f"as written, epoch {row['epoch']}", metric, printed, (row[metric],), (recipe.seed,)))
    here = f"{rows[-2].values[0]:.3f} and {rows[-1].values[0]:.3f}"
    beside = f"{rows[-2].printed:.3f} and {rows[-1].printed:.3f}"
    told = f"As written, training and validation loss of epoch {len(rows) // 2} are {here}, printed {beside}."
    return rows, {"as-written-0": run}, told


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train all, print the table; keep it whenever a part is done.

    Args:
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: 320 pictures, 200 scored; as written on views of 67 pixels.
    """
    source = data / "cifar-10-batches-py"
    store = prepare("cifar10", source, work / "store", limit={"train": 320, "test": 200} if quick else {})
    half = store if quick else prepare("cifar10", source, work / "store-half", limit={"train": JUMP_PICTURES})
    rows: list[Row] = []
    runs: dict[str, Run] = {}
    figures: dict[str, dict[str, Run]] = {}
    verdict = ""
    parts = ((ours, store, "curves.png"), (why_it_jumps, half, "jumps.png"), (as_written, store, "as-written.png"))
    for part, pictures, figure in parts:
        new, trained, told = part(pictures, work, quick)
        rows, runs, verdict = rows + new, runs | trained, f"{verdict} {told}".strip()
        minutes = sum(row["seconds"] for run in runs.values() for row in run.log()) / 60
        figures[figure] = trained
        folder = keep(results, "write-up-001", minutes, rows, verdict, runs)
        for name, of_part in figures.items():
            draw_curves([run.path for run in of_part.values() if run.log()], folder / name)

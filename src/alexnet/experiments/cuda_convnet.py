"""What the experiments with cuda-convnet's networks share: the whole of CIFAR-10, one or several recipes, some views.

All 50,000 pictures are learned from and all 10,000 test pictures are scored, after the last epoch only: the test error
that the log has after each epoch decides nothing.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet.architectures import Architecture
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.evaluation import evaluate
from alexnet.experiments.evidence import Row, finished_run, keep, table
from alexnet.filters import conv1_kernels, draw_filters
from alexnet.recipe import Recipe
from alexnet.report.comparison import NAMED_ERRORS
from alexnet.report.curves import draw_curves
from alexnet.runs.run import Run

# How many crops are averaged at test, in words.
VIEWS = {1: "one view", 2: "two views", 10: "ten views"}


@dataclass(frozen=True)
class Trial:
    """One way to train a network.

    Attributes:
        name: Its word in labels and folders, as `own`.
        recipe: Of which the seed is set for each run.
        crops: How many crops are averaged at test, a row each; the last is what its error is told by.
        seeds: One run each.
    """

    name: str
    recipe: Recipe
    crops: tuple[int, ...]
    seeds: tuple[int, ...] = (0,)

    def shortened(self) -> "Trial":
        """Give one epoch of it, at its first rate, with one seed."""
        schedule = "constant" if self.recipe.schedule == "steps" else self.recipe.schedule
        recipe = self.recipe.with_changes(epochs=1, lr_steps=[], schedule=schedule)
        return Trial(self.name, recipe, self.crops, self.seeds[:1])


def compare(network: Architecture, trials: Sequence[Trial], data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train a network in each way, score all test pictures, print the table; keep it whenever one way is done.

    Args:
        network: One of cuda-convnet's, named for its test error.
        trials: The ways; filters are drawn of the first.
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: One epoch of 5,000 pictures each, 1,000 scored.
    """
    limit = {"train": 5_000, "test": 1_000} if quick else {}
    store = prepare("cifar10", data / "cifar-10-batches-py", work / "store", limit=limit)
    error, folder = NAMED_ERRORS[network.name], results / network.name
    rows: list[Row] = []
    runs: dict[str, Run] = {}
    told, seconds = [], 0.0
    for trial in [trial.shortened() for trial in trials] if quick else trials:
        new, trained = train_and_score(network, trial, store, work)
        rows, runs = rows + new, runs | trained
        took = sum(row["seconds"] for run in trained.values() for row in run.log())
        each, seconds = took / len(trained) / 60, seconds + took
        told.append(f"{1 - statistics.fmean(new[-1].values):.1%} ({trial.name}, {each:.0f} minutes)")
        verdict = f"Error on all test pictures where the name says {error:.0%}: {', '.join(told)}."
        keep(folder, network.name, f"alexnet reproduce {network.name}", seconds / 60, rows, verdict, runs)
        draw_curves([run.path for run in runs.values()], folder / "curves.png")
    draw_filters(conv1_kernels(next(iter(runs.values())).trained().network), 1, folder / "filters.png")
    print(table(rows))
    print(f"{verdict}\nevidence: {folder}")


def train_and_score(network: Architecture, trial: Trial, store: Store, work: Path) -> tuple[list[Row], dict[str, Run]]:
    """Train a network in one way, with each seed; a row for each number of views, and the runs by name and seed."""
    runs, top1 = {}, {crops: list[float]() for crops in trial.crops}
    for seed in trial.seeds:
        name = f"{trial.name.replace(' ', '-')}-{seed}"
        run = runs[name] = finished_run(store, network, trial.recipe.with_changes(seed=seed), work / name)
        for crops, values in top1.items():
            values.append(evaluate([run.trained()], store.splits["test"], crops).top1)
    printed, epochs = 1 - NAMED_ERRORS[network.name], trial.recipe.epochs
    labels = {crops: f"{trial.name}: {epochs} epoch{'s' * (epochs > 1)}, {VIEWS[crops]}" for crops in top1}
    return [Row(labels[crops], "top1", printed, tuple(top1[crops]), trial.seeds) for crops in top1], runs

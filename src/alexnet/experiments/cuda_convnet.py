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
from alexnet.experiments.evidence import Row, keep
from alexnet.experiments.trial import Trial
from alexnet.filters import conv1_kernels, draw_filters
from alexnet.recipe import Recipe
from alexnet.report.comparison import NAMED_ERRORS
from alexnet.report.curves import draw_curves
from alexnet.runs.run import Run


@dataclass(frozen=True)
class Way:
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

    def shortened(self) -> "Way":
        """Give one epoch of it, at its first rate, with one seed."""
        schedule = "constant" if self.recipe.schedule == "steps" else self.recipe.schedule
        recipe = self.recipe.with_changes(epochs=1, lr_steps=[], schedule=schedule)
        return Way(self.name, recipe, self.crops, self.seeds[:1])


def compare(network: Architecture, ways: Sequence[Way], data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train a network in each way, score all test pictures, print the table; keep it whenever one way is done.

    Args:
        network: One of cuda-convnet's, named for its test error.
        ways: The ways; filters are drawn of the first.
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: One epoch of 5,000 pictures each, 1,000 scored.
    """
    limit = {"train": 5_000, "test": 1_000} if quick else {}
    store = prepare("cifar10", data / "cifar-10-batches-py", work / "store", limit=limit)
    test = store.splits["test"]
    error = NAMED_ERRORS[network.name]
    rows: list[Row] = []
    runs: dict[str, Run] = {}
    told, seconds = [], 0.0
    for way in [way.shortened() for way in ways] if quick else ways:
        trial = Trial.of(way.name, store, network, way.recipe, way.seeds, work)
        epochs = f"{way.recipe.epochs} epoch{'s' * (way.recipe.epochs > 1)}"
        scored = [trial.row(trial.evaluations(test, crops), printed=1 - error, note=epochs) for crops in way.crops]
        rows, runs, seconds = rows + scored, runs | trial.named_runs, seconds + trial.seconds
        each = trial.seconds / len(trial.seeds) / 60
        told.append(f"{1 - statistics.fmean(scored[-1].values):.1%} ({way.name}, {epochs}, {each:.0f} minutes)")
        verdict = f"Error on all test pictures where the name says {error:.0%}: {', '.join(told)}."
        folder = keep(results, network.name, seconds / 60, rows, verdict, runs)
        draw_curves([run.path for run in runs.values()], folder / "curves.png")
    draw_filters(conv1_kernels(next(iter(runs.values())).trained().network), 1, folder / "filters.png")

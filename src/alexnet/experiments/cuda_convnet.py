"""What the experiments with cuda-convnet's networks share: the whole of CIFAR-10, several recipes, several views.

All 50,000 pictures are learned from and all 10,000 test pictures are scored, after the last epoch only: the test error
that the log has after each epoch decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet.architectures import Architecture
from alexnet.data.preparation import prepare
from alexnet.evaluation import evaluate
from alexnet.experiments.evidence import Row, finished_run, keep, table
from alexnet.filters import conv1_kernels, draw_filters
from alexnet.recipe import Recipe
from alexnet.report.comparison import NAMED_ERRORS
from alexnet.report.curves import draw_curves

# How many crops are averaged at test, in words.
VIEWS = {1: "one view", 2: "and mirrored", 10: "ten views"}


@dataclass(frozen=True)
class Trial:
    """One way to train a network.

    Attributes:
        name: Its word in labels and folders, as `own`.
        recipe: Of which the seed is set for each run.
        crops: How many crops are averaged at test, a row each.
        seeds: One run each.
        note: What the reader must know of it.
    """

    name: str
    recipe: Recipe
    crops: tuple[int, ...]
    seeds: tuple[int, ...]
    note: str = ""


def compare(network: Architecture, trials: Sequence[Trial], data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train a network in each way, score all test pictures, keep and print the table.

    Args:
        network: One of cuda-convnet's, named for its test error.
        trials: The ways; filters are drawn of the first.
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: One epoch of 5,000 pictures each, one seed, 1,000 scored.
    """
    limit = {"train": 5_000, "test": 1_000} if quick else {}
    store = prepare("cifar10", data / "cifar-10-batches-py", work / "store", limit=limit)
    printed, rows, runs, seconds, told = 1 - NAMED_ERRORS[network.name], [], {}, 0.0, []
    for trial in trials:
        recipe, seeds = (shortened(trial.recipe), trial.seeds[:1]) if quick else (trial.recipe, trial.seeds)
        top1: dict[int, list[float]] = {crops: [] for crops in trial.crops}
        took = 0.0
        for seed in seeds:
            name = f"{trial.name}-{seed}"
            run = runs[name] = finished_run(store, network, recipe.with_changes(seed=seed), work / name)
            took += sum(row["seconds"] for row in run.log())
            for crops, values in top1.items():
                result = evaluate([run.trained()], store.splits["test"], crops)
                values.append(result.top1)
                seconds += result.seconds
        for crops, values in top1.items():
            label = f"{trial.name} recipe, {recipe.epochs} epochs, {VIEWS[crops]}"
            rows.append(Row(label, "top1", printed, tuple(values), seeds, trial.note))
        seconds += took
        best = 1 - sum(values) / len(values)
        told.append(f"{best:.1%} by its {trial.name} recipe in {took / len(seeds) / 60:.0f} minutes")
    folder = results / network.name
    verdict = f"Test error, best views: {'; '.join(told)}; its name says {NAMED_ERRORS[network.name]:.0%}."
    keep(folder, network.name, f"alexnet reproduce {network.name}", seconds / 60, rows, verdict, runs)
    draw_curves([run.path for run in runs.values()], folder / "curves.png")
    draw_filters(conv1_kernels(next(iter(runs.values())).trained().network), 1, folder / "filters.png")
    print(table(rows))
    print(f"{verdict}\nevidence: {folder}")


def shortened(recipe: Recipe) -> Recipe:
    """Give one epoch of a recipe, at its first rate."""
    return recipe.with_changes(
        epochs=1, lr_steps=[], schedule="constant" if recipe.schedule == "steps" else recipe.schedule
    )

"""What the experiments that fine-tune share: from the convolutional part of torchvision's weights to the table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from alexnet.catalogue import TORCHVISION
from alexnet.data.store import Store
from alexnet.evaluation import Evaluation, evaluate
from alexnet.experiments.evidence import Row, finished_run, keep
from alexnet.experiments.trial import VIEWS
from alexnet.layers import Convolution
from alexnet.recipes import FINE_TUNE
from alexnet.report.confusion import draw_confusion
from alexnet.report.curves import draw_curves
from alexnet.runs.run import Run
from alexnet.weights import Weights, read

FEATURES = "torchvision_alexnet_features.npz"


def convolutions(data: Path) -> Weights:
    """Read the five convolutions: from the file that holds them alone, else from torchvision's published one."""
    weights = read(data / FEATURES if (data / FEATURES).is_file() else "torchvision")
    names = tuple(f"{layer.name}." for layer in TORCHVISION.layers if isinstance(layer, Convolution))
    return replace(weights, tensors={name: x for name, x in weights.tensors.items() if name.startswith(names)})


def fine_tune(
    name: str, store: Store, weights: Weights, seeds: Sequence[int], work: Path, results: Path, epochs: int, note: str
) -> None:
    """Train on each seed by `fine-tune`, score the test part three ways, keep and print the table.

    Args:
        name: Of the experiment.
        store: With a test part.
        weights: To begin with.
        seeds: One training each.
        work: Folder for runs.
        results: Folder for the evidence.
        epochs: 0 for those of the recipe.
        note: What the reader must know beside the figures.
    """
    test = store.splits["test"]
    runs: dict[str, Run] = {}
    measured: dict[int, list[Evaluation]] = {crops: [] for crops in VIEWS}
    minutes = 0.0
    for seed in seeds:
        recipe = FINE_TUNE.with_changes(seed=seed, epochs=epochs or FINE_TUNE.epochs)
        run = runs[f"fine-tune-{seed}"] = finished_run(store, TORCHVISION, recipe, work / f"fine-tune-{seed}", weights)
        trained = run.trained()
        for crops, found in measured.items():
            found.append(evaluate([trained], test, crops))
        seconds = [row["seconds"] for row in run.log()] + [found[-1].seconds for found in measured.values()]
        minutes += sum(seconds) / 60
    what = f"{len(test)} test images"
    tops = {crops: tuple(one.top1 for one in found) for crops, found in measured.items()}
    rows = [Row(f"{what}, {VIEWS[crops]}", "top1", None, top, tuple(seeds), note) for crops, top in tops.items()]
    largest = measured[1][0].confusion.sum(1).max() / len(test)
    rows.append(Row("always answering the largest class", "top1", None, (float(largest),), tuple(seeds[:1])))
    verdict = f"Fine-tuned from the convolutions alone: {np.mean(rows[0].values):.1%} on the centre crop."
    folder = keep(results, name, minutes, rows, verdict, runs)
    draw_curves([run.path for run in runs.values()], folder / "curves.png")
    draw_confusion(np.sum([one.confusion for one in measured[1]], axis=0), store.classes, folder / "confusion.png")

"""The cuda-convnet network `cifar-18pct` on the whole of CIFAR-10, on a CPU, in minutes.

Its name is its test error after some 140 epochs by its own recipe. Here it learns by `fast`, for fewer epochs and with
mirrored and shifted pictures.
"""

from pathlib import Path

from alexnet.catalogue import CIFAR_18PCT
from alexnet.data.preparation import prepare
from alexnet.evaluation import evaluate
from alexnet.experiments.evidence import Row, finished_run, keep, table
from alexnet.filters import conv1_kernels, draw_filters
from alexnet.recipes import FAST
from alexnet.report.curves import draw_curves

SEED = 0
# Ninety thousand weights and fifty thousand pictures: nothing to smooth, and shifts of two pixels are enough. A small
# conv1 lets what it learns show over its start.
RECIPE = FAST.with_changes(
    epochs=30, batch_size=64, lr=0.02, label_smoothing=0.0, pad=2, first_layer_gain=0.1, seed=SEED
)
PRINTED_TOP1 = 0.82


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train on all 50,000 pictures, score on all 10,000, keep and print the table.

    Args:
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and run.
        results: Folder for the evidence.
        quick: Two epochs of 5,000 pictures, 1,000 scored.
    """
    limit = {"train": 5_000, "test": 1_000} if quick else {}
    store = prepare("cifar10", data / "cifar-10-batches-py", work / "store", limit=limit)
    recipe = RECIPE.with_changes(epochs=2) if quick else RECIPE
    run = finished_run(store, CIFAR_18PCT, recipe, work / "run")
    trained = run.trained()
    rows = []
    for crops, views in ((1, "whole picture"), (2, "and its mirror image")):
        result = evaluate([trained], store.splits["test"], crops)
        rows.append(Row(f"{result.images:,} test images, {views}", "top1", PRINTED_TOP1, (result.top1,), (SEED,)))
    minutes = sum(row["seconds"] for row in run.log()) / 60
    verdict = (
        f"{rows[0].values[0]:.1%} after {recipe.epochs} epochs and {minutes:.1f} minutes, where the name says 82 %."
    )
    folder = results / "cifar-18pct"
    keep(folder, "cifar-18pct", "alexnet reproduce cifar-18pct", minutes, rows, verdict, {f"fast-{SEED}": run})
    draw_curves([run.path], folder / "curves.png")
    draw_filters(conv1_kernels(trained.network), 1, folder / "filters.png")
    print(table(rows))
    print(f"{verdict}\nevidence: {folder}")

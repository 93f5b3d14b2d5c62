"""Write-up 004: the first 5,000 pictures of CIFAR-10, 10 epochs, on a CPU.

It saw a loss of 2.302 for four epochs and ended at 26.70 % top-1, 81.30 % top-5 on 1,000 test pictures. *As written* is
its network, start and recipe; *ours* is the same network family, data and number of epochs, with another start,
schedule, batch size and smoothing. Nothing is pretrained.
"""

from dataclasses import replace
from pathlib import Path

from alexnet.architectures import Architecture, Start
from alexnet.catalogue import SINGLE
from alexnet.data.preparation import prepare
from alexnet.evaluation import evaluate
from alexnet.experiments.evidence import Row, finished_run, keep, table
from alexnet.filters import conv1_kernels, draw_filters
from alexnet.layers import Convolution, Dropout, Layer
from alexnet.paper import Metric, printed
from alexnet.recipe import Recipe
from alexnet.recipes import FAST, RECIPES
from alexnet.report.curves import draw_curves

SEED = 0
TRAINING, SCORED = 5_000, 1_000
EPOCHS = 10
METRICS: tuple[Metric, Metric] = ("top1", "top5")


def as_written() -> tuple[Architecture, Recipe]:
    """Give the write-up's own network and recipe, slips included."""

    # Its network: conv1 padded by 2 at 224; dropout before fc6 and fc7, none before fc8; PyTorch's start.
    def changed(layer: Layer) -> tuple[Layer, ...]:
        if isinstance(layer, Convolution) and layer.name == "conv1":
            return (replace(layer, padding=(2, 2)),)
        if layer.name == "fc6":
            return (Dropout("dropout5", kind="inverted"), layer)
        return () if layer.name == "dropout7" else (layer,)

    layers = tuple(part for layer in SINGLE.layers for part in changed(layer))
    start = tuple(Start(row.layer, "uniform") for row in SINGLE.start)
    network = Architecture("write-up-004", layers, start, input_side=224, input="imagenet")
    return network, RECIPES["write-up-004"].with_changes(seed=SEED)


def ours() -> tuple[Architecture, Recipe]:
    """Give what learns: the recipe `fast`, for the same number of epochs."""
    return SINGLE, FAST.with_changes(epochs=EPOCHS, seed=SEED)


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train both, score both on the write-up's 1,000 test pictures and on all 10,000, keep and print the table.

    Args:
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for stores and runs.
        results: Folder for the evidence.
        quick: Two epochs of 320 pictures, 200 scored.
    """
    training, scored, epochs = (320, 100, 2) if quick else (TRAINING, SCORED, EPOCHS)
    source = data / "cifar-10-batches-py"
    everything = {"train": training, "test": 200} if quick else {"train": training}
    watched = prepare("cifar10", source, work / "store", limit={"train": training, "test": scored})
    whole = prepare("cifar10", source, work / "store-all-test", limit=everything)
    runs, rows, seconds = {}, [], 0.0
    for label, (architecture, recipe), crops in (("as-written", as_written(), 1), ("ours", ours(), 2)):
        recipe = recipe.with_changes(epochs=epochs)
        run = runs[f"{label}-{SEED}"] = finished_run(watched, architecture, recipe, work / label)
        trained = run.trained()
        views = "centre" if crops == 1 else "centre and mirror"
        for store in (watched, whole):
            split = store.splits["test"]
            result = evaluate([trained], split, crops)
            here = f"{label}, {result.images:,} test images, {views}"
            first, fifth = (printed("as written", metric, "write-up 004") for metric in METRICS)
            beside = (first, fifth) if store is watched else (None, None)
            rows.append(Row(here, "top1", beside[0], (result.top1,), (SEED,)))
            rows.append(Row(here, "top5", beside[1], (result.top5 or 0.0,), (SEED,)))
            seconds += result.seconds
        seconds += sum(row["seconds"] for row in run.log())
    folder = results / "write-up-004"
    verdict = (
        f"The same data and epochs give {rows[6].values[0]:.1%} instead of {rows[2].values[0]:.1%} on all test images."
    )
    keep(folder, "write-up-004", "alexnet reproduce write-up-004", seconds / 60, rows, verdict, runs)
    draw_curves([run.path for run in runs.values()], folder / "curves.png")
    draw_filters(conv1_kernels(runs[f"ours-{SEED}"].trained().network), 1, folder / "filters-ours.png")
    print(table(rows))
    print(f"{verdict}\nevidence: {folder}")

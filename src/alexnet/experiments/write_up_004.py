"""Write-up 004: the first 5,000 pictures of CIFAR-10, 10 epochs, on a CPU.

It saw a loss of 2.302 for four epochs and ended at 26.70 % top-1, 81.30 % top-5 on 1,000 test pictures. *As written* is
its network, start and recipe; *ours* is the same network family, data and number of epochs, with another start,
schedule, batch size and smoothing. Nothing is pretrained. Both: seeds 0, 1, 2, and bfloat16 in the layers, because two
cores need twice the time in float32.

Its search for pictures alike flattened the pictures themselves, took fc6 and looked among the test pictures; here it is
done as it was meant: by the last hidden layer, fc7, among the training pictures.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from alexnet.architectures import Architecture, Start
from alexnet.catalogue import SINGLE
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.experiments.evidence import Row, keep
from alexnet.experiments.trial import Trial
from alexnet.filters import conv1_kernels, draw_filters
from alexnet.layers import Convolution, Dropout, Layer
from alexnet.neighbor_sheet import agreement, draw_neighbors
from alexnet.neighbors import Gallery, Match
from alexnet.paper import WRITE_UP_004_LOSS_SUMS, Metric, printed
from alexnet.recipe import Recipe
from alexnet.recipes import FAST, RECIPES
from alexnet.report.curves import draw_curves

SEEDS = (0, 1, 2)
TRAINING, SCORED = 5_000, 1_000
EPOCHS = 10
METRICS: tuple[Metric, Metric] = ("top1", "top5")
# Of the test pictures, counted from 0: the one whose six nearest the write-up shows.
QUERY = 42
# Epochs whose printed training loss, a sum over so many batches, is put beside ours.
PLATEAU_ENDS, BATCHES = 4, 40


def as_written() -> tuple[Architecture, Recipe]:
    """Give the write-up's own network and recipe, slips included; but in bfloat16."""

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
    return network, RECIPES["write-up-004"].with_changes(precision="bfloat16")


def ours() -> tuple[Architecture, Recipe]:
    """Give what learns: the recipe `fast`, for the same number of epochs."""
    return SINGLE, FAST.with_changes(epochs=EPOCHS)


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train both, score both on the write-up's 1,000 test pictures and on all 10,000, keep and print the table.

    Args:
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for stores and runs.
        results: Folder for the evidence.
        quick: One seed, two epochs of 320 pictures, 200 scored.
    """
    training, scored, epochs = (320, 100, 2) if quick else (TRAINING, SCORED, EPOCHS)
    seeds = SEEDS[:1] if quick else SEEDS
    source = data / "cifar-10-batches-py"
    everything = {"train": training, "test": 200} if quick else {"train": training}
    watched = prepare("cifar10", source, work / "store", limit={"train": training, "test": scored})
    whole = prepare("cifar10", source, work / "store-all-test", limit=everything)
    after, before = (
        Trial.of(label, watched, architecture, recipe.with_changes(epochs=epochs), seeds, work)
        for label, (architecture, recipe) in (("ours", ours()), ("as-written", as_written()))
    )
    seconds = before.seconds + after.seconds
    rows = []
    for trial, crops in ((before, 1), (after, 2)):
        for store in (watched, whole):
            found = trial.evaluations(store.splits["test"], crops)
            seconds += sum(one.seconds for one in found)
            for metric in METRICS:
                beside = printed("as written", metric, "write-up 004") if store is watched else None
                rows.append(trial.row(found, metric, beside))
    there, here = rows[2].values, rows[6].values
    verdict = f"The same data and epochs give {np.mean(here):.1%} instead of {np.mean(there):.1%} on all test images."
    for epoch in sorted({min(PLATEAU_ENDS, epochs), epochs}):
        rows.append(before.logged("train_loss", epoch, WRITE_UP_004_LOSS_SUMS[epoch - 1] / BATCHES))
    rows += alike((before, after), watched)
    runs = {**before.named_runs, **after.named_runs}
    folder = keep(results, "write-up-004", seconds / 60, rows, verdict, runs)
    draw_curves([run.path for run in runs.values()], folder / "curves.png")
    for trial in (before, after):
        first = trial.runs[seeds[0]]
        draw_filters(conv1_kernels(first.trained().network), 1, folder / f"filters-{first.path.name}.png")


def alike(trials: tuple[Trial, ...], store: Store) -> list[Row]:
    """Count how many of each test picture's six nearest training pictures are of its class; draw those of one query.

    The sheets lie in the first run of each trial, not with the evidence, which has no pictures of others.

    Args:
        trials: Whose networks give the features.
        store: Its test pictures are the queries.

    Returns:
        A row for each trial, and one for the search by pixels, which knows no network.
    """
    test = store.splits["test"]
    labels: list[str | None] = [store.classes[label] for label in test.labels]
    pictures = test.pictures(np.arange(len(test)))
    rows, by_pixels = [], 0.0
    for trial in trials:
        shares = []
        for run in trial.runs.values():
            gallery = Gallery.of(run.trained(), store, run.path / "features")
            matches = gallery.matches(list(test.names), labels, pictures)
            by_features, same_pixels, all_of_them = agreement(matches)
            shares.append(by_features / all_of_them)
            by_pixels = same_pixels / all_of_them
            if run is trial.runs[trial.seeds[0]]:
                draw_query(gallery, matches[QUERY], run.path / "neighbors.png")
        what = f"{trial.label}, six nearest training images by {gallery.layer}"
        rows.append(Row(what, "same class", None, tuple(shares), trial.seeds))
    return [*rows, Row("six nearest training images by pixels", "same class", None, (by_pixels,), trials[0].seeds[:1])]


def draw_query(gallery: Gallery, match: Match, path: Path) -> None:
    """Draw what is nearest to one test picture."""
    title = f"What is alike to test picture {QUERY}: {path.parent.name}"
    draw_neighbors(path, title, gallery.layer, [match], [gallery.shown(match)])
    print(path)

"""What can bring write-up 000's networks to a constant answer: its first model, with one thing wrong at a time.

Two of its four figures are those of a network that calls every picture by one class: 63 of 290 test pictures (21.72 %)
are of the largest class, 55 (18.97 %) of another; the other two, 65 and 64, are near. Each row is its first model (SGD
at 0.01 from pretrained convolutions, 30 epochs of 652 pictures) with one thing changed, on the cut-outs of
`alexnet.experiments.five_dogs`, with seed 0 alone: the causes are to be told from each other, not ranked. Two rows are
no training: they test the first row's network in another way.

Not here, because no network or recipe of this library describes it: dropout that stays on in the test, a ReLU or a
softmax after the scores, a head of 1,000 classes of which five occur.
"""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from alexnet.architectures import Architecture, Input, Start
from alexnet.catalogue import TORCHVISION
from alexnet.data.augment import View
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.evaluation import Evaluation, evaluate
from alexnet.experiments.evidence import Row, keep
from alexnet.experiments.fine_tuning import convolutions
from alexnet.experiments.five_dogs import CONSTANT, CUT_OUTS, QUICK, constancy, cut_outs, seconds, told, train_and_test
from alexnet.experiments.write_up_000 import as_written
from alexnet.layers import FullyConnected
from alexnet.paper import WRITE_UP_RESULTS
from alexnet.recipe import Recipe
from alexnet.report.confusion import draw_confusions
from alexnet.report.curves import draw_curves
from alexnet.runs.run import Run
from alexnet.runs.trained import Trained
from alexnet.variations import vary

SEED = 0


@dataclass(frozen=True)
class Cause:
    """A training with one thing wrong.

    Attributes:
        what: What is wrong.
        recipe: Its recipe.
        network: Its network.
        pretrained: Whether it begins with the pretrained convolutions.
        input: The pixels that it gets, if not those that the convolutions expect.
        labels_dealt: Whether the training pictures have labels that were dealt out anew, by chance.
    """

    what: str
    recipe: Recipe
    network: Architecture = TORCHVISION
    pretrained: bool = True
    input: Input | None = None
    labels_dealt: bool = False


def first_model() -> Recipe:
    """Give the recipe that each cause changes."""
    return as_written()["SGD"].recipe.with_changes(seed=SEED)


def gaussian_convolutions() -> Architecture:
    """Give the start of the code that the write-up cites, N(0, 0.01) in the convolutions, for raw pixels."""
    convolutions = tuple(
        Start(row.layer, bias=float(row.layer in ("conv2", "conv4", "conv5"))) if row.layer.startswith("conv") else row
        for row in TORCHVISION.start
    )
    return replace(TORCHVISION, start=convolutions, dead_start_allowed=True)


def head_behind_head() -> Architecture:
    """Give a network whose five scores are a layer of their own after the thousand of ImageNet."""
    layers = (*TORCHVISION.layers, FullyConnected("fc9", 5))
    return replace(TORCHVISION, layers=layers, start=(*TORCHVISION.start, Start("fc9", "uniform")))


def causes() -> dict[str, Cause]:
    """List the trainings by the names of their runs: the first model, then each cause."""
    first = first_model()
    changed = first.with_changes
    return {
        "as-written": Cause("SGD at 0.01", first),
        "rate-0.1": Cause("rate, ten times as high", changed(lr=0.1)),
        "rate-0": Cause("rate, as if the optimizer had none of the weights", changed(lr=0.0, epochs=1)),
        "adam": Cause("rate, 0.01 for Adam: its third model", changed(optimizer="adam")),
        "adam-0.0001": Cause("the same with a hundredth of the rate", changed(optimizer="adam", lr=1e-4)),
        "scores-only": Cause("head, fc8 alone learns, after a new fc6 and fc7", changed(freeze={"conv1-fc7": 0})),
        "head-behind-head": Cause("head, five scores after a thousand", first, head_behind_head()),
        "gaussian-start": Cause("start, N(0, 0.01), nothing pretrained", first, gaussian_convolutions(), False),
        "raw-input": Cause("input, pixels of 0-255 less their mean", first, input="raw"),
        "colour-noise": Cause("colours, noise times 100 on half of the pictures", changed(colour_noise=10.0)),
        "labels-dealt": Cause("labels, those of the training part dealt out by chance", first, labels_dealt=True),
        "dropout-0.9": Cause("dropout, 0.9", first, vary(TORCHVISION, "dropout=0.9")),
        "dropout-off": Cause("dropout, none", first, vary(TORCHVISION, "dropout=off")),
    }


# What is only tested in another way.
TESTED_RAW, TESTED_BY_SIZE = "tested-raw", "tested-by-size"
TESTS = {
    TESTED_RAW: "input, as written, but the test pictures of 0-255 less their mean",
    TESTED_BY_SIZE: "labels, as written, but those of the test part number the classes by size",
}


def with_labels_dealt(store: Store, data: Path, work: Path) -> Store:
    """Prepare the cut-outs once more, the labels of the training part dealt out by chance, as many of each."""
    tree = work / "pictures-labels-dealt"
    shutil.rmtree(tree, ignore_errors=True)
    for split in store.splits.values():
        labels = np.random.default_rng(SEED).permutation(split.labels) if split.name == "train" else split.labels
        for name, label in zip(split.names, labels, strict=True):
            # The number before the name keeps the classes in their order.
            folder = tree / split.name / f"{label}-{store.classes[label]}"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data / CUT_OUTS / "Images" / name, folder / name.replace("/", "-"))
    return prepare("folder", tree, work / "store-labels-dealt")


def with_raw_pixels(trained: Trained) -> Trained:
    """Let a network see pixels of 0–255 less their mean, whatever it learned from."""
    raw = replace(trained.network.architecture, input="raw", dead_start_allowed=True)
    return replace(trained, view=View(raw, trained.view.statistics, trained.recipe.view_side, trained.device))


def numbered_by_size(result: Evaluation) -> Evaluation:
    """Count the answers against labels that number the classes by size, the largest first, not by WordNet id."""
    by_size = np.argsort(-result.confusion.sum(1), kind="stable")
    confusion = result.confusion[by_size]
    return replace(result, top1=float(confusion.trace() / result.images), confusion=confusion)


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train with each cause, test, keep and print the table.

    Args:
        data: As for `write-up-000`.
        work: Folder for stores and runs.
        results: Folder for the evidence.
        quick: Two updates each.
    """
    pretrained = convolutions(data)
    store = cut_outs(data, work)
    dealt = with_labels_dealt(store, data, work)
    runs: dict[str, Run] = {}
    found: dict[str, Evaluation] = {}
    minutes = 0.0
    for name, cause in causes().items():
        recipe = cause.recipe.with_changes(**QUICK) if quick else cause.recipe
        weights = replace(pretrained, input=cause.input or pretrained.input) if cause.pretrained else None
        pictures = dealt if cause.labels_dealt else store
        result = train_and_test(pictures, cause.network, recipe, work / name, weights)
        run = runs[f"{name}-{SEED}"] = Run(work / name)
        found[name] = result[1]
        minutes += seconds(run, result) / 60
    seen_raw = with_raw_pixels(runs[f"as-written-{SEED}"].trained())
    found[TESTED_RAW] = evaluate([seen_raw], store.splits["test"])
    found[TESTED_BY_SIZE] = numbered_by_size(found["as-written"])
    rows = table_rows(store.classes, found)
    folder = keep(results, "write-up-000-causes", minutes, rows, verdict(found), runs)
    draw_curves([runs[f"{name}-{SEED}"].path for name in curved(found)], folder / "curves.png")
    # Numbered by size, its rows are other classes than those of the rest.
    drawn = {name: one.confusion for name, one in found.items() if name != TESTED_BY_SIZE}
    draw_confusions(drawn, store.classes, folder / "confusion.png", 5)


def table_rows(classes: list[str], found: dict[str, Evaluation]) -> list[Row]:
    """Give a row for each constant answer, beside the printed figure that it equals, and one for each cause."""
    shown = next(iter(found.values())).confusion.sum(1)
    rows = []
    for name, of_class in zip(classes, shown, strict=True):
        share = float(of_class / shown.sum())
        rows.append(Row(f"always {name}", "top1", printed(share), (share,), (SEED,), f"{of_class} of {shown.sum()}"))
    whats = {name: cause.what for name, cause in causes().items()} | TESTS
    for name, result in found.items():
        beside, note = printed(result.top1), told(result, classes)
        rows.append(Row(f"{name}: {whats[name]}", "top1", beside, (result.top1,), (SEED,), note))
    return rows


def printed(share: float) -> float | None:
    """Give the write-up's figure that a share of right answers equals, as far as it is printed; None if none does."""
    figures = {round(one.value, 4) for one in WRITE_UP_RESULTS if one.section == "write-up 000"}
    return round(share, 4) if round(share, 4) in figures else None


def constant(found: dict[str, Evaluation]) -> dict[str, Evaluation]:
    """Give those that answer one class, or nearly."""
    return {name: result for name, result in found.items() if constancy(result) >= CONSTANT}


def curved(found: dict[str, Evaluation]) -> list[str]:
    """Name the trainings whose curves are drawn: the first model and those that end in a constant answer.

    More colours than seven cannot be told apart, and a training that diverged at once has no curve.
    """
    named = ["as-written", *(name for name in constant(found) if name not in ("as-written", *TESTS))]
    return [name for name in named if not math.isnan(found[name].loss)][:7]


def verdict(found: dict[str, Evaluation]) -> str:
    """Say which causes lead to a constant answer, and which to a figure that was printed."""

    def listed(of_these: Mapping[str, Evaluation]) -> str:
        words = (f"{name} ({one.top1:.2%}{', diverged' * math.isnan(one.loss)})" for name, one in of_these.items())
        return "; ".join(words) or "none"

    equal = {name: one for name, one in found.items() if printed(one.top1)}
    return (
        f"One class for {CONSTANT:.0%} of the test pictures or more: {listed(constant(found))}. "
        f"With a figure that was printed: {listed(equal)}. As written, {found['as-written'].top1:.1%} are right."
    )

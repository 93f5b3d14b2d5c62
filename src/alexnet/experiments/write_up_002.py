"""Write-up 002: cats and dogs by one tower, in views of 256 pixels, mirrored, cut at random and turned.

It tells no rate, no number of epochs and no result. *As written* is its network and augmentation with PyTorch's start
and plain momentum, for 20 epochs; *from scratch* is the same network family on the same pictures for as many epochs;
*from pretrained convolutions* begins with those of torchvision's weights, by the recipe `fine-tune`.

The protocol, chosen before these runs:

- data: the first 2,000 cats and 2,000 dogs of Kaggle's set, 3,200 to train, 400 to validate, 400 to test. The copies at
  hand are 200 × 200 and are enlarged to 256. They are not ImageNet's pictures.
- seeds: 0, 1, 2 of every row. Ours was tuned on the validation part with seed 0; nothing was chosen by the test part.
- metric: top-1 on the test part by the network of the epoch with the best validation; as written the whole view, ours
  the centre and its mirror image, and the centre beside it.
- budget: 20 epochs.
- precision: bfloat16 in the layers everywhere, because two cores need twice the time in float32.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet.architectures import Architecture, Start
from alexnet.catalogue import SINGLE, TORCHVISION
from alexnet.data.preparation import prepare
from alexnet.evaluation import Evaluation
from alexnet.experiments.evidence import Row, keep
from alexnet.experiments.fine_tuning import convolutions
from alexnet.experiments.trial import Trial
from alexnet.filters import conv1_kernels, draw_filters
from alexnet.recipe import Recipe, changes, written
from alexnet.recipes import FAST, FINE_TUNE, RECIPES
from alexnet.report.curves import draw_curves

SEEDS = (0, 1, 2)
FOLDER, EPOCHS = "cats-dogs-200px-4000", 20
# Of all 25,000 pictures, four fifths are learned from; the shares that are held out are those of the 4,000.
SHARE, WHOLE = 0.1, 20_000
SCRATCH, TUNED, WRITTEN = "from scratch", "from pretrained convolutions", "as written"
# Held out of a quick run, and its updates.
QUICK_SHARE, QUICK = 0.02, {"epochs": 1, "max_updates": 6}


@dataclass(frozen=True)
class Way:
    """How a network is trained and tested.

    Attributes:
        network: The network.
        recipe: Its recipe; each run has another seed.
        pretrained: Whether it begins with the pretrained convolutions.
        crops: Numbers of views that it is tested on; the first one counts.
    """

    network: Architecture
    recipe: Recipe
    pretrained: bool
    crops: tuple[int, ...]


def as_written() -> Architecture:
    """Give the write-up's own network; whether it has response norms is not told."""
    start = tuple(Start(row.layer, "uniform") for row in SINGLE.start)
    return Architecture("write-up-002", SINGLE.layers, start, input_side=256, input="imagenet")


def ways() -> dict[str, Way]:
    """List what is trained, ours first."""
    written_recipe = RECIPES["write-up-002"].with_changes(epochs=EPOCHS, precision="bfloat16")
    scratch = FAST.with_changes(epochs=EPOCHS, crop="random-resized", crop_scale_low=0.25)
    return {
        SCRATCH: Way(SINGLE, scratch, pretrained=False, crops=(2, 1)),
        TUNED: Way(TORCHVISION, FINE_TUNE.with_changes(epochs=EPOCHS), pretrained=True, crops=(2, 1)),
        WRITTEN: Way(as_written(), written_recipe, pretrained=False, crops=(1,)),
    }


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train all, score the test part; keep and print the table whenever one of them has all its seeds.

    Args:
        data: Folder that holds `cats-dogs-200px-4000`, and `torchvision_alexnet_features.npz` if it is not to be
            fetched.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: Six updates of one seed each, 80 pictures scored.
    """
    weights = convolutions(data)
    share = QUICK_SHARE if quick else SHARE
    store = prepare("cats-dogs", data / FOLDER, work / "store", val_share=share, test_share=share)
    trials: list[Trial] = []
    rows: list[Row] = []
    seconds = 0.0
    for label, way in ways().items():
        seeds, recipe = (SEEDS[:1], way.recipe.with_changes(**QUICK)) if quick else (SEEDS, way.recipe)
        begun = weights if way.pretrained else None
        trials.append(Trial.of(label, store, way.network, recipe, seeds, work, begun))
        measured = [trials[-1].evaluations(store.splits["test"], crops) for crops in way.crops]
        rows += [trials[-1].row(found) for found in measured]
        seconds += trials[-1].seconds + sum(one.seconds for found in measured for one in found)
        tell(trials, [*rows, largest(measured[0][0], seeds[:1])], seconds / 60, results)


def tell(trials: Sequence[Trial], rows: Sequence[Row], minutes: float, results: Path) -> None:
    """Keep and print what is known so far."""
    runs = {name: run for trial in trials for name, run in trial.named_runs.items()}
    folder = keep(results, "write-up-002", minutes, rows, verdict(trials, rows), runs)
    firsts = [trial.runs[trial.seeds[0]] for trial in trials]
    draw_curves([run.path for run in firsts], folder / "curves.png")
    draw_filters(conv1_kernels(firsts[0].trained().network), 1, folder / f"filters-{firsts[0].path.name}.png")


def largest(result: Evaluation, seeds: tuple[int, ...]) -> Row:
    """Give what always answering the largest class of a test part would give."""
    share = float(result.confusion.sum(1).max() / result.images)
    return Row("always answering the largest class", "top1", None, (share,), seeds)


def verdict(trials: Sequence[Trial], rows: Sequence[Row]) -> str:
    """Say what each came to, and what the whole set would take."""
    firsts = [next(row for row in rows if row.label.startswith(trial.label)) for trial in trials]
    told = "; ".join(
        f"{trial.label} {statistics.fmean(row.values):.1%}" for trial, row in zip(trials, firsts, strict=True)
    )
    recipe = ways()[SCRATCH].recipe
    speed = statistics.median(row["images_per_second"] for run in trials[0].runs.values() for row in run.log())
    hours = WHOLE * recipe.epochs / speed / 3600
    return (
        f"{told[0].upper()}{told[1:]}. At the {speed:.0f} images/s measured here, {WHOLE:,} of 25,000 pictures take "
        f"{hours:.1f} hours from scratch: `alexnet prepare cats-dogs train.zip cats-dogs.store`, then "
        f"`alexnet train cats-dogs.store {flags(recipe)}`."
    )


def flags(recipe: Recipe) -> str:
    """Write a recipe as the flags of `alexnet train` that make it of `fast`."""
    return " ".join(f"--{name.replace('_', '-')} {written(value)}" for name, _, value in changes(recipe, FAST))

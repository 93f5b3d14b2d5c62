"""What the experiments on write-up 000's five dogs share: the two sets, and how constant answers are.

Its own data were whole photographs of the five breeds with most pictures. Two sets come near, and neither is the same:

| set | pictures | breeds | train, val, test |
|---|---|---|---|
| cut-outs | cut to the dog's box, stretched to 224 × 224, and enlarged here to 256 | its own five | 652, 218, 290 |
| photographs | whole, as it used them | five, two of them its own | 652, 107, 253 |

Three breeds have 218 pictures; of these the Irish wolfhound is the fifth here, as it has the lowest WordNet id.
"""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from alexnet.architectures import Architecture
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.errors import Diverged
from alexnet.evaluation import Evaluation, evaluate
from alexnet.experiments.evidence import finished_run
from alexnet.progress import say
from alexnet.recipe import Recipe
from alexnet.runs.run import Run
from alexnet.weights import Weights

CUT_OUTS, PHOTOGRAPHS = "stanford-dogs", "stanford-dogs-originals/Images"
# 652, 107 and 253 of 1,012; 652 is what the write-up trained on.
VAL_SHARE, TEST_SHARE = 0.1057, 0.25
# Updates of the one epoch that shows that everything runs.
QUICK = {"epochs": 1, "max_updates": 2}
# One answer for so large a share of the pictures counts as a constant one.
CONSTANT = 0.95


def cut_outs(data: Path, work: Path) -> Store:
    """Prepare the dogs that were cut out: the write-up's five breeds and its split."""
    return prepare("stanford-dogs", data / CUT_OUTS, work / "store-cut-outs", classes_largest=5)


def photographs(data: Path, work: Path) -> Store:
    """Prepare the whole photographs: as many to train on."""
    source = data / PHOTOGRAPHS
    return prepare("folder", source, work / "store-photographs", val_share=VAL_SHARE, test_share=TEST_SHARE)


SETS: dict[str, Callable[[Path, Path], Store]] = {"cut-outs": cut_outs, "photographs": photographs}


def breeds(store: Store) -> list[str]:
    """Name the classes, without the WordNet ids that folders begin with."""
    return [re.sub(r"^n\d{8}-", "", name) for name in store.classes]


def train_and_test(
    store: Store,
    architecture: Architecture,
    recipe: Recipe,
    path: Path,
    weights: Weights | None = None,
    crops: Sequence[int] = (1,),
) -> dict[int, Evaluation]:
    """Train, and test the network of the epoch with the best validation.

    A training that diverges ends at once here, while most programs go on with weights that are not numbers. Then the
    answers of such a network are given: of NaNs, PyTorch's argmax takes the first class.

    Args:
        store: With a test part.
        architecture: The network.
        recipe: Its recipe.
        path: Folder of the run.
        weights: To begin with.
        crops: Numbers of views averaged.

    Returns:
        A result for each number of views.
    """
    test = store.splits["test"]
    try:
        trained = finished_run(store, architecture, recipe, path, weights).trained()
    except Diverged as error:
        say(f"{path.name}: {error}")
        confusion = np.zeros((len(store.classes),) * 2, np.int64)
        confusion[:, 0] = np.bincount(test.labels, minlength=len(store.classes))
        top1 = float(confusion[0, 0] / len(test))
        return {views: Evaluation(top1, None, math.nan, len(test), views, 0.0, confusion) for views in crops}
    return {views: evaluate([trained], test, views) for views in crops}


def constancy(result: Evaluation) -> float:
    """Give the share of pictures that get the commonest answer: 1 for a constant answer."""
    return float(result.confusion.sum(0).max() / result.images)


def told(result: Evaluation, classes: Sequence[str]) -> str:
    """Say how many answers are right, and how near they are to a constant one."""
    commonest = classes[int(result.confusion.sum(0).argmax())]
    words = f"{int(result.confusion.trace())} of {result.images} right; {constancy(result):.0%} are called {commonest}"
    return f"diverged; {words}" if math.isnan(result.loss) else words


def seconds(run: Run, results: dict[int, Evaluation]) -> float:
    """Give the time of a training and its tests."""
    return sum(row["seconds"] for row in run.log()) + sum(result.seconds for result in results.values())

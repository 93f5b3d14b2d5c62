"""How good a network is: top-1 and top-5 (§1), on one, two or ten crops (§4.1), alone or averaged with others (§6).

Networks are averaged as the authors' avg-test.py and avg-valid.py do it: by their probabilities, each with a weight.
"""

import csv
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from alexnet.compatibility import check_classes, check_fit
from alexnet.data.batches import batches
from alexnet.data.split import Split
from alexnet.durable import write_atomic
from alexnet.errors import UsageError
from alexnet.nn.network import arithmetic
from alexnet.runs.trained import Trained

# Views that a network is shown at once.
TOGETHER = 128
# A probability below this counts as this much: one picture held impossible must not make the mean infinite.
LEAST = 1e-30
# The search for weights ends when no weights at all could lower the loss by more than this.
GAIN = 1e-9
ROUNDS = 10_000


@dataclass(frozen=True)
class ClassResult:
    """Result on the pictures of one class.

    Attributes:
        label: Its name.
        images: Pictures of it.
        top1: Share of them whose best class it is (recall); None if there are none.
        precision: Share of true ones among the pictures whose best class it is; None if there are none.
        mistaken_for: The class most often guessed in its place; None if nothing was mistaken.
        mistakes: Pictures of it mistaken for that class.
    """

    label: str
    images: int
    top1: float | None
    precision: float | None
    mistaken_for: str | None
    mistakes: int


@dataclass(frozen=True)
class Evaluation:
    """Result on a split.

    Attributes:
        top1: Share of pictures whose best class is the true one.
        top5: Share whose true class is among the best five; None for five classes or fewer.
        loss: Mean of −log p(true class), of the averaged probabilities.
        images: Pictures counted.
        crops: Number of views averaged per picture and network.
        seconds: Time taken.
        confusion: Pictures by true class (row) and best class (column); empty if nobody counted.
    """

    top1: float
    top5: float | None
    loss: float
    images: int
    crops: int
    seconds: float
    confusion: Int64[np.ndarray, "classes classes"] = field(
        default_factory=lambda: np.zeros((0, 0), np.int64), compare=False, repr=False
    )

    def to_json(self) -> dict[str, Any]:
        """Give the six figures, without the confusion matrix."""
        names = ("top1", "top5", "loss", "images", "crops", "seconds")
        return {name: getattr(self, name) for name in names}

    def per_class(self, classes: Sequence[str]) -> list[ClassResult]:
        """Give the result on each class, in the order of the classes.

        Args:
            classes: Names, as many as were counted.

        Raises:
            UsageError: If there are more or fewer names.
        """
        if len(classes) != len(self.confusion) or not classes:
            raise UsageError(f"{len(classes)} names for {len(self.confusion)} classes that were counted")
        right, shown, guessed = self.confusion.diagonal(), self.confusion.sum(1), self.confusion.sum(0)
        wrong = self.confusion - np.diag(right)
        return [
            ClassResult(
                label,
                images=int(shown[index]),
                top1=float(right[index] / shown[index]) if shown[index] else None,
                precision=float(right[index] / guessed[index]) if guessed[index] else None,
                mistaken_for=classes[worst] if wrong[index, worst] else None,
                mistakes=int(wrong[index, worst]),
            )
            for index, (label, worst) in enumerate(zip(classes, wrong.argmax(1), strict=True))
        ]


@torch.no_grad()
def probabilities(
    trained: Trained, pictures: UInt8[Tensor, "n side side 3"], crops: int = 1
) -> Float[Tensor, "n classes"]:
    """Give class probabilities: the softmax of each crop, averaged (§4.1).

    Args:
        trained: The network; it is used in evaluation mode and left in the mode it was in.
        pictures: As the store holds them, on the network's device.
        crops: 1, 2 or 10.
    """
    network, training, precision = trained.network, trained.network.training, trained.recipe.precision
    network.eval()
    shares = []
    try:
        # What the first layer would round anyway, the view rounds already.
        views = trained.view.test(pictures, crops, torch.bfloat16 if precision == "bfloat16" else torch.float32)
        # Few pictures are shown by several crops at once.
        while several := list(islice(views, max(1, TOGETHER // max(1, len(pictures))))):
            with arithmetic(trained.device, precision):
                scores = network(torch.cat(several))
            shares.append(scores.float().softmax(1).unflatten(0, (len(several), len(pictures))))
    finally:
        network.train(training)
    return torch.cat(shares).mean(0)


def evaluate(
    trained: Sequence[Trained],
    split: Split,
    crops: int = 1,
    batch_size: int = 128,
    progress: Callable[[int], None] = lambda images: None,
    weights: Sequence[float] | None = None,
    each: Callable[[Int64[np.ndarray, "n"], Float[Tensor, "n classes"]], None] = lambda places, shares: None,
) -> Evaluation:
    """Measure one network, or several averaged, on every picture of a split.

    Args:
        trained: Networks for the same classes.
        split: Of a store.
        crops: 1 is the centre, 2 adds its mirror image, 10 is the paper's.
        batch_size: Pictures at a time; changes nothing in the result but rounding.
        progress: Called with the number of pictures of each batch.
        weights: How much each network counts, 0 or more; they are divided by their sum. By default all count alike.
        each: Called with the places and the averaged probabilities of each batch.

    Raises:
        UsageError: If the networks know different classes, or others than the split's or in another order, the
            pictures are of another size than theirs, `crops` is none of 1, 2, 10, or the weights are not one for each
            network, finite, 0 or more, and one of them above 0.
    """
    check_fit(trained, split, crops)
    check_classes(trained[0], split)
    counting = [(part, one) for part, one in zip(parts(weights, len(trained)), trained, strict=True) if part]
    begun = time.perf_counter()
    known = len(trained[0].classes)
    confusion = np.zeros((known, known), np.int64)
    fifth = loss = 0.0
    for batch in batches(split, np.arange(len(split)), batch_size, trained[0].device):
        shares = torch.stack([part * probabilities(one, batch.pictures, crops) for part, one in counting]).sum(0)
        best = shares.topk(min(5, known)).indices
        np.add.at(confusion, (batch.labels.cpu().numpy(), best[:, 0].cpu().numpy()), 1)
        fifth += (best == batch.labels[:, None]).sum().item()
        loss -= of_truth(shares, batch.labels).clamp_min(LEAST).log().double().sum().item()
        each(batch.indices, shares)
        progress(len(batch.indices))
    n, seconds = len(split), time.perf_counter() - begun
    top1, top5 = float(confusion.trace() / n), fifth / n if known > 5 else None
    return Evaluation(top1, top5, loss / n, n, crops, seconds, confusion)


def parts(weights: Sequence[float] | None, runs: int) -> list[float]:
    """Give the part of each run in the average, from weights of any scale; all the same if there are none.

    Raises:
        UsageError: If they are not one for each run, finite, 0 or more, and one of them above 0.
    """
    weights = [1.0] * runs if weights is None else weights
    if len(weights) != runs:
        raise UsageError(f"the runs are {runs} and the weights {len(weights)}: give one for each")
    total = sum(weights)
    if min(weights) < 0 or not 0 < total < float("inf"):
        shown = " ".join(f"{weight:g}" for weight in weights)
        raise UsageError(f"weights {shown} average nothing: give finite numbers, none below 0, one of them above 0")
    return [weight / total for weight in weights]


def of_truth(shares: Float[Tensor, "n classes"], labels: Int64[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Give each picture's probability of its true class."""
    return shares.gather(1, labels[:, None])[:, 0]


def shares_of_truth(
    trained: Sequence[Trained],
    split: Split,
    crops: int = 1,
    batch_size: int = 128,
    progress: Callable[[int], None] = lambda images: None,
) -> Float[Tensor, "runs n"]:
    """Give the probability of the true class of every picture by each network: what `best_weights` is found from.

    Args:
        trained: Networks for the same classes.
        split: Of a store; for an honest result another one than the average is then measured on.
        crops: As for `evaluate`.
        batch_size: Pictures at a time.
        progress: Called with the number of pictures of each batch.

    Raises:
        UsageError: As `evaluate`.
    """
    check_fit(trained, split, crops)
    check_classes(trained[0], split)
    columns = []
    for batch in batches(split, np.arange(len(split)), batch_size, trained[0].device):
        one_batch = [of_truth(probabilities(one, batch.pictures, crops), batch.labels) for one in trained]
        columns.append(torch.stack(one_batch).cpu())
        progress(len(batch.indices))
    return torch.cat(columns, 1)


def best_weights(shares: Float[Tensor, "runs n"]) -> list[float]:
    """Find the weights of an average that have the least loss: the mixture of greatest likelihood.

    The loss is −mean log Σ w p, convex in w, so there is one least value. Each round multiplies a run's weight by the
    mean of its p / Σ w p, which never raises the loss (expectation maximisation, Dempster, Laird, Rubin 1977). No
    weights are better than the present ones by more than the largest of these factors less 1; that ends the search.

    Differs from the paper: the 2012 source (avg-valid.py) tries 0, 0.05 … 1 for one weight after another and keeps what
    lowers the top-5 error of the validation set. That error is a staircase; where it ends depends on where it began.

    Args:
        shares: The probability of the true class by each run, of every picture.

    Returns:
        A weight for each run; their sum is 1.
    """
    likelihood = shares.double().clamp_min(LEAST)
    weights = torch.full((len(shares),), 1 / len(shares), dtype=torch.float64)
    for _ in range(ROUNDS):
        factors = (likelihood / (weights @ likelihood)).mean(1)
        if factors.max() < 1 + GAIN:
            break
        weights *= factors
    return weights.tolist()


def write_confusion(confusion: Int64[np.ndarray, "classes classes"], classes: Sequence[str], path: Path) -> None:
    """Write a confusion matrix as CSV: a row for each true class, a column for each guessed one, named in the first.

    Raises:
        AlexNetError: If the file cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["true class", *classes])
    rows.writerows([label, *counts] for label, counts in zip(classes, confusion.tolist(), strict=True))
    write_atomic(path, text.getvalue().encode(errors="backslashreplace"))

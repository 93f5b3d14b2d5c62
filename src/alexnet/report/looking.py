"""What a network makes of the pictures of its store: measured once, with the answers that are worth a look."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8

from alexnet.answers import Answer, Choice, answers_at, choose
from alexnet.data.choosing import spread
from alexnet.data.split import Split
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.evaluation import Evaluation, evaluate
from alexnet.neighbors import Gallery, Match
from alexnet.prediction import Model

SHOWN = 12  # answers of each kind
QUERIES = 5  # rows of Figure 4


@dataclass(frozen=True)
class Mistake:
    """A wrong answer.

    Attributes:
        answer: With its picture.
        truth: Probability that the network gave the true class.
    """

    answer: Answer
    truth: float


@dataclass(frozen=True)
class Alike:
    """A picture and the training pictures nearest to it.

    Attributes:
        match: What was found.
        pictures: Of the neighbors by the network's features, and by pixels.
    """

    match: Match
    pictures: tuple[UInt8[np.ndarray, "k side side 3"], UInt8[np.ndarray, "k side side 3"]]


@dataclass(frozen=True)
class Look:
    """What a network makes of a split.

    Attributes:
        split: Name of the split.
        result: Its result there, on one view a picture.
        surest: Right answers that it is surest of.
        random: Answers by lot.
        mistakes: Wrong answers that it is surest of.
        layer: Whose output makes pictures alike.
        alike: Pictures with their neighbors; empty if there is no such layer.
    """

    split: str
    result: Evaluation
    surest: list[Answer]
    random: list[Answer]
    mistakes: list[Mistake]
    layer: str
    alike: list[Alike]


def measure(
    model: Model, split: Split, progress: Callable[[int], None] = lambda images: None
) -> tuple[Evaluation, Int64[np.ndarray, "n"], Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Measure a network on a split.

    Returns:
        The result, and for each picture its best class, the probability of that, and that of the true class.
    """
    n = len(split)
    best, shares, truth = np.empty(n, np.int64), np.empty(n, np.float32), np.empty(n, np.float32)

    def keep(places: Int64[np.ndarray, "k"], found: Float[torch.Tensor, "k classes"]) -> None:
        found = found.cpu()
        top = found.max(1)
        best[places], shares[places] = top.indices.numpy(), top.values.numpy()
        truth[places] = found.numpy()[np.arange(len(places)), split.labels[places]]

    result = evaluate([model.trained], split, progress=progress, each=keep)
    return result, best, shares, truth


def look(
    model: Model, store: Store, split: str, folder: Path | None, progress: Callable[[int], None] = lambda images: None
) -> Look:
    """Measure a network on a split, and choose what is worth a look.

    Args:
        model: The network.
        store: Of pictures of its classes.
        split: Name of the split.
        folder: Where vectors of the training pictures are kept; without it, no neighbors are searched.
        progress: Called with the number of pictures of each batch: of the split once, of the training pictures twice.

    Raises:
        UsageError: If the pictures are of another size than the network takes.
        DataError: If a picture is damaged.
        AlexNetError: If the vectors cannot be written.
    """
    pictures = store.splits[split]
    result, best, shares, truth = measure(model, pictures, progress)
    kinds: tuple[Choice, ...] = ("surest", "random", "mistakes")
    places = {how: choose(pictures.labels, best, shares, how, SHOWN) for how in kinds}
    told = {how: answers_at(model, pictures, chosen) for how, chosen in places.items()}
    mistakes = [
        Mistake(answer, float(truth[place])) for answer, place in zip(told["mistakes"], places["mistakes"], strict=True)
    ]
    # A training picture is nearest to itself, which tells nothing.
    layer, alike = neighbors(model, store, split, folder, progress) if folder and split != "train" else ("", [])
    return Look(split, result, told["surest"], told["random"], mistakes, layer, alike)


def neighbors(
    model: Model, store: Store, split: str, folder: Path, progress: Callable[[int], None]
) -> tuple[str, list[Alike]]:
    """Find the training pictures nearest to five pictures of a split; none if the network has no hidden layer."""
    try:
        gallery = Gallery.of(model.trained, store, folder, progress=progress)
    except UsageError:
        return "", []
    pictures = store.splits[split]
    places = spread(pictures.labels, QUERIES)
    names = [pictures.names[place] for place in places]
    labels: list[str | None] = [store.classes[label] for label in pictures.labels[places]]
    matches = gallery.matches(names, labels, pictures.pictures(places))
    return gallery.layer, [Alike(one, gallery.shown(one)) for one in matches]

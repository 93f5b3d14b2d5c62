"""How good a network is: top-1 and top-5 (§1), on one, two or ten crops (§4.1), alone or averaged with others (§6)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from alexnet.data.augment import crop_places
from alexnet.data.batches import batches
from alexnet.data.store import Split
from alexnet.errors import UsageError
from alexnet.nn.network import arithmetic
from alexnet.run import Trained


@dataclass(frozen=True)
class Evaluation:
    """Result on a split.

    Attributes:
        top1: Share of pictures whose best class is the true one.
        top5: Share whose true class is among the best five; None for five classes or fewer.
        loss: Mean of −log p(true class), of the averaged probabilities.
        images: Pictures counted.
        crops: Views averaged a picture and network.
        seconds: Time taken.
    """

    top1: float
    top5: float | None
    loss: float
    images: int
    crops: int
    seconds: float


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
    network, training = trained.network, trained.network.training
    network.eval()
    shares = []
    try:
        for view in trained.view.test(pictures, crops):  # in float32: only the layers compute in less
            with arithmetic(trained.device, trained.recipe.precision):
                scores = network(view)
            shares.append(scores.float().softmax(1))
    finally:
        network.train(training)
    return torch.stack(shares).mean(0)


def evaluate(
    trained: Sequence[Trained],
    split: Split,
    crops: int = 1,
    batch_size: int = 128,
    progress: Callable[[int], None] = lambda images: None,
) -> Evaluation:
    """Measure one network, or several averaged, on every picture of a split.

    Args:
        trained: Networks for the same classes.
        split: Of a store.
        crops: 1 is the centre, 2 adds its mirror image, 10 is the paper's.
        batch_size: Pictures at a time; changes nothing in the result but rounding.
        progress: Called with the number of pictures of each batch.

    Raises:
        UsageError: If the networks know different classes, the pictures are of another size than theirs, or `crops` is
            none of 1, 2, 10.
    """
    crop_places(crops, 0)
    if any(other.classes != trained[0].classes for other in trained):
        raise UsageError("these runs know different classes: average runs of the same classes only")
    if odd := {one.view.stored_side for one in trained} - {split.side}:
        raise UsageError(
            f"{split.name} has pictures of {split.side} pixels, the network learned from {min(odd)}: "
            f"prepare them with --side {min(odd)}"
        )
    begun = time.perf_counter()
    known = len(trained[0].classes)
    first = fifth = loss = 0.0
    for batch in batches(split, np.arange(len(split)), batch_size, trained[0].device):
        shares = torch.stack([probabilities(one, batch.pictures, crops) for one in trained]).mean(0)
        hits = shares.topk(min(5, known)).indices == batch.labels[:, None]
        first += hits[:, 0].sum().item()
        fifth += hits.sum().item()
        loss -= shares[torch.arange(len(shares)), batch.labels].clamp_min(1e-30).log().double().sum().item()
        progress(len(batch.indices))
    n = len(split)
    return Evaluation(first / n, fifth / n if known > 5 else None, loss / n, n, crops, time.perf_counter() - begun)

"""cuda-convnet's network `cifar-18pct` on the whole of CIFAR-10, on a CPU: by its own recipe, and in minutes by ours.

Its name is its test error by its own recipe, which its file says took 20 minutes on a GPU of 2011.

Protocol, fixed before the runs: all 50,000 pictures, 32 × 32, and all 10,000 test pictures after the last epoch. *Own*
is layer-params-18pct.cfg as `alexnet info --recipe cifar-18pct` has it: 140 epochs, whole pictures, no mirror, one
view at test; only the arithmetic is bfloat16, for time. *Fast* is the recipe `fast` for 30 epochs, with mirrored and
shifted pictures; at test one view, and two; its numbers come from first tries of which no evidence was kept. One seed
each; budget: an hour on two cores.
"""

from pathlib import Path

from alexnet.catalogue import CIFAR_18PCT
from alexnet.experiments.cuda_convnet import Way, compare
from alexnet.recipes import FAST, RECIPES

OWN = RECIPES["cifar-18pct"].with_changes(precision="bfloat16")
# Ninety thousand weights and fifty thousand pictures: nothing to smooth, and shifts of two pixels are enough. A small
# conv1 lets what it learns show over its start.
QUICK = FAST.with_changes(epochs=30, batch_size=64, lr=0.02, label_smoothing=0.0, pad=2, first_layer_gain=0.1)
WAYS = (Way("fast", QUICK, (1, 2)), Way("own", OWN, (1,)))


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train both ways, score, keep and print the table; see `alexnet.experiments.cuda_convnet.compare`."""
    compare(CIFAR_18PCT, WAYS, data, work, results, quick)

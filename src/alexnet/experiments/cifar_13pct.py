"""cuda-convnet's network `cifar-13pct`, with unshared layers, on the whole of CIFAR-10, on a CPU, by its own recipe.

Its name is its test error by its own recipe.

Protocol, fixed before the runs: all 50,000 pictures and all 10,000 test pictures after the last epoch.
layer-params-conv-local-13pct.cfg as `alexnet info --recipe cifar-13pct` has it: 160 epochs of random crops of 24 × 24
and their mirror images; at test the centre alone, and the ten views of cuda-convnet's multi-view test. Only the
arithmetic is bfloat16, for time. One seed; budget: an hour and a half on two cores.
"""

from pathlib import Path

from alexnet.catalogue import CIFAR_13PCT
from alexnet.experiments.cuda_convnet import Way, compare
from alexnet.recipes import RECIPES

WAYS = (Way("own", RECIPES["cifar-13pct"].with_changes(precision="bfloat16"), (1, 10)),)


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train, score, keep and print the table; see `alexnet.experiments.cuda_convnet.compare`."""
    compare(CIFAR_13PCT, WAYS, data, work, results, quick)

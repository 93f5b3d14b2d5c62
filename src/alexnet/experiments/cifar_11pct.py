"""cuda-convnet's network `cifar-11pct`, with unshared layers and response norms, on the whole of CIFAR-10, on a CPU.

Its name is its test error by its own recipe.

Protocol, fixed before the runs: all 50,000 pictures and all 10,000 test pictures after the last epoch.
layer-params-conv-local-11pct.cfg as `alexnet info --recipe cifar-11pct` has it, random crops of 24 × 24 and their
mirror images; at test the centre alone, and the ten views of cuda-convnet's multi-view test. One seed.
"""

from pathlib import Path

from alexnet.catalogue import CIFAR_11PCT
from alexnet.experiments.cuda_convnet import Trial, compare
from alexnet.recipes import RECIPES

SEEDS = (0,)
TRIALS = (Trial("own", RECIPES["cifar-11pct"].with_changes(precision="bfloat16"), (1, 10), SEEDS),)


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train, score, keep and print the table; see `alexnet.experiments.cuda_convnet.compare`."""
    compare(CIFAR_11PCT, TRIALS, data, work, results, quick)

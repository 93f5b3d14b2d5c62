"""cuda-convnet's network `cifar-11pct`, with unshared layers and response norms, on the whole of CIFAR-10, on a CPU.

Its name is its test error by its own recipe.

Protocol, fixed before the runs: all 50,000 pictures and all 10,000 test pictures after the last epoch.
layer-params-conv-local-11pct.cfg as `alexnet info --recipe cifar-11pct` has it: random crops of 24 × 24 and their
mirror images; at test the centre alone, and the ten views of cuda-convnet's multi-view test. Only the arithmetic is
bfloat16, for time. First *a fifth*: 104 epochs for 520, both falls of the rate after a fifth of their epochs; then
*own*, whole. One seed each; budget: five hours on two cores.
"""

from pathlib import Path

from alexnet.catalogue import CIFAR_11PCT
from alexnet.experiments.cuda_convnet import Way, compare
from alexnet.recipes import RECIPES

OWN = RECIPES["cifar-11pct"].with_changes(precision="bfloat16")
FIFTH = OWN.with_changes(epochs=OWN.epochs // 5, lr_steps=[epoch // 5 for epoch in OWN.lr_steps])
WAYS = (Way("a fifth", FIFTH, (1, 10)), Way("own", OWN, (1, 10)))


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train, score, keep and print the table; see `alexnet.experiments.cuda_convnet.compare`."""
    compare(CIFAR_11PCT, WAYS, data, work, results, quick)

"""What must be right before `cpu.py` and `gpu.py` measure it, held to float64."""

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
import workloads
from contestants import Normalisation, autocast, our_norm, plain, random_batch, their_norm
from torch import Tensor, nn

from alexnet.architectures import Architecture
from alexnet.data import view_kernels
from alexnet.data.augment import View
from alexnet.data.chance import Chance
from alexnet.machine import compiled
from alexnet.nn.network import Network, initialise, placed
from alexnet.recipe import Recipe

# Where two values are almost equal, rounding lets another one win a pool or pass a ReLU, and its whole gradient goes
# another way: one in 100,000 makes 3e-3 of the norm. A mistake makes far more.
ANOTHER_WINS = 3e-3
# How much farther than PyTorch's own a bfloat16 gradient may be from the exact one; in a whole network so many others
# win that both are far off.
WORSE = 3.0

# What was compared, how far it is from float64, and how far it may be.
Held = tuple[str, float, float]
# How many batches are drawn at most until one holds no two values that are too equal: every fifth or so does hold some.
DRAWS = 8


def refuse(what: str, found: float, limit: float, reference: str = "float64") -> None:
    """End if something is not what it should be; nothing wrong is timed.

    Raises:
        SystemExit: If so.
    """
    print(f"  {what}: {found:.1e} from {reference}, {limit:.1e} allowed", flush=True)
    if not found <= limit:
        sys.exit(f"error: {what} is {found:.1e} from {reference} where {limit:.1e} is allowed: nothing was timed")


def distance(x: Tensor, exact: Tensor) -> float:
    """Give the relative norm of the difference."""
    return ((x.double() - exact.double()).norm() / exact.double().norm()).item()


def both_ways(function: Normalisation, x: Tensor, relu_and_pool: bool) -> tuple[Tensor, Tensor]:
    """Go forward, and back with a gradient that is always the same."""
    x = x.detach().requires_grad_()
    y = function(x, relu_and_pool)
    g = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
    return y.detach(), torch.autograd.grad(y, x, g)[0]


def hold(draw: Callable[[], Iterable[Held]]) -> None:
    """Hold something to float64 on pictures that are drawn; where two values in them are too equal, on others.

    Args:
        draw: Draws pictures and compares; what is wrong is wrong for all.

    Raises:
        SystemExit: If something is not what it should be.
    """
    for _ in range(DRAWS):
        found = list(draw())
        if all(far <= limit for _, far, limit in found):
            break
    for held in found:
        refuse(*held)


def check_norm(shape: tuple[int, ...], device: torch.device, short: torch.dtype, images: int = 8) -> None:
    """Hold normalisation to float64, forward and back."""
    hold(partial(norm_distances, shape, device, short, images))


def norm_distances(shape: tuple[int, ...], device: torch.device, short: torch.dtype, images: int) -> Iterator[Held]:
    """Compare normalisation with float64."""
    x = (torch.randn(images, *shape[1:], device=device) * 20).contiguous(memory_format=torch.channels_last)
    cases = [(torch.float32, False, 1e-5), (torch.float32, True, ANOTHER_WINS), (short, False, 1e-2)]
    for dtype, relu_and_pool, limit in cases:
        ours = both_ways(our_norm, x.to(dtype), relu_and_pool)
        exact = both_ways(their_norm, x.to(dtype).double(), relu_and_pool)
        what = f"{'ReLU, norm, pool' if relu_and_pool else 'norm'} of {'×'.join(map(str, shape))} in {dtype}"
        yield what, distance(ours[0], exact[0]), limit
        yield f"{what}, back", distance(ours[1], exact[1]), limit


def gradients(network: nn.Module, pictures: Tensor, labels: Tensor, low: bool) -> dict[str, Tensor]:
    """Give the loss and the gradient of every parameter, without dropout."""
    network.eval().zero_grad()
    with autocast(pictures.device, low):
        scores = network(pictures)
    loss = F.cross_entropy(scores if scores.dtype == torch.float64 else scores.float(), labels)
    loss.backward()
    found = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    return {"loss": loss.detach(), **{name: gradient.detach().clone() for name, gradient in found.items()}}


def check_network(architecture: Architecture, device: torch.device, low: bool, images: int = 16) -> None:
    """Hold a network's loss and gradients to float64; in bfloat16, to PyTorch's own distance from it."""
    hold(partial(network_distances, architecture, device, low, images))


def network_distances(architecture: Architecture, device: torch.device, low: bool, images: int) -> Iterator[Held]:
    """Compare a network's loss and gradients with float64."""
    architecture = architecture.with_he_start()  # so that gradients are of one size
    pictures, labels = random_batch(architecture, images, device)
    exact = gradients(plain(architecture, device).double(), pictures.double(), labels, False)
    network = placed(initialise(Network(architecture)), device)
    for name, found in gradients(network, pictures, labels, False).items():
        yield f"{architecture.name}, {name} in float32", distance(found, exact[name]), ANOTHER_WINS
    if low:
        theirs = gradients(plain(architecture, device), pictures, labels, True)
        for name, found in gradients(network, pictures, labels, True).items():
            limit = max(1e-2, WORSE * distance(theirs[name], exact[name]))
            yield f"{architecture.name}, {name} in bfloat16", distance(found, exact[name]), limit


def check_answers(architecture: Architecture, stored_side: int, images: int = 2) -> None:
    """Hold probabilities to those that others get in float32 from the same pictures and weights."""
    pictures = workloads.drawn_pictures(images, stored_side)
    for crops in (1, 10):
        common, reference = (architecture, stored_side, crops), "PyTorch's float32"
        exact, theirs = (workloads.their_answers(*common, workloads.Way(low))(pictures) for low in (False, True))
        for low, limit in ((False, 1e-4), (True, max(1e-2, WORSE * distance(theirs, exact)))):
            found = distance(workloads.our_answers(*common, low)(pictures), exact)
            what = f"{architecture.name}, probabilities, crops: {crops}, {workloads.precision(low)}"
            refuse(what, found, limit, reference)


def check_views(architecture: Architecture, recipe: Recipe, stored_side: int) -> None:
    """Hold views to those made by PyTorch's operations, one after another in float32."""
    view = View(architecture, workloads.drawn_statistics(stored_side), recipe.view_side)
    pictures = workloads.drawn_pictures(recipe.batch_size, stored_side)
    chance = Chance(0, 0, np.arange(len(pictures)))
    with compiled.without():
        steps = view.train(pictures, chance, recipe)
    for dtype, limit in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
        found = distance(view_kernels.show(view, pictures, chance, recipe, dtype), steps)
        refuse(f"views of {view.side} from {stored_side} in {dtype}", found, limit, "PyTorch's separate steps")

"""Who takes part in `cpu.py` and `gpu.py`: our normalisation and our step, and what others would write instead."""

from collections import OrderedDict
from collections.abc import Callable, Generator
from itertools import count

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet.architectures import Architecture
from alexnet.data import view_kernels
from alexnet.data.augment import View
from alexnet.data.batches import batches
from alexnet.data.chance import Chance, order
from alexnet.data.lookahead import ahead
from alexnet.data.resident import Resident
from alexnet.data.store import Store
from alexnet.layers import Pool, ResponseNorm
from alexnet.nn import response_norm
from alexnet.nn.network import Network, initialise, placed
from alexnet.nn.passage import through
from alexnet.optim import make_optimizer
from alexnet.recipe import Recipe
from alexnet.training.gradients import Gradients, graph_helps

NORM, POOL = ResponseNorm("norm"), Pool("pool")

Normalisation = Callable[[Tensor, bool], Tensor]
Step = Callable[[Tensor, Tensor], None]


def our_norm(x: Tensor, relu_and_pool: bool) -> Tensor:
    """Normalise as our networks do, alone or between ReLU and pool."""
    norm, pool = response_norm.ResponseNorm(NORM), nn.MaxPool2d(POOL.kernel, POOL.stride)
    return through([nn.ReLU(), norm, pool] if relu_and_pool else [norm], x)


def their_norm(x: Tensor, relu_and_pool: bool) -> Tensor:
    """Normalise as PyTorch does, with α as PyTorch counts it."""
    y = F.local_response_norm(F.relu(x) if relu_and_pool else x, NORM.size, NORM.alpha * NORM.size, NORM.beta, NORM.k)
    return F.max_pool2d(y, POOL.kernel, POOL.stride) if relu_and_pool else y


def autocast(device: torch.device, low: bool) -> torch.autocast:
    """Compute in bfloat16, or as it comes."""
    return torch.autocast(device.type, torch.bfloat16, enabled=low)


def plain(architecture: Architecture, device: torch.device) -> nn.Module:
    """Make the same network with the same weights out of PyTorch's own modules."""
    modules = OrderedDict(initialise(Network(architecture)).named_children())
    for name, module in modules.items():
        # What PyTorch has none of stays ours.
        if isinstance(module, response_norm.ResponseNorm) and module.layer.over == "maps" and module.layer.towers == 1:
            layer = module.layer
            modules[name] = nn.LocalResponseNorm(layer.size, layer.effective_alpha * layer.size, layer.beta, layer.k)
    return nn.Sequential(modules).to(device)


def random_batch(architecture: Architecture, images: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw pictures in the range that the network expects, channels last, and labels."""
    scale = 1.0 if architecture.input in ("imagenet", "deviation") else 60.0
    pictures = torch.randn(images, 3, architecture.input_side, architecture.input_side, device=device) * scale
    return pictures.contiguous(memory_format=torch.channels_last), random_labels(architecture, images, device)


def random_labels(architecture: Architecture, images: int, device: torch.device) -> Tensor:
    """Draw labels."""
    return torch.randint(architecture.classes, (images,), device=device)


def training_operations(architecture: Architecture) -> float:
    """Count the floating-point operations of training on a picture; none are needed for the gradient of the pixels."""
    return 6.0 * architecture.macs - 2.0 * architecture.rows()[0].macs


def our_step(architecture: Architecture, recipe: Recipe, device: torch.device) -> Step:
    """Make steps as `alexnet train` does."""
    network = placed(initialise(Network(architecture)), device).train()
    compute = Gradients(network, recipe, graph_helps(device, recipe.batch_size))
    optimizer = make_optimizer(recipe, network)

    def step(pictures: Tensor, labels: Tensor) -> None:
        compute(pictures, labels)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def their_step(
    architecture: Architecture, device: torch.device, low: bool, switches: bool, mode: str | None = None
) -> Step:
    """Make steps as others write them.

    Args:
        architecture: The network.
        device: Where.
        low: Whether layers compute in bfloat16.
        switches: Whether all is turned on that a good engineer would: channels last, fused SGD.
        mode: How torch.compile compiles it; None leaves it eager.
    """
    network = plain(architecture, device).train()
    if switches:
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9, weight_decay=5e-4, fused=switches)

    def loss_of(pictures: Tensor, labels: Tensor) -> Tensor:
        with autocast(device, low):
            scores = network(pictures)
        return F.cross_entropy(scores.float(), labels)

    forward = torch.compile(loss_of, mode=mode) if mode else loss_of

    def step(pictures: Tensor, labels: Tensor) -> None:
        forward(pictures if switches else pictures.contiguous(), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def fed(
    store: Store, view: View, recipe: Recipe, device: torch.device, dtype: torch.dtype
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Give whole batches of a store for ever, augmented, kept on a GPU where they fit: as `alexnet train` does."""
    split = store.splits["train"]
    resident = Resident.where_it_fits(split, device)
    whole = len(split) // recipe.batch_size * recipe.batch_size
    for epoch in count():
        found = batches(split, order(len(split), 0, epoch)[:whole], recipe.batch_size, device, resident)
        for batch in ahead(found) if device.type == "cpu" else found:
            chance = Chance(0, epoch, batch.indices)
            yield view_kernels.show(view, batch.pictures, chance, recipe, dtype), batch.labels

"""What the contestants of `cpu.py` do, each made in a process of its own: ours, and what others write in its place."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from apart import Work
from contestants import (
    Normalisation,
    autocast,
    fed,
    our_norm,
    our_step,
    plain,
    random_batch,
    their_norm,
    their_step,
)
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from alexnet.architectures import Architecture
from alexnet.data import view_kernels
from alexnet.data.augment import View, crop_places
from alexnet.data.chance import Chance
from alexnet.data.store import Statistics, Store
from alexnet.evaluation import probabilities
from alexnet.nn.network import Network, initialise, placed
from alexnet.recipe import Precision, Recipe
from alexnet.runs.trained import Trained

CPU = torch.device("cpu")
BATCHES = 3  # that are given in turn, so that none lies in the processor's cache


@dataclass(frozen=True)
class Way:
    """How others write it.

    Attributes:
        low: Whether layers compute in bfloat16 (autocast).
        switches: Whether all is turned on that a good engineer would: channels last, fused SGD.
        compiled: Whether torch.compile compiles it.
    """

    low: bool = False
    switches: bool = False
    compiled: bool = False


def precision(low: bool) -> Precision:
    """Name the arithmetic as recipes do."""
    return "bfloat16" if low else "float32"


def dtype_of(low: bool) -> torch.dtype:
    """Give the type of what layers compute."""
    return torch.bfloat16 if low else torch.float32


def drawn_statistics(side: int) -> Statistics:
    """Draw the statistics of pictures that never were."""
    chance = np.random.default_rng(0)
    return Statistics(
        mean_image=chance.uniform(100, 150, (side, side, 3)).astype(np.float32),
        mean=np.full(3, 125.0),
        deviation=np.array([68.0, 65.0, 70.0]),
        colour_deviations=np.array([110.0, 20.0, 10.0]),
        colour_axes=np.linalg.qr(chance.normal(size=(3, 3)))[0],
    )


def drawn_pictures(images: int, side: int) -> Tensor:
    """Draw pictures as a store holds them."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (images, side, side, 3), dtype=torch.uint8, generator=generator)


# The machine's own limits.


def multiply(side: int, dtype: torch.dtype) -> Work:
    """Multiply square matrices of this side."""
    a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
    return lambda: a @ b


def copy(size: int) -> Work:
    """Copy so many bytes, far more than a cache holds."""
    source = torch.randint(256, (size,), dtype=torch.uint8)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def raise_by_one(size: int) -> Work:
    """Add 1 to every number in so many bytes, in place: what is overwritten need not be fetched first."""
    values = torch.randn(size // 4)
    return lambda: values.add_(1)


# Response normalisation.


def _norm_work(function: Normalisation, inputs: list[Tensor]) -> Work:
    turns = cycle([x.requires_grad_() for x in inputs])
    g = torch.randn_like(inputs[0]).to(inputs[0].dtype)

    def work() -> None:
        x = next(turns)
        torch.autograd.grad(function(x, False), x, g)

    return work


def our_norm_work(shape: tuple[int, ...], low: bool) -> Work:
    """Normalise as our networks do, forward and back."""
    inputs = [torch.randn(shape).to(dtype_of(low)) for _ in range(BATCHES)]
    return _norm_work(our_norm, [x.contiguous(memory_format=torch.channels_last) for x in inputs])


def their_norm_work(shape: tuple[int, ...], compiled: bool) -> Work:
    """Normalise as PyTorch does: in float32, and map after map, which is its fastest layout, compiled or not."""
    function = torch.compile(their_norm) if compiled else their_norm
    return _norm_work(function, [torch.randn(shape) for _ in range(BATCHES)])


# Training steps.


def _step_work(step: Callable[[Tensor, Tensor], None], batches: list[tuple[Tensor, Tensor]]) -> Work:
    turns = cycle(batches)
    return lambda: step(*next(turns))


def given(architecture: Architecture, images: int, low: bool) -> list[tuple[Tensor, Tensor]]:
    """Draw batches in the type that the first layer computes in."""
    batches = [random_batch(architecture, images, CPU) for _ in range(BATCHES)]
    return [(pictures.to(dtype_of(low)), labels) for pictures, labels in batches]


def our_step_work(architecture: Architecture, images: int, low: bool) -> Work:
    """Take steps as `alexnet train` does."""
    recipe = Recipe(batch_size=images, precision=precision(low))
    return _step_work(our_step(architecture, recipe, CPU), given(architecture, images, low))


def their_step_work(architecture: Architecture, images: int, way: Way) -> Work:
    """Take steps as others write them."""
    step = their_step(architecture, CPU, way.low, way.switches, "default" if way.compiled else None)
    batches = given(architecture, images, way.low)
    if not way.switches:
        batches = [(pictures.contiguous(), labels) for pictures, labels in batches]
    return _step_work(step, batches)


# From the pictures of a store to probabilities.


def our_answers(architecture: Architecture, stored_side: int, crops: int, low: bool) -> Callable[[Tensor], Tensor]:
    """Give probabilities as `alexnet evaluate` and `alexnet predict` do."""
    network = placed(initialise(Network(architecture)), CPU).eval()
    view = View(architecture, drawn_statistics(stored_side))
    trained = Trained(network, view, list(map(str, range(architecture.classes))), Recipe(precision=precision(low)))
    return lambda pictures: probabilities(trained, pictures, crops)


def their_answers(architecture: Architecture, stored_side: int, crops: int, way: Way) -> Callable[[Tensor], Tensor]:
    """Give probabilities as others do: the crops of a batch cut out one after the other, shown all at once."""
    network = plain(architecture, CPU).eval()
    layout = torch.channels_last if way.switches else torch.contiguous_format
    network = network.to(memory_format=layout)
    forward = torch.compile(network) if way.compiled else network
    view = View(architecture, drawn_statistics(stored_side))

    @torch.no_grad()
    def answers(pictures: Tensor) -> Tensor:
        x = ((pictures.float() - view.mean) * view.scale).permute(0, 3, 1, 2)
        shown = []
        for top, left, mirror in crop_places(crops, stored_side - view.side):
            crop = x[:, :, top : top + view.side, left : left + view.side]
            shown.append(crop.flip(3) if mirror else crop)
        with autocast(CPU, way.low):
            scores = forward(torch.cat(shown).contiguous(memory_format=layout))
        return scores.float().softmax(1).view(len(shown), len(pictures), -1).mean(0)

    return answers


def our_answers_work(architecture: Architecture, stored_side: int, crops: int, images: int) -> Work:
    """Answer in bfloat16."""
    return _answers_work(our_answers(architecture, stored_side, crops, True), stored_side, images)


def their_answers_work(architecture: Architecture, stored_side: int, crops: int, images: int, way: Way) -> Work:
    """Answer as others do."""
    return _answers_work(their_answers(architecture, stored_side, crops, way), stored_side, images)


def _answers_work(answers: Callable[[Tensor], Tensor], stored_side: int, images: int) -> Work:
    turns = cycle(list(drawn_pictures(BATCHES * images, stored_side).split(images)))
    return lambda: answers(next(turns))


# Augmentation.


def our_views_work(architecture: Architecture, recipe: Recipe, stored_side: int) -> Work:
    """Show batches of pictures as `alexnet train` does."""
    view = View(architecture, drawn_statistics(stored_side), recipe.view_side)
    images, dtype = recipe.batch_size, dtype_of(recipe.precision == "bfloat16")
    turns = cycle(enumerate(drawn_pictures(BATCHES * images, stored_side).split(images)))

    def work() -> None:
        number, pictures = next(turns)
        view_kernels.show(view, pictures, Chance(0, 0, np.arange(images) + number * images), recipe, dtype)

    return work


class Views(Dataset[tuple[Tensor, int]]):
    """Pictures in memory, each transformed by itself when it is asked for."""

    def __init__(self, pictures: np.ndarray, view: View, recipe: Recipe) -> None:
        self.pictures, self.recipe = pictures, recipe
        self.view_side, self.side, self.statistics = view.view_side, view.side, view.statistics
        self.mean = torch.tensor(view.statistics.mean / 255).float()[:, None, None]
        self.deviation = torch.tensor(view.statistics.deviation / 255).float()[:, None, None]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.pictures[index])
        if image.width != self.view_side:
            image = image.resize((self.view_side, self.view_side), Image.Resampling.BILINEAR)
        left, top = torch.randint(self.view_side - self.side + 1, (2,)).tolist()
        image = image.crop((left, top, left + self.side, top + self.side))
        if torch.rand(()) < self.recipe.mirror:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        if self.recipe.colour_noise:
            alphas = torch.randn(3) * self.recipe.colour_noise * torch.tensor(self.statistics.colour_deviations).float()
            x = x + (torch.tensor(self.statistics.colour_axes).float() @ alphas / 255)[:, None, None]
        return (x - self.mean) / self.deviation, index


def their_views_work(architecture: Architecture, recipe: Recipe, stored_side: int, images: int, workers: int) -> Work:
    """Go through so many pictures with a DataLoader whose worker processes stay."""
    view = View(architecture, drawn_statistics(stored_side), recipe.view_side)
    views = Views(drawn_pictures(images, stored_side).numpy(), view, recipe)
    # fork: as it is where people train, and pictures need not be sent to the workers.
    loader = DataLoader(
        views,
        recipe.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
        multiprocessing_context="fork" if "fork" in multiprocessing.get_all_start_methods() else None,
    )

    def work() -> None:
        for _ in loader:
            pass

    return work


# From a store to an update.


def store_step_work(store: Path, architecture: Architecture, images: int, low: bool, read: bool) -> Work:
    """Take steps on pictures of a store: read, shown and learned from, or on some batches that were read before."""
    opened = Store(store)
    recipe = Recipe(batch_size=images, precision=precision(low))
    source = fed(opened, View(architecture, opened.statistics), recipe, CPU, dtype_of(low))
    batches = source if read else cycle([next(source) for _ in range(BATCHES)])
    step = our_step(architecture, recipe, CPU)
    return lambda: step(*next(batches))

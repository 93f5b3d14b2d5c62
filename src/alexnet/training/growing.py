"""Views that grow while a network learns: small ones first, which take a fraction of the time.

What is seen at first is the same part of the picture in fewer pixels. Only networks with an average pool to a fixed
side before their first fully connected layer can learn so; at test their views are always whole.
"""

from dataclasses import replace

import torch

from alexnet.architectures import Architecture
from alexnet.data.augment import View
from alexnet.data.store import Statistics
from alexnet.errors import UsageError
from alexnet.recipe import Recipe


def side_of(recipe: Recipe, epoch: int, side: int) -> int:
    """Give the side of the views in an epoch: from the first to the whole in equal steps, then the whole.

    Args:
        recipe: Says where it begins, and when it ends.
        epoch: Epochs finished.
        side: Of whole views, in pixels.
    """
    grown = recipe.grown_after * recipe.epochs
    if not recipe.first_side or epoch >= grown:
        return side
    return recipe.first_side + int((side - recipe.first_side) * epoch / grown)


class GrowingView:
    """The views that a network learns from, by the epoch."""

    def __init__(
        self, architecture: Architecture, statistics: Statistics, recipe: Recipe, device: torch.device
    ) -> None:
        """Begin with whole views, and refuse a network that can see no others if the recipe wants them.

        Raises:
            UsageError: If the first side is larger than the network's, or the network cannot see it.
        """
        self._architecture, self._statistics, self._recipe, self._device = architecture, statistics, recipe, device
        self.whole = self._last = View(architecture, statistics, recipe.view_side, device)
        first, side = recipe.first_side, architecture.input_side
        if first > side:
            raise UsageError(f"first_side={first} is larger than the network's input of {side}: lower it")
        if first and replace(architecture, input_side=first).parameters != architecture.parameters:
            raise UsageError(
                f"first_side={first}: {architecture.name} has no average pool to a fixed side before its fully "
                "connected layers: leave it out, or take single, torchvision or cifar-alexnet"
            )

    def of_epoch(self, epoch: int) -> View:
        """Give the view of an epoch; the last one is kept."""
        side = side_of(self._recipe, epoch, self.whole.side)
        if side == self.whole.side:
            return self.whole
        if side != self._last.side:
            architecture = replace(self._architecture, input_side=side)
            view_side = round(self.whole.view_side * side / self.whole.side)
            self._last = View(architecture, self._statistics, view_side, self._device)
        return self._last

"""Notices a loss that stays at ln(classes), the most common complaint about AlexNet, and guesses why."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from alexnet.architectures import RAW_INPUTS, Architecture
from alexnet.recipe import Recipe

# A loss within this share of ln(classes) has learned nothing.
STUCK_WITHIN = 0.005


@dataclass
class StuckWatch:
    """Notices a loss that stays at ln(classes), the usual end of a wrong start."""

    classes: int
    after: int
    updates: int = 0
    recent: list[Tensor] = field(default_factory=list)

    def update(self, loss: Tensor) -> bool:
        """Take in a batch's loss; true once, when the watch ends and nothing was learned."""
        self.updates += 1
        if not self.after or self.updates > self.after:
            return False
        self.recent = [*self.recent[-49:], loss.detach()]
        if self.updates < self.after:
            return False
        return abs(torch.stack(self.recent).mean().item() / math.log(self.classes) - 1) < STUCK_WITHIN


def likely_cause(architecture: Architecture, recipe: Recipe) -> str:
    """Guess why a network learns nothing, from what is known of such nets (ecosystem of re-implementations)."""
    if any(start.weights == "uniform" for start in architecture.start):
        return "the uniform start shrinks the signal from layer to layer; try --start he"
    if architecture.starts_dead:
        first = architecture.start[0]
        # Pretrained weights may have taken the place of this start; the description does not tell.
        return (
            f"unless {first.layer} is pretrained, its start, N(0, {first.deviation:g}), is made for raw pixels, "
            f"but input is {architecture.input}; try --start he"
        )
    if recipe.start == "architecture" and architecture.input in RAW_INPUTS:
        return "the printed start can wait long on this plateau; wait, or try --start he"
    if recipe.lr > 0.05:
        return f"the rate {recipe.lr:g} may have killed the ReLUs; try --lr {recipe.lr / 10:g}"
    return "labels may be wrong, or the rate too low; look at the pictures with `alexnet data`"

"""The learning rate (§5) at each place in training; its state is plain numbers."""

import math
from typing import Any

from alexnet.recipe import Recipe


class Schedule:
    """The learning rate at each place in training: a rise from 0 where the recipe has one, then its way down.

    Only `plateau` (§5) has a state: it divides the rate when the validation error has not fallen for
    `lr_patience` epochs, `lr_drops` times, and is finished when the error stands still once more.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.best_error = math.inf
        self.epochs_since_best = 0
        self.drops = 0

    def rate(self, position: float) -> float:
        """Give the rate at `position`, in epochs since the start.

        The loop asks for the middle of each update, so that a rise from 0 does not waste the first.
        """
        return self.unfallen(position) * self._height(position)

    def unfallen(self, position: float) -> float:
        """Give the same before any fall."""
        recipe = self.recipe
        return recipe.lr * (min(1.0, position / recipe.warmup_epochs) if recipe.warmup_epochs else 1.0)

    def _height(self, position: float) -> float:
        """Give the rate as a share of the highest, without the rise."""
        recipe = self.recipe
        if recipe.schedule == "plateau":
            return recipe.lr_drop_factor**-self.drops
        if recipe.schedule == "steps":
            return recipe.lr_drop_factor ** -sum(step <= position for step in recipe.lr_steps)
        if recipe.schedule == "stairs":
            stair = int(position / recipe.epochs * (recipe.lr_drops + 1))
            return recipe.lr_drop_factor ** -min(stair, recipe.lr_drops)
        # The share of the way from the end of the rise to the end of training.
        way = (position - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
        way = min(1.0, max(0.0, way))
        if recipe.schedule == "cosine":
            return (1 + math.cos(math.pi * way)) / 2
        return 1 - way if recipe.schedule == "linear" else 1.0

    def after_epoch(self, validation_error: float) -> None:
        """Tell the error (any measure that falls) after an epoch; `plateau` may lower the rate."""
        if self.recipe.schedule != "plateau":
            return
        if validation_error < self.best_error:
            self.best_error, self.epochs_since_best = validation_error, 0
            return
        self.epochs_since_best += 1
        if self.epochs_since_best >= self.recipe.lr_patience and self.drops < self.recipe.lr_drops:
            self.drops, self.epochs_since_best = self.drops + 1, 0

    def forget_best(self) -> None:
        """Forget the least error, as it was measured on other pictures; what has fallen stays so."""
        self.best_error, self.epochs_since_best = math.inf, 0

    @property
    def finished(self) -> bool:
        """Whether training should end early: all drops are done and the error stands still again."""
        # Differs from the paper: it says roughly 90 passes; training ends before when the error stands still once more
        # after the last drop.
        still = self.epochs_since_best >= self.recipe.lr_patience
        return self.recipe.schedule == "plateau" and self.drops >= self.recipe.lr_drops and still

    def state_dict(self) -> dict[str, float | int | None]:
        """Give plain numbers; the best error is None before the first epoch's end."""
        best = None if math.isinf(self.best_error) else self.best_error
        return {"best_error": best, "epochs_since_best": self.epochs_since_best, "drops": self.drops}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.best_error = math.inf if state["best_error"] is None else float(state["best_error"])
        self.epochs_since_best = int(state["epochs_since_best"])
        self.drops = int(state["drops"])

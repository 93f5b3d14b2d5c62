"""What a network is fed, made visible: pictures after crop, mirror and colour shift, as pictures again.

What is fed are numbers about 0. What a view takes away from a picture is what it gives for a black one, so the way
back needs nothing of its arithmetic.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.data.augment import View
from alexnet.data.chance import Chance
from alexnet.data.colour import colour_shift
from alexnet.data.sheets import recoloured
from alexnet.data.store import Store
from alexnet.paper import COLOUR_NOISE
from alexnet.recipe import Recipe


@dataclass(frozen=True)
class Feed:
    """How pictures of a store reach a network, in training and in testing.

    Attributes:
        store: Pictures and their statistics.
        architecture: As it is trained.
        recipe: As it is trained with.
        name: Of the recipe, for people.
    """

    store: Store
    architecture: Architecture
    recipe: Recipe
    name: str

    @property
    def view(self) -> View:
        """The way from stored pictures to the network's input."""
        return View(self.architecture, self.store.statistics, self.recipe.view_side)

    def in_training(
        self, pictures: UInt8[np.ndarray, "n stored stored 3"], chance: Chance
    ) -> UInt8[np.ndarray, "n side side 3"]:
        """Show pictures as training does, with the recipe's random changes."""
        view, colourless = self.view, self.recipe.with_changes(colour_noise=0.0)
        fed = view.train(torch.from_numpy(pictures), chance, self.recipe)
        return _as_colours(fed, view.train(torch.from_numpy(np.zeros_like(pictures)), chance, colourless), view)

    def in_testing(self, pictures: UInt8[np.ndarray, "n stored stored 3"]) -> UInt8[np.ndarray, "n side side 3"]:
        """Show the centres of pictures, as measuring does."""
        view = self.view
        fed, black = (next(view.test(torch.from_numpy(some))) for some in (pictures, np.zeros_like(pictures)))
        return _as_colours(fed, black, view)

    @property
    def noisy(self) -> Recipe:
        """The recipe or, where it has no colour noise, the same with the paper's (§4.1)."""
        return self.recipe if self.recipe.colour_noise else self.recipe.with_changes(colour_noise=COLOUR_NOISE)

    def recoloured(
        self, pictures: UInt8[np.ndarray, "n stored stored 3"], chance: Chance
    ) -> UInt8[np.ndarray, "n stored stored 3"]:
        """Shift the colours of pictures by the noise of `noisy`."""
        return recoloured(pictures, chance, self.noisy, self.store.statistics)

    def shifts(self, chance: Chance) -> list[list[float]]:
        """Give these shifts of R, G and B, in grey levels."""
        return colour_shift(chance, self.noisy, self.store.statistics).tolist()

    def words(self) -> str:
        """Tell recipe, network and input in a few words."""
        side = self.architecture.input_side
        return f"recipe {self.name}, network {self.architecture.name}, input {side}×{side}"


def _as_colours(
    fed: Float32[Tensor, "n 3 side side"], black: Float32[Tensor, "n 3 side side"], view: View
) -> UInt8[np.ndarray, "n side side 3"]:
    """Bring what a network is fed back to grey levels 0–255, given what it would be fed for black pictures."""
    shown = (fed - black).permute(0, 2, 3, 1) / view.scale
    return shown.round().clamp(0, 255).byte().numpy()

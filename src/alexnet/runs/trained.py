"""A trained network with what it takes to use it: its view of pictures, its classes, its recipe."""

from dataclasses import dataclass

import torch

from alexnet.architectures import Architecture
from alexnet.data.augment import View
from alexnet.errors import DataError, UsageError
from alexnet.nn.network import Network, load_weights, placed
from alexnet.recipe import Recipe
from alexnet.runs.checkpoint import Checkpoint


@dataclass(frozen=True)
class Trained:
    """A network ready to be shown pictures.

    Attributes:
        network: The module.
        view: How stored pictures reach it.
        classes: Names, in the order of the scores.
        recipe: What it was trained with; its precision is used again.
    """

    network: Network
    view: View
    classes: list[str]
    recipe: Recipe

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    @staticmethod
    def of(checkpoint: Checkpoint, device: torch.device) -> "Trained":
        """Build the network of a checkpoint and load its weights.

        Raises:
            DataError: If the weights do not belong to the architecture that the checkpoint names.
        """
        try:
            architecture = Architecture.from_json(checkpoint.facts["architecture"])
            recipe = Recipe.from_json(checkpoint.facts["recipe"])
            classes = list(map(str, checkpoint.facts["classes"]))
        except (KeyError, TypeError, AttributeError, UsageError) as error:
            raise DataError(f"{checkpoint.path} does not say what it belongs to ({error}): use another one") from error
        checkpoint.refuse_other(architecture)
        view = View(architecture, checkpoint.statistics(), recipe.view_side, device)
        network = Network(architecture)
        load_weights(network, checkpoint.weights)
        return Trained(placed(network, device).eval(), view, classes, recipe)

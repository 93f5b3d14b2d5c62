"""What is looked at before training: whether store, network and recipe suit each other, and what is seldom meant."""

from dataclasses import replace

from alexnet.architectures import INPUTS, Architecture
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.progress import say
from alexnet.recipe import Recipe
from alexnet.training.learner import Learner
from alexnet.weights import Weights


def refuse_mismatch(store: Store, recipe: Recipe) -> None:
    """Refuse a store that the recipe or the network cannot learn from."""
    if "train" not in store.splits or not ("val" in store.splits or "test" in store.splits):
        found = ", ".join(sorted(store.splits))
        raise UsageError(
            f"{store.path} has the splits {found}; training needs train, and val or test: "
            "prepare it again, with one of them, or with two pictures of a class"
        )
    pictures = len(store.splits["train"])
    if pictures < recipe.batch_size:
        few = f"{store.path} has {pictures} training images"
        raise UsageError(f"{few}, fewer than a batch of {recipe.batch_size}: lower --batch-size")


def resolve(architecture: Architecture, recipe: Recipe, store: Store, weights: Weights | None = None) -> Architecture:
    """Give the network that is trained: with the store's number of classes, the recipe's start, the weights' input."""
    architecture = architecture.with_classes(len(store.classes))
    if recipe.start == "he":
        architecture = architecture.with_he_start(recipe.first_layer_gain)
    if weights is None or weights.input in (None, architecture.input):
        return architecture
    # The first layer's start, which the input has to suit, is not used: its weights are there.
    return replace(architecture, input=weights.input, dead_start_allowed=True)


def notes(learner: Learner, weights: Weights | None) -> list[str]:
    """Say what is allowed, but seldom meant."""
    recipe, view, told = learner.recipe, learner.view, []
    if weights is not None and weights.input is None:
        silent = f"{weights.source} does not tell which pixels it expects"
        told.append(f"{silent}: it gets {INPUTS[view.convention]}; --vary input=… chooses others")
    if weights is not None and recipe.start == "he" and any("anew" in note for note in learner.notes):
        told.append("new layers that start as He has it spoil pretrained ones: --start architecture learns sooner")
    if recipe.crop == "random" and view.view_side == view.side and not recipe.pad:
        room = f"pictures of {view.side} pixels have no room for random crops"
        told.append(f"{room}: give --view-side {round(view.side * 8 / 7)}, or prepare them larger")
    if recipe.schedule == "plateau" and learner.watched.name == "test":
        path = learner.store.path
        told.append(f"{path} has no val: the test error lowers the rate, and is no fair measure after that")
    return told


def say_notes(*notes: str) -> None:
    """Say notes, a line each."""
    for note in notes:
        say(f"note: {note}")

"""Views grow in equal steps to the network's own, and show the same part of the picture in fewer pixels."""

import pytest
import torch

from alexnet.catalogue import CIFAR_18PCT, CIFAR_ALEXNET, SINGLE
from alexnet.data.augment import View
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.recipe import Recipe
from alexnet.training.growing import GrowingView, side_of
from alexnet.variations import vary

CPU = torch.device("cpu")


def test_sides_rise_in_equal_steps_until_their_share_of_the_epochs():
    recipe = Recipe(epochs=10, first_side=16, grown_after=0.8)
    assert [side_of(recipe, epoch, 32) for epoch in range(10)] == [16, 18, 20, 22, 24, 26, 28, 30, 32, 32]
    assert {side_of(recipe.with_changes(first_side=0), epoch, 32) for epoch in range(10)} == {32}
    assert {side_of(recipe.with_changes(grown_after=0.0), epoch, 32) for epoch in range(10)} == {32}


def test_a_small_view_is_the_whole_picture_in_fewer_pixels(tiny_store):
    statistics = Store(tiny_store).statistics
    recipe = Recipe(epochs=2, first_side=21, grown_after=0.5)
    views = GrowingView(CIFAR_ALEXNET, statistics, recipe, CPU)
    small = views.of_epoch(0)
    assert (small.side, small.view_side, small.stored_side) == (21, 24, 32)
    assert views.of_epoch(0) is small
    assert views.of_epoch(1) is views.whole
    assert (views.whole.side, views.whole.view_side) == (28, 32)
    # Enlarged views keep their border for crops.
    large = GrowingView(SINGLE, statistics, Recipe(epochs=2, first_side=113), CPU)
    assert (large.whole.view_side, large.of_epoch(0).view_side) == (259, 129)


def test_without_it_all_views_are_whole(tiny_store, tiny_network):
    statistics = Store(tiny_store).statistics
    views = GrowingView(tiny_network, statistics, Recipe(epochs=3, view_side=30), CPU)
    assert {views.of_epoch(epoch) for epoch in range(3)} == {views.whole}
    assert views.whole.view_side == View(tiny_network, statistics, 30).view_side == 30


@pytest.mark.parametrize(
    ("network", "side", "message"),
    [
        (CIFAR_18PCT, 16, "first_side=16: cifar-18pct has no average pool to a fixed side .*: leave it out"),
        (vary(CIFAR_ALEXNET, "side=24"), 25, "first_side=25 is larger than the network's input of 24: lower it"),
        (SINGLE, 50, "enlarge the input"),
    ],
)
def test_networks_that_cannot_see_small_views_are_refused(tiny_store, network, side, message):
    with pytest.raises(UsageError, match=message):
        GrowingView(network, Store(tiny_store).statistics, Recipe(first_side=side), CPU)

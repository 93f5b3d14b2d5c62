"""What a network is fed, as pictures again: whatever its input convention, the way back leads to the same colours."""

from dataclasses import replace

import numpy as np
import pytest

from alexnet.data.chance import Chance
from alexnet.data.colour import colour_shift
from alexnet.data.feed import Feed
from alexnet.data.store import Store
from alexnet.recipe import Recipe
from alexnet.recipes import RECIPES

STILL = Recipe(crop="centre", mirror=0.0, colour_noise=0.0)
INPUTS = ("raw", "raw-2012", "raw-imagenet", "deviation", "imagenet")


@pytest.fixture
def feed(photo_store, tiny_network):
    """Feed a network of 24 pixels from stored 32."""

    def of(recipe=STILL, convention="raw"):
        architecture = replace(tiny_network, input=convention, dead_start_allowed=True)
        return Feed(Store(photo_store), architecture, recipe, "tested")

    return of


def first(feed, count=4):
    return feed.store.splits["train"].pictures(np.arange(count))


@pytest.mark.parametrize("convention", INPUTS)
def test_still_pictures_come_back_as_their_centres(feed, convention):
    one = feed(convention=convention)
    pictures = first(one)
    centres = pictures[:, 4:28, 4:28]
    assert np.array_equal(one.in_testing(pictures), centres)
    assert np.array_equal(one.in_training(pictures, Chance(0, 0, np.arange(4))), centres)


@pytest.mark.parametrize("convention", INPUTS)
def test_mirrored_pictures_come_back_mirrored(feed, convention):
    one = feed(STILL.with_changes(mirror=1.0), convention)
    pictures = first(one)
    assert np.array_equal(one.in_training(pictures, Chance(0, 0, np.arange(4))), pictures[:, 4:28, 27:3:-1])


@pytest.mark.parametrize("convention", INPUTS)
@pytest.mark.parametrize("form", ["printed", "authors", "lighting"])
def test_the_colour_shift_stays(feed, convention, form):
    recipe = STILL.with_changes(colour_noise=0.2, colour_form=form)
    one, chance = feed(recipe, convention), Chance(3, 0, np.arange(4))
    pictures, mean = first(one), one.store.statistics.mean_image.astype(float)
    shifts = colour_shift(chance, recipe, one.store.statistics).double().numpy()
    # The authors' division is about what was taken away: about the middle of the mean image, or ImageNet's colours.
    about = {"raw-imagenet": [122.67891434, 116.66876762, 104.00698793], "imagenet": [123.675, 116.28, 103.53]}
    about = np.broadcast_to(about.get(convention, mean), mean.shape)[4:28, 4:28]
    if convention == "raw-2012":
        about = mean[4:28, 4:28]
    divisor = 1.2 if form == "authors" else 1
    expected = (pictures[:, 4:28, 4:28] - about + shifts[:, None, None]) / divisor + about
    assert np.abs(one.in_training(pictures, chance) - expected.clip(0, 255)).max() < 0.5 + 1e-2


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_shown(feed, name):
    one = feed(RECIPES[name])
    shown = one.in_training(first(one), Chance(0, 0, np.arange(4)))
    assert (shown.shape, shown.dtype) == ((4, 24, 24, 3), np.uint8)
    # A part of a picture is about as light as the whole.
    assert abs(shown.mean() - first(one).mean()) < 10


def test_noise_is_the_recipes_or_else_the_papers(feed):
    assert feed().noisy == STILL.with_changes(colour_noise=0.1)
    own = STILL.with_changes(colour_noise=0.3)
    assert feed(own).noisy == own


def test_recolouring_adds_the_shifts_that_are_told(feed):
    one, chance = feed(), Chance(0, 0, np.arange(4))
    pictures = first(one)
    expected = (pictures + np.array(one.shifts(chance))[:, None, None]).clip(0, 255)
    assert np.abs(one.recoloured(pictures, chance) - expected).max() < 0.5 + 1e-3


def test_words_name_recipe_network_and_input(feed):
    assert feed().words() == "recipe tested, network tiny, input 24×24"

"""The compiled way to the network's input against the way by whole-batch functions, which other tests hold to NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet.architectures import Start
from alexnet.catalogue import PAPER
from alexnet.data import view_compiled
from alexnet.data.augment import Boxes, View, places
from alexnet.data.chance import Chance
from alexnet.data.store import Statistics
from alexnet.layers import FullyConnected
from alexnet.machine import compiled
from alexnet.recipe import Recipe

pytestmark = pytest.mark.skipif(compiled.library().functions is None, reason=compiled.library().told)
PICTURES = 6
CHANNELS_LAST = torch.channels_last
CONVENTIONS = ("raw", "raw-2012", "raw-imagenet", "deviation", "imagenet")


def view(side, stored_side, view_side=0, convention="deviation"):
    """What a network of one layer is shown, of pictures that never were."""
    random = np.random.default_rng(0)
    mean_image = random.uniform(80, 160, (stored_side, stored_side, 3)).astype(np.float32)
    deviations, axes = np.array([110.0, 40.0, 20.0]), np.linalg.qr(random.normal(size=(3, 3)))[0]
    statistics = Statistics(
        mean_image, mean_image.mean((0, 1), np.float64), np.array([60.0, 55.0, 70.0]), deviations, axes
    )
    start = (Start("fc8", "he"),)
    # The input is all that counts.
    one_layer = replace(PAPER, layers=(FullyConnected("fc8", 3),), start=start, input_side=side, input=convention)
    return View(one_layer, statistics, view_side)


def pictures(side):
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (PICTURES, side, side, 3), np.uint8))


def both(make):
    """What is made by the compiled way, which must be the one taken, and by the other."""
    shown, calls = view_compiled.show, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view_compiled, "show", lambda *args: calls.append(1) or shown(*args))
        ours = make()
    with compiled.without():
        theirs = make()
    assert calls
    assert ours.is_contiguous(memory_format=CHANNELS_LAST)
    return ours, theirs


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("form", ["printed", "authors", "lighting"])
@pytest.mark.parametrize("pad", [0, 3])
def test_views_whose_pixels_are_pixels_are_the_same_to_the_last_bit(convention, form, pad):
    recipe = Recipe(colour_form=form, colour_probability=0.5, pad=pad, mirror=0.5)
    shown = view(9, 14, convention=convention)
    chance = Chance(0, 0, np.arange(PICTURES))
    ours, theirs = both(lambda: shown.train(pictures(14), chance, recipe))
    assert torch.equal(ours, theirs)
    low, _ = both(lambda: shown.train(pictures(14), chance, recipe, torch.bfloat16))
    assert torch.equal(low, theirs.bfloat16())


@pytest.mark.parametrize("stored_side", [8, 30, 64])
@pytest.mark.parametrize("crop", ["random", "random-resized", "centre"])
def test_enlarged_and_shrunken_views_are_the_same_but_for_rounding(stored_side, crop):
    recipe = Recipe(crop=crop, crop_scale_low=0.3)
    shown = view(12, stored_side, 16, "raw")
    ours, theirs = both(lambda: shown.train(pictures(stored_side), Chance(0, 2, np.arange(PICTURES)), recipe))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("crops", [1, 2, 10])
def test_test_crops_are_the_same(crops):
    shown = view(9, 14, convention="raw-2012")
    ours, theirs = both(
        lambda: torch.cat(list(shown.test(pictures(14), crops))).contiguous(memory_format=CHANNELS_LAST)
    )
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_nothing(threads):
    before = torch.get_num_threads()
    shown, chance = view(9, 14), Chance(0, 0, np.arange(PICTURES))
    expected = shown.train(pictures(14), chance, Recipe())
    try:
        torch.set_num_threads(threads)
        assert torch.equal(shown.train(pictures(14), chance, Recipe()), expected)
    finally:
        torch.set_num_threads(before)


def test_pictures_that_shrink_more_than_it_can_take_the_other_way():
    reach = int(view_compiled.LARGEST_REACH)
    boxes = Boxes.same(1, 0, 0, 4 * reach, False)
    assert view_compiled.applies(torch.zeros(1, 4 * reach, 4 * reach, 3), places(boxes, 4, 4 * reach, 0, 4 * reach))
    boxes = Boxes.same(1, 0, 0, 8 * reach, False)
    assert not view_compiled.applies(torch.zeros(1, 8 * reach, 8 * reach, 3), places(boxes, 4, 8 * reach, 0, 8 * reach))


def test_no_pictures_are_no_views():
    assert view(9, 14).train(pictures(14)[:0], Chance(0, 0, np.arange(0)), Recipe()).shape == (0, 3, 9, 9)

"""The view in one pass gives, number by number, what the view in steps gives; where it cannot, it is the latter.

The kernel needs Triton, and a GPU or TRITON_INTERPRET=1, with which it runs on the CPU; else only the steps are tested.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet.architectures import Start
from alexnet.catalogue import PAPER
from alexnet.data import view_kernels
from alexnet.data.augment import View
from alexnet.data.chance import Chance
from alexnet.data.store import Statistics
from alexnet.layers import FullyConnected
from alexnet.machine.kernels import usable
from alexnet.recipe import Recipe

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
KERNELS = usable(torch.empty(0, device=DEVICE))
needs_kernels = pytest.mark.skipif(not KERNELS, reason="kernels need Triton, and a GPU or TRITON_INTERPRET=1")
# Every random change that leaves pixels pixels, in an epoch that has them.
LIVELY = Recipe(mirror=0.5, colour_noise=0.1)


def view(convention="raw", side=9, stored=12, view_side=0):
    random = np.random.default_rng(1)
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    mean_image = random.uniform(80, 160, (stored, stored, 3)).astype(np.float32)
    colour = mean_image.mean((0, 1), dtype=np.float64)
    statistics = Statistics(mean_image, colour, np.array([60.0, 55.0, 70.0]), np.array([110.0, 40.0, 20.0]), axes)
    layers, start = (FullyConnected("fc8", 3),), (Start("fc8", "he"),)
    network = replace(PAPER, layers=layers, start=start, input_side=side, input=convention)
    return View(network, statistics, view_side, DEVICE)


def pictures(n=23, stored=12):
    drawn = np.random.default_rng(2).integers(0, 256, (n, stored, stored, 3), np.uint8)
    return torch.from_numpy(drawn).to(DEVICE)


def chance(n=23):
    return Chance(3, 1, np.arange(n) + 7)


@pytest.fixture
def kernel_runs(monkeypatch):
    """How often the kernel was launched."""
    runs = []
    launch = view_kernels.launch
    monkeypatch.setattr(view_kernels, "launch", lambda *args, **constants: runs.append(1) or launch(*args, **constants))
    return runs


@needs_kernels
@pytest.mark.parametrize("form", ["printed", "authors", "lighting"])
@pytest.mark.parametrize("convention", ["raw", "raw-2012", "raw-imagenet", "deviation", "imagenet"])
def test_it_is_the_view_in_steps(convention, form, kernel_runs):
    recipe = LIVELY.with_changes(colour_form=form, colour_probability=0.6)
    ours = view_kernels.show(view(convention), pictures(), chance(), recipe)
    assert torch.equal(ours, view(convention).train(pictures(), chance(), recipe))
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert kernel_runs == [1]


@needs_kernels
@pytest.mark.parametrize(
    "changes",
    [
        {"pad": 2},
        {"pad": 15},  # reflected more than once
        {"crop": "centre"},
        {"crop_probability": 0.5},
        {"shared_crop": 4},
        {"mirror": 1.0, "colour_noise": 0.0},
        {"colour_noise_until": 1},
    ],
    ids=str,
)
def test_every_recipe_whose_pixels_stay_pixels(changes, kernel_runs):
    recipe = LIVELY.with_changes(**changes)
    ours = view_kernels.show(view(), pictures(), chance(), recipe)
    assert torch.equal(ours, view().train(pictures(), chance(), recipe))
    assert kernel_runs == [1]


@needs_kernels
@pytest.mark.parametrize("sides", [(12, 12), (1, 12), (1, 1)], ids=str)
def test_views_as_large_as_the_picture_and_as_small_as_a_pixel(sides, kernel_runs):
    side, stored = sides
    recipe = LIVELY.with_changes(pad=1)
    ours = view_kernels.show(view(side=side, stored=stored), pictures(5, stored), chance(5), recipe)
    assert torch.equal(ours, view(side=side, stored=stored).train(pictures(5, stored), chance(5), recipe))
    assert kernel_runs == [1]


@needs_kernels
def test_more_values_than_one_program_takes(kernel_runs):
    ours = view_kernels.show(view(side=57, stored=64), pictures(3, 64), chance(3), LIVELY)
    assert torch.equal(ours, view(side=57, stored=64).train(pictures(3, 64), chance(3), LIVELY))


@needs_kernels
def test_no_pictures_at_all():
    assert view_kernels.show(view(), pictures(0), chance(0), LIVELY).shape == (0, 3, 9, 9)


@needs_kernels
def test_bfloat16_is_float32_rounded(kernel_runs):
    ours = view_kernels.show(view(), pictures(), chance(), LIVELY, torch.bfloat16)
    exact = view().train(pictures(), chance(), LIVELY)
    assert ours.dtype == torch.bfloat16
    # Triton's interpreter cuts bfloat16 off where a GPU rounds.
    torch.testing.assert_close(ours.float(), exact, rtol=2**-7, atol=0)
    assert DEVICE.type == "cpu" or torch.equal(ours, exact.bfloat16())
    assert kernel_runs == [1]


@pytest.mark.parametrize(
    ("changes", "sides"),
    [({"rotation": 10.0}, {}), ({"crop": "random-resized"}, {}), ({}, {"view_side": 16})],
    ids=str,
)
def test_where_pixels_are_resampled_it_goes_in_steps(changes, sides, kernel_runs):
    recipe = LIVELY.with_changes(**changes)
    ours = view_kernels.show(view(**sides), pictures(), chance(), recipe, torch.bfloat16)
    assert torch.equal(ours, view(**sides).train(pictures(), chance(), recipe).bfloat16())
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert kernel_runs == []


def test_without_kernels_it_goes_in_steps(monkeypatch, kernel_runs):
    monkeypatch.setattr("alexnet.machine.kernels.triton", None)
    ours = view_kernels.show(view(), pictures(), chance(), LIVELY)
    assert torch.equal(ours, view().train(pictures(), chance(), LIVELY))
    assert kernel_runs == []

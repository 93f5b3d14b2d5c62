"""Tests of alexnet.patches."""

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.architectures import Architecture, Start
from alexnet.catalogue import CIFAR_18PCT, PAPER
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.layers import Convolution, FullyConnected, Pool
from alexnet.nn.network import Network, initialise
from alexnet.patches import (
    CELL_PX,
    HEAD_PX,
    NAMED_PX,
    ReceptiveField,
    Unit,
    chosen_units,
    draw_patches,
    receptive_field,
    strongest,
)
from alexnet.prediction import load

# The receptive field.


def test_the_papers_layers_see_what_is_known_of_them():
    """By the usual recurrence: 11; pooled 19; 5 more steps of 8, and so on."""
    assert [receptive_field(PAPER, f"conv{n}").side for n in range(1, 6)] == [11, 51, 99, 131, 163]
    assert receptive_field(PAPER, "pool5").side == 195
    assert receptive_field(PAPER, "conv2").step == 8
    assert receptive_field(PAPER, "fc6") == ReceptiveField(224, 0, 0)


@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2", "conv3"])
def test_a_unit_sees_what_its_gradient_reaches(layer):
    """A network of positive weights with average pools: its gradient is above 0 wherever a unit looks."""
    layers = (
        Convolution("conv1", 4, 5, 2, (1, 2)),
        Pool("pool1", "average"),
        Convolution("conv2", 4, 3, padding=(1, 1)),
    )
    layers += (Convolution("conv3", 4, 3, 2), FullyConnected("fc4", 2))
    names = ("conv1", "conv2", "conv3", "fc4")
    architecture = Architecture("positive", layers, tuple(Start(name) for name in names), input_side=64)
    network = initialise(Network(architecture))
    for parameter in network.parameters():
        parameter.data.abs_().add_(0.1)
    x = torch.zeros(1, 3, 64, 64, requires_grad=True)
    maps = network.features(x)[layer]
    row, column = maps.shape[2] // 2, maps.shape[3] // 3
    maps[0, 0, row, column].backward()
    reached = torch.nonzero(x.grad[0, 0])
    seen = receptive_field(architecture, layer)
    assert reached.min(0).values.tolist() == [row * seen.step + seen.start, column * seen.step + seen.start]
    assert (reached.max(0).values - reached.min(0).values + 1).tolist() == [seen.side] * 2


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"cifar-18pct has no layer conv9: .*conv"):
        receptive_field(CIFAR_18PCT, "conv9")


# Choice of units.


def test_units_are_spread_or_as_wanted():
    assert chosen_units(PAPER, "conv1") == [0, 9, 17, 26, 35, 43, 52, 60, 69, 78, 86, 95]
    assert chosen_units(PAPER, "conv1", [7, 3]) == [7, 3]
    with pytest.raises(UsageError, match="conv1 has units 0 to 95, not 96"):
        chosen_units(PAPER, "conv1", [0, 96])
    with pytest.raises(UsageError, match="49 units are more than a sheet holds"):
        chosen_units(PAPER, "conv1", range(49))


# Patches.


@pytest.fixture(scope="module")
def trained(tiny_run):
    return load(tiny_run).trained


@pytest.fixture(scope="module")
def train(tiny_store):
    return Store(tiny_store).splits["train"]


@pytest.mark.parametrize("layer", ["conv2", "relu2", "fc6"])
def test_the_strongest_are_those_of_a_sort_of_everything(trained, train, layer, monkeypatch):
    monkeypatch.setattr("alexnet.patches.BATCH", 7)
    pictures = torch.from_numpy(train.pictures(np.arange(len(train))))
    (view,) = trained.view.test(pictures, 1)
    with torch.no_grad():
        maps = trained.network.features(view)[layer]
    peaks = maps.flatten(2).max(2).values if maps.dim() == 4 else maps
    for unit in strongest(trained, train, layer, [0, 3], 5):
        expected = sorted(range(len(train)), key=lambda place, unit=unit: (-peaks[place, unit.number].item(), place))[
            :5
        ]
        np.testing.assert_allclose(unit.values, peaks[expected, unit.number], rtol=1e-4, atol=1e-6)
        if len(set(unit.values.tolist())) == 5:
            assert unit.places.tolist() == expected


def test_a_patch_alone_excites_its_unit_as_much(trained, train):
    """conv1 sees 5 × 5 pixels: the kernel laid on the patch gives the value that was found."""
    (unit,) = strongest(trained, train, "conv1", [2], 6)
    assert unit.patches.shape == (6, 5, 5, 3)
    weight, bias = trained.network.conv1.weight[2].detach(), trained.network.conv1.bias[2].item()
    seen, width = receptive_field(trained.network.architecture, "conv1"), 11
    (view,) = trained.view.test(torch.from_numpy(train.pictures(unit.places)), 1)
    whole = torch.nn.functional.pad(view, (0, 1, 0, 1))
    at = torch.nn.functional.conv2d(whole, weight[None], stride=2)[:, 0]
    assert at.shape[-1] == width
    for picture, value, patch, values in zip(view, unit.values, unit.patches, at, strict=True):
        place = int(values.argmax())
        top, left = place // width * seen.step, place % width * seen.step
        np.testing.assert_allclose(values.max() + bias, value, rtol=1e-4)
        inside = picture[:, top : top + 5, left : left + 5].permute(1, 2, 0)
        shown = (inside - inside.mean()).flatten() @ (
            torch.from_numpy(patch).float()[: inside.shape[0], : inside.shape[1]] - 128
        ).flatten()
        assert shown > 0 or inside.std() < 0.1  # the same pixels, up to mean image and scale


def test_behind_a_dense_layer_the_whole_view_is_shown(trained, train):
    (unit,) = strongest(trained, train, "fc7", [1], 2)
    assert unit.patches.shape == (2, 24, 24, 3)
    expected = train.pictures(unit.places)[:, 4:28, 4:28]
    np.testing.assert_array_equal(unit.patches, expected)


def test_fewer_pictures_than_wanted_are_all(trained, train):
    (unit,) = strongest(trained, train, "conv1", [0], 1000)
    assert len(unit.values) == len(train)
    assert sorted(unit.places.tolist()) == list(range(len(train)))


def test_patches_are_drawn_nine_a_unit(tmp_path):
    shades = np.arange(9, dtype=np.uint8) * 20
    patches = np.broadcast_to(shades[:, None, None, None], (9, 5, 5, 3)).copy()
    one = Unit(3, np.linspace(2, 1, 9), np.arange(9), patches)
    draw_patches(tmp_path / "it.png", "title", "about", [one, one])
    with Image.open(tmp_path / "it.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    top, left, step = HEAD_PX + NAMED_PX + CELL_PX // 2, 24 + CELL_PX // 2, CELL_PX + 2
    found = [pixels[top + row * step, left + column * step, 0] for row in range(3) for column in range(3)]
    assert found == shades.tolist()

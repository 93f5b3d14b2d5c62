"""Tests of alexnet.importance."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from alexnet.architectures import Architecture, Start
from alexnet.data.augment import View
from alexnet.data.store import Statistics
from alexnet.importance import Importance, importance, parts
from alexnet.layers import FullyConnected
from alexnet.nn.network import Network
from alexnet.prediction import load
from alexnet.runs.trained import Trained

SIDE = 20


@pytest.fixture
def looks_at(tiny_recipe):
    """Make a network whose second class counts what lies in some place of the picture, and nothing else."""

    def make(place, classes=2):
        architecture = Architecture("place", (FullyConnected("fc8", classes),), (Start("fc8"),), input_side=SIDE)
        network = Network(architecture)
        weight = torch.zeros(classes, 3, SIDE, SIDE)
        weight[-1, :, place[0], place[1]] = 1e-3
        with torch.no_grad():
            network.fc8.weight.copy_(weight.flatten(1))
            network.fc8.bias.zero_()
        mean = np.full((SIDE, SIDE, 3), 100, np.float32)
        statistics = Statistics(mean, np.full(3, 100.0), np.ones(3), np.ones(3), np.eye(3))
        names = [f"class {number}" for number in range(classes)]
        return Trained(network, View(architecture, statistics), names, tiny_recipe)

    return make


def test_only_covering_what_the_network_looks_at_changes_the_answer(looks_at):
    trained = looks_at((slice(0, 5), slice(14, 19)))
    found = importance(trained, torch.full((SIDE, SIDE, 3), 200, dtype=torch.uint8))
    assert found.label == 1
    # 75 values, each 100 above the mean, times 1e-3.
    assert found.probability == pytest.approx(1 / (1 + math.exp(-7.5)), abs=1e-6)
    smooth = found.smooth()
    assert smooth.shape == (SIDE, SIDE)
    assert np.unravel_index(smooth.argmax(), smooth.shape)[0] < 5
    assert np.unravel_index(smooth.argmax(), smooth.shape)[1] >= 14
    assert np.abs(smooth[8:]).max() < 1e-6
    assert np.abs(smooth[:, :10]).max() < 1e-6
    # A part that covers all of it leaves nothing; the log-odds were the 7.5.
    assert found.falls.max() <= 7.5 + 1e-5
    assert found.covered.min() >= 0.5 - 1e-6


def test_each_part_is_covered_by_the_mean_picture(tiny_run):
    trained = load(tiny_run).trained
    picture = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8)
    found = importance(trained, picture)
    begin = (32 - 24) // 2  # the network sees the middle
    for row, top in enumerate(found.starts):
        for column, left in enumerate(found.starts):
            covered = torch.from_numpy(trained.view.statistics.mean_image).double()
            pictures = picture.double()
            y, x = (slice(begin + at, begin + at + found.width) for at in (top, left))
            pictures[y, x] = covered[y, x]
            (view,) = trained.view.test(picture[None])
            shown = (pictures - covered) * trained.view.scale.double()
            view = shown[begin : begin + 24, begin : begin + 24].permute(2, 0, 1)[None].float()
            with torch.no_grad():
                share = trained.network(view).double().softmax(1)[0, found.label].item()
            assert found.covered[row, column] == pytest.approx(share, abs=1e-5)
            fall = math.log(found.probability / (1 - found.probability)) - math.log(share / (1 - share))
            assert found.falls[row, column] == pytest.approx(fall, abs=1e-3)


def test_falls_are_those_of_float32_whatever_the_precision_of_the_recipe(tiny_run):
    trained = load(tiny_run).trained
    picture = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    exact, rough = (
        importance(replace(trained, recipe=trained.recipe.with_changes(precision=precision)), picture)
        for precision in ("float32", "bfloat16")
    )
    assert np.abs(exact.falls).max() > 0.01  # the comparison says something
    np.testing.assert_allclose(rough.falls, exact.falls, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(rough.covered, exact.covered, rtol=1e-5)
    assert (rough.label, rough.probability) == (exact.label, pytest.approx(exact.probability, rel=1e-5))


@pytest.mark.parametrize("macs", [1, 12_000_000, 714_000_000, 10**12])
@pytest.mark.parametrize("side", [3, 24, 32, 224, 227])
def test_parts_reach_from_edge_to_edge_and_leave_no_gap(macs, side):
    starts, width = parts(macs, side)
    assert starts[0] == 0
    assert starts[-1] + width == side
    assert all(begin < after <= begin + width for begin, after in pairwise(starts))
    assert min(5, side - 1) <= len(starts) <= 14


def test_a_large_network_is_asked_less_often():
    assert len(parts(714_000_000, 224)[0]) == 5
    assert len(parts(12_000_000, 32)[0]) == 14


def test_the_picture_between_the_parts_is_in_proportion():
    falls = np.array([[0.0, 4.0], [8.0, 12.0]])
    smooth = Importance(0, 0.5, falls, falls, 8, [0, 4], 4).smooth()
    # Middles at 2 and 6; pixel 2 lies at 2.5, an eighth of the way.
    assert smooth[0, 0] == 0
    assert smooth[0, 7] == 4
    assert smooth[7, 0] == 8
    assert smooth[0, 2] == pytest.approx(4 / 8)
    assert smooth[2, 2] == pytest.approx(4 / 8 + 8 / 8)


def test_a_network_of_one_class_is_looked_at_too(looks_at):
    found = importance(looks_at((slice(0, 5), slice(0, 5)), 1), torch.full((SIDE, SIDE, 3), 200, dtype=torch.uint8))
    assert (found.label, found.probability) == (0, 1)
    assert np.isfinite(found.falls).all()
    assert found.falls[0, 0] == pytest.approx(found.width**2 * 3 * 100e-3, abs=1e-4)


def test_the_network_keeps_its_mode(tiny_run):
    trained = load(tiny_run).trained
    trained.network.train()
    importance(trained, torch.zeros(32, 32, 3, dtype=torch.uint8))
    assert trained.network.training

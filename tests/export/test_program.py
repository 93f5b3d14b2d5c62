"""Tests of alexnet.export.program."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet.architectures import INPUTS
from alexnet.catalogue import ARCHITECTURES
from alexnet.data.augment import View
from alexnet.data.store import Store
from alexnet.export.program import PlainResponseNorm, Preprocessing, Program
from alexnet.layers import ResponseNorm as Description
from alexnet.nn.network import Network, initialise
from alexnet.nn.response_norm import ResponseNorm
from alexnet.prediction import load


@pytest.mark.parametrize("over", ["maps", "map"])
@pytest.mark.parametrize("divide_alpha", [False, True])
@pytest.mark.parametrize("towers", [1, 2])
@pytest.mark.parametrize(("size", "beta"), [(5, 0.75), (3, 0.5)])
def test_the_plain_response_norm_is_the_networks_own(over, divide_alpha, towers, size, beta):
    own = ResponseNorm(Description("norm1", over, size, 0.3, beta, 1.5, divide_alpha, towers))
    x = 3 * torch.randn(2, 8, 7, 7)
    torch.testing.assert_close(PlainResponseNorm(own, 8)(x), own(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("convention", INPUTS)
@pytest.mark.parametrize(("side", "view_side"), [(32, 0), (24, 0), (24, 28), (48, 0), (24, 31)])
def test_preprocessing_is_the_centre_view(tiny_store, tiny_network, convention, side, view_side):
    store = Store(tiny_store)
    architecture = replace(tiny_network, input=convention, input_side=side, dead_start_allowed=True)
    view = View(architecture, store.statistics, view_side)
    pictures = torch.from_numpy(store.splits["test"].pictures(np.arange(3)))
    (expected,) = view.test(pictures, 1)
    found = Preprocessing(view)(pictures)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-3 if convention.startswith("raw") else 1e-5)


def test_the_program_gives_probabilities_and_leaves_the_network_as_it_is(tiny_run):
    trained = load(tiny_run).trained
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    pictures = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    (view,) = trained.view.test(pictures, 1)
    scores = trained.network(view)
    torch.testing.assert_close(Program(trained, bare=False)(pictures), scores.softmax(1))
    torch.testing.assert_close(Program(trained, bare=True)(view), scores)
    assert isinstance(trained.network.norm1, ResponseNorm)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained.network.state_dict().items())


@pytest.mark.parametrize("name", ["authors-2012", "cifar-18pct"])
def test_named_networks_answer_as_before(name):
    architecture = ARCHITECTURES[name].with_classes(3)
    if name != "cifar-18pct":
        architecture = replace(architecture, input_side=67)
    network = initialise(Network(architecture)).eval()
    from alexnet.export.program import _traceable

    x = 30 * torch.randn(2, 3, architecture.input_side, architecture.input_side)
    with torch.no_grad():
        torch.testing.assert_close(_traceable(network)(x), network(x))

"""Tests of alexnet.training.divergence."""

import math

import pytest
import torch
from torch import nn

from alexnet.optim import PaperSGD
from alexnet.training.divergence import Guard, NotFinite


def model(optimizer=torch.optim.SGD):
    network = nn.Linear(3, 2)
    return network, optimizer(
        network.parameters(), lr=0.1, momentum=0.9, **({"fused": True} if optimizer is not PaperSGD else {})
    )


def give_gradients(network, value=1.0):
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    network.weight.grad[1, 2] = value


def test_finite_ones_pass():
    network, optimizer = model()
    guard = Guard(network.parameters(), optimizer)
    give_gradients(network, -1e15)
    guard.watch(torch.tensor(1e30), 0)
    guard.look()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_on_the_cpu_the_first_that_is_not_finite_is_told_at_once(what, value):
    network, optimizer = model()
    guard = Guard(network.parameters(), optimizer)
    give_gradients(network, value if what == "gradient" else 1.0)
    with pytest.raises(NotFinite) as caught:
        guard.watch(torch.tensor(value if what == "loss" else 1.0), 7)
    assert (caught.value.what, caught.value.batch) == (what, 7)
    assert not math.isfinite(caught.value.value)


def test_a_layer_that_stands_still_has_no_gradient_to_look_at():
    network, optimizer = model()
    guard = Guard(network.parameters(), optimizer)
    give_gradients(network)
    network.bias.grad = None
    guard.watch(torch.tensor(1.0), 0)


@pytest.mark.parametrize("make", [torch.optim.SGD, PaperSGD])
def test_where_looking_is_dear_no_update_is_made_from_the_first_bad_one_on(make):
    network, optimizer = model(make)
    guard = Guard(network.parameters(), optimizer)
    guard.every, optimizer.found_inf = 4, guard.bad  # as on an accelerator

    def step(batch, value=1.0):
        give_gradients(network, value)
        guard.watch(torch.tensor(2.0), batch)
        optimizer.step()
        return [parameter.detach().clone() for parameter in network.parameters()]

    before, after = step(0), step(1)
    assert not torch.equal(before[0], after[0])
    assert all(map(torch.equal, step(2, math.nan), after))
    give_gradients(network)
    with pytest.raises(NotFinite) as caught:
        guard.watch(torch.tensor(1.0), 3)
    assert (caught.value.what, caught.value.batch) == ("gradient", 2)
    optimizer.step()
    assert all(map(torch.equal, network.parameters(), after))
    with pytest.raises(NotFinite):
        guard.look()

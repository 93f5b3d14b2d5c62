"""The way through layers is each in its turn; what a kernel does at once gives the same.

The kernel needs Triton, and a GPU or TRITON_INTERPRET=1, with which it runs on the CPU.
"""

import pytest
import torch
from torch import nn

from alexnet.kernels import usable
from alexnet.layers import ResponseNorm as Description
from alexnet.nn import passage
from alexnet.nn.passage import through
from alexnet.nn.response_norm import ResponseNorm

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
KERNELS = usable(torch.empty(0, device=DEVICE))
needs_kernels = pytest.mark.skipif(not KERNELS, reason="kernels need Triton, and a GPU or TRITON_INTERPRET=1")


def norm(**choices):
    return ResponseNorm(Description("norm1", alpha=0.1, **choices))


RELU, POOL, ROUNDED, AVERAGE = nn.ReLU(), nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2)
# Layers, and how many of them are left when each run of a kernel counts as one.
WAYS = {
    "relu norm pool": ([RELU, norm(), POOL], 1),
    "relu norm": ([RELU, norm(), nn.Identity()], 2),
    "relu pool": ([RELU, ROUNDED], 1),
    "norm pool": ([norm(towers=2), POOL], 1),
    "norm relu pool": ([norm(), RELU, POOL], 2),
    "alone": ([norm(), nn.Tanh(), POOL, RELU], 4),
    "average": ([RELU, norm(), AVERAGE], 2),
    "within maps": ([RELU, norm(over="map", size=3), POOL], 3),
    "padded": ([RELU, nn.MaxPool2d(3, 2, padding=1)], 2),
    "twice": ([RELU, norm(), POOL, RELU, norm(), POOL], 2),
}


def in_turn(modules, x):
    for module in modules:
        x = module(x)
    return x


@pytest.fixture
def launches(monkeypatch):
    """The layers that ran by themselves, and the runs of a kernel."""
    seen = []
    normalise = passage.normalise
    monkeypatch.setattr(passage, "normalise", lambda *args: seen.append("kernel") or normalise(*args))
    return seen


@pytest.mark.parametrize("way", WAYS)
def test_layers_give_what_they_give_in_turn(way, launches):
    modules, steps = WAYS[way]
    x = torch.randn(2, 6, 15, 15, device=DEVICE).contiguous(memory_format=torch.channels_last)
    results = []
    for go in (through, in_turn):
        one = x.clone(memory_format=torch.channels_last).requires_grad_()
        y = go(modules, one)
        y.backward(torch.ones_like(y))
        results.append((y.detach(), one.grad))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=2e-6, atol=2e-6)
    if KERNELS:
        assert bool(launches) == (steps < len(modules))
    else:
        assert launches == []


@needs_kernels
def test_what_can_be_done_at_once_is(launches):
    x = torch.randn(1, 6, 15, 15, device=DEVICE)
    through(WAYS["twice"][0], x)
    assert launches == ["kernel", "kernel"]


def test_hooks_are_called():
    seen, relu = [], nn.ReLU()
    relu.register_forward_hook(lambda module, args, out: seen.append(out.shape))
    through([relu, norm(), POOL], torch.randn(1, 6, 7, 7, device=DEVICE))
    assert seen == [(1, 6, 7, 7)]


def test_no_layers_change_nothing():
    x = torch.randn(1, 2, 3, 3)
    assert through([], x) is x

"""The way through layers is each in its turn; what is done in one pass gives the same.

On the CPU that needs a compiler, or Triton with TRITON_INTERPRET=1; on a GPU Triton.
"""

import pytest
import torch
from torch import nn

from alexnet.layers import ResponseNorm as Description
from alexnet.nn import passage
from alexnet.nn.norm_kernels import NOTHING
from alexnet.nn.passage import through
from alexnet.nn.response_norm import ResponseNorm, one_pass

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
KERNELS = one_pass(torch.empty(1, 1, 1, 1, device=DEVICE), NOTHING) is not None


def norm(**choices):
    return ResponseNorm(Description("norm1", alpha=0.1, **choices))


RELU, POOL, ROUNDED, AVERAGE = nn.ReLU(), nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2)
# Layers, and how often several of them, or a pool, are done in one pass.
WAYS = {
    "relu norm pool": ([RELU, norm(), POOL], 1),
    "relu norm": ([RELU, norm(), nn.Identity()], 1),
    "relu pool": ([RELU, ROUNDED], 1),
    "norm pool": ([norm(towers=2), POOL], 1),
    "norm relu pool": ([norm(), RELU, POOL], 1),
    "alone": ([norm(), nn.Tanh(), POOL, RELU], 1),
    "average": ([RELU, norm(), AVERAGE], 1),
    "within maps": ([RELU, norm(over="map", size=3), POOL], 1),
    "padded": ([RELU, nn.MaxPool2d(3, 2, padding=1)], 0),
    "twice": ([RELU, norm(), POOL, RELU, norm(), POOL], 2),
}


def in_turn(modules, x):
    for module in modules:
        x = module(x)
    return x


@pytest.fixture
def launches(monkeypatch):
    """What was done in one pass."""
    seen = []

    def watched(*args):
        kernel = one_pass(*args)
        return kernel and (lambda *args: seen.append("one pass") or kernel(*args))

    monkeypatch.setattr(passage, "one_pass", watched)
    return seen


@pytest.mark.parametrize("way", WAYS)
def test_layers_give_what_they_give_in_turn(way, launches):
    modules, passes = WAYS[way]
    x = torch.randn(2, 6, 15, 15, device=DEVICE).contiguous(memory_format=torch.channels_last)
    results = []
    for go in (through, in_turn):
        one = x.clone(memory_format=torch.channels_last).requires_grad_()
        y = go(modules, one)
        y.backward(torch.ones_like(y))
        results.append((y.detach(), one.grad))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=2e-6, atol=2e-6)
    assert len(launches) == (passes if KERNELS else 0)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", ["forward_hook", "forward_pre_hook", "full_backward_hook", "full_backward_pre_hook"])
def test_hooks_are_called(kind, place):
    modules, seen = [nn.ReLU(), norm(), nn.MaxPool2d(3, 2)], []
    getattr(modules[place], f"register_{kind}")(lambda module, *_: seen.append(module))
    x = torch.randn(1, 6, 7, 7, device=DEVICE).contiguous(memory_format=torch.channels_last).requires_grad_()
    through(modules, x).sum().backward()
    assert seen == [modules[place]]


def test_no_layers_change_nothing():
    x = torch.randn(1, 2, 3, 3)
    assert through([], x) is x

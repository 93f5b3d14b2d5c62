"""The compiled form's own: the same bits as separate steps, however many threads. `test_norm_kernels` has the rest."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from alexnet.layers import Pool, ResponseNorm
from alexnet.machine import compiled
from alexnet.nn.norm_compiled import available, normalise
from alexnet.nn.norm_kernels import NOTHING
from alexnet.nn.response_norm import _Normalise

pytestmark = pytest.mark.skipif(compiled.library().functions is None, reason=compiled.library().told)
NORM, POOL = ResponseNorm("norm1"), Pool("pool1")
WITHIN = ResponseNorm("norm1", "map", 3, 0.3, divide_alpha=True)


def back(function, x, g):
    """A function's value, and the gradient that it sends back."""
    x = x.clone(memory_format=torch.channels_last).requires_grad_()
    y = function(x)
    y.backward(g(y))
    return y.detach(), x.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_pass_rounds_as_separate_passes_do(dtype):
    x = (torch.randn(3, 96, 15, 15) * 50).to(dtype)

    def steps(x):
        return normalise(normalise(F.relu(x), NORM), NOTHING, pool=POOL)

    y, dx = back(lambda x: normalise(x, NORM, True, POOL), x, torch.ones_like)
    expected, expected_dx = back(steps, x, torch.ones_like)
    assert torch.equal(y, expected)
    if dtype == torch.float32:
        assert torch.equal(dx, expected_dx)
    else:  # one pass does not round between the pool and the normalisation
        assert (dx - expected_dx).float().norm() <= 1e-2 * expected_dx.float().norm()


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 7, 7), (1, 40, 9, 4), (3, 64, 3, 2), (2, 5, 1, 1), (0, 6, 4, 4)], ids=str)
@pytest.mark.parametrize("layer", [WITHIN, replace(WITHIN, size=5, beta=0.5, k=1.0), replace(WITHIN, size=1)], ids=str)
def test_sums_within_maps_equal_pytorchs_in_float64(layer, shape, relu):
    x, g = torch.randn(shape), torch.randn(shape)
    y, dx = back(lambda x: normalise(x, layer, relu), x, lambda y: g)
    expected, expected_dx = back(
        lambda x: _Normalise.apply(F.relu(x) if relu else x, layer), x.double(), lambda y: g.double()
    )
    torch.testing.assert_close(y.double(), expected, rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(dx.double(), expected_dx, rtol=2e-6, atol=2e-6)


def test_sums_within_maps_are_rounded_to_bfloat16_once():
    x = torch.randn(2, 40, 6, 6).bfloat16()
    y, dx = back(lambda x: normalise(x, WITHIN, True), x, torch.ones_like)
    expected, expected_dx = back(lambda x: normalise(x, WITHIN, True), x.float(), torch.ones_like)
    assert torch.equal(y, expected.bfloat16())
    assert torch.equal(dx, expected_dx.bfloat16())


@pytest.mark.parametrize("layer", [NORM, WITHIN], ids=["maps", "map"])
def test_nan_is_not_hidden(layer):
    x = torch.ones(1, 8, 3, 3)
    x[0, 2, 1, 1] = torch.nan
    assert normalise(x, layer, True)[0, 2, 1, 1].isnan()


def test_the_number_of_threads_changes_nothing():
    x, before = torch.randn(5, 8, 9, 9), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            results.append(back(lambda x: normalise(x, NORM, True, POOL), x, torch.ones_like))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


def test_activations_as_large_as_pixels_stay_accurate():
    x = torch.randn(2, 96, 4, 4) * 2000
    squares = F.pad(x.double() ** 2, (0, 0, 0, 0, 2, 2))
    expected = x.double() / (2 + 1e-4 * sum(squares[:, j : j + 96] for j in range(5))) ** 0.75
    torch.testing.assert_close(normalise(x, NORM).double(), expected, rtol=2e-6, atol=0)


def test_what_is_compiled_by_pytorch_is_left_to_it(monkeypatch):
    assert available(torch.zeros(1, 4, 3, 3), NORM)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not available(torch.zeros(1, 4, 3, 3), NORM)

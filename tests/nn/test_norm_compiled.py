"""The compiled form's own: the same bits as separate steps, however many threads. `test_norm_kernels` has the rest."""

import pytest
import torch
import torch.nn.functional as F

from alexnet.layers import Pool, ResponseNorm
from alexnet.machine import compiled
from alexnet.nn.norm_compiled import available, normalise
from alexnet.nn.norm_kernels import NOTHING

pytestmark = pytest.mark.skipif(compiled.library().functions is None, reason=compiled.library().told)
NORM, POOL = ResponseNorm("norm1"), Pool("pool1")


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

"""Response normalisation in one pass against PyTorch's operations in float64 and the plain module, both ways.

Triton's kernels need a GPU or TRITON_INTERPRET=1, with which they run on the CPU; the compiled form needs a compiler.
"""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from alexnet.layers import Pool
from alexnet.layers import ResponseNorm as Description
from alexnet.machine import compiled
from alexnet.machine.kernels import usable
from alexnet.nn import norm_compiled, norm_kernels, response_norm
from alexnet.nn.norm_kernels import NOTHING

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(params=["compiled", "Triton"])
def kernels(request):
    """The module that does it."""
    if request.param == "Triton":
        if not usable(torch.empty(0, device=DEVICE)):
            pytest.skip("kernels need Triton, and a GPU or TRITON_INTERPRET=1")
        return norm_kernels
    if DEVICE.type != "cpu" or compiled.library().functions is None:
        pytest.skip(f"on {DEVICE}: {compiled.library().told}")
    return norm_compiled


# α is large here, so that every square in the sum shows.
PLAIN = Description("norm1", alpha=0.3, k=2.0)
POOL = Pool("pool1")


def maps(*shape, dtype=torch.float32):
    x = torch.randn(shape, dtype=torch.float64).to(dtype=dtype, device=DEVICE)
    return x.contiguous(memory_format=torch.channels_last)


def slow(x, layer, relu=False, pool=None):
    """The same by PyTorch's operations, step by step, without any kernel of ours."""
    x = response_norm._Normalise.apply(F.relu(x) if relu else x, layer)
    return x if pool is None else F.max_pool2d(x, pool.kernel, pool.stride, ceil_mode=pool.round_up)


def both_ways(function, x, g=None):
    """A function's value and, for a gradient that is drawn or given, what it sends back."""
    x = x.detach().clone(memory_format=torch.channels_last).requires_grad_()
    y = function(x)
    g = torch.randn(y.shape, dtype=torch.float64, device=y.device) if g is None else g
    y.backward(g.to(y.dtype))
    return y.detach(), x.grad, g


def agree(kernels, x, layer, relu=False, pool=None, accuracy=2e-6):
    """Compare the kernels with float64, both ways."""
    y, dx, g = both_ways(lambda x: kernels.normalise(x, layer, relu, pool), x)
    expected, expected_dx, _ = both_ways(lambda x: slow(x, layer, relu, pool), x.double(), g.to(y.dtype).double())
    assert y.dtype == dx.dtype == x.dtype
    torch.testing.assert_close(y.double(), expected, rtol=accuracy, atol=accuracy)
    torch.testing.assert_close(dx.double(), expected_dx, rtol=accuracy, atol=accuracy)


@pytest.mark.parametrize("size", [1, 3, 5, 9])
@pytest.mark.parametrize("towers", [1, 2])
@pytest.mark.parametrize("divide_alpha", [False, True])
def test_all_readings_of_alpha_towers_and_windows(kernels, size, towers, divide_alpha):
    for k in (2.0, 1.0, 0.5):
        agree(kernels, maps(2, 6, 4, 3), Description("norm1", "maps", size, 0.3, 0.75, k, divide_alpha, towers))


@pytest.mark.parametrize("beta", [0.75, 0.5, 1.0, 2.0])
def test_any_power(kernels, beta):
    agree(kernels, maps(2, 7, 3, 5), replace(PLAIN, beta=beta), relu=True)


@pytest.mark.parametrize("pool", [None, POOL, Pool("pool1", kernel=2), Pool("pool1", round_up=True)], ids=str)
@pytest.mark.parametrize("relu", [False, True])
def test_relu_before_and_pool_after(kernels, relu, pool):
    agree(kernels, maps(3, 10, 8, 7), PLAIN, relu, pool)


@pytest.mark.parametrize("pool", [Pool("pool1", kernel=4, stride=1), Pool("pool1", kernel=2, stride=3)], ids=str)
def test_pools_of_other_strides(kernels, pool):
    agree(kernels, maps(2, 3, 9, 8), PLAIN, True, pool)


@pytest.mark.parametrize("shape", [(2, 96, 7, 7), (1, 256, 5, 5), (1, 3000, 3, 3), (5, 1, 3, 3)], ids=str)
def test_maps_of_the_paper_and_numbers_that_leave_blocks_partly_empty(kernels, shape):
    agree(kernels, maps(*shape) * 3, PLAIN, True, POOL)
    agree(kernels, maps(*shape) * 3, replace(PLAIN, towers=2 if shape[1] > 1 else 1))


def test_more_pixels_than_one_program_takes(kernels):
    agree(kernels, maps(3, 96, 13, 13), Description("norm1"), True)
    agree(kernels, maps(3, 96, 13, 13), Description("norm1"), True, POOL)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("pool", [POOL, Pool("pool5", round_up=True)], ids=str)
def test_a_pool_alone_is_exactly_pytorchs(kernels, pool, relu, dtype):
    x = maps(2, 12, 8, 9, dtype=dtype)

    def steps(x):
        return F.max_pool2d(F.relu(x) if relu else x, 3, 2, ceil_mode=pool.round_up)

    # Whole numbers, whose sums are exact: PyTorch adds them up in another order.
    g = torch.randint(-9, 9, steps(x).shape, device=DEVICE)
    y, dx, _ = both_ways(lambda x: kernels.normalise(x, NOTHING, relu, pool), x, g)
    expected, expected_dx, _ = both_ways(steps, x, g)
    assert torch.equal(y, expected)
    assert torch.equal(dx, expected_dx)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 7, 1, 1), (0, 6, 4, 4)], ids=str)
def test_the_smallest_shapes(kernels, shape):
    agree(kernels, maps(*shape), PLAIN)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("pool", [None, POOL], ids=str)
def test_low_precision_is_near_float64_of_the_same_values(kernels, dtype, pool):
    if not kernels.available(maps(1, 1, 1, 1, dtype=dtype), PLAIN):
        pytest.skip(f"not done in {dtype}")
    x = maps(2, 16, 9, 9, dtype=dtype) * 2
    y, dx, g = both_ways(lambda x: kernels.normalise(x, PLAIN, True, pool), x)
    # In float64 other values would be the largest among near ones: the steps are compared at the same precision.
    expected, expected_dx, _ = both_ways(lambda x: slow(x, PLAIN, True, pool), x, g)
    assert (y.double() - expected.double()).norm() <= 1e-2 * expected.double().norm()
    # Triton's interpreter cuts bfloat16 off where a GPU rounds, which makes other values the largest.
    if not (pool and dtype == torch.bfloat16 and kernels is norm_kernels and DEVICE.type == "cpu"):
        assert (dx.double() - expected_dx.double()).norm() <= 1e-2 * expected_dx.double().norm()
    if pool is None:
        exact, exact_dx, _ = both_ways(lambda x: slow(x, PLAIN, True), x.double(), g.to(dtype).double())
        assert (y.double() - exact).norm() <= 4e-3 * exact.norm()
        assert (dx.double() - exact_dx).norm() <= 6e-3 * exact_dx.norm()


def test_the_first_of_equal_values_wins_and_nan_is_not_hidden(kernels):
    x = torch.ones(1, 2, 5, 5, device=DEVICE)
    x[0, 1, 2, 2] = float("nan")
    y, dx, g = both_ways(lambda x: kernels.normalise(x, PLAIN, True, POOL), x)
    expected, expected_dx, _ = both_ways(lambda x: slow(x, PLAIN, True, POOL), x, g)
    torch.testing.assert_close(y, expected, equal_nan=True)
    torch.testing.assert_close(dx[:, 0], expected_dx[:, 0], equal_nan=True)
    assert y[0, 1].isnan().all()


def test_the_layout_of_input_and_gradient_changes_nothing(kernels):
    x = torch.randn(2, 6, 5, 4, device=DEVICE)
    g = torch.randn(2, 6, 5, 4, device=DEVICE)
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        one = x.clone(memory_format=layout).requires_grad_()
        y = kernels.normalise(one, PLAIN)
        y.backward(g.clone(memory_format=layout))
        assert y.is_contiguous(memory_format=torch.channels_last)
        results.append((y, one.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    torch.testing.assert_close(
        kernels.normalise(x[:, :, 1:, ::2], PLAIN), kernels.normalise(x[:, :, 1:, ::2].clone(), PLAIN)
    )


def test_only_the_input_is_kept_and_left_as_it_was(kernels):
    x = maps(2, 6, 5, 5).requires_grad_()
    before = x.detach().clone()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = kernels.normalise(x, PLAIN, True, POOL)
    assert sorted(t.dtype.itemsize * t.numel() for t in kept) == [y.numel(), 4 * x.numel()]
    y.sum().backward()
    assert torch.equal(x, before)


def test_what_the_kernels_do_is_told(kernels):
    x = maps(1, 4, 3, 3)
    assert kernels.available(x, PLAIN)
    assert kernels.available(x, PLAIN, POOL)
    assert kernels.available(x.bfloat16(), PLAIN)
    assert not kernels.available(x.double(), PLAIN)
    assert kernels.available(x, replace(PLAIN, over="map")) == (kernels is norm_compiled)
    assert not kernels.available(x, replace(PLAIN, over="map"), POOL)
    assert not norm_kernels.available(x, replace(PLAIN, size=21))
    assert not kernels.available(x, PLAIN, Pool("pool1", "average"))


def test_without_kernels_nothing_is_available(monkeypatch):
    monkeypatch.setattr("alexnet.machine.kernels.triton", None)
    assert not norm_kernels.available(torch.zeros(1, 4, 3, 3), PLAIN)

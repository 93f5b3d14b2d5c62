"""Response normalisation against loops in NumPy float64, forward and backward, for each of its four choices."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from alexnet.layers import ResponseNorm as Description
from alexnet.nn import response_norm
from alexnet.nn.response_norm import ResponseNorm

# α is large here, so that every square in the sum shows.
PLAIN = Description("norm1", alpha=0.3, k=2.0)


def by_loops(a, layer):
    """The printed formula, value by value; `a` is (n, maps, h, w)."""
    a = np.asarray(a, np.float64)
    pictures, maps, height, width = a.shape
    half = layer.size // 2
    out = np.empty_like(a)
    for n, i, y, x in product(range(pictures), range(maps), range(height), range(width)):
        total, window = 0.0, layer.size
        if layer.over == "maps":
            per_tower = maps // layer.towers
            first = i // per_tower * per_tower
            for j in range(max(first, i - half), min(first + per_tower - 1, i + half) + 1):
                total += a[n, j, y, x] ** 2
        else:
            window = layer.size**2
            for v in range(max(0, y - half), min(height - 1, y + half) + 1):
                for u in range(max(0, x - half), min(width - 1, x + half) + 1):
                    total += a[n, i, v, u] ** 2
        alpha = layer.alpha / window if layer.divide_alpha else layer.alpha
        out[n, i, y, x] = a[n, i, y, x] / (layer.k + alpha * total) ** layer.beta
    return out


def agree(layer, x, rtol=1e-13):
    np.testing.assert_allclose(ResponseNorm(layer)(x).numpy(), by_loops(x.numpy(), layer), rtol=rtol, atol=0)


def maps(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("towers", [1, 2])
@pytest.mark.parametrize("divide_alpha", [False, True])
@pytest.mark.parametrize("over", ["maps", "map"])
def test_the_four_choices_are_independent_and_equal_loops(over, divide_alpha, towers, size):
    x = maps(2, 6, 4, 3)
    for k in (2.0, 1.0, 0.01):
        agree(Description("norm1", over, size, 0.3, 0.75, k, divide_alpha, towers), x)


@pytest.mark.parametrize("beta", [0.75, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("over", ["maps", "map"])
def test_any_power(over, beta):
    agree(replace(PLAIN, over=over, beta=beta), maps(1, 4, 3, 3))


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (2, 1, 3, 4), (2, 7, 1, 1), (1, 2, 5, 1), (1, 2, 1, 5), (3, 2, 2, 2), (0, 6, 4, 4)], ids=str
)
@pytest.mark.parametrize("over", ["maps", "map"])
def test_windows_larger_than_what_there_is(over, shape):
    x = maps(*shape).requires_grad_()
    y = ResponseNorm(replace(PLAIN, over=over))(x)
    y.sum().backward()
    assert x.grad.shape == y.shape == x.shape
    agree(replace(PLAIN, over=over), x.detach())


def test_it_is_torchs_own_once_alpha_is_multiplied_by_the_window():
    x = maps(2, 96, 5, 5) * 30
    printed = Description("norm1")
    for divide_alpha, alpha in ((False, 5 * 1e-4), (True, 1e-4)):
        expected = F.local_response_norm(x, 5, alpha, 0.75, 2.0)
        ours = ResponseNorm(replace(printed, divide_alpha=divide_alpha))(x)
        torch.testing.assert_close(ours, expected, rtol=1e-13, atol=0)


def test_gradients_equal_those_of_torchs_own():
    x = (maps(2, 16, 4, 5) * 30).requires_grad_()
    g = maps(2, 16, 4, 5)
    (expected,) = torch.autograd.grad(F.local_response_norm(x, 5, 5e-4, 0.75, 2.0), x, g)
    (ours,) = torch.autograd.grad(ResponseNorm(Description("norm1"))(x), x, g)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "layer",
    [
        PLAIN,
        replace(PLAIN, size=3, towers=2, divide_alpha=True),
        replace(PLAIN, size=1, beta=1.0),
        replace(PLAIN, over="map", size=3),
        replace(PLAIN, over="map", size=5, divide_alpha=True, k=0.5),
        replace(PLAIN, over="map", size=1, beta=0.5),
    ],
)
def test_gradients_equal_differences(layer):
    x = maps(1, 4, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(ResponseNorm(layer), (x,), eps=1e-6, atol=1e-7)


@pytest.mark.parametrize("layer", [PLAIN, replace(PLAIN, towers=2), replace(PLAIN, over="map", size=3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_low_precision_is_near_float64_of_the_same_values(layer, dtype):
    x = maps(2, 8, 6, 6, dtype=dtype).requires_grad_()
    y = ResponseNorm(layer)(x)
    assert y.dtype == dtype
    y.backward(torch.ones_like(y))
    wide = x.detach().double().requires_grad_()
    ResponseNorm(layer)(wide).sum().backward()
    # A few roundings of 2⁻⁸ in bfloat16: squares, their sum, the result.
    accuracy = 2e-6 if dtype == torch.float32 else 2e-2
    expected = by_loops(wide.detach().numpy(), layer)
    np.testing.assert_allclose(y.detach().double().numpy(), expected, rtol=accuracy, atol=accuracy * 0.1)
    torch.testing.assert_close(x.grad.double(), wide.grad, rtol=accuracy, atol=accuracy)


@pytest.mark.parametrize("over", ["maps", "map"])
def test_the_layout_of_the_input_changes_nothing(over):
    layer = replace(PLAIN, over=over)
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        x = maps(2, 6, 5, 4, dtype=torch.float32).contiguous(memory_format=layout)
        torch.manual_seed(0)
        x.copy_(maps(2, 6, 5, 4)).requires_grad_()
        y = ResponseNorm(layer)(x)
        y.backward(torch.linspace(-1, 1, y.numel()).view(y.shape))
        results.append((y, x.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    # A part of a larger tensor lies in neither layout.
    x = results[1][0].detach()
    torch.testing.assert_close(ResponseNorm(layer)(x[:, :, 1:, ::2]), ResponseNorm(layer)(x[:, :, 1:, ::2].clone()))


@pytest.mark.parametrize("piece", [1, 7, 100, 1 << 18])
@pytest.mark.parametrize("layer", [PLAIN, replace(PLAIN, over="map", size=3)])
def test_pieces_of_any_size_give_the_same(monkeypatch, layer, piece):
    x = maps(3, 6, 4, 5).requires_grad_()
    monkeypatch.setattr(response_norm, "PIECE", piece)
    y = ResponseNorm(layer)(x)
    np.testing.assert_allclose(y.detach().numpy(), by_loops(x.detach().numpy(), layer), rtol=1e-13)
    y.sum().backward()
    monkeypatch.undo()
    again = x.detach().clone().requires_grad_()
    ResponseNorm(layer)(again).sum().backward()
    torch.testing.assert_close(x.grad, again.grad, rtol=1e-12, atol=1e-14)


def test_its_input_is_left_as_it_was():
    x = maps(2, 6, 4, 4)
    before = x.clone()
    ResponseNorm(PLAIN)(x.requires_grad_()).sum().backward()
    assert torch.equal(x, before)


def test_it_prints_its_choices():
    assert "divide_alpha=False" in repr(ResponseNorm(PLAIN))
    assert "size=5" in repr(ResponseNorm(PLAIN))

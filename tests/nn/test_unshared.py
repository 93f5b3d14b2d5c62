"""Unshared layers against loops in NumPy float64, their gradients against differences, and against a convolution."""

import numpy as np
import pytest
import torch
from torch import nn

from alexnet.layers import Convolution
from alexnet.nn.unshared import Unshared

SHAPE = (4, 7, 7)
FORMS = [
    (stride, padding, towers)
    for towers in (1, 2)
    for stride, padding in ((1, (0, 0)), (1, (1, 1)), (2, (0, 1)), (2, (2, 0)))
]


def layer_with(stride, padding, towers):
    layer = Convolution("local1", 6, 3, stride, padding, towers, shared=False)
    module = Unshared(layer, SHAPE).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return layer, module


@pytest.mark.parametrize(("stride", "padding", "towers"), FORMS)
def test_it_equals_a_loop(stride, padding, towers):
    layer, module = layer_with(stride, padding, towers)
    x = torch.randn(2, *SHAPE).double()
    with torch.no_grad():
        ours = module(x).numpy()
    weight, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), padding, padding))
    channels, side, _ = layer.output(SHAPE)
    assert ours.shape == (2, channels, side, side)
    for o in range(channels):
        tower, place = divmod(o, channels // towers)
        maps = padded[:, tower * 4 // towers : (tower + 1) * 4 // towers]
        for i in range(side):
            for j in range(side):
                patch = maps[:, :, i * stride : i * stride + 3, j * stride : j * stride + 3]
                kernel = weight[i * side + j, tower, :, place].reshape(3, 3, -1)  # rows, columns, maps
                expected = np.einsum("nmhw,hwm->n", patch, kernel) + bias[o, i, j]
                np.testing.assert_allclose(ours[:, o, i, j], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("stride", "padding", "towers"), FORMS)
def test_gradients_equal_differences(stride, padding, towers):
    _, module = layer_with(stride, padding, towers)
    x = torch.randn(2, *SHAPE).double().requires_grad_()

    def of(x, weight, bias):
        return torch.func.functional_call(module, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(of, (x, module.weight, module.bias), fast_mode=True)


@pytest.mark.parametrize(("stride", "padding", "towers"), FORMS)
def test_what_is_exported_gives_the_same(stride, padding, towers, monkeypatch):
    _, module = layer_with(stride, padding, towers)
    x = torch.randn(2, *SHAPE).double()
    ours = module(x)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(module(x), ours, rtol=1e-12, atol=1e-12)


def test_with_equal_kernels_it_is_a_convolution():
    local = Unshared(Convolution("local1", 6, 3, 2, (1, 1), shared=False), SHAPE)
    kernel = nn.Conv2d(4, 6, 3, 2, 1)
    with torch.no_grad():
        local.weight.copy_(kernel.weight.permute(2, 3, 1, 0).flatten(0, 2).expand(16, 1, 36, 6))
        local.bias.copy_(kernel.bias[:, None, None].expand(6, 4, 4))
    x = torch.randn(2, *SHAPE)
    torch.testing.assert_close(local(x), kernel(x), rtol=1e-5, atol=1e-5)


def test_the_layout_of_input_and_gradient_changes_nothing():
    _, module = layer_with(1, (1, 1), 2)
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(1)
        x = torch.randn(2, *SHAPE).double().contiguous(memory_format=layout).requires_grad_()
        y = module(x)
        y.backward(torch.randn(y.shape).double().contiguous(memory_format=layout))
        results.append((y.detach(), x.grad))
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_in_bfloat16_what_many_kernels_send_back_is_summed_in_float32():
    local = Unshared(Convolution("local1", 64, 3, padding=(1, 1), shared=False), (8, 6, 6))
    for parameter in local.parameters():
        nn.init.normal_(parameter)
    exact = Unshared(local.layer, (8, 6, 6)).double()
    exact.load_state_dict(local.state_dict())
    x = torch.randn(4, 8, 6, 6).bfloat16()
    results = []
    for module, values in ((local, x.clone().requires_grad_()), (exact, x.double().requires_grad_())):
        with torch.autocast("cpu", torch.bfloat16, enabled=module is local):
            y = module(values)
        y.backward(torch.ones_like(y))
        results.append((y.detach().double(), values.grad.double()))
    assert local(x.float()).dtype == torch.float32
    for ours, expected in zip(*results, strict=True):
        assert (ours - expected).norm() <= 4e-3 * expected.norm()

"""What each layer does to the size of its input, and what it costs, against counting by hand."""

import math

import pytest
import torch
from torch import nn

from alexnet.errors import UsageError
from alexnet.layers import (
    LAYERS,
    Activation,
    AdaptivePool,
    Convolution,
    Dropout,
    FullyConnected,
    Pool,
    ResponseNorm,
)


def test_three_zeros_right_and_below_make_224_into_55():
    assert Convolution("conv1", 96, 11, 4, (0, 3)).output((3, 224, 224)) == (96, 55, 55)
    assert Convolution("conv1", 96, 11, 4).output((3, 224, 224)) == (96, 54, 54)
    assert Convolution("conv1", 96, 11, 4).output((3, 227, 227)) == (96, 55, 55)
    assert Convolution("conv1", 96, 11, 4, (2, 2)).output((3, 224, 224)) == (96, 55, 55)


def test_a_convolution_counts_kernels_of_its_own_tower_only():
    layer = Convolution("conv2", 256, 5, padding=(2, 2), towers=2)
    shape = (96, 27, 27)
    assert layer.fan_in(shape) == 48 * 25
    assert layer.parameters(shape) == 256 * 48 * 25 + 256 == 307_456
    assert layer.macs(shape) == 27 * 27 * 256 * 48 * 25
    whole = Convolution("conv2", 256, 5, padding=(2, 2))
    assert whole.parameters(shape) == 614_656
    assert whole.macs(shape) == 2 * layer.macs(shape)


def test_an_unshared_layer_has_a_kernel_and_a_bias_at_every_position():
    layer = Convolution("local3", 32, 3, stride=2, shared=False)
    assert layer.output((64, 7, 7)) == (32, 3, 3)
    assert layer.parameters((64, 7, 7)) == 9 * 32 * (64 * 9 + 1)
    assert layer.macs((64, 7, 7)) == 9 * 32 * 64 * 9


def test_a_fully_connected_layer_sees_every_value():
    layer = FullyConnected("fc6", 4096)
    assert layer.output((256, 6, 6)) == (4096,)
    assert layer.fan_in((256, 6, 6)) == 9216
    assert layer.parameters((256, 6, 6)) == 37_752_832
    assert layer.macs((256, 6, 6)) == 9216 * 4096
    assert layer.parameters((4096,)) == 16_781_312


def test_a_fully_connected_layer_may_see_its_own_tower_only():
    layer = FullyConnected("fc6", 8192, towers=2)
    assert layer.output((256, 6, 6)) == (8192,)
    assert layer.fan_in((256, 6, 6)) == 128 * 36
    assert layer.parameters((256, 6, 6)) == 8192 * (128 * 36 + 1)
    assert layer.macs((256, 6, 6)) == FullyConnected("fc6", 4096).macs((256, 6, 6))


def test_zeros_right_and_below_round_up_as_cuda_convnet_does():
    for stride in range(1, 6):
        for padding in range(3):
            rounding = Convolution("conv1", 1, 5, stride, (padding, padding + stride - 1))
            for side in range(5, 40):
                # layer.py of the 2012 source: 1 + ceil((2 · padding + side − kernel) / stride).
                positions = 1 + math.ceil((2 * padding + side - 5) / stride)
                assert rounding.output((1, side, side)) == (1, positions, positions)


def test_layers_without_weights_cost_nothing():
    shape = (6, 8, 8)
    for layer in (Activation("a"), ResponseNorm("n"), Pool("p"), AdaptivePool("q"), Dropout("d")):
        assert layer.parameters(shape) == layer.macs(shape) == layer.fan_in(shape) == 0
    assert Activation("a").output(shape) == ResponseNorm("n").output(shape) == Dropout("d").output(shape) == shape
    assert Dropout("d").output((5,)) == Activation("a").output((5,)) == (5,)
    assert AdaptivePool("q", 3).output(shape) == (6, 3, 3)


@pytest.mark.parametrize("round_up", [False, True])
@pytest.mark.parametrize("kind", ["max", "average"])
def test_pools_have_as_many_windows_as_torch_makes(kind, round_up):
    module = nn.MaxPool2d if kind == "max" else nn.AvgPool2d
    for side in range(1, 12):
        for kernel in range(1, side + 1):
            for stride in range(1, 5):
                pool = Pool("pool1", kind, kernel, stride, round_up)
                output = module(kernel, stride, ceil_mode=round_up)(torch.empty(1, 2, side, side, device="meta"))
                assert pool.output((2, side, side)) == tuple(output.shape[1:]), pool


def test_the_papers_pools_divide_exactly_and_those_for_cifar_round_up():
    assert [Pool("p").output((1, side, side))[1] for side in (55, 27, 13)] == [27, 13, 6]
    assert [Pool("p", round_up=True).output((1, side, side))[1] for side in (55, 27, 13)] == [27, 13, 6]
    assert [Pool("p", round_up=True).output((1, side, side))[1] for side in (32, 16, 8)] == [16, 8, 4]
    assert [Pool("p").output((1, side, side))[1] for side in (32, 16, 8)] == [15, 7, 3]


def test_alpha_is_divided_by_the_values_in_the_window():
    assert ResponseNorm("norm1").effective_alpha == 1e-4
    assert ResponseNorm("norm1", divide_alpha=True).effective_alpha == pytest.approx(2e-5, rel=1e-15)
    assert ResponseNorm("norm1", "map", 3, alpha=5e-5).effective_alpha == 5e-5
    assert ResponseNorm("norm1", "map", 3, alpha=5e-5, divide_alpha=True).effective_alpha == pytest.approx(5e-5 / 9)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            Convolution("conv2", 256, 5, towers=2),
            (3, 9, 9),
            "conv2: 2 towers do not divide its 3 input maps: choose other",
        ),
        (Convolution("conv2", 9, 5, towers=2), (4, 9, 9), "conv2: 2 towers do not divide its 9 output maps: choose"),
        (FullyConnected("fc6", 9, 2), (4, 3, 3), "fc6: 2 towers do not divide its 9 units: choose other towers"),
        (FullyConnected("fc6", 8, 2), (5, 2, 2), "fc6: 2 towers do not divide its 5 inputs: choose other"),
        (FullyConnected("fc7", 8, 2), (5,), "fc7: 2 towers do not divide its 5 inputs"),
        (Convolution("conv1", 96, 11), (3, 10, 10), "conv1 is 11 wide, but its padded input is only 10: enlarge"),
        (Convolution("conv1", 96, 11, 1, (0, 3)), (3, 7, 7), "padded input is only 10"),
        (Convolution("conv1", 96, 3), (5,), "conv1 works on maps, but gets 5 units: put it before"),
        (Pool("pool5"), (256, 2, 2), "pool5 is 3 wide, but its padded input is only 2: enlarge the input"),
        (Pool("pool5", round_up=True), (256, 2, 2), "pool5 is 3 wide"),
        (Pool("pool5"), (5,), "pool5 works on maps"),
        (AdaptivePool("adaptive5"), (5,), "adaptive5 works on maps"),
        (ResponseNorm("norm1"), (5,), "norm1 works on maps"),
        (ResponseNorm("norm1", size=4), (8, 3, 3), "norm1: a window of 4 has no middle: choose an odd size"),
        (ResponseNorm("norm1", size=-1), (8, 3, 3), "norm1: a window of -1 has no middle"),
        (
            ResponseNorm("norm1", towers=3),
            (8, 3, 3),
            "norm1: 3 towers do not divide its 8 maps: choose other towers, or a multiple of 3",
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_refused_by_name(layer, shape, message):
    with pytest.raises(UsageError) as caught:
        layer.output(shape)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_kernel_as_wide_as_its_input_fits():
    assert Convolution("conv1", 96, 11).output((3, 11, 11)) == (96, 1, 1)
    assert Pool("pool1").output((3, 3, 3)) == (3, 1, 1)


def test_every_layer_is_known_by_its_name():
    assert set(LAYERS) == {
        "Convolution",
        "FullyConnected",
        "Activation",
        "ResponseNorm",
        "Pool",
        "AdaptivePool",
        "Dropout",
    }
    assert all(math.prod(kind("x", **needed).output((4, 6, 6))) > 0 for kind, needed in with_what_they_need())


def with_what_they_need():
    needed = {"Convolution": {"channels": 2, "kernel": 3}, "FullyConnected": {"units": 2}}
    return [(kind, needed.get(name, {})) for name, kind in LAYERS.items()]

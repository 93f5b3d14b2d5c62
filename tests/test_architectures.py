"""The named networks have the numbers of the paper and the write-ups; what describes no network is refused."""

import json
import math
from dataclasses import FrozenInstanceError, replace

import pytest

from alexnet import paper
from alexnet.architectures import (
    ARCHITECTURES,
    CIFAR_18PCT,
    FIRST_LAYER,
    PAPER,
    PRINTED_START,
    SINGLE,
    Architecture,
    Start,
    memory,
    named,
)
from alexnet.errors import DataError, UsageError
from alexnet.layers import Activation, Convolution, Dropout, FullyConnected, Pool, ResponseNorm
from alexnet.variations import vary

# Write-up 001's table: 227 × 227 inputs, ten classes.
WRITE_UP_001 = [
    ("conv1", (96, 55, 55), 34_944),
    ("relu1", (96, 55, 55), 0),
    ("norm1", (96, 55, 55), 0),
    ("pool1", (96, 27, 27), 0),
    ("conv2", (256, 27, 27), 614_656),
    ("relu2", (256, 27, 27), 0),
    ("norm2", (256, 27, 27), 0),
    ("pool2", (256, 13, 13), 0),
    ("conv3", (384, 13, 13), 885_120),
    ("relu3", (384, 13, 13), 0),
    ("conv4", (384, 13, 13), 1_327_488),
    ("relu4", (384, 13, 13), 0),
    ("conv5", (256, 13, 13), 884_992),
    ("relu5", (256, 13, 13), 0),
    ("pool5", (256, 6, 6), 0),
    ("adaptive5", (256, 6, 6), 0),
    ("fc6", (4096,), 37_752_832),
    ("relu6", (4096,), 0),
    ("dropout6", (4096,), 0),
    ("fc7", (4096,), 16_781_312),
    ("relu7", (4096,), 0),
    ("dropout7", (4096,), 0),
    ("fc8", (10,), 40_970),
]


def weighted(architecture):
    return [row for row in architecture.rows() if isinstance(row.layer, Convolution | FullyConnected)]


def of(architecture, kind):
    return [layer for layer in architecture.layers if isinstance(layer, kind)]


def test_the_paper_has_its_parameters_and_operations():
    assert PAPER.parameters == paper.PARAMETERS == 60_965_224
    assert PAPER.macs == 724_406_816
    assert [row.parameters for row in weighted(PAPER)] == [
        34_944,
        307_456,
        885_120,
        663_936,
        442_624,
        37_752_832,
        16_781_312,
        4_097_000,
    ]


def test_the_paper_has_its_maps_and_neurons():
    sides = [row.output[1] for row in PAPER.rows() if isinstance(row.layer, Convolution | Pool)]
    assert sides == [55, 27, 27, 13, 13, 13, 13, 6]
    assert tuple(math.prod(row.output) for row in weighted(PAPER)) == paper.NEURONS


def test_the_paper_has_its_constants():
    convolutions = of(PAPER, Convolution)
    assert tuple(layer.channels for layer in convolutions) == paper.KERNELS
    assert tuple(layer.kernel for layer in convolutions) == paper.KERNEL_SIDES
    assert [layer.stride for layer in convolutions] == [paper.FIRST_STRIDE, 1, 1, 1, 1]
    # conv2, conv4 and conv5 see the maps on their own GPU only (§3.2).
    assert [layer.towers for layer in convolutions] == [1, 2, 1, 2, 2]
    assert PAPER.towers == paper.TOWERS
    for norm in of(PAPER, ResponseNorm):
        assert (norm.k, norm.size, norm.alpha, norm.beta) == (2.0, 5, 1e-4, 0.75)
        assert (norm.over, norm.divide_alpha, norm.towers) == ("maps", False, 1)
    assert {(layer.kind, layer.kernel, layer.stride) for layer in of(PAPER, Pool)} == {("max", 3, 2)}
    assert {(layer.kind, layer.probability) for layer in of(PAPER, Dropout)} == {("mask", paper.DROPOUT)}
    assert {layer.kind for layer in of(PAPER, Activation)} == {"relu"}
    assert (PAPER.input_side, PAPER.input, PAPER.classes) == (paper.CROP_SIDE, "raw", paper.CLASSES)


def test_norms_pools_and_dropouts_stand_where_the_paper_puts_them():
    names = [layer.name for layer in PAPER.layers]
    assert names[:8] == ["conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2"]
    assert names[8:15] == ["conv3", "relu3", "conv4", "relu4", "conv5", "relu5", "pool5"]
    assert names[15:] == ["fc6", "relu6", "dropout6", "fc7", "relu7", "dropout7", "fc8"]


def test_the_paper_starts_as_printed():
    assert PAPER.start == PRINTED_START
    assert {(row.weights, row.deviation) for row in PAPER.start} == {("normal", paper.START_DEVIATION)}
    assert [row.layer for row in PAPER.start if row.bias == 1] == ["conv2", "conv4", "conv5", "fc6", "fc7"]
    assert [row.layer for row in PAPER.start if row.bias == 0] == ["conv1", "conv3", "fc8"]


def test_single_is_the_table_of_write_up_001():
    single = SINGLE.with_classes(10)
    assert [(row.layer.name, row.output, row.parameters) for row in single.rows()] == WRITE_UP_001
    assert len(single.layers) == 23
    assert single.parameters == 58_322_314
    assert SINGLE.parameters == 62_378_344
    assert (single.input_side, single.towers) == (227, 1)


def test_single_needs_the_memory_of_write_up_001():
    rounded = {name: round(megabytes, 2) for name, megabytes in memory(SINGLE.with_classes(10)).items()}
    assert rounded == {"input": 0.59, "forward_backward": 14.75, "parameters": 222.48, "total": 237.82}


def test_cifar_18pct_has_the_sizes_of_the_2012_layer_file():
    outputs = {row.layer.name: row.output for row in CIFAR_18PCT.rows()}
    assert [outputs[name] for name in ("conv1", "pool1", "conv2", "pool2", "conv3", "pool3", "fc10")] == [
        (32, 32, 32),
        (32, 16, 16),
        (32, 16, 16),
        (32, 8, 8),
        (64, 8, 8),
        (64, 4, 4),
        (10,),
    ]
    assert [row.parameters for row in weighted(CIFAR_18PCT)] == [2_432, 25_632, 51_264, 10_250]
    assert [pool.kind for pool in of(CIFAR_18PCT, Pool)] == ["max", "average", "average"]
    for norm in of(CIFAR_18PCT, ResponseNorm):
        assert norm.effective_alpha == pytest.approx(5e-5 / 9)
        assert (norm.over, norm.size, norm.beta, norm.k) == ("map", 3, 0.75, 1.0)
    assert [row.deviation for row in CIFAR_18PCT.start] == [1e-4, 0.01, 0.01, 0.01]


def test_rows_join_each_output_to_the_next_input():
    for architecture in ARCHITECTURES.values():
        rows = architecture.rows()
        side = architecture.input_side
        assert [row.input for row in rows] == [(3, side, side), *(row.output for row in rows[:-1])]


def test_another_number_of_classes_changes_the_last_layer_only():
    ten = PAPER.with_classes(10)
    assert (ten.classes, ten.layers[:-1], ten.start) == (10, PAPER.layers[:-1], PAPER.start)
    assert ten.layers[-1] == FullyConnected("fc8", 10)
    with pytest.raises(UsageError, match="at least 1 class, not 0"):
        PAPER.with_classes(0)


def test_he_start_changes_weights_biases_and_input_together():
    he = PAPER.with_he_start()
    assert {(row.weights, row.bias) for row in he.start} == {("he", 0.0)}
    assert [row.gain for row in he.start] == [FIRST_LAYER, 1, 1, 1, 1, 1, 1, 1]
    assert (he.input, he.layers) == ("deviation", PAPER.layers)
    assert [row.layer for row in he.start] == [row.layer for row in PAPER.start]


@pytest.mark.parametrize(
    "architecture",
    [
        *ARCHITECTURES.values(),
        PAPER.with_he_start(),
        vary(PAPER, "towers=4", "response_norm_within=tower", "dropout=0.3", "activation=tanh"),
        replace(
            CIFAR_18PCT,
            layers=(
                *CIFAR_18PCT.layers[:-1],
                Convolution("local4", 8, 3, padding=(1, 0), shared=False),
                CIFAR_18PCT.layers[-1],
            ),
            start=(*CIFAR_18PCT.start[:-1], Start("local4", "uniform"), CIFAR_18PCT.start[-1]),
        ),
    ],
    ids=lambda architecture: architecture.name,
)
def test_a_description_goes_through_json_unchanged(architecture):
    text = json.dumps(architecture.to_json(), allow_nan=False)
    assert Architecture.from_json(json.loads(text)) == architecture


def test_descriptions_are_frozen_and_comparable():
    with pytest.raises(FrozenInstanceError):
        PAPER.input_side = 227
    assert len({PAPER, SINGLE, replace(PAPER)}) == 2


def test_a_network_is_found_by_its_name():
    assert ARCHITECTURES == {"paper": PAPER, "single": SINGLE, "cifar-18pct": CIFAR_18PCT}
    assert named("paper") is PAPER
    with pytest.raises(UsageError, match=r"unknown architecture singel: did you mean single\?"):
        named("singel")
    with pytest.raises(UsageError, match="choose from: paper, single"):
        named("resnet")


FC = FullyConnected("fc8", 4)
RAW = {"start": (Start("fc8"),), "input_side": 8}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (
            {**RAW, "layers": (Activation("relu1"), Activation("relu1"), FC)},
            "tiny: two layers are named relu1: give each its own name",
        ),
        ({**RAW, "layers": ()}, "tiny: the last layer must be fully connected, with a unit a class"),
        ({**RAW, "layers": (FC, Activation("relu8"))}, "the last layer must be fully connected"),
        ({**RAW, "layers": (FC,), "start": ()}, r"tiny: starting weights are given for [], needed for ['fc8']"),
        (
            {**RAW, "layers": (Convolution("conv1", 2, 3), FC)},
            "starting weights are given for ['fc8'], needed for ['conv1', 'fc8'], in this order",
        ),
        (
            {**RAW, "layers": (Convolution("conv1", 2, 3), FC), "start": (Start("fc8"), Start("conv1"))},
            "needed for ['conv1', 'fc8'], in this order",
        ),
        ({**RAW, "layers": (FC,), "start": (Start("fc8"), Start("fc9"))}, "are given for ['fc8', 'fc9']"),
        ({**RAW, "layers": (Convolution("conv1", 2, 9), FC)}, "conv1 is 9 wide, but its padded input is only 8"),
        ({**RAW, "layers": (FC, Pool("pool1"), FullyConnected("fc9", 2))}, "pool1 works on maps, but gets 4 units"),
        (
            {**RAW, "layers": (Convolution("conv1", 4, 3, towers=2), FC)},
            "conv1: 2 towers do not divide its 3 input maps",
        ),
        ({**RAW, "layers": (ResponseNorm("norm1", towers=2), FC)}, "norm1: 2 towers do not divide its 3 maps"),
    ],
)
def test_a_description_that_makes_no_network_is_refused(description, message):
    with pytest.raises(UsageError) as caught:
        Architecture("tiny", **description)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("architecture", [PAPER, SINGLE, CIFAR_18PCT], ids=lambda architecture: architecture.name)
@pytest.mark.parametrize("convention", ["deviation", "imagenet"])
def test_a_gaussian_for_raw_pixels_is_refused_on_normalised_input(architecture, convention):
    with pytest.raises(UsageError, match=r"conv1 needs raw pixels.*use input=raw, or --start he") as caught:
        replace(architecture, input=convention)
    assert f"N(0, {architecture.start[0].deviation:g})" in str(caught.value)
    assert caught.value.exit_code == 2


def test_starts_that_fit_normalised_input_are_let_through():
    he, uniform = (tuple(Start(row.layer, kind) for row in PAPER.start) for kind in ("he", "uniform"))
    # √(2 / 363) = 0.074 is He's deviation for conv1: near it a Gaussian is as good.
    wide = (replace(PAPER.start[0], deviation=0.05), *PAPER.start[1:])
    for start in (he, uniform, wide):
        assert replace(PAPER, start=start, input="deviation").input == "deviation"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("layers"),
        lambda data: data["layers"][0].pop("layer"),
        lambda data: data["layers"][0].update(layer="Deconvolution"),
        lambda data: data["layers"][0].update(kernels=3),
        lambda data: data["layers"][0].update(stride=0),
        lambda data: data["layers"][1].update(name="conv1"),
        lambda data: data["start"].pop(),
        lambda data: data["start"][0].update(variance=1),
        lambda data: data.update(layers=[3]),
        lambda data: data.update(start=None),
        lambda data: data.update(input="deviation"),
    ],
)
def test_json_that_describes_no_network_is_a_data_error(change):
    data = json.loads(json.dumps(PAPER.to_json()))
    change(data)
    with pytest.raises(DataError, match=r"this is no description of a network \(.*architecture\.json") as caught:
        Architecture.from_json(data)
    assert caught.value.exit_code == 3

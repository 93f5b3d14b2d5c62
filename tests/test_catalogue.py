"""The named networks have the numbers of the paper, the 2012 layer files, Caffe, torchvision and the write-ups."""

import math
from dataclasses import replace

import pytest

from alexnet import paper
from alexnet.catalogue import (
    ARCHITECTURES,
    AUTHORS_2012,
    CAFFE,
    CAFFENET,
    CIFAR_11PCT,
    CIFAR_13PCT,
    CIFAR_18PCT,
    CIFAR_ALEXNET,
    CONV6,
    HALF,
    PAPER,
    PRINTED_START,
    SINGLE,
    TORCHVISION,
    TORCHVISION_NAMES,
    named,
)
from alexnet.errors import UsageError
from alexnet.layers import Activation, AdaptivePool, Convolution, Dropout, FullyConnected, Pool, ResponseNorm

PARAMETERS = {
    "paper": 60_965_224,
    "authors-2012": 60_965_224,
    "single": 62_378_344,
    "half": 59_798_312,
    "conv6": 61_555_304,
    "caffe": 60_965_224,
    "caffenet": 60_965_224,
    "torchvision": 61_100_840,
    # 7,296 + 614,656 + 885,120 + 1,327,488 + 884,992 + 4,198,400 + 16,781,312 + 40,970
    "cifar-alexnet": 24_740_234,
    # 2,432 + 25,632 + 51,264 + 10,250
    "cifar-18pct": 89_578,
    # 4,864 + 102,464 + 36·32·(64·9 + 1) + 36·32·(32·9 + 1) + 11,530
    "cifar-13pct": 1_116_490,
    # 4,864 + 102,464 + 36·64·(64·9 + 1) + 36·32·(64·9 + 1) + 11,530
    "cifar-11pct": 2_112_970,
}

EIGHT_LAYERS = "conv1 55, pool1 27, conv2 27, pool2 13, conv3 13, conv4 13, conv5 13, pool5 6"
SIDES = {
    "paper": EIGHT_LAYERS,
    "authors-2012": EIGHT_LAYERS,
    "single": f"{EIGHT_LAYERS}, adaptive5 6",
    "half": EIGHT_LAYERS,
    "conv6": f"{EIGHT_LAYERS}, conv6 6",
    "caffe": EIGHT_LAYERS,
    "caffenet": EIGHT_LAYERS,
    "torchvision": f"{EIGHT_LAYERS}, adaptive5 6",
    "cifar-alexnet": "conv1 28, pool1 13, conv2 13, pool2 6, conv3 6, conv4 6, conv5 6, pool5 2, adaptive5 2",
    "cifar-18pct": "conv1 32, pool1 16, conv2 16, pool2 8, conv3 8, pool3 4",
    "cifar-13pct": "conv1 24, pool1 12, conv2 12, pool2 6, local3 6, local4 6",
    "cifar-11pct": "conv1 24, pool1 12, conv2 12, pool2 6, local3 6, local4 6",
}

# Each layer's kernels or units, standard deviation and bias at the start; `uniform` is PyTorch's own start.
PRINTED = "conv1 96 .01 0, conv2 256 .01 1, conv3 384 .01 0, conv4 384 .01 1, conv5 256 .01 1"
HIDDEN = "fc6 4096 .01 1, fc7 4096 .01 1, fc8 1000 .01 0"
STARTS = {
    "paper": f"{PRINTED}, {HIDDEN}",
    "authors-2012": f"conv1 96 .01 0, conv2 256 .01 1, conv3 384 .03 0, conv4 384 .03 1, conv5 256 .03 1, {HIDDEN}",
    "single": f"{PRINTED}, {HIDDEN}",
    "half": f"conv1 48 .01 0, conv2 128 .01 1, conv3 192 .01 0, conv4 192 .01 1, conv5 256 .01 1, {HIDDEN}",
    "conv6": f"{PRINTED}, conv6 256 .01 1, fc7 4096 .01 1, fc8 4096 .01 1, fc9 1000 .01 0",
    "caffe": "conv1 96 .01 0, conv2 256 .01 .1, conv3 384 .01 0, conv4 384 .01 .1, conv5 256 .01 .1, "
    "fc6 4096 .005 .1, fc7 4096 .005 .1, fc8 1000 .01 0",
    "caffenet": f"{PRINTED}, fc6 4096 .005 1, fc7 4096 .005 1, fc8 1000 .01 0",
    "torchvision": "conv1 64 uniform, conv2 192 uniform, conv3 384 uniform, conv4 256 uniform, conv5 256 uniform, "
    "fc6 4096 uniform, fc7 4096 uniform, fc8 1000 uniform",
    "cifar-alexnet": f"{PRINTED}, fc6 4096 .01 1, fc7 4096 .01 1, fc8 10 .01 0",
    "cifar-18pct": "conv1 32 .0001 0, conv2 32 .01 0, conv3 64 .01 0, fc10 10 .01 0",
    "cifar-13pct": "conv1 64 .0001 0, conv2 64 .01 0, local3 32 .04 0, local4 32 .04 0, fc10 10 .01 0",
    "cifar-11pct": "conv1 64 .0001 0, conv2 64 .01 0, local3 64 .04 0, local4 32 .04 0, fc10 10 .01 0",
}

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


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request):
    return request.param


def names(architecture):
    return " ".join(layer.name for layer in architecture.layers)


def test_every_network_has_its_parameters(architecture):
    assert architecture.parameters == PARAMETERS[architecture.name]


def test_every_network_has_its_maps(architecture):
    sides = [
        f"{row.layer.name} {row.output[1]}"
        for row in architecture.rows()
        if isinstance(row.layer, Convolution | Pool | AdaptivePool)
    ]
    assert ", ".join(sides) == SIDES[architecture.name]


def test_every_network_has_its_kernels_and_starts(architecture):
    expected = [entry.split() for entry in STARTS[architecture.name].split(", ")]
    rows = zip(weighted(architecture), architecture.start, expected, strict=True)
    for row, start, (name, width, *values) in rows:
        assert row.layer.name == start.layer == name
        assert row.output[0] == int(width)
        if values == ["uniform"]:
            assert start.weights == "uniform"
        else:
            assert (start.weights, start.deviation, start.bias) == ("normal", *map(float, values))


def test_every_network_takes_the_input_that_its_start_is_made_for(architecture):
    inputs = {"torchvision": "imagenet", "authors-2012": "raw-2012"}
    assert architecture.input == inputs.get(architecture.name, "raw")
    assert not architecture.dead_start_allowed
    sides = {"single": 227, "caffe": 227, "caffenet": 227, "cifar-13pct": 24, "cifar-11pct": 24}
    sides |= {"cifar-alexnet": 28, "cifar-18pct": 32}
    assert architecture.input_side == sides.get(architecture.name, 224)


def test_a_network_is_found_by_its_name():
    assert list(ARCHITECTURES) == list(PARAMETERS)
    assert named("paper") is PAPER
    assert all(named(name).name == name for name in ARCHITECTURES)
    with pytest.raises(UsageError, match=r"unknown architecture singel: did you mean single\?"):
        named("singel")
    with pytest.raises(UsageError, match="choose from: paper, authors-2012, single"):
        named("resnet")


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


def test_cifar_alexnet_is_single_but_for_its_view_of_small_pictures():
    assert names(CIFAR_ALEXNET) == names(SINGLE)
    changed = [(one, other) for one, other in zip(CIFAR_ALEXNET.layers, SINGLE.layers, strict=True) if one != other]
    assert [one.name for one, _ in changed] == ["conv1", "adaptive5", "fc8"]
    assert changed[0] == (Convolution("conv1", 96, 5, padding=(2, 2)), Convolution("conv1", 96, 11, 4))
    # The pool does nothing where the picture is as large as it is meant to be.
    rows = {row.layer.name: row for row in CIFAR_ALEXNET.rows()}
    assert rows["adaptive5"].input == rows["adaptive5"].output


def test_half_and_conv6_differ_from_the_paper_in_their_kernels_only():
    for one in (HALF, CONV6):
        assert set(of(one, ResponseNorm)) == set(of(PAPER, ResponseNorm))
        assert [layer.kind for layer in of(one, Dropout)] == ["mask", "mask"]
    assert names(HALF) == names(PAPER)
    assert {layer.towers for layer in of(HALF, Convolution)} == {1}
    # conv6 sees the maps of both towers; what follows is numbered on.
    assert CONV6.layers[:15] == PAPER.layers[:15]
    assert names(CONV6).endswith("pool5 conv6 relu6 fc7 relu7 dropout7 fc8 relu8 dropout8 fc9")
    assert of(CONV6, Convolution)[-1] == Convolution("conv6", 256, 3, padding=(1, 1))


def test_authors_2012_stands_in_the_order_of_its_layer_file():
    assert names(AUTHORS_2012) == (
        "conv1 norm1 pool1 relu1 conv2 relu2 norm2 cnorm2 pool2 conv3 relu3 conv4 relu4 conv5 pool5 relu5 "
        "fc6 relu6 dropout6 fc7 relu7 dropout7 fc8"
    )
    assert of(AUTHORS_2012, Convolution) == of(PAPER, Convolution)
    assert of(AUTHORS_2012, FullyConnected) == of(PAPER, FullyConnected)
    assert of(AUTHORS_2012, Dropout) == of(PAPER, Dropout)
    assert {(pool.kind, pool.kernel, pool.stride, pool.round_up) for pool in of(AUTHORS_2012, Pool)} == {
        ("max", 3, 2, True)
    }


def test_authors_2012_normalises_as_its_layer_params_say():
    *cross_map, same_map = of(AUTHORS_2012, ResponseNorm)
    assert (len(cross_map), same_map.name) == (2, "cnorm2")
    for norm in cross_map:
        # scale=0.0001 over size=5, pow=0.75, minDiv=2; a layer of the file is one tower.
        assert (norm.over, norm.size, norm.beta, norm.k, norm.towers) == ("maps", 5, 0.75, 2.0, 2)
        assert norm.effective_alpha == pytest.approx(1e-4 / 5, rel=1e-15)
    # scale=0.001 over size² = 25, pow=0.75; without minDiv, which is 1.
    assert (same_map.over, same_map.size, same_map.beta, same_map.k) == ("map", 5, 0.75, 1.0)
    assert same_map.effective_alpha == pytest.approx(1e-3 / 25, rel=1e-15)


def test_authors_2012_rounds_up_as_cuda_convnet_does():
    conv1 = of(AUTHORS_2012, Convolution)[0]
    for side in range(11, 300):
        assert conv1.output((3, side, side))[1] == 1 + math.ceil((side - 11) / 4)
    for side in range(3, 60):
        assert {pool.output((1, side, side))[1] for pool in of(AUTHORS_2012, Pool)} == {1 + math.ceil((side - 3) / 2)}


def test_caffe_has_the_order_and_constants_of_its_prototxt():
    assert names(CAFFE) == names(PAPER)
    for ours, printed in zip(of(CAFFE, ResponseNorm), of(PAPER, ResponseNorm), strict=True):
        assert ours == replace(printed, k=1.0, divide_alpha=True)
        assert ours.effective_alpha == pytest.approx(2e-5, rel=1e-15)
    assert [layer.towers for layer in of(CAFFE, Convolution)] == [1, 2, 1, 2, 2]
    assert {layer.padding for layer in of(CAFFE, Convolution)} == {(0, 0), (1, 1), (2, 2)}
    assert {pool.round_up for pool in of(CAFFE, Pool)} == {True}
    assert {layer.kind for layer in of(CAFFE, Dropout)} == {"inverted"}
    assert CAFFE.macs == 724_406_816


def test_caffenet_is_caffe_with_its_norms_behind_its_pools():
    assert names(CAFFENET) == (
        "conv1 relu1 pool1 norm1 conv2 relu2 pool2 norm2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 "
        "fc6 relu6 dropout6 fc7 relu7 dropout7 fc8"
    )
    assert set(CAFFENET.layers) == set(CAFFE.layers)
    assert [row.output for row in weighted(CAFFENET)] == [row.output for row in weighted(CAFFE)]
    assert CAFFENET.macs == 724_406_816


def test_torchvision_has_no_response_norm_and_drops_before_fc6_and_fc7():
    assert names(TORCHVISION) == (
        "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 adaptive5 "
        "dropout5 fc6 relu6 dropout6 fc7 relu7 fc8"
    )
    assert {(layer.kind, layer.probability) for layer in of(TORCHVISION, Dropout)} == {("inverted", 0.5)}
    assert of(TORCHVISION, Convolution)[0].padding == (2, 2)
    assert TORCHVISION.towers == 1
    assert list(TORCHVISION_NAMES) == [row.layer for row in TORCHVISION.start]
    # torchvision states 0.714 GMAC.
    assert TORCHVISION.macs == 714_188_480


def test_cifar_18pct_normalises_within_maps_and_averages():
    assert [pool.kind for pool in of(CIFAR_18PCT, Pool)] == ["max", "average", "average"]
    for norm in of(CIFAR_18PCT, ResponseNorm):
        assert norm.effective_alpha == pytest.approx(5e-5 / 9)
        assert (norm.over, norm.size, norm.beta, norm.k) == ("map", 3, 0.75, 1.0)


def test_the_two_local_networks_differ_in_norms_and_in_local3():
    assert names(CIFAR_13PCT) == ("conv1 relu1 pool1 conv2 relu2 pool2 local3 relu3 local4 relu4 fc10")
    assert names(CIFAR_11PCT) == ("conv1 relu1 pool1 norm1 conv2 relu2 norm2 pool2 local3 relu3 local4 relu4 fc10")
    for norm in of(CIFAR_11PCT, ResponseNorm):
        assert (norm.over, norm.size, norm.beta, norm.k) == ("maps", 9, 0.75, 1.0)
        assert norm.effective_alpha == pytest.approx(1e-3 / 9, rel=1e-15)
    for one in (CIFAR_13PCT, CIFAR_11PCT):
        assert [layer.shared for layer in of(one, Convolution)] == [True, True, False, False]
        assert {(pool.kind, pool.round_up) for pool in of(one, Pool)} == {("max", True)}

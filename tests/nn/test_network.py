"""The whole network, layer by layer, against NumPy float64; its starting weights against their table."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from alexnet import layers
from alexnet.architectures import Start
from alexnet.catalogue import (
    ARCHITECTURES,
    AUTHORS_2012,
    CAFFE,
    CAFFENET,
    CIFAR_11PCT,
    CIFAR_13PCT,
    CIFAR_18PCT,
    CONV6,
    HALF,
    PAPER,
    SINGLE,
    TORCHVISION,
    TORCHVISION_NAMES,
)
from alexnet.errors import DataError
from alexnet.nn.network import FullyConnected, MaskDropout, Network, arithmetic, initialise, load_weights
from alexnet.variations import vary


def convolve(x, weight, bias, stride=1, before=0, after=0, towers=1):
    """A convolution, position by position; maps and kernels are divided into towers in order."""
    x = np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))
    kernel = weight.shape[2]
    side = (x.shape[2] - kernel) // stride + 1
    out = np.empty((len(x), len(weight), side, side))
    seen, made = x.shape[1] // towers, len(weight) // towers
    for tower in range(towers):
        maps = x[:, tower * seen : (tower + 1) * seen]
        kernels = slice(tower * made, (tower + 1) * made)
        for i in range(side):
            for j in range(side):
                top, left = i * stride, j * stride
                patch = maps[:, :, top : top + kernel, left : left + kernel]
                out[:, kernels, i, j] = np.tensordot(patch, weight[kernels], ([1, 2, 3], [1, 2, 3])) + bias[kernels]
    return out


def convolve_2012(x, weight, bias, stride=1, padding=0, towers=1):
    """As many positions as cuda-convnet has, 1 + ceil((2 · padding + side − kernel) / stride); outside are zeros."""
    side, kernel = x.shape[2], weight.shape[2]
    positions = 1 + math.ceil((2 * padding + side - kernel) / stride)
    after = (positions - 1) * stride + kernel - side - padding
    return convolve(x, weight, bias, stride, padding, after, towers)


def convolve_unshared(x, weight, bias):
    """A 3 × 3 kernel for every position, with one zero around; `weight` is (positions, 1, places · maps, channels)."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.empty((len(x), *bias.shape))
    for i in range(bias.shape[1]):
        for j in range(bias.shape[2]):
            patch = padded[:, :, i : i + 3, j : j + 3].transpose(0, 2, 3, 1).reshape(len(x), -1)
            out[:, :, i, j] = patch @ weight[i * bias.shape[2] + j, 0] + bias[:, i, j]
    return out


def pool(x, reduce=np.max, kernel=3, stride=2, round_up=False):
    """Pooling, window by window; one that hangs over the edge takes what is there."""
    free = x.shape[2] - kernel
    side = (math.ceil(free / stride) if round_up else free // stride) + 1
    out = np.empty((*x.shape[:2], side, side))
    for i in range(side):
        for j in range(side):
            top, left = i * stride, j * stride
            out[:, :, i, j] = reduce(x[:, :, top : top + kernel, left : left + kernel], (2, 3))
    return out


def norm_over_maps(x, k=2.0, n=5, alpha=1e-4, beta=0.75):
    """The formula of §3.3."""
    count = x.shape[1]
    sums = [(x[:, max(0, i - n // 2) : min(count - 1, i + n // 2) + 1] ** 2).sum(1) for i in range(count)]
    return x / (k + alpha * np.stack(sums, 1)) ** beta


def norm_over_maps_2012(x, scale, size, min_div=1.0, towers=1, power=0.75):
    """The cmrnorm layer of the 2012 source, one a tower; its scale is divided by the size."""
    parts = np.split(x, towers, axis=1)
    return np.concatenate([norm_over_maps(part, min_div, size, scale / size, power) for part in parts], axis=1)


def norm_within_map(x, scale=5e-5, size=3, power=0.75):
    """The rnorm layer of the 2012 source: a square window in one map, the scale over its area, and 1."""
    half = size // 2
    padded = np.pad(x**2, ((0, 0), (0, 0), (half, half), (half, half)))
    rows, columns = x.shape[2:]
    sums = sum(padded[:, :, i : i + rows, j : j + columns] for i in range(size) for j in range(size))
    return x / (1 + scale / size**2 * sums) ** power


def relu(x):
    return np.maximum(x, 0)


def multiply(x, weight, bias):
    return x.reshape(len(x), -1) @ weight.T + bias


def paper_by_numpy(x, p):
    """§3.5, as printed, at test time; `p` gives weight and bias of a layer."""
    out = {}
    out["conv1"] = convolve(x, *p("conv1"), stride=4, after=3)
    out["norm1"] = norm_over_maps(relu(out["conv1"]))
    out["pool1"] = pool(out["norm1"])
    out["conv2"] = convolve(out["pool1"], *p("conv2"), before=2, after=2, towers=2)
    out["norm2"] = norm_over_maps(relu(out["conv2"]))
    out["pool2"] = pool(out["norm2"])
    out["conv3"] = convolve(out["pool2"], *p("conv3"), before=1, after=1)
    out["conv4"] = convolve(relu(out["conv3"]), *p("conv4"), before=1, after=1, towers=2)
    out["conv5"] = convolve(relu(out["conv4"]), *p("conv5"), before=1, after=1, towers=2)
    out["pool5"] = pool(relu(out["conv5"]))
    out["dropout6"] = 0.5 * relu(multiply(out["pool5"], *p("fc6")))
    out["dropout7"] = 0.5 * relu(multiply(out["dropout6"], *p("fc7")))
    out["fc8"] = multiply(out["dropout7"], *p("fc8"))
    return out


def authors_2012_by_numpy(x, p):
    """layers-145.cfg and layer-params-145.cfg of the 2012 source, at test time, every layer."""
    out = {}
    out["conv1"] = convolve_2012(x, *p("conv1"), stride=4)
    out["norm1"] = norm_over_maps_2012(out["conv1"], 1e-4, 5, min_div=2.0, towers=2)
    out["pool1"] = pool(out["norm1"], round_up=True)
    out["relu1"] = relu(out["pool1"])
    out["conv2"] = convolve_2012(out["relu1"], *p("conv2"), padding=2, towers=2)
    out["relu2"] = relu(out["conv2"])
    out["norm2"] = norm_over_maps_2012(out["relu2"], 1e-4, 5, min_div=2.0, towers=2)
    out["cnorm2"] = norm_within_map(out["norm2"], 1e-3, 5)
    out["pool2"] = pool(out["cnorm2"], round_up=True)
    out["conv3"] = convolve_2012(out["pool2"], *p("conv3"), padding=1)
    out["relu3"] = relu(out["conv3"])
    out["conv4"] = convolve_2012(out["relu3"], *p("conv4"), padding=1, towers=2)
    out["relu4"] = relu(out["conv4"])
    out["conv5"] = convolve_2012(out["relu4"], *p("conv5"), padding=1, towers=2)
    out["pool5"] = pool(out["conv5"], round_up=True)
    out["relu5"] = relu(out["pool5"])
    out["fc6"] = multiply(out["relu5"], *p("fc6"))
    out["relu6"] = relu(out["fc6"])
    out["dropout6"] = 0.5 * out["relu6"]
    out["fc7"] = multiply(out["dropout6"], *p("fc7"))
    out["relu7"] = relu(out["fc7"])
    out["dropout7"] = 0.5 * out["relu7"]
    out["fc8"] = multiply(out["dropout7"], *p("fc8"))
    return out


def caffe_behind(x, p):
    """What Caffe's two networks have alike, from conv3 on."""
    out = {}
    out["conv3"] = convolve(x, *p("conv3"), before=1, after=1)
    out["conv4"] = convolve(relu(out["conv3"]), *p("conv4"), before=1, after=1, towers=2)
    out["conv5"] = convolve(relu(out["conv4"]), *p("conv5"), before=1, after=1, towers=2)
    out["pool5"] = pool(relu(out["conv5"]), round_up=True)
    out["fc6"] = multiply(out["pool5"], *p("fc6"))
    out["fc7"] = multiply(relu(out["fc6"]), *p("fc7"))
    out["fc8"] = multiply(relu(out["fc7"]), *p("fc8"))
    return out


def caffe_by_numpy(x, p):
    """BVLC's train_val.prototxt at test time, when its dropout does nothing."""
    out = {}
    out["conv1"] = convolve(x, *p("conv1"), stride=4)
    out["norm1"] = norm_over_maps(relu(out["conv1"]), k=1.0, alpha=1e-4 / 5)
    out["pool1"] = pool(out["norm1"], round_up=True)
    out["conv2"] = convolve(out["pool1"], *p("conv2"), before=2, after=2, towers=2)
    out["norm2"] = norm_over_maps(relu(out["conv2"]), k=1.0, alpha=1e-4 / 5)
    out["pool2"] = pool(out["norm2"], round_up=True)
    return out | caffe_behind(out["pool2"], p)


def caffenet_by_numpy(x, p):
    """BVLC's reference CaffeNet at test time: it pools before it normalises."""
    out = {}
    out["conv1"] = convolve(x, *p("conv1"), stride=4)
    out["pool1"] = pool(relu(out["conv1"]), round_up=True)
    out["norm1"] = norm_over_maps(out["pool1"], k=1.0, alpha=1e-4 / 5)
    out["conv2"] = convolve(out["norm1"], *p("conv2"), before=2, after=2, towers=2)
    out["pool2"] = pool(relu(out["conv2"]), round_up=True)
    out["norm2"] = norm_over_maps(out["pool2"], k=1.0, alpha=1e-4 / 5)
    return out | caffe_behind(out["norm2"], p)


def cifar_11pct_by_numpy(x, p):
    """layers-conv-local-11pct.cfg of cuda-convnet."""
    out = {}
    out["conv1"] = convolve(x, *p("conv1"), before=2, after=2)
    out["norm1"] = norm_over_maps_2012(pool(relu(out["conv1"]), round_up=True), 1e-3, 9)
    out["conv2"] = convolve(out["norm1"], *p("conv2"), before=2, after=2)
    out["norm2"] = norm_over_maps_2012(relu(out["conv2"]), 1e-3, 9)
    out["pool2"] = pool(out["norm2"], round_up=True)
    out["local3"] = convolve_unshared(out["pool2"], *p("local3"))
    out["local4"] = convolve_unshared(relu(out["local3"]), *p("local4"))
    out["fc10"] = multiply(relu(out["local4"]), *p("fc10"))
    return out


def cifar_18pct_by_numpy(x, p):
    """layers-18pct.cfg of the 2012 source."""
    out = {}
    out["conv1"] = convolve(x, *p("conv1"), before=2, after=2)
    out["norm1"] = norm_within_map(relu(pool(out["conv1"], round_up=True)))
    out["conv2"] = convolve(out["norm1"], *p("conv2"), before=2, after=2)
    out["norm2"] = norm_within_map(pool(relu(out["conv2"]), np.mean, round_up=True))
    out["conv3"] = convolve(out["norm2"], *p("conv3"), before=2, after=2)
    out["pool3"] = pool(relu(out["conv3"]), np.mean, round_up=True)
    out["fc10"] = multiply(out["pool3"], *p("fc10"))
    return out


@torch.no_grad()
def lively(architecture):
    """A network in float64 in which every layer's values are large enough to matter, biases included."""
    network = Network(architecture).double().eval()
    for name, parameter in network.named_parameters():
        size = 3.0 if name.endswith("bias") else math.sqrt(2 / parameter[0].numel())
        parameter.normal_(0, size)
    return network


def compare(network, by_numpy, accuracy=1e-12):
    side = network.architecture.input_side
    x = torch.randint(-128, 128, (2, 3, side, side)).double()
    expected = by_numpy(
        x.numpy(), lambda name: [part.numpy() for part in network.get_submodule(name).state_dict().values()]
    )
    with torch.no_grad():
        features = network.features(x)
    for name, values in expected.items():
        ours = features[name].numpy()
        assert np.abs(ours - values).max() <= accuracy * np.abs(values).max(), name
        assert np.abs(values).max() > 1e-3, name
    return x, expected


def test_the_paper_equals_numpy_layer_by_layer():
    # At 96 pixels conv1 reads its zeros right and below, and fc6 still sees maps of 2 × 2.
    network = lively(vary(PAPER, "side=96"))
    x, expected = compare(network, paper_by_numpy)
    with torch.no_grad():
        scores = network.float()(x.float()).double().numpy()
    assert np.abs(scores - expected["fc8"]).max() <= 1e-5 * np.abs(expected["fc8"]).max()


# At 100 pixels the maps have sides 24, 12, 6 and 3: conv1 reads beyond the picture, each pool beyond its maps.
@pytest.mark.parametrize("side", [99, 100, 101, 102])
def test_authors_2012_equals_numpy_in_every_layer(side):
    architecture = vary(small(AUTHORS_2012), f"side={side}")
    _, expected = compare(lively(architecture), authors_2012_by_numpy)
    assert list(expected) == [layer.name for layer in architecture.layers]


def test_authors_2012_in_its_full_width_equals_numpy():
    network = lively(vary(AUTHORS_2012, "side=68"))
    x, expected = compare(network, authors_2012_by_numpy)
    with torch.no_grad():
        scores = network.float()(x.float()).double().numpy()
    assert np.abs(scores - expected["fc8"]).max() <= 1e-5 * np.abs(expected["fc8"]).max()


@pytest.mark.parametrize("side", [99, 100])
def test_caffe_equals_numpy_layer_by_layer(side):
    compare(lively(vary(small(CAFFE), f"side={side}")), caffe_by_numpy)


@pytest.mark.parametrize("side", [99, 100])
def test_caffenet_equals_numpy_layer_by_layer(side):
    compare(lively(vary(small(CAFFENET), f"side={side}")), caffenet_by_numpy)


def test_cifar_18pct_equals_numpy_layer_by_layer():
    compare(lively(CIFAR_18PCT), cifar_18pct_by_numpy)


def test_cifar_11pct_equals_numpy_layer_by_layer():
    compare(lively(CIFAR_11PCT), cifar_11pct_by_numpy)


def torchvisions_own(units):
    """The layers of torchvision's models/alexnet.py, with its numbering."""
    features = [
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    ]
    classifier = [
        *(nn.Dropout(), nn.Linear(256 * 36, units), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(units, units), nn.ReLU()),
        nn.Linear(units, units),
    ]
    parts = {"features": features, "avgpool": [nn.AdaptiveAvgPool2d(6), nn.Flatten()], "classifier": classifier}
    return nn.ModuleDict({name: nn.Sequential(*modules) for name, modules in parts.items()})


def test_torchvision_gives_the_scores_of_torchvisions_layers_with_its_weights():
    theirs = torchvisions_own(16).double().eval()
    weights = theirs.state_dict()
    renamed = {
        f"{name}.{part}": weights.pop(f"{key}.{part}")
        for name, key in TORCHVISION_NAMES.items()
        for part in ("weight", "bias")
    }
    assert not weights
    for side in (63, 100, 224):
        ours = Network(vary(small(TORCHVISION), f"side={side}")).double().eval()
        ours.load_state_dict(renamed)
        x = torch.randn(1, 3, side, side).double()
        expected = x
        for part in theirs.values():
            expected = part(expected)
        torch.testing.assert_close(ours(x), expected, rtol=1e-12, atol=1e-12)


def test_a_fully_connected_layer_in_towers_is_one_layer_a_tower():
    layer = layers.FullyConnected("fc6", 6, towers=2)
    module = FullyConnected(layer, (4, 3, 3)).double()
    x = torch.randn(5, 4, 3, 3).double()
    expected = [
        x[:, 2 * tower : 2 * tower + 2].flatten(1) @ module.weight[3 * tower : 3 * tower + 3].T for tower in range(2)
    ]
    assert module.weight.shape == (6, 18)
    torch.testing.assert_close(module(x), torch.cat(expected, 1) + module.bias, rtol=1e-12, atol=1e-12)
    assert module(x[:0]).shape == (0, 6)


def test_without_communication_no_tower_sees_the_other_until_fc8():
    network = lively(small(vary(AUTHORS_2012, "side=68", "communication=off-2012")))
    one, two = torch.randn(2, 1, 96, 8, 8).double()
    mixed = torch.cat([one[:, :48], two[:, 48:]], 1)
    after_pool1 = list(network.named_children())[3:-1]

    def through(x):
        for _, layer in after_pool1:
            x = layer(x)
        return x

    half = through(one).shape[1] // 2
    assert torch.equal(through(mixed)[:, :half], through(one)[:, :half])
    assert torch.equal(through(mixed)[:, half:], through(two)[:, half:])
    assert not torch.equal(through(one), through(two))


def small(architecture):
    """The same network with few units where it is fully connected."""
    change = (
        replace(layer, units=16) if isinstance(layer, layers.FullyConnected) else layer for layer in architecture.layers
    )
    return replace(architecture, layers=tuple(change))


@pytest.mark.parametrize(
    "change", ["activation=tanh", "communication=off", "pool=plain", "without=conv3", "dropout=0.3"]
)
def test_variations_reach_the_modules(change):
    network = lively(small(vary(PAPER, "side=96", change)))
    x = torch.randn(1, 3, 96, 96).double()
    features = network.features(x)
    rows = network.architecture.rows()
    assert [tuple(value.shape[1:]) for value in features.values()] == [row.output for row in rows]
    if change == "activation=tanh":
        assert torch.equal(features["relu3"], features["conv3"].tanh())
    if change == "dropout=0.3":
        torch.testing.assert_close(features["dropout6"], 0.7 * features["relu6"])
    if change == "communication=off":
        assert network.conv3.weight.shape == (384, 128, 3, 3)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_modules_have_the_shapes_and_parameters_of_their_descriptions(architecture):
    with torch.device("meta"):
        network = Network(architecture)
        features = network.features(torch.empty(2, 3, architecture.input_side, architecture.input_side))
    rows = architecture.rows()
    assert list(features) == [row.layer.name for row in rows]
    assert [tuple(value.shape) for value in features.values()] == [(2, *row.output) for row in rows]
    for row in rows:
        module = network.get_submodule(row.layer.name)
        assert sum(parameter.numel() for parameter in module.parameters()) == row.parameters
    names = [f"{start.layer}.{part}" for start in architecture.start for part in ("weight", "bias")]
    assert list(network.state_dict()) == names


def test_scores_are_the_last_feature():
    network = lively(CIFAR_18PCT).float()
    x = torch.randn(3, 3, 32, 32)
    assert torch.equal(network(x), network.features(x)["fc10"])
    assert network(x[:0]).shape == (0, 10)


def test_memory_layout_changes_nothing_but_rounding():
    network = lively(CIFAR_18PCT)
    x = torch.randn(2, 3, 32, 32).double()
    plain = network(x)
    last = network.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last, rtol=1e-12, atol=1e-12)


def test_the_adaptive_pool_serves_pictures_of_any_side():
    network = lively(small(vary(SINGLE, "side=67")))
    for side in (67, 99):
        assert network(torch.randn(1, 3, side, side).double()).shape == (1, 16)


def test_a_tower_sees_its_own_maps_only():
    network = lively(small(vary(PAPER, "side=64")))
    x = torch.randn(1, 96, 7, 7).double()
    changed = x.clone()
    changed[:, 48:] += 1
    before, after = network.conv2(x), network.conv2(changed)
    assert torch.equal(before[:, :128], after[:, :128])
    assert not torch.isclose(before[:, 128:], after[:, 128:]).any()


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("side", [6, 7, 8])
def test_pools_that_round_up_take_what_is_there(kind, side):
    architecture = replace(
        CIFAR_18PCT,
        layers=(layers.Pool("pool1", kind, round_up=True), CIFAR_18PCT.layers[-1]),
        start=(Start("fc10"),),
        input_side=side,
    )
    x = torch.randn(2, 3, side, side).double()
    ours = Network(architecture).double().features(x)["pool1"].numpy()
    expected = pool(x.numpy(), np.max if kind == "max" else np.mean, round_up=True)
    np.testing.assert_allclose(ours, expected, rtol=1e-14, atol=1e-15)


def test_mask_dropout_masks_in_training_and_scales_at_test():
    x = torch.randn(100, 100)
    dropout = MaskDropout(0.5)
    y = dropout.train()(x)
    kept = y != 0
    assert torch.equal(y[kept], x[kept])
    # Five standard deviations of the share that is kept.
    assert abs(kept.float().mean().item() - 0.5) < 5 * 0.5 / 100
    assert torch.equal(dropout.eval()(x), x / 2)
    few = MaskDropout(0.2)
    assert abs((few.train()(x) != 0).float().mean().item() - 0.8) < 5 * 0.4 / 100
    torch.testing.assert_close(few.eval()(x), 0.8 * x)


def test_inverted_dropout_scales_in_training_only():
    network = Network(small(vary(SINGLE, "side=67")))
    x = torch.ones(10, 100)
    assert set(network.dropout6.train()(x).unique().tolist()) == {0.0, 2.0}
    assert torch.equal(network.dropout6.eval()(x), x)
    assert isinstance(Network(small(vary(PAPER, "side=67"))).dropout7, MaskDropout)


def test_dropout_zero_is_the_identity():
    x = torch.randn(5, 5)
    assert torch.equal(MaskDropout(0.0).train()(x), x)
    assert torch.equal(MaskDropout(0.0).eval()(x), x)


def is_normal(weight, deviation):
    """Whether mean and deviation lie within five of their own standard deviations."""
    count = weight.numel()
    near_zero = abs(weight.mean().item()) < 5 * deviation / math.sqrt(count)
    return near_zero and abs(weight.std().item() / deviation - 1) < 5 / math.sqrt(2 * count)


def test_starting_weights_are_those_of_the_printed_table():
    network = initialise(Network(small(vary(PAPER, "side=67"))), seed=1)
    biases = {"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1, "fc6": 1, "fc7": 1, "fc8": 0}
    for name, bias in biases.items():
        layer = network.get_submodule(name)
        assert is_normal(layer.weight, 0.01), name
        assert (layer.bias == bias).all(), name


@pytest.mark.parametrize(
    "architecture", [AUTHORS_2012, CAFFE, CAFFENET, HALF, CONV6, CIFAR_13PCT], ids=lambda one: one.name
)
def test_every_gaussian_start_is_drawn_as_its_table_says(architecture):
    reduced = architecture if architecture is CIFAR_13PCT else vary(small(architecture), "side=67")
    network = initialise(Network(reduced))
    for start in architecture.start:
        layer = network.get_submodule(start.layer)
        assert is_normal(layer.weight, start.deviation), start.layer
        assert (layer.bias == start.bias).all(), start.layer


def test_the_start_of_torchvision_is_pytorchs_own():
    network = Network(vary(small(TORCHVISION), "side=63"))
    # Made, but not yet initialised by us, modules hold what PyTorch drew.
    by_torch = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    for name, ours in initialise(network).named_parameters():
        bound = network.get_submodule(name.split(".")[0]).weight[0].numel() ** -0.5
        for parameter in (ours, by_torch[name]):
            assert parameter.abs().max() <= bound * (1 + 1e-6), name
            if name.endswith("weight"):
                assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1), name


def test_each_row_of_the_table_has_its_own_deviation_and_bias():
    start = (
        replace(CIFAR_18PCT.start[0], bias=0.25),
        Start("conv2", "he", gain=0.5, bias=-1.0),
        Start("conv3", "uniform", deviation=99.0, bias=99.0),
        Start("fc10", deviation=0.0),
    )
    network = initialise(Network(replace(CIFAR_18PCT, start=start)))
    assert is_normal(network.conv1.weight, 1e-4)
    assert (network.conv1.bias == 0.25).all()
    assert is_normal(network.conv2.weight, 0.5 * math.sqrt(2 / (32 * 25)))
    assert (network.conv2.bias == -1).all()
    assert not network.fc10.weight.any()
    bound = (32 * 25) ** -0.5
    for parameter in (network.conv3.weight, network.conv3.bias):
        assert 0.9 * bound < parameter.abs().max() <= bound
        assert abs(parameter.mean()) < 5 * bound / math.sqrt(3 * parameter.numel())
    assert network.conv3.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_he_counts_the_inputs_of_one_tower_and_of_unshared_layers():
    network = initialise(Network(small(vary(PAPER.with_he_start(0.1), "side=67"))))
    assert is_normal(network.conv1.weight, 0.1 * math.sqrt(2 / 363))
    assert is_normal(network.conv2.weight, math.sqrt(2 / (48 * 25)))
    assert is_normal(network.fc6.weight, math.sqrt(2 / 256))
    assert not network.fc6.bias.any()
    local = layers.Convolution("local1", 8, 3, shared=False)
    architecture = replace(
        CIFAR_18PCT,
        layers=(local, CIFAR_18PCT.layers[-1]),
        start=(Start("local1", "he", bias=0.5), Start("fc10")),
    )
    network = initialise(Network(architecture))
    assert is_normal(network.local1.weight, math.sqrt(2 / 27))
    assert (network.local1.bias == 0.5).all()


def test_the_same_seed_gives_the_same_weights_whatever_else_is_random():
    one = initialise(Network(CIFAR_18PCT), seed=3)
    torch.manual_seed(99)
    network = Network(CIFAR_18PCT)
    state = torch.get_rng_state()
    two = initialise(network, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    other = initialise(Network(CIFAR_18PCT), seed=4)
    wide = initialise(Network(CIFAR_18PCT).double(), seed=3)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, two.state_dict()[name])
        assert torch.equal(weight.double(), wide.state_dict()[name])
        if name.endswith("weight"):
            assert not torch.equal(weight, other.state_dict()[name])


def test_bfloat16_computes_in_bfloat16_and_keeps_weights_and_gradients():
    network = lively(CIFAR_18PCT).float()
    x = torch.randint(-128, 128, (4, 3, 32, 32)).float()
    with arithmetic(torch.device("cpu"), "bfloat16"):
        features = network.features(x)
    assert {value.dtype for value in features.values()} == {torch.bfloat16}
    exact = network(x)
    assert exact.dtype == torch.float32
    scores = features["fc10"].float()
    assert (scores - exact).abs().max() < 0.05 * exact.abs().max()
    scores.sum().backward()
    assert {parameter.grad.dtype for parameter in network.parameters()} == {torch.float32}
    with arithmetic(torch.device("cpu"), "float32"):
        assert torch.equal(network(x), exact)


def test_gradients_reach_every_weight():
    network = lively(small(vary(PAPER, "side=67", "dropout=off")))
    network(torch.randn(2, 3, 67, 67).double()).square().sum().backward()
    assert all(parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("architecture", [PAPER, AUTHORS_2012, CIFAR_11PCT], ids=lambda one: one.name)
def test_gradients_of_a_reduced_network_equal_differences(architecture):
    def reduced(layer):
        if isinstance(layer, layers.Convolution):
            return replace(layer, channels=layer.channels // 8)
        return replace(layer, units=8) if isinstance(layer, layers.FullyConnected) else layer

    side = 24 if architecture is CIFAR_11PCT else 70
    network = lively(replace(architecture, layers=tuple(map(reduced, architecture.layers)), input_side=side))
    names, parameters = zip(*network.named_parameters(), strict=True)

    def scores(x, *values):
        return torch.func.functional_call(network, dict(zip(names, values, strict=True)), (x,))

    x = (torch.randn(2, 3, side, side).double() * 60).requires_grad_()
    assert torch.autograd.gradcheck(scores, (x, *parameters), fast_mode=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("fc8.bias"), r"1 of 12 differ, first fc8.bias \(expected \(10,\), found none\)"),
        (lambda w: w.update(extra=torch.ones(2)), r"1 of 12 differ, first extra \(expected none, found \(2,\)\)"),
        (
            lambda w: w.update({"fc7.weight": w["fc7.weight"].T}),
            r"1 of 12 .* first fc7.weight \(expected \(16, 24\), f",
        ),
    ],
)
def test_weights_of_another_network_are_counted_and_the_first_is_named(tiny_network, change, message):
    network = Network(tiny_network)
    weights = dict(network.state_dict())
    change(weights)
    with pytest.raises(DataError, match=f"not of tiny: {message}") as caught:
        load_weights(network, weights)
    assert len(str(caught.value)) <= 200


def test_weights_of_the_wrong_network_are_refused_before_any_is_copied(tiny_network):
    network, other = initialise(Network(tiny_network)), Network(tiny_network.with_classes(3))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(DataError, match=r"2 of 12 differ, first fc8.bias"):
        load_weights(network, other.state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())

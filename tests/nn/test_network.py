"""The whole network, layer by layer, against NumPy float64; its starting weights against their table."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from alexnet import layers
from alexnet.architectures import ARCHITECTURES, CIFAR_18PCT, FIRST_LAYER, PAPER, SINGLE, Start
from alexnet.errors import UsageError
from alexnet.nn.network import MaskDropout, Network, Unshared, arithmetic, create_model, initialise
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


def norm_within_map(x, alpha=5e-5 / 9, beta=0.75):
    """The rnorm layer of the 2012 source: a 3 × 3 window in one map, α over 9, k = 1."""
    padded = np.pad(x**2, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns = x.shape[2:]
    sums = sum(padded[:, :, i : i + rows, j : j + columns] for i in range(3) for j in range(3))
    return x / (1 + alpha * sums) ** beta


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


def test_cifar_18pct_equals_numpy_layer_by_layer():
    compare(lively(CIFAR_18PCT), cifar_18pct_by_numpy)


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


@pytest.mark.parametrize("towers", [1, 2])
@pytest.mark.parametrize(("stride", "padding"), [(1, (0, 0)), (1, (1, 1)), (2, (0, 1)), (2, (2, 0))])
def test_an_unshared_layer_equals_a_loop(towers, stride, padding):
    layer = layers.Convolution("local1", 6, 3, stride, padding, towers, shared=False)
    shape = (4, 7, 7)
    module = Unshared(layer, shape).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, *shape).double()
    with torch.no_grad():
        ours = module(x).numpy()
    weight, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), padding, padding))
    channels, side, _ = layer.output(shape)
    assert ours.shape == (2, channels, side, side)
    for o in range(channels):
        tower, place = divmod(o, channels // towers)
        maps = padded[:, tower * 4 // towers : (tower + 1) * 4 // towers]
        for i in range(side):
            for j in range(side):
                patch = maps[:, :, i * stride : i * stride + 3, j * stride : j * stride + 3].reshape(2, -1)
                expected = patch @ weight[i * side + j, tower, place] + bias[o, i, j]
                np.testing.assert_allclose(ours[:, o, i, j], expected, rtol=1e-12, atol=1e-12)


def test_an_unshared_layer_with_equal_kernels_is_a_convolution():
    layer = layers.Convolution("local1", 6, 3, 2, (1, 1), shared=False)
    local = Unshared(layer, (4, 7, 7))
    kernel = nn.Conv2d(4, 6, 3, 2, 1)
    with torch.no_grad():
        local.weight.copy_(kernel.weight.flatten(1).expand(16, 1, 6, 36))
        local.bias.copy_(kernel.bias[:, None, None].expand(6, 4, 4))
    x = torch.randn(2, 4, 7, 7)
    torch.testing.assert_close(local(x), kernel(x), rtol=1e-5, atol=1e-5)


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
    network = initialise(Network(small(vary(PAPER.with_he_start(), "side=67"))))
    assert is_normal(network.conv1.weight, FIRST_LAYER * math.sqrt(2 / 363))
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


def test_a_model_is_made_by_its_name():
    network = create_model("cifar-18pct", num_classes=7, seed=3)
    assert network.architecture == CIFAR_18PCT.with_classes(7)
    assert torch.equal(network.conv1.weight, initialise(Network(CIFAR_18PCT), 3).conv1.weight)
    assert create_model("cifar-18pct")(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    with pytest.raises(UsageError, match=r"did you mean cifar-18pct\?"):
        create_model("cifar-18")
    with pytest.raises(UsageError, match="at least 1 class"):
        create_model("paper", num_classes=0)


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

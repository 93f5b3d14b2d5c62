"""Each update rule, schedule and average against a plain NumPy float64 form of it."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from alexnet.errors import UsageError
from alexnet.optim import (
    PaperSGD,
    WeightAverage,
    frozen_from,
    make_optimizer,
    named_layers,
    set_rate,
    weighted_layers,
)
from alexnet.recipe import Recipe
from alexnet.recipes import PAPER

RATES = [0.01, 0.01, 0.01, 0.001, 0.001, 0.0, 0.0, 0.05, 1e-5, 1e-5]
SHAPE = (6, 4, 5, 5)
Rule = Callable[[np.ndarray, np.ndarray, dict[str, np.ndarray], float, float], np.ndarray]


def paper_rule(w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray], lr: float, decay: float) -> np.ndarray:
    state["v"] = 0.9 * state.get("v", np.zeros_like(w)) - decay * lr * w - lr * g
    return w + state["v"]


def sgd_rule(w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray], lr: float, decay: float) -> np.ndarray:
    state["b"] = 0.9 * state.get("b", np.zeros_like(w)) + g + decay * w
    return w - lr * state["b"]


def nesterov_rule(w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray], lr: float, decay: float) -> np.ndarray:
    state["b"] = 0.9 * state.get("b", np.zeros_like(w)) + g + decay * w
    return w - lr * (g + decay * w + 0.9 * state["b"])


def adam_step(w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray], lr: float) -> np.ndarray:
    state["t"] = state.get("t", np.zeros(())) + 1
    state["m"] = 0.9 * state.get("m", np.zeros_like(w)) + 0.1 * g
    state["s"] = 0.999 * state.get("s", np.zeros_like(w)) + 0.001 * g**2
    m, s = state["m"] / (1 - 0.9 ** state["t"]), state["s"] / (1 - 0.999 ** state["t"])
    return w - lr * m / (np.sqrt(s) + 1e-8)


def adam_rule(w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray], lr: float, decay: float) -> np.ndarray:
    return adam_step(w, g + decay * w, state, lr)


def adamw_rule(w: np.ndarray, g: np.ndarray, state: dict[str, np.ndarray], lr: float, decay: float) -> np.ndarray:
    return adam_step(w * (1 - lr * decay), g, state, lr)


RULES: dict[str, Rule] = {
    "paper": paper_rule,
    "sgd": sgd_rule,
    "nesterov": nesterov_rule,
    "adam": adam_rule,
    "adamw": adamw_rule,
}


class Layer(nn.Module):
    """One weight and one bias."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(SHAPE, generator=generator).to(dtype))
        self.bias = nn.Parameter(torch.randn(6, generator=generator).to(dtype))


def gradients(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(100 + step)
    return torch.randn(SHAPE, generator=generator), torch.randn(6, generator=generator)


def run(layer: Layer, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        set_rate(optimizer, RATES[step])
        layer.weight.grad, layer.bias.grad = gradients(step)
        optimizer.step()


def by_numpy(rule: Rule, recipe: Recipe, steps: int = len(RATES)) -> tuple[np.ndarray, np.ndarray]:
    layer = Layer()
    w, b = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    w_state: dict[str, np.ndarray] = {}
    b_state: dict[str, np.ndarray] = {}
    bias_decay = recipe.weight_decay if recipe.bias_weight_decay else 0.0
    for step in range(steps):
        w_gradient, b_gradient = (gradient.double().numpy() for gradient in gradients(step))
        w = rule(w, w_gradient, w_state, RATES[step], recipe.weight_decay)
        b = rule(b, b_gradient, b_state, RATES[step] * recipe.bias_lr_factor, bias_decay)
    return w, b


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("factor", "bias_decay"), [(1.0, True), (2.0, False)])
def test_each_rule_equals_numpy_through_changes_of_the_rate(name: str, factor: float, bias_decay: bool) -> None:
    recipe = PAPER.with_changes(optimizer=name, weight_decay=0.05, bias_lr_factor=factor, bias_weight_decay=bias_decay)
    layer = Layer()
    run(layer, make_optimizer(recipe, layer), range(len(RATES)))
    w, b = by_numpy(RULES[name], recipe)
    np.testing.assert_allclose(layer.weight.detach().numpy(), w, rtol=0, atol=2e-6)
    np.testing.assert_allclose(layer.bias.detach().numpy(), b, rtol=0, atol=2e-6)


def test_paper_and_torch_part_when_the_rate_falls() -> None:
    w_paper, _ = by_numpy(paper_rule, PAPER, steps=3)
    w_sgd, _ = by_numpy(sgd_rule, PAPER, steps=3)
    np.testing.assert_allclose(w_paper, w_sgd, rtol=0, atol=1e-12)
    layer, other = Layer(), Layer()
    run(layer, make_optimizer(PAPER, layer), range(4))
    run(other, make_optimizer(PAPER.with_changes(optimizer="sgd"), other), range(4))
    assert (layer.weight - other.weight).abs().max() > 0.01
    np.testing.assert_allclose(layer.weight.detach().numpy(), by_numpy(paper_rule, PAPER, 4)[0], rtol=0, atol=1e-6)


def test_paper_rule_keeps_a_tiny_rate() -> None:
    weight = nn.Parameter(torch.zeros(40))
    optimizer = PaperSGD([weight], lr=1e-7, weight_decay=0.0)
    weight.grad = torch.ones(40)
    optimizer.step()
    np.testing.assert_allclose(weight.detach().numpy(), -1e-7, rtol=1e-6)


def test_paper_rule_without_momentum() -> None:
    weight = nn.Parameter(torch.ones(40))
    optimizer = PaperSGD([weight], lr=0.1, momentum=0.0, weight_decay=0.5)
    for _ in range(2):
        weight.grad = torch.ones(40)
        optimizer.step()
    expected = 1 - 0.1 * (1 + 0.5)
    expected -= 0.1 * (1 + 0.5 * expected)
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-6)


def test_paper_rule_skips_what_has_no_gradient_and_takes_a_closure() -> None:
    used, unused = nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))
    optimizer = PaperSGD([used, unused])

    def loss() -> float:
        optimizer.zero_grad()
        total = (used**2).sum()
        total.backward()
        return total.item()

    assert optimizer.step(loss) == 4
    assert (used < 1).all()
    assert (unused == 1).all()


@pytest.mark.parametrize("name", RULES)
def test_state_restored_from_contiguous_tensors_continues_bit_for_bit(name: str) -> None:
    recipe = PAPER.with_changes(optimizer=name)
    whole = Layer().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    whole_optimizer = make_optimizer(recipe, whole)
    run(whole, whole_optimizer, range(5))
    state = whole_optimizer.state_dict()
    # What a safetensors file and a JSON file keep: contiguous tensors, plain numbers.
    state["state"] = {
        key: {name: value.clone().contiguous() for name, value in entry.items()}
        for key, entry in state["state"].items()
    }
    state["param_groups"] = json.loads(json.dumps(state["param_groups"]))
    resumed = Layer().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    resumed.load_state_dict(whole.state_dict())
    optimizer = make_optimizer(recipe, resumed)
    optimizer.load_state_dict(state)
    run(whole, whole_optimizer, range(5, 10))
    run(resumed, optimizer, range(5, 10))
    assert torch.equal(whole.weight, resumed.weight)
    assert torch.equal(whole.bias, resumed.bias)
    plain = Layer()
    run(plain, make_optimizer(recipe, plain), range(10))
    np.testing.assert_allclose(resumed.weight.detach().numpy(), plain.weight.detach().numpy(), rtol=0, atol=1e-6)


def test_groups_and_their_rates() -> None:
    layer = Layer()
    optimizer = make_optimizer(PAPER.with_changes(bias_lr_factor=2.0, bias_weight_decay=False), layer)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.02]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [5e-4, 0.0]
    assert optimizer.param_groups[0]["params"] == [layer.weight]
    set_rate(optimizer, 0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2]


def test_frozen_parameters_are_left_out() -> None:
    layer = Layer()
    layer.weight.requires_grad = False
    optimizer = make_optimizer(PAPER, layer)
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]
    layer.bias.requires_grad = False
    with pytest.raises(UsageError, match="frozen"):
        make_optimizer(PAPER, layer)


@pytest.mark.parametrize("name", RULES)
def test_low_precision_weights_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="float32, not bfloat16"):
        make_optimizer(PAPER.with_changes(optimizer=name), Layer(torch.bfloat16))
    with pytest.raises(UsageError, match="float32, not float16"):
        PaperSGD(Layer(torch.float16).parameters())


def test_a_network_without_fused_kernels_follows_the_same_rule() -> None:
    # The meta device has no fused kernels: the update goes tensor by tensor, and must at least run.
    weight = nn.Parameter(torch.zeros(3, device="meta"))
    weight.grad = torch.zeros(3, device="meta")
    PaperSGD([weight]).step()


def test_weight_average_equals_the_weighted_mean_of_all_updates() -> None:
    layer = Layer()
    average = WeightAverage(layer, 0.9)
    seen = []
    for step in range(7):
        with torch.no_grad():
            layer.weight.add_(gradients(step)[0])
            layer.bias.add_(gradients(step)[1])
        average.update(layer)
        seen.append(layer.weight.detach().double().numpy().copy())
    shares = 0.9 ** np.arange(6, -1, -1)
    expected = np.tensordot(shares / shares.sum(), np.stack(seen), axes=1)
    other = Layer()
    average.copy_to(other)
    np.testing.assert_allclose(other.weight.detach().numpy(), expected, rtol=0, atol=1e-6)


def test_weight_average_lends_its_weights_and_gives_them_back() -> None:
    layer = Layer()
    average = WeightAverage(layer, 0.5)
    average.update(layer)
    with torch.no_grad():
        layer.weight.zero_()

    def evaluate() -> None:
        with average.applied_to(layer):
            assert torch.equal(layer.weight, Layer().weight)
            raise RuntimeError("evaluation fell")

    with pytest.raises(RuntimeError, match="evaluation fell"):
        evaluate()
    assert (layer.weight == 0).all()


def test_weight_average_state_continues() -> None:
    layer = Layer()
    average, resumed = WeightAverage(layer, 0.9), WeightAverage(layer, 0.9)
    average.update(layer)
    resumed.load_state_dict(average.state_dict())
    with torch.no_grad():
        layer.weight.mul_(2)
    average.update(layer)
    resumed.update(layer)
    for name, tensor in average.state_dict()["parameters"].items():
        assert torch.equal(tensor, resumed.state_dict()["parameters"][name])
    assert resumed.updates == 2


class Stack(nn.Module):
    """Four layers with names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.fc6 = (nn.Linear(2, 2) for _ in range(4))


NAMES = ["conv1", "conv2", "conv3", "fc6"]


def test_names_and_ranges_mean_layers_and_the_later_word_wins() -> None:
    assert weighted_layers(Stack()) == NAMES
    assert named_layers(["conv2"], NAMES, "freeze") == {"conv2": "conv2"}
    assert named_layers(["conv2-fc6"], NAMES, "freeze") == dict.fromkeys(["conv2", "conv3", "fc6"], "conv2-fc6")
    both = named_layers(["conv1-conv3", "conv2"], NAMES, "freeze")
    assert both == {"conv1": "conv1-conv3", "conv2": "conv2", "conv3": "conv1-conv3"}
    assert named_layers([], NAMES, "freeze") == {}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("conv9", r"freeze: the network has no layer conv9 with weights: did you mean conv\d\?"),
        ("conv1-fc9", "no layer fc9"),
        ("conv3-conv1", "conv3-conv1 is no range of layers: write it as conv1-fc6"),
        ("conv1-conv2-conv3", "is no range"),
        ("-", "no layer  with weights"),
    ],
)
def test_layers_that_are_not_there_are_refused(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        named_layers([word], NAMES, "freeze")


def test_layers_have_rates_and_decays_of_their_own() -> None:
    network = Stack()
    recipe = PAPER.with_changes(
        layer_lr={"conv1-conv2": 0.5, "fc6": 10},
        layer_weight_decay={"conv2-conv3": 0.0},
        bias_lr_factor=2,
        bias_weight_decay=False,
    )
    optimizer = make_optimizer(recipe, network)
    found = {}
    for group in optimizer.param_groups:
        for name, parameter in network.named_parameters():
            if any(parameter is one for one in group["params"]):
                found[name] = (group["lr"], group["weight_decay"])
    assert found == {
        "conv1.weight": (0.005, 5e-4),
        "conv2.weight": (0.005, 0.0),
        "conv3.weight": (0.01, 0.0),
        "fc6.weight": (0.1, 5e-4),
        "conv1.bias": (0.01, 0.0),
        "conv2.bias": (0.01, 0.0),
        "conv3.bias": (0.02, 0.0),
        "fc6.bias": (0.2, 0.0),
    }
    with pytest.raises(UsageError, match="layer_lr: the network has no layer fc8"):
        make_optimizer(PAPER.with_changes(layer_lr={"fc8": 1}), network)


def test_biases_that_do_not_follow_the_schedule_keep_their_rate() -> None:
    layer = Layer()
    optimizer = make_optimizer(PAPER.with_changes(bias_lr_factor=2.0, bias_lr_falls=False), layer)
    set_rate(optimizer, 0.001, 0.01)
    assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.02]
    follows = make_optimizer(PAPER.with_changes(bias_lr_factor=2.0), layer)
    set_rate(follows, 0.001, 0.01)
    assert [group["lr"] for group in follows.param_groups] == [0.001, 0.002]


def test_what_is_frozen_late_is_told_by_its_epoch() -> None:
    assert frozen_from(PAPER.with_changes(freeze={"conv1-conv2": 3, "fc6": 0}), Stack()) == {
        "conv1": 3,
        "conv2": 3,
        "fc6": 0,
    }


def test_an_epoch_in_which_nothing_is_left_to_train_is_refused() -> None:
    first, *_, last = weighted_layers(Stack())
    frozen = {f"{first}-{last}": 0, last: 5}
    with pytest.raises(UsageError, match=r"nothing to train from epoch 5 on, and epochs=6: leave one layer to train"):
        frozen_from(PAPER.with_changes(epochs=6, freeze=frozen), Stack())
    assert frozen_from(PAPER.with_changes(epochs=5, freeze=frozen), Stack())[last] == 5

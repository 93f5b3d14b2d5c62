"""How weights move (§5): the paper's update rule, the usual ones beside it, a rate for each layer, averaged weights.

In go a `Recipe` and a network; out come a `torch.optim.Optimizer` (weights and biases in groups) and a
`WeightAverage`. The state of each is numbers and tensors only.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from alexnet.errors import UsageError, did_you_mean
from alexnet.recipe import Recipe

# Devices on which PyTorch's fused updates exist; elsewhere they go tensor by tensor.
FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")


class PaperSGD(torch.optim.Optimizer):
    """The printed update: v ← m·v - decay·lr·w - lr·g, then w ← w + v (§5).

    Paper (§5): the rate is inside the velocity, so what was gathered at one rate is spent unchanged after it falls.
    PyTorch's SGD keeps the rate outside and rescales the past at each change; while the rate is constant they agree.

    The state holds -v as `momentum_buffer`. PyTorch's fused kernel does the whole update in one pass: with
    dampening 1 - lr and a rate of 1, its buffer ← m·buffer + (1 - dampening)·(g + decay·w), w ← w - 1·buffer is the
    printed rule, whatever the rate does, 0 included. For 58.3 million float32 numbers on two cores it takes 20 ms (this
    rule in four `_foreach` passes: 45 ms; rescaling the buffer of PyTorch's SGD: 8 ms more at each change of the rate).

    Raises:
        UsageError: If a parameter has less precision than float32.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            _refuse_low_precision(group["params"])
        self.register_step_pre_hook(_match_layouts)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            buffers: list[Tensor | None] = []
            for parameter in parameters:
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                buffers.append(state["momentum_buffer"])
            # Without momentum the kernel has no buffer and no dampening: then v is -lr·(g + decay·w).
            rate, dampening = (1.0, 1.0 - group["lr"]) if group["momentum"] else (group["lr"], 0.0)
            sgd(
                parameters,
                [parameter.grad for parameter in parameters],
                buffers,
                fused=_fusable(parameters),
                foreach=False,
                found_inf=getattr(self, "found_inf", None),  # set by alexnet.training.divergence on accelerators
                weight_decay=group["weight_decay"],
                momentum=group["momentum"],
                lr=rate,
                dampening=dampening,
                nesterov=False,
                maximize=False,
            )
        return loss


def named_layers(words: Iterable[str], layers: Sequence[str], field: str) -> dict[str, str]:
    """Find which layers are meant by names and ranges, as `conv1-conv5` or `fc8`.

    Args:
        words: As a recipe has them.
        layers: Names of the network's layers that have weights, in order.
        field: Of the recipe, for the message.

    Returns:
        The word by the layer; a later word has the last say.

    Raises:
        UsageError: If a name is no layer's.
    """
    meant: dict[str, str] = {}
    for word in words:
        ends = [end.strip() for end in word.split("-")] if word not in layers else [word]
        for end in ends:
            if end not in layers:
                lacks = f"{field}: the network has no layer {end} with weights: {did_you_mean(end, layers)}"
                raise UsageError(f"{lacks} (--{field.replace('_', '-')} says others than the recipe)")
        first, last = layers.index(ends[0]), layers.index(ends[-1])
        if len(ends) > 2 or last < first:
            raise UsageError(f"{field}: {word} is no range of layers: write it as {layers[0]}-{layers[-1]}")
        meant |= dict.fromkeys(layers[first : last + 1], word)
    return meant


def weighted_layers(network: nn.Module) -> list[str]:
    """List the layers of a network that have weights, in order."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name, _ in network.named_parameters()))


def frozen_from(recipe: Recipe, network: nn.Module) -> dict[str, int]:
    """Give the epoch from which on each layer that the recipe freezes does not learn.

    Raises:
        UsageError: If the recipe names a layer that the network has not, or leaves none to train in one of its epochs.
    """
    layers = weighted_layers(network)
    frozen = {layer: recipe.freeze[word] for layer, word in named_layers(recipe.freeze, layers, "freeze").items()}
    if len(frozen) == len(layers) and (last := max(frozen.values())) < recipe.epochs:
        raise UsageError(
            f"freeze leaves nothing to train from epoch {last} on, and epochs={recipe.epochs}: leave one layer to "
            "train, or lower epochs"
        )
    return frozen


def make_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Make the recipe's optimizer for the parameters that are trained, in groups of equal rate and decay.

    Weights come first, then biases; with no rates of their own for layers, that makes two groups.

    Raises:
        UsageError: If a parameter has less precision than float32, none is trained, or the recipe names a layer that
            the network has not.
    """
    layers = weighted_layers(network)
    rates = named_layers(recipe.layer_lr, layers, "layer_lr")
    decays = named_layers(recipe.layer_weight_decay, layers, "layer_weight_decay")
    trained = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    if not trained:
        raise UsageError("every layer is frozen, so nothing would be learned: leave one to train")
    _refuse_low_precision(parameter for _, parameter in trained)
    groups: dict[tuple[bool, float, float], list[Tensor]] = {}
    for bias in (False, True):
        for name, parameter in trained:
            layer, _, kind = name.rpartition(".")
            if (kind == "bias") != bias:
                continue
            factor = recipe.layer_lr[rates[layer]] if layer in rates else 1.0
            decay = recipe.layer_weight_decay[decays[layer]] if layer in decays else recipe.weight_decay
            if bias:
                factor, decay = factor * recipe.bias_lr_factor, decay if recipe.bias_weight_decay else 0.0
            groups.setdefault((bias, factor, decay), []).append(parameter)
    optimizer = _make(
        recipe,
        [
            {
                "params": parameters,
                "lr_factor": factor,
                "weight_decay": decay,
                "lr_falls": recipe.bias_lr_falls if bias else True,
            }
            for (bias, factor, decay), parameters in groups.items()
        ],
        _fusable(parameter for _, parameter in trained),
    )
    set_rate(optimizer, recipe.lr)
    return optimizer


def _make(recipe: Recipe, groups: list[dict[str, Any]], fused: bool) -> torch.optim.Optimizer:
    if recipe.optimizer == "paper":
        return PaperSGD(groups, recipe.lr, recipe.momentum)
    optimizer: torch.optim.Optimizer
    if recipe.optimizer in ("sgd", "nesterov"):
        nesterov = recipe.optimizer == "nesterov"
        optimizer = torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=fused)
    else:
        adam = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
        optimizer = adam(groups, recipe.lr, betas=(recipe.momentum, 0.999), fused=fused)
    optimizer.register_step_pre_hook(_match_layouts)
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, rate: float, unfallen: float | None = None) -> None:
    """Set the learning rate, each group's multiplied by the group's own factor.

    Args:
        optimizer: Of `make_optimizer`.
        rate: Of this place in training.
        unfallen: The same before any fall, for groups that the schedule does not lower; `rate` if not given.
    """
    for group in optimizer.param_groups:
        base = rate if unfallen is None or group.get("lr_falls", True) else unfallen
        group["lr"] = base * group.get("lr_factor", 1.0)


def _fusable(parameters: Iterable[Tensor]) -> bool:
    return all(parameter.device.type in FUSED_DEVICES for parameter in parameters)


def _refuse_low_precision(parameters: Iterable[Tensor]) -> None:
    # PyTorch 2.13's fused SGD leaves bfloat16 and float16 parameters on the CPU as they were, and says nothing
    # (pytorch#191763); on any device, updates below the eighth bit would be lost.
    for parameter in parameters:
        if parameter.dtype not in (torch.float32, torch.float64):
            dtype = str(parameter.dtype).removeprefix("torch.")
            raise UsageError(f"weights are trained in float32, not {dtype}: keep the network float32 and use autocast")


def _match_layouts(optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Give gradients and state the memory layout of their parameter before a step.

    The fused kernels walk through memory and pair the wrong numbers, silently, when a channels-last weight meets a
    contiguous gradient, or a contiguous buffer that was restored from a file.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and parameter.grad.stride() != parameter.stride():
                parameter.grad = torch.empty_like(parameter).copy_(parameter.grad)
            state = optimizer.state.get(parameter, {})
            for key, value in state.items():
                if torch.is_tensor(value) and value.shape == parameter.shape and value.stride() != parameter.stride():
                    state[key] = torch.empty_like(parameter).copy_(value)


class WeightAverage:
    """A running average of a network's parameters: after n updates, Σ decayⁿ⁻ⁱ·wᵢ / Σ decayⁿ⁻ⁱ over i = 1 … n.

    The weights that the network started with have no part in it, so that short runs can use a long memory.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._average = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's weights as they are after an update."""
        self.updates += 1
        share = (1 - self.decay) / (1 - self.decay**self.updates)
        torch._foreach_lerp_(list(self._average.values()), self._parameters(network), share)

    @torch.no_grad()
    def copy_to(self, network: nn.Module) -> None:
        """Give a network the averaged weights."""
        torch._foreach_copy_(self._parameters(network), list(self._average.values()))

    @contextmanager
    def applied_to(self, network: nn.Module) -> Iterator[None]:
        """Let a network have the averaged weights inside the `with` block, and its own again after it."""
        own = self._parameters(network)
        before = [parameter.data for parameter in own]
        try:
            for parameter, average in zip(own, self._average.values(), strict=True):
                parameter.data = average
            yield
        finally:
            for parameter, data in zip(own, before, strict=True):
                parameter.data = data

    def _parameters(self, network: nn.Module) -> list[Tensor]:
        parameters = dict(network.named_parameters())
        return [parameters[name] for name in self._average]

    def state_dict(self) -> dict[str, Any]:
        """Give the number of updates and the averaged tensors by the names of their parameters."""
        return {"updates": self.updates, "parameters": dict(self._average)}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.updates = int(state["updates"])
        for name, average in self._average.items():
            average.copy_(state["parameters"][name])

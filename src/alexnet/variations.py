"""Variations of a network, as the paper's ablations are: `--vary response_norm=off`, `--vary towers=1` and others.

Each key changes one thing in a description and gives another description.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeVar, get_args

from alexnet.architectures import Architecture, Input
from alexnet.errors import UsageError, did_you_mean
from alexnet.layer_files import RUN_147, RUN_150, as_in_2012
from alexnet.layers import Activation, Convolution, Dropout, FullyConnected, Layer, Pool, ResponseNorm, Weighted

SomeLayer = TypeVar("SomeLayer", bound=Layer)
Word = TypeVar("Word", bound=str)


def _refuse_missing(architecture: Architecture, kind: type) -> None:
    """Refuse a change that would find nothing to change."""
    if not any(isinstance(layer, kind) for layer in architecture.layers):
        raise UsageError(f"{architecture.name} has no {kind.__name__} to vary: leave this --vary out")


def _each(architecture: Architecture, kind: type[SomeLayer], change: Callable[[SomeLayer], Layer]) -> Architecture:
    """Change every layer of one kind."""
    _refuse_missing(architecture, kind)
    layers = tuple(change(layer) if isinstance(layer, kind) else layer for layer in architecture.layers)
    return replace(architecture, layers=layers)


def _without(architecture: Architecture, kind: type) -> Architecture:
    """Leave out every layer of one kind."""
    _refuse_missing(architecture, kind)
    return replace(architecture, layers=tuple(layer for layer in architecture.layers if not isinstance(layer, kind)))


def _choice(key: str, value: str, choices: tuple[Word, ...]) -> Word:
    """Find a value among the words that a key knows."""
    for choice in choices:
        if choice == value:
            return choice
    raise UsageError(f"{key}={value} is not known: {did_you_mean(value, choices)}")


def _number(key: str, value: str, low: float, high: float) -> float:
    """Read a number in a range."""
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise UsageError(f"{key}={value} is not a number from {low:g} to {high:g}")
    return number


def _whole(key: str, value: str, low: int, high: int) -> int:
    """Read a whole number in a range."""
    number = _number(key, value, low, high)
    if number != int(number):
        raise UsageError(f"{key}={value} is not a whole number")
    return int(number)


def _refuse_other_than_two_towers(architecture: Architecture, change: str) -> None:
    """Refuse a change that is about two towers."""
    if architecture.towers != 2:
        raise UsageError(
            f"{change} is for networks of 2 towers, and {architecture.name} has {architecture.towers}: "
            f"use it with paper or authors-2012"
        )


def _towers(architecture: Architecture, value: str) -> Architecture:
    """Divide conv2, conv4 and conv5 into towers (§3.2), make one tower of them, or keep one half of two."""
    if value == "half":
        return _half(architecture)
    towers = _whole("towers", value, 1, 64)
    divided = {layer.name for layer in architecture.layers if isinstance(layer, Convolution) and layer.towers > 1} or {
        "conv2",
        "conv4",
        "conv5",
    }

    def change(layer: Layer) -> Layer:
        if isinstance(layer, Convolution) and layer.name in divided:
            return replace(layer, towers=towers)
        if isinstance(layer, ResponseNorm | FullyConnected) and layer.towers > 1:
            return replace(layer, towers=towers)
        return layer

    changed = replace(architecture, layers=tuple(change(layer) for layer in architecture.layers))
    if changed.towers != towers:
        raise UsageError(f"{architecture.name} has no convolution that towers={towers} could divide: leave it out")
    return changed


def _half(architecture: Architecture) -> Architecture:
    """Keep one tower of two (§3.2: the one-GPU net; layers-145-half.cfg).

    The last convolution keeps the kernels of both: else the network would have about half as many parameters, and the
    comparison would not be fair.
    """
    _refuse_other_than_two_towers(architecture, "towers=half")
    last = [layer for layer in architecture.layers if isinstance(layer, Convolution)][-1]

    def change(layer: Layer) -> Layer:
        if isinstance(layer, Convolution):
            return replace(layer, towers=1, channels=layer.channels if layer == last else layer.channels // 2)
        return replace(layer, towers=1) if isinstance(layer, ResponseNorm | FullyConnected) else layer

    return replace(architecture, layers=tuple(change(layer) for layer in architecture.layers))


def _communication(architecture: Architecture, value: str) -> Architecture:
    """Let the towers meet in conv3 (§3.2), or not before fc6, or as in run 150 of the 2012 notes: not before fc8.

    Response norms over the whole layer, as printed, still look across the border.
    """
    choice: Literal["on", "off", "off-2012"] = _choice("communication", value, ("on", "off", "off-2012"))
    if choice == "off-2012":
        _refuse_other_than_two_towers(architecture, "communication=off-2012")
        return as_in_2012(architecture, "communication=off-2012", RUN_150)
    if choice == "off" and (architecture.towers == 1 or "conv3" not in {layer.name for layer in architecture.layers}):
        raise UsageError(
            f"communication=off parts towers that meet in conv3, and {architecture.name} has none: "
            f"use it with paper or authors-2012"
        )
    towers = 1 if choice == "on" else architecture.towers

    def change(layer: Convolution) -> Convolution:
        return replace(layer, towers=towers) if layer.name == "conv3" else layer

    return _each(architecture, Convolution, change)


def _response_norm(architecture: Architecture, value: str) -> Architecture:
    """Switch response normalisation off, or sum over neighbouring maps or within a map (§3.3)."""
    choice: Literal["off", "maps", "map"] = _choice("response_norm", value, ("off", "maps", "map"))
    if choice == "off":
        return _without(architecture, ResponseNorm)
    return _each(architecture, ResponseNorm, lambda layer: replace(layer, over=choice))


def _response_norm_alpha(architecture: Architecture, value: str) -> Architecture:
    """Take α as printed, or divided by the window as the 2012 source, Caffe and PyTorch do."""
    divided = _choice("response_norm_alpha", value, ("printed", "divided")) == "divided"
    return _each(architecture, ResponseNorm, lambda layer: replace(layer, divide_alpha=divided))


def _response_norm_within(architecture: Architecture, value: str) -> Architecture:
    """Let the window run over the whole layer, or stop at the border of a tower as the 2012 source does.

    A network of one tower gets the border in the middle of the layer, where that of the paper's two towers would be.
    """
    towers = max(architecture.towers, 2) if _choice("response_norm_within", value, ("layer", "tower")) == "tower" else 1
    return _each(architecture, ResponseNorm, lambda layer: replace(layer, towers=towers))


def _response_norm_k(architecture: Architecture, value: str) -> Architecture:
    """Set k: 2 in the paper, 1 in Caffe."""
    k = _number("response_norm_k", value, 1e-6, 1e6)
    return _each(architecture, ResponseNorm, lambda layer: replace(layer, k=k))


def _response_norm_place(architecture: Architecture, value: str) -> Architecture:
    """Normalise after the nonlinearity, as printed (§3.3), or what goes into it, as many retell it.

    Where a pool parts a norm from its nonlinearity, the norm stays; on the wrong side, that is refused.
    """
    before = _choice("response_norm_place", value, ("before", "after")) == "before"
    _refuse_missing(architecture, ResponseNorm)
    first, second = (Activation, ResponseNorm) if before else (ResponseNorm, Activation)
    layers = list(architecture.layers)
    # Walked in this direction, an activation passes all norms that stand in a row; in the other it would pass only one.
    places = range(len(layers) - 1)
    for place in places if before else reversed(places):
        if isinstance(layers[place], first) and isinstance(layers[place + 1], second):
            layers[place : place + 2] = layers[place + 1], layers[place]
    activated = False
    for layer in layers:
        if isinstance(layer, ResponseNorm) and activated == before:
            raise UsageError(
                f"response_norm_place={value}: {layer.name} of {architecture.name} has no activation beside it to "
                f"stand {value}: leave it out, or use it with paper"
            )
        # Each weighted layer has its own activation.
        activated = isinstance(layer, Activation) or (activated and not isinstance(layer, Weighted))
    return replace(architecture, layers=tuple(layers))


def _pool(architecture: Architecture, value: str) -> Architecture:
    """Pool with overlap, 3 by 2, or without, 2 by 2 (§3.4), or as in run 147 of the 2012 notes, 2 by 2 too.

    On `authors-2012`, `caffe` and `caffenet`, whose pools round up, `plain` also enlarges the maps, the last from 6×6
    to 7×7, and fc6 with them, by a third; `plain-2012` keeps 6×6 by narrower paddings.
    """
    choice: Literal["overlapping", "plain", "plain-2012"] = _choice(
        "pool", value, ("overlapping", "plain", "plain-2012")
    )
    if choice == "plain-2012":
        return as_in_2012(architecture, "pool=plain-2012", RUN_147)
    kernel = 3 if choice == "overlapping" else 2
    return _each(architecture, Pool, lambda layer: replace(layer, kernel=kernel, stride=2))


def _activation(architecture: Architecture, value: str) -> Architecture:
    """Use rectified linear units, or the saturating tanh (§3.1)."""
    kind: Literal["relu", "tanh"] = _choice("activation", value, ("relu", "tanh"))
    return _each(architecture, Activation, lambda layer: replace(layer, kind=kind))


def _dropout(architecture: Architecture, value: str) -> Architecture:
    """Switch dropout off, choose its kind (`mask`, `inverted`), or give its probability (§4.2)."""
    if not value.isalpha():
        probability = _number("dropout", value, 0.0, 0.99)
        return _each(architecture, Dropout, lambda layer: replace(layer, probability=probability))
    kind: Literal["off", "mask", "inverted"] = _choice("dropout", value, ("off", "mask", "inverted"))
    if kind == "off":
        return _without(architecture, Dropout)
    return _each(architecture, Dropout, lambda layer: replace(layer, kind=kind))


def _width(architecture: Architecture, value: str) -> Architecture:
    """Multiply the kernels of all convolutions and the units of all hidden layers, to the nearest that towers divide.

    On a one-tower network, 0.5 gives the sizes of one of the paper's towers (Figure 2), for a quarter of the work; the
    one-GPU net of §3.2 is `half`.
    """
    factor = _number("width", value, 1e-3, 1e3)
    layers = architecture.layers
    towers = max(getattr(layer, "towers", 1) for layer in layers)

    def times(count: int) -> int:
        return max(1, round(count * factor / towers)) * towers

    def change(layer: Layer) -> Layer:
        if isinstance(layer, Convolution):
            return replace(layer, channels=times(layer.channels))
        return replace(layer, units=times(layer.units)) if isinstance(layer, FullyConnected) else layer

    return replace(architecture, layers=(*map(change, layers[:-1]), layers[-1]))


def _leave_out(architecture: Architecture, value: str) -> Architecture:
    """Leave out a learned layer with its activation and dropout (§7); pools and response norms stay."""
    weighted = [layer.name for layer in architecture.layers if isinstance(layer, Weighted)]
    _choice("without", value, tuple(weighted[:-1]))
    number = re.sub(r"\D", "", value)
    gone = {value, f"relu{number}", f"dropout{number}"}
    layers = tuple(layer for layer in architecture.layers if layer.name not in gone)
    return replace(architecture, layers=layers, start=tuple(row for row in architecture.start if row.layer != value))


def _input(architecture: Architecture, value: str) -> Architecture:
    """Choose what the pictures become before conv1."""
    choices: tuple[Input, ...] = get_args(Input)
    return replace(architecture, input=_choice("input", value, choices))


VARIATIONS: dict[str, Callable[[Architecture, str], Architecture]] = {
    "towers": _towers,
    "communication": _communication,
    "response_norm": _response_norm,
    "response_norm_alpha": _response_norm_alpha,
    "response_norm_within": _response_norm_within,
    "response_norm_k": _response_norm_k,
    "response_norm_place": _response_norm_place,
    "pool": _pool,
    "activation": _activation,
    "dropout": _dropout,
    "width": _width,
    "without": _leave_out,
    "classes": lambda architecture, value: architecture.with_classes(_whole("classes", value, 1, 1_000_000)),
    "side": lambda architecture, value: replace(architecture, input_side=_whole("side", value, 1, 4096)),
    "input": _input,
}


def vary(architecture: Architecture, *changes: str) -> Architecture:
    """Apply changes written as `key=value`, in order; the name tells them, what was so already included.

    Args:
        architecture: The network to start from.
        changes: For example `response_norm=off`; the keys are those of `VARIATIONS`.

    Raises:
        UsageError: If a key or value is unknown, the network cannot be changed so, or the result is no network.
    """
    for change in changes:
        key, _, value = change.partition("=")
        if key not in VARIATIONS or not value:
            raise UsageError(f"cannot vary {change}: write KEY=VALUE; {did_you_mean(key, VARIATIONS)}")
        architecture = replace(VARIATIONS[key](architecture, value), name=f"{architecture.name} {change}")
    return architecture

"""Variations of a network, as the paper's ablations are: `--vary response_norm=off`, `--vary towers=1` and others.

Each key changes one thing in a description and gives another description.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeVar, get_args

from alexnet.architectures import Architecture, Input
from alexnet.errors import UsageError, did_you_mean
from alexnet.layers import Activation, Convolution, Dropout, Layer, Pool, ResponseNorm, Weighted

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


def _towers(architecture: Architecture, value: str) -> Architecture:
    """Divide conv2, conv4 and conv5 into towers (§3.2), or make one tower of them."""
    towers = _whole("towers", value, 1, 64)
    divided = {layer.name for layer in architecture.layers if isinstance(layer, Convolution) and layer.towers > 1} or {
        "conv2",
        "conv4",
        "conv5",
    }

    def change(layer: Layer) -> Layer:
        if isinstance(layer, Convolution) and layer.name in divided:
            return replace(layer, towers=towers)
        if isinstance(layer, ResponseNorm) and layer.towers > 1:
            return replace(layer, towers=towers)
        return layer

    return replace(architecture, layers=tuple(change(layer) for layer in architecture.layers))


def _communication(architecture: Architecture, value: str) -> Architecture:
    """Let the towers meet in conv3 (§3.2), or not before the fully connected layers (run 150 of the 2012 notes)."""
    towers = 1 if _choice("communication", value, ("on", "off")) == "on" else architecture.towers

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
    """Let the window run over the whole layer, or stop at the border of a tower as the 2012 source does."""
    towers = max(architecture.towers, 2) if _choice("response_norm_within", value, ("layer", "tower")) == "tower" else 1
    return _each(architecture, ResponseNorm, lambda layer: replace(layer, towers=towers))


def _response_norm_k(architecture: Architecture, value: str) -> Architecture:
    """Set k: 2 in the paper, 1 in Caffe."""
    k = _number("response_norm_k", value, 1e-6, 1e6)
    return _each(architecture, ResponseNorm, lambda layer: replace(layer, k=k))


def _pool(architecture: Architecture, value: str) -> Architecture:
    """Pool with overlap, 3 by 2, or without, 2 by 2 (§3.4)."""
    kernel = 3 if _choice("pool", value, ("overlapping", "plain")) == "overlapping" else 2
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
    "pool": _pool,
    "activation": _activation,
    "dropout": _dropout,
    "without": _leave_out,
    "classes": lambda architecture, value: architecture.with_classes(_whole("classes", value, 1, 1_000_000)),
    "side": lambda architecture, value: replace(architecture, input_side=_whole("side", value, 1, 4096)),
    "input": _input,
}


def vary(architecture: Architecture, *changes: str) -> Architecture:
    """Apply changes written as `key=value`, in order; the name tells them.

    Args:
        architecture: The network to start from.
        changes: For example `response_norm=off`; the keys are those of `VARIATIONS`.

    Raises:
        UsageError: If a key or value is unknown, or the result is no network.
    """
    for change in changes:
        key, _, value = change.partition("=")
        if key not in VARIATIONS or not value:
            raise UsageError(f"cannot vary {change}: write KEY=VALUE; {did_you_mean(key, VARIATIONS)}")
        architecture = replace(VARIATIONS[key](architecture, value), name=f"{architecture.name} {change}")
    return architecture

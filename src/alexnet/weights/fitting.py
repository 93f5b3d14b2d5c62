"""Put weights into a network: what fits is copied, what starts anew is told, all else is refused."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from alexnet.architectures import Architecture
from alexnet.catalogue import ARCHITECTURES, named
from alexnet.errors import DataError
from alexnet.layers import Dropout, Layer
from alexnet.nn.network import Network, initialise
from alexnet.progress import say
from alexnet.weights.content import Shapes, Weights, shapes, shapes_of
from alexnet.weights.reading import read

# Layers are told by name up to so many.
MOST_NAMES = 6


def fit(network: Network, weights: Weights, classes: Sequence[str] | None = None) -> list[str]:
    """Copy weights into a network; names and shapes are compared before anything changes.

    A last layer for other classes keeps its fresh start, and so do layers that the weights lack.

    Args:
        network: What is filled.
        weights: What it is filled with.
        classes: The network's, by name, in the order of the scores; where the weights tell theirs, they are compared.

    Returns:
        Sentences for the user: which layers start anew and why, and where the weights' own network differs.

    Raises:
        DataError: If anything else differs, or nothing fits.
    """
    architecture = network.architecture
    wanted, found = shapes_of(network.state_dict()), shapes_of(weights.tensors)
    last = architecture.layers[-1].name
    other_classes = _other_classes(last, wanted, found)
    missing = _missing_layers(wanted, found)
    renamed = _renamed(last, weights, classes)
    kept = set() if other_classes is None and not renamed else {f"{last}.weight", f"{last}.bias"}
    odd = [name for name in found if name not in kept and wanted.get(name) != found[name]]
    odd += [name for name in wanted if name not in found and name.partition(".")[0] not in missing]
    copied = {name: tensor for name, tensor in weights.tensors.items() if name not in kept}
    if odd or not copied:
        raise DataError(_refusal(weights, architecture, odd or [f"{last}.weight"], wanted))
    with torch.no_grad():
        for name, tensor in copied.items():
            network.get_parameter(name).copy_(tensor)
    told = []
    if other_classes is not None:
        told.append(
            f"{last} has {other_classes} classes in {weights.source} and {architecture.classes} here: it starts anew"
        )
    elif renamed:
        told.append(f"{last} knows other classes in {weights.source} ({renamed}): it starts anew")
    if missing:
        starts = "it starts anew" if len(missing) == 1 else "they start anew"
        told.append(f"{weights.source} has no {_listed(missing, 'or')}: {starts}")
    return told + _differences(weights, architecture)


def _other_classes(last: str, wanted: Shapes, found: Shapes) -> int | None:
    """Count the classes of the weights' last layer where nothing but their number differs from the network's."""
    here, there = wanted[f"{last}.weight"], found.get(f"{last}.weight", ())
    alike = len(there) == 2 and here[1:] == there[1:] and found.get(f"{last}.bias") == there[:1]
    return there[0] if alike and here != there else None


def _renamed(last: str, weights: Weights, classes: Sequence[str] | None) -> str:
    """Name the first class that is another one in the weights, if there is one."""
    if classes is None or weights.classes is None or f"{last}.weight" not in weights.tensors:
        return ""
    pairs = zip(weights.classes, classes, strict=False)
    return next((f"{theirs}, not {ours}" for theirs, ours in pairs if theirs != ours), "")


def _missing_layers(wanted: Shapes, found: Shapes) -> list[str]:
    """Name the layers of which the weights have nothing."""
    there = {name.partition(".")[0] for name in found}
    return [layer for layer in dict.fromkeys(name.partition(".")[0] for name in wanted) if layer not in there]


def _refusal(weights: Weights, architecture: Architecture, odd: list[str], wanted: Shapes) -> str:
    """Say in one line how weights and network differ, and where they would fit."""
    found, first = shapes_of(weights.tensors), odd[0]
    homes, (base, *varied) = _homes(found), architecture.name.split()
    if base in homes:
        way_out = "leave --vary out" if varied else "some of its weights are missing, fetch or save it again"
    else:
        way_out = f"take --arch {' or '.join(homes)}" if homes else "name the architecture that they were made for"
    return (
        f"{weights.source} is not of {architecture.name}: {len(odd)} of "
        f"{len(wanted.keys() | found.keys())} weights differ, the first is "
        f"{first} (here {wanted.get(first, 'none')}, there {found.get(first, 'none')}): {way_out}"
    )


def _homes(found: Shapes) -> list[str]:
    """Name the known networks that these weights fit, whatever their number of classes."""
    homes = []
    for name, architecture in ARCHITECTURES.items():
        wanted, last = shapes(architecture), architecture.layers[-1].name
        kept = {f"{last}.weight", f"{last}.bias"} if _other_classes(last, wanted, found) is not None else set()
        rest = {weight: shape for weight, shape in found.items() if weight not in kept}
        if rest and all(wanted.get(weight) == shape for weight, shape in rest.items()):
            homes.append(name)
    return homes


def _differences(weights: Weights, architecture: Architecture) -> list[str]:
    """Say where the network that the weights belong to is another, though its weights have the same shapes."""
    told = []
    if weights.architecture is not None:
        there, here = weights.architecture.layers[:-1], architecture.layers[:-1]
        if other := _other_layers(there, here):
            told.append(
                f"{weights.source} was made for {weights.architecture.name}, whose {_listed(other, 'and')} "
                f"{'differs' if len(other) == 1 else 'differ'} from those of {architecture.name}: "
                "expect other scores until it has learned"
            )
    if weights.input not in (None, architecture.input):
        told.append(
            f"{weights.source} expects pixels as {weights.input}, but {architecture.name} gets them as "
            f"{architecture.input}: expect other scores until it has learned"
        )
    return told


def _other_layers(there: Sequence[Layer], here: Sequence[Layer]) -> list[str]:
    """Name the layers that only one of two networks has, that differ, or that stand elsewhere."""
    ours, theirs = ({layer.name: layer for layer in layers} for layers in (here, there))
    names = [*theirs, *(name for name in ours if name not in theirs)]
    other = [name for name in names if not _alike(ours.get(name), theirs.get(name))]
    order = ([layer.name for layer in layers if layer.name not in other] for layers in (there, here))
    return other + [before for before, after in zip(*order, strict=True) if before != after]


def _alike(one: Layer | None, other: Layer | None) -> bool:
    """Tell whether two layers do the same; how likely dropout is matters to no score, only its kind does."""
    if isinstance(one, Dropout) and isinstance(other, Dropout) and one.kind == other.kind == "inverted":
        return True
    return one == other


def _listed(names: Sequence[str], word: str) -> str:
    """Join names as a sentence has them, the first few of many."""
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def create_model(
    name: str, num_classes: int | None = None, weights: str | Path | Weights | None = None, seed: int = 0
) -> Network:
    """Make a network by its name, with fresh starting weights or pretrained ones.

    With weights, the network's description says which pixels they expect (`network.architecture.input`). Layers that
    they lack, or a last layer of another number of classes, start anew, which is said.

    Args:
        name: `paper`, `single`, `cifar-18pct` …; `alexnet.catalogue` has them all.
        num_classes: Units of the last layer; if not given, those of the weights, else the architecture's own number.
        weights: What `read` takes, or what it gave.
        seed: Of the starting weights.

    Raises:
        UsageError: If no network has this name, or there are no such weights.
        DataError: If the weights cannot be read, or do not fit.
    """
    architecture = named(name)
    if weights is not None and not isinstance(weights, Weights):
        weights = read(weights)
    if num_classes is None and weights is not None:
        scores = weights.tensors.get(f"{architecture.layers[-1].name}.bias")
        num_classes = None if scores is None else len(scores)
    if num_classes is not None:
        architecture = architecture.with_classes(num_classes)
    if weights is not None and weights.input not in (None, architecture.input):
        # The start that would be dead on such pixels is that of conv1, which comes from the weights.
        architecture = replace(architecture, input=weights.input, dead_start_allowed=True)
    network = initialise(Network(architecture), seed)
    if weights is not None:
        for note in fit(network, weights):
            say(f"note: {note}")
    return network

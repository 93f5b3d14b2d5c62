"""Pretrained folders, as the Hub lays them out: all that is needed to show a trained network pictures.

config.json              model_type alexnet, format, network, classes, recipe, digests of the two files
model.safetensors        the weights under plain names
statistics.safetensors   mean image, colour axes and deviations of the pictures that it learned from
README.md                the model card
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.data.store import Statistics
from alexnet.durable import atomic_file, atomic_folder, file_digest, write_atomic, write_json
from alexnet.errors import DataError, UsageError
from alexnet.nn.network import Network
from alexnet.recipe import Recipe
from alexnet.weights import safetensors
from alexnet.weights.card import card
from alexnet.weights.content import plain_tensors
from alexnet.weights.places import CONFIG, MODEL, STATISTICS, local

FORMAT = 1
MODEL_TYPE = "alexnet"
CARD = "README.md"


@dataclass(frozen=True)
class Pretrained:
    """A trained network with what it needs to be shown pictures.

    Attributes:
        network: The module, in evaluation mode, on the CPU.
        statistics: Of the pictures that it learned from.
        classes: Names, in the order of the scores.
        recipe: What it was trained with.
    """

    network: Network
    statistics: Statistics
    classes: tuple[str, ...]
    recipe: Recipe


@dataclass(frozen=True)
class Folder:
    """What a pretrained folder holds; the weights were compared with the network, which is not made yet."""

    tensors: dict[str, Tensor]
    architecture: Architecture
    statistics: Statistics
    classes: tuple[str, ...]
    recipe: Recipe


def write_pretrained(
    folder: Path,
    network: Network,
    statistics: Statistics,
    classes: Sequence[str],
    recipe: Recipe,
    *,
    results: Mapping[str, float] | None = None,
    data: str = "",
) -> None:
    """Write a pretrained folder, whole or not at all; one of ours that lies there is replaced.

    Args:
        folder: Where to.
        network: What was trained.
        statistics: Of the store that it learned from.
        classes: Names, in the order of the scores.
        recipe: What it was trained with.
        results: For the card: what was measured, and on what, as `{"top-1, test": 0.85}`.
        data: For the card: what it learned from, in a sentence.

    Raises:
        UsageError: If something else lies there, or the classes are not as many as the scores.
        AlexNetError: If the disk is full or the folder cannot be written.
    """
    _refuse_foreign(folder)
    architecture = network.architecture
    if len(classes) != architecture.classes:
        raise UsageError(f"{len(classes)} names for {architecture.classes} classes: give one for each score, in order")
    with atomic_folder(folder) as made:
        with atomic_file(made / MODEL) as stream:
            safetensors.write(stream, plain_tensors(network), architecture, classes)
        write_atomic(made / STATISTICS, save(safetensors.statistics_tensors(statistics)))
        write_atomic(
            made / CARD, card(architecture, classes, recipe, results or {}, data).encode(errors="backslashreplace")
        )
        config = {
            "model_type": MODEL_TYPE,
            "format": FORMAT,
            "alexnet_version": version("alexnet"),
            "architecture": architecture.to_json(),
            "classes": list(classes),
            "recipe": recipe.to_json(),
            "sha256": {name: file_digest(made / name) for name in (MODEL, STATISTICS)},
        }
        write_json(made / CONFIG, config)


def _refuse_foreign(folder: Path) -> None:
    """Refuse a place that holds anything but a pretrained folder."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        ours = json.loads((folder / CONFIG).read_bytes())["model_type"] == MODEL_TYPE
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise UsageError(f"{folder} exists and is no pretrained folder of alexnet: choose another place, or remove it")
    if foreign := {entry.name for entry in folder.iterdir()} - {CONFIG, MODEL, STATISTICS, CARD}:
        lost = min(foreign)
        raise UsageError(f"{folder} holds {lost} too, which would be lost: write to another place, copy from there")


def read_folder(folder: Path) -> Folder:
    """Read a pretrained folder.

    Raises:
        DataError: If a file is missing, torn or altered, or of another version.
    """
    config = _config(folder)
    for name in (MODEL, STATISTICS):
        file = folder / name
        if not file.is_file():
            raise DataError(f"{file} is missing: fetch or write the folder again")
        if file_digest(file) != config["sha256"].get(name):
            raise DataError(f"{file} is damaged (its digest is not that of {CONFIG}): fetch or write the folder again")
    architecture = Architecture.from_json(config["architecture"])
    found = safetensors.read(folder / MODEL)
    safetensors.refuse_other(found.tensors, architecture, folder / MODEL)
    try:
        statistics = safetensors.statistics_of(load_file(folder / STATISTICS), folder / STATISTICS)
        recipe = Recipe.from_json(config["recipe"])
    except (SafetensorError, OSError, TypeError, AttributeError, UsageError) as error:
        raise DataError(f"{folder} is not in order ({error}): fetch or write it again") from error
    classes = safetensors.class_names(config["classes"], folder / CONFIG)
    if statistics is None or classes is None or len(classes) != architecture.classes:
        raise DataError(f"{folder} lacks statistics, or a name for each class: fetch or write it again")
    return Folder(found.tensors, architecture, statistics, classes, recipe)


def _config(folder: Path) -> dict[str, Any]:
    """Read what the folder says of itself."""
    file = folder / CONFIG
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read ({error}): fetch or write the folder again") from error
    if not isinstance(config, dict) or config.get("model_type") != MODEL_TYPE:
        raise DataError(f"{file} is of no network of alexnet: give a folder that it wrote")
    if config.get("format") != FORMAT:
        raise DataError(f"{file} is of format {config.get('format')}, not {FORMAT}: use the alexnet that wrote it")
    if missing := [key for key in ("architecture", "classes", "recipe", "sha256") if not config.get(key)]:
        raise DataError(f"{file} lacks {', '.join(missing)}: fetch or write the folder again")
    if not isinstance(config["sha256"], dict):
        raise DataError(f"{file} tells no digests: fetch or write the folder again")
    return config


def read_pretrained(source: str | Path) -> Pretrained:
    """Read a pretrained folder, or one on the Hub.

    Args:
        source: Its path, or `hub:OWNER/NAME`, with `@REVISION` where it is to be a certain one.

    Raises:
        UsageError: If it does not exist, or is no pretrained folder.
        DataError: If it is torn, altered, or of another version.
        AlexNetError: If it cannot be fetched.
    """
    folder = local(source)
    if not (folder / CONFIG).is_file():
        raise UsageError(f"{source} is no pretrained folder (no {CONFIG} in it): give one, or hub:OWNER/NAME")
    held = read_folder(folder)
    network = Network(held.architecture)
    network.load_state_dict(held.tensors)
    return Pretrained(network.eval(), held.statistics, held.classes, held.recipe)

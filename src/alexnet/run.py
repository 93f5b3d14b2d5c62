"""The Run: a folder that holds all about one training: what was asked, the log, the checkpoints.

    recipe.json  architecture.json  classes.json  store.json  weights.json (what it began with, if pretrained)
    log.jsonl (a row an epoch)  updates.jsonl (a row each ten updates)
    checkpoints/IMAGES.safetensors (the newest few)  latest.json (points at the newest)  best.safetensors

A checkpoint is one safetensors file; its metadata says in JSON what network it belongs to, so `best.safetensors` can be
used without the folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from alexnet.architectures import Architecture
from alexnet.data.augment import View
from alexnet.data.store import Statistics, Store
from alexnet.durable import atomic_folder, write_atomic, write_json
from alexnet.errors import DataError, UsageError
from alexnet.nn.network import Network, load_weights, placed
from alexnet.recipe import Recipe
from alexnet.weights import Weights, read, safetensors
from alexnet.weights.safetensors import FORMAT

UPDATES = "updates.jsonl"
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        tensors: By name: `network.conv1.weight`, `statistics.mean_image` …
        facts: Plain data: architecture, recipe, classes, position in training …
    """

    tensors: Mapping[str, Tensor]
    facts: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write to `path`, whole or not at all."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
        write_atomic(path, save(tensors, {"alexnet": json.dumps({"format": FORMAT, **self.facts})}))

    @staticmethod
    def read(path: Path, device: torch.device | str = "cpu") -> "Checkpoint":
        """Read from `path`.

        Raises:
            DataError: If the file is missing, torn, not a checkpoint of ours, or of another version.
        """
        try:
            with safe_open(path, "pt", device=str(device)) as file:
                facts = json.loads((file.metadata() or {}).get("alexnet", "null"))
                if not isinstance(facts, dict):
                    raise DataError(f"{path} is no checkpoint of alexnet: give one that alexnet train wrote")
                if (found := facts.get("format")) != FORMAT:
                    raise DataError(f"{path} is of format {found}, not {FORMAT}: use the alexnet that wrote it")
                return Checkpoint({name: file.get_tensor(name) for name in file.keys()}, facts)  # noqa: SIM118
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing: train first, or name another run") from error
        except (SafetensorError, OSError, ValueError) as error:
            raise DataError(
                f"{path} cannot be read as a checkpoint ({error}): restore it, or use another one"
            ) from error

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Give the tensors under `prefix.`, without it."""
        return {
            name.removeprefix(f"{prefix}."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{prefix}.")
        }


def network_facts(architecture: Architecture, recipe: Recipe, classes: list[str]) -> dict[str, Any]:
    """Give what makes a checkpoint usable on its own."""
    return {"architecture": architecture.to_json(), "recipe": recipe.to_json(), "classes": classes}


def statistics_tensors(statistics: Statistics) -> dict[str, Tensor]:
    """Give a store's statistics as tensors of a checkpoint."""
    return {f"statistics.{name}": tensor for name, tensor in safetensors.statistics_tensors(statistics).items()}


@dataclass(frozen=True)
class Trained:
    """A network ready to be shown pictures.

    Attributes:
        network: The module.
        view: How stored pictures reach it.
        classes: Names, in the order of the scores.
        recipe: What it was trained with; its precision is used again.
    """

    network: Network
    view: View
    classes: list[str]
    recipe: Recipe

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    @staticmethod
    def of(checkpoint: Checkpoint, device: torch.device) -> "Trained":
        """Build the network of a checkpoint and load its weights.

        Raises:
            DataError: If the weights do not belong to the architecture that the checkpoint names.
        """
        try:
            architecture = Architecture.from_json(checkpoint.facts["architecture"])
            recipe = Recipe.from_json(checkpoint.facts["recipe"])
            statistics = Statistics(
                **{name: tensor.cpu().numpy() for name, tensor in checkpoint.part("statistics").items()}
            )
        except (KeyError, TypeError, UsageError) as error:
            raise DataError(f"the checkpoint does not say what it belongs to ({error}): use another one") from error
        network = Network(architecture)
        load_weights(network, checkpoint.part("average") or checkpoint.part("network"))
        view = View(architecture, statistics, recipe.view_side, device)
        return Trained(placed(network, device).eval(), view, checkpoint.facts["classes"], recipe)


class Run:
    """The folder of one training.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path | str) -> None:
        """Open an existing run.

        Raises:
            UsageError: If there is no run.
        """
        self.path = Path(path)
        if not (self.path / "architecture.json").is_file():
            raise UsageError(
                f"{self.path} is no run (no architecture.json in it): give the folder that alexnet train made"
            )

    @staticmethod
    def create(
        path: Path, architecture: Architecture, recipe: Recipe, store: Store, weights: Weights | None = None
    ) -> "Run":
        """Make the folder, whole or not at all, and write down what is asked.

        Raises:
            UsageError: If the folder holds something already.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"{path} exists already: resume it with `alexnet resume {path}`, or choose another --run")
        with atomic_folder(path) as folder:
            (folder / "checkpoints").mkdir()
            write_json(folder / "recipe.json", recipe.to_json())
            write_json(folder / "classes.json", store.classes)
            facts = {"path": str(store.path.resolve()), "digest": store.digest, "side": store.side}
            write_json(folder / "store.json", facts)
            if weights is not None:
                # A relative path would mean another file for whoever resumes from elsewhere.
                source = str(Path(weights.source).resolve()) if Path(weights.source).exists() else weights.source
                write_json(folder / "weights.json", {"source": source, "digest": weights.digest})
            write_json(folder / "architecture.json", architecture.to_json())
        return Run(path)

    def _json(self, name: str, *keys: str) -> dict[str, Any]:
        """Read one of the folder's JSON files, which must hold these keys."""
        try:
            value = json.loads((self.path / name).read_text(encoding="utf-8"))
            if not isinstance(value, dict) or (missing := [key for key in keys if key not in value]):
                raise ValueError(f"it lacks {', '.join(missing)}" if isinstance(value, dict) else "it holds no fields")
            return value
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path / name} cannot be read ({error}): restore it, or train again") from error

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return Architecture.from_json(self._json("architecture.json"))

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return Recipe.from_json(self._json("recipe.json"))

    def store(self) -> Store:
        """Open the store that the run learns from.

        Raises:
            DataError: If it is gone or another one lies in its place.
        """
        facts = self._json("store.json", "path", "digest")
        if not Path(facts["path"]).is_dir():
            raise DataError(f"{self.path} learned from {facts['path']}, which is gone: prepare it again there")
        store = Store(Path(facts["path"]))
        if store.digest != facts["digest"]:
            raise DataError(
                f"{store.path} is another store than {self.path} learned from: prepare that one again there"
            )
        return store

    def told(self) -> str:
        """Say what it learned from, and what it began with, in a sentence."""
        store = self._json("store.json", "path", "digest")
        begun = ""
        if (self.path / "weights.json").is_file():
            weights = self._json("weights.json", "source", "digest")
            begun = f"; it began with the weights of {Path(weights['source']).name} (SHA-256 {weights['digest']})"
        return f"the store {Path(store['path']).name} (digest {store['digest']}){begun}."

    def weights(self) -> Weights | None:
        """Read the weights again that the run began with, if it began with any.

        Raises:
            DataError: If they are gone or others lie in their place.
        """
        if not (self.path / "weights.json").is_file():
            return None
        facts = self._json("weights.json", "source", "digest")
        weights = read(facts["source"])
        if weights.digest != facts["digest"]:
            raise DataError(f"{facts['source']} holds other weights than {self.path} began with: put those back")
        return weights

    def log(self) -> list[dict[str, Any]]:
        """Read the log: a row an epoch."""
        file = self.path / "log.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []

    def write_log(self, rows: list[dict[str, Any]]) -> None:
        """Write the whole log; a resumed run drops rows after its checkpoint this way."""
        write_atomic(self.path / "log.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())

    def log_update(self, row: dict[str, Any]) -> None:
        """Add a row to `updates.jsonl`."""
        with open(self.path / UPDATES, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def cut_updates(self, update: int) -> None:
        """Drop the rows of `updates.jsonl` behind an update, and a last one that was torn."""
        file = self.path / UPDATES
        if file.exists():
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
            kept = [row for row in rows if row["update"] <= update]
            write_atomic(file, "".join(json.dumps(row) + "\n" for row in kept).encode())

    def save(self, checkpoint: Checkpoint, images_seen: int) -> Path:
        """Write a checkpoint named by the pictures seen, point at it, and remove all but the newest few."""
        folder = self.path / "checkpoints"
        path = folder / f"{images_seen}.safetensors"
        checkpoint.write(path)
        write_json(self.path / "latest.json", {"checkpoint": f"checkpoints/{path.name}", "images_seen": images_seen})
        others = sorted({*folder.glob("*.safetensors")} - {path}, key=lambda file: int(file.stem))
        for old in others[: 1 - KEPT]:
            old.unlink()
        return path

    @property
    def has_checkpoint(self) -> bool:
        """Whether one was saved."""
        return (self.path / "latest.json").is_file()

    def latest(self) -> Path:
        """Find the newest checkpoint.

        Raises:
            DataError: If none was saved yet.
        """
        if not self.has_checkpoint:
            raise DataError(f"{self.path} has no checkpoint yet: go on with `alexnet resume {self.path}`")
        return self.path / self._json("latest.json", "checkpoint")["checkpoint"]

    def trained(self, device: torch.device | str = "cpu") -> Trained:
        """Load the best network of the run: `best.safetensors`, or the newest checkpoint before that exists."""
        best = self.path / "best.safetensors"
        return Trained.of(Checkpoint.read(best if best.is_file() else self.latest()), torch.device(device))

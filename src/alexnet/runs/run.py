"""The Run: a folder that holds all about one training: what was asked, the log, the checkpoints.

recipe.json  architecture.json  classes.json  store.json  weights.json (what it began with, if pretrained)
log.jsonl (one row per epoch)  updates.jsonl (one per ten updates)
checkpoints/IMAGES.safetensors (the newest few)  latest.json (points at the newest)  best.safetensors
.lock (held by the command that changes the run)
"""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from alexnet import rotation, sealed
from alexnet.architectures import Architecture
from alexnet.data.store import Store
from alexnet.durable import lock, sweep_folder, write_error, write_json
from alexnet.errors import DataError, UsageError
from alexnet.recipe import Recipe
from alexnet.runs import differences
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.journal import Journal
from alexnet.runs.trained import Trained
from alexnet.weights import Weights, read

LOCK = ".lock"


class Run:
    """The folder of one training.

    Attributes:
        path: The folder.
        journal: Its log.
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

        self.journal = Journal(self.path)

    @staticmethod
    def lies_at(path: Path) -> bool:
        """Whether a run was made there; one whose making was cut short is none yet."""
        return (path / "architecture.json").is_file()

    @staticmethod
    def create(
        path: Path, architecture: Architecture, recipe: Recipe, store: Store, weights: Weights | None = None
    ) -> "Run":
        """Make the folder, and write down what is asked; `architecture.json`, which makes it a run, comes last.

        Where another command may make the same run, the caller holds it (`held`).

        Raises:
            UsageError: If the folder holds something already.
            AlexNetError: If it cannot be written.
        """
        facts = _facts(store)
        written = {"recipe.json": recipe.to_json(), "classes.json": store.classes, "store.json": facts}
        if weights is not None:
            # A relative path would mean another file for whoever resumes from elsewhere.
            source = str(Path(weights.source).resolve()) if Path(weights.source).exists() else weights.source
            written["weights.json"] = {"source": source, "digest": weights.digest}
        written["architecture.json"] = architecture.to_json()
        refuse_taken(path)
        try:
            (path / rotation.FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(path, error) from error
        sweep_folder(path)
        (path / "weights.json").unlink(missing_ok=True)  # of a making that was killed, and is not asked for now
        for name, value in written.items():
            write_json(path / name, value)
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

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the scores."""
        try:
            value = json.loads((self.path / "classes.json").read_bytes())
            if not isinstance(value, list):
                raise ValueError("it holds no list")
            return [str(name) for name in value]
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path / 'classes.json'} cannot be read ({error}): restore it") from error

    def store(self, moved: Path | None = None, allow_changes: bool = False) -> Store:
        """Open the store that the run learns from.

        Args:
            moved: Where it lies now.
            allow_changes: Take another one, too.

        Raises:
            DataError: If it is gone or another one lies in its place.
        """
        facts = self._json("store.json", "path", "digest")
        path = Path(facts["path"]) if moved is None else moved
        if moved is None and not path.is_dir():
            way_out = "prepare it again there, or say with --store where it lies"
            raise DataError(f"{self.path} learned from {path}, which is gone: {way_out}")
        store = Store(path)
        if store.digest == facts["digest"] or allow_changes:
            return store
        told = "".join(f"; {text}" for text in differences.of_classes(self.classes, store.classes))
        raise DataError(
            f"{path} is another store than {self.path} learned from (digest {store.digest[:12]}, was "
            f"{str(facts['digest'])[:12]}{told}): say with --store where that lies; alexnet resume "
            f"{self.path} --allow-changes goes on learning from another"
        )

    def learns_from(self, store: Store) -> None:
        """Write down from which store it learns, if that has moved or is another."""
        facts = _facts(store)
        if self._json("store.json") != facts:
            write_json(self.path / "classes.json", store.classes)
            write_json(self.path / "store.json", facts)

    def refuse_other(
        self, architecture: Architecture, recipe: Recipe, store: Store, weights: Weights | None = None
    ) -> None:
        """Refuse to go on with the run as what was not asked when it was made.

        Raises:
            UsageError: If something differs; the message names it.
        """
        odd = [
            *differences.of_recipes(self.recipe, recipe),
            *differences.of_networks(self.architecture, architecture),
        ]
        if (was := self._json("store.json", "path", "digest"))["digest"] != store.digest:
            odd.append(f"store: was {was['path']} (digest {was['digest'][:12]}), is {store.path}")
        begun = self._json("weights.json", "source", "digest") if (self.path / "weights.json").is_file() else {}
        if begun.get("digest") != (weights and weights.digest):
            now = weights.source if weights else "none"
            odd.append(f"weights: were {begun.get('source', 'none')}, are {now}")
        if odd:
            raise UsageError(
                f"{self.path} exists already, with other arguments ({'; '.join(odd)}): resume it with "
                f"`alexnet resume {self.path}`, or choose another --run"
            )

    def result(self) -> tuple[str, float] | None:
        """Tell the top-1 of its best network as the log has it, and on which split; None where that is not known."""
        rows, watched = self.log(), self._json("store.json").get("watched")
        if not rows or watched is None:
            return None
        # As `best.safetensors` was chosen: by val, never by test.
        return watched, max(row["val_top1"] for row in rows) if watched == "val" else rows[-1]["val_top1"]

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
        """Read the log: one row per epoch.

        Raises:
            DataError: If it is damaged.
        """
        return self.journal.rows()

    def save(self, checkpoint: Checkpoint, images_seen: int) -> Path:
        """Write a checkpoint named by the pictures seen, point at it, and remove all but the newest few.

        Raises:
            AlexNetError: If it cannot be written; those before it are kept.
        """
        return rotation.keep(self.path, images_seen, checkpoint.write_to, checkpoint.size)

    @property
    def has_checkpoint(self) -> bool:
        """Whether one was saved."""
        return rotation.any_saved(self.path)

    def latest(self) -> Path:
        """Find the newest checkpoint that is whole.

        Raises:
            DataError: If none was saved yet, or none is whole.
        """
        return rotation.newest(self.path, sealed.check)[0]

    def newest(self) -> Checkpoint:
        """Read the newest checkpoint that is whole.

        Raises:
            DataError: If none was saved yet, or none is whole.
        """
        return rotation.newest(self.path, Checkpoint.read)[1]

    def trained(self, device: torch.device | str = "cpu") -> Trained:
        """Load the best network of the run: `best.safetensors`, or the newest checkpoint before that exists."""
        return Trained.of(rotation.best(self.path, Checkpoint.read)[1], torch.device(device))


def held(path: Path) -> AbstractContextManager[None]:
    """Let no other command make or change the run at `path` while the block runs.

    Raises:
        AlexNetError: If another one holds it; the message tells who.
    """
    return lock(path / LOCK, str(path))


def refuse_taken(path: Path) -> None:
    """Refuse a place for a new run that holds something; what a killed making left there is nothing."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file, and a run is a folder: choose another --run")
    names = {entry.name for entry in path.iterdir()} if path.exists() else set()
    left = {LOCK, rotation.FOLDER, "recipe.json", "classes.json", "store.json", "weights.json"}
    if foreign := [name for name in names - left if not (name.startswith(".") and ".tmp-" in name)]:
        raise UsageError(
            f"{path} exists already and holds {min(foreign)}: resume it with `alexnet resume {path}` if it is a run, "
            "or choose another --run"
        )


def _facts(store: Store) -> dict[str, Any]:
    """Tell what a run has to know of its store."""
    return {
        "path": str(store.path.resolve()),
        "digest": store.digest,
        "side": store.side,
        "watched": store.watched.name,
    }

"""All that a page tells of one run, read from its folder and, where that is there, from its store."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from alexnet import rotation, sealed
from alexnet.architectures import Architecture
from alexnet.data.store import Store
from alexnet.durable import file_digest
from alexnet.errors import DataError, UsageError
from alexnet.filters import conv1_kernels
from alexnet.prediction import load
from alexnet.recipe import Recipe
from alexnet.report.log import Log, read_log
from alexnet.report.looking import Look, look
from alexnet.runs.run import Run


@dataclass(frozen=True)
class Account:
    """What is known of a run.

    Attributes:
        path: Its folder.
        architecture: Its network.
        recipe: Its recipe.
        classes: Their names.
        log: Its epochs.
        store: What it learned from, or other pictures of its classes; None if that is not there.
        no_store: Why it is not there.
        told: What it learned from, and what it began with, in a sentence.
        checkpoint: The file whose network is told of.
        digest: SHA-256 of that file.
        kernels: Of conv1; None if it does not look at colours.
        look: What the network makes of pictures; None without a store.
    """

    path: Path
    architecture: Architecture
    recipe: Recipe
    classes: list[str]
    log: Log
    store: Store | None
    no_store: str
    told: str
    checkpoint: Path
    digest: str
    kernels: Float[np.ndarray, "n 3 k k"] | None
    look: Look | None

    @property
    def name(self) -> str:
        """What the run is called on its page."""
        return self.log.name

    def called(self, name: str) -> "Account":
        """Give the same under another name."""
        return replace(self, log=replace(self.log, name=name))

    @property
    def figures(self) -> dict[str, float | None]:
        """Results by metric: on the split that was looked at, or else on held-out pictures, as its log has them."""
        last = {key: float(self.log[key][-1]) for key in ("train_loss", "train_top1")}
        if self.look:
            result = self.look.result
            known: dict[str, float | None] = {"top1": result.top1, "top5": result.top5, "loss": result.loss}
        else:
            known = {key: float(self.log[f"val_{key}"][-1]) for key in ("top1", "top5", "loss")}
        return {key: None if value is None or np.isnan(value) else value for key, value in {**known, **last}.items()}


def account_of(
    path: Path,
    moved: Path | None = None,
    split: str | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda images: None,
    with_neighbors: bool = True,
) -> Account:
    """Read a run, and look at its store's pictures.

    Args:
        path: Folder of the run.
        moved: Where its store lies now, or another store of the same classes.
        split: Which pictures are looked at; by default test, or val where there is none.
        device: Where the network computes.
        progress: Called with numbers of pictures while they are looked at.
        with_neighbors: Search the training pictures too, which takes longest.

    Raises:
        UsageError: If there is no run, or `moved` has other classes or no such split.
        DataError: If something cannot be read.
        AlexNetError: If vectors of the training pictures cannot be written beside the run.
    """
    run = Run(path)
    log = read_log(path)
    store, why = store_of(run, moved)
    model = load(path, device)
    seen = None
    if store is not None:
        seen = look(model, store, store.split(split).name, path / "features" if with_neighbors else None, progress)
    checkpoint = rotation.best(path, sealed.check)[0]
    try:
        kernels = conv1_kernels(model.network)
    except UsageError:
        kernels = None
    facts = run.architecture, run.recipe, run.classes, log, store, why, run.told()
    return Account(path, *facts, checkpoint, file_digest(checkpoint), kernels, seen)


def store_of(run: Run, moved: Path | None) -> tuple[Store | None, str]:
    """Open the store of a run; where it is gone or another one, give the reason instead.

    Raises:
        UsageError: If the one that was named has other classes.
    """
    if moved is not None:
        store = Store(moved)
        if store.classes != run.classes:
            raise UsageError(f"{moved} has other classes than {run.path}: give a store of the same classes")
        return store, ""
    try:
        return run.store(), ""
    except (DataError, UsageError) as error:
        return None, str(error)


def pictures_of(run: Path, moved: Path | None, split: str | None, with_neighbors: bool = True) -> int:
    """Count the pictures that `account_of` will look at, with neighbors the training pictures twice, too."""
    store, _ = store_of(Run(run), moved)
    if store is None:
        return 0
    looked_at = store.split(split)
    searched = with_neighbors and looked_at.name != "train"
    return len(looked_at) + 2 * len(store.splits["train"]) * searched

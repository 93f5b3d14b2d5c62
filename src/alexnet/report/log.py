"""The log of a run as columns of numbers, to be drawn and told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from alexnet.errors import DataError

KEYS = (
    *("epoch", "images_seen", "lr", "train_loss", "train_top1", "val_loss", "val_top1", "val_top5"),
    *("images_per_second", "seconds"),
)


@dataclass(frozen=True)
class Log:
    """The log of a run, one number per epoch; NaN where the run did not measure.

    Attributes:
        name: What the run is called in pictures and tables.
        columns: A row of numbers for each key of `log.jsonl`.
    """

    name: str
    columns: dict[str, Float[np.ndarray, " epochs"]]

    def __getitem__(self, key: str) -> Float[np.ndarray, " epochs"]:
        return self.columns[key]


def names_apart(runs: Sequence[Path]) -> list[str]:
    """Call runs by their folders, with as many of the folders above as tell them apart.

    >>> names_apart([Path("/dogs/first"), Path("/cats/first"), Path("/cats/second")])
    ['dogs/first', 'cats/first', 'cats/second']
    """
    paths = [run.resolve() for run in runs]
    depth = 1
    while len({path.parts[-depth:] for path in paths}) < len(set(paths)):
        depth += 1
    return ["/".join(path.parts[-depth:]) for path in paths]


def read_log(run: Path) -> Log:
    """Read `log.jsonl` of a run; a last line that is still being written is left out.

    Raises:
        DataError: If there is no log, no finished epoch in it, or a line in it is damaged.
    """
    path = run / "log.jsonl"
    if not path.is_file():
        raise DataError(f"no log.jsonl in {run}: give the folder of a run that has trained")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # whatever follows the last line end is unfinished
        entries = [json.loads(line) for line in lines if line]
        epochs = {entry["epoch"]: [_number(entry.get(key)) for key in KEYS] for entry in entries}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}): remove the damaged line") from error
    if not epochs:
        raise DataError(f"no finished epoch in {path}: train for one epoch or more")
    rows = np.array([epochs[epoch] for epoch in sorted(epochs)])
    return Log(names_apart([run])[0], dict(zip(KEYS, rows.T, strict=True)))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)

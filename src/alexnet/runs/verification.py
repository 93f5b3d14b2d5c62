"""Whether a run is sound: every byte of its checkpoints, and every other file that a command would read."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch

from alexnet import rotation
from alexnet.errors import AlexNetError
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.journal import LOG, UPDATES
from alexnet.runs.run import Run, held

Problem = dict[str, Any]


def verify_run(path: Path | str) -> list[Problem]:
    """List what is wrong with a run, which no other command may change meanwhile.

    Returns:
        The problems, each with its `file`, `record` (a line of a log, counted from 0, or None) and `problem`.

    Raises:
        UsageError: If there is no run.
        AlexNetError: If another command holds it.
    """
    run = Run(path)
    # Where nothing can be written, nothing changes.
    with held(run.path) if os.access(run.path, os.W_OK) else nullcontext():
        return [*_settings(run), *_checkpoints(run), *_logs(run)]


def _settings(run: Run) -> Iterator[Problem]:
    """Look at what was asked."""
    for name in ("recipe", "architecture", "classes"):
        yield from _problem(run, f"{name}.json", partial(getattr, run, name))
    yield from _problem(run, "store.json", run.told)


def _checkpoints(run: Run) -> Iterator[Problem]:
    """Look at the checkpoints, the best network, and what points at them."""
    files = rotation.newest_first(run.path)
    for file in [*files, *run.path.glob(rotation.BEST)]:
        yield from _problem(run, str(file.relative_to(run.path)), partial(_look, run, file))
    if not (run.path / rotation.BEST).is_file() and _had_best(run):
        yield _told(rotation.BEST, None, "it is missing: the newest checkpoint is used in its place")
    if files and rotation.pointed_at(run.path) is None:
        yield _told(
            rotation.POINTER, None, "it names no checkpoint that is there: resume the run, which writes it anew"
        )


def _had_best(run: Run) -> bool:
    """Whether an epoch has ended after which the best network was written."""
    try:
        result = run.result()
    except AlexNetError:
        return False  # told elsewhere
    return result is not None and result[0] == "val"


def _look(run: Run, file: Path) -> None:
    checkpoint = Checkpoint.read(file)
    checkpoint.refuse_other(run.architecture)
    for name, tensor in checkpoint.weights.items():
        if not torch.isfinite(tensor).all():
            raise AlexNetError(f"{name} is not finite: remove it, and resume from the one before")


def _logs(run: Run) -> Iterator[Problem]:
    """Look at each row of the logs."""
    for name in (LOG, UPDATES):
        file = run.path / name
        for number, line in enumerate(file.read_bytes().splitlines() if file.is_file() else []):
            try:
                sound = isinstance(json.loads(line), dict)
            except ValueError:
                sound = False
            if not sound:
                yield _told(name, number, "it is torn: resume writes the log anew")


def _problem(run: Run, name: str, look: Callable[[], object]) -> Iterator[Problem]:
    """Give what an error says of a file."""
    try:
        look()
    except AlexNetError as error:
        yield _told(name, None, str(error).removeprefix(f"{run.path / name} "))


def _told(file: str, record: int | None, problem: str) -> Problem:
    return {"file": file, "record": record, "problem": problem}

"""Training and scoring by the clock: from typing `alexnet train` to the end of `alexnet evaluate`.

Both commands are run as anybody types them, each in a process of its own; starting Python, checks after each epoch,
checkpoints and the drawing of curves are in the time. Times are honest only on a machine that does nothing else; the
processors' own time is kept beside them.
"""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from alexnet.architectures import Architecture
from alexnet.catalogue import named
from alexnet.data.store import digest_at
from alexnet.durable import write_json
from alexnet.errors import AlexNetError, UsageError
from alexnet.experiments.evidence import note_maker
from alexnet.progress import say
from alexnet.recipe import Recipe
from alexnet.variations import vary


@dataclass(frozen=True)
class Way:
    """A way to train and to score.

    Attributes:
        arch: Name of the network.
        changes: What `--vary` gets.
        recipe: Of which the seed is set for each run.
        crops: How many crops are averaged at test.
        seeds: One run each.
    """

    arch: str
    changes: tuple[str, ...]
    recipe: Recipe
    crops: int = 1
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    @property
    def network(self) -> Architecture:
        """The network, varied."""
        return vary(named(self.arch), *self.changes)

    def with_changes(self, **fields: object) -> "Way":
        """Give the same with other fields of the recipe."""
        return replace(self, recipe=self.recipe.with_changes(**fields))


@dataclass(frozen=True)
class Timed:
    """What one clocked run came to.

    Attributes:
        top1: On the test pictures.
        seconds: By the clock.
        processor_seconds: Of all processors.
    """

    top1: float
    seconds: float
    processor_seconds: float


def clocked(way: Way, store: Path, path: Path, seed: int) -> Timed:
    """Train and score once, by the clock; what an earlier call measured to its end is taken as it is.

    A training that was stopped goes on, and the time of all its parts counts. Where nobody knows how long they took, it
    begins anew.

    Args:
        way: How.
        store: Prepared pictures.
        path: Folder of the run; beside it lie its recipe and what was measured.
        seed: Of the run.

    Raises:
        AlexNetError: If a command fails.
        UsageError: If `path` is that of another way, or of other pictures.
    """
    file, part, recipe = (path.with_name(f"{path.name}{end}") for end in (".json", ".part.json", ".recipe.json"))
    asked = {"arch": way.arch, "changes": list(way.changes), "crops": way.crops, "recipe": way.recipe.to_json()}
    asked |= {"seed": seed, "store": digest_at(store)}
    if file.is_file():
        return read(file, asked)
    goes_on = part.is_file()
    spent = read(part, asked) if goes_on else Timed(0.0, 0.0, 0.0)
    if not goes_on:
        shutil.rmtree(path, ignore_errors=True)
    part.unlink(missing_ok=True)
    write_json(recipe, way.recipe.to_json())
    note_maker(path, goes_on)
    words = ["train", str(store), "--arch", way.arch, "--recipe", str(recipe), "--seed", str(seed), "--run", str(path)]
    words += [word for change in way.changes for word in ("--vary", change)]
    begun, before = time.monotonic(), processor_seconds()

    def until_now(top1: float) -> Timed:
        seconds, processors = time.monotonic() - begun, processor_seconds() - before
        return Timed(top1, spent.seconds + seconds, spent.processor_seconds + processors)

    try:
        typed(words)
        told = json.loads(typed(["evaluate", str(path), "--crops", str(way.crops), "--json"]))
    except (KeyboardInterrupt, AlexNetError):
        write_json(part, {"asked": asked, "timed": asdict(until_now(0.0))})
        raise
    timed = until_now(told["top1"])
    say(f"{path.name}: {timed.top1:.2%} in {timed.seconds:.0f} s, {timed.processor_seconds:.0f} s of processors")
    write_json(file, {"asked": asked, "timed": asdict(timed)})
    return timed


def read(file: Path, asked: dict[str, Any]) -> Timed:
    """Read what was measured, if it is what is asked for."""
    told = json.loads(file.read_text(encoding="utf-8"))
    if told["asked"] != asked:
        raise UsageError(
            f"{file} was clocked in another way, or on other pictures: remove it, or choose another --work"
        )
    return Timed(**told["timed"])


def typed(words: Sequence[str]) -> str:
    """Run a command as a user would, in a process of its own; give what it prints.

    Raises:
        AlexNetError: If it fails.
    """
    command = [sys.executable, "-m", "alexnet", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise AlexNetError(f"alexnet {' '.join(words)} ended with {done.returncode}: mend that, and run this again")
    return done.stdout


def processor_seconds() -> float:
    """Give the time that processors spent on commands that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime

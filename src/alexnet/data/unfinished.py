"""The working folder of a preparation, beside its destination: what is finished in it outlives an interruption.

    .STORE.unfinished/plan.json    what is being made
    .STORE.unfinished/store/       shards; at last all of the store
    .STORE.unfinished/notes/       a note a finished shard: a shard without one does not count

Its name is always the same, so that the same command finds it again. A part of a store is this folder itself.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alexnet.data.notes import Note, note_name
from alexnet.data.plan import Plan
from alexnet.data.store import PLAN
from alexnet.durable import fault, file_digest, lock, publish_folder, sweep_temporaries, write_error
from alexnet.errors import AlexNetError, DataError, Interrupted, UsageError

STORE, NOTES = "store", "notes"
Say = Callable[[str], None]


def sound_note(folder: Path, plan: Plan, split: str, number: int) -> Note:
    """Read the note of a shard in a working folder or a part, and compare the shard with it.

    Raises:
        DataError: If one of them is missing, damaged, or belongs to another store or place.
    """
    file = folder / NOTES / note_name(split, number)
    note = Note.read(file)
    if (note.plan, note.split, note.number) != (plan.digest, split, number):
        raise DataError(f"{file} belongs to another store, or to another shard")
    shard = folder / STORE / note.entry["file"]
    if note.entry["file"] != plan.shard_name(split, number) or not shard.is_file():
        raise DataError(f"{shard} is missing")
    if file_digest(shard) != note.entry["sha256"]:
        raise DataError(f"{shard} is damaged (its digest does not match)")
    return note


class Unfinished:
    """A working folder that is open: held by the lock of its destination.

    Attributes:
        path: The folder.
        plan: What is being made.
        done: The shards that are finished.
        bad: What could not be read in those that were found finished.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan
        self.store, self.notes = path / STORE, path / NOTES
        self.done: set[tuple[str, int]] = set()
        self.bad: list[tuple[str, int, str]] = []

    def open(self, say: Say) -> None:
        """Take over what is finished in the folder."""
        if (begun := plan_in(self.path)) and begun.is_same(self.plan):
            self._find()
        elif any(self.notes.glob("*")):
            say(f"{self.path.name} has no plan that can be read: beginning anew")
        for folder in (self.path, self.store, self.notes):
            folder.mkdir(parents=True, exist_ok=True)
        self.plan.write(self.path)
        self.clean()
        if self.done:
            say(f"going on with an interrupted preparation: {self.progress()} are finished")

    def refuse_loss(self) -> None:
        """Refuse to begin where finished shards of another preparation would be lost.

        Raises:
            UsageError: If there are such.
        """
        begun = plan_in(self.path)
        if begun and not begun.is_same(self.plan) and any(self.notes.glob("*")):
            raise UsageError(
                f"{self.path} keeps finished shards of an interrupted preparation of other pictures or options: "
                "run that one again, or remove the folder"
            )

    def _find(self) -> None:
        for shard in self.plan.own():
            try:
                note = sound_note(self.path, self.plan, *shard)
            except DataError:  # made again
                continue
            self.done.add(shard)
            self.bad += note.bad

    def is_complete(self) -> bool:
        """Tell whether all shards are finished."""
        return len(self.done) == sum(1 for _ in self.plan.own())

    def progress(self) -> str:
        """Count the finished shards, in words."""
        return f"{len(self.done)} of {sum(1 for _ in self.plan.own())} shards"

    def clean(self) -> None:
        """Remove all but the finished shards."""
        kept = {self.path / PLAN, self.store, self.notes}
        for split, number in self.done:
            kept |= {self.store / self.plan.shard_name(split, number), self.notes / note_name(split, number)}
        for folder in (self.store, self.notes, self.path):
            for entry in folder.iterdir():
                if entry not in kept:
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def publish(self, destination: Path) -> None:
        """Give the whole store, or the part, its final name."""
        if self.plan.part is not None:
            publish_folder(self.path, destination)
            return
        publish_folder(self.store, destination)
        fault("store-published")
        shutil.rmtree(self.path, ignore_errors=True)


def plan_in(folder: Path) -> Plan | None:
    """Read the plan in a working folder; None if there is none that this version can read."""
    try:
        return Plan.read(folder)
    except DataError:
        return None


def working_folder(destination: Path) -> Path:
    """Name the working folder."""
    return destination.with_name(f".{destination.name}.unfinished")


@contextmanager
def locked(destination: Path) -> Iterator[None]:
    """Hold the lock of a destination, and remove what a killed writer left beside it.

    Raises:
        AlexNetError: If another process holds it.
    """
    with lock(destination.with_name(f".{destination.name}.lock"), str(destination)):
        sweep_temporaries(destination)
        yield


@contextmanager
def unfinished(destination: Path, plan: Plan, say: Say) -> Iterator[Unfinished]:
    """Open the working folder of a destination, which must be locked; its finished shards outlive an interruption.

    What is refused when all shards are finished leaves nothing: whatever is mended then, it is another preparation.

    Raises:
        Interrupted: After Ctrl-C, if there are finished shards.
        UsageError: If finished shards of another preparation would be lost.
        AlexNetError: If writing fails; the message tells of the finished shards.
    """
    work = Unfinished(working_folder(destination), plan)
    work.refuse_loss()
    try:
        work.open(say)
        yield work
    except BaseException as error:
        if work.is_complete() and isinstance(error, DataError | UsageError):
            work.done.clear()
        kept = _left(work)
        if isinstance(error, OSError):
            error = write_error(destination, error)
        if kept and isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"interrupted; {kept}") from error
        if kept and type(error) in (AlexNetError, DataError, UsageError):
            raise type(error)(f"{error}; {kept}") from error
        raise error


def _left(work: Unfinished) -> str:
    """Tidy an interrupted preparation; say what is left of it."""
    if not work.done:
        shutil.rmtree(work.path, ignore_errors=True)
        return ""
    work.clean()
    return f"{work.progress()} are kept in {work.path}: the same command goes on from there"

"""Where a store, or a part of one, may be written: what lies there must be one too, or nothing."""

import json
import re
from contextlib import suppress
from pathlib import Path

from alexnet.data.plan import FORMAT as PLAN_FORMAT
from alexnet.data.store import FORMAT, MANIFEST, PLAN
from alexnet.data.unfinished import NOTES, STORE, Unfinished
from alexnet.errors import AlexNetError, UsageError

# What stores and parts are made of, in this version of the format and in the one before.
OWN_FILES = re.compile(
    r"(manifest|plan|report)\.json|statistics\.safetensors"
    r"|(train|val|test)\.(images(-\d+)?\.(u8|jpgs)|labels\.i64|ends\.i64|checksums\.u64|crc32\.u32|names\.txt)"
)


def named(destination: Path | str) -> Path:
    """Give a destination a name of its own, which `.` has not."""
    path = Path(destination)
    if not str(destination):
        raise UsageError("the store has no name: say where to write it")
    return path if path.name else path.absolute()


def refuse_destination(destination: Path, source: Path | None, kind: str, part: tuple[int, int] | None = None) -> None:
    """Refuse a place where something else is, or would be, lost; an empty folder may be taken."""
    if source is not None and source.exists():
        here, there_is = destination.resolve(), source.resolve()
        if there_is.is_relative_to(here) or (kind == "folder" and here.is_relative_to(there_is)):
            raise UsageError(f"{destination} and {source} lie in each other: choose another place for the store")
    if destination.is_mount():
        raise UsageError(f"{destination} is where a disk is mounted, which no store can replace: give a folder in it")
    if destination.exists() or destination.is_symlink():
        empty = destination.is_dir() and not destination.is_symlink() and not any(destination.iterdir())
        if not empty and (not destination.is_dir() or destination.is_symlink() or not _is_store(destination)):
            raise UsageError(f"{destination} exists and is not a store: choose another place, or move it away")
        there = _part_of(destination)
        own = {STORE, NOTES} if there else set()
        names = sorted(entry.name for entry in destination.iterdir() if entry.name not in own)
        if foreign := [name for name in names if not OWN_FILES.fullmatch(name)]:
            raise UsageError(f"{destination} holds {foreign[0]} beside the store, which would be lost: move it away")
        if not empty and there != part:
            what = "a whole store" if there is None else f"part {there[0]}/{there[1]}"
            raise UsageError(f"{destination} is {what}, which would be lost: choose another place, or remove it")


def publish(work: Unfinished, destination: Path, source: Path | None, kind: str) -> None:
    """Give what is made its final name, unless something else has come there meanwhile.

    Raises:
        AlexNetError: If so; what is finished is kept.
    """
    try:
        refuse_destination(destination, source, kind, work.plan.part)
    except UsageError as error:
        raise AlexNetError(str(error)) from error
    work.publish(destination)


def _part_of(path: Path) -> tuple[int, int] | None:
    """Tell which part of a store a folder is; None for a whole one, and for a plan that cannot be read."""
    try:
        content = json.loads((path / PLAN).read_bytes())
        number, parts = content["part"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (int(number), int(parts)) if content.get("format") == PLAN_FORMAT else None


def _is_store(path: Path) -> bool:
    """Whether a folder is a store or a part of one, also a damaged one, or one of another version."""
    for name, form in ((MANIFEST, FORMAT), (PLAN, PLAN_FORMAT)):
        with suppress(OSError):
            if f'"{form}"'.encode() in (path / name).read_bytes():
                return True
    return False

"""From a source of pictures to a `Store`: decoded, fitted, checked and counted; whole under its name, or not there.

What is to be written is settled first, as a `Plan`; `shards` writes the pictures, `writing` makes the store of them. No
byte depends on the number of threads or on interruptions: finished shards stay in a working folder, and the same
command goes on after them.
"""

import inspect
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alexnet.data.plan import JPEG_SHARE, WORTH_A_WORD, Plan, chosen_records, shard_examples
from alexnet.data.shards import Progress, write_shards
from alexnet.data.sources import Source
from alexnet.data.sources.cats_dogs import CatsDogs
from alexnet.data.sources.cifar10 import Cifar10
from alexnet.data.sources.folder import Folder
from alexnet.data.sources.hub import Hub
from alexnet.data.sources.imagenet import ImageNet
from alexnet.data.sources.shapes import Shapes
from alexnet.data.sources.stanford_dogs import StanfordDogs
from alexnet.data.store import PLAN, Store, digest_at, read_manifest
from alexnet.data.unfinished import Say, Unfinished, locked, unfinished, unfinished_plan
from alexnet.data.writing import finish
from alexnet.errors import AlexNetError, DataError, UsageError, did_you_mean

SOURCES: dict[str, Callable[..., Source]] = {
    "cats-dogs": CatsDogs,
    "cifar10": Cifar10,
    "folder": Folder,
    "hub": Hub,
    "imagenet": ImageNet,
    "shapes": Shapes,
    "stanford-dogs": StanfordDogs,
}
RECORD_FORMATS = ("auto", "raw", "jpeg")
MAX_SIDE = 4096
# What stores and parts are made of, in this version of the format and in the one before.
OWN_FILES = re.compile(
    r"(manifest|plan|report)\.json|statistics\.safetensors|store|notes"
    r"|(train|val|test)\.(images(-\d+)?\.(u8|jpgs)|labels\.i64|ends\.i64|checksums\.u64|crc32\.u32|names\.txt)"
)


def prepare(
    kind: str,
    source: Path | str | None,
    destination: Path | str,
    *,
    side: int | None = None,
    workers: int = 0,
    strict: bool = False,
    limit: dict[str, int] | None = None,
    records: str = "auto",
    progress: Progress | None = None,
    say: Say | None = None,
    **options: Any,
) -> Store:
    """Write the pictures of a source into a new store: shorter side scaled to `side`, central square cut out (§2).

    Args:
        kind: One of `SOURCES`.
        source: Where the pictures are; None for `shapes`.
        destination: Folder of the store; a store that is there is replaced, anything else is refused.
        side: Of the stored pictures; by default the source's own (CIFAR-10: 32, shapes: 64, folder: 256).
        workers: Threads; 0 takes one a core. No byte of the store depends on it.
        strict: Fail on the first picture that cannot be read, in place of counting it.
        limit: Take only the first so many pictures of a split.
        records: `raw`, `jpeg` (quality 90, about a ninth of the bytes), or `auto`: raw up to 64 GB and half of the free
            disk.
        progress: Called with the pictures done and the number of all (None if it is not known).
        say: Called with what a user should know, a line each.
        options: Of the source: see its class in `SOURCES`.

    Returns:
        The store, open.

    Raises:
        UsageError: If an argument, or the layout of the source, is wrong.
        DataError: If the data are refused: a batch is not the official one, a class has no readable picture, …
        AlexNetError: If writing fails; nothing is left under the destination's name.
        Interrupted: After Ctrl-C, when there are finished shards, from which the same call goes on.
    """
    job = _Job(workers, strict, progress or (lambda done, total: None), say or (lambda text: None))
    destination = _named(destination)
    job.run(kind, source, destination, side, limit or {}, records, None, options)
    return Store(destination)


def _named(destination: Path | str) -> Path:
    """Give a destination a name of its own, which `.` has not."""
    path = Path(destination)
    if not str(destination):
        raise UsageError("the store has no name: say where to write it")
    return path if path.name else path.absolute()


def prepare_part(
    kind: str,
    source: Path | str | None,
    destination: Path | str,
    part: tuple[int, int],
    *,
    side: int | None = None,
    workers: int = 0,
    strict: bool = False,
    limit: dict[str, int] | None = None,
    records: str = "auto",
    progress: Progress | None = None,
    say: Say | None = None,
    **options: Any,
) -> Plan:
    """Write one part of a store, independently of the others; `alexnet.data.merging.merge` joins them.

    Args:
        kind: See `prepare`, as for all others.
        source: The whole of it.
        destination: Folder of the part.
        part: (3, 16) for the third of sixteen. Every split is divided between its shards.
        side: Of the stored pictures.
        workers: Threads.
        strict: Fail on the first picture that cannot be read.
        limit: Take only the first so many pictures of a split, counted over all parts.
        records: `raw`, `jpeg`, or `auto`: raw if the whole store is at most 64 GB.
        progress: Called with the pictures done and the number of all.
        say: Called with what a user should know.
        options: Of the source.

    Returns:
        What the part, and the whole store, are made by.

    Raises:
        UsageError: If there is no such part, or as for `prepare`.
        DataError: As for `prepare`; an empty class is found when the parts are merged.
        AlexNetError: If writing fails.
        Interrupted: After Ctrl-C, when there are finished shards.
    """
    if not 1 <= part[0] <= part[1]:
        raise UsageError(f"there is no part {part[0]}/{part[1]}: write K/N with K from 1 to N, as 3/16")
    job = _Job(workers, strict, progress or (lambda done, total: None), say or (lambda text: None))
    return job.run(kind, source, _named(destination), side, limit or {}, records, part, options)


def _open_source(kind: str, path: Path | None, side: int | None, options: dict[str, Any]) -> tuple[Source, int]:
    """Open the source, and settle the side of the store."""
    if kind not in SOURCES:
        raise UsageError(f"{kind} is no kind of source: {did_you_mean(kind, SOURCES)}")
    if side is not None and not 1 <= side <= MAX_SIDE:
        raise UsageError(f"side must be from 1 to {MAX_SIDE}, not {side}")
    known = [name for name in inspect.signature(SOURCES[kind]).parameters if name not in ("path", "side")]
    for name in options:
        if name not in known:
            raise UsageError(f"{kind} has no option {name}: {did_you_mean(name, known)}")
    if kind == "shapes" and side is not None:
        options = {**options, "side": side}  # drawn at that side, not scaled to it
    reader = SOURCES[kind](path, **options)
    return reader, side or reader.default_side


def _checked_limit(limit: dict[str, int], reader: Source) -> dict[str, int]:
    for split, count in limit.items():
        if split not in reader.splits:
            raise UsageError(f"the source has no split {split} to limit: {did_you_mean(split, reader.splits)}")
        if not 1 <= count <= reader.splits[split]:
            raise UsageError(f"the limit of {split} must be from 1 to {reader.splits[split]}, not {count}")
    return dict(sorted(limit.items()))


def refuse_destination(destination: Path, source: Path | None, kind: str, part: tuple[int, int] | None = None) -> None:
    """Refuse a place where something else is, or would be, lost; an empty folder may be taken."""
    if source is not None and source.exists():
        here, there_is = destination.resolve(), source.resolve()
        if there_is.is_relative_to(here) or (kind == "folder" and here.is_relative_to(there_is)):
            raise UsageError(f"{destination} and {source} lie in each other: choose another place for the store")
    if destination.exists() or destination.is_symlink():
        empty = destination.is_dir() and not destination.is_symlink() and not any(destination.iterdir())
        if not empty and (not destination.is_dir() or destination.is_symlink() or not _is_store(destination)):
            raise UsageError(f"{destination} exists and is not a store: choose another place, or move it away")
        if foreign := sorted(entry.name for entry in destination.iterdir() if not OWN_FILES.fullmatch(entry.name)):
            raise UsageError(f"{destination} holds {foreign[0]} beside the store, which would be lost: move it away")
        if not empty and (there := _part_of(destination)) != part:
            what = "a whole store" if there is None else f"part {there[0]}/{there[1]}"
            raise UsageError(f"{destination} is {what}, which would be lost: choose another place, or remove it")


def _part_of(path: Path) -> tuple[int, int] | None:
    """Tell which part of a store a folder is; None for a whole one, and for a plan that cannot be read."""
    try:
        number, parts = json.loads((path / PLAN).read_bytes())["part"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return int(number), int(parts)


def _is_store(path: Path) -> bool:
    """Whether a folder is a store or a part of one, also a damaged one, or one of another version."""
    try:
        read_manifest(path)
    except DataError:
        return True
    except UsageError:
        return (path / PLAN).is_file() and not (path / "manifest.json").exists()
    return True


def _free(destination: Path) -> int:
    return shutil.disk_usage(destination.parent).free


def _raw_bytes(plan: Plan) -> int:
    return sum(plan.counts.values()) * plan.side**2 * 3


def _with_records(plan: Plan, wanted: str, destination: Path, say: Say) -> Plan:
    """Settle the form of the records; an interrupted preparation keeps the one it began with."""
    if wanted not in RECORD_FORMATS:
        raise UsageError(f"records must be raw, jpeg or auto, not {wanted}")
    if wanted != "auto":
        return replace(plan, records="raw" if wanted == "raw" else "jpeg")
    begun = unfinished_plan(destination)
    if begun is not None and begun.digest == replace(plan, records=begun.records).digest and begun.part == plan.part:
        return replace(plan, records=begun.records)
    records, why = chosen_records(_raw_bytes(plan), None if plan.part else _free(destination))
    if records == "jpeg" or _raw_bytes(plan) >= WORTH_A_WORD:
        say(f"{records} records: {why} (--format chooses)")
    return replace(plan, records=records)


def _refuse_full_disk(work: Unfinished, destination: Path) -> None:
    examples = sum(work.plan.examples(*shard) for shard in work.plan.own() if shard not in work.done)
    needed = examples * work.plan.side**2 * 3 * (1 if work.plan.records == "raw" else JPEG_SHARE)
    if needed > (free := _free(destination)):
        raise AlexNetError(
            f"{destination} needs {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free there: "
            "free some, choose another disk, or a smaller side"
        )


@dataclass(frozen=True)
class _Job:
    """One preparation: how it is done, which changes no byte of what is made."""

    workers: int
    strict: bool
    progress: Progress
    say: Say

    def run(
        self,
        kind: str,
        source: Path | str | None,
        destination: Path,
        side: int | None,
        limit: dict[str, int],
        records: str,
        part: tuple[int, int] | None,
        options: dict[str, Any],
    ) -> Plan:
        """Write a store, or a part of one."""
        path = None if source is None else Path(source)
        reader, side = _open_source(kind, path, side, options)
        limit = _checked_limit(limit, reader)
        if self.workers < 0:
            raise UsageError(f"workers must be 0 (one a core) or more, not {self.workers}")
        refuse_destination(destination, path, kind, part)
        before = digest_at(destination)
        plan = Plan(
            kind=kind,
            fingerprint=reader.fingerprint,
            limit=limit,
            classes=reader.classes,
            side=side,
            records="raw",
            counts={split: limit.get(split, count) for split, count in reader.splits.items()},
            shard_examples=shard_examples(side),
            skipped=list(reader.skipped),
            part=part,
        )
        with locked(destination):
            plan = _with_records(plan, records, destination, self.say)
            with unfinished(destination, plan, self.say) as work:
                _refuse_full_disk(work, destination)
                write_shards(reader, work, self.workers or os.cpu_count() or 1, self.strict, self.progress)
                if part is None:
                    finish(work.store, work.notes, plan)
                work.publish(destination)
        if before not in (None, digest_at(destination)):
            self.say(f"{destination} replaces another store (digest {before[:12]}), which runs may have learned from")
        return plan

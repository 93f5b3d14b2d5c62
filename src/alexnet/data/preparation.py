"""From a source of pictures to a `Store`: decoded, fitted, checked and counted; whole under its name, or not there.

What is to be written is settled first, as a `Plan`; `shards` writes the pictures, `writing` makes the store of them. No
byte depends on the number of threads or on interruptions: finished shards stay in a working folder, and the same
command goes on after them.
"""

import inspect
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alexnet.data.destination import named, publish, refuse_destination
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
from alexnet.data.store import Store, digest_at
from alexnet.data.unfinished import Say, Unfinished, locked, plan_in, unfinished, working_folder
from alexnet.data.writing import finish
from alexnet.errors import AlexNetError, UsageError, did_you_mean

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
    destination = named(destination)
    job.run(kind, source, destination, side, limit or {}, records, None, options)
    return Store(destination)


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
    return job.run(kind, source, named(destination), side, limit or {}, records, part, options)


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
    begun = plan_in(working_folder(destination))
    if begun is not None and begun.is_same(replace(plan, records=begun.records)):
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
        if self.workers < 0:
            raise UsageError(f"workers must be 0 (one a core) or more, not {self.workers}")
        path = None if source is None else Path(source)
        refuse_destination(destination, path, kind, part)
        reader, side = _open_source(kind, path, side, options)
        limit = _checked_limit(limit, reader)
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
                publish(work, destination, path, kind)
        if before not in (None, digest_at(destination)):
            self.say(f"{destination} replaces another store (digest {before[:12]}), which runs may have learned from")
        return plan

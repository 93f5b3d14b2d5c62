"""From a source of pictures to a `Store`: decoded, fitted, checked and counted; whole under its name, or not there.

Chunks of pictures are decoded by threads (the decoders release the interpreter) and written in the order of the
source; statistics are added up in integers. So the number of threads changes no byte.
"""

import inspect
import os
import shutil
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from alexnet.data.decode import Decoded, UnreadablePicture, fit, read, read_file
from alexnet.data.sources import Example, Source
from alexnet.data.sources.cifar10 import Cifar10
from alexnet.data.sources.folder import Folder
from alexnet.data.sources.shapes import Shapes
from alexnet.data.statistics import Totals
from alexnet.data.store import Store, read_manifest
from alexnet.data.writing import Records, StoreWriter, writing
from alexnet.durable import atomic_folder, lock, sweep_temporaries
from alexnet.errors import AlexNetError, DataError, UsageError, did_you_mean

SOURCES: dict[str, Callable[..., Source]] = {"cifar10": Cifar10, "folder": Folder, "shapes": Shapes}
CHUNK_BYTES = 4 << 20
MAX_SIDE = 4096
ENLARGED = "enlarged: smaller than the store's pictures"
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Chunk:
    """Pictures of one split after decoding: records to write, their sums if they train, and the pictures refused.

    Attributes:
        notes: How many of the pictures used were not taken as they are, by what was done.
    """

    records: Records
    totals: Totals
    bad: list[tuple[Example, str]]
    notes: Counter[str]


@dataclass
class Account:
    """What became of every file: counts and, for those not used, names and reasons."""

    used: Counter[tuple[str, int]] = field(default_factory=Counter)  # by split and label
    bad: list[tuple[Example, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, chunk: Chunk) -> None:
        """Count a chunk's pictures."""
        self.used.update((chunk.records.split, label) for label in chunk.records.labels)
        self.bad += chunk.bad
        self.notes.update(chunk.notes)

    def counts(self) -> dict[str, int]:
        """Count the files used, bad and skipped."""
        return {"used": self.used.total(), "bad": len(self.bad), "skipped": len(self.skipped)}

    def report(self) -> dict[str, Any]:
        """Tell all of it, for `report.json`: used + bad + skipped = seen."""
        lost = {"bad": [(example.name, why) for example, why in self.bad], "skipped": self.skipped}
        return {
            "seen": sum(self.counts().values()),
            **self.counts(),
            "reasons": {state: dict(Counter(why for _, why in files)) for state, files in lost.items()},
            "notes": dict(sorted(self.notes.items())),
            "files": [{"file": name, "state": state, "reason": why} for state in lost for name, why in lost[state]],
        }

    def refuse_empty(self, source: Source) -> None:
        """Refuse a class without any training picture, and a split without any picture."""
        for label, name in enumerate(source.classes):
            if not self.used["train", label]:
                bad = [f"{example.name}: {reason}" for example, reason in self.bad if example.label == label]
                why = f"none of {len(bad)} can be read, the first is {bad[0]}" if bad else "the limit leaves none"
                raise DataError(f"class {name} has no training picture ({why}): mend the class, or take it out")
        for split in source.splits:
            if not any(self.used[split, label] for label in range(len(source.classes))):
                raise DataError(f"split {split} has no readable picture: mend it, or take it out")


def prepare(
    kind: str,
    source: Path | str | None,
    destination: Path | str,
    *,
    side: int | None = None,
    workers: int = 0,
    strict: bool = False,
    limit: dict[str, int] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Store:
    """Write the pictures of a source into a new store: shorter side scaled to `side`, central square cut out (§2).

    Args:
        kind: `cifar10`, `folder` or `shapes`.
        source: Where the pictures are; None for `shapes`.
        destination: Folder of the store; a store that is there is replaced, anything else is refused.
        side: Of the stored pictures; by default the source's own (CIFAR-10: 32, shapes: 64, folder: 256).
        workers: Threads; 0 takes one a core. No byte of the store depends on it.
        strict: Fail on the first picture that cannot be read, in place of counting it.
        limit: Take only the first so many pictures of a split.
        progress: Called with the pictures done and the number of all (None if it is not known).
        options: Of the source: see `Cifar10`, `Folder`, `Shapes`.

    Returns:
        The store, open.

    Raises:
        UsageError: If an argument, or the layout of the source, is wrong.
        DataError: If the data are refused: a batch is not the official one, a class has no readable picture, …
        AlexNetError: If writing fails; nothing is left under the destination's name.
    """
    destination = Path(destination)
    reader, side = _open_source(kind, None if source is None else Path(source), side, options)
    limit = _checked_limit(limit or {}, reader)
    if workers < 0:
        raise UsageError(f"workers must be 0 (one a core) or more, not {workers}")
    _refuse_destination(destination, None if source is None else Path(source), kind)
    counts = {split: limit.get(split, count) for split, count in reader.splits.items()}
    with lock(destination.with_name(f".{destination.name}.lock"), str(destination)):
        sweep_temporaries(destination)
        _refuse_full_disk(destination, sum(counts.values()) * side * side * 3)
        with atomic_folder(destination) as folder, writing(folder) as writer:
            facts = {"kind": kind, "fingerprint": reader.fingerprint, "options": {"limit": limit}}
            job = _Job(reader, side, counts, strict, workers or os.cpu_count() or 1)
            job.write(writer, facts, progress or (lambda done, total: None))
    return Store(destination)


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


def _refuse_destination(destination: Path, source: Path | None, kind: str) -> None:
    """Refuse a place where something else is, or would be, lost; an empty folder may be taken."""
    if destination.exists() or destination.is_symlink():
        empty = destination.is_dir() and not destination.is_symlink() and not any(destination.iterdir())
        if not empty and (not destination.is_dir() or destination.is_symlink() or not _is_store(destination)):
            raise UsageError(f"{destination} exists and is not a store: choose another place, or move it away")
    if source is not None and source.exists():
        here, there = destination.resolve(), source.resolve()
        if there.is_relative_to(here) or (kind == "folder" and here.is_relative_to(there)):
            raise UsageError(f"{destination} and {source} lie in each other: choose another place for the store")


def _is_store(path: Path) -> bool:
    try:
        read_manifest(path)
    except DataError:  # damaged, or of another version: a store all the same
        return True
    except UsageError:
        return False
    return True


def _refuse_full_disk(destination: Path, needed: int) -> None:
    free = shutil.disk_usage(destination.parent).free
    if needed > free:
        raise AlexNetError(
            f"{destination} needs {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free there: "
            "free some, choose another disk, or a smaller side"
        )


@dataclass
class _Job:
    """One preparation under way."""

    source: Source
    side: int
    counts: dict[str, int]
    strict: bool
    workers: int

    def write(self, writer: StoreWriter, facts: dict[str, Any], progress: Progress) -> None:
        """Write the whole store."""
        account, totals, total = Account(), Totals(self.side), sum(self.counts.values())
        for chunk in self._prepared():
            writer.add(chunk.records)
            account.add(chunk)
            totals.merge(chunk.totals)
            progress(account.used.total() + len(account.bad), total)
        account.skipped = self.source.skipped
        account.refuse_empty(self.source)
        facts = {"side": self.side, "classes": self.source.classes, "counts": account.counts(), "source": facts}
        writer.finish(facts, totals.statistics(), account.report())

    def _chunks(self) -> Iterator[list[Example]]:
        """Divide the examples, cut to the limits, into pieces of one split and about four megabytes of pixels."""
        size = max(1, CHUNK_BYTES // (self.side**2 * 3))
        for split, examples in groupby(self.source.examples(), key=lambda example: example.split):
            wanted = islice(examples, self.counts[split])
            while chunk := list(islice(wanted, size)):
                yield chunk

    def _prepared(self) -> Iterator[Chunk]:
        """Decode the chunks on threads, and give them in their order; only a few are in memory at a time."""
        pool = ThreadPoolExecutor(self.workers)
        pending: deque[Future[Chunk]] = deque()
        try:
            for examples in self._chunks():
                pending.append(pool.submit(self._prepare, examples))
                if len(pending) > 2 * self.workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _prepare(self, examples: list[Example]) -> Chunk:
        """Decode and fit a chunk's pictures; the unreadable ones are set aside."""
        block = np.empty((len(examples), self.side, self.side, 3), np.uint8)
        good: list[Example] = []
        bad: list[tuple[Example, str]] = []
        notes: Counter[str] = Counter()
        for example in examples:
            try:
                decoded = _read(example)
                block[len(good)] = fit(decoded.pixels, self.side)
                good.append(example)
                enlarged = min(decoded.pixels.shape[:2]) < self.side
                notes.update(note for note in (decoded.note, ENLARGED if enlarged else "") if note)
            except UnreadablePicture as error:
                if self.strict:
                    raise DataError(f"{example.name}: {error}") from error
                bad.append((example, str(error)))
        block = block[: len(good)]
        totals = Totals(self.side)
        if examples[0].split == "train":
            totals.add(block)
        records = Records(
            split=examples[0].split,
            images=block,
            labels=[example.label for example in good],
            names=[example.name for example in good],
            checksums=[zlib.crc32(image.data) for image in block],
        )
        return Chunk(records, totals, bad, notes)


def _read(example: Example) -> Decoded:
    if isinstance(example.picture, Path):
        return read_file(example.picture)
    return read(example.picture) if isinstance(example.picture, bytes) else Decoded(example.picture)

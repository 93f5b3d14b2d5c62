"""Parts of a store, prepared on any machines, joined to one: byte for byte what one preparation would have made."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from alexnet.data.destination import named, publish, refuse_destination
from alexnet.data.plan import Plan
from alexnet.data.shards import Progress
from alexnet.data.store import MANIFEST, PLAN, Store
from alexnet.data.unfinished import STORE, Say, Unfinished, locked, sound_note, unfinished
from alexnet.data.writing import finish
from alexnet.durable import file_digest
from alexnet.errors import DataError, UsageError


def merge(
    destination: Path | str, parts: Sequence[Path | str], *, progress: Progress | None = None, say: Say | None = None
) -> Store:
    """Join the parts of a store; on one disk the shards are linked, not copied, and the parts can then be deleted.

    Args:
        destination: Folder of the store; a store that is there is replaced.
        parts: All parts, in any order.
        progress: Called with the pictures joined and the number of all.
        say: Called with what a user should know.

    Returns:
        The store, open.

    Raises:
        UsageError: If a folder is no part, a part is missing or given twice, or the destination is taken.
        DataError: If a part is of another store, or damaged.
        AlexNetError: If writing fails.
        Interrupted: After Ctrl-C, when there are finished shards.
    """
    destination = named(destination)
    by_number = _by_number([Path(part) for part in parts])
    for folder in by_number.values():
        refuse_destination(destination, folder, "folder")
    plan = Plan.read(by_number[1]).whole()
    total = sum(plan.counts.values())
    with locked(destination), unfinished(destination, plan, say or (lambda text: None)) as work:
        done = sum(plan.examples(*shard) for shard in work.done)
        for number, folder in sorted(by_number.items()):
            for split, shard in Plan.read(folder).own():
                if (split, shard) not in work.done:
                    _take(work, folder, split, shard, f"{number} of {len(by_number)}")
                    done += plan.examples(split, shard)
                    if progress:
                        progress(done, total)
        finish(work.store, work.notes, plan)
        publish(work, destination, None, plan.kind)
    return Store(destination)


def _by_number(folders: list[Path]) -> dict[int, Path]:
    """Order the parts by their number; there must be all of one store, and each once."""
    found: dict[int, Path] = {}
    first: Plan | None = None
    for folder in folders:
        if not (folder / PLAN).is_file():
            what = "is a whole store" if (folder / MANIFEST).is_file() else "is not a part of a store"
            raise UsageError(f"{folder} {what}: make parts with `alexnet prepare --part K/N`")
        plan = Plan.read(folder)
        if plan.part is None:
            raise UsageError(f"{folder} is an interrupted preparation: run its command again")
        first = first or plan
        _refuse_foreign(folder, plan, folders[0], first)
        if plan.part[0] in found:
            raise UsageError(f"{found[plan.part[0]]} and {folder} are both part {plan.part[0]}: give one of them")
        found[plan.part[0]] = folder
    if first is None or first.part is None:
        raise UsageError("there are no parts to merge: give all of them")
    if missing := [str(number) for number in range(1, first.part[1] + 1) if number not in found]:
        are = "part {} is" if len(missing) == 1 else "parts {} are"
        raise UsageError(f"{are.format(', '.join(missing))} missing of {first.part[1]}: prepare and give all of them")
    return found


def _refuse_foreign(folder: Path, plan: Plan, other: Path, first: Plan) -> None:
    """Refuse a part of another store, with what differs."""
    names = ("kind", "classes", "side", "records", "limit", "counts", "shard_examples", "fingerprint", "skipped")
    differ = [name for name in names if getattr(plan, name) != getattr(first, name)]
    if plan.part and first.part and plan.part[1] != first.part[1]:
        differ.append("number of parts")
    if differ:
        raise DataError(
            f"{folder} is a part of another store than {other} (they differ in {', '.join(differ)}): "
            "prepare all parts from the same source by the same command"
        )


def _take(work: Unfinished, folder: Path, split: str, number: int, part: str) -> None:
    """Put a part's shard into the working folder, and then its note."""
    name = work.plan.shard_name(split, number)
    source, target = folder / STORE / name, work.store / name
    try:
        note = sound_note(folder, work.plan, split, number)
        _link(source, target)
        if os.stat(source).st_dev != os.stat(target).st_dev and file_digest(target) != note.entry["sha256"]:
            raise DataError(f"{source} was not copied well")
    except DataError as error:
        raise DataError(f"{error}: prepare part {part} again") from error
    note.write(work.notes)
    work.done.add((split, number))


def _link(source: Path, target: Path) -> None:
    """Link a file, or copy it where that cannot be; force it to the disk."""
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, target)
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def verify_part(folder: Path | str) -> list[dict[str, object]]:
    """List the problems of a part, as `alexnet.data.store.verify_store` does those of a store."""
    try:
        plan = Plan.read(Path(folder))
    except DataError as error:
        return [{"file": str(folder), "record": None, "problem": str(error)}]
    problems: list[dict[str, object]] = []
    for split, number in plan.own():
        try:
            sound_note(Path(folder), plan, split, number)
        except DataError as error:
            problems.append({"file": plan.shard_name(split, number), "record": None, "problem": str(error)})
    return problems

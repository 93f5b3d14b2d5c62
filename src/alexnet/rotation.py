"""The checkpoints of a run: the newest few are kept, named by the pictures seen; a damaged one is passed over.

The newest is the one with the greatest number; each tells by its own digest whether it is whole. `latest.json` points
at it for other programs; nothing here depends on it.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TypeVar

from alexnet import sealed
from alexnet.durable import atomic_file, fault, megabytes, sweep_folder, write_json
from alexnet.errors import AlexNetError, DataError
from alexnet.progress import say

FOLDER, POINTER, BEST = "checkpoints", "latest.json", "best.safetensors"
KEPT = 2
Read = TypeVar("Read")


def newest_first(run: Path) -> list[Path]:
    """List the checkpoints in a run's folder."""
    files = (file for file in (run / FOLDER).glob("*.safetensors") if file.stem.isdecimal())
    return sorted(files, key=lambda file: int(file.stem), reverse=True)


def any_saved(run: Path) -> bool:
    """Whether a checkpoint was saved, though it may be lost."""
    return bool(newest_first(run)) or (run / POINTER).exists()


def newest(run: Path, read: Callable[[Path], Read]) -> tuple[Path, Read]:
    """Read the newest checkpoint that is whole; say which ones are not.

    Raises:
        DataError: If there is none.
    """
    if files := newest_first(run):
        return _first_whole(files, read)
    if (run / POINTER).exists():
        raise DataError(f"{run} has lost its checkpoints: restore them, or begin anew in another folder")
    raise DataError(f"{run} has no checkpoint yet: go on with `alexnet resume {run}`")


def best(run: Path, read: Callable[[Path], Read]) -> tuple[Path, Read]:
    """Read `best.safetensors`; the newest checkpoint where that does not exist yet, or is damaged.

    Raises:
        DataError: If there is none.
    """
    if (run / BEST).is_file():
        return _first_whole([run / BEST, *newest_first(run)], read)
    return newest(run, read)


def _first_whole(files: Iterable[Path], read: Callable[[Path], Read]) -> tuple[Path, Read]:
    refused: list[DataError] = []
    for path in files:
        try:
            found = read(path)
        except DataError as error:
            refused.append(error)
            continue
        for reason in refused:
            say(f"note: {reason}; going on from {path}")
        return path, found
    raise refused[0]


def keep(run: Path, images_seen: int, write: Callable[[IO[bytes]], None], size: int) -> Path:
    """Write a checkpoint, read it back, point at it, and only then remove what is older than the newest few.

    Args:
        run: Folder of the run.
        images_seen: Its name.
        write: Writes it into a stream.
        size: Its bytes.

    Raises:
        AlexNetError: If it cannot be written, or reads back otherwise; those before it are kept.
    """
    path = run / FOLDER / f"{images_seen}.safetensors"
    fault("checkpoint-begun")
    with atomic_file(path, size) as stream:
        write(stream)
    fault("checkpoint-written")
    try:
        sealed.check(path, from_disk=True)
    except DataError as error:
        raise AlexNetError(f"{path} is not on the disk as it was written: check the disk, then resume") from error
    point_at(run, path)
    fault("checkpoint-pointed")
    for other in newest_first(run):  # a greater number is a damaged one's, which was passed over
        if int(other.stem) > images_seen:
            other.unlink()
    remove_older(run, path)
    return path


def remove_older(run: Path, path: Path) -> None:
    """Remove all that are older than the newest few, of which `path` is the newest."""
    for old in [other for other in newest_first(run) if int(other.stem) < int(path.stem)][KEPT - 1 :]:
        old.unlink()


def forget(run: Path) -> None:
    """Remove all checkpoints of a finished run, which then cannot go on; its best network stays.

    A kill in the middle leaves it as it was, or with fewer.
    """
    (run / POINTER).unlink(missing_ok=True)
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def point_at(run: Path, path: Path) -> None:
    """Let `latest.json` name a checkpoint."""
    write_json(run / POINTER, {"checkpoint": f"{FOLDER}/{path.name}", "images_seen": int(path.stem)})


def pointed_at(run: Path) -> Path | None:
    """Give the checkpoint that `latest.json` names, if it names one that is there."""
    try:
        path = run / str(json.loads((run / POINTER).read_bytes())["checkpoint"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return path if path in newest_first(run) else None


def tidy(run: Path, path: Path | None) -> None:
    """Make good what a kill left undone around the newest whole checkpoint; only while holding the run's lock."""
    (run / FOLDER).mkdir(exist_ok=True)  # which a copy may have left out while it was empty
    for folder in (run, *(entry for entry in run.iterdir() if entry.is_dir())):
        sweep_folder(folder)
    if path is not None:
        if (pointed := pointed_at(run)) != path:
            if pointed is None and (run / POINTER).exists():
                say(f"note: {run / POINTER} named no checkpoint that is there; it points at {path.name} again")
            point_at(run, path)
        remove_older(run, path)


def refuse_full(run: Path, checkpoint: int, best: int) -> None:
    """Refuse to begin where there is no room for the newest few checkpoints, one more, and two of the best network.

    Args:
        run: Folder of the run, or of one to be made.
        checkpoint: Bytes of one.
        best: Bytes of the best network.

    Raises:
        AlexNetError: If so.
    """
    needed = (KEPT + 1) * checkpoint + 2 * best
    there = sum(file.stat().st_size for file in [*newest_first(run), *run.glob(BEST)])
    place = next(folder for folder in (run, *run.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if free < needed - there:
        raise AlexNetError(
            f"no room for the checkpoints of {run}: {megabytes(needed - there)} needed, {megabytes(free)} free there; "
            "make room, or choose another --run"
        )

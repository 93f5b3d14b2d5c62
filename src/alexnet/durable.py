"""Files that are whole or absent: atomic writes, digests, locks, and named points at which a test may strike.

A reader never meets half a file under its final name, whatever moment the writer was killed at: bytes go to a
sibling temporary file, are forced to the disk, and are renamed.
"""

import errno
import fcntl
import glob
import hashlib
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from alexnet.errors import AlexNetError

# Where a kill does the most harm, in the order in which a preparation, or a training, passes them.
PREPARATION_FAULTS = (
    *("file-written", "file-synced", "file-renamed"),  # of every atomic file
    *("shard-begun", "shard-half", "shard-written", "shard-synced", "shard-noted"),
    *("store-filled", "store-listed", "store-whole"),  # all shards; before the manifest; after it
    *("folder-aside", "folder-renamed"),  # of every folder that takes its final name
    "store-published",
)
# The same, of a training.
TRAINING_FAULTS = (
    "step-done",  # an update of a training is made; nothing of it is saved
    "epoch-measured",  # and validated; nothing is saved
    *("checkpoint-begun", "checkpoint-half", "checkpoint-written"),  # half of the bytes; renamed, not yet pointed at
    "checkpoint-pointed",  # and the old ones are still there
    "log-written",
)
FAULTS = PREPARATION_FAULTS + TRAINING_FAULTS
FAULT_VARIABLE = "ALEXNET_FAULT"
_passed: Counter[str] = Counter()


def fault(point: str) -> None:
    """Kill this process if ALEXNET_FAULT names this point (`NAME`, or `NAME:n` for its nth passing); else do nothing.

    For tests of what a crash leaves behind.
    """
    if wanted := os.environ.get(FAULT_VARIABLE):
        name, _, count = wanted.partition(":")
        if name not in FAULTS or point not in FAULTS:
            raise ValueError(f"no fault point is called {name if point in FAULTS else point}: {', '.join(FAULTS)}")
        _passed[point] += 1
        if point == name and _passed[point] == int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk, so that a rename in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporary_sibling(path: Path) -> Path:
    """Name the temporary file or folder beside `path` that this process writes before the rename."""
    return path.with_name(f".{path.name}.tmp-{os.getpid()}")


@contextmanager
def atomic_file(path: Path, size: int | None = None) -> Iterator[IO[bytes]]:
    """Open `path` for writing so that it appears whole under its name, or not at all.

    Args:
        path: The file.
        size: Bytes that will be written, for the message when they find no room.

    Raises:
        AlexNetError: If the disk is full or the folder cannot be written; the old file is kept.
    """
    temporary = temporary_sibling(path)
    try:
        with open(temporary, "wb") as stream:
            yield stream
            stream.flush()
            fault("file-written")
            os.fsync(stream.fileno())
        fault("file-synced")
        os.replace(temporary, path)
        fault("file-renamed")
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error, size) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_error(path: Path, error: OSError, size: int | None = None) -> AlexNetError:
    """Turn a failed write into one line that names the place, and the room needed and free if that is the matter."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        return AlexNetError(f"cannot write {path}: {error.strerror}")
    folder = path if path.is_dir() else path.parent
    free = f", {megabytes(shutil.disk_usage(folder).free)} free there" if folder.is_dir() else ""
    needed = "" if size is None else f", {megabytes(size)} needed"
    return AlexNetError(f"cannot write {path}: {error.strerror or error}{needed}{free}")


def megabytes(size: int) -> str:
    """Write a number of bytes as people do.

    >>> megabytes(488_000_000), megabytes(340_000)
    ('488 MB', '0.34 MB')
    """
    return f"{size / 1e6:,.0f} MB" if size >= 1e8 else f"{size / 1e6:.3g} MB"


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_file(path) as stream:
        stream.write(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomic(path, text.encode(errors="backslashreplace"))  # a file name's odd bytes as \udcXX, which JSON knows


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; rename it to `path` at the end, or remove it on any error.

    An existing `path` is replaced in the last moment only.
    """
    temporary = temporary_sibling(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        publish_folder(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_folder(made: Path, path: Path) -> None:
    """Give a finished folder its final name, on the same disk; what has that name is replaced in the last moment."""
    sync_folder(made)
    aside = path.with_name(f".{path.name}.old-{os.getpid()}")
    if path.exists():  # moved aside whole and deleted under that name, so that a kill never leaves half of it here
        os.rename(path, aside)
        fault("folder-aside")
    os.rename(made, path)
    fault("folder-renamed")
    sync_folder(path.parent)
    shutil.rmtree(aside, ignore_errors=True)


def sweep_temporaries(path: Path) -> None:
    """Remove what killed writers of `path` left beside it; call it only while holding the lock of `path`.

    A folder that was moved aside for one that never came is put back.
    """
    for aside in path.parent.glob(f".{glob.escape(path.name)}.old-*"):
        if not path.exists():
            os.rename(aside, path)
    for pattern in (f".{glob.escape(path.name)}.tmp-*", f".{glob.escape(path.name)}.old-*"):
        for leftover in path.parent.glob(pattern):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def sweep_folder(folder: Path) -> None:
    """Remove the files that killed writers left half written in a folder; only while holding the lock of all of it."""
    for leftover in folder.glob(".*.tmp-*"):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)


def digest_of(stream: IO[bytes], algorithm: Callable[[], Any] = hashlib.sha256) -> str:
    """Hash a stream in pieces of a megabyte; the hexadecimal digest."""
    digest = algorithm()
    while piece := stream.read(1 << 20):
        digest.update(piece)
    return str(digest.hexdigest())


def file_digest(path: Path, algorithm: Callable[[], Any] = hashlib.sha256) -> str:
    """Hash a file; the hexadecimal digest."""
    with open(path, "rb") as stream:
        return digest_of(stream, algorithm)


@contextmanager
def lock(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` (made if need be) while the block runs.

    The kernel frees the lock when the process ends, however it ends, so no stale lock is ever left.

    Raises:
        AlexNetError: If another process holds it; the message says which, where, since when and with what command.
    """
    with _open_lock(path) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            holder = " ".join(stream.read().split()) or "unknown"
            raise AlexNetError(
                f"{what} is in use by another alexnet command (process {holder}): wait for it, or stop it"
            ) from error
        with suppress(OSError):  # on a full disk the lock is held all the same, only nobody can read by whom
            stream.truncate(0)
            os.write(stream.fileno(), _myself().encode(errors="backslashreplace"))
        yield


def _myself() -> str:
    """Tell the holder of a lock: process, machine, command, time."""
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    shown = command if len(command) <= 100 else command[:99] + "…"
    return f"{os.getpid()} on {socket.gethostname()}, {shown}, since {time.strftime('%Y-%m-%d %H:%M:%S')}"


def _open_lock(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise write_error(path, error) from error

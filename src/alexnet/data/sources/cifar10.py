"""CIFAR-10 as its authors publish it: the six Python batches, in a folder or in their archive (not unpacked)."""

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from alexnet.data.sources import Example
from alexnet.download import fetch
from alexnet.errors import DataError, UsageError
from alexnet.unpickling import unpickle

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
ARCHIVE_BYTES, ARCHIVE_SHA256 = 170_498_071, "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
BATCH_IMAGES = 10_000
# The official files, in the order of the data set: split, bytes, md5 (the digest that the authors publish).
BATCHES = {
    "data_batch_1": ("train", 31_035_704, "c99cafc152244af753f735de768cd75f"),
    "data_batch_2": ("train", 31_035_320, "d4bba439e000b95fd0a9bffe97cbabec"),
    "data_batch_3": ("train", 31_035_999, "54ebc095f3ab1f0389bbae665268c751"),
    "data_batch_4": ("train", 31_035_696, "634d18415352ddfa80567beed471001a"),
    "data_batch_5": ("train", 31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb"),
    "test_batch": ("test", 31_035_526, "40351d587109b95175f43aff81a1287e"),
}


class Cifar10:
    """The 50,000 training and 10,000 test pictures, in the order of the files; there is no validation part.

    Only the official files are taken: a batch with other content is refused.

    Args:
        path: The folder `cifar-10-batches-py`, the folder it lies in, or the archive (`.tar.gz` or `.tar`). An archive
            called `cifar-10-python.tar.gz` that does not exist is downloaded to that place.
        download: Download the archive into the folder `path` if the files are not there.

    Raises:
        UsageError: If there is no CIFAR-10 at `path`.
        DataError: If a batch is missing, or not the official one.
        AlexNetError: If the download fails; the message says what to fetch, and where to put it.
    """

    default_side = 32

    def __init__(self, path: Path | None, *, download: bool = False) -> None:
        if path is None:
            raise UsageError(f"cifar10 needs the path of {FOLDER} or {ARCHIVE}")
        self.path = _find(path, download)
        self.classes = list(CLASSES)
        self.splits = {"train": 0, "test": 0}
        for split, _, _ in BATCHES.values():
            self.splits[split] += BATCH_IMAGES
        self.fingerprint: dict[str, Any] = {name: md5 for name, (_, _, md5) in BATCHES.items()}
        self.skipped: list[tuple[str, str]] = []
        if self.path.is_dir():
            for name, (_, size, md5) in BATCHES.items():
                file = self.path / name
                if not file.is_file():
                    raise DataError(f"{file} is missing: expected {size:,} bytes with md5 {md5}; fetch {URL} again")
                if (found := file.stat().st_size) != size:
                    raise DataError(f"{file} is torn: expected {size:,} bytes, found {found:,}; fetch {URL} again")

    def examples(self) -> Iterator[Example]:
        """Give the pictures, batch after batch."""
        batches = _from_folder(self.path) if self.path.is_dir() else _from_archive(self.path)
        for name, data in batches:
            batch = _read_batch(name, data)
            pixels = np.ascontiguousarray(batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            split = BATCHES[Path(name).name][0]
            for picture, label, file in zip(pixels, batch[b"labels"], batch[b"filenames"], strict=True):
                yield Example(picture, label, split, file.decode("latin1"))


def _find(path: Path, download: bool) -> Path:
    """Find the folder of batches, or the archive, at `path`; download the archive if that is wanted."""
    for folder in (path, path / FOLDER):
        if any((folder / name).is_file() for name in BATCHES):
            return folder
    archive = path if path.name.endswith((".tar", ".tar.gz", ".tgz")) else path / ARCHIVE
    if archive.is_file():
        return archive
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is neither a folder nor a .tar.gz: give {FOLDER} or {ARCHIVE}")
    if download or path.name == ARCHIVE:
        fetch(URL, archive, ARCHIVE_SHA256, ARCHIVE_BYTES)
        return archive
    raise UsageError(f"no CIFAR-10 in {path}: give {FOLDER} or {ARCHIVE}, or let it be downloaded (--download)")


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in BATCHES:
        file = folder / name
        try:
            yield str(file), file.read_bytes()
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error.strerror}): expected {BATCHES[name][1]:,} bytes") from error


def _from_archive(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Read the batches out of the archive in one pass; its members are in another order, so all are held (186 MB)."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r|*") as members:
            for member in members:
                name = os.path.basename(member.name)
                if name not in BATCHES or not member.isfile():
                    continue
                size = BATCHES[name][1]
                if member.size != size:
                    raise DataError(f"{archive}/{name} is torn: expected {size:,} bytes, found {member.size:,}")
                stream = members.extractfile(member)
                found[name] = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        found_what = f"expected {len(BATCHES)} whole batches, found {len(found)}"
        raise DataError(f"{archive} is torn, or no archive ({error}): {found_what}; fetch {URL} again") from error
    for name, (_, size, md5) in BATCHES.items():
        if name not in found:
            raise DataError(f"{archive} has no {name}: expected {size:,} bytes with md5 {md5}; fetch {URL} again")
        yield f"{archive}/{name}", found.pop(name)


def _read_batch(name: str, data: bytes) -> dict[bytes, Any]:
    """Unpickle a batch, once its digest has shown that it is the official one."""
    _, size, expected = BATCHES[Path(name).name]
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != expected:
        raise DataError(
            f"{name} is not the official file: expected {size:,} bytes with md5 {expected}, "
            f"found {len(data):,} with {found}; fetch {URL} again"
        )
    try:
        return dict(unpickle(io.BytesIO(data), "a batch"))
    except Exception as error:  # a pickle can raise anything
        raise DataError(f"{name} cannot be read ({type(error).__name__}: {error})") from error

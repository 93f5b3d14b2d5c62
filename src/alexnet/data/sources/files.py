"""The picture files below a folder or in an archive, each once, in the order of their names."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alexnet.data.archives import index
from alexnet.data.decode import signature
from alexnet.data.member import Member
from alexnet.errors import DataError

METADATA = {"__macosx", "thumbs.db", "desktop.ini"}
# Files with these endings are taken for pictures and reported if they are not; others are looked into first.
ENDINGS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
ENDINGS |= {".heic", ".heif", ".avif", ".jxl", ".jp2"}  # not read, but not to be lost without a word


class Walk:
    """Finds the files below folders, each real file and folder once, in the order of their names.

    Attributes:
        skipped: What was passed over, with the reason.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.skipped: list[tuple[str, str]] = []
        self.seen: dict[tuple[int, int], str] = {}

    def name(self, path: str | Path) -> str:
        """Name a file or folder by its place below the root."""
        return Path(path).relative_to(self.root).as_posix()

    def entries(self, folder: str | Path) -> list[os.DirEntry[str]]:
        """List a folder by name, without what is hidden or metadata.

        Raises:
            DataError: If it cannot be listed.
        """
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{folder} cannot be listed ({error.strerror}): check its permissions") from error
        shown = []
        for entry in found:
            if entry.name.startswith(".") or entry.name.casefold() in METADATA:
                self.skipped.append((self.name(entry.path), "hidden or metadata"))
            else:
                shown.append(entry)
        return shown

    def status(self, entry: os.DirEntry[str]) -> os.stat_result | None:
        """Look at what an entry is or links to; a link that leads nowhere is skipped."""
        try:
            return entry.stat()
        except OSError:
            self.skipped.append((self.name(entry.path), "dangling link, or a link in a circle"))
            return None

    def is_new(self, path: str, status: os.stat_result) -> bool:
        """Note a real file or folder, and tell whether it is met for the first time."""
        key = (status.st_dev, status.st_ino)
        if key in self.seen:
            self.skipped.append((self.name(path), f"the same as {self.seen[key]}, by a link"))
            return False
        self.seen[key] = self.name(path)
        return True

    def pictures(self, folder: str) -> Iterator[tuple[str, int]]:
        """Give the path and the size of every file below `folder` that is, or should be, a picture."""
        waiting = [folder]
        while waiting:
            below: list[str] = []
            for entry in self.entries(waiting.pop()):
                status = self.status(entry)
                if status is None:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if self.is_new(entry.path, status):
                        below.append(entry.path)
                elif not stat.S_ISREG(status.st_mode):
                    self.skipped.append((self.name(entry.path), "not a regular file"))
                elif not _may_be_picture(entry.path):
                    self.skipped.append((self.name(entry.path), "not a picture"))
                elif self.is_new(entry.path, status):
                    yield entry.path, status.st_size
            waiting += reversed(below)

    def folders(self, folder: Path, why_not: str) -> dict[str, str]:
        """Give the folders right below `folder` by name; the files beside them are skipped, for the reason given."""
        found = {}
        for entry in self.entries(folder):
            status = self.status(entry)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                if self.is_new(entry.path, status):
                    found[entry.name] = entry.path
            else:
                self.skipped.append((self.name(entry.path), why_not))
        return found


def _may_be_picture(path: str) -> bool:
    if os.path.splitext(path)[1].lower() in ENDINGS:
        return True
    try:
        with open(path, "rb") as stream:
            return signature(stream.read(16)) is not None
    except OSError:
        return True  # to be reported when it is read


@dataclass(frozen=True)
class File:
    """A picture file.

    Attributes:
        name: Below the folder, or in the archive, with `/` between its parts.
        place: Where to read it.
        size: Its bytes.
    """

    name: str
    place: Path | Member
    size: int


def pictures(place: Path | Member, skipped: list[tuple[str, str]]) -> list[File]:
    """Find the picture files below a folder, or in an archive, sorted by name.

    Args:
        place: A folder; a .tar or .zip; an archive inside one.
        skipped: Gets what is passed over (hidden, metadata, links in a circle, no picture), with the reason.

    Raises:
        DataError: If an archive is torn, or a folder cannot be listed.
    """
    if isinstance(place, Path) and place.is_dir():
        walk = Walk(place)
        files = [File(walk.name(path), Path(path), size) for path, size in walk.pictures(str(place))]
        skipped += walk.skipped
        return sorted(files, key=lambda file: file.name)
    files = []
    for member in index(place, skipped):
        if any(part.startswith(".") or part.casefold() in METADATA for part in member.name.split("/")):
            skipped.append((member.name, "hidden or metadata"))
        elif os.path.splitext(member.name)[1].lower() not in ENDINGS:
            skipped.append((member.name, "not a picture"))
        else:
            files.append(File(member.name, member, member.size))
    return files

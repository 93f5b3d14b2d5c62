"""Pictures in class folders, with or without a folder for each split above them.

    PATH/cat/1.jpg               PATH/train/cat/1.jpg
    PATH/dog/2.jpg        or     PATH/train/dog/2.jpg    and likewise in PATH/val, PATH/test

Without split folders (or with `train` alone) a share of every class becomes the validation part. Everything below a
class folder belongs to the class. Hidden files, metadata and files that are no pictures are passed over and counted.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alexnet.data.decode import signature
from alexnet.data.sources import SPLITS, Example
from alexnet.errors import DataError, UsageError

SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
METADATA = {"__macosx", "thumbs.db", "desktop.ini"}
# Files with these endings are taken for pictures and reported if they are not; others are looked into first.
ENDINGS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
ENDINGS |= {".heic", ".heif", ".avif", ".jxl", ".jp2"}  # not read, but not to be lost without a word
LAYOUT = "wanted: PATH/CLASS/picture.jpg, or PATH/train/CLASS/picture.jpg (val, test likewise), two classes or more"


class _Walk:
    """Finds the files below folders, each real file and folder once, in the order of their names.

    Attributes:
        skipped: What was passed over, with the reason.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.skipped: list[tuple[str, str]] = []
        self.seen: dict[tuple[int, int], str] = {}

    def name(self, path: str | Path) -> str:
        return Path(path).relative_to(self.root).as_posix()

    def entries(self, folder: str | Path) -> list[os.DirEntry[str]]:
        """List a folder by name, without what is hidden or metadata."""
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.skipped.append((self.name(folder), f"folder cannot be read ({error.strerror})"))
            return []
        hidden = [entry for entry in found if entry.name.startswith(".") or entry.name.casefold() in METADATA]
        self.skipped += [(self.name(entry.path), "hidden or metadata") for entry in hidden]
        return [entry for entry in found if entry not in hidden]

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
                try:
                    status = entry.stat()
                except OSError:
                    self.skipped.append((self.name(entry.path), "dangling link, or a link in a circle"))
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
            if entry.is_dir():
                if self.is_new(entry.path, entry.stat()):
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


class Folder:
    """Pictures in class folders; the classes are the folders' names, sorted.

    Args:
        path: Folder of the class folders, or of `train`, `val` (also `valid`, `validation`) and `test`.
        val_share: Which share of each class becomes the validation part where there is no split.
        test_share: Which share of each class becomes the test part there; 0: there is none.
        seed: Another seed chooses other pictures for them.

    Raises:
        UsageError: If the layout is another, there are fewer than two classes, or splits differ in their classes.
        DataError: If a class has no picture.
    """

    default_side = 256

    def __init__(self, path: Path | None, *, val_share: float = 0.2, test_share: float = 0.0, seed: int = 0) -> None:
        if path is None or not path.is_dir():
            raise UsageError(f"{path} is not a folder: {LAYOUT}" if path else f"folder needs a path: {LAYOUT}")
        if not 0 < val_share < 1:
            raise UsageError(f"val_share must be between 0 and 1, not {val_share}")
        if not 0 <= test_share < 1 - val_share:
            raise UsageError(f"test_share={test_share} leaves none to train on beside val_share={val_share}: lower it")
        walk = _Walk(path)
        folders = _split_folders(walk)
        self.classes = _common_classes(walk, folders)
        found = {split: [list(walk.pictures(all_[name])) for name in self.classes] for split, all_ in folders.items()}
        for split, classes in found.items():
            for name, pictures in zip(self.classes, classes, strict=True):
                if not pictures:
                    raise DataError(f"{folders[split][name]} has no pictures: fill the class {name}, or take it out")
        listing = [[walk.name(file), size] for classes in found.values() for all_ in classes for file, size in all_]
        self.fingerprint: dict[str, Any] = {
            "files": len(listing),
            "bytes": sum(size for _, size in listing),
            "names_and_sizes_sha256": hashlib.sha256(json.dumps(listing).encode("ascii")).hexdigest(),
        }
        files = {split: [[file for file, _ in pictures] for pictures in classes] for split, classes in found.items()}
        if list(files) == ["train"]:
            files = _carve(walk, files["train"], {"val": val_share, "test": test_share}, seed)
            self.fingerprint["carved"] = {"val_share": val_share, "test_share": test_share, "seed": seed}
        self._walk, self._files = walk, files
        self.splits = {split: sum(map(len, classes)) for split, classes in files.items()}
        self.skipped = sorted(walk.skipped)

    def examples(self) -> Iterator[Example]:
        """Give the pictures: split after split, class after class, by name."""
        for split, classes in self._files.items():
            for label, files in enumerate(classes):
                for file in files:
                    yield Example(Path(file), label, split, self._walk.name(file))


def _split_folders(walk: _Walk) -> dict[str, dict[str, str]]:
    """Find the class folders of every split; without split folders all are `train`."""
    top = walk.folders(walk.root, "beside the class folders")
    named = {name: SPLIT_NAMES[name.casefold()] for name in top if name.casefold() in SPLIT_NAMES}
    if not named:
        return {"train": top}
    if len(set(named.values())) < len(named):
        raise UsageError(f"{walk.root} holds {' and '.join(named)}, which mean the same split: keep one")
    if "train" not in named.values():
        raise UsageError(f"{walk.root} holds {' and '.join(named)} but no train: add it; {LAYOUT}")
    walk.skipped += [(name, "folder beside the splits") for name in top if name not in named]
    splits = {}
    for split in SPLITS:
        for name in (name for name, meaning in named.items() if meaning == split):
            splits[split] = walk.folders(walk.root / name, "beside the class folders")
            if not splits[split]:
                raise UsageError(f"{walk.root / name} holds no class folders ({name} is read as a split): {LAYOUT}")
    return splits


def _common_classes(walk: _Walk, folders: dict[str, dict[str, str]]) -> list[str]:
    """Name the classes, the same in every split."""
    classes = sorted(folders["train"])
    for split, found in folders.items():
        missing, unknown = sorted(set(classes) - set(found)), sorted(set(found) - set(classes))
        if missing or unknown:
            parts = [f"{split} lacks {', '.join(missing)}"] * bool(missing)
            parts += [f"train lacks {', '.join(unknown)} of {split}"] * bool(unknown)
            difference = "; ".join(parts)
            raise UsageError(f"the splits of {walk.root} differ in their classes ({difference}): make them the same")
    if len(classes) < 2:
        what = f"one class folder ({classes[0]})" if classes else "no class folders"
        hint = ""
        if classes and sum(entry.is_dir() for entry in os.scandir(folders["train"][classes[0]])) > 1:
            hint = f"; did you mean {Path(folders['train'][classes[0]])}?"
        raise UsageError(f"{walk.root} holds {what}: {LAYOUT}{hint}")
    return classes


def _carve(walk: _Walk, classes: list[list[str]], shares: dict[str, float], seed: int) -> dict[str, list[list[str]]]:
    """Hold out a share of each class for every split named: by hashed names, so that a new file moves few others.

    At least one picture of a class is left to train on, and the first split gets one wherever there are two.
    """
    held: dict[str, list[list[str]]] = {split: [] for split, share in shares.items() if share}
    train = []
    for files in classes:
        hashed = sorted(files, key=lambda file: hashlib.sha256(ascii([seed, walk.name(file)]).encode()).digest())
        taken = 0
        for number, (split, parts) in enumerate(held.items()):
            count = max(1 - number, round(len(files) * shares[split]))
            chosen = set(hashed[taken : min(taken + count, len(files) - 1)])
            taken += len(chosen)
            parts.append([file for file in files if file in chosen])
        left = set(hashed[taken:])
        train.append([file for file in files if file in left])
    return {"train": train, **{split: parts for split, parts in held.items() if any(parts)}}

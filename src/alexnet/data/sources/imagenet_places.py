"""Where the pictures of ILSVRC lie, as its authors distribute them and as people unpack them.

    ILSVRC2012_img_train.tar of n01440764.tar …    train/n01440764/*.JPEG    ILSVRC/Data/CLS-LOC/train/n01440764/*.JPEG
    ILSVRC2012_img_val.tar of 50,000 pictures      val/n01440764/*.JPEG      ILSVRC/Data/CLS-LOC/val/*.JPEG

Tars are read in place, tars within tars too. Of a picture only its name, place and size are kept, in columns: as
objects, ImageNet's 1.3 million would take a gigabyte.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from alexnet.data.archives import index
from alexnet.data.member import Member
from alexnet.data.sources import SPLITS
from alexnet.data.sources.files import METADATA, File, pictures
from alexnet.data.sources.imagenet_labels import DEVKIT, LOGIN, WNID, known_names, suggest
from alexnet.errors import DataError, UsageError

TAR = re.compile(r"ILSVRC20\d\d_(?:img|images)_(train|val|test)(\.tar)?")  # without the ending: unpacked to a folder
TOPS = ("", "CLS-LOC", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")
PATCHES = "patch_images.tar"
WANTED = (
    f"wanted: a folder with ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and {DEVKIT} ({LOGIN}), "
    "or with train/n01440764/*.JPEG and val/n01440764/*.JPEG"
)
Skipped = list[tuple[str, str]]


@dataclass(frozen=True)
class Layout:
    """What was found.

    Attributes:
        parts: The folder or the tar of each split.
        shelves: Folders where lists of labels may lie.
    """

    parts: dict[str, Path]
    shelves: list[Path]


@dataclass(frozen=True)
class Pictures:
    """Pictures of one split, in columns.

    Attributes:
        containers: The folders and tars.
        container: Which of them a picture is in.
        names: Below the folder, or the last part of the name in the tar; encoded.
        offsets: Where it begins in the tar; -1: it is a file of its own.
        sizes: In bytes.
        labels: Its class; -1: not known yet.
    """

    containers: tuple[Path, ...]
    container: Int64[np.ndarray, "n"]
    names: Shaped[np.ndarray, "n"]
    offsets: Int64[np.ndarray, "n"]
    sizes: Int64[np.ndarray, "n"]
    labels: Int64[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, place: int) -> str:
        """Give a picture's name."""
        return bytes(self.names[place]).decode("utf-8", "surrogateescape")

    def where(self, place: int) -> Path | Member:
        """Tell where to read a picture."""
        container, offset = self.containers[self.container[place]], int(self.offsets[place])
        name = self.name(place)
        return container / name if offset < 0 else Member(container, name, offset, int(self.sizes[place]))

    def take(self, places: Int64[np.ndarray, "m"]) -> "Pictures":
        """Take some of them, in the order given."""
        columns = (self.container, self.names, self.offsets, self.sizes, self.labels)
        return Pictures(self.containers, *(column[places] for column in columns))

    def labelled(self, labels: Int64[np.ndarray, "n"]) -> "Pictures":
        """Give them these labels."""
        return Pictures(self.containers, self.container, self.names, self.offsets, self.sizes, labels)

    def replaced(self, better: Mapping[str, File]) -> "Pictures":
        """Put other files in the place of those with the same name."""
        at = [place for place in range(len(self)) if self.name(place) in better] if better else []
        if not at:
            return self
        at.sort(key=lambda place: bytes(self.names[place]))  # the order of the columns
        new = _columns([better[self.name(place)] for place in at], 0)
        containers = self.containers + new.containers
        container, names, offsets, sizes = (
            column.copy() for column in (self.container, self.names, self.offsets, self.sizes)
        )
        container[at], offsets[at], sizes[at] = new.container + len(self.containers), new.offsets, new.sizes
        return Pictures(containers, container, names, offsets, sizes, self.labels)


def find(path: Path, skipped: Skipped) -> Layout:
    """Find the splits in the folder `path`.

    Raises:
        UsageError: If there is no `train` or no `val`; the message says what to fetch.
    """
    if not path.is_dir():
        what = "is a file: give the folder that it lies in" if path.exists() else "does not exist"
        raise UsageError(f"{path} {what}; {WANTED}")
    for top in (path / name for name in TOPS):
        parts = _parts(top, skipped) if top.is_dir() else {}
        if "train" in parts or "val" in parts:
            missing = {"train", "val"} - set(parts)
            if missing:
                raise UsageError(f"{top} holds no {missing.pop()}; {WANTED}")
            shelves = [path, top, *top.resolve().parents[2:3]] if top.resolve().name == "CLS-LOC" else [path]
            return Layout(parts, list(dict.fromkeys(shelves)))
    raise UsageError(f"{path} holds no pictures of ImageNet; {WANTED}")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}): check its permissions") from error


def _parts(top: Path, skipped: Skipped) -> dict[str, Path]:
    """Find the place of each split right in `top`: a tar before a folder, as a folder may be half unpacked."""
    found: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for entry in _entries(top):
        match = TAR.fullmatch(entry.name)
        split = match[1] if match else entry.name
        if split in found and (entry.is_file() if match and match[2] else entry.is_dir()):
            found[split].append(entry)
        elif entry.name.startswith("ILSVRC") and entry.suffix == ".tar":
            skipped.append((entry.name, "an archive that is not used"))
    parts = {}
    for split, places in found.items():
        tars = [place for place in places if place.is_file()]
        if len(tars) > 1 or (not tars and len(places) > 1):
            names = " and ".join(place.name for place in tars or places)
            raise UsageError(f"{top} holds {names}, which are both {split}: keep one")
        if places:
            parts[split] = (tars or places)[0]
            skipped += [(place.name, f"{tars[0].name} is taken") for place in places if tars and place not in tars]
    return parts


def classes_of(split: str, place: Path, skipped: Skipped) -> dict[str, Path | Member]:
    """Find the folder or the tar of each class, by WordNet id; none if the pictures lie flat.

    Raises:
        UsageError: If a folder is named otherwise.
        DataError: If a tar is torn.
    """
    found: dict[str, Path | Member] = {}
    if place.is_file():
        for member in index(place, skipped) if split == "train" else ():
            name = member.name.rpartition("/")[2]
            if WNID.fullmatch(name.removesuffix(".tar")) and name.endswith(".tar"):
                found[name.removesuffix(".tar")] = member
            else:
                skipped.append((f"{split}/{member.name}", "beside the classes"))
        return dict(sorted(found.items()))
    others: Skipped = []
    for entry in sorted(_entries(place), key=Path.is_file):
        name = entry.name.removesuffix(".tar")
        if entry.name.startswith(".") or entry.name.casefold() in METADATA:
            others.append((f"{split}/{entry.name}", "hidden or metadata"))
        elif WNID.fullmatch(name) and (entry.is_dir() or entry.name != name):
            found[name] = entry  # the tar, where there are both
        elif entry.is_dir():
            raise UsageError(f"{entry} is not named by a WordNet id: {suggest(entry.name, known_names())}")
        else:
            others.append((f"{split}/{entry.name}", "beside the classes"))
    if found:
        skipped += others
    return dict(sorted(found.items()))


def pictures_of(split: str, wnid: str, place: Path | Member, label: int, skipped: Skipped) -> Pictures:
    """List the pictures of one class (or, with no `wnid`, of a whole split), sorted by name.

    Raises:
        DataError: If there are none, or a tar is torn.
    """
    passed_over: Skipped = []
    files = pictures(place, passed_over)
    prefix = f"{split}/{wnid}/" if wnid else f"{split}/"
    skipped += [(prefix + name, why) for name, why in passed_over]
    if not files:
        where = place if isinstance(place, Path) else f"{place.archive}/{place.name}"
        raise DataError(f"{where} has no pictures: fetch {wnid or split} again, or take it out")
    return _columns(files, label)


def _columns(files: Sequence[File], label: int) -> Pictures:
    containers: dict[Path, int] = {}
    rows = []
    for file in files:
        if isinstance(file.place, Path):
            name, offset = file.name, -1
            container = file.place.parents[file.name.count("/")]
        else:
            name, offset, container = file.name.rpartition("/")[2], file.place.offset, file.place.archive
            if file.place.packed is not None:
                raise DataError(f"{container} is a zip under the name of a tar: unpack it")
        rows.append(
            (name.encode("utf-8", "surrogateescape"), offset, containers.setdefault(container, len(containers)))
        )
    names = np.array([name for name, _, _ in rows], "S")
    order = np.argsort(names, kind="stable")
    sizes = np.array([file.size for file in files], np.int64)
    offsets, container_of = (np.array([row[column] for row in rows], np.int64) for column in (1, 2))
    found = Pictures(tuple(containers), container_of, names, offsets, sizes, np.full(len(rows), label, np.int64))
    return found.take(order)


def joined(parts: Sequence[Pictures]) -> Pictures:
    """Put one after another."""
    firsts = np.cumsum([0, *(len(part.containers) for part in parts)])
    return Pictures(
        tuple(container for part in parts for container in part.containers),
        np.concatenate([part.container + first for part, first in zip(parts, firsts[:-1], strict=True)]),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("names", "offsets", "sizes", "labels")),
    )


def patches(shelves: list[Path], skipped: Skipped) -> dict[str, dict[str, File]]:
    """Find ILSVRC2010's corrected pictures by split and name: some of its tars show that a picture was missing."""
    found: dict[str, dict[str, File]] = {}
    for place in [shelf / PATCHES for shelf in shelves if (shelf / PATCHES).is_file()][:1]:
        for file in pictures(place, skipped):
            folder, _, name = file.name.rpartition("/")
            found.setdefault(folder.rpartition("/")[2], {})[name] = file
    return found

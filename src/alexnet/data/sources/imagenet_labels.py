"""What the pictures of ILSVRC show: WordNet ids, their names, and the lists of labels in all the forms they come in.

Two numberings are in use, and they differ: the devkit's ILSVRC ids (1–1000, in an order of their own, told by
`meta.mat`) and positions (0–999) among the WordNet ids in sorted order, as most programs number the classes. A list
says which it uses by its range alone, so one that could be either is refused.
"""

import csv
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path

from alexnet.errors import DataError, UsageError

WNID = re.compile(r"n\d{8}")
PICTURE = re.compile(r"\.(jpe?g|png)$", re.IGNORECASE)
CLASSES = 1000
POSITIONS = "positions 0–999 among the sorted WordNet ids of ILSVRC2012"
MAX_FILE_BYTES = 64 << 20
LOGIN = "image-net.org, after a login"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
# Where labels of `val` are looked for, the first that is there is taken; the devkit comes last, as it needs SciPy.
LISTS = {
    "val": (
        "LOC_val_solution.csv",
        "val.txt",
        "imagenet_2012_validation_synset_labels.txt",
        "ILSVRC*_validation_ground_truth.txt",
    ),
    "test": ("ILSVRC*_test_ground_truth.txt",),
}
NAMES = ("synset_words.txt", "LOC_synset_mapping.txt", "imagenet_class_index.json")
NO_LIST = (
    f"labels of val are missing: put {DEVKIT} ({LOGIN}) or a list beside the pictures, or name one by --val-list "
    "(lines: ILSVRC2012_val_00000001.JPEG n01751748)"
)


@cache
def known_names() -> dict[str, str]:
    """Give ILSVRC2012's 1,000 WordNet ids in sorted order, each with WordNet's first word for it."""
    text = Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="ascii")
    return dict(line.split(" ", 1) for line in text.splitlines())


def suggest(word: str, known: Iterable[str]) -> str:
    """End an error about an unknown WordNet id, without listing a thousand."""
    same = [wnid for wnid, name in known_names().items() if name.casefold() == word.casefold()]
    near = same or get_close_matches(word, list(known), n=1)
    return f"did you mean {' or '.join(near)}?" if near else "WordNet ids are n and eight digits, as n01440764"


def chosen_classes(classes: list[str] | Path) -> set[str]:
    """Read which classes are wanted: WordNet ids, or the file that holds one first on each line."""
    if isinstance(classes, list) and len(classes) == 1 and Path(classes[0]).is_file():
        classes = Path(classes[0])
    if isinstance(classes, Path):
        lines = read_text(classes).splitlines()
        classes = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    for word in classes:
        if not WNID.fullmatch(word):
            raise UsageError(f"{word} is no WordNet id (nor a file of them): {suggest(word, known_names())}")
    if len(set(classes)) < 2:
        raise UsageError(f"classes names {len(set(classes))} class: give two or more WordNet ids")
    return set(classes)


@dataclass(frozen=True)
class Meta:
    """The devkit's table: each class's WordNet id by its ILSVRC id, and its names by WordNet id."""

    wnids: dict[int, str]
    names: dict[str, str]


@dataclass(frozen=True)
class Truth:
    """The labels of one split.

    Attributes:
        wnids: By the stem of the file's name, or by the number at its end if the list is in that order.
        source: The list, and how it was read, in words.
        of_2012: Whether it says anything for the classes of ILSVRC2012 only.
    """

    wnids: dict[str, str]
    source: str
    of_2012: bool = False

    def of(self, name: str) -> str | None:
        """Find the class of a picture by its file's name."""
        stem = PICTURE.sub("", name)
        return self.wnids.get(stem) or self.wnids.get(stem.rpartition("_")[2])


class Shelf:
    """The lists that lie in some folders, devkits opened.

    Args:
        folders: Where to look, in this order.
    """

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders

    def truth(self, split: str, named: Path | None = None) -> Truth | None:
        """Read the labels of a split: out of the list `named`, or the first that is found.

        Raises:
            UsageError: If there are none for `val`, or SciPy is needed and missing.
            DataError: If a list is damaged, or could mean two things.
        """
        if named is not None:
            return self._read(named.name, read_text(named))
        for pattern in LISTS[split]:
            for folder in self._folders:
                for file in sorted(folder.glob(pattern)):
                    return self._read(file.name, read_text(file))
        for name, content in self._devkit.items():
            if re.fullmatch(LISTS[split][-1].replace("*", ".*"), name):
                return self._read(name, content.decode("ascii", "replace"))
        if split == "val":
            raise UsageError(f"{NO_LIST}; looked in {self._folders[0]}")
        return None

    def names(self, wnids: list[str]) -> list[str]:
        """Name classes uniquely: the WordNet id, then a word (`n02012849 crane`; there are two kinds of crane)."""
        names = known_names()
        if not set(wnids) <= set(names):
            names = self._found_names() | names
        return [f"{wnid} {names[wnid]}" if wnid in names else wnid for wnid in wnids]

    def _found_names(self) -> dict[str, str]:
        """Read the names beside the pictures, for classes other than those of 2012."""
        found = dict(self._meta.names) if "_meta" in self.__dict__ and self._meta else {}  # if it was needed
        for file in (folder / name for name in NAMES for folder in self._folders if (folder / name).is_file()):
            text = read_text(file)
            if file.suffix == ".json":
                try:
                    found |= {wnid: name.replace("_", " ") for wnid, name in json.loads(text).values()}
                except (ValueError, TypeError, AttributeError, RecursionError) as error:
                    raise DataError(f"{file} cannot be read ({error}): mend it, or take it away") from error
            else:
                rows = (line.partition(" ") for line in text.splitlines())
                found |= {wnid: words.split(",")[0].strip() for wnid, _, words in rows if WNID.fullmatch(wnid)}
        return found

    def _read(self, name: str, text: str) -> Truth:
        """Read a list of labels in any of its forms."""
        rows = _rows(name, text)
        keys = [PICTURE.sub("", re.split("[/@]", first)[-1]) for first, _ in rows]
        labels = [label for _, label in rows]
        numbered = not keys[0]
        if numbered:
            keys = [f"{number:08}" for number in range(1, len(rows) + 1)]
        if all(WNID.fullmatch(label) for label in labels):
            wnids, how = labels, "WordNet ids"
        elif all(label.isdecimal() for label in labels):
            wnids, how = self._numbers(name, [int(label) for label in labels], numbered)
        else:
            wrong = next(label for label in labels if not label.isdecimal() and not WNID.fullmatch(label))
            raise DataError(f"{name} has the label {wrong!r}: {suggest(wrong, known_names())}")
        found: dict[str, str] = {}
        for key, wnid in zip(keys, wnids, strict=True):
            if found.setdefault(key, wnid) != wnid:
                raise DataError(f"{name} gives {key} two labels ({found[key]}, {wnid}): mend it")
        order = " in order of the file numbers" if numbered else ""
        return Truth(found, f"{name}, {how}{order}", of_2012=how == POSITIONS)

    def _numbers(self, name: str, numbers: list[int], numbered: bool) -> tuple[list[str], str]:
        """Tell which of the two numberings a list uses, and translate it."""
        low, high = min(numbers), max(numbers)
        if high > CLASSES or (low == 0 and high == CLASSES):
            raise DataError(f"{name} has labels from {low} to {high}: neither positions 0–999 nor ILSVRC ids 1–1000")
        if low == 0:
            wnids = list(known_names())
            return [wnids[number] for number in numbers], POSITIONS
        if numbered and (meta := self._meta):
            unknown = [number for number in numbers if number not in meta.wnids]
            if unknown:
                raise DataError(f"{name} has the label {unknown[0]}, which meta.mat lacks: fetch the devkit again")
            return [meta.wnids[number] for number in numbers], "ILSVRC ids by meta.mat"
        if numbered and high == CLASSES:
            raise UsageError(f"{name} holds ILSVRC ids: put {DEVKIT} ({LOGIN}) beside it, its meta.mat explains them")
        raise DataError(
            f"{name} has labels from {low} to {high}, which may be positions 0–999 or ILSVRC ids 1–1000: "
            "write WordNet ids in place of the numbers"
        )

    @cached_property
    def _meta(self) -> Meta | None:
        return read_meta(self._devkit["meta.mat"]) if "meta.mat" in self._devkit else None

    @cached_property
    def _devkit(self) -> dict[str, bytes]:
        """Give the files of the first devkit: unpacked, or in its archive."""
        for folder in self._folders:
            for data in (folder, folder / "data", *sorted(folder.glob("*devkit*/data"))):
                if (data / "meta.mat").is_file():
                    files = [data / "meta.mat", *sorted(data.glob("*_ground_truth.txt"))]
                    try:
                        return {file.name: file.read_bytes() for file in files}
                    except OSError as error:
                        raise DataError(f"{data} cannot be read ({error.strerror}): check its permissions") from error
            for archive in sorted((*folder.glob("*devkit*.tar.gz"), *folder.glob("*devkit*.tgz"))):
                return _unpacked(archive)
        return {}


def read_text(file: Path) -> str:
    """Read a list, whatever its letters and line ends.

    Raises:
        UsageError: If it does not exist.
        DataError: If it cannot be read, or is far too long.
    """
    if not file.is_file():
        raise UsageError(f"{file} does not exist: name a file")
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{file} is no list of labels ({file.stat().st_size:,} bytes): name another")
        return file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): mend it") from error


def _rows(name: str, text: str) -> list[tuple[str, str]]:
    """Split a list into file names ("" if it has none) and labels."""
    rows: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = next(csv.reader([line])) if name.endswith(".csv") else line.split()
        if not words or words[0] == "ImageId":
            continue
        if name.endswith(".csv"):
            words = [words[0], *words[1].split()[:1]] if len(words) == 2 else []  # then boxes
        if len(words) not in (1, 2) or (rows and (len(words) == 2) != bool(rows[0][0])):
            raise DataError(
                f"{name}, line {number}: {line[:60]!r} is neither `LABEL` nor `FILE LABEL` as above: mend it"
            )
        rows.append((words[0] if len(words) == 2 else "", words[-1]))
    if not rows:
        raise DataError(f"{name} is empty: fetch it again")
    return rows


def _unpacked(archive: Path) -> dict[str, bytes]:
    """Read the few files that are needed out of a devkit's archive."""
    files = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = member.name.rpartition("/")[2]
                wanted = name == "meta.mat" or name.endswith("_ground_truth.txt")
                if wanted and member.isreg() and member.size <= MAX_FILE_BYTES:
                    stream = members.extractfile(member)
                    files[name] = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive} is torn, or no archive ({error}): fetch it again ({LOGIN})") from error
    return files


def read_meta(data: bytes) -> Meta:
    """Read the devkit's `meta.mat`: classes have no children, the other synsets are their ancestors.

    Raises:
        UsageError: If SciPy is not there.
        DataError: If it is damaged.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise UsageError(
            f"{DEVKIT} holds meta.mat, a file of MATLAB, and needs SciPy: pip install 'alexnet[matlab]', or give "
            "val.txt in its place (lines: ILSVRC2012_val_00000001.JPEG n01751748)"
        ) from error
    try:
        synsets = loadmat(io.BytesIO(data), squeeze_me=True)["synsets"]
        number = next(field for field in synsets.dtype.names if field.endswith("_ID"))
        rows = [row for row in synsets if int(row["num_children"]) == 0]
        wnids = {int(row[number]): str(row["WNID"]).strip() for row in rows}
        names = {str(row["WNID"]).strip(): str(row["words"]).split(",")[0].strip() for row in rows}
    except Exception as error:  # a damaged .mat can raise anything
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise DataError(f"meta.mat cannot be read ({reason}): fetch the devkit again") from error
    return Meta(wnids, names)

"""Stanford Dogs: 20,580 pictures of 120 breeds, from ImageNet, as its authors publish them (no archive is unpacked).

PATH/Images/n02085936-Maltese_dog/n02085936_37.jpg      or  PATH/images.tar
PATH/Annotation/n02085936-Maltese_dog/n02085936_37      or  PATH/annotation.tar     for boxes
PATH/train_list.mat, test_list.mat (also in PATH/lists) or  PATH/lists.tar          for the official split
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from alexnet.data.archives import index, read
from alexnet.data.member import Member
from alexnet.data.sources import Example
from alexnet.data.sources.boxes import Box, first_box
from alexnet.data.sources.division import divide, listing, quarters
from alexnet.data.sources.files import File, pictures
from alexnet.data.sources.matlab import read_names
from alexnet.errors import DataError, UsageError, did_you_mean

URL = "http://vision.stanford.edu/aditya86/ImageNetDogs"
PICTURE = re.compile(r"(?:^|/)(n\d{8})-([^/]+)/([^/]+)$")
ANNOTATION = re.compile(r"(?:^|/)(n\d{8}-[^/]+/n\d{8}_\d+)$")
FOLDERS, ANNOTATIONS = ("Images", "images/Images"), ("Annotation", "annotations/Annotation")
LISTS = {"train": "train_list.mat", "test": "test_list.mat"}
SPLITS = ("write-up-000", "official")


class StanfordDogs:
    """The breeds, in the order of their WordNet ids; a class is called as its folder is, without the id.

    The data state no licence, and no digest of the archives is published: they are not downloaded here.

    Args:
        path: Folder that holds `Images` or `images.tar` (and the rest); or `Images`, or the archive, itself.
        classes: Take only these: names or WordNet ids.
        classes_largest: Take the breeds with the most pictures, so many; of breeds with equally many, those with the
            lower WordNet id. Of the three with 218 the fifth largest therefore is n02090721, the Irish wolfhound.
        split: `write-up-000`: a quarter is the test part, a quarter of the rest the validation part, both rounded up
            (five largest: 652, 218, 290); `official`: the authors' lists, which have no validation part.
        seed: Another seed chooses other pictures for the parts of `write-up-000`.
        boxes: Cut each picture to its first annotated box.

    Raises:
        UsageError: If there are no such data at `path`, or an option does not fit them.
        DataError: If an archive is torn, or a list names what is not there.
    """

    default_side = 256

    def __init__(
        self,
        path: Path | None,
        *,
        classes: list[str] | None = None,
        classes_largest: int | None = None,
        split: str = "write-up-000",
        seed: int = 0,
        boxes: bool = False,
    ) -> None:
        if split not in SPLITS:
            raise UsageError(f"stanford-dogs has no split {split}: {did_you_mean(split, SPLITS)}")
        if path is None:
            raise UsageError(f"stanford-dogs needs a path: {_wanted('images.tar')}")
        place, top = _find(path)
        self.skipped: list[tuple[str, str]] = []
        breeds = _breeds(place, self.skipped)
        chosen = _choose(breeds, classes, classes_largest)
        names = [folder.partition("-")[2] for folder in chosen]
        self.classes = names if len(set(names)) == len(names) else chosen
        files = [breeds[folder] for folder in chosen]
        self.fingerprint: dict[str, Any] = {
            **listing((name, file.size) for of_breed in files for name, file in of_breed.items()),
            "folders": chosen,
            "split": {"name": split} if split == "official" else {"name": split, "seed": seed},
        }
        if split == "official":
            self._divided = _official(top, place, files, self.skipped)
        else:
            self._divided = divide([list(of_breed) for of_breed in files], quarters([len(f) for f in files]), seed)
        self._files = {name: file for of_breed in files for name, file in of_breed.items()}
        self._boxes: dict[str, Box] | None = None
        if boxes:
            self._boxes = self._read_boxes(_annotations(top, place))
            digest = hashlib.sha256(json.dumps(sorted(self._boxes.items())).encode("ascii"))
            self.fingerprint["boxes_sha256"] = digest.hexdigest()
        self.splits = {name: sum(map(len, parts)) for name, parts in self._divided.items()}
        self.skipped.sort()

    def _read_boxes(self, annotation: Callable[[str], bytes | None]) -> dict[str, Box]:
        """Read the box of every picture, and leave out the pictures that have none."""
        boxes: dict[str, Box] = {}
        for parts in self._divided.values():
            for names in parts:
                for name in list(names):
                    text = annotation(name.rpartition(".")[0])
                    box = None if text is None else first_box(text)
                    if box is None:
                        names.remove(name)
                        self.skipped.append((name, "no annotation" if text is None else "no box in its annotation"))
                    else:
                        boxes[name] = box
        return boxes

    def examples(self) -> Iterator[Example]:
        """Give the pictures: split after split, breed after breed, by name."""
        for split, parts in self._divided.items():
            for label, names in enumerate(parts):
                for name in names:
                    box = None if self._boxes is None else self._boxes[name]
                    yield Example(self._files[name].place, label, split, name, box)


def _wanted(archive: str) -> str:
    return f"fetch {URL}/{archive} and put it, as it is, beside the others"


def _find(path: Path) -> tuple[Path, Path]:
    """Find the pictures' folder or archive, and the folder that lists and annotations lie in."""
    if path.is_file():
        return path, path.parent
    for name in FOLDERS:
        if (path / name).is_dir():
            return path / name, path
    if (path / "images.tar").is_file():
        return path / "images.tar", path
    if path.is_dir() and any(PICTURE.search(f"{entry.name}/x") for entry in path.iterdir()):
        return path, path.parent
    raise UsageError(f"no Stanford Dogs in {path} (wanted: Images or images.tar): {_wanted('images.tar')}")


def _breeds(place: Path, skipped: list[tuple[str, str]]) -> dict[str, dict[str, File]]:
    """Find the pictures by breed: by the last two parts of their names, the same in folder and archive."""
    breeds: dict[str, dict[str, File]] = {}
    beside: list[tuple[str, str]] = []
    for file in pictures(place, beside):
        match = PICTURE.search(file.name)
        if match is None:
            beside.append((file.name, "in no folder of a breed"))
            continue
        folder = f"{match[1]}-{match[2]}"
        found = breeds.setdefault(folder, {})
        if (name := f"{folder}/{match[3]}") in found:
            beside.append((file.name, "the same name again"))
        else:
            found[name] = file
    skipped += [(name, why) for name, why in beside if not ANNOTATION.search(name)]
    if len(breeds) < 2:
        raise UsageError(f"{place} holds {len(breeds)} breeds (folders as n02085936-Maltese_dog): give two or more")
    return {folder: dict(sorted(breeds[folder].items())) for folder in sorted(breeds)}


def _choose(breeds: dict[str, dict[str, File]], classes: list[str] | None, largest: int | None) -> list[str]:
    """Choose the breeds, in the order of their WordNet ids."""
    if classes and largest is not None:
        raise UsageError("classes and classes_largest exclude each other: give one of them")
    if largest is not None:
        if not 2 <= largest <= len(breeds):
            raise UsageError(f"classes_largest must be from 2 to {len(breeds)} (those that are there), not {largest}")
        return sorted(sorted(breeds, key=lambda folder: (-len(breeds[folder]), folder))[:largest])
    if not classes:
        return list(breeds)
    known = {alias: folder for folder in breeds for alias in (folder, *folder.split("-", 1))}
    for name in classes:
        if name not in known:
            raise UsageError(f"there is no breed {name}: {did_you_mean(name, [f.partition('-')[2] for f in breeds])}")
    chosen = sorted({known[name] for name in classes})
    if len(chosen) < 2:
        raise UsageError(f"classes names one breed ({chosen[0]}): give two or more")
    return chosen


def _official(
    top: Path, place: Path, files: list[dict[str, File]], skipped: list[tuple[str, str]]
) -> dict[str, list[list[str]]]:
    """Divide by the authors' lists."""
    divided: dict[str, list[list[str]]] = {}
    listed: set[str] = set()
    for split, (source, data) in _lists(top, place).items():
        names = read_names(data, "file_list", source)
        for of_breed in files:
            folder = next(iter(of_breed)).partition("/")[0]
            here = [name for name in names if name.startswith(f"{folder}/")]
            if missing := [name for name in here if name not in of_breed]:
                raise DataError(f"{source} names {missing[0]}, which is not there: {_wanted('images.tar')}")
            if len(set(here)) < len(here) or not listed.isdisjoint(here):
                raise DataError(f"{source} names a picture of {folder} a second time: {_wanted('lists.tar')}")
            divided.setdefault(split, []).append(sorted(here))
            listed.update(here)
    skipped += [(name, "in neither official list") for of_breed in files for name in of_breed if name not in listed]
    return divided


def _lists(top: Path, place: Path) -> dict[str, tuple[str, bytes]]:
    """Find the two official lists: their names for errors, and their bytes."""
    for folder in (top, top / "lists"):
        if all((folder / name).is_file() for name in LISTS.values()):
            return {split: (str(folder / name), (folder / name).read_bytes()) for split, name in LISTS.items()}
    for archive in (top / "lists.tar", place):
        if archive.is_file():
            found = {member.name.rpartition("/")[2]: member for member in index(archive)}
            if all(name in found for name in LISTS.values()):
                return {split: (f"{archive}/{name}", read(found[name])) for split, name in LISTS.items()}
    raise UsageError(f"the official split needs {' and '.join(LISTS.values())} in {top}: {_wanted('lists.tar')}")


def _annotations(top: Path, place: Path) -> Callable[[str], bytes | None]:
    """Find the annotations; what is returned reads one, by the picture's name without its ending."""
    for name in ANNOTATIONS:
        if (top / name).is_dir():
            return lambda picture: _read_if_there(top / name / picture)
    for archive in (top / "annotation.tar", place):
        if archive.is_file() and (found := _annotated(index(archive))):
            return lambda picture: read(found[picture]) if picture in found else None
    raise UsageError(f"boxes need Annotation or annotation.tar in {top}: {_wanted('annotation.tar')}")


def _annotated(members: Iterable[Member]) -> dict[str, Member]:
    return {match[1]: member for member in members if (match := ANNOTATION.search(member.name))}


def _read_if_there(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None

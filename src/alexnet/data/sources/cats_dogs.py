"""Cats and dogs, 25,000 photographs in two distributions, Kaggle's and Microsoft's; no archive is unpacked.

PATH/train/cat.0.jpg, dog.0.jpg         or  PATH/train.zip                      Kaggle
PATH/PetImages/Cat/0.jpg, Dog/0.jpg     or  PATH/kagglecatsanddogs_5340.zip     Microsoft
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alexnet.data.archives import index
from alexnet.data.member import Member
from alexnet.data.sources import Example
from alexnet.data.sources.division import by_shares, checked_shares, divide, listing
from alexnet.data.sources.files import File, pictures
from alexnet.errors import DataError, UsageError

KAGGLE = "https://www.kaggle.com/c/dogs-vs-cats/data"
MICROSOFT = "https://www.microsoft.com/en-us/download/details.aspx?id=54765"
CLASSES = ("cat", "dog")
PICTURE = re.compile(r"(?:^|/)(?:(cat|dog)\.(\d{1,9})\.jpe?g|(Cat|Dog)/(\d{1,9})\.jpe?g)$")
FOLDERS = ("train", "PetImages")
ARCHIVES = ("train.zip", "dogs-vs-cats.zip", "kagglecatsanddogs*.zip")
WANTED = (
    f"fetch train.zip from {KAGGLE} (with an account there) or kagglecatsanddogs_5340.zip from {MICROSOFT}, "
    "and give it as it is"
)


class CatsDogs:
    """The pictures whose names tell a cat or a dog, in the order of their numbers.

    Microsoft's files 666 and 11702 and others of that set are broken: they are counted as bad, and no other is put in
    their place. Both distributions are under terms of their own: they are not downloaded here.

    Args:
        path: The archive, or the folder that holds it, `train`, `PetImages`, or the pictures themselves.
        val_share: Which share of each class becomes the validation part.
        test_share: Which share of each class becomes the test part; 0: there is none.
        seed: Another seed chooses other pictures for them.

    Raises:
        UsageError: If there are no such pictures at `path`, or the shares leave none to train on.
        DataError: If an archive is torn, or there is only one of the classes.
    """

    default_side = 256

    def __init__(self, path: Path | None, *, val_share: float = 0.1, test_share: float = 0.1, seed: int = 0) -> None:
        shares = checked_shares(val_share, test_share)
        if path is None:
            raise UsageError(f"cats-dogs needs a path: {WANTED}")
        self.skipped: list[tuple[str, str]] = []
        files = _find(path, self.skipped)
        self.classes = list(CLASSES)
        for name, of_class in zip(CLASSES, files, strict=True):
            if not of_class:
                raise DataError(f"{path} has no pictures of class {name}: {WANTED}")
        self._files = {name: file for of_class in files for name, file in of_class.items()}
        names = [list(of_class) for of_class in files]
        self._divided = divide(names, by_shares([len(of_class) for of_class in names], shares), seed)
        self.splits = {split: sum(map(len, parts)) for split, parts in self._divided.items()}
        self.fingerprint: dict[str, Any] = {
            **listing((name, file.size) for name, file in self._files.items()),
            "split": {**{f"{split}_share": share for split, share in shares.items()}, "seed": seed},
        }
        self.skipped.sort()

    def examples(self) -> Iterator[Example]:
        """Give the pictures: split after split, cats before dogs, by number."""
        for split, parts in self._divided.items():
            for label, names in enumerate(parts):
                for name in names:
                    yield Example(self._files[name].place, label, split, name)


def _places(path: Path) -> Iterator[Path | Member]:
    """Name the places where the pictures may be, the likeliest first."""
    if path.is_file():
        yield path
        inner = [member for member in index(path) if member.name.rpartition("/")[2] == "train.zip"]
        yield from inner[:1]
    elif path.is_dir():
        yield from (path / name for name in FOLDERS if (path / name).is_dir())
        for pattern in ARCHIVES:
            for archive in sorted(path.glob(pattern)):
                yield from _places(archive)
        yield path


def _find(path: Path, skipped: list[tuple[str, str]]) -> list[dict[str, File]]:
    """Find the pictures of each class by name."""
    for place in _places(path):
        beside: list[tuple[str, str]] = []
        found: dict[str, list[tuple[int, str, File]]] = {"Kaggle": [], "Microsoft": []}
        for file in pictures(place, beside):
            if match := PICTURE.search(file.name):
                whose, number = ("Kaggle", match[2]) if match[1] else ("Microsoft", match[4])
                found[whose].append((int(number), match[0].lstrip("/"), file))
            else:
                beside.append((file.name, "its name tells no class"))
        if all(found.values()):
            raise UsageError(
                f"{path} holds both Kaggle's and Microsoft's pictures, which are the same: give one of them"
            )
        for numbered in found.values():
            if numbered:
                skipped += beside
                return _by_class(numbered, skipped)
    raise UsageError(f"no cats and dogs in {path}: {WANTED}")


def _by_class(numbered: list[tuple[int, str, File]], skipped: list[tuple[str, str]]) -> list[dict[str, File]]:
    """Put the pictures into their classes, each name once, in the order of their numbers."""
    classes: list[dict[str, File]] = [{} for _ in CLASSES]
    for _, name, file in sorted(numbered, key=lambda entry: entry[:2]):
        of_class = classes[CLASSES.index(name[:3].lower())]
        if name in of_class:
            skipped.append((file.name, "the same name again"))
        else:
            of_class[name] = file
    return classes

"""Pictures in class folders, with or without a folder for each split above them.

    PATH/cat/1.jpg               PATH/train/cat/1.jpg
    PATH/dog/2.jpg        or     PATH/train/dog/2.jpg    and likewise in PATH/val, PATH/test

Without split folders (or with `train` alone) a share of every class becomes the validation part. Everything below a
class folder belongs to the class. Hidden files, metadata and files that are no pictures are passed over and counted.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alexnet.data.sources import SPLITS, Example
from alexnet.data.sources.division import by_shares, checked_shares, divide, listing
from alexnet.data.sources.files import Walk
from alexnet.errors import DataError, UsageError

SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
LAYOUT = "wanted: PATH/CLASS/picture.jpg, or PATH/train/CLASS/picture.jpg (val, test likewise), two classes or more"


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
        shares = checked_shares(val_share, test_share)
        walk = Walk(path)
        folders = _split_folders(walk)
        self.classes = _common_classes(walk, folders)
        found = {split: [list(walk.pictures(all_[name])) for name in self.classes] for split, all_ in folders.items()}
        for split, classes in found.items():
            for name, pictures in zip(self.classes, classes, strict=True):
                if not pictures:
                    raise DataError(f"{folders[split][name]} has no pictures: fill the class {name}, or take it out")
        every = ((walk.name(file), size) for classes in found.values() for all_ in classes for file, size in all_)
        self.fingerprint: dict[str, Any] = listing(every)
        files = {split: [[file for file, _ in pictures] for pictures in classes] for split, classes in found.items()}
        if list(files) == ["train"]:
            files = _carve(walk, files["train"], shares, seed)
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


def _split_folders(walk: Walk) -> dict[str, dict[str, str]]:
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


def _common_classes(walk: Walk, folders: dict[str, dict[str, str]]) -> list[str]:
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
        below = Path(folders["train"][classes[0]]) if classes else walk.root
        hint = f"; did you mean {below}?" if len(Walk(below).folders(below, "")) > 1 else ""
        raise UsageError(f"{walk.root} holds {what}: {LAYOUT}{hint}")
    return classes


def _carve(walk: Walk, classes: list[list[str]], shares: dict[str, float], seed: int) -> dict[str, list[list[str]]]:
    """Hold out a share of each class for every split named."""
    names = [[walk.name(file) for file in files] for files in classes]
    divided = divide(names, by_shares([len(files) for files in classes], shares), seed)
    return {split: [[str(walk.root / name) for name in names] for names in parts] for split, parts in divided.items()}

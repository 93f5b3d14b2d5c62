"""ImageNet's challenges, ILSVRC2012 and the paper's ILSVRC2010: their archives as distributed, or unpacked.

The classes are WordNet ids in sorted order, the store's names for them an id and a word (`n02012849 crane`, because
there is another crane). `imagenet_places` tells the layouts, `imagenet_labels` the lists of labels. The same pictures
have the same order and names in every layout, so that they give the same records.

ILSVRC2010 has labels for its test pictures, and corrected pictures in `patch_images.tar`; its layout is that of fuel's
converter (mila-iqia/fuel, `converters/ilsvrc2010.py`). One of its pictures is gzipped (n02487347_1956.JPEG): it is
counted as bad.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from alexnet.data.member import Member
from alexnet.data.sources import SPLITS, Example
from alexnet.data.sources.imagenet_labels import Shelf, Truth, chosen_classes, known_names, suggest
from alexnet.data.sources.imagenet_places import (
    WANTED,
    Layout,
    Pictures,
    Skipped,
    classes_of,
    find,
    joined,
    patches,
    pictures_of,
)
from alexnet.errors import DataError, UsageError

READERS = 8  # of tars' headers; a far disk answers late


class ImageNet:
    """The pictures of ILSVRC: `train` class by class, `val` (and ILSVRC2010's `test`) in the order of the file names.

    Args:
        path: The folder that holds the archives, or `train` and `val`; Kaggle's folder is one.
        classes: Take only these: WordNet ids, or a file with one first on each line.
        per_class: Take only so many pictures of a class, in every split; a larger number keeps those of a smaller one.
        seed: Another seed takes others.
        val_list: The list of val's labels, where it does not lie beside the pictures.

    Raises:
        UsageError: If the layout is another, a class is unknown, or labels are missing.
        DataError: If an archive or a list is torn, a list lacks a picture, or a class has none.
    """

    default_side = 256

    def __init__(
        self,
        path: Path | None,
        *,
        classes: Sequence[str] | Path | None = None,
        per_class: int | None = None,
        seed: int = 0,
        val_list: Path | None = None,
    ) -> None:
        if path is None:
            raise UsageError(f"imagenet needs a path; {WANTED}")
        if per_class is not None and per_class < 1:
            raise UsageError(f"per_class must be 1 or more, not {per_class}")
        chosen = None if classes is None else chosen_classes(classes if isinstance(classes, Path) else list(classes))
        self.skipped: Skipped = []
        layout = find(path, self.skipped)
        reader = _Reader(layout, Shelf(layout.shelves), self.skipped, chosen)
        self._pictures = reader.splits(val_list)
        if per_class is not None:
            self._pictures = {split: self._fewer(split, per_class, seed) for split in self._pictures}
        self._wnids = reader.wnids
        self.classes = reader.shelf.names(reader.wnids)
        self.splits = {split: len(pictures) for split, pictures in self._pictures.items()}
        self.skipped.sort()
        self.fingerprint: dict[str, Any] = {
            "pictures": sum(self.splits.values()),
            "bytes": sum(int(pictures.sizes.sum()) for pictures in self._pictures.values()),
            "names_and_sizes_sha256": self._digest(),
            "labels": reader.sources,
        }
        if per_class is not None:
            self.fingerprint["subset"] = {"per_class": per_class, "seed": seed}

    def examples(self) -> Iterator[Example]:
        """Give the pictures: files, or members of tars, that are read where they are decoded."""
        for split, pictures in self._pictures.items():
            for place, label in enumerate(pictures.labels.tolist()):
                yield Example(pictures.where(place), label, split, self._name(split, pictures, place))

    def _name(self, split: str, pictures: Pictures, place: int) -> str:
        """Name a picture alike in all layouts."""
        return f"{split}/{self._wnids[pictures.labels[place]]}/{pictures.name(place)}"

    def _fewer(self, split: str, count: int, seed: int) -> Pictures:
        """Take `count` of each class, by hashed names."""
        pictures = self._pictures[split]
        hashes = [
            hashlib.sha256(ascii([seed, pictures.name(place)]).encode()).digest() for place in range(len(pictures))
        ]
        order = np.lexsort((np.array(hashes, "S32"), pictures.labels))
        labels = pictures.labels[order]
        first = np.searchsorted(labels, labels)  # where each one's class begins
        return pictures.take(np.sort(order[np.arange(len(order)) - first < count]))

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for split, pictures in self._pictures.items():
            for place, size in enumerate(pictures.sizes.tolist()):
                digest.update(ascii([self._name(split, pictures, place), size]).encode())
        return digest.hexdigest()


class _Reader:
    """Lists the pictures of all splits, once the classes are settled by `train`.

    Attributes:
        wnids: The classes.
        sources: Where the labels of val and test come from, in words.
    """

    def __init__(self, layout: Layout, shelf: Shelf, skipped: Skipped, chosen: set[str] | None) -> None:
        self.layout, self.shelf, self.skipped, self.chosen = layout, shelf, skipped, chosen
        self.train = classes_of("train", layout.parts["train"], skipped)
        for wnid in sorted(chosen or ()):
            if wnid not in self.train:
                raise UsageError(f"{layout.parts['train']} has no class {wnid}: {suggest(wnid, self.train)}")
        self.wnids = sorted(chosen or self.train)
        if len(self.wnids) < 2:
            raise UsageError(f"{layout.parts['train']} holds {len(self.wnids)} classes by WordNet ids; {WANTED}")
        self.sources: dict[str, str] = {}

    def splits(self, val_list: Path | None) -> dict[str, Pictures]:
        """List every split that has labels."""
        found = {"train": self._by_class("train", self.train)}
        for split in SPLITS[1:]:
            if split in self.layout.parts and (pictures := self._other(split, val_list)) is not None:
                found[split] = pictures.take(np.lexsort((pictures.labels, pictures.names)))
        better = patches(self.layout.shelves, self.skipped)
        return {split: pictures.replaced(better.get(split, {})) for split, pictures in found.items()}

    def _by_class(self, split: str, places: dict[str, Path | Member]) -> Pictures:
        def of(wnid: str) -> tuple[Pictures, Skipped]:
            skipped: Skipped = []
            return pictures_of(split, wnid, places[wnid], self.wnids.index(wnid), skipped), skipped

        parts = []
        with ThreadPoolExecutor(READERS) as pool:
            for part, skipped in pool.map(of, self.wnids):
                parts.append(part)
                self.skipped += skipped
        return joined(parts)

    def _other(self, split: str, val_list: Path | None) -> Pictures | None:
        """List val or test; None if there are no labels for test."""
        place = self.layout.parts[split]
        places = classes_of(split, place, self.skipped)
        named = val_list if split == "val" else None
        if places and named:
            raise UsageError(f"{place} has a folder for each class: leave out the list {named} (--val-list)")
        if places:
            self._refuse_difference(split, set(places))
            self.sources[split] = "folders named by WordNet ids"
            return self._by_class(split, places)
        truth = self.shelf.truth(split, named)
        if truth is None:
            self.skipped.append((split, "no list of its labels"))
            return None
        return self._by_list(split, place, truth)

    def _by_list(self, split: str, place: Path, truth: Truth) -> Pictures:
        """Label pictures that lie flat."""
        lists = truth.source.partition(",")[0]
        if truth.of_2012 and not set(self.train) <= set(known_names()):
            raise DataError(f"{lists} numbers the classes of ILSVRC2012, but train has others: give WordNet ids in it")
        pictures = pictures_of(split, "", place, -1, self.skipped)
        wnids = [truth.of(pictures.name(at)) for at in range(len(pictures))]
        if None in wnids:
            lost, first = wnids.count(None), pictures.name(wnids.index(None))
            whole = f"{len(wnids):,} pictures in {place}"
            raise DataError(f"{lists} lacks {lost:,} of the {whole}, the first is {first}: give the whole list")
        self._refuse_difference(split, {str(wnid) for wnid in wnids})
        label_of = {wnid: label for label, wnid in enumerate(self.wnids)}
        labels = np.array([label_of.get(str(wnid), -1) for wnid in wnids], np.int64)
        left = len(truth.wnids) - len(pictures)
        self.sources[split] = truth.source + (f"; {left:,} of its pictures are not there" if left > 0 else "")
        return pictures.labelled(labels).take(np.flatnonzero(labels >= 0))

    def _refuse_difference(self, split: str, found: set[str]) -> None:
        """Refuse a split with other classes than `train`; where classes were chosen, others may be there."""
        lacking, strange = sorted(set(self.wnids) - found), sorted(found - set(self.wnids))
        if lacking:
            what = f"{split} has no pictures of {_some(lacking)}"
        elif strange and not self.chosen:
            what = f"{split} has pictures of {_some(strange)}, which train lacks"
        else:
            return
        raise UsageError(f"{what}: complete {self.layout.parts['train'].parent}, or choose classes (--classes)")


def _some(wnids: list[str]) -> str:
    """Name a few of many."""
    return ", ".join(wnids[:3]) + (f" and {len(wnids) - 3:,} more" if len(wnids) > 3 else "")

"""Equal pictures in a store, within a split and across splits: equal in every prepared pixel, not merely alike.

The checksums of the records say in seconds which pictures can be equal; a CRC-32 is no proof, so only these are read,
and told apart by their SHA-256.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from alexnet.data.store import Store

CHUNK_BYTES = 16 << 20


@dataclass(frozen=True)
class Group:
    """Places of two or more equal pictures, as (split, index), in the order of the store."""

    places: tuple[tuple[str, int], ...]

    @property
    def splits(self) -> list[str]:
        """The splits that it has pictures in."""
        return list(dict.fromkeys(split for split, _ in self.places))

    @property
    def leaks(self) -> bool:
        """Whether a training picture also stands in another split, where it measures memory and not skill."""
        return "train" in self.splits and len(self.splits) > 1

    def inside(self, split: str) -> list[int]:
        """List its places in a split."""
        return [index for name, index in self.places if name == split]

    def labels(self, store: Store) -> list[int]:
        """Give the classes of its pictures, which need not be the same."""
        return [int(store.splits[split].labels[index]) for split, index in self.places]

    def names(self, store: Store) -> list[str]:
        """Give the names of its pictures."""
        return [store.splits[split].names[index] for split, index in self.places]


def find_duplicates(store: Store) -> list[Group]:
    """Find all groups of equal pictures, in the order of their first ones.

    Raises:
        DataError: If the checksums of a split are damaged.
    """
    splits = list(store.splits.values())
    starts = np.cumsum([0, *map(len, splits)])
    suspects = _shared(np.concatenate([split.checksums for split in splits]))
    groups: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
    for split, start, end in zip(splits, starts, starts[1:], strict=False):
        inside = suspects[(suspects >= start) & (suspects < end)] - start
        for places in np.array_split(inside, max(1, len(inside) * store.side**2 * 3 // CHUNK_BYTES)):
            for place, picture in zip(places.tolist(), split.pictures(places), strict=True):
                groups[hashlib.sha256(picture.data).digest()].append((split.name, place))
    return [Group(tuple(places)) for places in groups.values() if len(places) > 1]


def _shared(checksums: np.ndarray) -> Int64[np.ndarray, "k"]:
    """Find the places of values that occur more than once, in order."""
    by_value = np.argsort(checksums, kind="stable")
    same = np.diff(checksums[by_value]) == 0
    return np.sort(by_value[np.concatenate([[False], same]) | np.concatenate([same, [False]])])

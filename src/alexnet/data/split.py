"""One part of a store: pictures read by their places, each checked when it is first read."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsIndex, overload

import numpy as np
from jaxtyping import Int64, UInt8, UInt64

from alexnet.data.checksums import file_checksum, word_sums
from alexnet.errors import DataError

BLOCK_BYTES = 1 << 20
LARGE_RECORD = 1 << 16  # bytes from which a step in Python for each costs little


class Names(Sequence[str]):
    """The names of pictures, each read from the file's text when it is asked for."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: SupportsIndex | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        start = int(self._ends[place - 1]) + 1 if place else 0
        name: str = json.loads(self._text[start : self._ends[place]])
        return name

    def __iter__(self) -> Iterator[str]:
        return (json.loads(line) for line in self._text.splitlines())


class Split:
    """One part of a store (`train`, `val` or `test`); everything in it is read at first use.

    Attributes:
        name: Of the split.
        side: Of its pictures, in pixels.
        records: `raw` or `jpeg`.
        classes: Names of the store's classes; a label is an index into them.
        folder: Of the store.
    """

    def __init__(
        self, folder: Path, name: str, side: int, records: str, classes: list[str], entry: dict[str, Any]
    ) -> None:
        self.name, self.side, self.records, self.classes = name, side, records, classes
        self.folder, self._entry = folder, entry
        self._shards: list[dict[str, Any]] = entry["shards"]
        # where each shard begins, counted in pictures
        self._starts = np.cumsum([0] + [shard["images"] for shard in self._shards])
        self._maps: dict[int, np.ndarray] = {}
        self._seen = np.zeros(len(self), bool)

    def __len__(self) -> int:
        return int(self._entry["images"])

    def pictures(
        self, indices: Int64[np.ndarray, "n"], out: UInt8[np.ndarray, "n side side 3"] | None = None
    ) -> UInt8[np.ndarray, "n side side 3"]:
        """Read the pictures at some places of the split, in that order; a copy.

        Args:
            indices: Their places.
            out: Where they are written, contiguous; new memory by default.

        Raises:
            IndexError: If there is no such place.
            DataError: If a record that was not read before in this process is damaged.
        """
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self)):
            wrong = indices[(indices < 0) | (indices >= len(self))]
            raise IndexError(f"{self.name} has {len(self):,} pictures, there is none at {wrong[0]}")
        pictures = np.empty((len(indices), self.side, self.side, 3), np.uint8) if out is None else out
        shards = np.searchsorted(self._starts, indices, "right") - 1
        if self.records == "raw":
            self._read_raw(indices, shards, pictures)
        else:
            self._read_jpeg(indices, shards, pictures)
        return pictures

    @cached_property
    def labels(self) -> Int64[np.ndarray, "n"]:
        """The class of every picture, as an index into the store's classes."""
        return np.frombuffer(self._checked("labels.i64"), "<i8").astype(np.int64)

    @cached_property
    def names(self) -> Names:
        """The name of every picture in its source."""
        return Names(self._checked("names.txt"))

    @cached_property
    def checksums(self) -> UInt64[np.ndarray, "n"]:
        """The checksum of every record; equal records have equal ones."""
        return np.frombuffer(self._checked("checksums.u64"), "<u8").astype(np.uint64)

    def damaged(self, shard: str) -> list[int]:
        """List the places of a shard's pictures whose record is not what its checksum says."""
        number = next(number for number, entry in enumerate(self._shards) if entry["file"] == shard)
        places = np.arange(self._starts[number], self._starts[number + 1])
        if self.records == "jpeg":
            return [int(place) for place in places if not self._is_sound(place, self._file(place, number))]
        blocks = np.array_split(places, max(1, len(places) * self._record_bytes // BLOCK_BYTES))
        rows = self._rows(number)
        sums = [word_sums(rows[block - self._starts[number]]) for block in blocks]
        return [int(place) for place in places[np.concatenate(sums) != self.checksums[places]]]

    @property
    def _record_bytes(self) -> int:
        return self.side * self.side * 3

    @cached_property
    def _ends(self) -> Int64[np.ndarray, "n"]:
        return np.frombuffer(self._checked("ends.i64"), "<i8").astype(np.int64)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")

    def _bytes(self, number: int) -> UInt8[np.ndarray, "bytes"]:
        """Map a shard, read-only."""
        if number not in self._maps:
            shard = self._shards[number]
            self._maps[number] = np.asarray(np.memmap(self.folder / shard["file"], np.uint8, mode="r"))
        return self._maps[number]

    def _rows(self, number: int) -> UInt8[np.ndarray, "n side side 3"]:
        return self._bytes(number).reshape(-1, self.side, self.side, 3)

    def _read_raw(
        self,
        indices: Int64[np.ndarray, "n"],
        shards: Int64[np.ndarray, "n"],
        pictures: UInt8[np.ndarray, "n side side 3"],
    ) -> None:
        known = bool(self._seen[indices].all())
        rows = indices - self._starts[shards]
        if known or self._record_bytes % 8 or self._record_bytes < LARGE_RECORD:
            self._copy(shards, rows, pictures)
            sums = None if known else word_sums(pictures)
        else:
            sums = self._copy_and_sum(shards, rows, pictures)
        if sums is not None:
            wrong = indices[sums != self.checksums[indices]]
            if len(wrong):
                raise self._damage(int(wrong[0]))
            self._seen[indices] = True

    def _copy(
        self,
        shards: Int64[np.ndarray, "n"],
        rows: Int64[np.ndarray, "n"],
        pictures: UInt8[np.ndarray, "n side side 3"],
    ) -> None:
        """Copy some rows of some shards."""
        if len(shards) and (shards == shards[0]).all():
            # every place was checked: `clip` only spares a second copy
            np.take(self._rows(int(shards[0])), rows, axis=0, out=pictures, mode="clip")
            return
        for place, (shard, row) in enumerate(zip(shards.tolist(), rows.tolist(), strict=True)):
            pictures[place] = self._rows(shard)[row]

    def _copy_and_sum(
        self,
        shards: Int64[np.ndarray, "n"],
        rows: Int64[np.ndarray, "n"],
        pictures: UInt8[np.ndarray, "n side side 3"],
    ) -> UInt64[np.ndarray, "n"]:
        """Copy large records, and take the checksum of each while it still lies in the processor's cache."""
        words = pictures.reshape(len(pictures), -1).view("<u8")
        sums = np.empty(len(pictures), np.uint64)
        for place, (shard, row) in enumerate(zip(shards.tolist(), rows.tolist(), strict=True)):
            pictures[place] = self._rows(shard)[row]
            sums[place] = np.add.reduce(words[place])
        return sums

    def _read_jpeg(
        self,
        indices: Int64[np.ndarray, "n"],
        shards: Int64[np.ndarray, "n"],
        pictures: UInt8[np.ndarray, "n side side 3"],
    ) -> None:
        from alexnet.data.decode import UnreadablePicture, decode  # loads torch, which a look into a store needs not

        def read(job: tuple[Any, Any, UInt8[np.ndarray, "side side 3"]]) -> None:
            place, number, target = job
            data = self._file(place, number)
            if not self._seen[place] and not self._is_sound(place, data):
                raise self._damage(int(place))
            try:
                target[...] = decode(data)
            except (UnreadablePicture, ValueError) as error:
                raise self._damage(int(place)) from error
            self._seen[place] = True

        list(self._pool.map(read, zip(indices, shards, pictures, strict=True)))

    def _file(self, place: Any, number: Any) -> bytes:
        """Take a JPEG record out of its shard."""
        start = 0 if place == self._starts[number] else self._ends[place - 1]
        return self._bytes(int(number))[start : self._ends[place]].tobytes()

    def _is_sound(self, place: Any, data: bytes) -> bool:
        return file_checksum(data) == int(self.checksums[place])

    def _damage(self, place: int) -> DataError:
        shard = self._shards[int(np.searchsorted(self._starts, place, "right")) - 1]["file"]
        return DataError(
            f"{self.folder / shard} is damaged in record {place} (its checksum does not match): "
            f"see what else is with `alexnet verify {self.folder}`, then prepare the store again"
        )

    def _checked(self, ending: str) -> bytes:
        """Read a small file whole, and refuse it when it is not what was written."""
        name = f"{self.name}.{ending}"
        data = (self.folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != self._entry["files"][name]["sha256"]:
            raise DataError(f"{self.folder / name} is damaged (its digest does not match): prepare the store again")
        return data

"""Writes a `Store`: every file hashed while it is written and forced to the disk, the manifest last."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from safetensors.numpy import save as save_tensors

from alexnet.data.store import (
    FORMAT,
    MANIFEST,
    REPORT,
    STATISTICS,
    VERSION,
    Statistics,
    canonical_json,
    manifest_digest,
)
from alexnet.durable import write_atomic


@dataclass(frozen=True)
class Records:
    """Some pictures of one split, in their order.

    Attributes:
        split: Its name.
        images: Their pixels.
        labels: Their classes.
        names: Their names in the source.
        checksums: CRC-32 of each picture's pixels.
    """

    split: str
    images: UInt8[np.ndarray, "n side side 3"]
    labels: list[int]
    names: list[str]
    checksums: list[int]


class HashedFile:
    """A new file that is hashed while it is written."""

    def __init__(self, path: Path) -> None:
        self.name, self.bytes, self.digest = path.name, 0, hashlib.sha256()
        self.stream = open(path, "xb")  # noqa: SIM115 - closed by `close`, at the latest by `writing`

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        self.stream.write(data)
        self.digest.update(data)
        self.bytes += len(data)

    def close(self) -> dict[str, Any]:
        """Force the file to the disk; its entry in the manifest."""
        with self.stream:
            self.stream.flush()
            os.fsync(self.stream.fileno())
        return {"bytes": self.bytes, "sha256": self.digest.hexdigest()}


class SplitWriter:
    """The four files of one split."""

    def __init__(self, folder: Path, split: str) -> None:
        self.count = 0
        self.images = HashedFile(folder / f"{split}.images.u8")
        self.labels = HashedFile(folder / f"{split}.labels.i64")
        self.checksums = HashedFile(folder / f"{split}.crc32.u32")
        self.names = HashedFile(folder / f"{split}.names.txt")
        self.files = [self.images, self.labels, self.checksums, self.names]

    def add(self, records: Records) -> None:
        """Append records."""
        self.count += len(records.labels)
        self.images.write(records.images.reshape(-1).data)
        self.labels.write(np.array(records.labels, "<i8").tobytes())
        self.checksums.write(np.array(records.checksums, "<u4").tobytes())
        self.names.write(b"".join(canonical_json(name) for name in records.names))

    def close(self) -> dict[str, Any]:
        """Finish the files; the split's entry in the manifest."""
        return {"images": self.count, "files": {file.name: file.close() for file in self.files}}


class StoreWriter:
    """A store in the making: any number of `add`, then one `finish`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.splits: dict[str, SplitWriter] = {}

    def add(self, records: Records) -> None:
        """Append records to their split."""
        if records.split not in self.splits:
            self.splits[records.split] = SplitWriter(self.folder, records.split)
        self.splits[records.split].add(records)

    def finish(self, facts: dict[str, Any], statistics: Statistics, report: dict[str, Any]) -> None:
        """Write what is left, the manifest last.

        Args:
            facts: For the manifest: `classes`, `side`, `counts` and `source`.
            statistics: Of the training part.
            report: For `report.json`.
        """
        arrays = asdict(statistics)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            **facts,
            "splits": {name: split.close() for name, split in self.splits.items()},
            "files": {
                STATISTICS: self._write(STATISTICS, save_tensors(arrays)),
                REPORT: self._write(REPORT, canonical_json(report)),
            },
            # for the reader's eye; the program takes the arrays from their file
            "statistics": {name: array.tolist() for name, array in arrays.items() if name != "mean_image"},
        }
        manifest["digest"] = manifest_digest(manifest)
        write_atomic(self.folder / MANIFEST, canonical_json(manifest))

    def _write(self, name: str, data: bytes) -> dict[str, Any]:
        file = HashedFile(self.folder / name)
        file.write(data)
        return file.close()


@contextmanager
def writing(folder: Path) -> Iterator[StoreWriter]:
    """Give a writer of a store in `folder`, and close its files whatever happens."""
    writer = StoreWriter(folder)
    try:
        yield writer
    finally:
        for split in writer.splits.values():
            for file in split.files:
                file.stream.close()

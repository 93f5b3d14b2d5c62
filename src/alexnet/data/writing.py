"""Writes a store: shard after shard, each with a note of what is in it, and the manifest last.

Every file is hashed while it is written and forced to the disk. What is finished stays in a working folder, so that an
interrupted preparation can go on; a store and its parts are made the same way, and the store is put together from the
notes alone.
"""

import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from safetensors.numpy import save as save_tensors

from alexnet.data.account import Account
from alexnet.data.checksums import file_checksum, word_sums
from alexnet.data.notes import Note, note_name
from alexnet.data.plan import Plan
from alexnet.data.statistics import Totals
from alexnet.data.store import FORMAT, MANIFEST, REPORT, STATISTICS, VERSION, canonical_json, manifest_digest
from alexnet.durable import fault, write_atomic, write_error

JPEG_QUALITY = 90


@dataclass(frozen=True)
class Records:
    """Some pictures of one shard, ready to be written, in their order.

    Attributes:
        data: Each record's bytes; those of raw ones, all in one piece.
        sizes: Bytes of each.
        checksums: Of each.
        labels: The pictures' classes.
        names: Their names in the source.
        bad: Name, label and reason of those that could not be read.
        totals: Their sums, if they train.
        remarks: How many of them were not taken as they are, by what was done.
    """

    data: bytes | memoryview
    sizes: list[int]
    checksums: list[int]
    labels: list[int]
    names: list[str]
    bad: list[tuple[str, int, str]]
    totals: Totals
    remarks: Counter[str] = field(default_factory=Counter)


def encoded(
    images: UInt8[np.ndarray, "n side side 3"], records: str
) -> tuple[bytes | memoryview, list[int], list[int]]:
    """Make records of pictures: their bytes, sizes and checksums."""
    if records == "raw":
        return images.reshape(-1).data, [image.size for image in images], word_sums(images).tolist()
    files = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
        files.append(stream.getvalue())
    return b"".join(files), [len(file) for file in files], [file_checksum(file) for file in files]


class HashedFile:
    """A new file that is hashed while it is written.

    Raises:
        AlexNetError: If it cannot be written, by any of its methods.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.bytes, self.digest = path, 0, hashlib.sha256()
        with self._telling():
            self.stream = open(path, "xb")  # noqa: SIM115 - closed by `close`, at the latest by `abandon`

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise write_error(self.path, error) from error

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        with self._telling():
            self.stream.write(data)
        self.digest.update(data)
        self.bytes += len(data)

    def close(self, stage: str = "") -> dict[str, Any]:
        """Force the file to the disk; its entry in the manifest. A stage names fault points before and after."""
        with self._telling(), self.stream:
            self.stream.flush()
            if stage:
                fault(f"{stage}-written")
            os.fsync(self.stream.fileno())
        if stage:
            fault(f"{stage}-synced")
        return {"bytes": self.bytes, "sha256": self.digest.hexdigest()}

    def abandon(self) -> None:
        """Close it as it is; harmless after `close`."""
        with suppress(OSError):  # the disk is full, and has said so before
            self.stream.close()


class ShardWriter:
    """One shard in the making: any number of `add`, then one `close`."""

    def __init__(self, folder: Path, notes: Path, plan: Plan, split: str, number: int) -> None:
        self.plan, self.split, self.number, self.notes = plan, split, number, notes
        self.file = HashedFile(folder / plan.shard_name(split, number))
        self.ends: list[int] = []
        self.checksums: list[int] = []
        self.labels: list[int] = []
        self.names: list[str] = []
        self.bad: list[tuple[str, int, str]] = []
        self.totals = Totals(plan.side)
        self.remarks: Counter[str] = Counter()
        fault("shard-begun")

    def add(self, records: Records) -> None:
        """Append records."""
        self.ends += (self.file.bytes + np.cumsum(records.sizes, dtype=np.int64)).tolist()
        self.file.write(records.data)
        self.checksums += records.checksums
        self.labels += records.labels
        self.names += records.names
        self.bad += records.bad
        self.totals.merge(records.totals)
        self.remarks.update(records.remarks)
        fault("shard-half")

    def close(self) -> None:
        """Finish the shard and write its note, which makes it count."""
        entry = {"file": self.file.path.name, "images": len(self.labels), **self.file.close("shard")}
        Note(
            plan=self.plan.digest,
            split=self.split,
            number=self.number,
            entry=entry,
            labels=np.array(self.labels, np.int64),
            checksums=np.array(self.checksums, np.uint64),
            ends=np.array(self.ends if self.plan.records == "jpeg" else [], np.int64),
            names=self.names,
            totals=self.totals,
            bad=self.bad,
            remarks=self.remarks,
        ).write(self.notes)
        fault("shard-noted")


def write_small(path: Path, data: bytes) -> dict[str, Any]:
    """Write a new file; its entry in the manifest."""
    file = HashedFile(path)
    try:
        file.write(data)
        return file.close()
    finally:
        file.abandon()


def _join(folder: Path, notes: Path, plan: Plan, split: str, account: Account, totals: Totals) -> dict[str, Any]:
    """Write the labels, names and checksums of a split from its notes; its entry in the manifest."""
    endings = ["labels.i64", "checksums.u64", "names.txt", *(["ends.i64"] if plan.records == "jpeg" else [])]
    shards = []
    with ExitStack() as open_files:
        files = {ending: HashedFile(folder / f"{split}.{ending}") for ending in endings}
        for file in files.values():
            open_files.callback(file.abandon)
        for number in range(plan.shards(split)):
            note = Note.read(notes / note_name(split, number))
            files["labels.i64"].write(note.labels.astype("<i8").tobytes())
            files["checksums.u64"].write(note.checksums.astype("<u8").tobytes())
            files["names.txt"].write(b"".join(canonical_json(name) for name in note.names))
            if plan.records == "jpeg":
                files["ends.i64"].write(note.ends.astype("<i8").tobytes())
            account.add(split, note.labels, note.bad, note.remarks)
            totals.merge(note.totals)
            shards.append(note.entry)
        entries = {file.path.name: file.close() for file in files.values()}
    return {"images": sum(shard["images"] for shard in shards), "shards": shards, "files": entries}


def finish(folder: Path, notes: Path, plan: Plan) -> None:
    """Make a store of a folder that holds all its shards: write what is left, the manifest last.

    Raises:
        DataError: If a class has no readable picture to train on, or a split none at all.
        AlexNetError: If writing fails.
    """
    account, totals = Account(skipped=plan.skipped), Totals(plan.side)
    fault("store-filled")
    splits = {split: _join(folder, notes, plan, split, account, totals) for split in plan.counts}
    account.refuse_empty(plan)
    statistics = totals.statistics()
    arrays = asdict(statistics)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "side": plan.side,
        "records": plan.records,
        "classes": plan.classes,
        "counts": account.counts(),
        "source": {"kind": plan.kind, "fingerprint": plan.fingerprint, "options": {"limit": plan.limit}},
        "splits": splits,
        "files": {
            STATISTICS: write_small(folder / STATISTICS, save_tensors(arrays)),
            REPORT: write_small(folder / REPORT, canonical_json(account.report())),
        },
        # for the reader's eye; the program takes the arrays from their file
        "statistics": {name: array.tolist() for name, array in arrays.items() if name != "mean_image"},
    }
    manifest["digest"] = manifest_digest(manifest)
    fault("store-listed")
    write_atomic(folder / MANIFEST, canonical_json(manifest))
    fault("store-whole")

"""The `Store`: a folder of pictures of one size, ready to be mapped into memory, with a checksum each.

    manifest.json            written last: classes, splits, digests, counts, source; its own digest guards it
    statistics.safetensors   mean image, colour axes and deviations of the training part, before any JPEG
    SPLIT.images-00000.u8    a shard, raw: pixels, [n, side, side, 3], RGB
    SPLIT.images-00000.jpgs  a shard of JPEG records, one file after the other
    SPLIT.ends.i64           where each JPEG record ends in its shard, in bytes
    SPLIT.labels.i64         little-endian, as all numbers here
    SPLIT.checksums.u64      of each record, see `alexnet.data.checksums`
    SPLIT.names.txt          a JSON string a line
    report.json              every file that was not used, with its reason

`alexnet.data.preparation` writes it. Opening reads the manifest and looks at every file's size; the rest is read where
it is touched.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from alexnet.data.split import Split
from alexnet.durable import file_digest
from alexnet.errors import DataError, UsageError, did_you_mean

FORMAT = "alexnet-store"
VERSION = 2
MANIFEST, STATISTICS, REPORT = "manifest.json", "statistics.safetensors", "report.json"
PLAN = "plan.json"  # in a part of a store, in place of the manifest


@dataclass(frozen=True)
class Statistics:
    """What the training part's pictures are like, in grey levels 0–255, RGB (§2, §4.1).

    Attributes:
        mean_image: Mean over the pictures, pixel by pixel.
        mean: Mean of each channel over all pixels.
        deviation: Standard deviation of each channel over all pixels.
        colour_deviations: Standard deviations along the principal axes of RGB pixel values, the largest first.
        colour_axes: These axes, as columns; the largest component of each is positive.
    """

    mean_image: Float32[np.ndarray, "side side 3"]
    mean: Float64[np.ndarray, "3"]
    deviation: Float64[np.ndarray, "3"]
    colour_deviations: Float64[np.ndarray, "3"]
    colour_axes: Float64[np.ndarray, "3 3"]


def canonical_json(value: Any) -> bytes:
    """Write `value` as the one JSON text that its digest is taken of; ASCII, so that any file name survives."""
    return (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode("ascii")


def manifest_digest(manifest: dict[str, Any]) -> str:
    """Hash all of a manifest but its own digest; as it holds every file's digest, this identifies the content."""
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode("ascii")).hexdigest()


def digest_at(path: Path) -> str | None:
    """Give the digest of the store that lies at a place, if one does."""
    try:
        return str(read_manifest(path)["digest"])
    except (UsageError, DataError):
        return None


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of the store at `path` and check its form, version and digest.

    Raises:
        UsageError: If `path` is no store.
        DataError: If the manifest is damaged, or of another version of the format.
    """
    file = path / MANIFEST
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if (path / PLAN).is_file():
            raise UsageError(f"{path} is a part of a store: join the parts with `alexnet merge`") from error
        what = "is not a store (no manifest.json in it)" if path.exists() else "does not exist"
        raise UsageError(f"{path} {what}: make a store with `alexnet prepare`") from error
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is damaged ({error}): prepare the store again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UsageError(f"{file} is not the manifest of a store: make a store with `alexnet prepare`")
    if manifest.get("version") != VERSION:
        found = manifest.get("version")
        raise DataError(f"{path} is a store of version {found}, this program reads {VERSION}: prepare it again")
    if manifest.get("digest") != manifest_digest(manifest) or text != canonical_json(manifest):
        raise DataError(f"{file} is damaged (its digest does not match): prepare the store again")
    return manifest


class Store:
    """An open store.

    Attributes:
        path: Its folder.
        side: Side of its pictures, in pixels.
        records: `raw` or `jpeg`.
        classes: Names of its classes; a label is an index into them.
        splits: By name: `train`, and `val`, `test` where there are.
        manifest: As written.
        digest: SHA-256 that identifies the content: equal digests, equal pictures, labels and names.

    Raises:
        UsageError: If `path` is no store.
        DataError: If it is of another version, or torn: a file missing or of another size.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        self.side: int = self.manifest["side"]
        self.classes: list[str] = self.manifest["classes"]
        self.digest: str = self.manifest["digest"]
        entries = self.manifest["splits"].items()
        self.records: str = self.manifest["records"]
        self.splits = {
            name: Split(self.path, name, self.side, self.records, self.classes, entry) for name, entry in entries
        }
        for name, entry in self.files():
            file = self.path / name
            if not file.is_file():
                raise DataError(f"{file} is missing: prepare the store again")
            if (size := file.stat().st_size) != entry["bytes"]:
                raise DataError(f"{file} is torn ({size:,} bytes, not {entry['bytes']:,}): prepare the store again")

    @property
    def watched(self) -> Split:
        """The split that is measured while something learns: `val`, or `test` where there is none."""
        return self.splits["val" if "val" in self.splits else "test"]

    def split(self, name: str | None = None) -> Split:
        """Find the split of a name; without one, what a result is told of: `test`, or `val` where there is none.

        Raises:
            UsageError: If there is none.
        """
        name = name or ("test" if "test" in self.splits else "val")
        if name not in self.splits:
            raise UsageError(f"{self.path} has no split {name}: {did_you_mean(name, self.splits)}")
        return self.splits[name]

    def files(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give the name and the entry (`bytes`, `sha256`) of every file that the manifest guards."""
        for split in self.manifest["splits"].values():
            yield from ((shard["file"], shard) for shard in split["shards"])
            yield from split["files"].items()
        yield from self.manifest["files"].items()

    @cached_property
    def statistics(self) -> Statistics:
        """What the training part is like; read at first use.

        Raises:
            DataError: If its file is damaged.
        """
        file = self.path / STATISTICS
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.manifest["files"][STATISTICS]["sha256"]:
            raise DataError(f"{file} is damaged (its digest does not match): prepare the store again")
        try:
            tensors = load_tensors(data)
            return Statistics(**{field.name: tensors[field.name] for field in fields(Statistics)})
        except (SafetensorError, KeyError) as error:
            raise DataError(f"{file} is not this program's ({error}): prepare the store again") from error

    def verify(self) -> list[dict[str, Any]]:
        """Read everything again and compare it with the digests.

        Returns:
            The problems, each with its `file`, `record` (a picture's place in its split, or None for the whole file)
            and `problem`; none if the store is sound.
        """
        problems: list[dict[str, Any]] = []
        for name, entry in self.files():
            try:
                if file_digest(self.path / name) == entry["sha256"]:
                    continue
            except OSError as error:
                problems.append({"file": name, "record": None, "problem": f"cannot be read ({error.strerror})"})
                continue
            records: list[int | None] = []
            if "images" in entry:
                records += self._damaged_records(name)
            problem = "its checksum does not match" if records else "its digest does not match"
            problems += [{"file": name, "record": record, "problem": problem} for record in records or [None]]
        return problems

    def _damaged_records(self, shard: str) -> list[int]:
        try:
            return self.splits[shard.split(".", 1)[0]].damaged(shard)
        except DataError:
            return []  # the checksums are damaged themselves, which is a problem of its own


def verify_store(path: Path | str) -> list[dict[str, Any]]:
    """List the problems of a store, one that cannot even be opened included; see `Store.verify`."""
    try:
        return Store(path).verify()
    except DataError as error:
        return [{"file": str(path), "record": None, "problem": str(error)}]

"""What a preparation will write, settled before its first picture: an interrupted one and its parts are known by it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from alexnet.data.store import PLAN, VERSION, canonical_json
from alexnet.durable import write_atomic
from alexnet.errors import DataError

FORMAT = "alexnet-plan"
SHARD_BYTES = 256 << 20  # of raw pixels; a shard of JPEG records holds as many pictures, in about a ninth
RAW_BYTES = 64_000_000_000
RAW_SHARE = 0.5
WORTH_A_WORD = 1_000_000_000
JPEG_SHARE = 1 / 8  # of the raw bytes, for photographs at 256 px: 22 kB of 197 kB, rounded up
RecordFormat = Literal["raw", "jpeg"]


@dataclass(frozen=True)
class Plan:
    """What a preparation will write.

    A shard holds the readable pictures among a fixed number of a split's examples. So where it begins depends on
    nothing but its number, and shards can be made in any order, by any machine.

    Attributes:
        kind: Of the source.
        fingerprint: Of the source.
        limit: How many pictures of a split are taken, where not all are.
        classes: Their names.
        side: Of the stored pictures.
        records: `raw` or `jpeg`.
        counts: How many examples each split has.
        shard_examples: How many of them a shard is made from.
        skipped: What the source passed over, with the reason.
        part: (3, 16) for the third of sixteen parts; None for the whole.
    """

    kind: str
    fingerprint: dict[str, Any]
    limit: dict[str, int]
    classes: list[str]
    side: int
    records: RecordFormat
    counts: dict[str, int]
    shard_examples: int
    skipped: list[tuple[str, str]]
    part: tuple[int, int] | None = None

    @property
    def digest(self) -> str:
        """What identifies the store that will be made, whole or in parts."""
        told = {key: value for key, value in asdict(self).items() if key not in ("skipped", "part")}
        return hashlib.sha256(json.dumps([VERSION, told], sort_keys=True).encode("ascii")).hexdigest()

    def is_same(self, other: "Plan") -> bool:
        """Tell whether another preparation is of the same shards of the same store."""
        return (self.digest, self.part) == (other.digest, other.part)

    def shards(self, split: str) -> int:
        """Count the shards of a split, those of other parts too."""
        return -(-self.counts[split] // self.shard_examples)

    def own(self) -> Iterator[tuple[str, int]]:
        """Give split and number of every shard that this preparation makes, in their order.

        The K-th of N parts has the K-th of N runs of every split's shards.
        """
        k, n = self.part or (1, 1)
        for split in self.counts:
            shards = self.shards(split)
            for number in range(shards * (k - 1) // n, shards * k // n):
                yield split, number

    def examples(self, split: str, number: int) -> int:
        """Count the examples that a shard is made from."""
        return min(self.shard_examples, self.counts[split] - number * self.shard_examples)

    def shard_name(self, split: str, number: int) -> str:
        """Name the file of a shard."""
        return f"{split}.images-{number:05d}.{'u8' if self.records == 'raw' else 'jpgs'}"

    def whole(self) -> "Plan":
        """Give the plan of the whole store that this is a part of."""
        return replace(self, part=None)

    def write(self, folder: Path) -> None:
        """Write it into a folder, with a digest of its own."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        content["digest"] = hashlib.sha256(canonical_json(content)).hexdigest()
        write_atomic(folder / PLAN, canonical_json(content))

    @classmethod
    def read(cls, folder: Path) -> "Plan":
        """Read it back.

        Raises:
            DataError: If it is missing, damaged, or of another version.
        """
        file = folder / PLAN
        try:
            content = json.loads(file.read_bytes())
            stated = content.pop("digest")
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{file} is missing or damaged: prepare {folder} again") from error
        if content.get("version") != VERSION:
            raise DataError(
                f"{folder} is of version {content.get('version')}, this program {VERSION}: prepare it again"
            )
        if stated != hashlib.sha256(canonical_json(content)).hexdigest() or content.pop("format", None) != FORMAT:
            raise DataError(f"{file} is damaged (its digest does not match): prepare {folder} again")
        del content["version"]
        skipped = [(name, reason) for name, reason in content.pop("skipped")]
        part = content.pop("part")
        return cls(**content, skipped=skipped, part=None if part is None else (part[0], part[1]))


def shard_examples(side: int) -> int:
    """Settle how many pictures a shard may hold."""
    return max(1, SHARD_BYTES // (side * side * 3))


def chosen_records(raw_bytes: int, free: int | None) -> tuple[RecordFormat, str]:
    """Choose raw records while they are small enough, else JPEG; with the reason.

    Args:
        raw_bytes: What raw records would take.
        free: Free bytes on the disk; None for a part, so that all parts choose alike on whatever machine.
    """
    size = f"{raw_bytes / 1e9:,.1f} GB raw"
    if raw_bytes > RAW_BYTES:
        return "jpeg", f"{size} is more than {RAW_BYTES / 1e9:.0f} GB"
    if free is not None and raw_bytes > RAW_SHARE * free:
        return "jpeg", f"{size} is more than half of the {free / 1e9:,.1f} GB free there"
    return "raw", f"{size}, read about ten times as fast as JPEG"

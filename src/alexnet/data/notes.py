"""A note: what is known of one finished shard besides its pixels; kept until the store is whole, and in its parts."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt64
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from alexnet.data.statistics import Totals
from alexnet.durable import write_atomic
from alexnet.errors import DataError

HEX = 64


def note_name(split: str, number: int) -> str:
    """Name the file of a shard's note."""
    return f"{split}-{number:05d}.note"


@dataclass
class Note:
    """What is known of a finished shard.

    Attributes:
        plan: Digest of the plan that it belongs to.
        split: Its split.
        number: Its place among the split's shards.
        entry: `file`, `images`, `bytes` and `sha256`, as they will stand in the manifest.
        labels: The pictures' classes.
        checksums: Their checksums.
        ends: Where each record ends in the shard, in bytes.
        names: The pictures' names in the source.
        bad: Name, label and reason of every example that could not be read.
        totals: Sums of the pictures; of no picture in another split than train.
        remarks: How many of the pictures were not taken as they are, by what was done.
    """

    plan: str
    split: str
    number: int
    entry: dict[str, Any]
    labels: Int64[np.ndarray, "n"]
    checksums: UInt64[np.ndarray, "n"]
    ends: Int64[np.ndarray, "ends"]
    names: list[str]
    totals: Totals
    bad: list[tuple[str, int, str]] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all; a digest guards it."""
        facts = {key: getattr(self, key) for key in ("plan", "split", "number", "entry", "names", "bad", "remarks")}
        facts |= {"images": self.totals.images, "side": self.totals.side}
        tensors = {"labels": self.labels, "checksums": self.checksums, "ends": self.ends}
        if self.totals.images:
            tensors |= {"pixels": self.totals.pixels, "products": self.totals.products}
        text = json.dumps(facts, ensure_ascii=True).encode("ascii")
        payload = save_tensors({**tensors, "facts": np.frombuffer(text, np.uint8)})
        digest = hashlib.sha256(payload).hexdigest().encode("ascii")
        write_atomic(folder / note_name(self.split, self.number), digest + payload)

    @classmethod
    def read(cls, file: Path) -> "Note":
        """Read it back.

        Raises:
            DataError: If it is missing or damaged.
        """
        try:
            data = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file} is missing ({error.strerror})") from error
        if hashlib.sha256(data[HEX:]).hexdigest().encode("ascii") != data[:HEX]:
            raise DataError(f"{file} is damaged (its digest does not match)")
        try:
            tensors = load_tensors(data[HEX:])
            facts = json.loads(tensors["facts"].tobytes())
            totals = Totals(facts.pop("side"))
            totals.images = facts.pop("images")
            if totals.images:
                totals.pixels, totals.products = tensors["pixels"], tensors["products"]
            bad = [(name, label, reason) for name, label, reason in facts.pop("bad")]
            remarks = Counter(facts.pop("remarks"))
            arrays: dict[str, Any] = {name: tensors[name] for name in ("labels", "checksums", "ends")}
            return cls(**facts, **arrays, bad=bad, totals=totals, remarks=remarks)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{file} is not this program's ({error})") from error

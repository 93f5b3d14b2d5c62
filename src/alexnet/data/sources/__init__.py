"""Where pictures come from: one module a source, each giving undecoded examples, their classes and their splits."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from alexnet.data.member import Member

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Example:
    """One picture, not yet decoded.

    Attributes:
        picture: A file to read, one in an archive, its bytes, or pixels in RGB.
        label: Index into the source's classes.
        split: `train`, `val` or `test`.
        name: Of the picture in its source.
        box: The part of it to take: left, top, right, bottom in pixels; None takes it whole.
    """

    picture: Path | Member | bytes | UInt8[np.ndarray, "h w 3"]
    label: int
    split: str
    name: str
    box: tuple[int, int, int, int] | None = None


@runtime_checkable
class Source(Protocol):
    """Pictures and their classes.

    Attributes:
        classes: Names of the classes.
        splits: How many examples each split has.
        default_side: Side of the store when the user asks for none.
        fingerprint: What tells this source from another, for the manifest; no path and no time, so that the same
            pictures give the same store.
        skipped: Files that are no examples (hidden, no picture, seen before), with the reason.
    """

    classes: list[str]
    splits: dict[str, int]
    default_side: int
    fingerprint: dict[str, Any]
    skipped: list[tuple[str, str]]

    def examples(self) -> Iterator[Example]:
        """Give the examples, split after split, always in the same order."""
        ...

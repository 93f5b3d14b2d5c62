"""Random choices from counters: the same (seed, epoch, picture) gives the same choice, whoever asks and in what order.

No generator keeps a state, so a position in training is two integers and the number of workers can change nothing.
"""

import zlib
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64, UInt64

_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: UInt64[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """Scramble 64 bits so that neighbouring counters share nothing (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        x = x + _STEP
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class Chance:
    """The random choices for some pictures in one epoch.

    Attributes:
        seed: Of the run.
        epoch: Counted from 0.
        indices: The pictures' places in their split.
    """

    seed: int
    epoch: int
    indices: Int64[np.ndarray, "n"]

    def bits(self, purpose: str, columns: int = 1) -> UInt64[np.ndarray, "n columns"]:
        """Give 64 random bits per picture and column; each purpose has its own."""
        key = np.array([zlib.crc32(purpose.encode())], np.uint64)
        for part in (self.seed, self.epoch):
            key = _mix(np.array([part], np.uint64) ^ key)
        rows = _mix(self.indices.astype(np.uint64) ^ key)
        return _mix(rows[:, None] ^ _mix(np.arange(columns, dtype=np.uint64)))

    def uniform(self, purpose: str, columns: int = 1) -> Float64[np.ndarray, "n columns"]:
        """Give numbers in [0, 1)."""
        return (self.bits(purpose, columns) >> np.uint64(11)) * 2.0**-53

    def normal(self, purpose: str, columns: int = 1) -> Float64[np.ndarray, "n columns"]:
        """Give numbers from N(0, 1), each from two uniform ones (Box and Muller)."""
        u = self.uniform(purpose, 2 * columns)
        return np.sqrt(-2 * np.log1p(-u[:, :columns])) * np.cos(2 * np.pi * u[:, columns:])

    def whether(self, purpose: str, probability: float) -> np.ndarray:
        """Say yes for a picture with this probability."""
        return self.uniform(purpose)[:, 0] < probability

    def shared(self, neighbours: int) -> "Chance":
        """Let pictures in runs of `neighbours` (the last may be shorter) choose alike: as the first of each run."""
        first = np.arange(len(self.indices)) // neighbours * neighbours
        return replace(self, indices=self.indices[first])


def order(pictures: int, seed: int, epoch: int) -> Int64[np.ndarray, "n"]:
    """Give the order in which an epoch visits the pictures: a permutation that depends on seed and epoch alone."""
    bits = Chance(seed, epoch, np.arange(pictures)).bits("order")[:, 0]
    return np.argsort(bits, kind="stable")

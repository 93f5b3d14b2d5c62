"""Which pictures of a store are looked at."""

import numpy as np
from jaxtyping import Int64

from alexnet.data.chance import Chance


def spread(labels: Int64[np.ndarray, "n"], count: int) -> Int64[np.ndarray, "k"]:
    """Choose places of up to `count` pictures, from classes as many and as far apart as can be, class by class."""
    by_class = np.argsort(labels, kind="stable")
    _, first, sizes = np.unique(labels[by_class], return_index=True, return_counts=True)
    rank = np.arange(len(labels)) - np.repeat(first, sizes)
    # The first picture of each class, then the second of each, as far as they are needed.
    rounds = by_class[np.argsort(rank, kind="stable")][: max(count, len(first))]
    chosen = rounds[np.linspace(0, len(rounds) - 1, min(count, len(rounds))).round().astype(np.int64)]
    return chosen[np.argsort(labels[chosen], kind="stable")]


def sample(places: Int64[np.ndarray, "n"], count: int, seed: int) -> Int64[np.ndarray, "k"]:
    """Draw up to `count` of some places, and give them in their order; each place's lot depends on it alone."""
    lots = Chance(seed, 0, places).bits("sample")[:, 0]
    return np.sort(places[np.argsort(lots, kind="stable")[:count]])

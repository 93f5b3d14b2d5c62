"""Which pictures are held out: by hashed names, so that a new file moves few others and no order of files matters."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alexnet.errors import UsageError


def divide(
    classes: Sequence[Sequence[str]], held_out: Sequence[Mapping[str, int]], seed: int
) -> dict[str, list[list[str]]]:
    """Hold out pictures of each class for other splits than `train`; at least one of a class is left to train on.

    Args:
        classes: Names of each class's pictures.
        held_out: How many of each class every split is to get.
        seed: Another seed chooses other pictures.

    Returns:
        The names by split and class, in the order that they had; a split that gets none is left out.
    """
    splits = list(held_out[0]) if held_out else []
    divided: dict[str, list[list[str]]] = {split: [] for split in ("train", *splits)}
    for names, counts in zip(classes, held_out, strict=True):
        hashed = sorted(names, key=lambda name: hashlib.sha256(ascii([seed, name]).encode()).digest())
        taken = 0
        for split in splits:
            chosen = set(hashed[taken : min(taken + counts[split], len(names) - 1)])
            taken += len(chosen)
            divided[split].append([name for name in names if name in chosen])
        left = set(hashed[taken:])
        divided["train"].append([name for name in names if name in left])
    return {split: parts for split, parts in divided.items() if split == "train" or any(parts)}


def checked_shares(val_share: float, test_share: float) -> dict[str, float]:
    """Refuse shares that leave nothing to train on.

    Raises:
        UsageError: If `val_share` is not between 0 and 1, or both together are not below 1.
    """
    if not 0 < val_share < 1:
        raise UsageError(f"val_share must be above 0 and below 1, not {val_share:g}")
    if not 0 <= test_share < 1 - val_share:
        raise UsageError(f"test_share must be from 0 to what val_share={val_share:g} leaves, not {test_share:g}")
    return {"val": val_share, "test": test_share}


def by_shares(sizes: Sequence[int], shares: Mapping[str, float]) -> list[dict[str, int]]:
    """Count a share of each class for every split; the first split gets one picture at least, where there are two."""
    wanted = [{split: round(size * share) for split, share in shares.items() if share} for size in sizes]
    for counts in wanted:
        first = next(iter(counts))
        counts[first] = max(1, counts[first])
    return wanted


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Divide a total over classes by their sizes, exactly: what is left over goes to the largest remainders.

    >>> apportion(290, [252, 239, 232, 219, 218])
    [63, 60, 58, 55, 54]
    """
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    largest = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in largest[: total - sum(parts)]:
        parts[place] += 1
    return parts


def quarters(sizes: Sequence[int]) -> list[dict[str, int]]:
    """Divide as write-up 000 does: a quarter to test, a quarter of the rest to val, both rounded up over all classes.

    Of its 1,160 pictures these are 290, 218 and 652; the "128" that it prints is a slip of 218.
    """
    test = apportion(math.ceil(sum(sizes) / 4), sizes)
    rest = [size - held for size, held in zip(sizes, test, strict=True)]
    val = apportion(math.ceil(sum(rest) / 4), rest)
    return [{"val": of_val, "test": of_test} for of_val, of_test in zip(val, test, strict=True)]


def listing(names_and_sizes: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """Tell a list of files from another, for a fingerprint: how many, their bytes, a digest of names and sizes."""
    entries = [[name, size] for name, size in names_and_sizes]
    return {
        "files": len(entries),
        "bytes": sum(size for _, size in entries),
        "names_and_sizes_sha256": hashlib.sha256(json.dumps(entries).encode("ascii")).hexdigest(),
    }

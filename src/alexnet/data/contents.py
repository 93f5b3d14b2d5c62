"""What is in a store, as plain values: pictures per class and split, bytes, what was not used, equal pictures, rows."""

import json
from collections import defaultdict
from typing import Any

import numpy as np

from alexnet.data.duplicates import Group
from alexnet.data.store import REPORT, Store
from alexnet.errors import DataError


def class_counts(store: Store) -> dict[str, list[int]]:
    """Count, for each split, the pictures of every class."""
    return {
        name: np.bincount(split.labels, minlength=len(store.classes)).tolist() for name, split in store.splits.items()
    }


def bytes_on_disk(store: Store) -> int:
    """Add up the sizes of all files of a store."""
    return sum(file.stat().st_size for file in store.path.rglob("*") if file.is_file())


def lost(store: Store) -> dict[str, dict[str, list[str]]]:
    """Give the names of the files that were not used, as `report.json` has them: by state (bad, skipped) and reason.

    Raises:
        DataError: If the report cannot be read.
    """
    path = store.path / REPORT
    found: dict[str, dict[str, list[str]]] = {"bad": defaultdict(list), "skipped": defaultdict(list)}
    try:
        for row in json.loads(path.read_text(encoding="utf-8"))["files"]:
            found[row["state"]][row["reason"]].append(row["file"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__}): prepare the store again") from error
    by_count = {state: sorted(reasons.items(), key=lambda item: -len(item[1])) for state, reasons in found.items()}
    return {state: dict(reasons) for state, reasons in by_count.items()}


def group_rows(store: Store, group: Group) -> list[dict[str, Any]]:
    """Tell the pictures of a group of equal ones: split, place, file, class."""
    told = zip(group.places, group.names(store), group.labels(store), strict=True)
    return [
        {"split": split, "record": record, "file": name, "class": store.classes[label]}
        for (split, record), name, label in told
    ]


def head(store: Store, split: str, count: int) -> list[dict[str, Any]]:
    """Give the first rows of a split: file, class, label, and the label as a vector of one 1 among 0s."""
    first = store.splits[split].labels[:count].tolist()
    return [
        {"file": name, "class": store.classes[label], "label": label, "one_hot": one_hot(label, len(store.classes))}
        for name, label in zip(store.splits[split].names[:count], first, strict=True)
    ]


def one_hot(label: int, classes: int) -> list[int]:
    """Write a label as a vector with a 1 in its place."""
    return [int(place == label) for place in range(classes)]


def contents(store: Store, groups: list[Group]) -> dict[str, Any]:
    """Give all of it as one JSON value; `groups` are the store's duplicates."""
    counts, statistics = class_counts(store), store.statistics
    return {
        "store": str(store.path),
        "digest": store.digest,
        "side": store.side,
        "bytes": bytes_on_disk(store),
        "splits": {name: len(split) for name, split in store.splits.items()},
        "classes": [
            {"name": name, **{split: counts[split][label] for split in counts}}
            for label, name in enumerate(store.classes)
        ],
        "lost": {
            state: {reason: len(files) for reason, files in reasons.items()} for state, reasons in lost(store).items()
        },
        "duplicates": [group_rows(store, group) for group in groups],
        "leaks": sum(len(group.inside("train")) for group in groups if group.leaks),
        "mean": statistics.mean.tolist(),
        "deviation": statistics.deviation.tolist(),
        "colour_deviations": statistics.colour_deviations.tolist(),
    }

"""A data set of pictures on the Hugging Face Hub, read with the library `datasets`, which is optional."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alexnet.data.sources import SPLITS, Example
from alexnet.data.sources.division import by_shares, checked_shares, divide
from alexnet.data.sources.folder import SPLIT_NAMES
from alexnet.errors import AlexNetError, DataError, UsageError, did_you_mean

LABELS = ("label", "labels", "fine_label", "class", "target", "category")
UNLABELLED = (None, -1)
Row = tuple[str, int, int]  # the data set's split, the row in it, the label


class Hub:
    """The pictures of one configuration of a data set, as the files that they are: decoded here, by our rules.

    The library fetches what it does not hold already; set `HF_HUB_OFFLINE=1` to forbid it the network. The classes are
    those that the label column declares; of a column of plain values, its different values, sorted.

    Args:
        path: The data set's id, as `ethz/food101`.
        image: Column of the pictures; by default the only one that holds pictures.
        label: Column of the labels; by default the only one that declares classes, or one that is called `label`.
        config: Which configuration, where there are several.
        revision: A commit, tag or branch; only a commit makes the same store tomorrow.
        splits: Which of the data set's splits become `train`, `val` and `test`; by default those called so.
        val_share: Where only `train` is there: which share of each class becomes the validation part.
        test_share: Likewise for the test part; 0: there is none.
        seed: Another seed chooses other pictures for them.

    Raises:
        UsageError: If a column or split is not there, or cannot be told.
        AlexNetError: If the library is not installed, or cannot get the data set.
        DataError: If there are fewer than two classes.
    """

    default_side = 256

    def __init__(
        self,
        path: Path | None,
        *,
        image: str | None = None,
        label: str | None = None,
        config: str | None = None,
        revision: str | None = None,
        splits: dict[str, str] | None = None,
        val_share: float = 0.2,
        test_share: float = 0.0,
        seed: int = 0,
    ) -> None:
        shares = checked_shares(val_share, test_share)
        if path is None or path.is_absolute():
            raise UsageError(f"hub needs the id of a data set, as ethz/food101, not {path}: for a folder use its kind")
        name = path.as_posix()
        parts, commit, undecoded = _load(name, config, revision)
        chosen = _chosen_splits(name, list(parts), splits or {})
        features = parts[chosen["train"]].features
        image = _image_column(name, features, image)
        label = _label_column(name, features, label)
        values = {split: list(parts[theirs][label]) for split, theirs in chosen.items()}
        self.classes, number_of = _classes(name, label, features[label], values)
        self._pictures = {
            theirs: parts[theirs].select_columns([image]).cast_column(image, undecoded) for theirs in chosen.values()
        }
        self._image = image
        self._rows, self.skipped = _labelled(values, chosen, number_of)
        if "train" not in self._rows:
            raise DataError(
                f"no row of {name} in its split {chosen['train']} has a label: choose another column or split"
            )
        self.fingerprint: dict[str, Any] = {
            "id": name,
            "config": config,
            "commit": commit,
            "columns": [image, label],
            "splits": {split: [theirs, len(values[split])] for split, theirs in chosen.items()},
        }
        if list(self._rows) == ["train"]:
            self._rows = _carve(self._rows["train"], len(self.classes), shares, seed)
            self.fingerprint["carved"] = {"val_share": val_share, "test_share": test_share, "seed": seed}
        self.splits = {split: len(rows) for split, rows in self._rows.items()}

    def examples(self) -> Iterator[Example]:
        """Give the pictures: split after split, in the order of their rows."""
        for split, rows in self._rows.items():
            for theirs, row, label in rows:
                cell = self._pictures[theirs][row][self._image] or {}
                data, where = cell.get("bytes"), cell.get("path")
                picture = data if data is not None else Path(where) if where else b""
                yield Example(picture, label, split, f"{theirs}/{row}")


def _labelled(
    values: dict[str, list[Any]], chosen: dict[str, str], number_of: dict[Any, int]
) -> tuple[dict[str, list[Row]], list[tuple[str, str]]]:
    """List the rows that have a label, and tell the others; a part without any (a competition's test) is left out."""
    rows: dict[str, list[Row]] = {}
    skipped: list[tuple[str, str]] = []
    for split, column in values.items():
        for row, value in enumerate(column):
            if (label := number_of.get(value)) is None:
                skipped.append((f"{chosen[split]}/{row}", "without a label"))
            else:
                rows.setdefault(split, []).append((chosen[split], row, label))
    return rows, skipped


def _carve(rows: list[Row], n_classes: int, shares: dict[str, float], seed: int) -> dict[str, list[Row]]:
    """Hold out a share of each class."""
    of_name = {f"{theirs}/{row}": (theirs, row, label) for theirs, row, label in rows}
    classes: list[list[str]] = [[] for _ in range(n_classes)]
    for name, (_, _, label) in of_name.items():
        classes[label].append(name)
    divided = divide(classes, by_shares([len(names) for names in classes], shares), seed)
    return {split: sorted(of_name[name] for names in parts for name in names) for split, parts in divided.items()}


def _load(name: str, config: str | None, revision: str | None) -> tuple[dict[str, Any], str | None, Any]:
    """Load the data set; also the commit it is of, and what a column of pictures is cast to, to stay undecoded."""
    try:
        from datasets import Image, load_dataset_builder
    except ImportError as error:
        raise AlexNetError(f'{name} needs the library datasets: pip install "alexnet[datasets]"') from error
    try:
        builder = load_dataset_builder(name, config, revision=revision)
        builder.download_and_prepare()
        return dict(builder.as_dataset()), builder.hash, Image(decode=False)
    except Exception as error:  # no network, no such data set, a configuration wanted: each an error of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        way_out = "check its id, --config and the network"
        raise AlexNetError(f"cannot load the data set {name} ({reason}): {way_out}") from error


def _chosen_splits(name: str, there: list[str], wanted: dict[str, str]) -> dict[str, str]:
    """Map our splits to the data set's."""
    for ours, theirs in wanted.items():
        if ours not in SPLITS:
            raise UsageError(f"there is no split {ours} here: {did_you_mean(ours, SPLITS)}")
        if theirs not in there:
            raise UsageError(f"{name} has no split {theirs}: {did_you_mean(theirs, there)}")
    if len(set(wanted.values())) < len(wanted):
        raise UsageError(f"splits takes one split of {name} twice ({', '.join(wanted.values())}): choose others")
    chosen = wanted
    if not wanted:
        chosen = {}
        for theirs in there:
            if (ours := SPLIT_NAMES.get(theirs.casefold(), "")) and ours not in chosen:
                chosen[ours] = theirs
    if "train" not in chosen:
        raise UsageError(
            f"{name} has no split train ({', '.join(there)}): say which it is, as --splits train={there[0]}"
        )
    return {split: chosen[split] for split in SPLITS if split in chosen}


def _image_column(name: str, features: dict[str, Any], wanted: str | None) -> str:
    """Tell the column of pictures."""
    if wanted is not None:
        if wanted not in features:
            raise UsageError(f"{name} has no column {wanted}: {did_you_mean(wanted, features)}")
        if type(features[wanted]).__name__ != "Image":
            raise UsageError(f"column {wanted} of {name} holds no pictures: choose another")
        return wanted
    found = [column for column, feature in features.items() if type(feature).__name__ == "Image"]
    if len(found) != 1:
        raise UsageError(f"{name} has {len(found)} columns of pictures ({', '.join(features)}): name one with --image")
    return found[0]


def _label_column(name: str, features: dict[str, Any], wanted: str | None) -> str:
    """Tell the column of labels."""
    if wanted is not None:
        if wanted not in features:
            raise UsageError(f"{name} has no column {wanted}: {did_you_mean(wanted, features)}")
        return wanted
    declared = [column for column, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    found = declared if len(declared) == 1 else [column for column in LABELS if column in features][:1]
    if not found:
        raise UsageError(f"{name} has no column that is surely the label ({', '.join(features)}): name it with --label")
    return found[0]


def _classes(name: str, column: str, feature: Any, values: dict[str, list[Any]]) -> tuple[list[str], dict[Any, int]]:
    """Name the classes, and number the column's values."""
    if type(feature).__name__ == "ClassLabel":
        classes = [str(class_name) for class_name in feature.names]
        of_value: dict[Any, int] = {number: number for number in range(len(classes))}
    else:
        every = [value for of_split in values.values() for value in of_split if value not in UNLABELLED]
        if not all(isinstance(value, str | int) for value in every):
            raise UsageError(f"column {column} of {name} holds no classes (wanted: numbers or names): choose another")
        ordered = sorted(set(every), key=lambda value: (isinstance(value, str), value))
        classes, of_value = [str(value) for value in ordered], {value: number for number, value in enumerate(ordered)}
    if len(classes) < 2:
        raise DataError(f"column {column} of {name} holds {len(classes)} classes: choose another")
    return classes, of_value

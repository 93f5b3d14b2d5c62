import io
import sys
import types
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from alexnet.data.preparation import prepare
from alexnet.data.sources.hub import Hub
from alexnet.errors import AlexNetError, DataError, UsageError


class Image:
    """Stands for the feature of this name in `datasets`."""

    def __init__(self, decode=True):
        self.decode = decode


class ClassLabel:
    def __init__(self, names):
        self.names = names


class Value:
    pass


class Dataset:
    """Stands for a split: columns by name; it gives pictures only when they are cast to stay undecoded."""

    def __init__(self, features, columns):
        self.features, self.columns = features, columns

    def select_columns(self, names):
        return Dataset({name: self.features[name] for name in names}, {name: self.columns[name] for name in names})

    def cast_column(self, name, feature):
        return Dataset({**self.features, name: feature}, self.columns)

    def __getitem__(self, key):
        if isinstance(key, str):
            return list(self.columns[key])
        assert not any(getattr(feature, "decode", False) for feature in self.features.values()), "would be decoded"
        return {name: column[key] for name, column in self.columns.items()}


def png(shade):
    stream = io.BytesIO()
    Pillow.fromarray(np.full((10, 12, 3), shade, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def part(labels, feature=None, image="image", label="label"):
    features = {"id": Value(), image: Image(), label: feature or ClassLabel(["cat", "dog"])}
    pictures = [{"bytes": png(number % 250), "path": f"{number}.png"} for number in range(len(labels))]
    return Dataset(features, {"id": range(len(labels)), image: pictures, label: labels})


@pytest.fixture
def hub(monkeypatch):
    """Put a library in the place of `datasets`; what it is to serve, and how it was called."""
    served = types.SimpleNamespace(parts={"train": part([0, 1] * 10)}, calls=[], error=None)

    class Builder:
        hash = "0123abcd"
        fetched = False

        def download_and_prepare(self):
            self.fetched = True

        def as_dataset(self):
            assert self.fetched
            return served.parts

    def load_dataset_builder(name, config=None, revision=None):
        served.calls.append((name, config, revision))
        if served.error:
            raise served.error
        return Builder()

    library = types.ModuleType("datasets")
    library.Image, library.load_dataset_builder = Image, load_dataset_builder
    monkeypatch.setitem(sys.modules, "datasets", library)
    return served


def source(**options):
    return Hub(Path("made/up"), **options)


def used(read, split=None):
    return [example.name for example in read.examples() if split in (None, example.split)]


def test_train_alone_is_divided(hub):
    read = source(test_share=0.1)
    assert read.splits == {"train": 14, "val": 4, "test": 2}
    assert read.classes == ["cat", "dog"]
    examples = list(read.examples())
    assert sorted(example.name for example in examples) == sorted(f"train/{row}" for row in range(20))
    for example in examples:
        row = int(example.name.split("/")[1])
        assert example.label == row % 2
        assert example.picture == png(row)
    assert Counter((example.split, example.label) for example in examples) == {
        **{("train", label): 7 for label in (0, 1)},
        **{("val", label): 2 for label in (0, 1)},
        **{("test", label): 1 for label in (0, 1)},
    }
    rows = [int(name.split("/")[1]) for name in used(read, "train")]
    assert rows == sorted(rows)
    assert used(source(test_share=0.1)) == used(read)
    assert len({tuple(used(source(seed=seed), "val")) for seed in range(5)}) > 2


def test_splits_are_taken_by_their_names_or_as_asked(hub):
    hub.parts = {
        "test": part([0, 1]),
        "train": part([0, 1, 1]),
        "validation": part([1, 0, 1, 0]),
        "extra": part([1] * 9),
    }
    read = source()
    assert read.splits == {"train": 3, "val": 4, "test": 2}
    assert used(read, "val") == [f"validation/{row}" for row in range(4)]
    assert "carved" not in read.fingerprint
    asked = source(splits={"test": "validation", "train": "extra"})
    assert asked.splits == {"train": 9, "test": 4}
    with pytest.raises(UsageError, match="made/up has no split valid: did you mean validation"):
        source(splits={"train": "train", "val": "valid"})
    with pytest.raises(UsageError, match="there is no split dev here: choose from: train, val, test"):
        source(splits={"dev": "test"})
    with pytest.raises(UsageError, match="takes one split of made/up twice"):
        source(splits={"train": "train", "val": "train"})
    hub.parts = {"all": part([0, 1])}
    with pytest.raises(UsageError, match=r"made/up has no split train \(all\): say which it is, as --splits train=all"):
        source()


def test_rows_without_a_label_are_told(hub):
    hub.parts = {"train": part([0, 1, None, 0]), "test": part([-1, -1, 1])}
    read = source()
    assert read.skipped == [
        ("train/2", "without a label"),
        ("test/0", "without a label"),
        ("test/1", "without a label"),
    ]
    assert used(read) == ["train/0", "train/1", "train/3", "test/2"]
    hub.parts = {"train": part([0, 1] * 5), "test": part([-1, -1])}  # as a competition keeps its test labels to itself
    assert source().splits == {"train": 8, "val": 2}
    assert len(source().skipped) == 2
    hub.parts = {"train": part([-1, -1])}
    with pytest.raises(DataError, match="no row of made/up in its split train has a label"):
        source()


def test_plain_values_are_classes_in_their_order(hub):
    hub.parts = {"train": part(["emu", "ape", "emu", "cow"], Value()), "test": part(["cow"], Value())}
    read = source()
    assert read.classes == ["ape", "cow", "emu"]
    assert [example.label for example in read.examples()] == [2, 0, 2, 1, 1]
    hub.parts = {"train": part([10, 9, 10], Value()), "test": part([9], Value())}
    assert source().classes == ["9", "10"]
    hub.parts = {"train": part([0.5, 1.5], Value())}
    with pytest.raises(UsageError, match="column label of made/up holds no classes"):
        source()
    hub.parts = {"train": part([[0, 1], [1]], Value())}
    with pytest.raises(UsageError, match="column label of made/up holds no classes"):
        source()
    hub.parts = {"train": part(["one", "one"], Value())}
    with pytest.raises(DataError, match="column label of made/up holds 1 classes"):
        source()


def test_columns_are_found_by_their_types_or_named(hub):
    hub.parts = {"train": part([0, 1, 0, 1], image="photo", label="breed")}
    assert source().fingerprint["columns"] == ["photo", "breed"]
    assert source(image="photo", label="breed").splits == {"train": 2, "val": 2}
    with pytest.raises(UsageError, match="made/up has no column foto: did you mean photo"):
        source(image="foto")
    with pytest.raises(UsageError, match="column id of made/up holds no pictures"):
        source(image="id")
    with pytest.raises(UsageError, match="made/up has no column bred: did you mean breed"):
        source(label="bred")
    hub.parts["train"].features["mask"] = Image()
    with pytest.raises(UsageError, match=r"made/up has 2 columns of pictures \(.*photo.*\): name one with --image"):
        source()
    hub.parts = {"train": part([0, 1], Value(), label="what")}
    with pytest.raises(UsageError, match=r"no column that is surely the label \(id, image, what\): name it"):
        source()


def test_bad_pictures_are_counted_and_files_are_read(hub, tmp_path):
    (tmp_path / "8.png").write_bytes(png(8))
    pictures = hub.parts["train"].columns["image"]
    pictures[0] = None
    pictures[1] = {"bytes": b"no picture", "path": "1.png"}
    pictures[2] = {"bytes": None, "path": None}
    pictures[3] = {"bytes": None, "path": str(tmp_path / "none.png")}
    pictures[8] = {"bytes": None, "path": str(tmp_path / "8.png")}
    store = prepare("hub", "made/up", tmp_path / "store", side=8)
    assert store.manifest["counts"] == {"used": 16, "bad": 4, "skipped": 0}
    names = [name for split in store.splits.values() for name in split.names]
    assert "train/8" in names


def test_the_fingerprint_names_the_commit(hub):
    fingerprint = source(revision="main", config="big").fingerprint
    assert hub.calls == [("made/up", "big", "main")]
    assert fingerprint["commit"] == "0123abcd"
    assert fingerprint["splits"] == {"train": ["train", 20]}
    assert source().fingerprint == source(revision="0123abcd").fingerprint


def test_what_the_library_cannot_load_is_one_line(hub):
    hub.error = ConnectionError("Couldn't reach\nthe Hub")
    with pytest.raises(
        AlexNetError, match=r"cannot load the data set made/up \(Couldn't reach the Hub\): check"
    ) as caught:
        source()
    assert caught.value.exit_code == 1


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(AlexNetError, match=r'made/up needs the library datasets: pip install "alexnet\[datasets\]"'):
        source()


def test_an_id_is_wanted(hub, tmp_path):
    for path in (None, tmp_path):
        with pytest.raises(UsageError, match=r"hub needs the id of a data set, as ethz/food101"):
            Hub(path)

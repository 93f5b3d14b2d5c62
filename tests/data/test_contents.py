"""What is in a store, as values."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from alexnet.data.contents import bytes_on_disk, class_counts, contents, group_rows, head, lost
from alexnet.data.duplicates import Group
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.errors import DataError


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two classes, of which one has no test picture; files that are not used."""
    top = tmp_path_factory.mktemp("contents")
    chance = np.random.default_rng(0)
    for folder, count in {"train/cat": 3, "train/dog": 2, "test/cat": 1}.items():
        (top / "photos" / folder).mkdir(parents=True)
        for number in range(count):
            pixels = chance.integers(0, 256, (6, 6, 3), np.uint8)
            Image.fromarray(pixels).save(top / "photos" / folder / f"{number}.png")
    (top / "photos/test/dog").mkdir()
    for name in ("train/cat/z.jpg", "train/dog/y.jpg", "test/dog/w.jpg"):
        (top / "photos" / name).write_bytes(b"nothing")
    (top / "photos/train/dog/x.jpg").write_bytes(b"")
    (top / "photos/train/.hidden").write_bytes(b"")
    prepare("folder", top / "photos", top / "store", side=4)
    return Store(top / "store")


def test_pictures_are_counted_by_class_and_split(store):
    assert class_counts(store) == {"train": [3, 2], "test": [1, 0]}


def test_bytes_are_those_of_the_files(store):
    assert bytes_on_disk(store) == sum(len(file.read_bytes()) for file in store.path.iterdir())


def test_lost_files_are_told_by_state_and_reason_the_most_frequent_first(store):
    told = lost(store)
    damaged = ["train/cat/z.jpg", "train/dog/y.jpg", "test/dog/w.jpg"]
    assert told["bad"] == {"empty file": ["train/dog/x.jpg"], "not a picture": damaged}
    assert list(told["bad"]) == ["not a picture", "empty file"]
    assert told["skipped"] == {"hidden or metadata": ["train/.hidden"]}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"files": [{"file": "x"}]}', '{"files": [{"state": "odd", "reason": "x"}]}']
)
def test_a_damaged_report_is_refused(store, tmp_path, text):
    copy = Store(shutil.copytree(store.path, tmp_path / "store"))
    (copy.path / "report.json").write_text(text)
    with pytest.raises(DataError, match=r"report.json cannot be read .*: prepare the store again"):
        lost(copy)


def test_the_first_rows_have_file_class_label_and_one_hot(store):
    rows = head(store, "train", 4)
    assert [row["file"] for row in rows] == [f"train/{name}.png" for name in ("cat/0", "cat/1", "cat/2", "dog/0")]
    assert [row["class"] for row in rows] == ["cat", "cat", "cat", "dog"]
    assert [row["label"] for row in rows] == [0, 0, 0, 1]
    assert [row["one_hot"] for row in rows] == [[1, 0]] * 3 + [[0, 1]]
    assert len(head(store, "test", 100)) == 1


def test_all_of_it_is_one_json_value(store):
    group = Group((("train", 1), ("test", 0)))
    told = json.loads(json.dumps(contents(store, [group])))
    assert told["store"] == str(store.path)
    assert (told["side"], told["digest"], told["bytes"]) == (4, store.digest, bytes_on_disk(store))
    assert told["splits"] == {"train": 5, "test": 1}
    assert told["classes"] == [{"name": "cat", "train": 3, "test": 1}, {"name": "dog", "train": 2, "test": 0}]
    assert told["lost"] == {"bad": {"not a picture": 3, "empty file": 1}, "skipped": {"hidden or metadata": 1}}
    assert told["duplicates"] == [
        [
            {"split": "train", "record": 1, "file": "train/cat/1.png", "class": "cat"},
            {"split": "test", "record": 0, "file": "test/cat/0.png", "class": "cat"},
        ]
    ]
    assert told["duplicates"] == [group_rows(store, group)]
    assert told["leaks"] == 1
    train = store.splits["train"].pictures(np.arange(len(store.splits["train"]))).reshape(-1, 3).astype(float)
    assert told["mean"] == pytest.approx(train.mean(0))
    assert told["deviation"] == pytest.approx(train.std(0))

"""What `alexnet data` says of a store, line by line."""

import numpy as np
import pytest
from PIL import Image

from alexnet.cli import describing
from alexnet.cli.describing import short_one_hot
from alexnet.data.preparation import prepare
from alexnet.data.store import Store


def photos(top, colours):
    """Write a picture of one colour for each number."""
    for folder, shades in colours.items():
        (top / folder).mkdir(parents=True)
        for number, shade in enumerate(shades):
            Image.new("RGB", (8, 8), (shade, 100, 200)).save(top / folder / f"{number}.png")
    return top


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A store in which a training picture is also in test, one in two classes, and one in train twice."""
    top = tmp_path_factory.mktemp("copies")
    colours = {"train/cat": [0, 1, 2, 0], "train/dog": [3, 4], "test/cat": [1, 9, 2], "test/dog": [2]}
    return prepare("folder", photos(top / "photos", colours), top / "store", side=4).path


def test_all_is_told_line_by_line(command, tiny_store):
    done = command("data", tiny_store)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    store = Store(tiny_store)
    size = sum(file.stat().st_size for file in tiny_store.iterdir())
    assert lines[:6] == [
        f"{tiny_store}: 10 classes, 32×32 pixels",
        "  train        48 images, 4 to 5 a class",
        "  val           8 images, 0 to 1 a class",
        "  test          8 images, 0 to 1 a class",
        f"  {size / 1e6:.1f} MB on disk",
        "  duplicates: none",
    ]
    assert lines[6] == "  mean RGB " + ", ".join(f"{value:.1f}" for value in store.statistics.mean)
    assert [line.split()[0] for line in lines[7:9]] == ["deviation", "deviation"]
    assert lines[9].split() == ["label", "class", "train", "val", "test"]
    assert len(lines) == 20
    for label, line in enumerate(lines[10:]):
        counts = [str((split.labels == label).sum()) for split in store.splits.values()]
        assert line.split() == [str(label), store.classes[label], *counts]


def test_training_pictures_elsewhere_are_told_with_their_names(command, copies):
    lines = command("data", copies).out.splitlines()
    place = lines.index("  duplicates: 3 groups of equal pictures, 2 in several splits; repeats: 1 in train, 1 in test")
    assert lines[place + 1 : place + 5] == [
        "  warning: 2 training pictures also stand in test, where what was learned by heart counts as right",
        "    train/cat/1.png (train) = test/cat/0.png (test)",
        "    train/cat/2.png (train, cat) = test/cat/2.png (test, cat) = test/dog/0.png (test, dog): classes differ",
        "  --duplicates lists all groups",
    ]


def test_all_groups_are_listed_when_asked_for(command, copies):
    out = command("data", copies, "--duplicates").out
    assert "    train/cat/0.png (train) = train/cat/3.png (train)\n    train/cat/1.png" in out
    assert "--duplicates lists" not in out


def test_of_many_groups_and_large_ones_a_few_are_listed(command, copies, monkeypatch):
    monkeypatch.setattr(describing, "LEAKS", 1)
    monkeypatch.setattr(describing, "EQUAL", 1)
    out = command("data", copies).out
    assert "\n    train/cat/1.png (train) = 1 more\n    … and 1 more\n  --duplicates lists all groups\n" in out
    assert "test/dog/0.png" in command("data", copies, "--duplicates").out


def test_one_training_picture_is_one(command, tmp_path):
    colours = {"train/cat": [0, 1], "train/dog": [3], "val/cat": [0], "val/dog": [5]}
    prepare("folder", photos(tmp_path / "photos", colours), tmp_path / "store", side=4)
    out = command("data", "store").out
    assert "warning: 1 training picture also stands in val," in out
    assert "lists all groups" not in out  # all that there are


def test_copies_outside_of_train_are_no_leak(command, tmp_path):
    colours = {"train/cat": [0, 0], "train/dog": [3], "val/cat": [6], "val/dog": [5], "test/cat": [6], "test/dog": [7]}
    prepare("folder", photos(tmp_path / "photos", colours), tmp_path / "store", side=4)
    out = command("data", "store").out
    assert (
        "duplicates: 2 groups of equal pictures, 1 in several splits; repeats: 1 in train, 0 in val, 0 in test" in out
    )
    assert "warning" not in out


def test_files_not_used_are_told_by_reason_with_some_names(command, tmp_path, monkeypatch):
    top = photos(tmp_path / "photos", {"cat": [0, 1, 2], "dog": [3, 4, 5]})
    for number in range(5):
        (top / "cat" / f"bad{number}.jpg").write_bytes(b"nothing")
    (top / "dog" / "empty\n.jpg").write_bytes(b"")
    (top / "dog" / "notes.txt").write_text("words")
    prepare("folder", top, tmp_path / "store", side=4)
    lines = command("data", "store").out.splitlines()
    assert "  bad: 5 × not a picture: cat/bad0.jpg, cat/bad1.jpg, cat/bad2.jpg, …" in lines
    assert "  bad: 1 × empty file: dog/empty\\n.jpg" in lines
    assert "  skipped: 1 × not a picture: dog/notes.txt" in lines
    monkeypatch.setattr(describing, "REASONS", 1)
    assert "  bad: 1 × 1 other reasons: see report.json" in command("data", "store").out.splitlines()


def test_many_classes_are_listed_when_asked_for(command, tiny_store, monkeypatch):
    monkeypatch.setattr(describing, "TABLE", 9)
    store = Store(tiny_store)
    counts = np.bincount(store.splits["train"].labels)
    short = command("data", tiny_store).out.splitlines()
    first, last = ", ".join(store.classes[:3]), store.classes[-1]
    assert short[9] == f"  classes {first}, … {last}: --classes lists all 10"
    assert short[10] == f"  fewest train images: 4 of {store.classes[counts.argmin()]}"
    assert short[11] == f"  most train images: 5 of {store.classes[counts.argmax()]}"
    assert len(short) == 12
    assert len(command("data", tiny_store, "--classes").out.splitlines()) == 20


def test_head_prints_the_first_rows(command, photo_store):
    lines = command("data", photo_store, "--head", 2, "--split", "test").out.splitlines()[-4:]
    assert lines == [
        "test: the first 2 of 9",
        "  file             class  label  one-hot",
        "  test/cats/0.jpg  cats       0  [1 0 0]",
        "  test/cats/1.png  cats       0  [1 0 0]",
    ]
    assert "train: the first 5 of 18" in command("data", photo_store, "--head").out


def test_long_names_are_cut_at_their_beginning(command, photo_store, monkeypatch):
    monkeypatch.setattr(describing, "FILE_LETTERS", 10)
    assert command("data", photo_store, "--head", 1).out.splitlines()[-1] == "  …ats/0.jpg  cats       0  [1 0 0]"


@pytest.mark.parametrize(
    ("label", "classes", "text"),
    [
        (0, 1, "[1]"),
        (1, 3, "[0 1 0]"),
        (11, 12, "[0 0 0 0 0 0 0 0 0 0 0 1]"),
        (517, 1000, "[0 0 … 0 1 0 … 0 0]"),
        (0, 1000, "[1 0 … 0 0]"),
        (1, 1000, "[0 1 0 … 0 0]"),
        (3, 1000, "[0 0 0 1 0 … 0 0]"),
        (999, 1000, "[0 0 … 0 1]"),
        (998, 1000, "[0 0 … 0 1 0]"),
    ],
)
def test_a_one_hot_label_of_many_classes_is_shortened(label, classes, text):
    assert short_one_hot([int(place == label) for place in range(classes)]) == text

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from alexnet.data.preparation import prepare
from alexnet.data.sources.folder import Folder
from alexnet.errors import DataError, UsageError


def picture(path):
    """Write a small picture that depends on its name alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(list(os.fsencode(path.name)))
    Image.fromarray(chance.integers(0, 256, (12, 16, 3), np.uint8)).save(path, "PNG")


def make(root, *names):
    for name in names:
        picture(root / name)
    return root


def used(source, split=None):
    return [example.name for example in source.examples() if split in (None, example.split)]


def test_class_folders_are_divided_into_train_and_val(tmp_path):
    source = Folder(make(tmp_path, *(f"{name}/{i}.png" for name in ("dog", "cat") for i in range(10))))
    assert source.classes == ["cat", "dog"]
    assert source.splits == {"train": 16, "val": 4}
    assert sorted(used(source)) == sorted(f"{name}/{i}.png" for name in ("dog", "cat") for i in range(10))
    assert sum(name.startswith("cat") for name in used(source, "val")) == 2
    assert source.fingerprint["carved"] == {"val_share": 0.2, "test_share": 0.0, "seed": 0}
    assert used(Folder(tmp_path)) == used(source)
    assert used(Folder(tmp_path, seed=1), "val") != used(source, "val")
    assert Folder(tmp_path, val_share=0.5).splits == {"train": 10, "val": 10}


def test_a_new_file_moves_few_others_between_train_and_val(tmp_path):
    make(tmp_path, *(f"{name}/{i}.png" for name in "ab" for i in range(20)))
    before = set(used(Folder(tmp_path), "val"))
    make(tmp_path, "a/new.png")
    assert len(before ^ set(used(Folder(tmp_path), "val"))) <= 2


@pytest.mark.parametrize("val", ["val", "valid", "validation", "VAL"])
def test_split_folders_are_splits_and_never_classes(tmp_path, val):
    make(tmp_path, *(f"{split}/{name}/{i}.png" for split in ("train", val, "test") for name in "ab" for i in range(3)))
    source = Folder(tmp_path)
    assert source.classes == ["a", "b"]
    assert source.splits == {"train": 6, "val": 6, "test": 6}
    assert used(source, "val")[0] == f"{val}/a/0.png"
    assert "carved" not in source.fingerprint


def test_train_alone_is_divided(tmp_path):
    assert Folder(make(tmp_path, *(f"train/{name}/{i}.png" for name in "ab" for i in range(5)))).splits == {
        "train": 8,
        "val": 2,
    }


def test_everything_below_a_class_folder_belongs_to_the_class(tmp_path):
    source = Folder(make(tmp_path, "a/1.png", "a/deep/er/2.png", "b/1.png", "b/2.png"))
    assert sorted(used(source)) == ["a/1.png", "a/deep/er/2.png", "b/1.png", "b/2.png"]


def test_hidden_files_and_metadata_are_passed_over_and_counted(tmp_path):
    make(
        tmp_path,
        "a/1.png",
        "a/2.png",
        "b/1.png",
        "b/2.png",
        "a/._1.png",
        ".cache/x.png",
        "__MACOSX/a/1.png",
        "readme.png",
    )
    for name in ("a/Thumbs.db", "a/.DS_Store", "a/labels.csv", "b/LICENSE"):
        (tmp_path / name).write_text("text")
    (tmp_path / "b" / ".ipynb_checkpoints").mkdir()
    source = Folder(tmp_path)
    assert source.classes == ["a", "b"]
    assert len(used(source)) == 4
    hidden = [".cache", "__MACOSX", "a/.DS_Store", "a/._1.png", "a/Thumbs.db", "b/.ipynb_checkpoints"]
    assert dict(source.skipped) == dict.fromkeys(hidden, "hidden or metadata") | {
        "a/labels.csv": "not a picture",
        "b/LICENSE": "not a picture",
        "readme.png": "beside the class folders",
    }


def test_content_decides_what_a_picture_is(tmp_path):
    make(tmp_path, "a/1.png", "a/noending", "a/odd.txt", "b/1.PNG", "b/2.JPEG")
    assert len(used(Folder(tmp_path))) == 5


def test_loops_and_links_give_each_real_file_once(tmp_path):
    make(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "again.png").symlink_to(tmp_path / "a" / "1.png")
    os.link(tmp_path / "b" / "1.png", tmp_path / "b" / "hard.png")
    source = Folder(tmp_path)
    assert sorted(used(source)) == ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]
    reasons = dict(source.skipped)
    assert reasons["a/again.png"] == "the same as a/1.png, by a link"
    assert reasons["b/hard.png"] == "the same as b/1.png, by a link"
    assert reasons["a/loop"] == "the same as a, by a link"


def test_a_link_in_a_circle_beside_the_class_folders_is_passed_over(tmp_path):
    make(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    source = Folder(tmp_path)
    assert source.classes == ["a", "b"]
    assert source.skipped == [("loop", "dangling link, or a link in a circle")]


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    make(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/deep/2.png")
    scandir = os.scandir

    def locked(folder):
        if Path(folder).name == "deep":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(DataError, match=r"b/deep cannot be listed \(Permission denied\): check its permissions"):
        Folder(tmp_path)


def test_pictures_may_lie_elsewhere_behind_a_link(tmp_path):
    make(tmp_path / "far", "1.png", "2.png")
    make(tmp_path / "root", "a/1.png", "a/2.png")
    (tmp_path / "root" / "b").symlink_to(tmp_path / "far")
    assert sorted(used(Folder(tmp_path / "root"))) == ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]


def test_what_is_no_regular_file_is_reported_without_a_hang(tmp_path):
    make(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    (tmp_path / "b" / "gone.png").symlink_to(tmp_path / "nowhere")
    source = Folder(tmp_path)
    assert source.skipped == [
        ("a/pipe.png", "not a regular file"),
        ("b/gone.png", "dangling link, or a link in a circle"),
    ]


def test_odd_names_survive(tmp_path):
    names = ["a/-x.png", "a/new\nline.png", "a/\udcff.png", "b/🐕 dog.png", "b/" + "n" * 251 + ".png", "b/3.png"]
    make(tmp_path / "root", *names)
    store = prepare("folder", tmp_path / "root", tmp_path / "store", side=8)
    assert sorted(name for split in store.splits.values() for name in split.names) == sorted(names)
    (tmp_path / "root" / "a" / "\udcfe.png").write_bytes(b"bad")
    report = (prepare("folder", tmp_path / "root", tmp_path / "store", side=8).path / "report.json").read_text()
    assert r"a/\udcfe.png" in report


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no class folders: wanted: PATH/CLASS/picture.jpg"),
        (["1.png", "2.png"], "holds no class folders"),
        (["a/1.png"], r"holds one class folder \(a\): wanted"),
        (["train/1.png", "test/1.png"], "train holds no class folders"),
        (["train/a/1.png", "train/b/1.png", "test/1.png"], "test holds no class folders"),
        (["val/a/1.png", "val/b/1.png"], "holds val but no train"),
        (
            ["train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/b/1.png"],
            "val and valid, which mean the same split",
        ),
        (["Images/a/1.png", "Images/b/1.png"], "did you mean .*/Images"),
        (["train/a/1.png", "train/b/1.png", "val/a/1.png"], "differ in their classes .val lacks b."),
        (["train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png", "val/c/1.png"], "train lacks c of val"),
    ],
)
def test_another_layout_is_refused_and_the_wanted_one_shown(tmp_path, names, message):
    with pytest.raises(UsageError, match=message):
        Folder(make(tmp_path, *names))


def test_a_class_without_pictures_is_named(tmp_path):
    make(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match="/c has no pictures: fill the class c"):
        Folder(tmp_path)


@pytest.mark.parametrize("path", [None, "none", "file"])
def test_a_folder_is_wanted(tmp_path, path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="wanted: PATH/CLASS"):
        Folder(tmp_path / path if path else None)


def test_a_test_part_is_carved_beside_val_and_changes_nothing_of_it(tmp_path):
    make(tmp_path, *(f"{name}/{i}.png" for name in "ab" for i in range(20)))
    source = Folder(tmp_path, val_share=0.2, test_share=0.25)
    assert source.splits == {"train": 22, "val": 8, "test": 10}
    parts = [set(used(source, split)) for split in source.splits]
    assert len(set.union(*parts)) == 40 == sum(map(len, parts))
    assert used(source, "val") == used(Folder(tmp_path, val_share=0.2), "val")
    assert {name[0] for name in parts[2]} == {"a", "b"}
    # Where a class has too few, training comes first, then val.
    few = make(tmp_path / "few", "a/1.png", "a/2.png", "b/1.png")
    assert Folder(few, val_share=0.4, test_share=0.4).splits == {"train": 2, "val": 1}


@pytest.mark.parametrize("share", [0.8, 1.0, -0.1, float("nan")])
def test_a_test_share_that_leaves_nothing_is_refused(tmp_path, share):
    with pytest.raises(UsageError, match=r"test_share must be from 0 to what val_share=0\.2 leaves, not"):
        Folder(make(tmp_path, "a/1.png", "b/1.png"), test_share=share)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_an_impossible_share_is_refused(tmp_path, share):
    with pytest.raises(UsageError, match="val_share must be above 0 and below 1"):
        Folder(make(tmp_path, "a/1.png", "b/1.png"), val_share=share)


NAMES = st.lists(st.sampled_from(["1.png", "2.png", "s/3.png", ".h.png", "t.txt", "x.jpg"]), min_size=1, unique=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), NAMES, min_size=2), st.randoms())
def test_accounts_add_up_and_the_order_of_creation_changes_nothing(tmp_path, classes, random):
    names = [f"{folder}/{name}" for folder, content in classes.items() for name in content]
    digests = set()
    for turn in range(2):
        random.shuffle(names)
        root, store = tmp_path / f"root{turn}", tmp_path / f"store{turn}"
        for place in (root, store):
            shutil.rmtree(place, ignore_errors=True)
        for name in names:
            if name.endswith(".png"):
                make(root, name)
            else:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text("no picture")
        try:
            made = prepare("folder", root, store, side=8)
        except DataError:  # a class without a picture
            assert not store.exists()
            continue
        digests.add(made.digest)
        assert sum(made.manifest["counts"].values()) == len(names)
    assert len(digests) <= 1

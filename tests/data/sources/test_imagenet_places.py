from pathlib import Path

import numpy as np
import pytest

from alexnet.data.archives import index
from alexnet.data.member import Member
from alexnet.data.sources.imagenet_places import classes_of, find, joined, patches, pictures_of
from alexnet.errors import DataError, UsageError

from .conftest import draw, packed, tar


def make(top, *names):
    for name in names:
        file = top / name
        if name.endswith("/"):
            file.mkdir(parents=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(draw(file.name))


@pytest.mark.parametrize("given", ["", "ILSVRC", "ILSVRC/Data", "ILSVRC/Data/CLS-LOC"])
def test_kaggles_folders_are_found_from_wherever_one_points(tmp_path, given):
    make(tmp_path, "ILSVRC/Data/CLS-LOC/train/", "ILSVRC/Data/CLS-LOC/val/", "ILSVRC/Data/CLS-LOC/test/")
    layout = find(tmp_path / given, [])
    pictures = tmp_path / "ILSVRC" / "Data" / "CLS-LOC"
    assert layout.parts == {split: pictures / split for split in ("train", "val", "test")}
    assert tmp_path in layout.shelves


def test_an_archive_is_taken_before_a_folder_that_may_be_half_unpacked(tmp_path):
    make(tmp_path, "train/", "val/", "ILSVRC2012_img_train.tar")
    skipped = []
    assert find(tmp_path, skipped).parts == {"train": tmp_path / "ILSVRC2012_img_train.tar", "val": tmp_path / "val"}
    assert skipped == [("train", "ILSVRC2012_img_train.tar is taken")]


@pytest.mark.parametrize(
    "names",
    [
        ("ILSVRC2012_img_train.tar", "ILSVRC2010_images_train.tar", "val/"),
        ("train/", "ILSVRC2012_img_train/", "val/"),
    ],
)
def test_two_places_of_one_split_are_refused(tmp_path, names):
    make(tmp_path, *names)
    with pytest.raises(UsageError, match="which are both train: keep one"):
        find(tmp_path, [])


def test_a_folder_that_is_not_named_by_a_wordnet_id_is_refused_with_the_nearest(tmp_path):
    make(tmp_path, "n01440764/", "n0144076/")
    with pytest.raises(UsageError, match=r"n0144076 is not named by a WordNet id: did you mean n01440764\?"):
        classes_of("train", tmp_path, [])


def test_pictures_that_lie_flat_are_no_classes(tmp_path):
    make(tmp_path, "ILSVRC2012_val_00000001.JPEG", ".hidden")
    skipped = []
    assert classes_of("val", tmp_path, skipped) == {}
    assert skipped == []
    found = pictures_of("val", "", tmp_path, -1, skipped)
    assert [found.name(place) for place in range(len(found))] == ["ILSVRC2012_val_00000001.JPEG"]
    assert skipped == [("val/.hidden", "hidden or metadata")]


def test_strangers_in_a_tar_of_tars_are_passed_over(tmp_path):
    inner = packed({"n01440764_1.JPEG": b"one"})
    file = tar(tmp_path / "all.tar", {"n01440764.tar": inner, "readme.txt": b"text", "n0144076.tar": inner})
    skipped = []
    assert list(classes_of("train", file, skipped)) == ["n01440764"]
    assert skipped == [("train/n0144076.tar", "beside the classes"), ("train/readme.txt", "beside the classes")]


def test_columns_tell_names_and_places_of_tars_and_of_folders(tmp_path):
    names = ["b.JPEG", "ä\udcff.JPEG", "a.JPEG", "deep/er/c.JPEG"]
    tar(tmp_path / "n01440764.tar", {name: name.encode("utf-8", "surrogateescape") for name in names})
    make(tmp_path, "n02012849/2.JPEG", "n02012849/10.JPEG")
    skipped = []
    one = pictures_of("train", "n01440764", tmp_path / "n01440764.tar", 0, skipped)
    two = pictures_of("train", "n02012849", tmp_path / "n02012849", 1, skipped)
    both = joined([one, two])
    found = [both.name(place) for place in range(len(both))]
    assert found == ["a.JPEG", "b.JPEG", "c.JPEG", "ä\udcff.JPEG", "10.JPEG", "2.JPEG"]
    assert both.labels.tolist() == [0, 0, 0, 0, 1, 1]
    read = [both.where(place).read() if place < 4 else both.where(place) for place in range(6)]
    assert read[:2] == [b"a.JPEG", b"b.JPEG"]
    assert read[2] == b"deep/er/c.JPEG"
    assert read[4:] == [tmp_path / "n02012849" / "10.JPEG", tmp_path / "n02012849" / "2.JPEG"]
    assert both.sizes.tolist()[:3] == [6, 6, 14]
    last = both.take(np.array([5]))
    assert (len(last), last.where(0)) == (1, tmp_path / "n02012849" / "2.JPEG")


def test_a_place_without_pictures_is_refused(tmp_path):
    outer = tar(tmp_path / "all.tar", {"n01440764.tar": packed({"list.txt": b"text"})})
    with pytest.raises(DataError, match=r"all\.tar/n01440764\.tar has no pictures: fetch n01440764 again"):
        pictures_of("train", "n01440764", index(outer)[0], 0, [])


def test_corrected_pictures_stand_in_for_those_of_their_name(tmp_path):
    make(tmp_path, "n01440764/n01440764_1.JPEG", "n01440764/n01440764_2.JPEG")
    tar(tmp_path / "patch_images.tar", {"patch_images/train/n01440764_2.JPEG": b"new", "patch_images/val/x.JPEG": b""})
    found = patches([tmp_path / "none", tmp_path], [])
    assert {split: list(files) for split, files in found.items()} == {"train": ["n01440764_2.JPEG"], "val": ["x.JPEG"]}
    pictures = pictures_of("train", "n01440764", tmp_path / "n01440764", 0, []).replaced(found["train"])
    assert isinstance(pictures.where(0), Path)
    corrected = pictures.where(1)
    assert isinstance(corrected, Member)
    assert corrected.read() == b"new"
    assert pictures.sizes[1] == 3


def test_corrected_pictures_are_found_by_name_in_whatever_order(tmp_path):
    make(tmp_path, "n01440764/z.JPEG", "n01443537/a.JPEG")
    sheets = {"patch_images/train/a.JPEG": b"new a", "patch_images/train/z.JPEG": b"new z"}
    better = patches([tmp_path], []) if tar(tmp_path / "patch_images.tar", sheets) else {}
    classes = [
        pictures_of("train", name, tmp_path / name, label, []) for label, name in enumerate(("n01440764", "n01443537"))
    ]
    pictures = joined(classes).replaced(better["train"])
    found = {pictures.name(place): pictures.where(place).read() for place in range(2)}
    assert found == {"z.JPEG": b"new z", "a.JPEG": b"new a"}


def test_a_folder_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    def locked(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        find(tmp_path, [])

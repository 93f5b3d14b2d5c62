import io
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data.preparation import prepare
from alexnet.data.sources.cats_dogs import CatsDogs
from alexnet.errors import DataError, UsageError

EACH = 12


def jpeg(shade):
    stream = io.BytesIO()
    Image.fromarray(np.full((12, 16, 3), shade, np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def made(whose):
    """Name and draw the pictures as Kaggle or Microsoft distributes them, with what lies beside them there."""
    if whose == "Kaggle":
        return {
            f"train/{kind}.{n}.jpg": jpeg(n + shade) for kind, shade in (("cat", 0), ("dog", 99)) for n in range(EACH)
        }
    kinds = (("Cat", 0), ("Dog", 99))
    contents = {f"PetImages/{kind}/{n}.jpg": jpeg(n + shade) for kind, shade in kinds for n in range(EACH)}
    contents["PetImages/Cat/3.jpg"] = b""  # as its Cat/666.jpg
    contents["PetImages/Dog/5.jpg"] = jpeg(1)[:200]
    return contents | {"PetImages/Cat/Thumbs.db": b"", "readme[1].txt": b"words", "MSR-LA - 3467.docx": b"PK"}


def write(folder, contents):
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def zip_bytes(contents, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name in sorted(contents, reverse=True):
            archive.writestr(name, contents[name])
    return stream.getvalue()


def tar_bytes(contents):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in contents.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return stream.getvalue()


def used(source, split=None):
    return [example.name for example in source.examples() if split in (None, example.split)]


def kaggle_places(top):
    """Lay Kaggle's pictures out in every way that is known; the paths to give."""
    pictures = made("Kaggle")
    test = {f"test1/{number}.jpg": jpeg(number) for number in range(3)}
    nested = {"train.zip": zip_bytes(pictures), "test1.zip": zip_bytes(test), "sampleSubmission.csv": b"id,label"}
    write(top / "folder", pictures | test)
    write(top / "archive", {"train.zip": zip_bytes(pictures), "test1.zip": zip_bytes(test)})
    write(top / "whole", {"dogs-vs-cats.zip": zip_bytes(nested, zipfile.ZIP_STORED)})
    write(top / "packed", {"some.tar": tar_bytes(pictures)})
    return [
        *(top / "folder", top / "folder" / "train", top / "archive", top / "archive" / "train.zip"),
        *(top / "whole", top / "whole" / "dogs-vs-cats.zip", top / "packed" / "some.tar"),
    ]


def test_every_layout_of_kaggle_gives_the_same_pictures(tmp_path):
    places = kaggle_places(tmp_path)
    sources = [CatsDogs(place) for place in places]
    for place, source in zip(places, sources, strict=True):
        assert source.splits == {"train": 20, "val": 2, "test": 2}
        assert sorted(used(source)) == sorted(name.removeprefix("train/") for name in made("Kaggle"))
        assert used(source) == used(sources[0]), place
        assert source.classes == ["cat", "dog"]


def test_folder_and_archive_give_the_same_store(tmp_path):
    places = kaggle_places(tmp_path)
    digests = {prepare("cats-dogs", place, tmp_path / f"{n}.store", side=8).digest for n, place in enumerate(places)}
    assert len(digests) == 1


def test_the_label_is_what_the_name_says_and_the_order_is_that_of_the_numbers(tmp_path):
    source = CatsDogs(write(tmp_path, made("Kaggle")))
    for example in source.examples():
        assert example.name.startswith(source.classes[example.label])
    train = used(source, "train")
    assert train == sorted(train, key=lambda name: (name[:3], int(name.split(".")[1])))
    held_out = {split: Counter(name[:3] for name in used(source, split)) for split in ("val", "test")}
    assert held_out == {"val": {"cat": 1, "dog": 1}, "test": {"cat": 1, "dog": 1}}


def test_shares_and_seed_choose_what_is_held_out(tmp_path):
    write(tmp_path, made("Kaggle"))
    source = CatsDogs(tmp_path, val_share=0.25, test_share=0)
    assert source.splits == {"train": 18, "val": 6}
    assert source.fingerprint["split"] == {"val_share": 0.25, "test_share": 0, "seed": 0}
    chosen = [tuple(used(CatsDogs(tmp_path, val_share=0.25, test_share=0, seed=seed), "val")) for seed in range(4)]
    assert tuple(used(source, "val")) == chosen[0]
    assert len(set(chosen)) > 2
    with pytest.raises(UsageError, match="test_share must be from 0 to what"):
        CatsDogs(tmp_path, val_share=0.5, test_share=0.5)


@pytest.mark.parametrize("kind", ["folder", "PetImages", "zip", "folder of the zip"])
def test_the_broken_files_of_microsoft_are_counted_and_not_replaced(tmp_path, kind):
    contents = made("Microsoft")
    place = tmp_path / "data"
    if kind in ("folder", "PetImages"):
        write(place, contents)
        place = place / "PetImages" if kind == "PetImages" else place
    else:
        write(place, {"kagglecatsanddogs_5340.zip": zip_bytes(contents)})
        place = place / "kagglecatsanddogs_5340.zip" if kind == "zip" else place
    source = CatsDogs(place)
    assert sum(source.splits.values()) == 2 * EACH
    store = prepare("cats-dogs", place, tmp_path / "store", side=8)
    counts = store.manifest["counts"]
    assert (counts["used"], counts["bad"]) == (2 * EACH - 2, 2)
    report = (store.path / "report.json").read_text()
    assert "Cat/3.jpg" in report
    assert "empty file" in report
    assert "hidden or metadata" in [why for name, why in source.skipped if name.endswith("Thumbs.db")]
    names = [name for split in store.splits.values() for name in split.names]
    assert len(set(names)) == 2 * EACH - 2


def test_what_tells_no_class_is_told(tmp_path):
    write(tmp_path, made("Kaggle") | {"train/cat.jpg": b"", "train/bird.1.jpg": b"", "train/notes.txt": b"words"})
    assert CatsDogs(tmp_path).skipped == [
        ("bird.1.jpg", "its name tells no class"),
        ("cat.jpg", "its name tells no class"),
        ("notes.txt", "not a picture"),
    ]


def test_a_name_that_comes_twice_counts_once(tmp_path):
    place = write(tmp_path, {"a.zip": zip_bytes(made("Kaggle") | {"copy/cat.0.jpg": jpeg(1)})}) / "a.zip"
    source = CatsDogs(place)
    assert sum(source.splits.values()) == 2 * EACH
    assert source.skipped == [("train/cat.0.jpg", "the same name again")]


def test_places_without_both_classes_are_refused(tmp_path):
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(
            UsageError, match=r"no cats and dogs in .*fetch train.zip from https://www.kaggle.com/.*_5340"
        ):
            CatsDogs(place)
    with pytest.raises(UsageError, match="needs a path"):
        CatsDogs(None)
    write(tmp_path, {"train/cat.1.jpg": jpeg(1), "train/cat.2.jpg": jpeg(2)})
    with pytest.raises(DataError, match="has no pictures of class dog"):
        CatsDogs(tmp_path)
    both = write(tmp_path / "both", made("Kaggle") | made("Microsoft"))
    assert used(CatsDogs(both))[0].startswith("cat")  # the likeliest place first
    with pytest.raises(UsageError, match="Kaggle's and Microsoft's pictures, which are the same: give one of them"):
        CatsDogs(write(tmp_path, {"both.zip": zip_bytes(made("Kaggle") | made("Microsoft"))}) / "both.zip")


def test_kaggles_inner_archive_is_to_be_unzipped_if_it_is_compressed_once_more(tmp_path):
    nested = zip_bytes({"train.zip": zip_bytes(made("Kaggle"))}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"dogs-vs-cats.zip/train.zip is compressed once more: unzip it from"):
        CatsDogs(write(tmp_path, {"dogs-vs-cats.zip": nested}))


DATA = Path(os.environ.get("ALEXNET_DATA", "none")) / "cats-dogs-200px-4000"


@pytest.mark.skipif(not DATA.is_dir(), reason="ALEXNET_DATA names no folder with cats-dogs-200px-4000")
def test_the_real_pictures_divide_in_balance(tmp_path):
    source = CatsDogs(DATA)
    assert source.skipped == []
    assert Counter((example.split, example.label) for example in source.examples()) == {
        **{("train", label): 1600 for label in (0, 1)},
        **{(split, label): 200 for split in ("val", "test") for label in (0, 1)},
    }
    store = prepare("cats-dogs", DATA, tmp_path / "store", side=8)
    assert store.manifest["counts"] == {"used": 4000, "bad": 0, "skipped": 0}

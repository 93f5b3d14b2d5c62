import hashlib
import io
import os
import sys
import tarfile
import types
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data.preparation import prepare
from alexnet.data.sources.stanford_dogs import StanfordDogs
from alexnet.data.store import Store
from alexnet.errors import AlexNetError, DataError, UsageError

BREEDS = {"n02085620-Chihuahua": 8, "n02085936-Maltese_dog": 9, "n02086240-Shih-Tzu": 8, "n02087046-toy_terrier": 5}


def jpeg(name):
    """Draw a picture of its name: dark but for a bright box at (10, 5, 30, 20)."""
    shade = hashlib.sha256(name.encode()).digest()[:3]
    pixels = np.full((24, 40, 3), 20, np.uint8)
    pixels[5:20, 10:30] = [200 + byte % 50 for byte in shade]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def annotation(folder):
    return (
        f"<annotation><filename>%s</filename><object><name>{folder[10:]}</name><bndbox><xmin>10</xmin><ymin>5</ymin>"
        "<xmax>30</xmax><ymax>20</ymax></bndbox></object><object><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>1</xmax>"
        "<ymax>1</ymax></bndbox></object></annotation>"
    ).encode()


def names(breeds=None):
    """Name the pictures, numbered so that order by name and by number differ."""
    all_ = (breeds or BREEDS).items()
    return [f"{folder}/{folder[:9]}_{7 * number + 3}.jpg" for folder, count in all_ for number in range(count)]


PICTURES = {name: jpeg(name) for name in names()}
ANNOTATIONS = {name.removesuffix(".jpg"): annotation(name.partition("/")[0]) for name in PICTURES}


def write(folder, contents):
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def pack(path, contents):
    """Pack as the official archives are: folders too, in no order."""
    with tarfile.open(path, "w") as archive:
        for name in dict.fromkeys(name.rpartition("/")[0] for name in contents):
            header = tarfile.TarInfo(name)
            header.type = tarfile.DIRTYPE
            archive.addfile(header)
        for name in sorted(contents, key=lambda name: hashlib.sha256(name.encode()).digest()):
            header = tarfile.TarInfo(name)
            header.size = len(contents[name])
            archive.addfile(header, io.BytesIO(contents[name]))


def lay_out(top, kind):
    """Lay the set out as folders, as the official archives, or as one zip; what to give as PATH."""
    top.mkdir()
    if kind == "folders":
        write(top / "Images", PICTURES)
        write(top / "Annotation", ANNOTATIONS)
    elif kind == "archives":
        pack(top / "images.tar", {f"Images/{name}": data for name, data in PICTURES.items()})
        pack(top / "annotation.tar", {f"Annotation/{name}": data for name, data in ANNOTATIONS.items()})
    else:
        with zipfile.ZipFile(top / "dogs.zip", "w") as archive:
            for name, data in PICTURES.items():
                archive.writestr(f"images/Images/{name}", data)
            for name, data in ANNOTATIONS.items():
                archive.writestr(f"annotations/Annotation/{name}", data)
        return top / "dogs.zip"
    return top


@pytest.fixture
def dogs(tmp_path):
    return lay_out(tmp_path / "dogs", "folders")


def used(source, split=None):
    return [example.name for example in source.examples() if split in (None, example.split)]


@pytest.mark.parametrize("kind", ["folders", "archives", "zip"])
@pytest.mark.parametrize("boxes", [False, True])
def test_every_layout_gives_the_same_store(tmp_path, kind, boxes):
    reference = prepare(
        "stanford-dogs", lay_out(tmp_path / "reference", "folders"), tmp_path / "one", side=8, boxes=boxes
    )
    place = lay_out(tmp_path / "dogs", kind)
    before = sorted(tmp_path.rglob("*"))
    source = StanfordDogs(place, boxes=boxes)
    assert source.skipped == []
    assert sorted(used(source)) == sorted(PICTURES)
    assert sorted(tmp_path.rglob("*")) == before  # nothing was unpacked
    store = prepare("stanford-dogs", place, tmp_path / "two", side=8, boxes=boxes)
    assert store.digest == reference.digest
    assert store.classes == ["Chihuahua", "Maltese_dog", "Shih-Tzu", "toy_terrier"]
    assert str(tmp_path) not in (store.path / "manifest.json").read_text()


def test_the_folder_of_pictures_itself_will_do(dogs):
    assert used(StanfordDogs(dogs / "Images", boxes=True)) == used(StanfordDogs(dogs, boxes=True))


def test_pictures_come_split_after_split_and_breed_after_breed(dogs):
    source = StanfordDogs(dogs)
    assert source.splits == {"train": 16, "val": 6, "test": 8}  # 30 pictures: 7.5, then 5.5, both rounded up
    examples = list(source.examples())
    assert Counter(example.split for example in examples) == source.splits
    order = [(["train", "val", "test"].index(one.split), one.label, one.name) for one in examples]
    assert order == sorted(order)
    assert all(list(BREEDS)[one.label] == one.name.partition("/")[0] for one in examples)
    assert used(StanfordDogs(dogs)) == used(source)
    assert used(StanfordDogs(dogs, seed=1), "test") != used(source, "test")
    assert source.fingerprint["split"] == {"name": "write-up-000", "seed": 0}


def test_a_new_picture_moves_few_others(dogs):
    before = set(used(StanfordDogs(dogs), "test"))
    write(dogs / "Images", {"n02085620-Chihuahua/n02085620_9999.jpg": jpeg("new")})
    assert len(before ^ set(used(StanfordDogs(dogs), "test"))) <= 2


def test_of_breeds_with_equally_many_the_lower_id_is_larger(dogs):
    assert StanfordDogs(dogs, classes_largest=2).classes == ["Chihuahua", "Maltese_dog"]
    assert StanfordDogs(dogs, classes_largest=3).classes == ["Chihuahua", "Maltese_dog", "Shih-Tzu"]
    source = StanfordDogs(dogs, classes_largest=2)
    assert sum(source.splits.values()) == 17
    assert source.fingerprint["folders"] == ["n02085620-Chihuahua", "n02085936-Maltese_dog"]
    for wrong in (1, 5, 0, -2):
        with pytest.raises(UsageError, match=f"classes_largest must be from 2 to 4 .*, not {wrong}"):
            StanfordDogs(dogs, classes_largest=wrong)


def test_breeds_are_chosen_by_name_id_or_folder(dogs):
    source = StanfordDogs(dogs, classes=["toy_terrier", "n02085620", "n02086240-Shih-Tzu", "toy_terrier"])
    assert source.classes == ["Chihuahua", "Shih-Tzu", "toy_terrier"]
    with pytest.raises(UsageError, match="there is no breed Maltese: did you mean Maltese_dog"):
        StanfordDogs(dogs, classes=["Chihuahua", "Maltese"])
    with pytest.raises(UsageError, match="names one breed"):
        StanfordDogs(dogs, classes=["Chihuahua"])
    with pytest.raises(UsageError, match="exclude each other"):
        StanfordDogs(dogs, classes=["Chihuahua"], classes_largest=2)


def test_breeds_of_one_name_keep_their_ids(tmp_path):
    write(tmp_path / "Images", {f"n0000000{n}-crane/n0000000{n}_1.jpg": jpeg(str(n)) for n in (1, 2)})
    assert StanfordDogs(tmp_path).classes == ["n00000001-crane", "n00000002-crane"]


def test_a_picture_is_cut_to_its_first_box(dogs, tmp_path):
    store = prepare("stanford-dogs", dogs, tmp_path / "store", side=8, boxes=True)
    for split in store.splits.values():
        assert min(image.min() for image in split.pictures(np.arange(len(split)))) > 150  # the bright box alone
    whole = prepare("stanford-dogs", dogs, tmp_path / "whole", side=8)
    assert min(image.min() for image in whole.splits["train"].pictures(np.arange(len(whole.splits["train"])))) < 60
    assert whole.digest != store.digest


def test_a_picture_without_a_box_is_left_out_and_told_and_moves_no_other(dogs):
    before = StanfordDogs(dogs)
    lost, bad = sorted(PICTURES)[0], sorted(PICTURES)[1]
    (dogs / "Annotation" / lost.removesuffix(".jpg")).unlink()
    (dogs / "Annotation" / bad.removesuffix(".jpg")).write_bytes(b"<!DOCTYPE x>")
    source = StanfordDogs(dogs, boxes=True)
    assert source.skipped == [(lost, "no annotation"), (bad, "no box in its annotation")]
    assert used(source) == [name for name in used(before) if name not in (lost, bad)]
    assert sum(source.splits.values()) == len(PICTURES) - 2


def test_boxes_need_annotations(dogs):
    (dogs / "Annotation").rename(dogs / "elsewhere")
    with pytest.raises(UsageError, match=r"boxes need Annotation.*fetch http://vision.stanford.edu/.*/annotation.tar"):
        StanfordDogs(dogs, boxes=True)


def cells(entries):
    column = np.empty((len(entries), 1), object)
    for row, entry in enumerate(entries):
        column[row, 0] = np.array([entry])
    return column


@pytest.fixture
def loadmat(monkeypatch):
    """Put a reader of lines in the place of SciPy's reader."""
    scipy, scipy_io = types.ModuleType("scipy"), types.ModuleType("scipy.io")
    scipy.io = scipy_io
    scipy_io.loadmat = lambda stream, variable_names: {variable_names[0]: cells(stream.read().decode().split("\n"))}
    monkeypatch.setitem(sys.modules, "scipy", scipy)
    monkeypatch.setitem(sys.modules, "scipy.io", scipy_io)


def lists():
    """Divide as the official lists do: the first pictures of a breed train."""
    train = [name for name in PICTURES if int(name[:-4].rpartition("_")[2]) < 30]
    test = [name for name in PICTURES if name not in train]
    return {"train_list.mat": "\n".join(train).encode(), "test_list.mat": "\n".join(test).encode()}


@pytest.mark.parametrize("where", ["top", "folder", "archive"])
def test_the_official_lists_divide(dogs, loadmat, where):
    if where == "archive":
        pack(dogs / "lists.tar", {f"./{name}": data for name, data in lists().items()})
    else:
        write(dogs / "lists" if where == "folder" else dogs, lists())
    source = StanfordDogs(dogs, split="official")
    assert {split: sorted(used(source, split)) for split in source.splits} == {
        "train": sorted(lists()["train_list.mat"].decode().split("\n")),
        "test": sorted(lists()["test_list.mat"].decode().split("\n")),
    }
    assert source.fingerprint["split"] == {"name": "official"}
    few = StanfordDogs(dogs, split="official", classes=["Shih-Tzu", "Chihuahua"])
    assert few.splits == {"train": 8, "test": 8}


def test_lists_that_do_not_fit_are_refused(dogs, loadmat):
    with pytest.raises(UsageError, match=r"needs train_list.mat and test_list.mat in .*fetch .*lists.tar"):
        StanfordDogs(dogs, split="official")
    write(dogs, lists())
    write(dogs / "Images", {"n02085620-Chihuahua/n02085620_9999.jpg": jpeg("new")})
    source = StanfordDogs(dogs, split="official")
    assert source.skipped == [("n02085620-Chihuahua/n02085620_9999.jpg", "in neither official list")]
    gone = next(iter(PICTURES))
    (dogs / "Images" / gone).unlink()
    with pytest.raises(DataError, match=f"train_list.mat names {gone}, which is not there: fetch .*images.tar"):
        StanfordDogs(dogs, split="official")
    write(dogs / "Images", {gone: jpeg("again")})
    write(dogs, {"test_list.mat": lists()["test_list.mat"] + f"\n{gone}".encode()})
    with pytest.raises(DataError, match=r"test_list.mat names a picture of n02085620-Chihuahua a second time"):
        StanfordDogs(dogs, split="official")


def test_the_official_split_without_scipy_says_what_to_install(dogs, monkeypatch):
    write(dogs, lists())
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(AlexNetError, match="pip install"):
        StanfordDogs(dogs, split="official")


def test_what_is_no_picture_of_a_breed_is_told(dogs):
    write(
        dogs / "Images",
        {
            "stray.jpg": b"1",
            "n02085620-Chihuahua/readme.txt": b"words",
            "n02085620-Chihuahua/n02085620_5.jpg": b"",
            "n02085620-Chihuahua/.DS_Store": b"",
        },
    )
    assert StanfordDogs(dogs).skipped == [
        ("n02085620-Chihuahua/.DS_Store", "hidden or metadata"),
        ("n02085620-Chihuahua/readme.txt", "not a picture"),
        ("stray.jpg", "in no folder of a breed"),
    ]


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_a_place_without_dogs_says_what_to_fetch(tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UsageError, match=rf"{place} .*fetch http://vision.stanford.edu/aditya86/ImageNetDogs/images.tar"
    ):
        StanfordDogs(tmp_path / place)
    with pytest.raises(UsageError, match="needs a path"):
        StanfordDogs(None)
    with pytest.raises(UsageError, match="has no split officail: did you mean official"):
        StanfordDogs(tmp_path, split="officail")
    write(tmp_path / "Images", {"n02085620-Chihuahua/n02085620_1.jpg": b""})
    with pytest.raises(UsageError, match="holds 1 breeds"):
        StanfordDogs(tmp_path)


def test_a_torn_archive_is_refused(tmp_path):
    top = lay_out(tmp_path / "dogs", "archives")
    data = (top / "images.tar").read_bytes()
    (top / "images.tar").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"images.tar is torn"):
        StanfordDogs(top)


DATA = Path(os.environ.get("ALEXNET_DATA", "none"))


@pytest.mark.skipif(not (DATA / "stanford-dogs").is_dir(), reason="ALEXNET_DATA names no folder with stanford-dogs")
def test_the_real_five_largest_breeds_divide_as_in_write_up_000(tmp_path):
    source = StanfordDogs(DATA / "stanford-dogs", classes_largest=5)
    assert source.splits == {"train": 652, "val": 218, "test": 290}
    largest = {
        "Maltese_dog": 252,
        "Afghan_hound": 239,
        "Irish_wolfhound": 218,
        "Scottish_deerhound": 232,
        "Pomeranian": 219,
    }
    assert dict(Counter(source.classes[example.label] for example in source.examples())) == largest
    prepare("stanford-dogs", DATA / "stanford-dogs", tmp_path / "store", side=8, classes_largest=5)
    store = Store(tmp_path / "store")
    assert {name: len(split) for name, split in store.splits.items()} == source.splits
    assert store.manifest["counts"] == {"used": 1160, "bad": 0, "skipped": 0}


ORIGINALS = DATA / "stanford-dogs-originals"


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="ALEXNET_DATA names no folder with stanford-dogs-originals")
def test_the_real_annotations_give_every_original_a_box_inside_it():
    source = StanfordDogs(ORIGINALS, boxes=True)
    assert sum(source.splits.values()) == 1012
    assert source.skipped == []
    for example in source.examples():
        with Image.open(example.picture) as image:
            left, top, right, bottom = example.box
            assert 0 <= left < right <= image.width
            assert 0 <= top < bottom <= image.height

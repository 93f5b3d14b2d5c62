import gzip
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from alexnet.cli import main
from alexnet.data.member import Member
from alexnet.data.preparation import prepare
from alexnet.data.sources.imagenet import ImageNet
from alexnet.data.store import Store
from alexnet.errors import DataError, UsageError

from .conftest import DATA, ILSVRC_IDS, LISTS, WNIDS, Miniature, draw, packed, tar


def as_distributed(small, top):
    small.tar_of_tars(top / "ILSVRC2012_img_train.tar")
    small.tar_of(top / "ILSVRC2012_img_val.tar", "val")
    small.tar_of(top / "ILSVRC2012_img_test.tar", "test")
    small.devkit(top / "ILSVRC2012_devkit_t12.tar.gz")


def as_distributed_with_the_list(small, top):
    small.tar_of_tars(top / "ILSVRC2012_img_train.tar")
    small.tar_of(top / "ILSVRC2012_img_val.tar", "val")
    (top / "ILSVRC2012_validation_ground_truth.txt").write_text(small.positions())


def as_unpacked(small, top):
    small.unpacked_train(top / "train")
    small.unpacked_val(top / "val")


def as_unpacked_but_val(small, top):
    small.unpacked_train(top / "ILSVRC2012_img_train")
    small.unpacked_val(top / "ILSVRC2012_img_val", flat=True)
    (top / "val.txt").write_text(small.positions(before=""))


def as_half_unpacked(small, top):
    (top / "train").mkdir()
    for wnid, names in small.train.items():
        tar(top / "train" / f"{wnid}.tar", {f"./{name}": draw(name) for name in names})
    small.unpacked_val(top / "val", flat=True)
    (top / "ILSVRC2012_devkit_t12" / "data").mkdir(parents=True)
    (top / "ILSVRC2012_devkit_t12" / "data" / "meta.mat").write_bytes(b"six classes")
    (top / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text(small.ids())


def as_at_kaggle(small, top):
    pictures = top / "ILSVRC" / "Data" / "CLS-LOC"
    small.unpacked_train(pictures / "train")
    small.unpacked_val(pictures / "val", flat=True)
    rows = [f"{name[:-5]},{wnid} 85 1 499 272 {wnid} 1 2 3 4 \n" for name, wnid in reversed(small.val.items())]
    (top / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "".join(rows))


LAYOUTS = (
    as_distributed,
    as_distributed_with_the_list,
    as_unpacked,
    as_unpacked_but_val,
    as_half_unpacked,
    as_at_kaggle,
)


def content(example):
    return example.picture.read_bytes() if isinstance(example.picture, Path) else example.picture.read()


@pytest.mark.parametrize("lay_out", LAYOUTS)
def test_every_layout_gives_the_same_pictures_labels_and_order(tmp_path, miniature, matlab, lay_out):
    lay_out(miniature, tmp_path)
    source = ImageNet(tmp_path)
    assert [name.split()[0] for name in source.classes] == WNIDS
    assert source.splits == {"train": 18, "val": 12}
    assert source.default_side == 256
    train = [
        (f"train/{wnid}/{name}", label) for label, wnid in enumerate(WNIDS) for name in sorted(miniature.train[wnid])
    ]
    val = [(f"val/{wnid}/{name}", WNIDS.index(wnid)) for name, wnid in miniature.val.items()]
    examples = list(source.examples())
    assert [(example.name, example.label) for example in examples] == train + val
    assert [example.split for example in examples] == ["train"] * 18 + ["val"] * 12
    assert all(content(example) == draw(example.name.rpartition("/")[2]) for example in examples)
    assert [name for name, _ in source.skipped if "test" not in name] == []
    expected = {"pictures": 30, "bytes": sum(len(content(example)) for example in examples)}
    assert source.fingerprint.items() >= expected.items()


def test_all_layouts_give_one_digest_of_names_and_sizes(tmp_path, miniature, matlab):
    digests = set()
    for lay_out in LAYOUTS:
        (tmp_path / lay_out.__name__).mkdir()
        lay_out(miniature, tmp_path / lay_out.__name__)
        digests.add(ImageNet(tmp_path / lay_out.__name__).fingerprint["names_and_sizes_sha256"])
    assert len(digests) == 1


def test_the_stores_of_an_archive_and_of_folders_hold_the_same_records(tmp_path, miniature, matlab):
    for lay_out in (as_distributed, as_unpacked):
        (tmp_path / lay_out.__name__).mkdir()
        lay_out(miniature, tmp_path / lay_out.__name__)
        prepare("imagenet", tmp_path / lay_out.__name__, tmp_path / f"{lay_out.__name__}.store", side=8)
    stores = [Store(tmp_path / f"{lay_out.__name__}.store") for lay_out in (as_distributed, as_unpacked)]
    assert stores[0].manifest["splits"] == stores[1].manifest["splits"]
    assert stores[0].classes == stores[1].classes
    assert stores[0].splits["val"].labels.tolist() == [WNIDS.index(wnid) for wnid in miniature.val.values()]


def test_nothing_is_read_before_a_picture_is_decoded(tmp_path, miniature, matlab):
    as_distributed(miniature, tmp_path)
    example = next(ImageNet(tmp_path).examples())
    assert isinstance(example.picture, Member)
    assert pickle.loads(pickle.dumps(example)) == example
    os.truncate(tmp_path / "ILSVRC2012_img_train.tar", 1100)
    with pytest.raises(DataError):
        example.picture.read()


def test_classes_are_named_by_id_and_word_because_words_are_not_unique(tmp_path, miniature):
    as_unpacked(miniature, tmp_path)
    classes = ImageNet(tmp_path).classes
    assert "n02012849 crane" in classes
    assert "n03126707 crane" in classes
    assert len(set(classes)) == 6


@pytest.mark.parametrize("given", ["list", "file", "path"])
@pytest.mark.parametrize("lay_out", [as_distributed, as_unpacked])
def test_a_list_of_classes_takes_these_alone(tmp_path, miniature, matlab, lay_out, given):
    lay_out(miniature, tmp_path)
    file = tmp_path / "some.txt"
    file.write_text("# two of six\nn03710637 maillot\n\nn02012849\n")
    source = ImageNet(tmp_path, classes={"list": ["n03710637", "n02012849"], "file": [str(file)], "path": file}[given])
    assert source.classes == ["n02012849 crane", "n03710637 maillot"]
    assert source.splits == {"train": 6, "val": 4}
    assert {(example.name.split("/")[1], example.label) for example in source.examples()} == {
        ("n02012849", 0),
        ("n03710637", 1),
    }


def test_a_count_a_class_takes_so_many_of_every_split_and_more_keeps_fewer(tmp_path, miniature, matlab):
    as_distributed(miniature, tmp_path)

    def names(**options):
        return [example.name for example in ImageNet(tmp_path, **options).examples()]

    one, two = names(per_class=1), names(per_class=2)
    assert ImageNet(tmp_path, per_class=1).splits == {"train": 6, "val": 6}
    assert ImageNet(tmp_path, per_class=2).splits == {"train": 12, "val": 12}
    assert ImageNet(tmp_path, per_class=50).splits == {"train": 18, "val": 12}
    assert {name.split("/")[1] for name in one if name.startswith("train")} == set(WNIDS)
    assert set(one) < set(two)
    assert [name for name in names() if name in set(two)] == two
    assert one == names(per_class=1)
    assert one != names(per_class=1, seed=1)
    assert ImageNet(tmp_path, per_class=1).fingerprint["subset"] == {"per_class": 1, "seed": 0}


def test_which_reading_of_the_labels_was_taken_is_told(tmp_path, miniature, matlab, capsys):
    as_distributed(miniature, tmp_path)
    assert main(["prepare", "imagenet", str(tmp_path), str(tmp_path / "new"), "--side", "8", "--per-class", "1"]) == 0
    told = capsys.readouterr().out
    expected = "ILSVRC2012_validation_ground_truth.txt, ILSVRC ids by meta.mat in order of the file numbers"
    assert f"labels of val: {expected}" in told
    assert Store(tmp_path / "new").manifest["source"]["fingerprint"]["labels"]["val"] == expected
    (tmp_path / "other.txt").write_text(miniature.positions())
    source = ImageNet(tmp_path, val_list=tmp_path / "other.txt")
    assert source.fingerprint["labels"]["val"].startswith("other.txt, positions 0–999 among the sorted WordNet ids")


def test_test_pictures_without_labels_are_passed_over_with_a_word(tmp_path, miniature, matlab):
    as_distributed(miniature, tmp_path)
    (tmp_path / "ILSVRC2012_img_train_t3.tar").write_bytes(b"")
    assert ImageNet(tmp_path).skipped == [
        ("ILSVRC2012_img_train_t3.tar", "an archive that is not used"),
        ("test", "no list of its labels"),
    ]


def test_ilsvrc2010_has_a_test_split_and_corrected_pictures(tmp_path, matlab):
    small = Miniature(2010)
    inner = {f"{wnid}.tar": packed({name: draw(name) for name in names}) for wnid, names in small.train.items()}
    tar(tmp_path / "ILSVRC2010_images_train.tar", {f"train/{name}": data for name, data in inner.items()})
    small.tar_of(tmp_path / "ILSVRC2010_images_val.tar", "val", "val/")
    small.tar_of(tmp_path / "ILSVRC2010_images_test.tar", "test", "test/")
    small.devkit(tmp_path / "ILSVRC2010_devkit-1.0.tar.gz", "devkit-1.0")
    (tmp_path / "ILSVRC2010_test_ground_truth.txt").write_text(small.ids("test"))
    better = ("train/n01440764_9.JPEG", "val/ILSVRC2010_val_00000002.JPEG", "test/ILSVRC2010_test_00000003.JPEG")
    tar(tmp_path / "patch_images.tar", {f"patch_images/{name}": draw("better " + name) for name in better})
    source = ImageNet(tmp_path)
    assert source.splits == {"train": 18, "val": 12, "test": 6}
    examples = list(source.examples())
    tested = [(example.name, example.label) for example in examples if example.split == "test"]
    assert tested == [(f"test/{wnid}/{name}", WNIDS.index(wnid)) for name, wnid in small.flat["test"].items()]
    for example in examples:
        name = f"{example.split}/{example.name.rpartition('/')[2]}"
        assert content(example) == (draw("better " + name) if name in better else draw(name.rpartition("/")[2]))


def test_hidden_files_and_strangers_are_passed_over_and_counted(tmp_path, miniature):
    as_unpacked(miniature, tmp_path)
    for name in ("train/.DS_Store", "train/readme.txt", "train/n01440764/._x.JPEG", "val/n01440764/list.txt"):
        (tmp_path / name).write_text("text")
    assert ImageNet(tmp_path).skipped == [
        ("train/.DS_Store", "hidden or metadata"),
        ("train/n01440764/._x.JPEG", "hidden or metadata"),
        ("train/readme.txt", "beside the classes"),
        ("val/n01440764/list.txt", "not a picture"),
    ]


def test_a_val_in_folders_needs_no_list(tmp_path, miniature, no_scipy):
    as_unpacked(miniature, tmp_path)
    assert ImageNet(tmp_path).splits["val"] == 12
    (tmp_path / "list.txt").write_text(miniature.positions())
    with pytest.raises(UsageError, match="a folder for each class: leave out the list"):
        ImageNet(tmp_path, val_list=tmp_path / "list.txt")


def refusal(kind, path, **options):
    with pytest.raises(kind) as caught:
        ImageNet(path, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return str(caught.value)


def test_a_folder_without_imagenet_is_refused_with_what_to_fetch(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", None):
        message = refusal(UsageError, path)
        for wanted in ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "devkit_t12", "login", "val/n01440764"):
            assert wanted in message
    (tmp_path / "ILSVRC2012_img_train.tar").touch()
    assert "give the folder" in refusal(UsageError, tmp_path / "ILSVRC2012_img_train.tar")
    assert "holds no val" in refusal(UsageError, tmp_path)


def test_options_out_of_range_are_refused(tmp_path, miniature):
    as_unpacked(miniature, tmp_path)
    assert "per_class must be 1 or more" in refusal(UsageError, tmp_path, per_class=0)
    assert "give two or more" in refusal(UsageError, tmp_path, classes=["n01440764"])
    assert "has no class n01440765: did you mean n01440764?" in refusal(
        UsageError, tmp_path, classes=["n01440765", "n02012849"]
    )
    assert "crane is no WordNet id (nor a file of them): did you mean n02012849 or n03126707?" in refusal(
        UsageError, tmp_path, classes=["crane", "n02012849"]
    )


def test_a_list_shorter_than_the_pictures_is_refused(tmp_path, miniature):
    as_unpacked_but_val(miniature, tmp_path)
    (tmp_path / "val.txt").write_text("".join(miniature.positions(before="").splitlines(True)[:9]))
    message = refusal(DataError, tmp_path)
    assert "val.txt lacks 3 of the 12 pictures" in message
    assert "the first is ILSVRC2012_val_00000010.JPEG" in message


def test_pictures_that_the_list_has_more_of_are_told(tmp_path, miniature):
    as_unpacked_but_val(miniature, tmp_path)
    (tmp_path / "ILSVRC2012_img_val" / "ILSVRC2012_val_00000001.JPEG").unlink()
    source = ImageNet(tmp_path)
    assert source.splits["val"] == 11
    assert source.fingerprint["labels"]["val"].endswith("; 1 of its pictures are not there")


def test_splits_with_other_classes_are_refused(tmp_path, miniature):
    as_unpacked_but_val(miniature, tmp_path)
    shutil.rmtree(tmp_path / "ILSVRC2012_img_train" / "n15075141")
    assert "val has pictures of n15075141, which train lacks" in refusal(UsageError, tmp_path)
    assert ImageNet(tmp_path, classes=["n01440764", "n02012849"]).splits == {"train": 6, "val": 4}
    for name in ("00000004", "00000005"):
        (tmp_path / "ILSVRC2012_img_val" / f"ILSVRC2012_val_{name}.JPEG").unlink()
    message = refusal(UsageError, tmp_path, classes=["n01440764", "n02012849"])
    assert "val has no pictures of n02012849" in message


def test_a_class_without_pictures_is_refused(tmp_path, miniature):
    as_unpacked(miniature, tmp_path)
    for file in (tmp_path / "train" / "n02012849").iterdir():
        file.unlink()
    assert "train/n02012849 has no pictures" in refusal(DataError, tmp_path)


def test_positions_are_not_taken_for_other_classes_than_those_of_2012(tmp_path, miniature):
    as_unpacked_but_val(miniature, tmp_path)
    (tmp_path / "ILSVRC2012_img_train" / "n01440764").rename(tmp_path / "ILSVRC2012_img_train" / "n00000001")
    assert "numbers the classes of ILSVRC2012, but train has others" in refusal(DataError, tmp_path)


@pytest.mark.parametrize("name", ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"])
def test_torn_and_compressed_archives_are_refused(tmp_path, miniature, matlab, name):
    as_distributed(miniature, tmp_path)
    whole = (tmp_path / name).read_bytes()
    for share in (0.3, 0.6):
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
        message = refusal(DataError, tmp_path)
        assert name in message
        assert "fetch it again" in message
    if name.endswith(".tar"):
        (tmp_path / name).write_bytes(gzip.compress(whole))
        assert "gunzip it first" in refusal(DataError, tmp_path)


@pytest.mark.skipif(not DATA, reason="ALEXNET_DATA is not set")
def test_real_pictures_laid_out_as_distributed_and_as_unpacked_agree(tmp_path):
    real = Path(DATA) / "imagenette224-subset"
    inner = {
        f"{folder.name}.tar": packed({file.name: file.read_bytes() for file in folder.iterdir()})
        for folder in (real / "train").iterdir()
    }
    tar(tmp_path / "ILSVRC2012_img_train.tar", inner)
    val = {file.name: file for file in sorted((real / "val").rglob("*.JPEG"))}
    tar(tmp_path / "ILSVRC2012_img_val.tar", {name: file.read_bytes() for name, file in val.items()})
    (tmp_path / "val.txt").write_text("".join(f"{name} {file.parent.name}\n" for name, file in val.items()))
    distributed, unpacked = ImageNet(tmp_path), ImageNet(real)
    assert unpacked.splits == {"train": 1000, "val": 400}
    assert [(e.name, e.label) for e in distributed.examples()] == [(e.name, e.label) for e in unpacked.examples()]
    assert distributed.classes == unpacked.classes
    assert distributed.classes[0] == "n01440764 tench"
    assert ImageNet(tmp_path, per_class=40).splits == {"train": 400, "val": 400}
    prepare("imagenet", tmp_path, tmp_path / "store", side=16, per_class=5)
    store = Store(tmp_path / "store")
    assert {name: np.bincount(split.labels).tolist() for name, split in store.splits.items()} == {
        "train": [5] * 10,
        "val": [5] * 10,
    }


@pytest.mark.skipif(not DATA, reason="ALEXNET_DATA is not set")
@pytest.mark.skipif(not LISTS.is_dir(), reason="neither ALEXNET_DATA/imagenet-meta nor ALEXNET_IMAGENET_META is there")
def test_real_val_pictures_agree_with_the_ground_truth_list(tmp_path):
    real = Path(DATA) / "imagenette224-subset"
    (tmp_path / "train").symlink_to(real / "train")
    (tmp_path / "val").mkdir()
    truth = {}
    for file in real.rglob("ILSVRC2012_val_*.JPEG"):
        (tmp_path / "val" / file.name).symlink_to(file)
        truth[file.name] = file.parent.name
    assert len(truth) == 500
    source = ImageNet(tmp_path, val_list=LISTS / "ILSVRC2012_validation_ground_truth.txt")
    found = {
        e.name.rpartition("/")[2]: source.classes[e.label].split()[0] for e in source.examples() if e.split == "val"
    }
    assert found == truth


def test_the_miniature_tells_the_two_numberings_apart():
    assert sorted(ILSVRC_IDS.values()) != [ILSVRC_IDS[wnid] for wnid in sorted(ILSVRC_IDS)]

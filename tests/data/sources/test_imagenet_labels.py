import json

import pytest

from alexnet.data.sources.imagenet_labels import Shelf, chosen_classes, known_names, read_meta, suggest
from alexnet.errors import DataError, UsageError

from .conftest import ILSVRC_IDS, LISTS, POSITIONS, WNIDS

WITH_LISTS = pytest.mark.skipif(
    not LISTS.is_dir(), reason="neither ALEXNET_DATA/imagenet-meta nor ALEXNET_IMAGENET_META is there"
)


def shelf(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return Shelf([folder])


def of(truth, *numbers):
    return [truth.of(f"ILSVRC2012_val_{number:08}.JPEG") for number in numbers]


def test_the_classes_of_2012_are_a_thousand_in_sorted_order():
    names = known_names()
    assert len(names) == 1000
    assert list(names) == sorted(names)
    assert all(name.isascii() and name for name in names.values())
    assert {wnid: list(names).index(wnid) for wnid in WNIDS} == POSITIONS
    assert names["n02012849"] == names["n03126707"] == "crane"


@WITH_LISTS
def test_the_classes_agree_with_published_lists():
    assert list(known_names()) == (LISTS / "imagenet_synsets_timm.txt").read_text().split()
    for line in (LISTS / "synset_words.txt").read_text().splitlines():
        wnid, _, words = line.partition(" ")
        assert known_names()[wnid] == words.split(",")[0]


@WITH_LISTS
def test_the_published_ground_truth_has_fifty_pictures_a_class():
    truth = Shelf([]).truth("val", LISTS / "ILSVRC2012_validation_ground_truth.txt")
    counts = dict.fromkeys(known_names(), 0)
    for number in range(1, 50_001):
        counts[of(truth, number)[0]] += 1
    assert set(counts.values()) == {50}
    assert of(truth, 1) == ["n01751748"]  # a sea snake


@pytest.mark.parametrize("before", ["", "val/", "val.zip@/", "val/n01440764/", "ILSVRC/Data/CLS-LOC/val/"])
def test_named_positions_count_from_zero_in_sorted_order(tmp_path, before):
    rows = [f"{before}ILSVRC2012_val_00000007.JPEG 999", f"{before}ILSVRC2012_val_00000003.JPEG 0"]
    truth = shelf(tmp_path, val__txt="\r\n".join(rows)).truth("val")
    assert of(truth, 3, 7, 1) == ["n01440764", "n15075141", None]
    assert truth.source == "val.txt, positions 0–999 among the sorted WordNet ids of ILSVRC2012"
    assert truth.of_2012


def test_the_devkits_ids_are_in_an_order_of_their_own(tmp_path, matlab):
    (tmp_path / "meta.mat").write_bytes(b"six classes")
    truth = shelf(tmp_path, ILSVRC2012_validation_ground_truth__txt="1000\n1\n449\n").truth("val")
    assert of(truth, 1, 2, 3, 4) == ["n02012849", "n02105855", "n01440764", None]
    assert not truth.of_2012


def test_bare_positions_and_bare_wordnet_ids_are_in_order_of_the_files(tmp_path, no_scipy):
    truth = shelf(tmp_path, val__txt="134\n0\n517\n").truth("val")
    assert of(truth, 1, 2, 3) == ["n02012849", "n01440764", "n03126707"]
    assert truth.source.startswith("val.txt, positions 0–999")
    assert truth.source.endswith("in order of the file numbers")
    (tmp_path / "val.txt").unlink()
    truth = shelf(tmp_path, imagenet_2012_validation_synset_labels__txt="n02012849\nn01440764\n").truth("val")
    assert of(truth, 1, 2) == ["n02012849", "n01440764"]


def test_wordnet_ids_beside_names_need_no_numbering(tmp_path):
    truth = shelf(tmp_path, val__txt="ILSVRC2012_val_00000002.JPEG n00000001\nany.jpg n02012849\n").truth("val")
    assert of(truth, 2) == ["n00000001"]
    assert truth.of("any.jpg") == "n02012849"
    assert truth.source == "val.txt, WordNet ids"


def test_kaggles_list_has_the_class_before_the_boxes(tmp_path):
    text = "ImageId,PredictionString\nILSVRC2012_val_00000002,n03126707 1 2 3 4 n03126707 5 6 7 8 \n"
    assert of(shelf(tmp_path, LOC_val_solution__csv=text).truth("val"), 2) == ["n03126707"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("val.txt", "a.JPEG 1\nb.JPEG 1000\n", "may be positions 0–999 or ILSVRC ids 1–1000: write WordNet ids"),
        ("val.txt", "a.JPEG 1\nb.JPEG 7\n", "may be positions 0–999 or ILSVRC ids 1–1000: write WordNet ids"),
        ("val.txt", "1\n7\n", "may be positions 0–999 or ILSVRC ids 1–1000: write WordNet ids"),
        ("val.txt", "a.JPEG 0\nb.JPEG 1000\n", "neither positions 0–999 nor ILSVRC ids 1–1000"),
        ("val.txt", "1\n1001\n", "neither positions 0–999 nor ILSVRC ids 1–1000"),
        ("val.txt", "a.JPEG 0\na.JPEG 1\n", "gives a two labels"),
        ("val.txt", "a.JPEG n0144076\n", "'n0144076': did you mean n01440764"),
        ("val.txt", "a.JPEG crane\n", "did you mean n02012849 or n03126707"),
        ("val.txt", "a.JPEG -1\n", "has the label '-1'"),
        ("val.txt", "a.JPEG 0\n5\n", "line 2"),
        ("val.txt", "a b c\n", "line 1"),
        ("val.txt", "\n\n", "is empty"),
        ("LOC_val_solution.csv", "ImageId,PredictionString\na,b,c\n", "line 2"),
    ],
)
def test_a_damaged_or_ambiguous_list_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        Shelf([tmp_path]).truth("val")
    assert message in str(caught.value)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_ids_without_the_devkit_ask_for_it(tmp_path, no_scipy):
    there = shelf(tmp_path, ILSVRC2012_validation_ground_truth__txt="1000\n1\n")
    with pytest.raises(UsageError, match=r"holds ILSVRC ids: put ILSVRC2012_devkit_t12\.tar\.gz"):
        there.truth("val")


def test_the_devkit_without_scipy_names_both_ways_out(tmp_path, miniature, no_scipy):
    miniature.devkit(tmp_path / "ILSVRC2012_devkit_t12.tar.gz")
    with pytest.raises(UsageError, match=r"needs SciPy: pip install 'alexnet\[matlab\]', or give val\.txt"):
        Shelf([tmp_path]).truth("val")
    (tmp_path / "val.txt").write_text(miniature.positions())  # is taken first, and needs none
    assert Shelf([tmp_path]).truth("val").source.startswith("val.txt")


def test_a_damaged_devkit_is_refused(tmp_path, matlab):
    with pytest.raises(DataError, match=r"meta\.mat cannot be read \(ValueError: Unknown mat file type\)"):
        read_meta(b"torn")
    (tmp_path / "meta.mat").write_bytes(b"six classes")
    with pytest.raises(DataError, match=r"has the label 2, which meta\.mat lacks"):
        shelf(tmp_path, ILSVRC2012_validation_ground_truth__txt="1000\n2\n").truth("val")


def test_the_devkits_classes_are_those_without_children(matlab):
    meta = read_meta(b"six classes")
    assert meta.wnids == {number: wnid for wnid, number in ILSVRC_IDS.items()}
    assert meta.names["n02012849"] == "word of n02012849"


def test_no_list_at_all_says_what_one_looks_like(tmp_path):
    with pytest.raises(UsageError, match=r"--val-list \(lines: ILSVRC2012_val_00000001\.JPEG n01751748\)"):
        Shelf([tmp_path]).truth("val")
    assert Shelf([tmp_path]).truth("test") is None
    with pytest.raises(UsageError, match="does not exist"):
        Shelf([tmp_path]).truth("val", tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["synset_words.txt", "LOC_synset_mapping.txt", "imagenet_class_index.json"])
def test_other_classes_are_named_by_what_lies_beside(tmp_path, name):
    words = "n00000001 thing, object\nn02012849 another name\n"
    index = json.dumps({"0": ["n00000001", "thing"], "1": ["n02012849", "another_name"]})
    (tmp_path / name).write_text(index if name.endswith("json") else words)
    names = Shelf([tmp_path]).names(["n00000001", "n00000002", "n02012849"])
    assert names == ["n00000001 thing", "n00000002", "n02012849 crane"]


def test_chosen_classes_are_wordnet_ids_or_a_file_of_them(tmp_path):
    (tmp_path / "some.txt").write_text("# a few\nn02012849 crane\nn01440764\n")
    for given in ([str(tmp_path / "some.txt")], tmp_path / "some.txt", ["n01440764", "n02012849"]):
        assert chosen_classes(given) == {"n01440764", "n02012849"}
    with pytest.raises(UsageError, match=r"Tench is no WordNet id.*did you mean n01440764"):
        chosen_classes(["Tench", "n02012849"])
    with pytest.raises(UsageError, match="give two or more"):
        chosen_classes(["n02012849", "n02012849"])


def test_a_suggestion_never_lists_a_thousand_classes():
    assert suggest("n0144076", known_names()) == "did you mean n01440764?"
    assert suggest("zebu", known_names()) == "WordNet ids are n and eight digits, as n01440764"

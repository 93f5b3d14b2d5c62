"""Tests of alexnet.experiments.write_up_003."""

import json

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from alexnet.data.preparation import prepare
from alexnet.errors import UsageError
from alexnet.experiments import write_up_003
from alexnet.experiments.write_up_003 import Speeds, network, operations, pack, recipes, reckoned, reproduce
from alexnet.layers import Activation, ResponseNorm
from alexnet.nn.network import Network, initialise
from alexnet.recipes import RECIPES


@pytest.fixture
def subset(photos, tmp_path):
    """The photos of the tests, under WordNet ids, ending as ImageNet's do."""
    folder = tmp_path / "data" / "imagenette224-subset"
    wnids = ("n01440764", "n02102040", "n02979186")
    for split, place in (("train", "train"), ("val", "test")):
        for wnid, of_class in zip(wnids, sorted((photos / place).iterdir()), strict=True):
            (folder / split / wnid).mkdir(parents=True)
            for file in sorted(of_class.iterdir()):
                (folder / split / wnid / f"{wnid}_{file.stem}{split}.JPEG").write_bytes(file.read_bytes())
    return folder


def test_the_network_is_the_papers_with_the_norm_where_the_write_up_has_it():
    for place, pair in (("before", (ResponseNorm, Activation)), ("after", (Activation, ResponseNorm))):
        layers = network(place).layers
        kinds = [type(layer) for layer in layers]
        for number in (1, 2):
            behind = [layer.name for layer in layers].index(f"conv{number}") + 1
            assert tuple(kinds[behind : behind + 2]) == pair
    assert (network("before").input_side, network("before").parameters) == (227, 60_965_224)
    conv1 = network("before").rows()[0]
    assert conv1.output == (96, 55, 55)
    # 54 steps of four and a kernel of eleven end at pixel 227: no zero is looked at.
    assert 54 * 4 + 11 == 227


def test_the_schedule_is_a_fifth_of_the_recipes_and_ours_has_as_many_epochs():
    (short, ours), whole = recipes(quick=False).values(), RECIPES["write-up-003"]
    assert (5 * short.epochs, short.lr_drops, 5 * short.lr_patience) == (
        whole.epochs,
        whole.lr_drops,
        whole.lr_patience,
    )
    assert (ours.epochs, ours.schedule) == (short.epochs, "linear")
    assert {one.max_updates for one in recipes(quick=True).values()} == {3}


def test_packed_pictures_are_prepared_as_they_were(subset, tmp_path):
    pack(subset, tmp_path / "ILSVRC2012")
    assert sorted(path.name for path in (tmp_path / "ILSVRC2012").iterdir()) == [
        "ILSVRC2012_img_train.tar",
        "ILSVRC2012_img_val.tar",
        "val.txt",
    ]
    packed = prepare("imagenet", tmp_path / "ILSVRC2012", tmp_path / "packed", side=32)
    loose = prepare("imagenet", subset, tmp_path / "loose", side=32)
    for split in ("train", "val"):
        places = np.arange(len(loose.splits[split]))
        assert np.array_equal(packed.splits[split].pictures(places), loose.splits[split].pictures(places))
        assert np.array_equal(packed.splits[split].labels, loose.splits[split].labels)


def test_a_folder_without_classes_is_refused(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(UsageError, match="has no train and val with folders named by WordNet ids"):
        pack(tmp_path, tmp_path / "ILSVRC2012")


def test_operations_are_those_that_pytorch_counts():
    small = write_up_003.vary(network("after"), "side=67", "response_norm=off", "towers=1", "classes=7")
    net = initialise(Network(small))
    with FlopCounterMode(display=False) as counter:
        net(torch.randn(2, 3, 67, 67)).sum().backward()
    assert operations(small) * 2 == counter.get_total_flops()


def test_the_whole_is_reckoned_from_what_was_measured():
    speeds = Speeds(prepared=500.0, trained=100.0, stored={"raw": 200_000.0, "jpeg": 20_000.0})
    rows = {row.label.partition(": ")[2]: row for row in reckoned(speeds, 90)}
    assert rows["store of raw records"].values == (pytest.approx(250.0),)  # 1.25 million of 200 kB
    assert rows["store of JPEG records"].values == (pytest.approx(25.0),)
    assert rows["preparing it"].values == (pytest.approx(1_250_000 / 500 / 3600),)
    assert rows["training on this CPU"].values == (pytest.approx(1_200_000 * 90 / 100 / 86_400),)
    one, eight = rows["training on 1 GPU"], rows["training on 8 GPUs"]
    assert one.values[0] == pytest.approx(8 * eight.values[0])
    # 4.2 billion operations a picture, by the layer sizes.
    assert one.values[0] * 3600 * 100e12 / (1_200_000 * 90) == pytest.approx(4.2e9, rel=0.05)
    assert all("ASSUMED, not measured" in row.note for row in (one, eight))
    assert "one device" in eight.note


def test_the_path_is_gone_from_the_archives_to_the_table(
    subset, tmp_path, monkeypatch, tiny_network, tiny_recipe, capsys
):
    def small(kind, source, path, **options):
        assert (kind, source.name) == ("imagenet", "ILSVRC2012")
        return prepare(kind, source, path, side=32, **options)

    monkeypatch.setattr(write_up_003, "prepare", small)
    monkeypatch.setattr(
        write_up_003, "network", lambda place: write_up_003.vary(tiny_network, f"response_norm_place={place}")
    )
    monkeypatch.setattr(write_up_003, "operations", lambda network: 1_000)
    # The plateau is flat at once, and ends the training before the other's.
    flat = tiny_recipe.with_changes(epochs=9, schedule="plateau", lr_patience=1, lr_drops=1, lr=1e-9, warmup_epochs=0.0)
    monkeypatch.setattr(write_up_003, "recipes", lambda quick: {"as written": flat, "ours": tiny_recipe})
    reproduce(subset.parent, tmp_path / "work", tmp_path, quick=False)
    folder = tmp_path / "write-up-003"
    told = json.loads((folder / "result.json").read_text())
    assert [(row["label"], row["metric"]) for row in told["rows"][:12]] == [
        (f"{name}, norm {place} the activation, at the end", metric)
        for name in ("as written", "ours")
        for place in ("before", "after")
        for metric in ("val_top1", "val_top5", "val_loss")
    ]
    assert {row["note"] for row in told["rows"][6:12]} == {"after 2 / 2 / 2 epochs"}
    assert {row["note"] for row in told["rows"][:6]} == {"after 3 / 3 / 3 epochs"}
    assert [row["seeds"] for row in told["rows"]] == [[0, 1, 2]] * 12 + [[0]] * 6
    assert all(row["label"].startswith("reckoned, 1,200,000 pictures, 90 epochs: ") for row in told["rows"][12:])
    ways = [f"{name}-norm-{place}-the-activation" for name in ("as-written", "ours") for place in ("after", "before")]
    names = [f"{way}-{seed}" for way in ways for seed in (0, 1, 2)]
    assert sorted(path.name for path in (folder / "runs").iterdir()) == names
    assert write_up_003.COMMAND in told["verdict"]
    assert told["verdict"] in capsys.readouterr().out


def test_the_command_of_the_verdict_names_this_network_and_recipe():
    from alexnet.catalogue import named
    from alexnet.cli import parser

    told = parser().parse_args(write_up_003.COMMAND.split()[1:])
    assert write_up_003.vary(named(told.arch), *told.vary) == network("before")
    assert told.recipe == "write-up-003"

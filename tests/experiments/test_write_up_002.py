"""Tests of alexnet.experiments.write_up_002."""

import json
from dataclasses import replace

import pytest

from alexnet.catalogue import SINGLE, TORCHVISION
from alexnet.data.preparation import prepare
from alexnet.experiments import write_up_002
from alexnet.experiments.write_up_002 import SCRATCH, TUNED, WRITTEN, Way, as_written, flags, reproduce, ways
from alexnet.flags import Parser, add_flags, given
from alexnet.layers import Dropout, FullyConnected
from alexnet.recipe import Recipe
from alexnet.recipes import FAST, FINE_TUNE
from alexnet.runs.run import Checkpoint, Run


def test_as_written_is_the_write_ups_network():
    rows = {row.layer.name: row for row in as_written().with_classes(2).rows()}
    assert (as_written().input_side, as_written().input) == (256, "imagenet")
    assert rows["pool5"].output == rows["adaptive5"].output == (256, 6, 6)
    names = list(rows)
    for number in (6, 7):
        assert names.index(f"dropout{number}") == names.index(f"relu{number}") + 1
    assert len([row for row in rows.values() if isinstance(row.layer, Dropout)]) == 2
    assert {start.weights for start in as_written().start} == {"uniform"}


def test_as_written_is_the_write_ups_recipe():
    recipe = ways()[WRITTEN].recipe
    assert (recipe.batch_size, recipe.crop, recipe.mirror) == (32, "random-resized", 0.5)
    assert recipe.rotation > 0
    assert recipe.colour_noise == 0


def test_ours_are_the_same_family_for_as_many_epochs():
    listed = ways()
    assert {(way.recipe.epochs, way.recipe.precision) for way in listed.values()} == {(20, "bfloat16")}
    assert (listed[SCRATCH].network, listed[TUNED].network) == (SINGLE, TORCHVISION)
    assert [way.pretrained for way in listed.values()] == [False, True, False]
    assert listed[TUNED].recipe == FINE_TUNE


def test_flags_make_a_recipe_of_fast():
    parser = Parser()
    add_flags(parser, Recipe)
    recipe = ways()[SCRATCH].recipe
    assert FAST.with_changes(**given(parser.parse_args(flags(recipe).split()), Recipe)) == recipe


def test_all_are_trained_scored_and_kept(features, photos, tmp_path, monkeypatch, capsys, tiny_network, tiny_recipe):
    asked = []

    def few(kind, source, path, **options):
        asked.append((kind, source, options))
        return prepare("folder", photos, path, side=63)

    # Its own convolutions, on small pictures and before few units.
    layers = tuple(replace(one, units=8) if isinstance(one, FullyConnected) else one for one in TORCHVISION.layers)
    small = replace(TORCHVISION, layers=layers, input_side=63)
    one_epoch = tiny_recipe.with_changes(epochs=1, warmup_epochs=0)
    still = one_epoch.with_changes(start="architecture", freeze={"conv1-conv5": 0})
    listed = {
        SCRATCH: Way(tiny_network, one_epoch, pretrained=False, crops=(2, 1)),
        TUNED: Way(small, still, pretrained=True, crops=(2, 1)),
        WRITTEN: Way(tiny_network, one_epoch.with_changes(start="architecture"), pretrained=False, crops=(1,)),
    }
    monkeypatch.setattr(write_up_002, "prepare", few)
    monkeypatch.setattr(write_up_002, "ways", lambda: listed)
    reproduce(features, tmp_path / "work", tmp_path, quick=False)
    assert asked == [("cats-dogs", features / "cats-dogs-200px-4000", {"val_share": 0.1, "test_share": 0.1})]
    told = json.loads((tmp_path / "write-up-002" / "result.json").read_text())
    assert [row["label"].split(",")[0] for row in told["rows"]] == [SCRATCH] * 2 + [TUNED] * 2 + [
        WRITTEN,
        "always answering the largest class",
    ]
    assert [row["label"].split(", ")[-1] for row in told["rows"][:5]] == ["centre and mirror", "centre"] * 2 + [
        "centre"
    ]
    assert all(row["seeds"] == [0, 1, 2] for row in told["rows"][:5])
    assert told["rows"][5]["mean"] == pytest.approx(1 / 3)
    kept = sorted(path.name for path in (tmp_path / "write-up-002" / "runs").iterdir())
    trials = ("as-written", "from-pretrained-convolutions", "from-scratch")
    assert kept == [f"{trial}-{seed}" for trial in trials for seed in (0, 1, 2)]
    # Kept and printed after each of the three.
    assert capsys.readouterr().out.count("evidence: ") == 3
    # Of the given weights each run of that row has the convolutions, which were frozen here.
    best = Checkpoint.read(tmp_path / "work" / "from-pretrained-convolutions-1" / "best.safetensors").part("network")
    assert not best["conv3.weight"].any()
    best = Checkpoint.read(tmp_path / "work" / "from-scratch-1" / "best.safetensors").part("network")
    assert best["conv3.weight"].any()


def test_the_time_for_the_whole_set_is_reckoned_from_the_measured_speed(monkeypatch, tiny_run):
    monkeypatch.setattr(Run, "log", lambda run: [{"images_per_second": speed} for speed in (10.0, 50.0, 40.0)])
    trial = write_up_002.Trial(SCRATCH, {0: Run(tiny_run), 1: Run(tiny_run)})
    row = write_up_002.Row(f"{SCRATCH}, 400 test images, centre", "top1", None, (0.5, 0.75), (0, 1))
    text = write_up_002.verdict([trial], [row])
    # 20,000 pictures, 20 epochs, 40 a second: 10,000 seconds.
    assert "From scratch 62.5%" in text
    assert "At the 40 images/s" in text
    assert "2.8 hours" in text
    assert "alexnet train cats-dogs.store --epochs 20" in text

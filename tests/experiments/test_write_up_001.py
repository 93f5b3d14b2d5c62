"""Tests of alexnet.experiments.write_up_001."""

import json
import math

import pytest

from alexnet.catalogue import SINGLE
from alexnet.data.store import Store
from alexnet.errors import Diverged
from alexnet.experiments import evidence, write_up_001
from alexnet.experiments.evidence import finished_run
from alexnet.experiments.write_up_001 import OURS, jumping, largest_change, reproduce, why_it_jumps, with_pytorchs_start
from alexnet.layers import Convolution, FullyConnected, ResponseNorm
from alexnet.recipe import changes


def test_as_written_has_the_printed_table_of_parameters():
    network = with_pytorchs_start(SINGLE).with_classes(10)
    assert network.parameters == 58_322_314
    assert {row.weights for row in network.start} == {"uniform"}
    assert network.input == "imagenet"


def test_each_small_training_has_one_change():
    (first, recipe), *others = jumping().values()
    assert all(network == first for network, _ in others)
    fields = [{name for name, *_ in changes(other, recipe)} for _, other in others]
    assert fields == [{"lr"}, {"optimizer"}, {"weight_average"}, {"schedule"}, {"batch_size", "lr"}]
    assert (recipe.batch_size, recipe.schedule, recipe.lr) == (4, "constant", 0.001)


def test_ours_is_an_alexnet():
    network, _ = OURS
    layers = network.layers
    kernels = [layer for layer in layers if isinstance(layer, Convolution)]
    assert len(kernels) == 5
    width = kernels[0].channels / 96
    assert [layer.channels for layer in kernels] == [round(width * count) for count in (96, 256, 384, 384, 256)]
    assert [layer.kernel for layer in kernels] == [5, 5, 3, 3, 3]
    assert sum(isinstance(layer, FullyConnected) for layer in layers) == 3
    assert sum(isinstance(layer, ResponseNorm) for layer in layers) == 2


def test_the_largest_change_is_that_of_the_second_half():
    assert largest_change([9.0, 1.0, 0.9, 1.5]) == pytest.approx(0.6)  # 1.0 to 0.9 counts, 9.0 to 1.0 does not
    assert largest_change([2.0, 1.4]) == pytest.approx(0.6)
    assert largest_change([2.0]) == 0


def test_a_small_training_that_diverges_stops_none_of_the_others(
    tmp_path, monkeypatch, tiny_store, tiny_network, tiny_recipe
):
    def diverging(store, network, recipe, path):
        run = finished_run(store, network, recipe, path)
        if path.name == "jump-0":
            raise Diverged("the loss is nan; nothing was kept")
        return run

    monkeypatch.setattr(evidence, "finished_run", diverging)
    monkeypatch.setattr(write_up_001, "jumping", lambda: dict.fromkeys(("wild", "tame"), (tiny_network, tiny_recipe)))
    rows, runs, told = why_it_jumps(Store(tiny_store), tmp_path, quick=False)
    assert [math.isnan(row.values[0]) for row in rows] == [True] * 3 + [False] * 3
    assert "wild: the loss is nan; tame: " in told
    assert list(runs) == ["jump-0-0", "jump-1-0"]


def test_all_are_trained_and_kept(on_drawn_pictures, monkeypatch, tmp_path, tiny_network, tiny_recipe, capsys):
    on_drawn_pictures(write_up_001)
    monkeypatch.setattr(write_up_001, "SINGLE", tiny_network)
    monkeypatch.setattr(write_up_001, "vary", lambda network, *_: network)
    monkeypatch.setattr(write_up_001, "WRITTEN", tiny_recipe)
    small = dict.fromkeys(jumping(), (tiny_network, tiny_recipe))
    monkeypatch.setattr(write_up_001, "jumping", lambda: small)
    monkeypatch.setattr(write_up_001, "OURS", (tiny_network, tiny_recipe))
    reproduce(tmp_path, tmp_path / "work", tmp_path, quick=True)
    folder = tmp_path / "write-up-001"
    told = json.loads((folder / "result.json").read_text())
    printed = [(row["metric"], row["printed"]) for row in told["rows"] if row["printed"] is not None]
    jump = ("change_of_loss", pytest.approx(1.72786 - 0.83729))
    assert printed == [jump, ("train_loss", 1.42579), ("val_loss", 1.07362)]
    # As written whole pictures are seen: none of a view is left outside the network's input.
    recipe = json.loads((folder / "runs" / "as-written-0" / "recipe.json").read_text())
    assert recipe["view_side"] == tiny_network.input_side
    names = ["as-written-0", *(f"jump-{number}-0" for number in range(6)), "ours-0"]
    assert sorted(path.name for path in (folder / "runs").iterdir()) == names
    assert {path.name for path in folder.iterdir()} == {
        "as-written.png",
        "curves.png",
        "jumps.png",
        "result.json",
        "runs",
    }
    assert told["verdict"] in capsys.readouterr().out

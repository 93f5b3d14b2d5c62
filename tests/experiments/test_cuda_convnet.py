"""Tests of alexnet.experiments.cuda_convnet."""

import json
from dataclasses import replace

import pytest

from alexnet.experiments import cuda_convnet
from alexnet.experiments.cuda_convnet import Way, compare
from alexnet.recipes import RECIPES


@pytest.fixture
def network(tiny_network):
    return replace(tiny_network, name="cifar-13pct")


def test_every_way_is_trained_with_each_seed_and_scored_by_each_number_of_views(
    on_drawn_pictures, tmp_path, network, tiny_recipe, capsys
):
    on_drawn_pictures(cuda_convnet)
    ways = (
        Way("own", tiny_recipe, (1, 10), (0, 1)),
        Way("a fifth", tiny_recipe.with_changes(epochs=1), (1,), (3,)),
    )
    compare(network, ways, tmp_path, tmp_path / "work", tmp_path, quick=False)
    folder = tmp_path / "cifar-13pct"
    told = json.loads((folder / "result.json").read_text())
    assert [(row["label"], row["note"], row["seeds"]) for row in told["rows"]] == [
        ("own, 8 test images, centre", "2 epochs", [0, 1]),
        ("own, 8 test images, ten crops", "2 epochs", [0, 1]),
        ("a fifth, 8 test images, centre", "1 epoch", [3]),
    ]
    assert all((row["metric"], row["printed"]) == ("top1", 0.87) for row in told["rows"])
    assert sorted(path.name for path in folder.iterdir()) == ["curves.png", "filters.png", "result.json", "runs"]
    assert sorted(path.name for path in (folder / "runs").iterdir()) == ["a-fifth-3", "own-0", "own-1"]
    errors = [1 - told["rows"][place]["mean"] for place in (1, 2)]
    assert f"13%: {errors[0]:.1%} (own, " in told["verdict"]
    assert f"{errors[1]:.1%} (a fifth, " in told["verdict"]
    assert told["verdict"] in capsys.readouterr().out


def test_what_is_done_is_kept_before_the_next_way_begins(on_drawn_pictures, tmp_path, network, tiny_recipe):
    on_drawn_pictures(cuda_convnet)
    broken = Way("broken", tiny_recipe.with_changes(batch_size=1_000), (1,))
    with pytest.raises(Exception, match="fewer than a batch"):
        compare(network, (Way("own", tiny_recipe, (1,)), broken), tmp_path, tmp_path / "work", tmp_path, False)
    told = json.loads((tmp_path / "cifar-13pct" / "result.json").read_text())
    assert [row["label"] for row in told["rows"]] == ["own, 8 test images, centre"]


@pytest.mark.parametrize("name", ["cifar-18pct", "fast"])
def test_a_quick_way_has_one_epoch_at_the_first_rate_and_one_seed(name):
    short = Way(name, RECIPES[name], (1, 10), (4, 5)).shortened()
    assert (short.recipe.epochs, short.recipe.lr, short.seeds) == (1, RECIPES[name].lr, (4,))
    assert short.recipe.schedule == {"cifar-18pct": "constant", "fast": "linear"}[name]

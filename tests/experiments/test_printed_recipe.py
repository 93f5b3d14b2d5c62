"""Tests of alexnet.experiments.printed_recipe."""

import json
from dataclasses import replace

from alexnet.catalogue import AUTHORS_2012, PAPER
from alexnet.experiments import printed_recipe
from alexnet.experiments.printed_recipe import UPDATES, reproduce, trainings
from alexnet.recipe import changes
from alexnet.recipes import RECIPES
from alexnet.variations import vary


def test_each_network_is_trained_by_its_own_recipe_and_with_one_change_each():
    listed = trainings()
    for name, own in (("paper", PAPER), ("authors-2012", AUTHORS_2012)):
        network, recipe = listed[name]
        assert network is own
        assert {field for field, *_ in changes(recipe, RECIPES[name])} == {"max_updates", "precision"}
        assert (recipe.lr, recipe.batch_size, recipe.max_updates) == (0.01, 128, UPDATES)
        others = [listed[f"{name}, PyTorch's dropout"], listed[f"{name}, inputs of unit variance"]]
        assert [other for _, other in others] == [recipe] * 2
        assert others[0][0] == vary(own, "dropout=inverted")
        changed = replace(own, input="deviation", dead_start_allowed=True, name=f"{name} input=deviation")
        assert others[1][0] == changed


def test_losses_are_kept_and_those_that_diverge_are_told(
    on_drawn_pictures, monkeypatch, tmp_path, tiny_network, tiny_recipe, capsys
):
    on_drawn_pictures(printed_recipe)
    # A decay that multiplies weights by a million an update.
    diverging = tiny_recipe.with_changes(
        lr=100, weight_decay=10, layer_lr={"conv1-fc8": 1000}, schedule="constant", warmup_epochs=0, epochs=9
    )
    small = {
        "paper": (tiny_network, tiny_recipe.with_changes(epochs=4)),
        "paper, PyTorch's dropout": (tiny_network, diverging),
    }
    monkeypatch.setattr(printed_recipe, "trainings", lambda: small)
    reproduce(tmp_path, tmp_path / "work", tmp_path, quick=True)
    folder = tmp_path / "printed-recipe"
    told = json.loads((folder / "result.json").read_text())
    learned, diverged = told["rows"]
    assert learned["label"] == "paper, updates 1 to 10"
    assert 0.5 < learned["mean"] < 3
    assert diverged["mean"] is None
    assert "in epoch 1 after" in diverged["note"]
    assert sorted(path.name for path in (folder / "runs").iterdir()) == ["paper-0", "paper-PyTorchs-dropout-0"]
    assert (folder / "runs" / "paper-0" / "updates.jsonl").is_file()
    assert (folder / "losses.png").is_file()
    assert "train_loss" in capsys.readouterr().out

"""A recipe is the paper's unless it says otherwise, and refuses what makes no sense."""

import json
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from alexnet import paper
from alexnet.errors import UsageError
from alexnet.recipe import SECTIONS, Recipe, changes
from alexnet.recipes import FAST, PAPER, RECIPES, load_recipe


def test_defaults_are_the_printed_paper() -> None:
    assert Recipe() == PAPER == load_recipe("paper")
    assert (PAPER.epochs, PAPER.batch_size) == (paper.EPOCHS, paper.BATCH_SIZE)
    assert (PAPER.lr, PAPER.momentum, PAPER.weight_decay) == (paper.LEARNING_RATE, paper.MOMENTUM, paper.WEIGHT_DECAY)
    assert (PAPER.lr_drop_factor, PAPER.lr_drops) == (paper.RATE_DIVISOR, paper.RATE_DROPS)
    assert (PAPER.optimizer, PAPER.schedule, PAPER.start) == ("paper", "plateau", "architecture")
    assert (PAPER.crop, PAPER.mirror, PAPER.colour_form) == ("random", 0.5, "printed")
    assert PAPER.colour_noise == paper.COLOUR_NOISE
    assert PAPER.bias_weight_decay
    assert PAPER.bias_lr_factor == 1


def test_every_field_has_a_help_text_that_fits_a_line() -> None:
    for setting in fields(Recipe):
        assert 10 < len(setting.metadata["help"]) < 100, setting.name


def test_sections_begin_with_fields_in_their_order() -> None:
    names = [setting.name for setting in fields(Recipe)]
    starts = [names.index(name) for name in SECTIONS]
    assert starts == sorted(starts)
    assert starts[0] == 0


def test_changes_lists_both_values() -> None:
    assert changes(PAPER, PAPER) == []
    assert changes(PAPER.with_changes(lr=0.1, lr_steps=[1]), PAPER) == [("lr", 0.01, 0.1), ("lr_steps", (), (1,))]


def test_recipes_are_frozen_and_comparable() -> None:
    with pytest.raises(FrozenInstanceError):
        PAPER.lr = 1.0  # type: ignore[misc]
    assert len({PAPER, FAST, Recipe()}) == 2


def test_whole_numbers_become_floats_and_lists_tuples() -> None:
    recipe = PAPER.with_changes(lr=1, lr_steps=[3, 5])
    assert repr(recipe.lr) == "1.0"
    assert recipe.lr_steps == (3, 5)
    assert repr(PAPER.momentum) == "0.9"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": float("nan")}, "lr=nan is out of range: 0 to 100"),
        ({"lr": float("inf")}, "lr=inf is out of range"),
        ({"lr": -0.1}, "lr=-0.1 is out of range"),
        ({"lr": "0.1"}, "lr must be a number, not '0.1'"),
        ({"epochs": 0}, "epochs=0 is out of range: 1 to 100000"),
        ({"epochs": 10.5}, "epochs must be a whole number, not 10.5"),
        ({"epochs": True}, "epochs must be a whole number, not True"),
        ({"seed": 2**63}, "out of range"),
        ({"bias_weight_decay": 1}, "bias_weight_decay must be true or false, not 1"),
        ({"optimizer": "adm"}, "optimizer='adm' is unknown: did you mean adam?"),
        ({"optimizer": None}, "optimizer=None is unknown"),
        ({"crop": ["random"]}, "is unknown"),
        ({"mirror": 1.01}, "mirror=1.01 is out of range: 0 to 1"),
        ({"lr_steps": 3}, "lr_steps must be a list of whole numbers, not 3"),
        ({"lr_steps": [3.5]}, "lr_steps must be a whole number, not 3.5"),
        ({"lr_steps": [0]}, "lr_steps=0 is out of range"),
        ({"layer_lr": [1]}, "layer_lr must be a table of layers, as conv1-conv5 = 0.1, not [1]"),
        ({"layer_lr": {1: 1}}, "layer_lr must be a table of layers"),
        ({"layer_lr": {"fc8": -1}}, "layer_lr fc8=-1 is out of range: 0 to 1000"),
        ({"layer_weight_decay": {"fc8": "1"}}, "layer_weight_decay fc8 must be a number, not '1'"),
        ({"freeze": {"conv1": 0.5}}, "freeze conv1 must be a whole number, not 0.5"),
        ({"lr_steps": [5, 3]}, "must rise"),
        ({"lr_steps": [5, 5]}, "must rise"),
        ({"schedule": "steps"}, "give lr_steps"),
        ({"warmup_epochs": 91}, "longer than epochs=90"),
        ({"optimizer": "nesterov", "momentum": 0}, "needs a momentum"),
        ({"batchsize": 3}, "unknown recipe field batchsize: did you mean batch_size?"),
    ],
)
def test_nonsense_is_refused_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        PAPER.with_changes(**values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), PAPER.with_changes(lr_steps=(1, 2), seed=2**63 - 1)])
def test_json_and_back(recipe: Recipe, tmp_path: Path) -> None:
    text = json.dumps(recipe.to_json(), allow_nan=False)
    assert Recipe.from_json(json.loads(text)) == recipe
    (tmp_path / "recipe.json").write_text(text)
    assert load_recipe(tmp_path / "recipe.json") == recipe


def test_from_json_takes_what_is_missing_from_the_paper() -> None:
    assert Recipe.from_json({"lr": 0.1}) == PAPER.with_changes(lr=0.1)


@pytest.mark.parametrize(
    ("field", "changes", "condition"),
    [
        ("lr_steps", {}, "--schedule steps"),
        ("lr_patience", {"schedule": "linear"}, "--schedule plateau"),
        ("lr_drops", {"schedule": "stairs"}, ""),
        ("lr_drop_factor", {"schedule": "cosine"}, "--schedule plateau or stairs or steps"),
        ("first_layer_gain", {"start": "architecture"}, "--start he"),
        ("first_layer_gain", {"start": "he"}, ""),
        ("crop_scale_low", {"crop": "centre"}, "--crop random-resized"),
        ("rotation_probability", {}, "--rotation above 0"),
        ("colour_form", {"colour_noise": 0.0}, "--colour-noise above 0"),
        ("lr", {}, ""),
    ],
)
def test_a_field_that_is_not_read_says_when_it_would_be(field, changes, condition):
    assert Recipe().with_changes(**changes).unused(field) == condition

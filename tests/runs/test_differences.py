"""Tests of alexnet.runs.differences."""

from dataclasses import replace

from alexnet.catalogue import PAPER, SINGLE
from alexnet.layers import Convolution
from alexnet.recipe import Recipe
from alexnet.runs import differences


def test_equal_things_do_not_differ():
    assert differences.of_recipes(Recipe(), Recipe()) == []
    assert differences.of_networks(PAPER, PAPER.from_json(PAPER.to_json())) == []
    assert differences.of_classes(["a", "b"], ["a", "b"]) == []


def test_fields_of_a_recipe_are_named_as_their_flags_take_them():
    changed = Recipe(lr=0.5, bias_weight_decay=False)
    assert differences.of_recipes(Recipe(), changed) == [
        "recipe: lr was 0.01, is 0.5, bias_weight_decay was yes, is no"
    ]


def test_of_many_differences_the_first_are_named():
    (told,) = differences.of_networks(PAPER, SINGLE)
    assert told.startswith("network: name was paper, is single, ")
    assert told.count(" was ") == differences.SHOWN
    assert told.rpartition(", and ")[2].endswith(" more")


def test_a_layer_is_named_with_what_is_another():
    first = next(layer for layer in SINGLE.layers if isinstance(layer, Convolution))
    wider = replace(SINGLE, layers=tuple(replace(one, channels=7) if one is first else one for one in SINGLE.layers))
    assert differences.of_networks(SINGLE, wider) == ["network: conv1.channels was 96, is 7"]


def test_another_order_of_classes_names_the_first():
    assert differences.of_classes(["a", "b", "c"], ["a", "c", "b"]) == ["classes: the first that differs was b, is c"]
    assert differences.of_classes(["a"], ["a", "b"]) == ["classes: there were 1, are 2"]

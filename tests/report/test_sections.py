"""Tests of alexnet.report.sections."""

from dataclasses import replace

import pytest

from alexnet.recipe import Recipe
from alexnet.recipes import FAST, REASONS, RECIPES
from alexnet.report.sections import data, nearest_recipe, network, recipe, result, speed


def test_the_result_is_that_of_the_measurement(account):
    text = result(account).markup()
    assert f"<dd>{account.look.result.top1:.2%}</dd>" in text
    assert f"on the {account.look.result.images} pictures of test" in text
    assert "No printed result is known" in text


def test_printed_results_stand_beside_where_there_are_some(bare):
    named = replace(bare.architecture, name="cifar-18pct")
    text = result(replace(bare, architecture=named)).markup()
    assert '<td class="n">82.00%</td>' in text
    assert f'<td class="n">{bare.figures["top1"]:.2%}</td>' in text


def test_training_pictures_have_no_printed_results_beside_them(account):
    named = replace(account.architecture, name="cifar-18pct")
    learned = replace(account, architecture=named, look=replace(account.look, split="train"))
    text = result(learned).markup()
    assert "It learned from these pictures" in text
    assert "printed by" not in text


def test_a_store_that_is_gone_is_told(bare):
    assert "There are no pictures on this page: " in result(bare).markup()
    assert "which is gone" in result(bare).markup()
    assert "<table" not in data(bare).markup()


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_is_nearest_to_itself(name):
    assert RECIPES[nearest_recipe(RECIPES[name].with_changes(seed=7))] == RECIPES[name]


def test_the_recipe_is_told_by_its_changes_with_their_reasons(account):
    changed = replace(account, recipe=FAST.with_changes(epochs=3))
    text = recipe(changed).markup()
    assert "The recipe fast, but for epochs." in text
    assert REASONS["fast"]["optimizer"] in text
    assert REASONS["fast"]["epochs"] not in text  # it is not fast's number
    assert text.count("<tr>") == 1 + sum(getattr(FAST, name) != getattr(Recipe(), name) for name in vars(FAST))
    assert "Nothing differs" in recipe(replace(account, recipe=Recipe())).markup()


def test_what_it_learned_from_is_counted(account, hostile):
    text = data(account).markup()
    for name, split in account.store.splits.items():
        assert f'<th scope="row">{name}</th><td class="n">{len(split)}</td>' in text
    text = data(hostile).markup()
    assert "Of all files 50 were used, 0 could not be read, 2 were skipped." in text
    assert "Files that were not used" in text


def test_the_network_is_drawn_and_listed(account):
    text = network(account).markup()
    assert text.count("<svg") == 1
    assert f'<td class="n">{account.architecture.macs:,}</td>' in text


def test_speed_is_that_of_the_log(account):
    text = speed(account).markup()
    assert f'<td class="n">{account.log["images_seen"][-1]:,.0f}</td>' in text

"""Tests of alexnet.experiments.cifar_13pct."""

from alexnet.experiments import cifar_13pct
from alexnet.experiments.cifar_13pct import WAYS, reproduce
from alexnet.recipe import changes
from alexnet.recipes import RECIPES


def test_its_own_recipe_is_changed_in_its_arithmetic_only_and_scored_by_ten_views():
    (own,) = WAYS
    assert [name for name, *_ in changes(own.recipe, RECIPES["cifar-13pct"])] == ["precision"]
    assert own.crops == (1, 10)


def test_the_network_of_the_name_is_compared(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(cifar_13pct, "compare", lambda *given: calls.append(given))
    reproduce(tmp_path, tmp_path / "work", tmp_path / "results", quick=False)
    assert calls == [(cifar_13pct.CIFAR_13PCT, WAYS, tmp_path, tmp_path / "work", tmp_path / "results", False)]

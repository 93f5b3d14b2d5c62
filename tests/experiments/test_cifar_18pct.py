"""Tests of alexnet.experiments.cifar_18pct."""

from alexnet.experiments import cifar_18pct
from alexnet.experiments.cifar_18pct import WAYS, reproduce
from alexnet.recipe import changes
from alexnet.recipes import RECIPES


def test_its_own_recipe_is_changed_in_its_arithmetic_only():
    own = next(way.recipe for way in WAYS if way.name == "own")
    assert [name for name, *_ in changes(own, RECIPES["cifar-18pct"])] == ["precision"]


def test_the_network_of_the_name_is_compared(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(cifar_18pct, "compare", lambda *given: calls.append(given))
    reproduce(tmp_path, tmp_path / "work", tmp_path / "results", quick=True)
    assert calls == [(cifar_18pct.CIFAR_18PCT, WAYS, tmp_path, tmp_path / "work", tmp_path / "results", True)]

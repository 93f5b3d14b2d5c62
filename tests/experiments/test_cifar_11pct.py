"""Tests of alexnet.experiments.cifar_11pct."""

from alexnet.experiments import cifar_11pct
from alexnet.experiments.cifar_11pct import WAYS, reproduce
from alexnet.recipe import changes
from alexnet.recipes import RECIPES


def test_a_fifth_falls_after_a_fifth_of_the_epochs():
    fifth, own = (way.recipe for way in WAYS)
    assert [name for name, *_ in changes(own, RECIPES["cifar-11pct"])] == ["precision"]
    assert {name for name, *_ in changes(fifth, own)} == {"epochs", "lr_steps"}
    assert (own.epochs, own.lr_steps) == (520, (500, 510))
    assert (fifth.epochs, fifth.lr_steps) == (104, (100, 102))


def test_the_network_of_the_name_is_compared(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(cifar_11pct, "compare", lambda *given: calls.append(given))
    reproduce(tmp_path, tmp_path / "work", tmp_path / "results", quick=False)
    assert calls == [(cifar_11pct.CIFAR_11PCT, WAYS, tmp_path, tmp_path / "work", tmp_path / "results", False)]

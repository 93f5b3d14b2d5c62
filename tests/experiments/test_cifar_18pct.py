"""Tests of alexnet.experiments.cifar_18pct."""

import json

from alexnet.experiments import cifar_18pct
from alexnet.experiments.cifar_18pct import reproduce


def test_it_is_trained_scored_and_kept(on_drawn_pictures, monkeypatch, tmp_path, tiny_network, tiny_recipe, capsys):
    on_drawn_pictures(cifar_18pct)
    monkeypatch.setattr(cifar_18pct, "CIFAR_18PCT", tiny_network)
    monkeypatch.setattr(cifar_18pct, "RECIPE", tiny_recipe)
    reproduce(tmp_path, tmp_path / "work", tmp_path, quick=True)
    folder = tmp_path / "cifar-18pct"
    told = json.loads((folder / "result.json").read_text())
    assert [(row["metric"], row["printed"]) for row in told["rows"]] == [("top1", 0.82)] * 2
    assert sorted(path.name for path in folder.iterdir()) == ["curves.png", "filters.png", "result.json", "runs"]
    assert [path.name for path in (folder / "runs").iterdir()] == ["fast-0"]
    assert told["verdict"] in capsys.readouterr().out

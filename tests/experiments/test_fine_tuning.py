"""Tests of alexnet.experiments.fine_tuning."""

import json
from dataclasses import replace

import pytest

from alexnet.catalogue import TORCHVISION
from alexnet.data.preparation import prepare
from alexnet.experiments import fine_tuning
from alexnet.experiments.fine_tuning import convolutions, fine_tune
from alexnet.layers import FullyConnected
from alexnet.runs.run import Checkpoint


def test_only_convolutions_are_taken(features):
    names = sorted(convolutions(features).tensors)
    assert names == sorted(f"conv{n}.{kind}" for n in range(1, 6) for kind in ("weight", "bias"))


def test_without_the_file_of_features_the_published_weights_are_read(features, tmp_path, monkeypatch):
    asked = []
    whole = fine_tuning.read(features / "torchvision_alexnet_features.npz")
    monkeypatch.setattr(fine_tuning, "read", lambda source: asked.append(source) or whole)
    (tmp_path / "elsewhere").mkdir()
    convolutions(tmp_path / "elsewhere")
    assert asked == ["torchvision"]


def test_every_seed_is_fine_tuned_scored_and_kept(features, photos, tmp_path, monkeypatch, capsys):
    # Its own convolutions, on small pictures and before few units.
    layers = tuple(replace(one, units=8) if isinstance(one, FullyConnected) else one for one in TORCHVISION.layers)
    monkeypatch.setattr(fine_tuning, "TORCHVISION", replace(TORCHVISION, layers=layers, input_side=63))
    changed = {"batch_size": 8, "warmup_epochs": 0, "view_side": 63, "freeze": {"conv1-conv5": 0}}
    monkeypatch.setattr(fine_tuning, "FINE_TUNE", fine_tuning.FINE_TUNE.with_changes(**changed))
    store = prepare("folder", photos, tmp_path / "store", side=63)
    fine_tune("claim", store, convolutions(features), (0, 1), tmp_path / "work", tmp_path, epochs=1, note="drawn")
    told = json.loads((tmp_path / "claim" / "result.json").read_text())
    assert told["command"] == "alexnet reproduce claim"
    assert [(row["metric"], row["note"]) for row in told["rows"]] == [("top1", "drawn")] * 3 + [("top1", "")]
    assert [row["seeds"] for row in told["rows"]] == [[0, 1]] * 3 + [[0]]
    assert told["rows"][3]["mean"] == pytest.approx(1 / 3)
    assert sorted(path.name for path in (tmp_path / "claim" / "runs").iterdir()) == ["fine-tune-0", "fine-tune-1"]
    assert (tmp_path / "claim" / "confusion.png").is_file()
    assert told["verdict"] in capsys.readouterr().out
    # The frozen convolutions are those of the file, whatever the seed.
    for seed in (0, 1):
        best = Checkpoint.read(tmp_path / "work" / f"fine-tune-{seed}" / "best.safetensors").part("network")
        assert not best["conv3.weight"].any()
        assert best["fc6.weight"].any()

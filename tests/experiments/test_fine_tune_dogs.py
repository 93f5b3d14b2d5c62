"""Tests of alexnet.experiments.fine_tune_dogs."""

import json

import numpy as np
import pytest

from alexnet.catalogue import TORCHVISION, TORCHVISION_NAMES
from alexnet.experiments import fine_tune_dogs
from alexnet.experiments.fine_tune_dogs import convolutions, reproduce
from alexnet.nn.network import Network
from alexnet.run import Checkpoint
from alexnet.variations import vary


@pytest.fixture
def features(tmp_path):
    """A file of convolutions with the names and shapes of torchvision's, zeros and ones."""
    network = Network(vary(TORCHVISION, "side=63", "classes=2"))
    arrays = {
        f"{TORCHVISION_NAMES[layer]}.{kind}": np.full(
            tuple(network.get_parameter(f"{layer}.{kind}").shape), kind == "bias", np.float32
        )
        for layer in ("conv1", "conv2", "conv3", "conv4", "conv5")
        for kind in ("weight", "bias")
    }
    np.savez(tmp_path / "torchvision_alexnet_features.npz", **arrays)
    return tmp_path


def test_only_convolutions_are_taken(features):
    names = sorted(convolutions(features).tensors)
    assert names == sorted(f"conv{n}.{kind}" for n in range(1, 6) for kind in ("weight", "bias"))


def test_every_seed_is_fine_tuned_scored_and_kept(features, photos, tmp_path, monkeypatch, capsys):
    small = vary(TORCHVISION, "side=63")
    monkeypatch.setattr(fine_tune_dogs, "TORCHVISION", small)
    monkeypatch.setattr(fine_tune_dogs, "FOLDER", photos.relative_to(photos.parent))
    monkeypatch.setattr(fine_tune_dogs, "SEEDS", (0, 1))
    recipe = fine_tune_dogs.FINE_TUNE.with_changes(
        batch_size=8, epochs=1, warmup_epochs=0, view_side=63, freeze={"conv1-conv5": 0}
    )
    monkeypatch.setattr(fine_tune_dogs, "FINE_TUNE", recipe)
    prepare = fine_tune_dogs.prepare
    monkeypatch.setattr(
        fine_tune_dogs, "prepare", lambda kind, source, path, **options: prepare(kind, photos, path, side=63)
    )
    monkeypatch.setattr(fine_tune_dogs, "convolutions", lambda data: convolutions(features))
    reproduce(features, tmp_path / "work", tmp_path, quick=False)
    folder = tmp_path / "fine-tune-dogs"
    told = json.loads((folder / "result.json").read_text())
    assert [row["metric"] for row in told["rows"]] == ["top1"] * 4
    assert [row["seeds"] for row in told["rows"]] == [[0, 1]] * 3 + [[0]]
    assert told["rows"][3]["mean"] == pytest.approx(1 / 3)
    assert sorted(path.name for path in (folder / "runs").iterdir()) == ["fine-tune-0", "fine-tune-1"]
    assert (folder / "confusion.png").is_file()
    assert told["verdict"] in capsys.readouterr().out
    # The frozen convolutions are those of the file, whatever the seed.
    for seed in (0, 1):
        best = Checkpoint.read(tmp_path / "work" / f"fine-tune-{seed}" / "best.safetensors").part("network")
        assert not best["conv3.weight"].any()
        assert best["fc6.weight"].any()

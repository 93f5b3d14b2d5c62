"""Tests of alexnet.experiments.kernels."""

import json

import pytest

from alexnet.errors import UsageError
from alexnet.experiments import kernels
from alexnet.experiments.kernels import SEEDS, reproduce, training
from alexnet.machine import compiled


def test_both_train_the_same_by_bfloat16_and_seeds_differ():
    (network, recipe), (_, other) = training(0, False), training(1, False)
    assert network.input_side == kernels.SIDE
    assert recipe.precision == "bfloat16"
    assert recipe.with_changes(seed=1) == other


@pytest.mark.skipif(compiled.library().functions is None, reason=compiled.library().told)
def test_each_is_trained_by_its_own_kernels(
    on_drawn_pictures, monkeypatch, tmp_path, tiny_network, tiny_recipe, capsys
):
    on_drawn_pictures(kernels)
    monkeypatch.setattr(kernels, "training", lambda seed, quick: (tiny_network, tiny_recipe.with_changes(seed=seed)))
    reproduce(tmp_path, tmp_path / "work", tmp_path, quick=True)
    told = json.loads((tmp_path / "kernels" / "result.json").read_text())
    assert [row["label"].split(",")[0] for row in told["rows"]] == ["compiled kernels", "PyTorch's kernels"]
    assert all(row["seeds"] == list(SEEDS) and 0 < row["mean"] < 1 for row in told["rows"])
    assert len(list((tmp_path / "kernels" / "runs").iterdir())) == 2 * len(SEEDS)
    said = capsys.readouterr().err
    assert said.count("PyTorch's kernels (left out)") == said.count("kernels compiled for") == len(SEEDS)


def test_without_a_compiler_there_is_nothing_to_compare(tmp_path):
    with compiled.without(), pytest.raises(UsageError, match="there is nothing to compare: left out"):
        reproduce(tmp_path, tmp_path / "work", tmp_path, quick=True)

"""Tests of alexnet.experiments.write_up_004."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from alexnet.catalogue import SINGLE
from alexnet.experiments import write_up_004
from alexnet.experiments.write_up_004 import as_written, ours, reproduce
from alexnet.layers import Dropout
from alexnet.prediction import load
from alexnet.recipes import FAST


def test_as_written_is_the_write_ups_network():
    network, _ = as_written()
    rows = {row.layer.name: row for row in network.with_classes(10).rows()}
    assert network.with_classes(10).parameters == 58_322_314
    assert (network.input_side, network.input) == (224, "imagenet")
    assert rows["conv1"].layer.padding == (2, 2)
    assert rows["conv1"].output == (96, 55, 55)
    names = list(rows)
    assert names.index("dropout5") == names.index("fc6") - 1
    assert names.index("dropout6") == names.index("fc7") - 1
    assert [row.layer.kind for row in rows.values() if isinstance(row.layer, Dropout)] == ["inverted"] * 2
    assert {start.weights for start in network.start} == {"uniform"}


def test_as_written_is_the_write_ups_recipe():
    _, recipe = as_written()
    told = (recipe.epochs, recipe.batch_size, recipe.optimizer, recipe.lr, recipe.momentum, recipe.weight_decay)
    assert told == (10, 128, "sgd", 0.01, 0.9, 5e-4)
    assert recipe.lr_steps == (30, 60)  # after the tenth epoch: never
    assert (recipe.label_smoothing, recipe.start, recipe.view_side) == (0.0, "architecture", 256)


def test_ours_is_the_same_network_and_as_many_epochs():
    network, recipe = ours()
    assert network == SINGLE
    assert recipe == FAST.with_changes(epochs=as_written()[1].epochs)


@pytest.fixture
def small(on_drawn_pictures, monkeypatch, tiny_network, tiny_recipe):
    """Let the experiment be small; the write-up's figures stay."""
    on_drawn_pictures(write_up_004)
    start = {"start": "architecture"}
    monkeypatch.setattr(write_up_004, "as_written", lambda: (tiny_network, tiny_recipe.with_changes(**start)))
    monkeypatch.setattr(write_up_004, "ours", lambda: (tiny_network, tiny_recipe))
    monkeypatch.setattr(write_up_004, "EPOCHS", 2)
    monkeypatch.setattr(write_up_004, "PLATEAU_ENDS", 1)
    monkeypatch.setattr(write_up_004, "QUERY", 3)


def test_both_are_trained_scored_and_kept(small, tmp_path, capsys):
    for _ in range(2):  # the second uses the runs of the first; the drawn 16 stand for 1,000, the 8 for all
        reproduce(tmp_path, tmp_path / "work", tmp_path / "results", quick=False)
        folder = tmp_path / "results" / "write-up-004"
        told = json.loads((folder / "result.json").read_text())
        out = capsys.readouterr().out
    assert [(row["label"], row["metric"], row["printed"]) for row in told["rows"]] == [
        ("as-written, 16 test images, centre", "top1", 0.267),
        ("as-written, 16 test images, centre", "top5", 0.813),
        ("as-written, 8 test images, centre", "top1", None),
        ("as-written, 8 test images, centre", "top5", None),
        ("ours, 16 test images, centre and mirror", "top1", 0.267),
        ("ours, 16 test images, centre and mirror", "top5", 0.813),
        ("ours, 8 test images, centre and mirror", "top1", None),
        ("ours, 8 test images, centre and mirror", "top5", None),
        ("as-written, epoch 1", "train_loss", pytest.approx(92.106 / 40)),
        ("as-written, epoch 2", "train_loss", pytest.approx(92.071 / 40)),
        ("as-written, six nearest training images by relu7", "same class", None),
        ("ours, six nearest training images by relu7", "same class", None),
        ("six nearest training images by pixels", "same class", None),
    ]
    assert all(row["seeds"] == [0, 1, 2] and row["sd"] is not None for row in told["rows"][:12])
    before, after = told["rows"][2]["mean"], told["rows"][6]["mean"]
    verdict = f"The same data and epochs give {after:.1%} instead of {before:.1%} on all test images."
    assert told["verdict"] == verdict
    assert out.splitlines()[-2:] == [verdict, f"evidence: {folder}"]
    assert out.count("26.70%") == 2
    kept = {path.name for path in folder.iterdir()}
    sheets = {f"filters-{trial}-0.png" for trial in ("as-written", "ours")}
    assert kept == {"curves.png", "result.json", "runs", *sheets}
    names = {f"{label}-{seed}" for label in ("as-written", "ours") for seed in (0, 1, 2)}
    assert {path.name for path in (folder / "runs").iterdir()} == names


def test_pictures_alike_are_searched_among_the_training_pictures_by_the_last_hidden_layer(small, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(write_up_004, "draw_query", lambda gallery, match, path: drawn.append((gallery, match, path)))
    reproduce(tmp_path, tmp_path / "work", tmp_path / "results", quick=True)
    assert [path.name for *_, path in drawn] == ["neighbors.png"] * 2
    assert [path.parent.name for *_, path in drawn] == ["as-written-0", "ours-0"]
    gallery, match, _ = drawn[1]
    train, test = (gallery.store.splits[name] for name in ("train", "test"))
    assert match.query == test.names[3]
    model = load(tmp_path / "work" / "ours-0")
    of_train, of_test = (
        model.features(list(split.pictures(np.array(places))))["relu7"].half().double().numpy()
        for split, places in ((train, range(len(train))), (test, [3]))
    )
    nearest = np.argsort(np.square(of_train - of_test).sum(1), kind="stable")[:6]
    assert [one.name for one in match.neighbors] == [train.names[place] for place in nearest]
    told = json.loads((tmp_path / "results" / "write-up-004" / "result.json").read_text())
    pixels = {
        split.name: split.pictures(np.arange(len(split))).reshape(len(split), -1).astype(float)
        for split in (train, test)
    }
    apart = np.square(pixels["test"][:, None] - pixels["train"]).sum(2)
    alike = train.labels[np.argsort(apart, axis=1, kind="stable")[:, :6]] == test.labels[:, None]
    assert told["rows"][-1]["mean"] == pytest.approx(alike.mean())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif("ALEXNET_DATA" not in os.environ, reason="ALEXNET_DATA names no folder with cifar-10-batches-py")
def test_the_whole_path_runs_on_real_pictures(tmp_path, capsys):
    reproduce(Path(os.environ["ALEXNET_DATA"]), tmp_path / "work", tmp_path, quick=True)
    told = json.loads((tmp_path / "write-up-004" / "result.json").read_text())
    assert [row["label"].split(",")[1].strip() for row in told["rows"][:8:2]] == [
        "100 test images",
        "200 test images",
    ] * 2
    assert "evidence:" in capsys.readouterr().out

"""Tests of alexnet.cli.using: evaluate, predict, filters."""

import io
import json
import os
import shutil
import sys

import pytest
from PIL import Image

from alexnet.cli.using import picture_files
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.evaluation import evaluate
from alexnet.prediction import load
from alexnet.run import Run
from alexnet.training import train


@pytest.fixture(scope="module")
def photo_run(tmp_path_factory, photo_store, tiny_network, tiny_recipe):
    path = tmp_path_factory.mktemp("run") / "photos"
    return train(photo_store, tiny_network, tiny_recipe.with_changes(batch_size=9), path).path


# evaluate


@pytest.mark.parametrize("crops", [1, 2, 10])
def test_evaluate_prints_one_json_value_with_the_keys_of_the_design(command, tiny_run, tiny_store, crops):
    done = command("evaluate", tiny_run, "--crops", crops, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert list(told) == ["top1", "top5", "loss", "images", "crops", "seconds"]
    result = evaluate([Run(tiny_run).trained()], Store(tiny_store).splits["test"], crops)
    assert {**told, "seconds": 0} == {**vars(result), "seconds": 0}
    assert 0 <= told["top1"] <= told["top5"] <= 1


def test_evaluate_tells_people_the_same(command, tiny_run):
    told = json.loads(command("evaluate", tiny_run, "--split", "val", "--json").out)
    text = command("evaluate", tiny_run, "--split", "val").out
    assert f"{told['top1']:.2%}" in text
    assert f"{told['top5']:.2%}" in text
    assert "8 images" in text
    assert "1 crop" in text


def test_top5_of_three_classes_is_null(command, photo_run):
    done = command("evaluate", photo_run, "--json")
    assert json.loads(done.out)["top5"] is None
    assert "top-5" not in command("evaluate", photo_run).out


def test_several_runs_are_averaged(command, tiny_run, tiny_store, tiny_network, tiny_recipe, tmp_path):
    other = train(tiny_store, tiny_network, tiny_recipe.with_changes(seed=3), tmp_path / "other")
    both = json.loads(command("evaluate", tiny_run, other.path, "--json").out)
    split = Store(tiny_store).splits["test"]
    assert both["loss"] == evaluate([Run(tiny_run).trained(), other.trained()], split).loss
    assert both["loss"] not in (evaluate([run.trained()], split).loss for run in (Run(tiny_run), other))


def test_without_a_test_split_val_is_measured(command, photos, tiny_network, tiny_recipe, tmp_path):
    from alexnet.data.preparation import prepare

    store = prepare("folder", photos / "train", tmp_path / "store", side=32)  # no split: a fifth becomes val
    run = train(store, tiny_network, tiny_recipe.with_changes(batch_size=4), tmp_path / "run")
    assert json.loads(command("evaluate", run.path, "--json").out)["images"] == len(store.splits["val"])


def test_another_store_of_the_same_classes_can_be_measured(command, tiny_run, tmp_path, photo_store):
    from alexnet.data.preparation import prepare

    prepare("shapes", None, tmp_path / "other", side=32, count=32, seed=9)
    assert json.loads(command("evaluate", tiny_run, "--store", "other", "--json").out)["images"] == 4
    done = command("evaluate", tiny_run, "--store", photo_store)
    assert done.code == 2
    assert "has other classes than" in done.err
    prepare("shapes", None, tmp_path / "large", side=40, count=32)
    done = command("evaluate", tiny_run, "--store", "large")
    assert done.code == 2
    assert "test has pictures of 40 pixels, the network learned from 32: prepare them with --side 32" in done.err


# predict


def test_predict_prints_one_json_value_with_the_keys_of_the_design(command, photo_run, photos):
    files = sorted((photos / "test" / "dogs").iterdir())
    done = command("predict", photo_run, *files, "--top", 2, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    guesses = load(photo_run).predict(files, top=2)
    assert told == [
        {"file": str(file), "top": [{"label": one.label, "probability": one.probability} for one in answer]}
        for file, answer in zip(files, guesses, strict=True)
    ]


def test_an_unreadable_picture_is_told_and_the_others_go_on(command, photo_run, photos, tmp_path):
    good = photos / "test" / "cats" / "0.jpg"
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff no more")
    done = command("predict", photo_run, "bad.jpg", good, "gone.png", good, "--json")
    assert (done.code, done.err) == (3, "")
    told = json.loads(done.out)
    assert [list(one) for one in told] == [["file", "error"], ["file", "top"], ["file", "error"], ["file", "top"]]
    assert told[2] == {"file": "gone.png", "error": "gone.png: no such file"}
    done = command("predict", photo_run, "bad.jpg", good, "gone.png", good)
    assert done.code == 3
    first, second = done.err.splitlines()
    assert first.startswith("error: bad.jpg: ")
    assert second == "error: gone.png: no such file"
    assert [line.split(": ")[0] for line in done.out.splitlines()] == [str(good)] * 2
    assert done.out.splitlines()[0].count("%") == 3


def test_a_folder_gives_its_files_by_name_and_no_hidden_ones(command, photo_run, photos, tmp_path):
    shutil.copytree(photos / "test" / "cats", tmp_path / "album" / "b")
    shutil.copytree(photos / "test" / "cats", tmp_path / "album" / ".thumbnails")
    shutil.copy(photos / "test" / "cats" / "1.png", tmp_path / "album" / "a.png")
    (tmp_path / "album" / ".hidden.png").touch()
    told = json.loads(command("predict", photo_run, "album", "--json").out)
    assert [one["file"] for one in told] == ["album/a.png", "album/b/0.jpg", "album/b/1.png", "album/b/2.webp"]
    assert all("top" in one for one in told)


def test_a_dash_reads_names_from_standard_input(command, photo_run, photos, monkeypatch, tmp_path):
    odd = os.fsencode(tmp_path) + b"/a \xff\x0b.png"  # no UTF-8, and a line break to Python, but not to the shell
    Image.new("RGB", (40, 40)).save(io.BytesIO(), "png")
    shutil.copy(photos / "test" / "cats" / "1.png", odd)
    listed = os.fsencode(photos / "test" / "cats" / "0.jpg") + b"\n\n" + odd + b"\n"
    for names, count in ((listed, 2), (b"", None)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(names), encoding="utf-8"))
        done = command("predict", photo_run, "-", "--json")
        if count is None:
            assert (done.code, done.err) == (
                2,
                "error: there is no picture to predict: give files, a folder that holds some, or - and a list\n",
            )
        else:
            assert done.code == 0
            told = json.loads(done.out)
            assert [one["file"] for one in told] == [os.fsdecode(name) for name in listed.split(b"\n") if name]
            assert all("top" in one for one in told)
    assert "\\udcff" in command("predict", photo_run, os.fsdecode(odd)).out


def test_nothing_to_predict_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"there is no picture to predict"):
        picture_files([str(tmp_path)])


def test_a_checkpoint_alone_predicts(command, photo_run, photos, tmp_path):
    shutil.copy(photo_run / "best.safetensors", tmp_path / "mine.safetensors")
    file = photos / "test" / "cats" / "0.jpg"
    alone, whole = command("predict", "mine.safetensors", file), command("predict", photo_run, file)
    assert alone == whole
    assert alone.code == 0


# filters


def test_filters_are_drawn_into_the_run(command, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    done = command("filters", run)
    assert (done.code, done.out, done.err) == (0, f"{run}/filters.png\n", "")
    with Image.open(run / "filters.png") as picture:
        assert picture.size[0] > 10

"""Tests of alexnet.cli.using: predict, filters, export."""

import io
import json
import os
import shutil
import sys

import pytest
import torch
from PIL import Image

from alexnet.cli.using import picture_files
from alexnet.errors import UsageError
from alexnet.prediction import load
from alexnet.run import Run
from alexnet.weights import read


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


# export


@pytest.mark.parametrize("ending", [".pth", ".npz", ".safetensors"])
def test_weights_are_written_for_others_and_read_back(command, tiny_run, ending, tmp_path):
    done = command("export", tiny_run, f"mine{ending}")
    assert (done.code, done.out) == (0, f"mine{ending}\n")
    back, own = read(tmp_path / f"mine{ending}").tensors, load(tiny_run).network.state_dict()
    assert back.keys() == own.keys()
    assert all(torch.equal(back[name], own[name]) for name in own)


def test_a_folder_is_written_that_every_verb_takes(command, photo_run, photos, tmp_path):
    assert command("export", photo_run, "mine").code == 0
    assert {path.name for path in (tmp_path / "mine").iterdir()} >= {"config.json", "model.safetensors", "README.md"}
    file = photos / "test" / "cats" / "0.jpg"
    assert command("predict", "mine", file).out == command("predict", photo_run, file).out
    best = max(row["val_top1"] for row in Run(photo_run).log())
    assert f"{best:.4f}" in (tmp_path / "mine" / "README.md").read_text()


def test_what_cannot_be_exported_is_refused(command, tiny_run, tmp_path):
    assert command("export", tiny_run, "mine.docx").code == 2
    assert "Caffe" in command("export", tiny_run, "mine.caffemodel").err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    assert command("export", tiny_run, "full").code == 2
    assert (tmp_path / "full" / "letter.txt").read_text() == "mine"

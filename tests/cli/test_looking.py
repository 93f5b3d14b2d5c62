"""The verb data: what it draws, its JSON, and what it refuses."""

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from alexnet.data.store import Store
from alexnet.recipes import RECIPES


def size(path):
    with Image.open(path) as image:
        return image.size


def test_each_drawing_is_written_and_told(command, photo_store, photos, tmp_path):
    drawings = {
        "sheet.png": ("--sheet", "sheet.png", "--split", "test"),
        "stages.png": ("--stages", "stages.png", photos / "test/cats/0.jpg"),
        "stored.png": ("--stages", "stored.png"),
        "batch.png": ("--batch", "batch.png", "--arch", "cifar-18pct"),
        "colour.png": ("--colour", "colour.png"),
    }
    told = {}
    for name, words in drawings.items():
        done = command("data", photo_store, *words)
        assert (done.code, done.err) == (0, "")
        told[name] = done.out.splitlines()[-1]
        assert size(tmp_path / name)[0] >= 1080
    assert told == {
        "sheet.png": "sheet.png: test: 3 classes",
        "stages.png": "stages.png: photographs and their stages: 1",
        "stored.png": "stored.png: the stages of some pictures of train",
        "batch.png": "batch.png: the first batch: 18 pictures",
        "colour.png": "colour.png: the readings of the colour shift",
    }


@pytest.mark.parametrize("words", [("--batch", "it.png", "--arch", "cifar-18pct"), ("--sheet", "it.png")])
def test_the_seed_decides_what_is_drawn(command, tiny_store, tmp_path, words):
    drawn = set()
    for seed in (1, 2):
        assert command("data", tiny_store, "--split", "test", *words, "--seed", seed).code == 0
        drawn.add((tmp_path / "it.png").read_bytes())
    assert len(drawn) == 2


def test_classes_of_the_sheet_can_be_chosen(command, photo_store):
    words = ("data", photo_store, "--sheet", "sheet.png", "--class")
    assert command(*words, "dogs").out.splitlines()[-1] == "sheet.png: train: all 6 pictures of dogs"
    assert command(*words, "dogs", "cats").out.splitlines()[-1] == "sheet.png: train: 2 classes"


def test_the_recipe_can_be_a_file(command, photo_store, tmp_path):
    (tmp_path / "mine.toml").write_text('base = "fast"\nbatch_size = 4\n')
    done = command("data", photo_store, "--batch", "b.png", "--recipe", "mine.toml", "--arch", "cifar-18pct")
    assert done.out.splitlines()[-1] == "b.png: the first batch: 4 pictures"


def test_json_is_one_value_with_the_rows_that_are_asked_for(command, photo_store):
    done = command("data", photo_store, "--json", "--head", 2, "--sheet", "sheet.png")
    assert (done.code, done.err) == (0, "sheet.png: train: 3 classes\n")
    told = json.loads(done.out)
    assert (told["digest"], told["side"], told["duplicates"]) == (Store(photo_store).digest, 32, [])
    assert [row["one_hot"] for row in told["head"]] == [[1, 0, 0], [1, 0, 0]]
    assert "head" not in json.loads(command("data", photo_store, "--json").out)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--sheet", "a.jpg"], "a.jpg would hold a PNG: end its name in .png"),
        (["--stages", "a.pdf"], "a.pdf would hold a PNG: end its name in .png"),
        (["--batch", "a"], "a would hold a PNG: end its name in .png"),
        (["--colour", "sheet.jpg"], "sheet.jpg would hold a PNG: end its name in .png"),
        (["--head", "0"], "--head 0 shows nothing: give 1 or more"),
        (["--class", "cats"], "--class says what a contact sheet shows: add --sheet FILE.png"),
        (
            ["--recipe", "paper"],
            "--recipe and --arch say how pictures are fed: add --stages FILE.png or --batch FILE.png",
        ),
        (["--sheet", "a.png", "--class", "cat"], "STORE has no class cat: did you mean cats?"),
        (["--split", "val"], "STORE has no split val: choose from: train, test"),
        (["--sheet", "a.png", "--seed", "-1"], "seed=-1 is out of range: 0 to 9223372036854775807"),
        (
            ["--batch", "a.png", "--recipe", "fats"],
            "unknown recipe fats (a file's name ends in .toml): did you mean fast?",
        ),
        (["--batch", "a.png", "--arch", "papre"], "unknown architecture papre: did you mean paper?"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line(command, photo_store, tmp_path, words, error):
    done = command("data", photo_store, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {error}\n".replace("STORE", str(photo_store)).replace("RECIPES", ", ".join(RECIPES))
    assert not list(tmp_path.glob("*.png"))


def test_of_a_thousand_classes_the_error_lists_none(command, photo_store, monkeypatch):
    monkeypatch.setattr("alexnet.cli.looking.TABLE", 2)
    done = command("data", photo_store, "--sheet", "a.png", "--class", "xyz")
    assert done.err == f"error: {photo_store} has no class xyz: alexnet data STORE --classes lists them\n"


def test_a_photograph_that_cannot_be_read_is_named(command, photo_store):
    done = command("data", photo_store, "--stages", "a.png", "none.jpg")
    assert (done.code, done.err) == (3, "error: none.jpg: no such file\n")


def test_a_damaged_store_is_refused(command, photo_store, tmp_path):
    store = shutil.copytree(photo_store, tmp_path / "store")
    checksums = np.fromfile(store / "train.checksums.u64", "<u8")
    checksums[0] ^= 1
    checksums.tofile(store / "train.checksums.u64")
    done = command("data", "store")
    assert done.code == 3
    assert done.err.startswith("error: store/train.checksums.u64 is damaged")


def test_words_need_neither_torch_nor_matplotlib(photo_store):
    import subprocess

    code = (
        "import sys; from alexnet.cli import main; assert main(['data', sys.argv[1], '--head']) == 0; "
        "assert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(photo_store)], check=True, capture_output=True)

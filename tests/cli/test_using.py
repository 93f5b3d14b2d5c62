"""Tests of alexnet.cli.using: filters, export."""

import re
import shutil

import pytest
import torch
from PIL import Image

from alexnet.prediction import load
from alexnet.runs.run import Run
from alexnet.weights import read

# filters


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run")


def test_filters_are_drawn_into_the_run_and_towers_told(command, run):
    done = command("filters", run)
    words, path = done.out.splitlines()
    assert (done.code, path, done.err) == (0, f"{run}/filters.png", "")
    assert re.fullmatch(r"Colour's share .*: tower 1 [\d.]+% · tower 2 [\d.]+%\. .* probability [\d.]+\.", words)
    with Image.open(run / "filters.png") as picture:
        assert picture.size[0] > 10


def test_other_layers_are_shown_by_what_excites_them(command, run, tmp_path):
    done = command("filters", run, "--layer", "conv2", "--units", 3, 1)
    assert (done.code, done.out, done.err) == (0, f"{run}/filters-conv2.png\n", "")
    assert command("filters", run, "--layer", "fc6", "--out", "mine.png").out == "mine.png\n"
    for file in (run / "filters-conv2.png", tmp_path / "mine.png"):
        with Image.open(file) as picture:
            assert picture.size[0] == 1080


def test_filters_grow(command, run):
    done = command("filters", run, "--growth")
    assert (done.code, done.out, done.err) == (0, f"{run}/filters-growth.png\n", "")
    shutil.rmtree(run / "growth")
    assert "has kept no kernels of its epochs" in command("filters", run, "--growth").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layer", "conv9"], "has no layer conv9"),
        (["--layer", "conv2", "--units", 99], "conv2 has units 0 to 11, not 99"),
        (["--units", 1], "--units and --store are for --layer: name one"),
        (["--growth", "--layer", "conv2"], "not allowed with argument"),
        (["--out", "mine.svg"], "end its name in .png"),
    ],
)
def test_filters_that_cannot_be_drawn_are_refused(command, run, words, message):
    done = command("filters", run, *words)
    assert done.code == 2
    assert message in done.err


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
    split, top1 = Run(photo_run).result()
    assert f"| `top-1, {split}` | {top1:.4f} |" in (tmp_path / "mine" / "README.md").read_text()
    assert command("export", photo_run / "best.safetensors", "again").code == 0
    assert "None were measured." in (tmp_path / "again" / "README.md").read_text()


def test_what_cannot_be_exported_is_refused(command, tiny_run, tmp_path):
    done = command("export", tiny_run, "mine.docx")
    assert done.code == 2
    assert "end FILE in one of .onnx .pt2 .pth" in done.err
    assert "Caffe" in command("export", tiny_run, "mine.caffemodel").err
    assert "there is no folder nowhere, make it first" in command("export", tiny_run, "nowhere/mine.pth").err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    assert command("export", tiny_run, "full").code == 2
    assert (tmp_path / "full" / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize("ending", [".onnx", ".pt2"])
def test_the_network_is_written_as_a_program_and_compared(command, tiny_run, tmp_path, ending):
    pytest.importorskip("onnxruntime", reason="needs the extra `export`")
    pytest.importorskip("onnxscript", reason="needs the extra `export`")
    done = command("export", tiny_run, f"mine{ending}", "--check", 5)
    assert (done.code, done.out) == (0, f"mine{ending}\n")
    assert done.err.startswith("compared on 5 pictures of test: the same best classes for 5, largest difference ")
    shutil.copy(tiny_run / "best.safetensors", tmp_path / "alone.safetensors")
    done = command("export", "alone.safetensors", f"other{ending}", "--bare")
    assert done.code == 0
    assert done.err.startswith("compared on 100 pictures of noise: the same best classes for 100")


def test_integers_are_written_with_what_they_cost(command, tiny_run, monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs the extra `export`")
    from alexnet.export import int8

    monkeypatch.setattr(int8, "LOSS", 1.0)
    done = command("export", tiny_run, "mine.onnx", "--int8", "--check", 6)
    assert (done.code, done.out) == (0, "mine.onnx\n")
    assert re.fullmatch(r"of 6 pictures of test: [\d.]+% recognised, in float32 [\d.]+%\n", done.err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mine.pth", "--bare"], "--bare and --check are of .onnx and .pt2: end FILE so, or leave them out"),
        (["mine", "--check", "5"], "--bare and --check are of .onnx and .pt2: end FILE so, or leave them out"),
        (["mine.pt2", "--int8"], "--int8 is of .onnx with its preprocessing: end FILE so, leave out --bare, or --int8"),
        (["mine.onnx", "--check", "0"], "--check 0 compares nothing: give 1 or more"),
    ],
)
def test_flags_without_effect_are_refused(command, tiny_run, words, message):
    done = command("export", tiny_run, *words)
    assert (done.code, done.err) == (2, f"error: {message}\n")


def test_the_endings_are_those_of_export():
    from alexnet.cli import using
    from alexnet.export import files as export

    assert using.PROGRAMS == export.ENDINGS

"""Tests of alexnet.runs.verification."""

import json
import shutil

import pytest
import torch

from alexnet.errors import AlexNetError, UsageError
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.run import held
from alexnet.runs.verification import verify_run


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the tiny run, to be damaged."""
    return shutil.copytree(tiny_run, tmp_path / "run")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_sound_run_has_no_problems(run):
    assert verify_run(run) == []


@pytest.mark.parametrize("name", ["best.safetensors", "checkpoints/48.safetensors", "checkpoints/96.safetensors"])
def test_a_flipped_bit_of_a_checkpoint_is_found(run, name):
    flip(run / name)
    problem = "is damaged (its digest does not match): restore it, or use another one"
    assert verify_run(run) == [{"file": name, "record": None, "problem": problem}]


def test_a_best_network_that_is_missing_is_found(run):
    (run / "best.safetensors").unlink()
    problem = "it is missing: the newest checkpoint is used in its place"
    assert verify_run(run) == [{"file": "best.safetensors", "record": None, "problem": problem}]


@pytest.mark.parametrize("name", ["recipe.json", "architecture.json", "classes.json", "store.json"])
def test_what_was_asked_and_cannot_be_read_is_found(run, name):
    (run / name).write_text("[")
    found = verify_run(run)
    assert name in [problem["file"] for problem in found]
    assert all(problem["problem"] and "\n" not in problem["problem"] for problem in found)


def test_a_pointer_at_nothing_is_found(run):
    (run / "latest.json").write_text(json.dumps({"checkpoint": "checkpoints/97.safetensors"}))
    assert [problem["file"] for problem in verify_run(run)] == ["latest.json"]


def test_a_torn_row_of_a_log_is_found_with_its_place(run):
    lines = (run / "log.jsonl").read_text().splitlines()
    (run / "log.jsonl").write_text(f"{lines[0]}\n{lines[1][:20]}\n")
    (run / "updates.jsonl").write_text("3\n")
    assert [(p["file"], p["record"]) for p in verify_run(run)] == [("log.jsonl", 1), ("updates.jsonl", 0)]


def test_a_whole_checkpoint_of_another_network_or_of_no_numbers_is_found(run, tiny_network):
    checkpoint = Checkpoint.read(run / "best.safetensors")
    tensors = dict(checkpoint.tensors) | {"network.fc6.bias": torch.full((24,), torch.nan)}
    Checkpoint(tensors, checkpoint.facts).write(run / "best.safetensors")
    (problem,) = verify_run(run)
    assert problem["problem"] == "fc6.bias is not finite: remove it, and resume from the one before"
    tensors["network.fc6.bias"] = torch.zeros(3)
    Checkpoint(tensors, checkpoint.facts).write(run / "best.safetensors")
    (problem,) = verify_run(run)
    assert "the first is fc6.bias" in problem["problem"]


def test_a_run_that_is_trained_now_is_not_looked_at(run):
    with held(run), pytest.raises(AlexNetError, match="is in use by another alexnet command"):
        verify_run(run)


def test_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is no run"):
        verify_run(tmp_path)

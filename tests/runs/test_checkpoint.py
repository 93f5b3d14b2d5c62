"""Tests of alexnet.runs.checkpoint."""

import re
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from alexnet.data.store import Store
from alexnet.errors import DataError
from alexnet.layers import FullyConnected
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.run import Run


def assert_refused(path, message):
    with pytest.raises(DataError, match=message) as caught:
        Checkpoint.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def same(one, other):
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    tensors = {
        "network.conv1.weight": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
        "optimizer.0.step": torch.tensor(7.0),
        "random.cpu": torch.get_rng_state(),
        "half": torch.randn(3).bfloat16(),
        "odd": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
        "tally.loss": torch.tensor(1 / 3, dtype=torch.float64),
    }
    facts = {"epoch": 3, "classes": ["Gänse", "\udcff", "a\nb"], "history": [{"val_loss": 1 / 3}], "none": None}
    Checkpoint(tensors, facts).write(tmp_path / "a.safetensors")
    back = Checkpoint.read(tmp_path / "a.safetensors")
    assert back.facts == {"format": 2, **facts}
    odd = back.tensors.pop("odd")
    assert odd.view(torch.int32).tolist() == tensors.pop("odd").view(torch.int32).tolist()
    assert same(back.tensors, tensors)


def test_a_part_of_a_checkpoint_has_its_names_without_the_prefix():
    checkpoint = Checkpoint(
        {"network.fc8.bias": torch.ones(1), "networks": torch.ones(2), "average.x": torch.ones(3)}, {}
    )
    assert list(checkpoint.part("network")) == ["fc8.bias"]


@pytest.fixture
def path(tiny_run, tmp_path):
    """A checkpoint, to be damaged."""
    return shutil.copy(tiny_run / "checkpoints/96.safetensors", tmp_path / "a.safetensors")


def test_a_torn_checkpoint_is_refused(path):
    whole = path.read_bytes()
    for size in (0, 1, 7, 8, 100, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert_refused(path, "is torn, or no .safetensors|is damaged")
    path.write_bytes(whole + b"more")
    assert_refused(path, "is damaged .its digest does not match")


def test_a_flipped_bit_is_noticed_wherever_it_lies(path):
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*range(120), *range(header - 8, header + 8), *range(header, len(whole), len(whole) // 40)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=f"^{path} "):
            Checkpoint.read(path)


def test_a_checkpoint_whose_digest_is_gone_is_refused(path):
    with safe_open(path, "pt") as file:
        facts = file.metadata()["alexnet"]
    save_file(load_file(path), path, {"alexnet": facts})
    assert_refused(path, "is damaged .its digest is gone")


def test_what_is_no_checkpoint_is_refused(tmp_path):
    assert_refused(tmp_path / "missing.safetensors", "is missing: train first")
    (tmp_path / "folder.safetensors").mkdir()
    assert_refused(tmp_path / "folder.safetensors", "is no file: give one")
    (tmp_path / "text.safetensors").write_text("hello, hello, hello")
    assert_refused(tmp_path / "text.safetensors", "is torn, or no .safetensors")
    weights = {"a": torch.ones(1)}
    torch.save(weights, tmp_path / "pickle.safetensors")
    assert_refused(tmp_path / "pickle.safetensors", "is torn, or no .safetensors")
    save_file(weights, tmp_path / "foreign.safetensors")
    assert_refused(tmp_path / "foreign.safetensors", "is no checkpoint of alexnet")
    for text in ("[]", "3", "{", "[" * 100_000):
        save_file(weights, tmp_path / "odd.safetensors", {"alexnet": text})
        assert_refused(tmp_path / "odd.safetensors", r"checkpoint")


@pytest.mark.parametrize("number", [1, 3])
def test_a_checkpoint_of_another_version_names_both(tmp_path, number):
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors", {"alexnet": f'{{"format": {number}}}'})
    way_out = "use the alexnet that wrote it, or begin anew from its weights with --weights"
    assert_refused(tmp_path / "a.safetensors", f"is of format {number}, not 2: {way_out}")


def test_the_library_reads_what_is_written(tmp_path):
    Checkpoint({"b": torch.arange(3), "a": torch.ones(2, 2)}, {"epoch": 1}).write(tmp_path / "a.safetensors")
    found = load_file(tmp_path / "a.safetensors")
    assert found["b"].tolist() == [0, 1, 2]
    assert found["a"].tolist() == [[1, 1], [1, 1]]


# What made it.


def test_a_training_that_is_another_is_named(tiny_run, tiny_store, photo_store, tiny_network, tiny_recipe):
    checkpoint, store = Checkpoint.read(Run(tiny_run).latest()), Store(tiny_store)
    network = Run(tiny_run).architecture
    assert checkpoint.differences(network, tiny_recipe, store) == []
    other = checkpoint.differences(network.with_classes(3), tiny_recipe.with_changes(lr=1.0), Store(photo_store))
    assert other[:3] == [
        "recipe: lr was 0.02, is 1",
        "network: fc8.units was 10, is 3",
        "classes: there were 10, are 3",
    ]
    assert re.fullmatch(r"store: its digest was \w{12}, is \w{12}", other[3])


def test_what_does_not_say_what_made_it_is_refused(tiny_store, tiny_network, tiny_recipe):
    with pytest.raises(DataError, match=r"does not say what made it .'recipe'.: use another one"):
        Checkpoint({}, {}).differences(tiny_network, tiny_recipe, Store(tiny_store))


def test_weights_of_another_network_are_refused_before_room_is_made(tiny_run, tiny_network):
    checkpoint = Checkpoint.read(tiny_run / "best.safetensors")
    huge = replace(tiny_network, layers=(*tiny_network.layers[:-1], FullyConnected("fc8", 10**12)))
    with pytest.raises(DataError, match=r"2 of 12 weights differ, the first is fc8.bias .expected .1000000000000,."):
        checkpoint.refuse_other(huge)


def test_statistics_are_those_of_the_store(tiny_run, tiny_store):
    checkpoint = Checkpoint.read(tiny_run / "best.safetensors")
    assert checkpoint.statistics().mean_image.tolist() == Store(tiny_store).statistics.mean_image.tolist()
    with pytest.raises(DataError, match="tells nothing of the pictures"):
        Checkpoint({}, {}).statistics()

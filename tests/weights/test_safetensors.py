import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from alexnet.errors import DataError
from alexnet.runs import checkpoint
from alexnet.weights import safetensors
from alexnet.weights.content import plain_tensors


def written(path, network, classes=None):
    with open(path, "wb") as stream:
        safetensors.write(stream, plain_tensors(network), network.architecture, classes)
    return path


def test_a_plain_file_tells_its_network_and_classes(ours, same, tmp_path):
    names = [f"class {n}" for n in range(10)]
    found = safetensors.read(written(tmp_path / "w.safetensors", ours, names))
    same(found.tensors, ours)
    assert found.architecture == ours.architecture
    assert found.input == "raw"
    assert found.classes == tuple(names)
    assert safetensors.read(written(tmp_path / "w.safetensors", ours)).classes is None
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert sorted(file.keys()) == sorted(ours.state_dict())
        assert file.metadata()["format"] == "pt"  # which other programs ask for


def test_a_file_of_another_program_is_read_by_its_names(ours, same, tmp_path):
    save_file(ours.state_dict(), tmp_path / "w.safetensors", {"format": "pt"})
    found = safetensors.read(tmp_path / "w.safetensors")
    same(found.tensors, ours)
    assert found.architecture is None


@pytest.mark.parametrize("averaged", [True, False])
def test_a_checkpoint_gives_its_averaged_weights_where_there_are_some(ours, statistics, tmp_path, averaged):
    others = {name: tensor + 1 for name, tensor in ours.state_dict().items()}
    tensors = {f"network.{name}": tensor for name, tensor in ours.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in others.items()} if averaged else {}
    tensors |= checkpoint.statistics_tensors(statistics) | {"optimizer.0.velocity": torch.ones(3)}
    facts = {"architecture": ours.architecture.to_json(), "classes": ["a"] * 10, "recipe": {}}
    checkpoint.Checkpoint(tensors, facts).write(tmp_path / "w.safetensors")
    found = safetensors.read(tmp_path / "w.safetensors")
    expected = others if averaged else ours.state_dict()
    assert found.tensors.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.tensors.items())
    assert found.architecture == ours.architecture
    assert found.statistics.mean_image.tolist() == statistics.mean_image.tolist()
    assert found.statistics.colour_axes.tolist() == statistics.colour_axes.tolist()


def test_a_flipped_bit_is_noticed_and_a_lost_digest(ours, tmp_path):
    path = written(tmp_path / "w.safetensors", ours)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"w.safetensors is damaged .its digest does not match"):
        safetensors.read(path)
    facts = {"format": safetensors.FORMAT, "architecture": ours.architecture.to_json()}
    save_file(ours.state_dict(), path, {"alexnet": json.dumps(facts)})
    with pytest.raises(DataError, match=r"w.safetensors is damaged .its digest is gone.: fetch or save it again"):
        safetensors.read(path)


def test_a_file_of_the_format_without_a_digest_is_still_read(ours, same, tmp_path):
    facts = {"format": 1, "architecture": ours.architecture.to_json()}
    save_file(ours.state_dict(), tmp_path / "w.safetensors", {"alexnet": json.dumps(facts)})
    same(safetensors.read(tmp_path / "w.safetensors").tensors, ours)


def test_a_torn_file_is_refused(ours, tmp_path, refused_when_torn):
    data = written(tmp_path / "w.safetensors", ours).read_bytes()
    refused_when_torn(safetensors.read, data, [0, 7, 8, 100, *range(500, len(data), len(data) // 20), len(data) - 1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 3}, "not of format 2"),
        ({"architecture": {"layers": 3}}, "no description of a network"),
        ({"classes": "cat"}, "classes are no list of names"),
        ({"classes": [1]}, "classes are no list of names"),
    ],
)
def test_facts_that_are_out_of_order_are_refused(ours, tmp_path, change, reason):
    facts = {"format": 1, "architecture": ours.architecture.to_json()} | change
    save_file(ours.state_dict(), tmp_path / "w.safetensors", {"alexnet": json.dumps(facts)})
    with pytest.raises(DataError, match=reason):
        safetensors.read(tmp_path / "w.safetensors")


@pytest.mark.parametrize("facts", ["[", "[1]", "[" * 100_000])
def test_metadata_that_is_no_json_object_is_refused(ours, tmp_path, facts):
    save_file(ours.state_dict(), tmp_path / "w.safetensors", {"alexnet": facts})
    with pytest.raises(DataError, match=r"w.safetensors is (torn|not of format 2)"):
        safetensors.read(tmp_path / "w.safetensors")


def test_weights_that_are_not_those_of_the_network_named_are_refused(ours, tmp_path):
    tensors = {**ours.state_dict(), "fc7.bias": torch.ones(3)}
    facts = {"format": 1, "architecture": ours.architecture.to_json()}
    save_file(tensors, tmp_path / "w.safetensors", {"alexnet": json.dumps(facts)})
    with pytest.raises(
        DataError, match=r"1 of 12 weights differ, the first is fc7.bias \(expected \(16,\), found \(3,\)"
    ):
        safetensors.read(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean_image", torch.ones(8, 8)),
        ("mean_image", torch.tensor(1.0)),
        ("mean_image", torch.ones(0, 0, 3)),
        ("mean", torch.ones(3)),
        ("colour_axes", torch.ones(3, dtype=torch.float64)),
        ("deviation", None),
        ("more", torch.ones(1)),
    ],
)
def test_statistics_that_are_out_of_order_are_refused(statistics, tmp_path, name, value):
    tensors = safetensors.statistics_tensors(statistics) | {name: value}
    tensors = {key: tensor for key, tensor in tensors.items() if tensor is not None}
    with pytest.raises(DataError, match="its statistics are not in order"):
        safetensors.statistics_of(tensors, tmp_path / "x")
    assert safetensors.statistics_of({}, tmp_path / "x") is None

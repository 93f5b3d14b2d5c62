import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from alexnet.errors import AlexNetError, DataError, UsageError
from alexnet.recipes import FAST
from alexnet.weights import places, read_pretrained, write_pretrained

NAMES = ["aeroplane", "bird | with, odd: `signs`", *map(str, range(8))]


@pytest.fixture
def folder(ours, statistics, tmp_path):
    write_pretrained(tmp_path / "mine", ours, statistics, NAMES, FAST, results={"top1": 0.75}, data="Drawn pictures.")
    return tmp_path / "mine"


def test_what_is_written_is_read_again_bit_by_bit(folder, ours, statistics):
    held = read_pretrained(folder)
    assert held.network.architecture == ours.architecture
    assert not held.network.training
    assert all(torch.equal(a, b) for a, b in zip(held.network.parameters(), ours.parameters(), strict=True))
    assert held.classes == tuple(NAMES)
    assert held.recipe == FAST
    for name in ("mean_image", "mean", "deviation", "colour_deviations", "colour_axes"):
        there, here = getattr(held.statistics, name), getattr(statistics, name)
        np.testing.assert_array_equal(there, here)
        assert there.dtype == here.dtype


def test_the_folder_is_laid_out_as_the_hub_has_it(folder, ours):
    assert {file.name for file in folder.iterdir()} == {
        *("config.json", "model.safetensors", "statistics.safetensors", "README.md")
    }
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "alexnet"
    assert config["classes"] == NAMES
    assert config["architecture"] == json.loads(json.dumps(ours.architecture.to_json()))
    assert load_file(folder / "model.safetensors").keys() == ours.state_dict().keys()
    assert (folder / "README.md").read_text().startswith("---\nlibrary_name: alexnet\n")


def test_a_name_on_the_hub_is_read_from_where_it_was_fetched_to(folder, monkeypatch):
    monkeypatch.setattr(places, "_from_hub", lambda source: folder)
    assert read_pretrained("hub:owner/name").classes == tuple(NAMES)


def test_a_pretrained_folder_is_replaced_whole(folder, ours, statistics):
    write_pretrained(folder, ours, statistics, NAMES[::-1], FAST)
    assert read_pretrained(folder).classes == tuple(NAMES[::-1])
    assert list(folder.parent.iterdir()) == [folder]


def test_what_lies_beside_it_in_its_folder_is_not_lost(folder, ours, statistics):
    (folder / ".git").mkdir()
    with pytest.raises(UsageError, match=r"holds \.git too, which would be lost: write to another place"):
        write_pretrained(folder, ours, statistics, NAMES[::-1], FAST)
    assert (folder / ".git").is_dir()
    assert read_pretrained(folder).classes == tuple(NAMES)


def test_names_with_odd_bytes_are_written(ours, statistics, tmp_path):
    names = ["z\udcff", *NAMES[1:]]
    write_pretrained(tmp_path / "odd", ours, statistics, names, FAST)
    assert read_pretrained(tmp_path / "odd").classes == tuple(names)


def test_an_empty_folder_is_filled(ours, statistics, tmp_path):
    (tmp_path / "new").mkdir()
    write_pretrained(tmp_path / "new", ours, statistics, NAMES, FAST)
    assert read_pretrained(tmp_path / "new").recipe == FAST


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model_type": "bert"}'])
def test_a_folder_of_something_else_is_not_replaced(ours, statistics, tmp_path, content):
    (tmp_path / "thesis.txt").write_text("years of work")
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match="exists and is no pretrained folder of alexnet: choose another place"):
        write_pretrained(tmp_path, ours, statistics, NAMES, FAST)
    with pytest.raises(UsageError, match="exists and is no pretrained folder"):
        write_pretrained(tmp_path / "thesis.txt", ours, statistics, NAMES, FAST)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failure_while_writing_leaves_the_old_folder(folder, ours, statistics, monkeypatch):
    def full(path, value):
        raise AlexNetError("cannot write: no space left")

    monkeypatch.setattr("alexnet.weights.pretrained.write_json", full)
    with pytest.raises(AlexNetError, match="no space left"):
        write_pretrained(folder, ours, statistics, NAMES[::-1], FAST)
    assert read_pretrained(folder).classes == tuple(NAMES)
    assert list(folder.parent.iterdir()) == [folder]


def test_a_name_is_wanted_for_each_class(ours, statistics, tmp_path):
    with pytest.raises(UsageError, match="2 names for 10 classes"):
        write_pretrained(tmp_path / "new", ours, statistics, ["a", "b"], FAST)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "statistics.safetensors"])
@pytest.mark.parametrize("fault", ["gone", "torn", "one bit"])
def test_a_damaged_file_is_named(folder, name, fault):
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data if fault == "one bit" else data[:-10])
    if fault == "gone":
        (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name} is (missing|damaged)"):
        read_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "bert"}, "of no network of alexnet"),
        ({"format": 2}, "is of format 2, not 1: use the alexnet that wrote it"),
        ({"architecture": None}, "lacks architecture"),
        ({"architecture": {"layers": []}}, "no description of a network"),
        ({"sha256": {"model.safetensors": ""}}, "is damaged"),
        ({"sha256": "abc"}, "tells no digests"),
        ({"recipe": {"epochs": -1}}, r"epochs=-1 is out of range"),
        ({"recipe": [1]}, "not in order"),
        ({"classes": ["one"]}, "a name for each class"),
        ({"classes": "ten"}, "no list of names"),
    ],
)
def test_a_config_that_is_out_of_order_is_refused(folder, change, reason):
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=reason):
        read_pretrained(folder)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\udc80"])
def test_a_config_that_is_no_json_is_refused(folder, text):
    (folder / "config.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(DataError, match=r"config.json cannot be read"):
        read_pretrained(folder)


def test_a_network_too_large_for_its_weights_is_refused_before_it_is_made(folder):
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["layers"][-4]["units"] = 10**12
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"fc\d.\w+ \(expected \(.*1000000000000.*found"):
        read_pretrained(folder)


def test_what_is_no_pretrained_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is no pretrained folder \(no config.json in it\)"):
        read_pretrained(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        read_pretrained(tmp_path / "nothing")

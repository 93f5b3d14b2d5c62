"""Tests of alexnet.cli.telling: info, reproduce."""

import json

import pytest

from alexnet.architectures import ARCHITECTURES, memory, named
from alexnet.cli.telling import described
from alexnet.experiments import EXPERIMENTS
from alexnet.layers import Activation, Convolution, Dropout, Pool, ResponseNorm
from alexnet.recipe import FAST, Recipe


def test_info_prints_the_table_of_write_up_001(command):
    done = command("info", "single", "--classes", 10)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    rows = lines[3 : lines.index("", 3) - 1]
    assert len(rows) == 23
    assert rows[0].split() == ["conv1", "convolution", "11×11", "/", "4", "96×55×55", "34,944", "105,415,200"]
    assert rows[-1].split() == ["fc8", "fully", "connected", "10", "40,970", "40,960"]
    total = lines[lines.index("", 3) - 1]
    assert total.split()[:2] == ["total", "58,322,314"]
    assert [line.split() for line in lines[-4:]] == [
        ["input", "0.59", "MB"],
        ["forward/backward", "14.75", "MB"],
        ["parameters", "222.48", "MB"],
        ["total", "237.82", "MB"],
    ]


def test_every_line_of_a_table_fits_a_terminal(command):
    for name in ARCHITECTURES:
        assert max(map(len, command("info", name).out.splitlines())) <= 100


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_info_prints_one_json_value_with_the_keys_of_the_design(command, name):
    told = json.loads(command("info", name, "--json").out)
    network = named(name)
    assert list(told) == ["name", "parameters", "macs", "layers"]
    assert (told["name"], told["parameters"], told["macs"]) == (name, network.parameters, network.macs)
    assert [list(layer) for layer in told["layers"]] == [["name", "output", "parameters", "macs"]] * len(network.layers)
    assert sum(layer["parameters"] for layer in told["layers"]) == told["parameters"]
    assert told["layers"][-1]["output"] == [network.classes]


def test_info_varies_the_network(command):
    told = json.loads(command("info", "paper", "--vary", "towers=1", "dropout=off", "--classes", "7", "--json").out)
    assert told["name"] == "paper towers=1 dropout=off"
    assert told["layers"][-1]["output"] == [7]
    assert not [layer for layer in told["layers"] if "dropout" in layer["name"]]


def test_info_without_a_name_lists_all(command):
    lines = command("info").out.splitlines()
    assert lines[1].split() == ["paper", "60,965,224", "input", "224,", "1000", "classes"]
    assert len(lines) == 2 + len(ARCHITECTURES)
    told = json.loads(command("info", "--json").out)
    assert [one["name"] for one in told] == list(ARCHITECTURES)
    assert told[0]["parameters"] == 60_965_224


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Convolution("a", 8, 5, 2, towers=2), "convolution 5×5 / 2, 2 towers"),
        (Convolution("a", 8, 3, shared=False), "convolution 3×3, unshared"),
        (Activation("a", "tanh"), "tanh"),
        (ResponseNorm("a"), "response norm over 5 maps"),
        (ResponseNorm("a", "map", 3), "response norm over 3×3 of a map"),
        (Pool("a", "average"), "average pool 3×3 / 2"),
        (Dropout("a", 0.25, "inverted"), "dropout 0.25 (inverted)"),
    ],
)
def test_a_layer_is_told_in_a_few_words(layer, text):
    assert described(layer) == text


def test_a_recipe_is_told_by_what_it_changes_and_why(command):
    done = command("info", "--recipe", "fast")
    header, *rows = done.out.splitlines()
    assert header.split() == ["field", "printed", "fast", "why"] or header.split() == ["field", "paper", "fast", "why"]
    told = {row.split()[0]: row.split()[1:3] for row in rows}
    assert told["batch_size"] == ["128", "32"]
    changed = [name for name, value in FAST.to_json().items() if value != Recipe().to_json()[name]]
    assert list(told) == changed
    assert all(len(row.split()) > 4 for row in rows)  # each with its reason
    assert json.loads(command("info", "--recipe", "fast", "--json").out) == FAST.to_json()


def test_the_papers_recipe_is_told_whole(command, tmp_path):
    done = command("info", "--recipe", "paper")
    assert len(done.out.splitlines()) == 1 + len(Recipe().to_json())
    (tmp_path / "mine.toml").write_text("lr = 0.5\n")
    assert [line.split() for line in command("info", "--recipe", "mine.toml").out.splitlines()] == [
        ["field", "paper", "mine.toml", "why"],
        ["lr", "0.01", "0.5"],
    ]


def test_memory_is_that_of_the_architecture(command):
    text = command("info", "paper").out
    assert all(f"{megabytes:.2f} MB" in text for megabytes in memory(named("paper")).values())


def test_reproduce_lists_what_can_be_rerun(command):
    done = command("reproduce")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(EXPERIMENTS)


def test_reproduce_hands_its_options_on(command, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr("alexnet.experiments.run_experiment", lambda *given: calls.append(given))
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path))
    assert command("reproduce", "write-up-004", "--quick", "--work", "w", "--results", "r").code == 0
    name, data, work, results, quick = calls[0]
    assert (name, data, str(work), str(results), quick) == ("write-up-004", tmp_path, "w", "r", True)

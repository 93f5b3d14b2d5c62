"""Tests of alexnet.cli.telling: info, reproduce."""

import json

import pytest

from alexnet.architectures import INPUTS, memory
from alexnet.catalogue import ARCHITECTURES, named
from alexnet.cli import main
from alexnet.cli.telling import described
from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.page import listing
from alexnet.layers import Activation, Convolution, Dropout, Pool, ResponseNorm
from alexnet.recipe import Recipe
from alexnet.recipes import FAST, RECIPES


def test_info_prints_the_table_of_write_up_001(command):
    done = command("info", "single", "--classes", 10)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    rows = lines[4 : lines.index("", 4) - 1]
    assert len(rows) == 23
    assert rows[0].split() == ["conv1", "convolution", "11×11", "/", "4", "96×55×55", "34,944", "105,415,200"]
    assert rows[-1].split() == ["fc8", "fully", "connected", "10", "40,970", "40,960"]
    total = lines[lines.index("", 4) - 1]
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
    assert lines[1].split() == [
        "paper",
        "60,965,224",
        "224",
        "the",
        "printed",
        "text:",
        "two",
        "towers,",
        "1000",
        "classes",
    ]
    assert len(lines) == 2 + len(ARCHITECTURES) + len(RECIPES)
    told = json.loads(command("info", "--json").out)
    assert [one["name"] for one in told] == list(ARCHITECTURES)
    assert told[0]["parameters"] == 60_965_224


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Convolution("a", 8, 5, 2, towers=2), "convolution 5×5 / 2, 2 towers"),
        (Convolution("a", 8, 3, shared=False), "convolution 3×3, unshared"),
        (Activation("a", "tanh"), "tanh"),
        (ResponseNorm("a"), "response norm, 5 maps, k 2, α 0.0001"),
        (ResponseNorm("a", "map", 3), "response norm, 3×3 of a map, k 2, α 0.0001"),
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


def test_reproduce_lists_what_can_be_rerun_with_figures_from_the_results(command, tmp_path):
    done = command("reproduce", "--results", tmp_path / "none")
    assert done.code == 0
    assert done.out == listing(tmp_path / "none") + "\n"
    assert all(name in done.out for name in EXPERIMENTS)


def test_reproduce_hands_its_options_on(command, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr("alexnet.experiments.run_experiment", lambda *given: calls.append(given))
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path))
    assert command("reproduce", "write-up-004", "--quick", "--work", "w", "--results", "r").code == 0
    name, data, work, results, quick = calls[0]
    assert (name, data, str(work), str(results), quick) == ("write-up-004", tmp_path, "w", "r", True)


def told(capsys, *arguments):
    assert main(["info", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_info_lists_every_network_and_recipe(capsys):
    networks, recipes = told(capsys).split(
        "recipes (alexnet info --recipe NAME tells the numbers and their reasons):\n"
    )
    listed = {line.split()[0]: line for line in networks.splitlines()[1:]}
    assert list(listed) == list(ARCHITECTURES)
    for name, one in ARCHITECTURES.items():
        assert listed[name].split()[1:3] == [f"{one.parameters:,}", str(one.input_side)]
        assert len(listed[name].split()) > 3
    assert [line.split()[0] for line in recipes.splitlines()] == list(RECIPES)
    assert all(len(line.split()) > 1 for line in recipes.splitlines())
    assert json.loads(told(capsys, "--json")) == [
        {"name": name, "parameters": one.parameters, "macs": one.macs} for name, one in ARCHITECTURES.items()
    ]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_info_of_a_network_tells_every_layer_and_the_totals(capsys, name):
    one = ARCHITECTURES[name]
    title, pixels, _, header, *rows = told(capsys, name).partition("\nstart")[0].rstrip().splitlines()
    assert title == f"{name}: {one.classes} classes, {one.input_side} × {one.input_side} pixels"
    assert pixels == f"pixels: {INPUTS[one.input]}"
    assert header.split() == ["layer", "what", "output", "parameters", "MACs"]
    assert [row.split()[0] for row in rows] == [*(layer.name for layer in one.layers), "total"]
    assert rows[-1].split()[1:] == [f"{one.parameters:,}", f"{one.macs:,}"]
    # The columns stand under each other, however long the words are.
    edge = header.index("output") + len("output")
    for line, row in zip(rows, one.rows(), strict=False):
        assert line[:edge].endswith(" " + "×".join(map(str, row.output)))
    told_in_json = json.loads(told(capsys, name, "--json"))
    assert told_in_json["layers"] == [
        {"name": row.layer.name, "output": list(row.output), "parameters": row.parameters, "macs": row.macs}
        for row in one.rows()
    ]


def test_info_tells_towers_and_what_is_unshared(capsys):
    text = told(capsys, "authors-2012", "--vary", "communication=off-2012")
    for words in (
        "convolution 5×5, padding 2+2, 2 towers",
        "response norm, 5 maps, k 2, α 0.0001/5, 2 towers",
        "fully connected, 2 towers",
    ):
        assert words in text
    assert "response norm, 5×5 of a map, k 1, α 0.001/25 " in text
    assert "convolution 3×3, padding 1+1, unshared" in told(capsys, "cifar-13pct")
    assert "fc8       fully connected " in text


def test_info_of_other_classes_and_variations(capsys):
    assert "58,322,314" in told(capsys, "single", "--classes", "10")
    assert "59,798,312" in told(capsys, "paper", "--vary", "towers=half")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["papr"], "error: unknown architecture papr: did you mean paper?"),
        (
            ["cifar-11pct", "--vary", "towers=half"],
            "error: towers=half is for networks of 2 towers, and cifar-11pct has",
        ),
        (["single", "--classes", "0"], "error: a network needs at least 1 class, not 0"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(capsys, arguments, message):
    assert main(["info", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_a_recipe_is_told_as_its_flags_take_it(command):
    lines = command("info", "--recipe", "authors-2012").out.splitlines()
    cells = {line.split()[0]: line.split("  ") for line in lines}
    assert [cell.strip() for cell in cells["freeze"] if cell.strip()][1:3] == ["none", "conv1=72"]
    assert [cell.strip() for cell in cells["lr_steps"] if cell.strip()][1:3] == ["none", "25 51 79"]
    assert [cell.strip() for cell in cells["shuffle"] if cell.strip()][1:3] == ["yes", "no"]


@pytest.mark.parametrize("ending", [".svg", ".png"])
def test_a_network_is_drawn(command, ending, tmp_path):
    done = command("info", "paper", "--draw", f"it{ending}")
    assert (done.code, done.out) == (0, f"it{ending}\n")
    assert (tmp_path / f"it{ending}").stat().st_size > 5_000
    assert json.loads(command("info", "paper", "--vary", "towers=1", "--draw", f"it{ending}", "--json").out)["layers"]


def test_what_cannot_be_drawn_is_refused(command):
    assert "end its name in .svg or .png" in command("info", "paper", "--draw", "it.pdf").err
    assert "are of a network: name one" in command("info", "--draw", "it.svg").err

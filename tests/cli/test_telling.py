"""`alexnet info` tells every network and recipe, as a table and as JSON."""

import json

import pytest

from alexnet.catalogue import ARCHITECTURES
from alexnet.cli import main
from alexnet.recipe import RECIPES


def told(capsys, *arguments):
    assert main(["info", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_info_lists_every_network_and_recipe(capsys):
    networks, recipes = told(capsys).rsplit("\n", 2)[:2]
    listed = {line.split()[0]: line for line in networks.splitlines()[1:]}
    assert list(listed) == list(ARCHITECTURES)
    for name, one in ARCHITECTURES.items():
        assert listed[name].endswith(f" {one.parameters:,}  input {one.input_side}, {one.classes} classes")
    assert recipes.startswith(f"recipes: {', '.join(RECIPES)} ")
    assert json.loads(told(capsys, "--json")) == [
        {"name": name, "parameters": one.parameters, "macs": one.macs} for name, one in ARCHITECTURES.items()
    ]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_info_of_a_network_tells_every_layer_and_the_totals(capsys, name):
    one = ARCHITECTURES[name]
    title, _, header, *rows = told(capsys, name).partition("\nmemory")[0].rstrip().splitlines()
    side = one.input_side
    assert title == f"{name}: {one.classes} classes, input {side}×{side}×3, {one.input} pixels"
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
    for words in ("convolution 5×5, 2 towers", "response norm over 5 maps, 2 towers", "fully connected, 2 towers"):
        assert words in text
    assert "response norm over 5×5 of a map " in text
    assert "convolution 3×3, unshared" in told(capsys, "cifar-13pct")
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

"""Descriptions of networks join up, go through JSON, and are refused where they make no network."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest

from alexnet.architectures import RAW_INPUTS, Architecture, Start, memory
from alexnet.catalogue import ARCHITECTURES, AUTHORS_2012, CIFAR_18PCT, PAPER, SINGLE
from alexnet.errors import DataError, UsageError
from alexnet.layers import Activation, Convolution, FullyConnected, Pool, ResponseNorm
from alexnet.variations import vary


def test_single_needs_the_memory_of_write_up_001():
    rounded = {name: round(megabytes, 2) for name, megabytes in memory(SINGLE.with_classes(10)).items()}
    assert rounded == {"input": 0.59, "forward_backward": 14.75, "parameters": 222.48, "total": 237.82}


def test_rows_join_each_output_to_the_next_input():
    for architecture in ARCHITECTURES.values():
        rows = architecture.rows()
        side = architecture.input_side
        assert [row.input for row in rows] == [(3, side, side), *(row.output for row in rows[:-1])]


def test_another_number_of_classes_changes_the_last_layer_only():
    ten = PAPER.with_classes(10)
    assert (ten.classes, ten.layers[:-1], ten.start) == (10, PAPER.layers[:-1], PAPER.start)
    assert ten.layers[-1] == FullyConnected("fc8", 10)
    with pytest.raises(UsageError, match="at least 1 class, not 0"):
        PAPER.with_classes(0)


def test_he_start_changes_weights_biases_and_input_together():
    he = PAPER.with_he_start()
    assert {(row.weights, row.bias) for row in he.start} == {("he", 0.0)}
    assert [row.gain for row in he.start] == [1] * 8
    assert [row.gain for row in PAPER.with_he_start(0.1).start] == [0.1, 1, 1, 1, 1, 1, 1, 1]
    assert (he.input, he.layers) == ("deviation", PAPER.layers)
    assert [row.layer for row in he.start] == [row.layer for row in PAPER.start]


@pytest.mark.parametrize(
    "architecture",
    [
        *ARCHITECTURES.values(),
        PAPER.with_he_start(),
        vary(PAPER, "towers=4", "response_norm_within=tower", "dropout=0.3", "activation=tanh"),
        vary(AUTHORS_2012, "communication=off-2012", "pool=plain-2012"),
        replace(
            CIFAR_18PCT,
            layers=(
                *CIFAR_18PCT.layers[:-1],
                Convolution("local4", 8, 3, padding=(1, 0), shared=False),
                CIFAR_18PCT.layers[-1],
            ),
            start=(*CIFAR_18PCT.start[:-1], Start("local4", "uniform"), CIFAR_18PCT.start[-1]),
        ),
    ],
    ids=lambda architecture: architecture.name,
)
def test_a_description_goes_through_json_unchanged(architecture):
    text = json.dumps(architecture.to_json(), allow_nan=False)
    assert Architecture.from_json(json.loads(text)) == architecture


def test_a_description_from_before_fully_connected_layers_had_towers_is_read():
    data = json.loads(json.dumps(PAPER.to_json()))
    for layer in data["layers"]:
        if layer["layer"] == "FullyConnected":
            del layer["towers"]
    assert Architecture.from_json(data) == PAPER


def test_descriptions_are_frozen_and_comparable():
    with pytest.raises(FrozenInstanceError):
        PAPER.input_side = 227
    assert len({PAPER, SINGLE, replace(PAPER)}) == 2


FC = FullyConnected("fc8", 4)
RAW = {"start": (Start("fc8"),), "input_side": 8}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (
            {**RAW, "layers": (Activation("relu1"), Activation("relu1"), FC)},
            "tiny: two layers are named relu1: give each its own name",
        ),
        ({**RAW, "layers": ()}, "tiny: the last layer must be fully connected, with one unit per class"),
        ({**RAW, "layers": (FC, Activation("relu8"))}, "the last layer must be fully connected"),
        ({**RAW, "layers": (FC,), "start": ()}, r"tiny: starting weights are given for [], needed for ['fc8']"),
        (
            {**RAW, "layers": (Convolution("conv1", 2, 3), FC)},
            "starting weights are given for ['fc8'], needed for ['conv1', 'fc8'], in this order",
        ),
        (
            {**RAW, "layers": (Convolution("conv1", 2, 3), FC), "start": (Start("fc8"), Start("conv1"))},
            "needed for ['conv1', 'fc8'], in this order",
        ),
        ({**RAW, "layers": (FC,), "start": (Start("fc8"), Start("fc9"))}, "are given for ['fc8', 'fc9']"),
        ({**RAW, "layers": (Convolution("conv1", 2, 9), FC)}, "conv1 is 9 wide, but its padded input is only 8"),
        ({**RAW, "layers": (FC, Pool("pool1"), FullyConnected("fc9", 2))}, "pool1 works on maps, but gets 4 units"),
        (
            {**RAW, "layers": (Convolution("conv1", 4, 3, towers=2), FC)},
            "conv1: 2 towers do not divide its 3 input maps",
        ),
        ({**RAW, "layers": (ResponseNorm("norm1", towers=2), FC)}, "norm1: 2 towers do not divide its 3 maps"),
    ],
)
def test_a_description_that_makes_no_network_is_refused(description, message):
    with pytest.raises(UsageError) as caught:
        Architecture("tiny", **description)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("architecture", [PAPER, SINGLE, CIFAR_18PCT], ids=lambda architecture: architecture.name)
@pytest.mark.parametrize("convention", ["deviation", "imagenet"])
def test_a_gaussian_for_raw_pixels_is_refused_on_normalised_input(architecture, convention):
    with pytest.raises(UsageError, match=r"conv1 needs raw pixels.*use input=raw, or --start he") as caught:
        replace(architecture, input=convention)
    assert f"N(0, {architecture.start[0].deviation:g})" in str(caught.value)
    assert caught.value.exit_code == 2


def test_starts_that_fit_normalised_input_are_let_through():
    he, uniform = (tuple(Start(row.layer, kind) for row in PAPER.start) for kind in ("he", "uniform"))
    # √(2 / 363) = 0.074 is He's deviation for conv1: near it a Gaussian is as good.
    wide = (replace(PAPER.start[0], deviation=0.05), *PAPER.start[1:])
    for start in (he, uniform, wide):
        assert replace(PAPER, start=start, input="deviation").input == "deviation"


@pytest.mark.parametrize("architecture", [PAPER, AUTHORS_2012, SINGLE], ids=lambda architecture: architecture.name)
def test_a_gaussian_for_raw_pixels_takes_raw_pixels_whatever_their_mean(architecture):
    assert RAW_INPUTS == ("raw", "raw-2012", "raw-imagenet")
    for convention in RAW_INPUTS:
        assert replace(architecture, input=convention).input == convention


def test_authors_2012_takes_the_middle_of_the_mean_image_away():
    assert (AUTHORS_2012.input, PAPER.input) == ("raw-2012", "raw")
    assert AUTHORS_2012.to_json()["input"] == "raw-2012"
    assert AUTHORS_2012.with_he_start().input == "deviation"
    assert vary(AUTHORS_2012, "input=raw").input == "raw"


@pytest.mark.parametrize("convention", ["deviation", "imagenet"])
def test_a_dead_start_is_let_through_where_it_is_allowed(convention):
    with pytest.raises(UsageError, match="such a network stays at ln"):
        replace(PAPER, input=convention)
    dead = replace(PAPER, input=convention, dead_start_allowed=True)
    assert (dead.input, dead.start, dead.layers) == (convention, PAPER.start, PAPER.layers)
    data = json.loads(json.dumps(dead.to_json()))
    assert data["dead_start_allowed"] is True
    assert Architecture.from_json(data) == dead
    with pytest.raises(DataError, match="such a network stays at ln"):
        Architecture.from_json({**data, "dead_start_allowed": False})
    assert dead.with_classes(10).dead_start_allowed


def test_a_description_from_before_dead_starts_could_be_allowed_is_read():
    data = json.loads(json.dumps(PAPER.to_json()))
    del data["dead_start_allowed"]
    assert Architecture.from_json(data) == PAPER
    with pytest.raises(DataError, match="such a network stays at ln"):
        Architecture.from_json({**data, "input": "deviation"})


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("layers"),
        lambda data: data["layers"][0].pop("layer"),
        lambda data: data["layers"][0].update(layer="Deconvolution"),
        lambda data: data["layers"][0].update(kernels=3),
        lambda data: data["layers"][0].update(stride=0),
        lambda data: data["layers"][1].update(name="conv1"),
        lambda data: data["start"].pop(),
        lambda data: data["start"][0].update(variance=1),
        lambda data: data.update(layers=[3]),
        lambda data: data.update(start=None),
        lambda data: data.update(input="deviation"),
    ],
)
def test_json_that_describes_no_network_is_a_data_error(change):
    data = json.loads(json.dumps(PAPER.to_json()))
    change(data)
    with pytest.raises(DataError, match=r"this is no description of a network \(.*architecture\.json") as caught:
        Architecture.from_json(data)
    assert caught.value.exit_code == 3

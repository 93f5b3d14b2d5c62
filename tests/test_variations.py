"""Each variation changes what it says and nothing else; unknown ones are refused with the nearest known name."""

from dataclasses import replace

import pytest

from alexnet.catalogue import AUTHORS_2012, CAFFE, CAFFENET, CIFAR_11PCT, CIFAR_18PCT, CONV6, HALF, PAPER, SINGLE
from alexnet.errors import UsageError
from alexnet.layers import Activation, Convolution, Dropout, FullyConnected, Pool, ResponseNorm
from alexnet.variations import vary


def of(architecture, kind):
    return [layer for layer in architecture.layers if isinstance(layer, kind)]


def towers(architecture):
    return [layer.towers for layer in of(architecture, Convolution)]


def sides(architecture):
    """Sides of the maps that the pools give."""
    return [row.output[1] for row in architecture.rows() if isinstance(row.layer, Pool)]


def same_but_for(architecture, other, kind):
    """Whether only layers of one kind, and the name, differ."""
    pairs = zip(architecture.layers, other.layers, strict=True)
    rest_agrees = replace(other, name=architecture.name, layers=architecture.layers) == architecture
    return rest_agrees and all(one == two or isinstance(one, kind) for one, two in pairs)


def test_one_tower_has_the_parameters_of_single():
    assert vary(PAPER, "towers=1").parameters == SINGLE.parameters == 62_378_344
    assert vary(SINGLE, "towers=2").parameters == PAPER.parameters == 60_965_224


def test_towers_divide_conv2_conv4_and_conv5():
    assert towers(vary(SINGLE, "towers=2")) == [1, 2, 1, 2, 2]
    assert towers(vary(PAPER, "towers=4")) == [1, 4, 1, 4, 4]
    assert towers(vary(PAPER, "towers=1", "towers=2")) == towers(PAPER)
    assert same_but_for(PAPER, vary(PAPER, "towers=4"), Convolution)


def test_half_keeps_one_tower_of_two_but_for_the_last_convolution():
    assert vary(PAPER, "towers=half").layers == HALF.layers
    assert vary(PAPER, "towers=half").start == HALF.start
    # layers-145-half.cfg of the 2012 source.
    half = vary(AUTHORS_2012, "towers=half")
    assert [layer.channels for layer in of(half, Convolution)] == [48, 128, 192, 192, 256]
    assert towers(half) == [1] * 5
    assert [(norm.name, norm.towers) for norm in of(half, ResponseNorm)] == [("norm1", 1), ("norm2", 1), ("cnorm2", 1)]
    assert [layer.units for layer in of(half, FullyConnected)] == [4096, 4096, 1000]
    assert half.parameters == HALF.parameters == 59_798_312
    for other, count in ((SINGLE, 1), (vary(PAPER, "towers=4"), 4)):
        with pytest.raises(
            UsageError, match=rf"towers=half is for networks of 2 towers, and .* has {count}: use it with"
        ):
            vary(other, "towers=half")


def names_of(architecture):
    return [layer.name for layer in architecture.layers]


def test_a_norm_stands_before_or_behind_the_nonlinearity():
    before = vary(PAPER, "response_norm_place=before")
    assert names_of(before)[:8] == ["conv1", "norm1", "relu1", "pool1", "conv2", "norm2", "relu2", "pool2"]
    assert sorted(names_of(before)) == sorted(names_of(PAPER))
    assert vary(before, "response_norm_place=after").layers == PAPER.layers
    assert vary(PAPER, "response_norm_place=after").layers == PAPER.layers
    # Two norms in a row go together; what is behind a pool has no norm beside it.
    assert names_of(vary(AUTHORS_2012, "response_norm_place=before"))[4:8] == ["conv2", "norm2", "cnorm2", "relu2"]
    assert names_of(vary(AUTHORS_2012, "response_norm_place=before"))[:4] == ["conv1", "norm1", "pool1", "relu1"]
    both_ways = vary(CAFFE, "response_norm_place=before", "response_norm_place=after")
    assert both_ways.layers == CAFFE.layers
    assert vary(CAFFENET, "response_norm_place=after").layers == CAFFENET.layers


@pytest.mark.parametrize(
    ("start", "place", "norm"),
    [(AUTHORS_2012, "after", "norm1"), (CAFFENET, "before", "norm1"), (CIFAR_18PCT, "before", "norm2")],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_norm_that_a_pool_keeps_on_the_wrong_side_is_refused(start, place, norm):
    message = f"response_norm_place={place}: {norm} of {start.name} has no activation beside it to stand {place}: leave"
    with pytest.raises(UsageError, match=message):
        vary(start, f"response_norm_place={place}")


def test_towers_take_norms_that_stop_at_their_borders_with_them():
    norms = of(vary(PAPER, "response_norm_within=tower", "towers=4"), ResponseNorm)
    assert [norm.towers for norm in norms] == [4, 4]
    assert [norm.towers for norm in of(vary(PAPER, "towers=4"), ResponseNorm)] == [1, 1]


@pytest.mark.parametrize("start", [SINGLE, HALF], ids=lambda start: start.name)
def test_norms_of_one_tower_can_stop_where_the_border_of_two_would_be(start):
    assert [norm.towers for norm in of(vary(start, "response_norm_within=tower"), ResponseNorm)] == [2, 2]


def test_without_communication_conv3_keeps_to_its_tower_too():
    off = vary(PAPER, "communication=off")
    assert towers(off) == [1, 2, 2, 2, 2]
    assert PAPER.parameters - off.parameters == 384 * 128 * 9
    assert towers(vary(off, "communication=on")) == towers(PAPER)


def test_run_150_of_2012_keeps_the_towers_apart_until_fc8():
    apart = vary(AUTHORS_2012, "communication=off-2012")
    assert [(layer.channels, layer.towers) for layer in of(apart, Convolution)] == [
        (96, 1),
        (320, 2),
        (384, 2),
        (384, 2),
        (256, 2),
    ]
    assert [(layer.units, layer.towers) for layer in of(apart, FullyConnected)] == [(8192, 2), (4096, 2), (1000, 1)]
    # conv2 +76,864, conv3 −331,776, fc6 +4,096 against the network that it is compared with.
    assert AUTHORS_2012.parameters - apart.parameters == 331_776 - 76_864 - 4_096
    assert apart.start == AUTHORS_2012.start
    assert [layer.units for layer in of(vary(apart, "towers=1"), FullyConnected)] == [8192, 4096, 1000]
    assert {layer.towers for layer in of(vary(apart, "towers=1"), FullyConnected)} == {1}
    with pytest.raises(UsageError, match="communication=off-2012 is for networks of 2 towers, and single has 1"):
        vary(SINGLE, "communication=off-2012")
    with pytest.raises(UsageError, match="communication=off-2012 changes fc6, which conv6 has not: use it with paper"):
        vary(CONV6, "communication=off-2012")


def test_run_148_of_2012_is_run_145_without_its_three_norms():
    off = vary(AUTHORS_2012, "response_norm=off")
    assert [layer.name for layer in off.layers][:6] == ["conv1", "pool1", "relu1", "conv2", "relu2", "pool2"]
    assert of(off, ResponseNorm) == []
    assert len(AUTHORS_2012.layers) - len(off.layers) == 3


def test_response_norm_off_leaves_it_out():
    off = vary(PAPER, "response_norm=off")
    assert off.layers == tuple(layer for layer in PAPER.layers if not isinstance(layer, ResponseNorm))
    assert off.parameters == PAPER.parameters


@pytest.mark.parametrize(
    ("change", "attribute", "value"),
    [
        ("response_norm=map", "over", "map"),
        ("response_norm=maps", "over", "maps"),
        ("response_norm_alpha=divided", "divide_alpha", True),
        ("response_norm_alpha=printed", "divide_alpha", False),
        ("response_norm_within=tower", "towers", 2),
        ("response_norm_within=layer", "towers", 1),
        ("response_norm_k=1", "k", 1.0),
        ("response_norm_k=0.5", "k", 0.5),
    ],
)
@pytest.mark.parametrize("start", [PAPER, AUTHORS_2012, CIFAR_18PCT], ids=lambda start: start.name)
def test_each_choice_of_response_norm_changes_alone(start, change, attribute, value):
    changed = vary(start, change)
    norms = [layer for layer in start.layers if isinstance(layer, ResponseNorm)]
    assert of(changed, ResponseNorm) == [replace(norm, **{attribute: value}) for norm in norms]
    assert same_but_for(start, changed, ResponseNorm)


def test_plain_pooling_keeps_the_sides_of_the_maps():
    plain = vary(PAPER, "pool=plain")
    assert {(pool.kernel, pool.stride) for pool in of(plain, Pool)} == {(2, 2)}
    assert sides(plain) == sides(PAPER) == [27, 13, 6]
    assert plain.parameters == PAPER.parameters
    assert sides(vary(CIFAR_18PCT, "pool=plain")) == sides(CIFAR_18PCT) == [16, 8, 4]
    assert vary(plain, "pool=overlapping").layers == PAPER.layers


def test_run_147_of_2012_keeps_maps_of_6_although_its_pools_round_up():
    def maps(architecture):
        return [row.output[1] for row in architecture.rows() if isinstance(row.layer, Convolution | Pool)]

    run_147 = vary(AUTHORS_2012, "pool=plain-2012")
    assert maps(run_147) == [55, 28, 26, 13, 13, 13, 11, 6]
    assert [layer.padding for layer in of(run_147, Convolution)] == [(0, 3), (1, 1), (1, 1), (1, 1), (0, 0)]
    assert {(pool.kernel, pool.stride, pool.round_up) for pool in of(run_147, Pool)} == {(2, 2, True)}
    assert run_147.parameters == AUTHORS_2012.parameters
    # With its own paddings the last maps would be 7 × 7, and fc6 larger by a third.
    assert maps(vary(AUTHORS_2012, "pool=plain")) == [55, 28, 28, 14, 14, 14, 14, 7]
    # The paper's pools round down: they keep 6 × 6 with the printed paddings, on other positions.
    assert maps(vary(PAPER, "pool=plain")) == [55, 27, 27, 13, 13, 13, 13, 6]
    assert maps(vary(PAPER, "pool=plain-2012")) == maps(run_147)
    with pytest.raises(UsageError, match="pool=plain-2012 changes conv5, which cifar-18pct has not: use it with paper"):
        vary(CIFAR_18PCT, "pool=plain-2012")


def test_activation_and_dropout():
    assert {layer.kind for layer in of(vary(PAPER, "activation=tanh"), Activation)} == {"tanh"}
    assert vary(PAPER, "activation=tanh", "activation=relu").layers == PAPER.layers
    assert of(vary(PAPER, "dropout=off"), Dropout) == []
    assert {layer.kind for layer in of(vary(PAPER, "dropout=inverted"), Dropout)} == {"inverted"}
    assert {layer.kind for layer in of(vary(SINGLE, "dropout=mask"), Dropout)} == {"mask"}
    for probability in ("0.3", "0", "0.99", "3e-1"):
        dropouts = of(vary(PAPER, f"dropout={probability}"), Dropout)
        assert [layer.probability for layer in dropouts] == [float(probability)] * 2


def test_width_multiplies_kernels_and_hidden_units():
    half = vary(SINGLE, "width=0.5")
    assert [layer.channels for layer in of(half, Convolution)] == [48, 128, 192, 192, 128]
    assert [layer.units for layer in of(half, FullyConnected)] == [2048, 2048, 1000]
    assert [row.output[1:] for row in half.rows()][:18] == [row.output[1:] for row in SINGLE.rows()][:18]
    # Two towers divide what is left, and a layer keeps a kernel at least.
    assert [layer.channels for layer in of(vary(PAPER, "width=0.13"), Convolution)] == [12, 34, 50, 50, 34]
    assert {layer.channels for layer in of(vary(AUTHORS_2012, "width=0.001"), Convolution)} == {2}
    assert vary(PAPER, "width=1").layers == PAPER.layers
    assert [layer.channels for layer in of(vary(CIFAR_18PCT, "width=2"), Convolution)] == [64, 64, 128]


def test_a_layer_left_out_takes_activation_and_dropout_with_it():
    for name, gone in {"conv3": {"conv3", "relu3"}, "fc7": {"fc7", "relu7", "dropout7"}}.items():
        less = vary(PAPER, f"without={name}")
        assert {layer.name for layer in PAPER.layers} - {layer.name for layer in less.layers} == gone
        assert [row.layer for row in less.start] == [row.layer for row in PAPER.start if row.layer != name]
    # conv6's ReLU has its number; fc7's keeps its own.
    without_conv6 = vary(CONV6, "without=conv6")
    assert {layer.name for layer in CONV6.layers} - {layer.name for layer in without_conv6.layers} == {"conv6", "relu6"}
    assert without_conv6.parameters == PAPER.parameters
    # conv5 goes from 384 to 256 maps, so that fc6 then sees half as many again.
    assert vary(PAPER, "without=conv5").rows()[-7].parameters == 4096 * (384 * 36 + 1)
    assert "pool5" in [layer.name for layer in vary(PAPER, "without=conv5").layers]


def test_size_classes_and_input():
    assert vary(PAPER, "classes=10").classes == 10
    assert vary(SINGLE, "side=67").input_side == 67
    assert vary(SINGLE, "side=67").parameters == SINGLE.parameters
    he = PAPER.with_he_start()
    assert vary(he, "input=imagenet").input == "imagenet"
    assert vary(he, "input=raw").input == "raw"
    with pytest.raises(UsageError, match=r"conv1 needs raw pixels, but input is deviation"):
        vary(PAPER, "input=deviation")


def test_the_name_tells_the_variations_and_the_order_is_kept():
    assert vary(PAPER).name == "paper"
    assert vary(PAPER, "towers=1", "classes=10").name == "paper towers=1 classes=10"
    assert vary(PAPER, "classes=10", "classes=20").classes == 20
    assert PAPER.name == "paper"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("tower=2", "cannot vary tower=2: write KEY=VALUE; did you mean towers?"),
        ("towers", "cannot vary towers: write KEY=VALUE"),
        ("towers=", "write KEY=VALUE"),
        ("=2", "write KEY=VALUE; choose from: towers, communication"),
        ("colour=red", "choose from: towers"),
        ("response_norm=ofF", "response_norm=ofF is not known: did you mean off?"),
        ("response_norm_alpha=print", "response_norm_alpha=print is not known: did you mean printed?"),
        ("response_norm_within=towers", "did you mean tower?"),
        ("response_norm_place=behind", "response_norm_place=behind is not known: choose from: before, after"),
        ("towers=halves", "towers=halves is not a number from 1 to 64"),
        ("pool=plain-2013", "pool=plain-2013 is not known: did you mean plain-2012?"),
        ("communication=none", "communication=none is not known: did you mean on?"),
        ("pool=overlap", "pool=overlap is not known: did you mean overlapping?"),
        ("activation=gelu", "activation=gelu is not known: did you mean relu?"),
        ("activation=sigmoid", "choose from: relu, tanh"),
        ("dropout=invert", "dropout=invert is not known: did you mean inverted?"),
        ("dropout=1", "dropout=1 is not a number from 0 to 0.99"),
        ("dropout=-0.5", "dropout=-0.5 is not a number from 0 to 0.99"),
        ("dropout=nan", "dropout=nan is not known"),
        ("width=0", "width=0 is not a number from 0.001 to 1000"),
        ("without=conv6", "without=conv6 is not known: did you mean conv5?"),
        ("without=fc8", "without=fc8 is not known: did you mean fc7?"),
        ("without=pool1", "without=pool1 is not known"),
        ("towers=0", "towers=0 is not a number from 1 to 64"),
        ("towers=1.5", "towers=1.5 is not a whole number"),
        ("towers=two", "towers=two is not a number from 1 to 64"),
        ("towers=5", "conv2: 5 towers do not divide its 96 input maps: choose other towers, or a multiple"),
        ("response_norm_k=0", "response_norm_k=0 is not a number from 1e-06 to 1e+06"),
        ("response_norm_k=nan", "response_norm_k=nan is not a number"),
        ("classes=0", "classes=0 is not a number from 1 to"),
        ("side=32", "pool5 is 3 wide, but its padded input is only 1: enlarge the input"),
        ("side=5", "conv1 is 11 wide, but its padded input is only 8: enlarge the input"),
        ("input=normalised", "input=normalised is not known"),
        ("input=image", "did you mean imagenet?"),
    ],
)
def test_what_cannot_be_varied_is_refused(change, message):
    with pytest.raises(UsageError) as caught:
        vary(PAPER, change)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_variation_that_finds_nothing_to_change_is_refused():
    with pytest.raises(UsageError, match="cifar-18pct has no Dropout to vary: leave this --vary out"):
        vary(CIFAR_18PCT, "dropout=mask")
    with pytest.raises(UsageError, match="has no ResponseNorm to vary"):
        vary(PAPER, "response_norm=off", "response_norm=maps")
    with pytest.raises(UsageError, match="cifar-18pct without=conv2 has no convolution that towers=2 could divide"):
        vary(CIFAR_18PCT, "without=conv2", "towers=2")


@pytest.mark.parametrize(
    "start", [SINGLE, CIFAR_11PCT, vary(PAPER, "without=conv3"), vary(PAPER, "towers=1")], ids=lambda start: start.name
)
def test_towers_that_do_not_meet_in_conv3_cannot_be_parted_there(start):
    with pytest.raises(UsageError, match=f"towers that meet in conv3, and {start.name} has none: use it with paper"):
        vary(start, "communication=off")


@pytest.mark.parametrize(
    "change",
    [
        "communication=on",
        "towers=2",
        "response_norm=maps",
        "response_norm_within=layer",
        "pool=overlapping",
        "side=224",
    ],
)
def test_a_change_to_what_is_already_so_names_it(change):
    assert vary(PAPER, change) == replace(PAPER, name=f"paper {change}")

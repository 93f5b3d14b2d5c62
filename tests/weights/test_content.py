from dataclasses import replace
from pathlib import Path

import pytest
import torch

from alexnet.architectures import Start
from alexnet.catalogue import ARCHITECTURES, CAFFE, TORCHVISION, TORCHVISION_NAMES
from alexnet.errors import DataError
from alexnet.layers import FullyConnected
from alexnet.nn.network import Network
from alexnet.weights.content import by_our_names, checked, plain_tensors, resized, shapes, shapes_of, without_sizes

FILE = Path("some.pth")


def by_their_names(network):
    split = ((name.partition("."), tensor) for name, tensor in network.state_dict().items())
    return {f"{TORCHVISION_NAMES[layer]}.{kind}": tensor for (layer, _, kind), tensor in split}


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: f"module.{name}",
        # The ImageNet example of PyTorch spreads AlexNet's features over GPUs, and not its classifier.
        lambda name: name.replace("features.", "features.module."),
    ],
)
def test_torchvisions_names_become_the_papers(torchvision, same, rename):
    found = by_our_names({rename(name): tensor for name, tensor in by_their_names(torchvision).items()}, FILE)
    same(found.tensors, torchvision)
    assert found.architecture.layers == torchvision.architecture.layers
    assert found.input == "imagenet"


def test_our_own_names_stay_and_tell_no_network(ours, same):
    found = by_our_names(ours.state_dict(), FILE)
    same(found.tensors, ours)
    assert (found.architecture, found.input, found.classes, found.statistics) == (None, None, None, None)


def test_the_names_of_another_network_are_counted_and_the_first_is_told():
    names = [f"layer{n}.0.conv1.weight" for n in range(1, 5)] + ["conv1.weight", "fc.bias"]
    with pytest.raises(
        DataError, match=r"some.pth .* 4 of its 6 names .* first is layer1.0.conv1.weight: give"
    ) as caught:
        by_our_names({name: torch.ones(2) for name in names}, FILE)
    assert len(str(caught.value)) < 300


def test_torchvisions_names_mixed_with_ours_belong_to_nothing():
    with pytest.raises(DataError, match=r"1 of its 2 names .* first is features.0.weight"):
        by_our_names({"features.0.weight": torch.ones(2), "conv2.bias": torch.ones(2)}, FILE)
    with pytest.raises(DataError, match="another network"):
        by_our_names({"conv1.bias": torch.ones(2), "module.conv1.bias": torch.ones(2)}, FILE)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_fractions_become_float32_exactly(kind):
    values = [1.5, -0.25, 3.0]
    (tensor,) = checked({"fc6.bias": torch.tensor(values, dtype=kind)}, FILE).values()
    assert tensor.dtype == torch.float32
    assert tensor.tolist() == values


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (torch.tensor([1, 2]), "is of int64"),
        (torch.tensor([True]), "is of bool"),
        (torch.tensor([1 + 2j]), "is of complex64"),
        (torch.tensor([1.0, float("nan")]), "NaN or infinity"),
        (torch.tensor([float("-inf"), 1.0]), "NaN or infinity"),
        (torch.tensor([1e300], dtype=torch.float64), "NaN or infinity"),
        (torch.empty(0), "is empty"),
        (torch.eye(2).to_sparse(), "no plain tensor"),
        (torch.empty(2, device="meta"), "no plain tensor"),
        ([1.0, 2.0], "no plain tensor"),
    ],
)
def test_what_is_no_weight_is_refused_by_name(value, reason):
    with pytest.raises(DataError, match=rf"some.pth: fc6.bias .*{reason}"):
        checked({"conv1.bias": torch.ones(2), "fc6.bias": value}, FILE)


def test_no_tensors_at_all_are_refused():
    with pytest.raises(DataError, match=r"some\.pth holds no weights"):
        checked({}, FILE)
    with pytest.raises(DataError, match=r"some\.pth holds no weights"):
        by_our_names({}, FILE)


@pytest.mark.parametrize("name", ["cifar-11pct", "single"])
def test_shapes_are_those_of_the_network(name):
    assert shapes(ARCHITECTURES[name]) == shapes_of(Network(ARCHITECTURES[name]).state_dict())


def test_a_network_that_no_machine_could_hold_is_refused():
    absurd = replace(CAFFE, layers=(FullyConnected("fc6", 10**30),), start=(Start("fc6"),))
    with pytest.raises(DataError, match="no network that can be made"):
        shapes(absurd)
    twice = replace(CAFFE, layers=(FullyConnected("forward", 2),), start=(Start("forward"),))
    with pytest.raises(DataError, match="no network that can be made"):
        shapes(twice)


def test_sizes_are_read_off_the_tensors(torchvision):
    tensors = plain_tensors(torchvision)
    found = resized(TORCHVISION, tensors)
    assert found.layers == torchvision.architecture.layers
    assert found.name == "torchvision resized"
    assert resized(TORCHVISION, {name: tensors[name] for name in ("conv1.weight", "conv1.bias")}).classes == 1000
    assert (
        resized(TORCHVISION, {"conv1.weight": torch.ones(64, 3, 11, 11), "conv1.bias": torch.ones(64)}) == TORCHVISION
    )
    assert resized(CAFFE, tensors) is None  # conv2 sees 4 maps there, and 2 of a tower here
    five = {"fc8.weight": torch.ones(5, 4096), "fc8.bias": torch.ones(5)}
    assert resized(TORCHVISION, five) == TORCHVISION.with_classes(5)


def test_layers_are_alike_whatever_their_sizes(caffe, caffenet):
    assert without_sizes(caffe.architecture.layers) == without_sizes(CAFFE.layers)
    assert without_sizes(caffe.architecture.layers) != without_sizes(caffenet.architecture.layers)

"""Small networks of the layouts that other programs know: the forms of files do not depend on sizes."""

import os
from dataclasses import replace

import pytest
import torch

from alexnet.architectures import Architecture
from alexnet.catalogue import CAFFE, CAFFENET, TORCHVISION
from alexnet.layers import Convolution, FullyConnected

CHANNELS = {"conv1": 4, "conv2": 8, "conv3": 6, "conv4": 10, "conv5": 8}
UNITS = {"fc6": 7, "fc7": 9, "fc8": 5}


def small(base: Architecture) -> Architecture:
    layers = []
    for layer in base.layers:
        if isinstance(layer, Convolution):
            layer = replace(layer, channels=CHANNELS[layer.name])
        elif isinstance(layer, FullyConnected):
            layer = replace(layer, units=UNITS[layer.name])
        layers.append(layer)
    return replace(base, layers=tuple(layers))


def lively(architecture, seed=0):
    """A network whose weights and biases are all different."""
    from alexnet.nn.network import Network

    network = Network(architecture).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.1, generator=generator)
    return network


@pytest.fixture(scope="session")
def caffe():
    return lively(small(CAFFE))


@pytest.fixture(scope="session")
def caffenet():
    return lively(small(CAFFENET))


@pytest.fixture(scope="session")
def torchvision():
    return lively(small(TORCHVISION))


@pytest.fixture(scope="session")
def ours(tiny_network):
    return lively(tiny_network)


@pytest.fixture
def statistics():
    import numpy as np

    from alexnet.data.store import Statistics

    chance = np.random.default_rng(0)
    return Statistics(
        chance.random((8, 8, 3), np.float32), *(chance.random(3) for _ in range(3)), colour_axes=chance.random((3, 3))
    )


class Gadget:
    """What a hostile pickle holds: reading it would make a folder."""

    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.fixture
def gadget(tmp_path, monkeypatch):
    """Give a gadget; afterwards nothing of it may have run."""
    monkeypatch.chdir(tmp_path)
    yield Gadget()
    assert not (tmp_path / "harm").exists()


@pytest.fixture
def same():
    """Compare tensors bit by bit with those of a network."""

    def compare(tensors, network):
        expected = network.state_dict()
        assert tensors.keys() == expected.keys()
        for name, tensor in tensors.items():
            assert tensor.dtype == torch.float32
            assert tensor.is_contiguous()
            assert torch.equal(tensor, expected[name]), name

    return compare


@pytest.fixture
def refused_when_torn(tmp_path):
    """Cut a file off at many places; the reader must refuse each with one line that names the file."""
    from alexnet.errors import DataError

    def check(read, data, places):
        path = tmp_path / "torn"
        for place in places:
            path.write_bytes(data[:place])
            with pytest.raises(DataError, match=r"torn") as caught:
                read(path)
            assert "\n" not in str(caught.value), place

    return check

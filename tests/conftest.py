"""What every test shares: types and shapes checked at run time, no network, a tiny store, network and run."""

import itertools
import signal
import socket
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

# Before the first import of alexnet: every annotated function then checks its arguments and what it returns.
# As for mypy, an int will do where a float is asked for.
install_import_hook("alexnet", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

torch.set_num_threads(1)  # the tensors are tiny: more threads only wait for each other

# What a shell or nohup starts in the background ignores these, and so would all that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse every connection but those to this machine."""
    connect = socket.socket.connect

    def local_only(self, address):
        local = self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost")
        if not local:
            raise OSError(f"tests use no network, but something connects to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(autouse=True)
def seeded():
    """Let no test depend on the tests before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory) -> Path:
    """The folder of a store of drawn pictures, 32 pixels wide, made once; not to be changed."""
    from alexnet.data.preparation import prepare

    path = tmp_path_factory.mktemp("store") / "shapes"
    prepare("shapes", None, path, side=32, count=64)
    return path


@pytest.fixture(scope="session")
def tiny_network():
    """A network with a layer of every kind, for the tiny store's 32 pixels: they are cropped to 24."""
    from alexnet.architectures import Architecture, Start
    from alexnet.layers import Activation, AdaptivePool, Convolution, Dropout, FullyConnected, Pool, ResponseNorm

    layers = (
        *(Convolution("conv1", 8, 5, 2, (0, 1)), Activation("relu1"), ResponseNorm("norm1"), Pool("pool1")),
        *(Convolution("conv2", 12, 3, padding=(1, 1), towers=2), Activation("relu2"), Pool("pool2", "average")),
        *(Convolution("conv3", 8, 2, shared=False), Activation("relu3", "tanh"), AdaptivePool("adaptive5", 2)),
        *(FullyConnected("fc6", 24), Activation("relu6"), Dropout("dropout6")),
        *(FullyConnected("fc7", 16), Activation("relu7"), Dropout("dropout7", kind="inverted")),
        FullyConnected("fc8", 10),
    )
    start = tuple(Start(name) for name in ("conv1", "conv2", "conv3", "fc6", "fc7", "fc8"))
    return Architecture("tiny", layers, start, input_side=24)


@pytest.fixture(scope="session")
def tiny_recipe():
    """Two epochs of three updates; what differs from the paper's recipe makes tiny networks learn."""
    from alexnet.recipes import FAST

    return FAST.with_changes(epochs=2, batch_size=16, lr=0.02, precision="float32")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, tiny_store, tiny_network, tiny_recipe) -> Path:
    """The folder of a finished run on the tiny store, made once; not to be changed."""
    from alexnet.training.loop import train

    return train(tiny_store, tiny_network, tiny_recipe, tmp_path_factory.mktemp("run") / "tiny").path


@pytest.fixture
def stop_at_check(monkeypatch):
    """Stop a training as Ctrl-C does, at its nth chance to stop: there is one after each update and measured batch."""
    from alexnet.stopping import Stop, Stopped

    def arrange(number):
        checks = itertools.count(1)

        def check(self):
            if next(checks) == number:
                raise Stopped

        monkeypatch.setattr(Stop, "check", check)

    return arrange


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """A folder of picture files in three classes and splits; sizes, formats and orientations differ."""
    import numpy as np
    from PIL import Image

    top = tmp_path_factory.mktemp("photos")
    chance = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 3)):
        for shade, kind in enumerate(("cats", "dogs", "emus")):
            (top / split / kind).mkdir(parents=True)
            for number in range(count):
                height, width = chance.integers(33, 90, 2)
                image = Image.fromarray(chance.integers(40 * shade, 256, (height, width, 3), np.uint8))
                exif = Image.Exif()
                exif[0x0112] = 1 + number
                image.save(top / split / kind / f"{number}.{('jpg', 'png', 'webp')[number % 3]}", exif=exif)
    return top


@pytest.fixture(scope="session")
def photo_store(tmp_path_factory, photos) -> Path:
    """The folder of a store of these, 32 pixels wide, with the splits train and test; not to be changed."""
    from alexnet.data.preparation import prepare

    path = tmp_path_factory.mktemp("store") / "photos"
    prepare("folder", photos, path, side=32)
    return path

"""Experiments on the drawn set in place of real pictures, with small networks."""

import pytest


@pytest.fixture
def on_drawn_pictures(monkeypatch):
    """Let an experiment's module prepare drawn pictures, whatever it asks for; more where it asks for more to score."""
    from alexnet.data.preparation import prepare

    def arrange(module):
        def drawn(kind, source, path, *, limit):
            assert (kind, source.name) == ("cifar10", "cifar-10-batches-py")
            return prepare("shapes", None, path, side=32, count=64 if limit.get("test", 0) <= 100 else 128)

        monkeypatch.setattr(module, "prepare", drawn)

    return arrange


@pytest.fixture
def features(tmp_path):
    """A folder with a file of convolutions: torchvision's names and shapes; weights 0, biases 1."""
    import numpy as np

    from alexnet.catalogue import TORCHVISION, TORCHVISION_NAMES
    from alexnet.nn.network import Network
    from alexnet.variations import vary

    network = Network(vary(TORCHVISION, "side=63", "classes=2"))
    arrays = {
        f"{TORCHVISION_NAMES[layer]}.{kind}": np.full(
            tuple(network.get_parameter(f"{layer}.{kind}").shape), kind == "bias", np.float32
        )
        for layer in ("conv1", "conv2", "conv3", "conv4", "conv5")
        for kind in ("weight", "bias")
    }
    np.savez(tmp_path / "torchvision_alexnet_features.npz", **arrays)
    return tmp_path

"""What every test shares: types and shapes checked at run time, no network, and one tiny store."""

import socket
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

# Before the first import of alexnet: every annotated function then checks its arguments and what it returns.
# As for mypy, an int will do where a float is asked for.
install_import_hook("alexnet", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

torch.set_num_threads(2)  # the tensors are tiny: more threads only wait for each other


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

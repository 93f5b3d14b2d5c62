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

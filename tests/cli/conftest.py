"""The command, run in this process as its entry point would, in an empty folder."""

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Run `alexnet WORDS` in an empty folder."""
    from alexnet.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as leave:
            code = leave.code
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture(scope="module")
def photo_run(tmp_path_factory, photo_store, tiny_network, tiny_recipe):
    """The folder of a run on photographs of three classes."""
    from alexnet.training.loop import train

    path = tmp_path_factory.mktemp("run") / "photos"
    return train(photo_store, tiny_network, tiny_recipe.with_changes(batch_size=9), path).path

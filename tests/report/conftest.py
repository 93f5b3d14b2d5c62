"""A run's log, as the tests of figures and pages read it."""

import json

import pytest


def line(epoch, **changes):
    entry = {"epoch": epoch, "images_seen": 64 * epoch, "lr": 0.01, "train_loss": 2 / epoch, "train_top1": 0.5}
    entry |= {"val_loss": 2.5 / epoch, "val_top1": 0.4, "val_top5": None, "images_per_second": 9.0, "seconds": 1.0}
    return json.dumps(entry | changes) + "\n"


@pytest.fixture
def logged(tmp_path):
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "log.jsonl").write_text(line(1) + line(2, lr=0.001) + line(3, lr=0.001))
    return folder


# Names that would do something if they were taken for anything but text.
HOSTILE = ["<img src=x onerror=hacked=1>", "<script>hacked=1<!--", "a & b \"c\" 'd'", "\u202etac", "x" * 200]


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory, tiny_network, tiny_recipe):
    """The folder of a run whose classes, pictures and folders have hostile names."""
    import numpy as np
    from PIL import Image

    from alexnet.data.preparation import prepare
    from alexnet.training.loop import train

    top, chance = tmp_path_factory.mktemp("hostile"), np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 4)):
        for shade, kind in enumerate(HOSTILE):
            (top / "photos" / split / kind).mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(40 * shade, 256, (40, 50, 3), np.uint8)
                Image.fromarray(pixels).save(top / "photos" / split / kind / f"<b>{number}.png")
        (top / "photos" / split / HOSTILE[0] / "<i>notes<i>.txt").write_text("no picture")
    store = prepare("folder", top / "photos", top / "<u>store", side=32)
    return train(store, tiny_network, tiny_recipe.with_changes(batch_size=10), top / "<b>run").path


@pytest.fixture(scope="session")
def account(tiny_run, tmp_path_factory):
    """All about the tiny run."""
    import shutil

    from alexnet.report.account import account_of

    return account_of(shutil.copytree(tiny_run, tmp_path_factory.mktemp("told") / "tiny"))


@pytest.fixture(scope="session")
def hostile(hostile_run):
    """All about the run with hostile names."""
    from alexnet.report.account import account_of

    return account_of(hostile_run)


@pytest.fixture(scope="session")
def bare(tiny_run, tmp_path_factory):
    """All about a run whose store is gone."""
    import shutil

    from alexnet.report.account import account_of

    path = shutil.copytree(tiny_run, tmp_path_factory.mktemp("bare") / "bare")
    facts = json.loads((path / "store.json").read_text())
    (path / "store.json").write_text(json.dumps(facts | {"path": "/no/such/store"}))
    return account_of(path)

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

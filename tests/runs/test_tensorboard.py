"""Tests of alexnet.runs.tensorboard: what is written is read back by TensorBoard's own reader."""

import sys
import warnings

import pytest

from alexnet.errors import UsageError
from alexnet.runs.journal import Journal
from alexnet.runs.tensorboard import FOLDER, EventFiles, refuse_missing

UPDATES = [{"update": n, "images_seen": 8 * n, "lr": 0.01, "loss": 2 / n, "top1": n / 100} for n in (10, 20, 30)]
EPOCHS = [
    {"epoch": n, "images_seen": 160 * n, "val_loss": 1 / n, "val_top1": 0.5, "val_top5": None, "images_per_second": 9.0}
    for n in (1, 2)
]


def curves(run):
    """Read the event files of a run: points by curve."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what TensorBoard imports
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(str(run / FOLDER))
    events.Reload()
    return {name: [(point.step, point.value) for point in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_curves_count_pictures_seen_and_leave_out_what_there_is_not(tmp_path):
    events = EventFiles(tmp_path)
    for row in [*UPDATES, *EPOCHS]:
        events.add(row)
    events.close()
    found = curves(tmp_path)
    assert set(found) == {"train/loss", "train/top1", "train/lr", "val/loss", "val/top1", "images_per_second"}
    assert [step for step, _ in found["train/loss"]] == [80, 160, 240]
    assert [value for _, value in found["train/loss"]] == pytest.approx([0.2, 0.1, 2 / 30])
    assert found["val/loss"] == [(160, 1.0), (320, 0.5)]


def test_a_run_that_goes_on_has_each_row_once(tmp_path):
    journal = Journal(tmp_path)
    with journal.on_tensorboard():
        for row in UPDATES:
            journal.add_update(row)
        journal.write(EPOCHS[:1])
    journal = Journal(tmp_path)
    journal.cut(20)
    with journal.on_tensorboard():
        journal.add_update(UPDATES[2])
        journal.write(EPOCHS)
    found = curves(tmp_path)
    assert [step for step, _ in found["train/loss"]] == [80, 160, 240]
    assert [step for step, _ in found["val/top1"]] == [160, 320]


def test_without_being_asked_nothing_is_written(tmp_path):
    journal = Journal(tmp_path)
    with journal.on_tensorboard(wanted=False):
        journal.add_update(UPDATES[0])
    journal.add_update(UPDATES[1])
    assert not (tmp_path / FOLDER).exists()


def test_where_it_cannot_be_written_training_goes_on_with_a_word(tmp_path, capsys):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    journal = Journal(tmp_path)
    with journal.on_tensorboard():
        journal.add_update(UPDATES[0])
    assert capsys.readouterr().err.endswith(": training goes on without its log\n")
    assert journal.updates.read_text().count("\n") == 1


def test_where_it_is_not_installed_the_way_out_is_named(monkeypatch):
    refuse_missing()
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setattr("alexnet.runs.tensorboard.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'alexnet\[tensorboard\]'"):
        refuse_missing()

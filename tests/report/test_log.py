"""Tests of alexnet.report.log."""

import pytest

from alexnet.errors import DataError
from alexnet.report.log import names_apart, read_log

from .conftest import line


def test_log_is_read_by_columns(logged):
    log = read_log(logged)
    assert log.name == "first"
    assert log["epoch"].tolist() == [1, 2, 3]
    assert log["lr"].tolist() == [0.01, 0.001, 0.001]
    assert log["val_loss"].tolist() == [2.5, 1.25, 2.5 / 3]


def test_runs_of_one_name_are_told_apart_by_the_folders_above(tmp_path):
    first, second = tmp_path / "dogs" / "run", tmp_path / "cats" / "run"
    assert names_apart([first, second]) == ["dogs/run", "cats/run"]
    assert names_apart([first, tmp_path / "cats" / "other"]) == ["run", "other"]
    assert names_apart([first, first]) == ["run", "run"]


def test_an_unfinished_last_line_is_left_out(logged):
    with (logged / "log.jsonl").open("a") as stream:
        stream.write(line(4)[:30])
    assert read_log(logged)["epoch"].tolist() == [1, 2, 3]


def test_an_epoch_that_was_repeated_after_a_resume_counts_once(logged):
    with (logged / "log.jsonl").open("a") as stream:
        stream.write(line(3, train_loss=0.25))
    log = read_log(logged)
    assert log["epoch"].tolist() == [1, 2, 3]
    assert log["train_loss"][-1] == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no log.jsonl in .*: give the folder of a run"),
        ("", "no finished epoch"),
        ("{\n" + line(1), "log.jsonl is damaged"),
        ("3\n", "log.jsonl is damaged"),
        ('{"lr": 1}\n', "log.jsonl is damaged"),
        ("[]\n", "log.jsonl is damaged"),
        (line(1, lr="fast"), "log.jsonl is damaged"),
    ],
)
def test_a_log_that_cannot_be_drawn_is_one_clear_error(tmp_path, text, message):
    if text is not None:
        (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        read_log(tmp_path)

"""Tests of alexnet.runs.journal."""

import json

import pytest

from alexnet.errors import DataError
from alexnet.runs.journal import Journal


def test_rows_come_back_as_they_were_written(tmp_path):
    journal, rows = Journal(tmp_path), [{"epoch": 1, "val_loss": 1 / 3}, {"epoch": 2, "val_loss": None}]
    assert journal.rows() == []
    journal.write(rows)
    assert journal.rows() == rows
    journal.write(rows[:1])
    assert journal.rows() == rows[:1]


def test_equal_rows_are_not_written_again(tmp_path):
    journal = Journal(tmp_path)
    journal.write([])
    assert not (tmp_path / "log.jsonl").exists()
    journal.write([{"epoch": 1}])
    before = (tmp_path / "log.jsonl").stat().st_ino
    journal.write([{"epoch": 1}])
    assert (tmp_path / "log.jsonl").stat().st_ino == before


def test_a_damaged_log_is_one_clear_error(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"epoch": 1}\n{"epo')
    with pytest.raises(DataError, match=r"log.jsonl cannot be read .*: `alexnet resume` writes it anew"):
        Journal(tmp_path).rows()


def test_updates_behind_a_place_and_torn_ones_are_dropped(tmp_path):
    journal = Journal(tmp_path)
    journal.cut(5)
    for update in (10, 20, 30):
        journal.add_update({"update": update})
    with (tmp_path / "updates.jsonl").open("a") as stream:
        stream.write('{"upda{"update": 15}\n[]\n{"update": 12')
    journal.cut(20)
    left = (tmp_path / "updates.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in left] == [{"update": 10}, {"update": 20}]


def test_a_log_that_cannot_be_written_stops_nothing_and_is_told_once(tmp_path, capsys):
    journal = Journal(tmp_path / "gone")
    journal.add_update({"update": 1})
    journal.write([{"epoch": 1}])
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("warning: ")
    assert told[0].endswith(": training goes on without its log")

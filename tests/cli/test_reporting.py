"""Tests of alexnet.cli.reporting: report."""

import json
import shutil

import pytest


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run")


def test_a_page_lies_in_the_run(command, run):
    done = command("report", run)
    assert (done.code, done.out, done.err) == (0, f"{run}/report.html\n", "")
    assert "<h1>run</h1>" in (run / "report.html").read_text()


def test_several_runs_are_one_page_here(command, run, tiny_run, tmp_path):
    done = command("report", run, tiny_run)
    assert (done.code, done.out) == (0, "comparison.html\n")
    text = (tmp_path / "comparison.html").read_text()
    assert "<h1>2 runs compared</h1>" in text
    assert not (run / "features").exists()  # nothing is searched that is not shown


def test_page_store_and_split_may_be_named(command, run, tiny_store, tmp_path):
    (run / "store.json").write_text(json.dumps({"path": "/no/such/store", "digest": "0"}))
    assert command("report", run, "--store", tiny_store, "--split", "train", "--out", "mine.html").code == 0
    assert "pictures of train" in (tmp_path / "mine.html").read_text()


def test_a_page_is_written_without_the_store(command, run):
    (run / "store.json").write_text(json.dumps({"path": "/no/such/store", "digest": "0"}))
    done = command("report", run)
    assert (done.code, done.err) == (0, "")
    assert "There are no pictures on this page" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "mine.pdf"], "end its name in .html"),
        (["--split", "tset"], "has no split tset"),
        (["--store", "no-such-store"], "no-such-store does not exist"),
    ],
)
def test_what_cannot_be_written_is_refused(command, run, words, message):
    done = command("report", run, *words)
    assert done.code == 2
    assert message in done.err
    assert not (run / "report.html").exists()

"""Two commands on one run: one works, the other says who does; no lock outlives its holder."""

import os
import re
import shutil
import signal
import time

import pytest


@pytest.fixture
def holder(start, training, tmp_path):
    """A training that stands still in the middle, holding its run."""
    command = start("train", *training, "--run", "run")
    deadline = time.monotonic() + 30
    while not (tmp_path / "run/latest.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(command.pid, signal.SIGSTOP)
    return command


def test_a_second_command_says_who_holds_the_run_and_changes_nothing(
    alexnet, holder, training, whole, hashing, tmp_path
):
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.name != ".lock"}
    for words in (("train", *training, "--run", "run"), ("resume", "run")):
        done = alexnet(*words)
        assert (done.code, done.out) == (1, "")
        told = rf"error: run is in use by another alexnet command \(process {holder.pid} on \S+, alexnet train .*since"
        assert re.match(told, done.err)
        assert done.err.count("\n") == 1
        assert done.seconds < 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    holder.send(signal.SIGCONT)
    assert holder.wait().code == 0
    assert hashing.end_of(tmp_path / "run") == whole.end
    assert hashing.files_of(tmp_path / "run") == whole.files


def test_whoever_only_reads_is_not_kept_out(alexnet, holder, tmp_path):
    assert alexnet("evaluate", "run", "--json").code == 0


@pytest.mark.parametrize("number", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 20))])
def test_the_lock_of_a_killed_command_is_free_at_once(alexnet, holder, whole, hashing, tmp_path, number):
    holder.kill()
    holder.wait()
    assert alexnet("resume", "run").code == 0
    assert hashing.end_of(tmp_path / "run") == whole.end
    assert hashing.files_of(tmp_path / "run") == whole.files


@pytest.mark.parametrize("number", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 20))])
def test_of_two_that_begin_together_one_works(start, training, whole, hashing, tmp_path, number):
    commands = [start("train", *training, "--run", "run") for _ in range(2)]
    ended = [command.wait() for command in commands]
    # The second may come when the first is done: then it finds a finished run.
    assert sorted(done.code for done in ended) in ([0, 1], [0, 0])
    for done in ended:
        assert done.code == 0 or "run is in use by another alexnet command" in done.err
    assert hashing.end_of(tmp_path / "run") == whole.end
    assert hashing.files_of(tmp_path / "run") == whole.files
    shutil.rmtree(tmp_path / "run")

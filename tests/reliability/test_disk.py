"""A full disk, a place that cannot be written, a file that may not grow: one line, and what was there stays."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from alexnet.runs.checkpoint import Checkpoint

# Room that is left, as shares of a checkpoint: from none to one that falls short by a few bytes.
ROOMS = [0.0, 0.02, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.97]
SHORT = [0.0, 0.4, 0.97]


def some_short(shares):
    return [pytest.param(share, marks=() if share in SHORT else pytest.mark.slow) for share in shares]


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, of 8 MB; it needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk, room):
    """Leave no more than so many bytes; the disk gives whole pages."""
    with open(disk / "ballast", "wb") as stream:
        while (free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize) > room:
            stream.write(bytes(min(free - room, 1 << 20)))
            stream.flush()


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


TOLD = r"error: .*(no room for the checkpoints of run|cannot write \S+): ?.*[\d.,]+ MB needed, [\d.,]+ MB free there.*"


@pytest.mark.parametrize("room", some_short(ROOMS))
def test_a_disk_that_fills_while_training_keeps_what_was_saved(start, alexnet, disk, training, whole, hashing, room):
    words = ("train", *training, "--run", "run")
    command = start(*words, "--save-every", "0", cwd=disk)
    wait_for((disk / "run/latest.json").exists)
    os.kill(command.pid, signal.SIGSTOP)
    time.sleep(0.02)
    size = (hashing.newest(whole.path)).stat().st_size
    fill(disk, int(room * size))
    kept = {file: file.read_bytes() for file in (disk / "run/checkpoints").glob("*.safetensors")}
    assert kept
    os.kill(command.pid, signal.SIGCONT)
    ended = command.wait()
    assert ended.code == 1, ended
    assert re.fullmatch(TOLD, ended.line), ended.line
    whole_ones = [file for file in (disk / "run/checkpoints").glob("*.safetensors") if Checkpoint.read(file)]
    assert whole_ones, "nothing is left to go on from"
    assert not [file for file in (disk / "run").rglob(".*") if file.name != ".lock"], "litter on a full disk"
    (disk / "ballast").unlink()
    assert alexnet(*words, cwd=disk).code == 0
    assert hashing.end_of(disk / "run") == whole.end
    assert hashing.files_of(disk / "run") == whole.files


@pytest.mark.parametrize("room", [0.0, 1.0, 2.5])
def test_a_disk_without_room_is_told_before_the_first_step(alexnet, disk, training, whole, hashing, room):
    fill(disk, int(room * hashing.newest(whole.path).stat().st_size))
    done = alexnet("train", *training, "--run", "run", cwd=disk)
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(TOLD, done.line)
    assert not (disk / "run").exists()


@pytest.mark.parametrize("room", some_short(ROOMS))
def test_a_file_that_may_not_grow_keeps_what_was_saved(alexnet, training, whole, hashing, tmp_path, room):
    """Without any rights: the system refuses to let a file grow beyond a limit (RLIMIT_FSIZE)."""
    words = ("train", *training, "--run", "run")
    assert alexnet(*words, environment={"ALEXNET_FAULT": "log-written:1"}).code == -9
    newest = hashing.newest(tmp_path / "run")
    kept = newest.read_bytes()
    limit = int(room * len(kept))
    done = alexnet("resume", "run", limits={"RLIMIT_FSIZE": max(limit, 2000)})  # the message needs room as well
    assert done.code == 1, done
    assert re.fullmatch(
        r"error: cannot write \S+: File too large, [\d.,]+ MB needed, [\d.,]+ MB free there.*", done.line
    )
    assert newest.read_bytes() == kept
    assert Checkpoint.read(newest)
    assert alexnet(*words).code == 0
    assert hashing.end_of(tmp_path / "run") == whole.end
    assert hashing.files_of(tmp_path / "run") == whole.files


@pytest.fixture
def read_only(disk):
    """Make the disk read-only, which binds root too."""

    def make():
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

    return make


def test_a_read_only_place_is_one_line(alexnet, disk, read_only, training, whole):
    shutil.copytree(whole.path, disk / "run")
    read_only()
    for words in (("train", *training, "--run", "new"), ("prepare", "shapes", "store"), ("demo",)):
        done = alexnet(*words, cwd=disk)
        assert (done.code, done.out) == (1, ""), done
        assert re.fullmatch(r"error: cannot write .*Read-only file system.*", done.line)
        assert done.err.count("error:") == 1
    # What only reads needs to write nothing.
    for words in (("evaluate", "run"), ("verify", "run"), ("data", training[0]), ("info", "paper")):
        done = alexnet(*words, cwd=disk)
        assert done.code == 0, done.err


def test_a_log_that_cannot_be_written_stops_nothing(alexnet, training, whole, hashing, tmp_path):
    words = ("train", *training, "--run", "run")
    assert alexnet(*words, environment={"ALEXNET_FAULT": "step-done:1"}).code == -9
    (tmp_path / "run/updates.jsonl").mkdir()
    (tmp_path / "run/log.jsonl").mkdir()
    done = alexnet(*words)
    assert "training goes on without its log" in done.err
    assert done.code == 0
    assert "curves.png" not in done.out
    for name in ("updates.jsonl", "log.jsonl"):
        (tmp_path / "run" / name).rmdir()
        shutil.copy(whole.path / name, tmp_path / "run")
    assert hashing.end_of(tmp_path / "run") == whole.end

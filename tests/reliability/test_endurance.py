"""Two thousand steps with a checkpoint at each: no memory, no file and no process is left over."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

PROC = Path("/proc")
GROWTH = 1.05


def memory_of(pid):
    """Bytes that the process has in memory, and how many files it has open."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
    return 1024 * kilobytes, len(os.listdir(PROC / str(pid) / "fd"))


@pytest.fixture
def quick_disk():
    """Memory as a disk, where there is any: the test is of the program, not of how long a disk takes."""
    top = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=top if top.is_dir() and os.access(top, os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not PROC.exists(), reason="only Linux tells of a process what is asked here")
@pytest.mark.parametrize("steps", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_steps_that_are_all_saved_leave_nothing_over(start, training, quick_disk, record_property, steps):
    words = ("train", *training, "--epochs", steps // 8, "--save-every", "0", "--run", "run", "--schedule", "constant")
    command = start(*words, cwd=quick_disk)
    updates = quick_disk / "run/updates.jsonl"
    measured = []
    deadline = time.monotonic() + 110
    while not measured or measured[-1][0] < steps - 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        done = updates.read_text().count("\n") * 5 if updates.exists() else 0  # rows at 8, 10, 16, 20, 24 …
        try:
            measured.append((done, *memory_of(command.pid)))
        except (FileNotFoundError, ProcessLookupError, ValueError):
            break
    ended = command.wait()
    assert ended.code == 0, ended.err
    training_only = [row for row in measured if steps / 10 <= row[0] < steps * 0.97]
    assert len(training_only) >= 10
    tenth = len(training_only) // 10 or 1
    first, last = (
        sorted(row[1] for row in part)[len(part) // 2] for part in (training_only[:tenth], training_only[-tenth:])
    )
    assert last <= GROWTH * first
    files = [row[2] for row in training_only]
    assert min(files[-tenth:]) <= max(files[:tenth])  # those open for a moment come and go
    assert len(list((quick_disk / "run/checkpoints").iterdir())) == 2
    record_property("memory", f"{first / 1e6:.1f} MB, then {last / 1e6:.1f} MB")

"""Ctrl-C and SIGTERM at every kind of moment: the right exit code within seconds, and the end of a run left alone.

To hit a moment for sure, the process is frozen (SIGSTOP) when its files say that it is there, the files are looked at
once more, and the signal is waiting when it thaws.
"""

import json
import os
import re
import shutil
import signal
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

SECONDS = 10
SIGNALS = {"Ctrl-C": (signal.SIGINT, 130), "SIGTERM": (signal.SIGTERM, 143)}
EPOCHS, BATCHES, IMAGES = 3, 8, 768


@pytest.fixture(scope="module")
def longer(launch, tmp_path_factory, training, hashing):
    """A training whose updates and measuring take so long that one can hit them; its words, and its end."""
    folder = tmp_path_factory.mktemp("longer")
    assert launch("prepare", "shapes", "store", "--side", "32", "--count", "1024", cwd=folder).wait().code == 0
    words = ["train", folder / "store", *training[1:], "--batch-size", IMAGES // BATCHES]
    assert launch(*words, "--run", "run", cwd=folder).wait().code == 0
    run = folder / "run"
    return SimpleNamespace(words=words, end=hashing.end_of(run), files=hashing.files_of(run))


def rows_of(run):
    try:
        return [json.loads(line) for line in (run / "updates.jsonl").read_text().splitlines()]
    except (OSError, ValueError):
        return []


def names_in(folder):
    with suppress(OSError):
        return os.listdir(folder)
    return []


def before_the_first_step(run):
    return run.exists() and not (run / "architecture.json").exists()


def in_a_step(run):
    return [row["update"] for row in rows_of(run)] == [8, 10]  # a row every ten updates, and at the end of an epoch


def in_measuring(run):
    saved = [name for name in names_in(run / "checkpoints") if name.startswith((f"{IMAGES}.", f".{IMAGES}."))]
    return [row["update"] for row in rows_of(run)] == [8] and not saved


def in_a_save(run):
    return any(re.match(r"\.\d+\.safetensors\.tmp-", name) for name in names_in(run / "checkpoints"))


def in_making_the_best(run):
    return any(name.startswith(".best.safetensors.tmp-") for name in names_in(run))


MOMENTS = [before_the_first_step, in_a_step, in_measuring, in_a_save]
MOMENTS += [pytest.param(in_making_the_best, marks=pytest.mark.slow)]


def freeze(command, run, there):
    """Freeze a process when it is there; False if it went by too quickly."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if there(run):
            os.kill(command.pid, signal.SIGSTOP)
            time.sleep(0.02)  # until it stands still
            if there(run):
                return True
            os.kill(command.pid, signal.SIGCONT)
            if there is not in_a_save and there is not in_making_the_best:  # those come again
                return False
        try:
            os.kill(command.pid, 0)
        except ProcessLookupError:
            return False
    raise AssertionError("it hangs")


@pytest.fixture
def frozen(start, longer, tmp_path):
    """Start the training, and freeze it at a moment; a miss begins again."""

    def catch(there, *more):
        for _ in range(20):
            command = start(*longer.words, "--run", "run", *more)
            if freeze(command, tmp_path / "run", there):
                return command
            command.wait()
            shutil.rmtree(tmp_path / "run")
        raise AssertionError(f"{there.__name__} was missed 20 times")

    return catch


@pytest.fixture
def ends_the_same(alexnet, longer, hashing, tmp_path):
    def check():
        done = alexnet(*longer.words, "--run", "run")
        assert done.code == 0, done.err
        assert hashing.end_of(tmp_path / "run") == longer.end
        assert hashing.files_of(tmp_path / "run") == longer.files

    return check


@pytest.mark.parametrize("there", MOMENTS, ids=lambda there: there.__name__)
@pytest.mark.parametrize("way", SIGNALS)
def test_stopped_it_saves_and_goes_on_to_the_same_end(frozen, ends_the_same, tmp_path, there, way):
    number, code = SIGNALS[way]
    command = frozen(there)
    command.send(number)
    command.send(signal.SIGCONT)
    ended = command.wait(SECONDS)
    assert ended.code == code, ended
    assert ended.line.startswith("error: ")
    if there is not before_the_first_step:
        assert re.fullmatch(r"error: stopped after [\d,]+ images; go on with: alexnet resume run", ended.line)
        saved = json.loads((tmp_path / "run/latest.json").read_text())["images_seen"]
        wanted = {in_a_step: range(IMAGES * 10 // 8, IMAGES * 2), in_measuring: [IMAGES]}
        assert saved in wanted.get(there, range(IMAGES, 3 * IMAGES))
    assert not [name for name in names_in(tmp_path / "run/checkpoints") if name.startswith(".")]
    ends_the_same()


@pytest.mark.parametrize(
    "there",
    [in_a_save, *(pytest.param(m, marks=pytest.mark.slow) for m in MOMENTS[1:3])],
    ids=lambda there: there.__name__,
)
def test_a_second_ctrl_c_leaves_at_once(frozen, ends_the_same, tmp_path, there):
    command = frozen(there)
    command.send(signal.SIGINT)
    command.send(signal.SIGCONT)
    time.sleep(0.003)
    with suppress(ProcessLookupError):
        command.send(signal.SIGINT)
    assert command.wait(2).code == 130
    ends_the_same()


@pytest.mark.parametrize("delay", [0.02, *(pytest.param(delay, marks=pytest.mark.slow) for delay in (0.0, 0.05))])
@pytest.mark.parametrize("way", SIGNALS)
def test_stopped_while_it_still_gets_ready(start, ends_the_same, longer, way, delay):
    """Before there is a run at all, or something that could be saved; a shell shows 128 and the signal."""
    number, code = SIGNALS[way]
    command = start(*longer.words, "--run", "run")
    time.sleep(delay)
    command.send(number)
    assert command.wait(SECONDS).code in (code, -number)
    ends_the_same()


def test_stopped_again_and_again_it_gets_to_the_same_end(start, longer, ends_the_same, tmp_path):
    codes = []
    for _ in range(4):
        command = start(*longer.words, "--run", "run")
        seen = names_in(tmp_path / "run/checkpoints")
        deadline = time.monotonic() + 30
        # Something new was saved, or learned.
        before = len(rows_of(tmp_path / "run"))
        while names_in(tmp_path / "run/checkpoints") == seen and len(rows_of(tmp_path / "run")) <= before:
            assert time.monotonic() < deadline
        with suppress(ProcessLookupError):
            command.send(signal.SIGTERM)
        codes.append(command.wait(SECONDS).code)
    assert set(codes) <= {143, 0}
    assert codes[0] == 143
    ends_the_same()

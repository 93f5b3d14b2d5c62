"""Killed at any moment and started again by the same command, a run ends as if nothing had happened, and leaves nothing.

Each test is of a run in which everything that has a state is on (see RECIPE in conftest.py). The outside killer knows
nothing of the program; the named points are those at which a kill does the most harm.
"""

import json
import random
import shutil
import time

import pytest
import torch

from alexnet.run import Checkpoint

POINTS = (
    *("step-done", "epoch-measured", "checkpoint-begun", "checkpoint-half"),
    *("checkpoint-written", "checkpoint-pointed", "log-written"),
)
EPOCHS = 3
# Which passing is the first, the second and the last: an update is made 24 times, all else once an epoch.
PASSINGS = {point: (1, 2, 24 if point == "step-done" else EPOCHS) for point in POINTS}


def test_the_points_are_named_in_the_program():
    from alexnet.durable import FAULTS

    assert set(POINTS) <= set(FAULTS)


@pytest.fixture
def ends_as_if_nothing_had_happened(alexnet, training, whole, hashing, tmp_path):
    """Go on with a run by the command that began it, or by `resume`; the end must be that of the whole run."""

    def check(by_resume=False):
        run = tmp_path / "run"
        words = ("resume", "run") if by_resume else ("train", *training, "--run", "run")
        done = alexnet(*words)
        assert done.code == 0, done.err
        assert hashing.end_of(run) == whole.end
        assert hashing.files_of(run) == whole.files  # neither litter nor anything missing
        assert not list(tmp_path.glob(".*"))

    return check


@pytest.fixture
def killed(start, training, whole):
    """Begin or go on with the run, and kill it after so many seconds; how it ended."""

    def kill(delay):
        command = start("train", *training, "--run", "run")
        time.sleep(delay)
        command.kill()
        return command.wait()

    return kill


def moments(count, seed):
    """Random moments of a run, as shares of its length; the same ones on every day of the same seed."""
    chance = random.Random(seed)
    return [round(chance.uniform(0, 1.05), 3) for _ in range(count)]


RANDOM = [
    *((moment, ()) for moment in moments(5, 1)),
    *((moment, pytest.mark.slow) for moment in moments(15, 2)),
    *((moment, pytest.mark.release) for moment in moments(200, 3)),
]


@pytest.mark.parametrize("moment", [pytest.param(moment, marks=marks) for moment, marks in RANDOM])
def test_a_kill_at_a_random_moment(killed, whole, ends_as_if_nothing_had_happened, tmp_path, moment):
    ended = killed(moment * whole.seconds)
    assert ended.code in (-9, 0)
    ends_as_if_nothing_had_happened(by_resume=(tmp_path / "run").exists() and moment * 1000 % 2 == 1)


def test_kills_one_after_another(killed, whole, ends_as_if_nothing_had_happened):
    for moment in moments(6, 4):
        killed(moment / 2 * whole.seconds)
    ends_as_if_nothing_had_happened()


NAMED = [
    (point, place, () if place == (number % 3) else pytest.mark.slow)
    for number, point in enumerate(POINTS)
    for place in range(3)
]


@pytest.mark.parametrize(
    ("point", "place"),
    [
        pytest.param(point, place, marks=marks, id=f"{point}-{('first', 'second', 'last')[place]}")
        for point, place, marks in NAMED
    ],
)
def test_a_kill_at_a_named_point(
    alexnet, training, whole, ends_as_if_nothing_had_happened, tmp_path, hashing, point, place
):
    passing = PASSINGS[point][place]
    ended = alexnet("train", *training, "--run", "run", environment={"ALEXNET_FAULT": f"{point}:{passing}"})
    assert ended.code == -9, "the point was never passed"
    whole_ones = [file for file in (tmp_path / "run/checkpoints").glob("*.safetensors")]
    for file in whole_ones:
        Checkpoint.read(file)  # what has its final name is never half
    lost = images_lost(tmp_path / "run", point, passing)
    assert lost <= 48, "more than the epoch that ran"
    ends_as_if_nothing_had_happened(by_resume=place == 1)


def images_lost(run, point, passing):
    """Pictures that the killed run had learned from behind the checkpoint that it is resumed from."""
    seen = 6 * passing if point == "step-done" else 48 * passing
    latest = run / "latest.json"
    return seen - (json.loads(latest.read_text())["images_seen"] if latest.exists() else 0)

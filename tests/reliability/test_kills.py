"""Killed at any moment and started again, a run ends as if nothing had happened, and leaves nothing over.

Each test is of a run in which everything that has a state is on (see RECIPE in conftest.py). The outside killer knows
nothing of the program; the named points are those at which a kill does the most harm.
"""

import json
import random
import shutil
import time

import pytest
import torch

from alexnet.runs.run import Checkpoint

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
def killed(start, training, whole, tmp_path):
    """Begin or go on with the run, and kill it at a moment, a share of the time that training takes."""

    def kill(moment):
        while True:
            command = start("train", *training, "--run", "run")
            time.sleep(moment * whole.seconds)
            command.kill()
            ended = command.wait()
            if ended.code == -9:
                return
            assert ended.code == 0, ended.err
            shutil.rmtree(tmp_path / "run")  # it was quicker than the run that told the time
            moment *= 0.8

    return kill


def moments(count, seed):
    """Random moments of a run, a little beyond the end of the training too: then the pictures are drawn."""
    chance = random.Random(seed)
    return [chance.uniform(0, 1.2) for _ in range(count)]


RANDOM = [(moment, ()) for moment in moments(5, 1)]
RANDOM += [(moment, pytest.mark.slow) for moment in moments(15, 2)]
RANDOM += [(moment, pytest.mark.release) for moment in moments(200, 3)]


@pytest.mark.parametrize(
    ("number", "moment"), [pytest.param(n, moment, marks=marks, id=f"{n}") for n, (moment, marks) in enumerate(RANDOM)]
)
def test_a_kill_at_a_random_moment(killed, ends_as_if_nothing_had_happened, tmp_path, number, moment):
    killed(moment)
    is_a_run = (tmp_path / "run/architecture.json").exists()  # which is written last when one is made
    ends_as_if_nothing_had_happened(by_resume=is_a_run and number % 2 == 1)


def test_kills_one_after_another(killed, ends_as_if_nothing_had_happened):
    for moment in (0.6, 0.3, 0.2, 0.4, 0.1):
        killed(moment)
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
    for file in (tmp_path / "run/checkpoints").glob("*.safetensors"):
        Checkpoint.read(file)  # what has its final name is whole
    lost = images_lost(tmp_path / "run", point, passing)
    assert lost <= 48, "more than the epoch that ran"
    ends_as_if_nothing_had_happened(by_resume=place == 1)


@pytest.mark.parametrize("passing", [1, 3, 5])
def test_a_kill_while_the_run_is_made(alexnet, training, ends_as_if_nothing_had_happened, tmp_path, passing):
    words = ("train", *training, "--run", "run")
    assert alexnet(*words, environment={"ALEXNET_FAULT": f"file-written:{passing}"}).code == -9
    assert not (tmp_path / "run/architecture.json").exists()
    ends_as_if_nothing_had_happened()


def test_what_a_killed_making_was_asked_is_forgotten(alexnet, training, tmp_path):
    begun = ("train", *training, "--run", "run")
    assert alexnet(*begun, environment={"ALEXNET_FAULT": "file-written:5"}).code == -9
    assert (tmp_path / "run/weights.json").exists()
    other = ("train", training[0], "--arch", "cifar-18pct", "--vary", "side=24", "--epochs", "1", "--run", "run")
    for _ in range(2):
        assert alexnet(*other).code == 0
    assert not (tmp_path / "run/weights.json").exists()


def images_lost(run, point, passing):
    """Pictures that the killed run had learned from behind the checkpoint that it is resumed from."""
    seen = 6 * passing if point == "step-done" else 48 * passing
    latest = run / "latest.json"
    return seen - (json.loads(latest.read_text())["images_seen"] if latest.exists() else 0)


# What a checkpoint is for: without any one part of it, the end is another. Else the tests above would prove nothing.


@pytest.fixture(scope="module")
def stopped(launch, tmp_path_factory, training):
    """A run that was killed in the middle of its last epoch, with a checkpoint after every update."""
    folder = tmp_path_factory.mktemp("stopped")
    words = ("train", *training, "--run", "run", "--save-every", "0")
    assert launch(*words, cwd=folder, environment={"ALEXNET_FAULT": "step-done:21"}).wait().code == -9
    return folder / "run"


def without_velocity(tensors, facts):
    tensors |= {name: torch.zeros_like(tensor) for name, tensor in tensors.items() if name.startswith("optimizer.")}


def without_random_state(tensors, facts):
    tensors["random.cpu"] = torch.Generator().manual_seed(1).get_state()


def without_position(tensors, facts):
    facts["batch"] = 0


def without_schedule(tensors, facts):
    facts["schedule"] = {"best_error": None, "epochs_since_best": 0, "drops": 0}


def without_average(tensors, facts):
    tensors |= {
        name: tensors[name.replace("average.", "network.")].clone() for name in tensors if name.startswith("average.")
    }


def without_tally(tensors, facts):
    tensors["tally.loss"] = torch.zeros_like(tensors["tally.loss"])


def without_history(tensors, facts):
    facts["history"] = []


@pytest.mark.parametrize(
    ("leave_out", "same"),
    [
        (lambda tensors, facts: None, True),
        *((leave, False) for leave in (without_velocity, without_random_state, without_position)),
        *((leave, False) for leave in (without_schedule, without_average, without_tally, without_history)),
    ],
    ids=lambda value: getattr(value, "__name__", "").removeprefix("without_").strip("<>") if callable(value) else "",
)
def test_each_part_of_the_state_is_needed(alexnet, stopped, whole, hashing, tmp_path, leave_out, same):
    shutil.copytree(stopped, tmp_path / "run")
    newest = hashing.newest(tmp_path / "run")
    checkpoint = Checkpoint.read(newest)
    tensors, facts = dict(checkpoint.tensors), dict(checkpoint.facts)
    assert (facts["epoch"], facts["batch"]) == (2, 4)
    leave_out(tensors, facts)
    Checkpoint(tensors, facts).write(newest)
    done = alexnet("resume", "run")
    assert done.code == 0, done.err
    assert (hashing.end_of(tmp_path / "run") == whole.end) is same

"""Tests of alexnet.training.saving."""

import math
import re
import signal

import pytest
import torch

from alexnet.data.store import Store
from alexnet.errors import Diverged, Interrupted
from alexnet.runs.run import Run
from alexnet.training.divergence import Guard, NotFinite
from alexnet.training.learner import Learner
from alexnet.training.saving import Saver


@pytest.fixture
def make(tiny_store, tiny_network, tiny_recipe, tmp_path):
    """Make a saver of a learner that has made one update."""

    def made(every=5.0):
        store, network = Store(tiny_store), tiny_network.with_he_start()
        learner = Learner(store, network, tiny_recipe, torch.device("cpu"))
        run = Run.create(tmp_path / "run", network, tiny_recipe, store)
        learner.count(torch.tensor(2.0), torch.zeros(16, 10), torch.zeros(16, dtype=torch.int64))
        return Saver(learner, run, Guard(learner.network.parameters(), learner.optimizer), every)

    return made


def saved(saver):
    return sorted(path.name for path in (saver.run.path / "checkpoints").iterdir())


def test_it_is_due_after_so_many_minutes(make, monkeypatch):
    saver, now = make(every=2.0), [1000.0]
    monkeypatch.setattr("alexnet.training.saving.time.monotonic", lambda: now[0])
    saver.save()
    now[0] += 119
    assert not saver.due
    now[0] += 1
    assert saver.due
    saver.save()
    assert not saver.due


def test_what_saving_costs_is_told_once(make):
    saver = make()
    saver.save()
    saver.save_best()
    assert saver.seconds > 0
    assert re.fullmatch(r"saved in \d+\.\d s", saver.told())
    assert saver.told() == "saved in 0.0 s"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_not_saved(make, value):
    saver = make()
    saver.learner.network.get_parameter("fc6.bias").data[3] = value
    with pytest.raises(NotFinite, match="largest weight"):
        saver.save()
    assert saved(saver) == []


def leave(saver, number=signal.SIGINT):
    with saver.leaving_well() as stop:
        signal.raise_signal(number)
        stop.check()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_asked_to_stop_it_saves_and_says_how_to_go_on(make, number, code):
    saver = make()
    with pytest.raises(Interrupted, match=r"stopped after 16 images; go on with: alexnet resume .*run") as caught:
        leave(saver, number)
    assert caught.value.exit_code == code
    assert saved(saver) == ["16.safetensors"]


def test_what_is_saved_already_is_not_saved_again(make):
    saver = make()
    saver.save()
    before = (saver.run.path / "checkpoints/16.safetensors").stat().st_ino
    with pytest.raises(Interrupted):
        leave(saver)
    assert (saver.run.path / "checkpoints/16.safetensors").stat().st_ino == before


def test_what_is_not_finite_is_told_with_the_place_what_is_left_and_advice(make):
    saver = make()

    def diverge():
        with saver.leaving_well():
            raise NotFinite("gradient", math.inf, 1)

    start = r"the gradient is inf in epoch 1 after 1 updates, at rate 0\.0\d+; "
    with pytest.raises(
        Diverged,
        match=f"{start}no checkpoint was saved yet; train again, into a new --run, with --lr 0.002 or a longer",
    ):
        diverge()
    saver.save()
    with pytest.raises(Diverged, match=f"{start}the last good checkpoint is .*/16.safetensors; train again"):
        diverge()

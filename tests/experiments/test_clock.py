"""Tests of alexnet.experiments.clock."""

import json
from dataclasses import replace

import pytest

from alexnet.catalogue import CIFAR_18PCT
from alexnet.errors import AlexNetError, UsageError
from alexnet.experiments import clock
from alexnet.experiments.clock import Way, clocked, processor_seconds, typed
from alexnet.recipes import FAST, load_recipe
from alexnet.variations import vary

WAY = Way("cifar-18pct", ("side=24", "width=0.25"), FAST, 10)


@pytest.fixture
def commands(monkeypatch):
    """The commands that are typed, none of which is run; training takes 2 seconds and 3 of processors."""
    given, times = [], iter([10.0, 12.0, 20.0, 22.0])
    spent = iter([5.0, 8.0, 8.0, 11.0])

    def answer(words):
        given.append(words)
        return json.dumps({"top1": 0.75}) if words[0] == "evaluate" else ""

    monkeypatch.setattr(clock, "typed", answer)
    monkeypatch.setattr(clock.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(clock, "processor_seconds", lambda: next(spent))
    return given


def test_a_way_is_typed_as_two_commands_and_clocked(commands, tmp_path):
    timed = clocked(WAY, tmp_path / "store", tmp_path / "run", 3)
    assert (timed.top1, timed.seconds, timed.processor_seconds) == (0.75, 2.0, 3.0)
    train, evaluate = commands
    recipe = train[train.index("--recipe") + 1]
    assert load_recipe(recipe) == FAST
    assert train == [
        *("train", str(tmp_path / "store"), "--arch", "cifar-18pct", "--recipe", recipe, "--seed", "3"),
        *("--run", str(tmp_path / "run"), "--vary", "side=24", "--vary", "width=0.25"),
    ]
    assert evaluate == ["evaluate", str(tmp_path / "run"), "--crops", "10", "--json"]


def test_what_was_clocked_to_its_end_is_not_done_again(commands, tmp_path):
    first = clocked(WAY, tmp_path / "store", tmp_path / "run", 3)
    assert clocked(WAY, tmp_path / "store", tmp_path / "run", 3) == first
    assert len(commands) == 2


@pytest.mark.parametrize(
    ("other", "seed"), [(WAY.with_changes(epochs=9), 3), (replace(WAY, crops=1), 3), (WAY, 4)], ids=str
)
def test_what_was_clocked_in_another_way_is_not_taken_for_this_one(commands, tmp_path, other, seed):
    clocked(WAY, tmp_path / "store", tmp_path / "run", 3)
    with pytest.raises(UsageError, match=r"run\.json was clocked in another way"):
        clocked(other, tmp_path / "store", tmp_path / "run", seed)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), AlexNetError("it failed")], ids=["stopped", "failed"])
def test_what_was_stopped_goes_on_and_all_its_time_counts(commands, monkeypatch, tmp_path, error):
    answer = clock.typed

    def stopped(words):
        (tmp_path / "run").mkdir()
        raise error

    monkeypatch.setattr(clock, "typed", stopped)
    with pytest.raises(type(error)):
        clocked(WAY, tmp_path / "store", tmp_path / "run", 3)
    assert commands == []
    monkeypatch.setattr(clock, "typed", answer)
    timed = clocked(WAY, tmp_path / "store", tmp_path / "run", 3)
    assert (timed.top1, timed.seconds, timed.processor_seconds) == (0.75, 4.0, 6.0)
    assert (tmp_path / "run").exists()


def test_what_was_killed_is_begun_anew(commands, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "half").touch()
    timed = clocked(WAY, tmp_path / "store", tmp_path / "run", 3)
    assert not (tmp_path / "run").exists()
    assert timed.seconds == 2.0


def test_the_network_is_the_named_one_varied():
    assert WAY.network == vary(CIFAR_18PCT, "side=24", "width=0.25")
    assert WAY.with_changes(epochs=7).recipe == FAST.with_changes(epochs=7)
    assert WAY.with_changes(epochs=7).crops == 10


def test_a_command_runs_in_a_process_of_its_own_and_a_failure_is_told():
    before = processor_seconds()
    assert typed(["--help"]).startswith("usage: alexnet")
    assert processor_seconds() > before
    with pytest.raises(AlexNetError, match="alexnet unheard-of ended with 2"):
        typed(["unheard-of"])

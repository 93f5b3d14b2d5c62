"""Each schedule of the rate against its formula."""

import json
import math

import numpy as np
import pytest

from alexnet.recipes import FAST, PAPER
from alexnet.schedule import Schedule


def test_linear_and_cosine_rise_and_fall_to_zero() -> None:
    linear = Schedule(FAST.with_changes(lr=0.2, epochs=10, warmup_epochs=2.0))
    assert [linear.rate(x) for x in (0.0, 1.0, 2.0, 6.0, 10.0, 11.0)] == pytest.approx([0, 0.1, 0.2, 0.1, 0, 0])
    cosine = Schedule(FAST.with_changes(lr=0.2, epochs=10, warmup_epochs=2.0, schedule="cosine"))
    positions = np.linspace(0, 10, 41)
    way = np.clip((positions - 2) / 8, 0, 1)
    expected = 0.2 * np.minimum(1, positions / 2) * np.cos(np.pi * way / 2) ** 2
    np.testing.assert_allclose([cosine.rate(float(x)) for x in positions], expected, atol=1e-15)


def test_steps_drop_at_the_start_of_their_epochs() -> None:
    schedule = Schedule(PAPER.with_changes(schedule="steps", lr_steps=[30, 60]))
    assert [schedule.rate(x) for x in (0.0, 29.99, 30.0, 59.9, 60.0, 89.0)] == pytest.approx(
        [0.01, 0.01, 0.001, 0.001, 1e-4, 1e-4]
    )


def test_constant_stays_and_whole_warmup_is_allowed() -> None:
    schedule = Schedule(PAPER.with_changes(schedule="constant", epochs=4, warmup_epochs=4.0))
    assert [schedule.rate(x) for x in (0.0, 2.0, 4.0)] == pytest.approx([0, 0.005, 0.01])
    Schedule(PAPER.with_changes(schedule="linear", epochs=4, warmup_epochs=4.0)).rate(4.0)


def test_plateau_divides_three_times_and_ends_when_the_error_stands_still_again() -> None:
    schedule = Schedule(PAPER.with_changes(lr_patience=2))
    errors = [0.9, 0.8, 0.8, 0.85, 0.7, 0.7, 0.71, 0.72, 0.73, 0.69, 0.69, math.nan]
    rates, finished = [], []
    for error in errors:
        schedule.after_epoch(error)
        rates.append(schedule.rate(1.0))
        finished.append(schedule.finished)
    expected = [0.01] * 3 + [1e-3] * 3 + [1e-4] * 2 + [1e-5] * 4
    assert rates == pytest.approx(expected)
    assert finished == [False] * 11 + [True]


def test_schedules_without_a_plateau_never_finish_by_themselves() -> None:
    schedule = Schedule(FAST)
    for _ in range(100):
        schedule.after_epoch(0.5)
    assert not schedule.finished
    assert schedule.state_dict() == {"best_error": None, "epochs_since_best": 0, "drops": 0}


def test_schedule_state_goes_through_json() -> None:
    recipe = PAPER.with_changes(lr_patience=2)
    whole, first = Schedule(recipe), Schedule(recipe)
    errors = [0.5, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4]
    for cut, error in enumerate(errors):
        resumed = Schedule(recipe)
        resumed.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
        first = resumed
        for schedule in (whole, first):
            schedule.after_epoch(error)
        assert whole.state_dict() == first.state_dict(), cut
    assert whole.rate(1.0) == first.rate(1.0) == pytest.approx(1e-4)


def test_stairs_are_equally_long() -> None:
    schedule = Schedule(PAPER.with_changes(schedule="stairs", lr_drops=3, lr_drop_factor=2, epochs=10))
    positions = (0.0, 2.4, 2.5, 4.9, 5.0, 7.4, 7.5, 9.9, 10.0)
    assert [schedule.rate(x) for x in positions] == pytest.approx(
        [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025, 0.00125, 0.00125, 0.00125]
    )
    whole = Schedule(PAPER.with_changes(schedule="stairs", lr_drops=0))
    assert whole.rate(89.0) == 0.01

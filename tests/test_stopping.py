"""Tests of alexnet.stopping."""

import signal

import pytest

from alexnet.stopping import Terminated, end_at_sigterm, stop_at_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_the_next_check_and_not_before(number):
    left, steps, before = [], [], signal.getsignal(number)
    with stop_at_signals(left.append) as stop:
        stop.check()
        signal.raise_signal(number)
        steps.append("done")
        stop.check()
        steps.append("too late")
    assert (left, steps) == ([number], ["done"])
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("second", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_second_signal_ends_at_once_even_while_saving(second, error):
    def stopped_twice():
        with stop_at_signals(lambda number: signal.raise_signal(second)) as stop:
            signal.raise_signal(signal.SIGINT)
            stop.check()

    with pytest.raises(error):
        stopped_twice()


def test_sigterm_ends_a_block_as_ctrl_c_does():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), end_at_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert issubclass(Terminated, KeyboardInterrupt)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_at_signals(lambda number: None) as stop:
            signal.raise_signal(signal.SIGINT)
            stop.check()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

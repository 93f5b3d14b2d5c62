"""Tests of alexnet.stopping."""

import signal

import pytest

from alexnet.stopping import Terminated, end_when_terminated, exit_code, stop_at_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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


@pytest.mark.parametrize(("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_second_signal_ends_at_once_even_while_saving(second, code):
    def stopped_twice():
        with stop_at_signals(lambda number: signal.raise_signal(second)) as stop:
            signal.raise_signal(signal.SIGINT)
            stop.check()

    with pytest.raises(KeyboardInterrupt) as caught:
        stopped_twice()
    assert exit_code(caught.value) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_terminates_ends_a_block_as_ctrl_c_does(number):
    before = signal.getsignal(number)
    with pytest.raises(Terminated) as caught, end_when_terminated():
        signal.raise_signal(number)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.signal == number
    assert signal.getsignal(number) is before


def test_a_closed_terminal_is_heard_once_though_shell_and_kernel_tell_of_it():
    before, left = signal.getsignal(signal.SIGHUP), []

    def save(number):
        signal.raise_signal(signal.SIGHUP)
        left.append(number)

    with stop_at_signals(save) as stop:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        stop.check()
    assert left == [signal.SIGHUP]
    assert signal.getsignal(signal.SIGHUP) is before


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_at_signals(lambda number: None) as stop:
            signal.raise_signal(signal.SIGINT)
            stop.check()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

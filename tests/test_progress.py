"""Tests of alexnet.progress."""

import os
import pty
import select
import sys
import termios
from contextlib import contextmanager, suppress

import pytest

from alexnet import progress
from alexnet.progress import Progress, duration, say


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on only when it is told to."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (200, "3:20"), (3599.9, "1:00:00"), (3725, "1:02:05")],
)
def test_times_are_written_as_people_do(seconds, text):
    assert duration(seconds) == text


# Without a terminal.


def test_without_a_terminal_there_is_a_plain_line_now_and_then(clock, capsys):
    with Progress("epoch 1/3", 50_000) as work:
        for _ in range(40):
            clock.now += 1
            work.advance(100, "loss 2.303 · top-1 10.0%")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "  epoch 1/3: 1,500 of 50,000, 8:05 left · 100 images/s · loss 2.303 · top-1 10.0%",
        "  epoch 1/3: 3,000 of 50,000, 7:50 left · 100 images/s · loss 2.303 · top-1 10.0%",
    ]


def test_what_was_done_before_counts_for_the_way_but_not_for_the_speed(clock, capsys):
    with Progress("epoch 2/3", 1000, done=700) as work:
        clock.now += 20
        work.advance(100)
    assert capsys.readouterr().err == "  epoch 2/3: 800 of 1,000, 40 s left · 5 images/s\n"


def test_figures_are_due_when_a_line_is(clock):
    work = Progress("training", 100)
    assert not work.due()
    clock.now += 15
    assert work.due()
    work.advance(1)
    assert not work.due()


def test_somebody_else_can_keep_the_count(clock, capsys):
    with Progress("preparing", None) as work:
        work.reached(10, None)
        clock.now += 16
        work.reached(32, None)
        clock.now += 16
        work.reached(64, 128)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "  preparing: 32 · 2 images/s"
    assert second == "  preparing: 64 of 128, 32 s left · 2 images/s"


def test_nothing_is_written_to_standard_output(clock, capsys):
    with Progress("work", 10, "pages") as work:
        clock.now += 60
        work.advance(5)
        say("done")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "  work: 5 of 10, 1:00 left · 0 pages/s\ndone\n")


def test_a_closed_standard_error_is_no_fault(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    with Progress("work", 10) as work:
        work.advance(5)
        say("done")
    assert capsys.readouterr().out == ""


# On a terminal.


@contextmanager
def terminal(monkeypatch):
    """Let standard error be a terminal; the function that it gives tells what was written there."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 100))
    with os.fdopen(writer, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:

        def shown_now():
            stream.flush()
            shown = b""
            while select.select([reader], [], [], 0.2)[0]:
                shown += os.read(reader, 1 << 16)
            return shown.decode()

        patch.setattr(sys, "stderr", stream)
        yield shown_now
    os.close(reader)


def test_on_a_terminal_there_is_a_bar_with_speed_and_time_left(monkeypatch, clock):
    with terminal(monkeypatch) as shown_now, Progress("epoch 1/3", 200, done=50) as work:
        assert not work.due()
        clock.now += 1
        assert work.due()
        work.advance(50, "loss 2.303")
        assert not work.due()
        work.advance(10)
        work.bar.refresh()  # the bar draws itself ten times a second
        shown = shown_now()
    last = shown.split("\r")[-1]
    assert last.startswith("epoch 1/3:  55%|")
    assert "110/200" in last
    assert "images/s" in last
    assert "loss 2.303" in last  # stays until there are newer figures
    assert "<" in last  # passed < left


def test_a_line_goes_above_the_bar_and_the_bar_goes_when_the_work_is_done(monkeypatch):
    with terminal(monkeypatch) as shown_now:
        with Progress("preparing", None) as work:
            work.reached(5, 10)
            assert work.bar.total == 10
            say("a line")
            shown = shown_now()
        assert "\ra line\r\n" in shown
        assert not shown_now().split("\r")[-1].strip()


def test_a_standard_error_that_cannot_be_written_stops_nothing(monkeypatch):
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        say("a line")
        with Progress("working", 3) as progress:
            progress.advance(1)
        monkeypatch.undo()
        with suppress(OSError):
            full.close()

"""Stopping when asked: Ctrl-C, SIGTERM and SIGHUP (the terminal was closed), and what they may interrupt."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Stopped(Exception):
    """A signal asked to stop, and nothing is in the middle of a change."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP asked to end at once; it takes the way of a Ctrl-C, which every clean-up knows.

    Attributes:
        signal: Which of them.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def exit_code(interruption: KeyboardInterrupt) -> int:
    """Give the code that shells give to what a signal ended: 128 and its number."""
    return 128 + (interruption.signal if isinstance(interruption, Terminated) else signal.SIGINT)


@dataclass
class Stop:
    """Whether a signal asked to stop, and which."""

    signal: int | None = None

    def check(self) -> None:
        """Stop here if asked to."""
        if self.signal is not None:
            raise Stopped


@contextmanager
def stop_at_signals(leave: Callable[[int], None]) -> Iterator[Stop]:
    """Let the first Ctrl-C, SIGTERM or SIGHUP ask to stop at the next `check`; a second one ends at once.

    Args:
        leave: Called with the signal when the block has stopped for it; to save. Signals are still heard then.
    """
    stop = Stop()

    def ask(number: int, frame: object) -> None:
        if stop.signal is not None:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)
        stop.signal = number

    with heard(ask, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        try:
            yield stop
        except Stopped:
            leave(stop.signal or signal.SIGINT)


@contextmanager
def end_when_terminated() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, so that what is half done is cleaned up."""

    def end(number: int, frame: object) -> None:
        raise Terminated(number)

    with heard(end, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def heard(handler: Callable[[int, object], None], *numbers: int) -> Iterator[None]:
    """Let a handler have these signals while the block runs."""
    # Python lets only the main thread have a say in signals.
    heard_here = numbers if threading.current_thread() is threading.main_thread() else ()
    # What whoever started this lets it ignore, as a shell does Ctrl-C for what runs in the background, stays ignored.
    heard_here = tuple(number for number in heard_here if signal.getsignal(number) is not signal.SIG_IGN)

    def hear(number: int, frame: object) -> None:
        if number == signal.SIGHUP:
            # Of a terminal that closes both the shell and the kernel tell; the second word must not hurry the first.
            signal.signal(number, signal.SIG_IGN)
        handler(number, frame)

    before = {number: signal.signal(number, hear) for number in heard_here}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)

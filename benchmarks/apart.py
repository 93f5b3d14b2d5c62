"""A contestant in a process of its own: it waits until it is told to work, and tells how long that took.

How a process keeps its memory, and what a first use leaves behind, is a matter of the whole process: contestants that
share one would change each other.
"""

import multiprocessing
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

import torch

from alexnet.machine.memory import keep_memory

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
PATIENCE = 10.0  # seconds that a process has to end by itself

Work = Callable[[], object]


@dataclass(frozen=True)
class Turn:
    """What came of a turn.

    Attributes:
        seconds: It took.
        peak: Most memory that the process held meanwhile, in bytes; 0 where the system does not tell.
    """

    seconds: float
    peak: int


class Failed(Exception):
    """A contestant did not do its work; the message says whose and why."""


class Apart:
    """Some work in another process."""

    def __init__(self, name: str, make: Callable[[], Work], threads: int, keep: bool = False) -> None:
        """Start the process.

        Args:
            name: Whose work it is, for messages.
            make: Prepares the work, in the other process.
            threads: That PyTorch uses there.
            keep: Whether the process keeps the memory that it frees, as one that trains with this library does.
        """
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, make, threads, keep))
        self._process.start()
        there.close()

    def turn(self, times: int) -> Turn:
        """Let it work so often.

        Raises:
            Failed: If it could not.
        """
        try:
            self._here.send(times)
            result = self._here.recv()
        except (EOFError, ConnectionError) as error:
            self._process.join()
            ended = f"{self.name} ended by itself (exit code {self._process.exitcode})"
            raise Failed(f"{ended}: look whether there is memory enough") from error
        if isinstance(result, str):
            raise Failed(f"{self.name} failed: {result}")
        return result

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._here.close()
        if kind is None:
            self._process.join(PATIENCE)
        self._process.terminate()
        self._process.join()


def _serve(connection: Connection, make: Callable[[], Work], threads: int, keep: bool) -> None:
    """Work when told to, until nobody is there any longer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the program that began this one, and so this one
    torch.set_num_threads(threads)
    if keep:
        keep_memory()
    try:
        work = make()
        while True:
            times = connection.recv()
            _forget_peak()
            begun = time.perf_counter()
            for _ in range(times):
                work()
            connection.send(Turn(time.perf_counter() - begun, _peak()))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}".splitlines()[0])


def _forget_peak() -> None:
    """Let the greatest amount of memory be counted from now on, where the system can."""
    try:
        CLEAR.write_text("5")  # proc(5)
    except OSError:
        return


def _peak() -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text()) if STATUS.is_file() else None
    return int(found[1]) << 10 if found else 0

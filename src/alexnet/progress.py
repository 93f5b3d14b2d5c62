"""Progress for people: a bar on a terminal, a plain line now and then elsewhere; always on standard error."""

import sys
import time
from contextlib import suppress
from types import TracebackType

from tqdm import tqdm

# Seconds between plain lines where there is no terminal.
LINE_EVERY = 15.0
# Seconds between new figures on a bar; to read them from an accelerator makes it wait.
FIGURES_EVERY = 0.2


def say(text: str) -> None:
    """Write a line for people, above a bar if there is one."""
    if sys.stderr is not None:  # closed by whoever started this
        # Whoever read it may have left, as `| head` does, or the disk that it went to is full; the work goes on.
        with suppress(OSError):
            tqdm.write(text, file=sys.stderr)


def duration(seconds: float) -> str:
    """Write a time as people do: 45 s, 3:20, 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}" if minutes else f"{rest} s"


class Progress:
    """How far a piece of work is, with its rate and the time left; a context manager."""

    def __init__(self, what: str, total: int | None, unit: str = "images", done: int = 0) -> None:
        """Begin.

        Args:
            what: The work, in a word or two.
            total: How many units there are; None if nobody knows yet.
            unit: What is counted.
            done: How many of them were done before.
        """
        self.what, self.total, self.unit = what, total, unit
        self.done, self.done_before = done, done
        self.begun = self.last_shown = time.monotonic()
        self.bar = None
        if sys.stderr is not None and sys.stderr.isatty():
            form = {"desc": what, "unit": f" {unit}", "leave": False, "dynamic_ncols": True}
            self.bar = tqdm(total=total, initial=done, file=sys.stderr, **form)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            with suppress(OSError):
                self.bar.close()

    def due(self) -> bool:
        """Whether figures would be shown now; costly ones can wait for it."""
        return time.monotonic() - self.last_shown >= (LINE_EVERY if self.bar is None else FIGURES_EVERY)

    def advance(self, units: int, figures: str = "") -> None:
        """Count finished units and show the figures beside them."""
        self.done += units
        if self.bar is not None:
            if figures:
                self.last_shown = time.monotonic()
                self.bar.set_postfix_str(figures, refresh=False)
            with suppress(OSError):  # the terminal is gone
                self.bar.update(units)
        elif self.due():
            self.last_shown = time.monotonic()
            rate = (self.done - self.done_before) / max(self.last_shown - self.begun, 1e-9)
            left = (
                f" of {self.total:,}, {duration((self.total - self.done) / rate)} left" if self.total and rate else ""
            )
            say(f"  {self.what}: {self.done:,}{left} · {rate:,.0f} {self.unit}/s{' · ' + figures if figures else ''}")

    def reached(self, done: int, total: int | None) -> None:
        """Take the count from somebody who keeps it; the form that `prepare` calls."""
        if self.bar is not None and total is not None:
            self.bar.total = total
        self.total = total
        self.advance(done - self.done)

"""The log of a run: `log.jsonl` has one row per epoch, `updates.jsonl` one per ten updates.

Checkpoints hold the rows of `log.jsonl` too, so that a log which cannot be written stops nothing.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alexnet.durable import write_atomic
from alexnet.errors import AlexNetError, DataError
from alexnet.progress import say
from alexnet.runs.tensorboard import EventFiles

LOG, UPDATES = "log.jsonl", "updates.jsonl"


class Journal:
    """The two logs in the folder of a run."""

    def __init__(self, run: Path) -> None:
        self.log, self.updates = run / LOG, run / UPDATES
        self._warned = False
        self._events: EventFiles | None = None
        self._shown = 0  # rows of epochs that the event files have

    def rows(self) -> list[dict[str, Any]]:
        """Read the rows of the epochs.

        Raises:
            DataError: If the file is damaged.
        """
        try:
            return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise DataError(f"{self.log} cannot be read ({error}): `alexnet resume` writes it anew") from error

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write the rows of all epochs, if they are others than those there."""
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()

        def write() -> None:
            if (self.log.read_bytes() if self.log.is_file() else b"") != data:
                write_atomic(self.log, data)

        def show(events: EventFiles) -> None:
            for row in rows[self._shown :]:
                events.add(row)
            self._shown = len(rows)

        self._try(write)
        self._show(show)

    def add_update(self, row: dict[str, Any]) -> None:
        """Add a row to `updates.jsonl`."""

        def write() -> None:
            with open(self.updates, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

        self._try(write)
        self._show(lambda events: events.add(row))

    @contextmanager
    def on_tensorboard(self, wanted: bool = True) -> Iterator[None]:
        """Write for TensorBoard, too, while the block runs: the rows so far, and those that are added."""
        if not wanted:
            yield
            return
        self._shown = 0
        self._try(self._open)
        try:
            yield
        finally:
            self._show(EventFiles.close)
            self._events = None

    def _open(self) -> None:
        self._events = EventFiles(self.log.parent)
        for line in self.updates.read_bytes().splitlines(keepends=True) if self.updates.exists() else []:
            if math.isfinite(_update_of(line)):
                self._events.add(json.loads(line))
        self.write(self.rows())

    def _show(self, shown: Callable[[EventFiles], None]) -> None:
        if (events := self._events) is not None:
            self._try(lambda: shown(events))

    def cut(self, update: int) -> None:
        """Drop the rows of `updates.jsonl` after an update, and what was torn."""

        def write() -> None:
            lines = self.updates.read_bytes().splitlines(keepends=True) if self.updates.exists() else []
            kept = [line for line in lines if _update_of(line) <= update]
            if kept != lines:
                write_atomic(self.updates, b"".join(kept))

        self._try(write)

    def _try(self, write: Callable[[], None]) -> None:
        """Let training go on when only its log cannot be written; say so once."""
        try:
            write()
        except (OSError, AlexNetError) as error:
            if not self._warned:
                say(f"warning: {error}: training goes on without its log")
            self._warned = True


def _update_of(line: bytes) -> float:
    """Give the update that a row tells of; infinity if it is torn."""
    try:
        return float(json.loads(line)["update"]) if line.endswith(b"\n") else math.inf
    except (ValueError, KeyError, TypeError):
        return math.inf

"""The logs of a run as TensorBoard reads them."""

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alexnet.errors import UsageError

FOLDER = "tensorboard"
# What is drawn of each row, by the names that TensorBoard shows: of ten updates, and of an epoch.
UPDATE = {"train/loss": "loss", "train/top1": "top1", "train/lr": "lr"}
EPOCH = {f"val/{name}": f"val_{name}" for name in ("loss", "top1", "top5")} | {"images_per_second": "images_per_second"}


def refuse_missing() -> None:
    """Refuse to write for TensorBoard where it is not installed.

    Raises:
        UsageError: If it is not.
    """
    if find_spec("tensorboard") is None:
        raise UsageError("--tensorboard needs tensorboard: pip install 'alexnet[tensorboard]', or leave it out")


class EventFiles:
    """The folder `tensorboard` of a run, for `tensorboard --logdir RUN` or a folder of runs.

    The horizontal axis counts pictures seen, so that runs with other batch sizes compare.
    """

    def __init__(self, run: Path) -> None:
        """Begin anew: what an earlier command left is removed, the caller adds the rows so far.

        Raises:
            UsageError: If tensorboard is not installed.
        """
        refuse_missing()
        from torch.utils.tensorboard import SummaryWriter

        shutil.rmtree(run / FOLDER, ignore_errors=True)
        # Seconds until what was added is on the disk; someone watches.
        self._writer = SummaryWriter(run / FOLDER, flush_secs=5)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row of `log.jsonl` or of `updates.jsonl`."""
        for name, field in (EPOCH if "epoch" in row else UPDATE).items():
            if row[field] is not None:
                self._writer.add_scalar(name, row[field], row["images_seen"])

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()

"""Prepares a small store in processes that are killed; a script, so that torch is loaded only once.

    killing.py FOLDER points NTH         at every fault point, at its nth passing
    killing.py FOLDER moments COUNT      at COUNT random moments

Prints a JSON line for each kill: what stood in the folder then, and after the same preparation was run again.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from alexnet.data import plan, shards
from alexnet.data.preparation import prepare
from alexnet.data.store import Store, verify_store
from alexnet.durable import FAULT_VARIABLE, PREPARATION_FAULTS
from alexnet.errors import AlexNetError

SIDE, COUNT = 16, 32
plan.SHARD_BYTES = 13 * SIDE * SIDE * 3
shards.CHUNK_BYTES = 5 * SIDE * SIDE * 3


def run(store: Path, workers: int) -> None:
    prepare("shapes", None, store, side=SIDE, count=COUNT, workers=workers)


def tree(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def state(store: Path, whole: dict[str, bytes]) -> str:
    """Tell whether the folder opens, and as what."""
    try:
        Store(store)
    except AlexNetError:
        return "refused" if store.exists() else "absent"
    return "whole" if verify_store(store) == [] and tree(store) == whole else "wrong"


def killed(store: Path, fault: str | None, delay: float | None, workers: int) -> int:
    """Prepare in a process that is killed; the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        if fault:
            os.environ[FAULT_VARIABLE] = fault
        run(store, workers)
        os._exit(0)
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def main(top: Path, how: str, count: int) -> None:
    run_time = time.monotonic()
    killed(top / "wanted", None, None, 1)
    run_time = time.monotonic() - run_time
    whole = tree(top / "wanted")
    chance = random.Random(time.time_ns())
    if how == "points":
        jobs = [(f"{name}:{count}", None) for name in PREPARATION_FAULTS]
    else:
        jobs = [(None, chance.uniform(0, 1.1 * run_time)) for _ in range(count)]
    for fault, delay in jobs:
        folder = top / "here"
        folder.mkdir()
        store = folder / "store"
        old = fault is not None and fault == "folder-aside:1"
        if old:  # it is passed only when something is replaced
            killed(store, None, None, 1)
        ended = killed(store, fault, delay, chance.choice([1, 3]))
        before = state(store, whole)
        left = [file.name for file in folder.glob(".store.unfinished/notes/*.note")]
        killed(store, None, None, chance.choice([1, 3]))
        after = state(store, whole)
        litter = sorted(file.name for file in folder.iterdir())
        told = {"at": fault or delay, "signal": ended, "before": before, "notes": len(left), "after": after}
        sys.stdout.write(json.dumps({**told, "litter": litter}) + "\n")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

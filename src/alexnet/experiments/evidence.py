"""Evidence of an experiment: rows beside what was printed, kept with the logs that they come from."""

import datetime
import math
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from alexnet import rotation
from alexnet.architectures import Architecture
from alexnet.data.store import Store
from alexnet.durable import write_json
from alexnet.errors import UsageError
from alexnet.experiments.page import shown
from alexnet.progress import say
from alexnet.recipe import Recipe
from alexnet.runs.run import Run
from alexnet.training.loop import resume, train
from alexnet.training.preflight import resolve
from alexnet.weights import Weights


@dataclass(frozen=True)
class Row:
    """One figure: what was printed, what came out.

    Attributes:
        label: What was measured.
        metric: `top1`, `top5`, `loss` …
        printed: The value that the source prints, on the same scale; None where it prints none.
        values: One value a seed.
        seeds: The seeds.
        note: What the reader must know beside it.
    """

    label: str
    metric: str
    printed: float | None
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    note: str = ""

    def to_json(self) -> dict[str, object]:
        """Give the row as `result.json` has it."""
        # JSON has no number for a run that diverged.
        known = not any(map(math.isnan, self.values))
        mean = statistics.fmean(self.values) if known else None
        deviation = statistics.stdev(self.values) if known and len(self.values) > 1 else None
        rest = {key: value for key, value in asdict(self).items() if key != "values"}
        return {**rest, "mean": mean, "sd": deviation}


def machine() -> dict[str, object]:
    """Say what ran this."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            name = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass  # no Linux: the architecture's name has to do
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": accelerator,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def commit() -> str:
    """Name the commit that the code is at; `+` says that files were changed since."""
    package = Path(__file__).parent.parent

    def git(*words: str) -> str:
        try:
            done = subprocess.run(["git", *words], cwd=package, capture_output=True, text=True, check=False)  # noqa: S603, S607
        except OSError:
            return ""  # no git on this machine
        return done.stdout.strip() if done.returncode == 0 else ""

    # Installed, the package may lie in a repository that is not its own.
    name = git("rev-parse", "HEAD") if git("ls-files", "errors.py") else ""
    return (name + ("+" if git("status", "--porcelain", "--", ".") else "")) if name else "unknown"


def finished_run(
    store: Store, architecture: Architecture, recipe: Recipe, path: Path, weights: Weights | None = None
) -> Run:
    """Train, or go on with what an earlier call began; of a finished run the best network stays, and no checkpoint.

    The newest checkpoints of sixty million weights take a gigabyte, and an experiment has a dozen runs.

    Raises:
        UsageError: If the folder holds the run of another network or recipe.
        DataError: If it holds one on other pictures.
    """
    say(f"{path.name}: {architecture.name}, {recipe.epochs} epochs of {len(store.splits['train']):,} images")
    run = Run(path) if Run.lies_at(path) else None
    # The log is written behind the first checkpoint: with a log and no checkpoint, the run was finished.
    if run is None or not (run.has_checkpoint or run.log()):
        shutil.rmtree(path, ignore_errors=True)
        run = train(store, architecture, recipe, path, weights=weights)
    elif (run.recipe, run.architecture) != (recipe, resolve(architecture, recipe, store, weights)):
        raise UsageError(f"{path} holds the run of another network or recipe: remove it, or choose another --work")
    elif run.has_checkpoint:
        run = resume(path)
    else:
        run.store()
    rotation.forget(path)
    return run


def keep(
    folder: Path,
    name: str,
    command: str,
    minutes: float,
    rows: Sequence[Row],
    verdict: str,
    runs: dict[str, Run],
    files: Sequence[str] = ("recipe.json", "architecture.json", "log.jsonl"),
) -> None:
    """Write `result.json`, and beside it recipe, architecture and log of each run.

    Args:
        folder: Of this experiment's evidence; made if need be.
        name: Of the experiment.
        command: That makes it again.
        minutes: Time of all trainings and evaluations.
        rows: The figures.
        verdict: What they say, in a sentence.
        runs: By label and seed, as `ours-0`.
        files: Of each run that are kept; a run that diverged may lack some.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Runs of an earlier form of the experiment are no evidence for these figures.
    shutil.rmtree(folder / "runs", ignore_errors=True)
    for label, run in runs.items():
        kept = folder / "runs" / label
        kept.mkdir(parents=True, exist_ok=True)
        for file in files:
            if (run.path / file).is_file():
                shutil.copyfile(run.path / file, kept / file)
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    facts = {
        "name": name,
        "command": command,
        "commit": commit(),
        "date": date,
        "machine": machine(),
        "minutes": round(minutes, 1),
    }
    write_json(folder / "result.json", {**facts, "rows": [row.to_json() for row in rows], "verdict": verdict})


def table(rows: Sequence[Row]) -> str:
    """Lay the figures out for people."""
    lines = [f"{'':68} {'printed':>9} {'here':>9}"]
    for row in rows:
        here, printed = shown(row.metric, statistics.fmean(row.values)), shown(row.metric, row.printed)
        lines.append(f"{row.label:68} {printed:>9} {here:>9}  {row.metric}{'  ' + row.note if row.note else ''}")
    return "\n".join(lines)

"""Evidence of an experiment: rows beside what was printed, kept with the logs that they come from."""

import datetime
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from alexnet import rotation
from alexnet.architectures import Architecture
from alexnet.data.store import Store
from alexnet.durable import write_json
from alexnet.errors import Diverged, UsageError
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
        values = [None if math.isnan(value) else value for value in self.values]
        return {**asdict(self), "values": values, "mean": mean, "sd": deviation}


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


def makers_file(path: Path) -> Path:
    """Name the file beside a run that says what trained it."""
    return path.with_name(f"{path.name}.made.json")


def makers(path: Path) -> list[dict[str, Any]]:
    """Say which commit trained a run on which machine; several where it went on under another, none if nobody noted."""
    file = makers_file(path)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def note_maker(path: Path, goes_on: bool) -> None:
    """Note beside a run that this commit and this machine train it now.

    Args:
        path: Of the run.
        goes_on: Whether what others trained of it stays.
    """
    earlier, now = makers(path) if goes_on else [], {"commit": commit(), "machine": machine()}
    if now not in earlier:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(makers_file(path), [*earlier, now])


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
    # The log is written after the first checkpoint: with a log and no checkpoint, the run was finished.
    if run is None or not (run.has_checkpoint or run.log()):
        shutil.rmtree(path, ignore_errors=True)
        note_maker(path, goes_on=False)
        run = train(store, architecture, recipe, path, weights=weights)
    elif (run.recipe, run.architecture) != (recipe, resolve(architecture, recipe, store, weights)):
        raise UsageError(f"{path} holds the run of another network or recipe: remove it, or choose another --work")
    elif run.has_checkpoint:
        note_maker(path, goes_on=True)
        run = resume(path)
    else:
        run.store()
    rotation.forget(path)
    return run


def run_until_diverged(store: Store, architecture: Architecture, recipe: Recipe, path: Path) -> tuple[Run, str]:
    """Train as `finished_run` does; of a training that diverges give what there is of it, and why it ended.

    Returns:
        The run, and a note that is empty where it is finished.
    """
    try:
        return finished_run(store, architecture, recipe, path), ""
    except Diverged as error:
        return Run(path), str(error).split(";")[0]


def folder_name(label: str) -> str:
    """Write a label as the name of a folder: without commas and apostrophes, with dashes for spaces."""
    return label.replace(",", "").replace("'", "").replace(" ", "-")


def copy_run(run: Run, place: Path, files: Sequence[str]) -> None:
    """Copy the small files of a run to a new folder, those that it has, and who made it."""
    place.mkdir(parents=True)
    for source, name in [(run.path / name, name) for name in files] + [(makers_file(run.path), "made.json")]:
        if source.is_file():
            shutil.copyfile(source, place / name)


def keep(
    results: Path,
    name: str,
    minutes: float,
    rows: Sequence[Row],
    verdict: str,
    runs: Mapping[str, Run],
    files: Sequence[str] = ("recipe.json", "architecture.json", "log.jsonl"),
) -> Path:
    """Write `result.json`, and beside it recipe, architecture, log and makers of each run; print the table.

    The commits that it names are those that trained the runs.

    Args:
        results: Folder for evidence; what this experiment left there before is replaced, its pictures too.
        name: Of the experiment.
        minutes: Time of all trainings and evaluations.
        rows: The figures.
        verdict: What they say, in a sentence or two.
        runs: By label and seed, as `ours-0`.
        files: Of each run that are kept; a run that diverged may lack some.

    Returns:
        The folder of its evidence, for pictures.
    """
    folder = results / name
    folder.mkdir(parents=True, exist_ok=True)
    # Runs and pictures of an earlier form of the experiment are no evidence for these figures.
    shutil.rmtree(folder / "runs", ignore_errors=True)
    for picture in folder.glob("*.png"):
        picture.unlink()
    for label, run in runs.items():
        copy_run(run, folder / "runs" / label, files)
    made = [maker for run in runs.values() for maker in makers(run.path)] or [
        {"commit": commit(), "machine": machine()}
    ]
    facts = {
        "name": name,
        "command": f"alexnet reproduce {name}",
        "commit": ", ".join(dict.fromkeys(maker["commit"] for maker in made)),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": made[-1]["machine"],
        "minutes": round(minutes, 1),
    }
    write_json(folder / "result.json", {**facts, "rows": [row.to_json() for row in rows], "verdict": verdict})
    print(table(rows))
    print(f"{verdict}\nevidence: {folder}")
    return folder


def table(rows: Sequence[Row]) -> str:
    """Lay the figures out for people."""
    lines = [f"{'':68} {'printed':>9} {'here':>9}"]
    for row in rows:
        here, printed = shown(row.metric, statistics.fmean(row.values)), shown(row.metric, row.printed)
        lines.append(f"{row.label:68} {printed:>9} {here:>9}  {row.metric}{'  ' + row.note if row.note else ''}")
    return "\n".join(lines)

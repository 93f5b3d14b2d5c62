"""A trial: one way to learn, on several seeds; what an experiment puts beside another one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet.architectures import Architecture
from alexnet.data.split import Split
from alexnet.data.store import Store
from alexnet.evaluation import Evaluation, evaluate
from alexnet.experiments.evidence import Row, finished_run, folder_name
from alexnet.recipe import Recipe
from alexnet.runs.run import Run
from alexnet.weights import Weights

VIEWS = {1: "centre", 2: "centre and mirror", 10: "ten crops"}


@dataclass(frozen=True)
class Trial:
    """Finished runs that differ in their seed alone.

    Attributes:
        label: Of what they have in common, as `ours`.
        runs: By seed.
    """

    label: str
    runs: Mapping[int, Run]

    @staticmethod
    def of(
        label: str,
        store: Store,
        architecture: Architecture,
        recipe: Recipe,
        seeds: Iterable[int],
        work: Path,
        weights: Weights | None = None,
    ) -> "Trial":
        """Train on each seed, or go on with what an earlier call began.

        Args:
            label: Its runs lie in `work`, under `folder_name` of the label, and the seed.
            store: To learn from.
            architecture: What learns.
            recipe: How; its seed is replaced.
            seeds: One training each.
            work: Folder for runs.
            weights: To begin with.

        Raises:
            UsageError: If `work` holds the run of another network or recipe under such a name.
        """
        names = {seed: f"{folder_name(label)}-{seed}" for seed in seeds}
        runs = {
            seed: finished_run(store, architecture, recipe.with_changes(seed=seed), work / name, weights)
            for seed, name in names.items()
        }
        return Trial(label, runs)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in the order of the runs."""
        return tuple(self.runs)

    @property
    def named_runs(self) -> dict[str, Run]:
        """The runs by the names of their folders, as `ours-0`."""
        return {run.path.name: run for run in self.runs.values()}

    @property
    def seconds(self) -> float:
        """Time of all trainings, their evaluations on `val` included."""
        return sum(row["seconds"] for run in self.runs.values() for row in run.log())

    def evaluations(self, split: Split, crops: int = 1) -> list[Evaluation]:
        """Score every run on a split."""
        return [evaluate([run.trained()], split, crops) for run in self.runs.values()]

    def row(
        self, results: Sequence[Evaluation], metric: str = "top1", printed: float | None = None, note: str = ""
    ) -> Row:
        """Give one figure of what `evaluations` gave, named by label, number of pictures and views."""
        what = f"{self.label}, {results[0].images:,} test images, {VIEWS[results[0].crops]}"
        values = tuple(number(getattr(one, metric)) for one in results)
        return Row(what, metric, printed, values, self.seeds, note)

    def logged(self, metric: str, epoch: int, printed: float | None = None) -> Row:
        """Give one figure of the logs, as the training loss of an epoch (counted from 1); NaN where they have none."""
        values = tuple(number(run.log()[epoch - 1][metric]) for run in self.runs.values())
        return Row(f"{self.label}, epoch {epoch}", metric, printed, values, self.seeds)

    def last(self, metric: str) -> Row:
        """Give one figure of the logs after the last epoch; the note says which it was, as `plateau` may end early."""
        ends = [run.log()[-1] for run in self.runs.values()]
        note = f"after {' / '.join(str(row['epoch']) for row in ends)} epochs"
        return Row(
            f"{self.label}, at the end", metric, None, tuple(number(row[metric]) for row in ends), self.seeds, note
        )


def number(value: float | None) -> float:
    """Give a figure, NaN where there is none."""
    return math.nan if value is None else float(value)

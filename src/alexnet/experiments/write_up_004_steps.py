"""What each change brings between write-up 004 as written and ours, one after another.

Ten trainings of the whole network would take hours on a CPU, so the steps are measured on 67-pixel views: the same
layers and kernels on smaller maps. The figures order the changes; they are not those of the whole network.
"""

import statistics
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from alexnet.architectures import Architecture
from alexnet.catalogue import SINGLE
from alexnet.data.preparation import prepare
from alexnet.experiments.evidence import keep
from alexnet.experiments.trial import Trial
from alexnet.experiments.write_up_004 import EPOCHS, SEEDS, TRAINING, as_written, ours
from alexnet.recipe import Recipe
from alexnet.report.curves import draw_curves
from alexnet.runs.run import Run
from alexnet.variations import vary

SIDE = 67


def steps() -> list[tuple[str, Architecture, Recipe]]:
    """List the changes, each on top of those before it."""
    network, recipe = as_written()
    single = vary(SINGLE, f"side={SIDE}")
    # A view in the old proportion everywhere, and no noise: they are not what is compared.
    recipe = recipe.with_changes(view_side=0, colour_noise=0.0)
    plain = replace(single, start=network.start, input=network.input)
    he = recipe.with_changes(start="he")
    small = he.with_changes(batch_size=ours()[1].batch_size)
    falling = ("optimizer", "lr", "schedule", "warmup_epochs")
    fall = small.with_changes(lr_steps=[], **{name: getattr(ours()[1], name) for name in falling})
    smooth = fall.with_changes(label_smoothing=ours()[1].label_smoothing)
    return [
        ("as written", vary(network, f"side={SIDE}"), recipe),
        ("+ conv1 without padding; dropout after fc6 and fc7", plain, recipe),
        ("+ He start, inputs over their deviation", single, he),
        (f"+ batches of {small.batch_size}", single, small),
        ("+ Nesterov, warm-up, linear fall", single, fall),
        ("+ smoothing of the labels", single, smooth),
    ]


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train every step, score each on all test pictures, the last with mirrored views too.

    Args:
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: One seed, one epoch of 640 pictures, 200 scored.
    """
    training, watched, scored, epochs = (640, 100, 200, 1) if quick else (TRAINING, 1_000, 10_000, EPOCHS)
    source, first = data / "cifar-10-batches-py", {"train": training}
    store = prepare("cifar10", source, work / "store", limit={**first, "test": watched})
    test = prepare("cifar10", source, work / "store-all-test", limit={**first, "test": scored}).splits["test"]
    rows, seconds = [], 0.0
    runs: dict[str, Run] = {}
    for number, (label, architecture, recipe) in enumerate(steps()):
        seeds = SEEDS[:1] if quick else SEEDS
        trial = Trial.of(f"step {number}", store, architecture, recipe.with_changes(epochs=epochs), seeds, work)
        runs |= trial.named_runs
        found = trial.evaluations(test)
        rows.append(replace(trial.row(found), label=label))
        seconds += trial.seconds + sum(one.seconds for one in found)
    rows.append(replace(trial.row(trial.evaluations(test, 2)), label="+ mirrored views at test"))
    means = [statistics.fmean(row.values) for row in rows]
    gains = [after - before for before, after in pairwise(means)]
    best = max(range(len(gains)), key=gains.__getitem__)
    most = f"{rows[best + 1].label[2:]} ({100 * gains[best]:+.1f} points)"
    verdict = f"The change that brings most on {SIDE}-pixel views: {most}."
    folder = keep(results, "write-up-004-steps", seconds / 60, rows, verdict, runs)
    draw_curves([run.path for name, run in runs.items() if name.endswith(f"-{SEEDS[0]}")], folder / "curves.png")

"""The printed recipe trains, when it is followed: `paper` and `authors-2012` leave ln(10) on CIFAR-10 at once.

That "the paper's recipe does not train" is the most common complaint about it. Both networks learn here by their own
recipes from enlarged CIFAR-10 (raw pixels less the mean, batches of 128, rate 0.01); beside each, one change that many
re-implementations make without a word: PyTorch's dropout, which doubles what it keeps in training, or inputs of unit
variance.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

from alexnet.architectures import Architecture
from alexnet.catalogue import AUTHORS_2012, PAPER
from alexnet.data.preparation import prepare
from alexnet.experiments.evidence import Row, folder_name, keep, run_until_diverged
from alexnet.progress import say
from alexnet.recipe import Recipe
from alexnet.recipes import RECIPES
from alexnet.report.curves import draw_updates
from alexnet.variations import vary

SEED = 0
UPDATES, SHOWN = 160, (60, 100, 160)
# A mean loss lower than ln(10) by this has left it.
LEFT = 0.05
KEPT = ("recipe.json", "architecture.json", "updates.jsonl")


def trainings() -> dict[str, tuple[Architecture, Recipe]]:
    """List the trainings: each network as it is, and with one change."""
    listed = {}
    for network in (PAPER, AUTHORS_2012):
        # bfloat16, because two cores need twice the time in float32; weights and sums stay float32.
        recipe = RECIPES[network.name].with_changes(max_updates=UPDATES, precision="bfloat16", seed=SEED)
        unit_variance = vary(replace(network, dead_start_allowed=True), "input=deviation")
        listed[network.name] = (network, recipe)
        listed[f"{network.name}, PyTorch's dropout"] = (vary(network, "dropout=inverted"), recipe)
        listed[f"{network.name}, inputs of unit variance"] = (unit_variance, recipe)
    return listed


def losses(run: Path) -> dict[int, float]:
    """Read the mean loss of each ten updates, by the last of them."""
    rows = [json.loads(line) for line in (run / "updates.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row["update"]: row["loss"] for row in rows}


def reproduce(data: Path, work: Path, results: Path, quick: bool) -> None:
    """Train all for 160 updates, keep and print their losses.

    Args:
        data: Folder that holds `cifar-10-batches-py`.
        work: Folder for store and runs.
        results: Folder for the evidence.
        quick: 640 pictures in batches of 16, 10 updates.
    """
    limit = {"train": 640, "test": 32} if quick else {"test": 500}
    store = prepare("cifar10", data / "cifar-10-batches-py", work / "store", limit=limit)
    rows, runs, minutes = [], {}, 0.0
    for label, (network, recipe) in trainings().items():
        if quick:
            recipe = recipe.with_changes(batch_size=16, max_updates=10)
        path = work / folder_name(label)
        run, note = run_until_diverged(store, network, recipe, path)
        runs[f"{path.name}-{SEED}"] = run
        if note:
            say(f"{label}: {note}")
        seen = losses(path)
        minutes += sum(row["seconds"] for row in run.log()) / 60
        for update in SHOWN if not quick else (10,):
            what = f"{label}, updates {update - 9} to {update}"
            rows.append(Row(what, "train_loss", None, (seen.get(update, math.nan),), (SEED,), note))
    at_100 = {row.label.removesuffix(", updates 91 to 100"): row.values[0] for row in rows if "91 to 100" in row.label}
    left = "; ".join(label for label, loss in at_100.items() if loss < math.log(10) - LEFT) or "none"
    verdict = f"Of the first 100 updates the last ten are below ln(10) = 2.303 by {LEFT} or more in: {left}."
    folder = keep(results, "printed-recipe", minutes, rows, verdict, runs, KEPT)
    draw_updates([run.path for run in runs.values()], folder / "losses.png", math.log(10), "ln(10)")

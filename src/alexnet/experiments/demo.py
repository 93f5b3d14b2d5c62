"""The demo: the whole path on drawn pictures, on a laptop's CPU, in under two minutes."""

import shutil
from pathlib import Path

from alexnet.catalogue import CIFAR_18PCT
from alexnet.data.preparation import prepare
from alexnet.errors import UsageError
from alexnet.evaluation import Evaluation, evaluate
from alexnet.progress import Progress, say
from alexnet.recipes import FAST
from alexnet.runs.run import Run
from alexnet.training.loop import train
from alexnet.variations import vary

NETWORK = vary(CIFAR_18PCT, "side=56")
# Ninety thousand weights bear twice the rate of sixty million; a small conv1 lets what it learns show over its start.
RECIPE = FAST.with_changes(epochs=8, lr=0.02, first_layer_gain=0.1)


def demo(folder: Path, device: str = "cpu") -> tuple[Run, Evaluation]:
    """Draw pictures, train a small network on them, and measure it on pictures that it never saw.

    Args:
        folder: Gets a store and a run; what an earlier demo left there is replaced.
        device: `cpu` or `cuda`.

    Raises:
        UsageError: If the folder holds something that no demo made.
    """
    if folder.exists() and not (folder.is_dir() and all(made_by_demo(path) for path in folder.iterdir())):
        raise UsageError(f"{folder} holds other things than a demo's: give --out a new folder")
    shutil.rmtree(folder / "run", ignore_errors=True)
    with Progress("drawing", None) as progress:
        store = prepare("shapes", None, folder / "store", progress=progress.reached)
    say(f"{len(store.splits['train']):,} drawn pictures of {', '.join(store.classes)}; training {NETWORK.name}")
    run = train(store, NETWORK, RECIPE, folder / "run", device)
    return run, evaluate([run.trained(device)], store.splits["test"])


def made_by_demo(path: Path) -> bool:
    """Tell whether something in the demo's folder is its store, its run, or what a killed demo left."""
    if path.name == "run":
        begun = {path / ".lock", path / "checkpoints"}
        return (path / "recipe.json").is_file() or (path.is_dir() and {*path.iterdir()} <= begun)
    return path.name == "store" or path.name.startswith(".store.")

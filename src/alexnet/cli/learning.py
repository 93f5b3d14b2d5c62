"""The verbs that train: train, resume, and the demo."""

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.architectures import Architecture
from alexnet.catalogue import ARCHITECTURES, SINGLE, named
from alexnet.cli.options import Options, add_device, add_vary, chosen_device
from alexnet.errors import DataError, UsageError
from alexnet.flags import add_flags, given
from alexnet.recipe import SECTIONS, Recipe
from alexnet.recipes import RECIPES, load_recipe
from alexnet.variations import vary

if TYPE_CHECKING:
    from alexnet.runs.run import Run


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `train`, with a flag for every field of the recipe."""
    parser.add_argument("store", type=Path, metavar="STORE")
    parser.add_argument(
        "--arch",
        metavar="NAME",
        help=f"{', '.join(ARCHITECTURES)} (default: single, or the network of --weights)",
    )
    add_vary(parser)
    parser.add_argument(
        "--recipe",
        metavar="NAME_OR_TOML",
        help=f"{', '.join(RECIPES)}, or a file (default: fast; with --weights, fine-tune)",
    )
    parser.add_argument(
        "--weights",
        metavar="SOURCE",
        help="begin with these: a run, a .pth, .npz, .npy, .caffemodel or .safetensors file, a folder or "
        "hub:OWNER/NAME as from_pretrained takes it, https://…#sha256=…, or torchvision (fetched)",
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="folder of the run (default: a new one under runs)")
    add_device(parser)
    add_save_every(parser)
    add_repeatable(parser)
    add_tensorboard(parser)
    parser.epilog = (
        "A flag marked (paper: …) changes one number of the recipe. Unless --recipe says otherwise, that is fast: "
        "alexnet info --recipe fast shows its numbers."
    )
    add_flags(parser, Recipe, SECTIONS, default="paper")


def add_save_every(parser: argparse.ArgumentParser) -> None:
    """Add --save-every."""
    text = "save also within an epoch, every so many minutes; 0: after every update (default: 5)"
    parser.add_argument("--save-every", type=minutes, default=5.0, metavar="MINUTES", help=text)


def add_repeatable(parser: argparse.ArgumentParser) -> None:
    """Add --repeatable."""
    text = "on a GPU, let equal runs be equal to the last bit, which is slower; on the CPU they always are"
    parser.add_argument("--repeatable", action="store_true", help=text)


def add_tensorboard(parser: argparse.ArgumentParser) -> None:
    """Add --tensorboard."""
    text = "write the curves for TensorBoard, too, as they grow; then: tensorboard --logdir RUN"
    parser.add_argument("--tensorboard", action="store_true", help=text)


def refuse_no_tensorboard(options: Options) -> None:
    """Refuse --tensorboard before anything is read, where it is not installed."""
    if options.tensorboard:
        from alexnet.runs.tensorboard import refuse_missing

        refuse_missing()


def minutes(text: str) -> float:
    """Read a time in minutes, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"needs minutes, 0 or more, not {text}")
    return value


def run_train(options: Options) -> None:
    """Train, then draw."""
    refuse_no_tensorboard(options)
    pretrained = options.weights is not None
    recipe = load_recipe(options.recipe or ("fine-tune" if pretrained else "fast"))
    asked = given(options, Recipe)
    recipe = recipe.with_changes(**asked)
    for field in asked:
        if condition := recipe.unused(field):
            raise UsageError(f"--{field.replace('_', '-')} has no effect here: it is for {condition}")
    architecture = named(options.arch) if options.arch else SINGLE
    if not pretrained:
        varied(architecture, options.vary, recipe, pretrained)  # refused before anything is read
    from alexnet.data.store import Store
    from alexnet.training.loop import train
    from alexnet.weights import read

    store = Store(options.store)
    weights = read(options.weights) if pretrained else None
    if weights is not None and weights.architecture is not None and not options.arch:
        architecture = weights.architecture
    architecture = varied(architecture, options.vary, recipe, pretrained)
    if weights is not None and said_of_input(options.vary):
        weights = replace(weights, input=architecture.input)
    path = options.run or free_run(store.path, architecture.name.split()[0])
    device, every = chosen_device(options), options.save_every
    repeatable, tensorboard = options.repeatable, options.tensorboard
    show(train(store, architecture, recipe, path, device, weights, every, repeatable, tensorboard))


def said_of_input(changes: list[str]) -> str | None:
    """Give what --vary says of the input, if it does."""
    return next((change for change in reversed(changes) if change.startswith("input=")), None)


def varied(architecture: Architecture, changes: list[str], recipe: Recipe, pretrained: bool) -> Architecture:
    """Apply --vary; refuse an input that the recipe's start would put aside."""
    if any(change.startswith("classes=") for change in changes):
        raise UsageError("--vary classes=… is the store's to say: leave it out")
    he, said = recipe.start == "he", said_of_input(changes)
    if he and not pretrained and said not in (None, "input=deviation"):
        raise UsageError(
            f"--vary {said} goes against start=he, which takes pixels over their deviation: leave it out, or give "
            "--start architecture"
        )
    # A first layer that has its weights already, or starts as He has it, is dead on no pixels.
    alive = (said is not None and (he or pretrained)) or architecture.dead_start_allowed
    return vary(replace(architecture, dead_start_allowed=alive), *changes)


def free_run(store: Path, arch: str) -> Path:
    """Name a new folder for a run."""
    number, base = 1, Path("runs") / f"{store.resolve().name}-{arch}"
    while (path := base if number == 1 else base.with_name(f"{base.name}-{number}")).exists():
        number += 1
    return path


def show(run: "Run") -> None:
    """Draw a finished run's pictures and print where they are."""
    from alexnet.filters import conv1_kernels
    from alexnet.report.curves import draw

    network = run.trained().network
    try:
        if result := run.result():
            best = ", the best epoch's," if result[0] == "val" else ""
            print(f"{run.path}: {result[0]} top-1 {result[1]:.2%}{best} after {run.log()[-1]['images_seen']:,} images")
    except DataError as error:
        print(f"note: {error}", file=sys.stderr)
    try:
        draw(run.path, conv1_kernels(network), network.architecture.towers)
    except (UsageError, DataError) as error:
        print(f"not all was drawn: {error}", file=sys.stderr)
    for picture in sorted(run.path.glob("*.png")):
        print(f"  {picture}")


def add_resume(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `resume`."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--store", type=Path, metavar="STORE", help="where the store lies now, if it has moved")
    changed = "go on though store, recipe or network are others than before"
    parser.add_argument("--allow-changes", action="store_true", help=changed)
    add_save_every(parser)
    add_repeatable(parser)
    add_tensorboard(parser)
    add_device(parser)


def run_resume(options: Options) -> None:
    """Go on with a run, then draw."""
    refuse_no_tensorboard(options)
    from alexnet.training.loop import resume

    device, every = chosen_device(options), options.save_every
    repeatable, tensorboard = options.repeatable, options.tensorboard
    show(resume(options.run, device, options.store, options.allow_changes, every, repeatable, tensorboard))


def run_demo(options: Options) -> None:
    """Prepare, train, evaluate and draw on the drawn set."""
    from alexnet.experiments.demo import demo

    run, result = demo(options.out, chosen_device(options))
    show(run)
    print(f"test accuracy {result.top1:.3f} on {result.images} pictures that it never saw")
    print(f"next: alexnet predict {run.path} PICTURE, or your own pictures: alexnet prepare folder PATH STORE")

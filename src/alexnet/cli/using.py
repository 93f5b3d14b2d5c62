"""The verbs that use a run: filters, export."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.architectures import INPUTS
from alexnet.cli.options import Options, add_device, chosen_device, refuse_missing_folder, refuse_unwritable_png
from alexnet.errors import AlexNetError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from alexnet.prediction import Model
    from alexnet.runs.run import Run

# As in alexnet.export, which loads torch.
PROGRAMS = (".onnx", ".pt2")
CHECKED, MEASURED = 100, 1000  # pictures on which an exported network is compared, or integers are measured
UNITS = 12  # as in patches.py
SHOWN = 256  # training pictures that tell the ranges of values


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `filters`."""
    parser.add_argument("run", type=Path, metavar="RUN")
    what = parser.add_mutually_exclusive_group()
    layer = "of this layer, the parts of training pictures that excite some units most, nine each"
    what.add_argument("--layer", metavar="NAME", help=layer)
    what.add_argument("--growth", action="store_true", help="some kernels of conv1 after each epoch")
    units = f"with --layer: which units, counted from 0 (default: {UNITS} spread over the layer)"
    parser.add_argument("--units", type=int, nargs="+", default=[], metavar="N", help=units)
    parser.add_argument("--store", type=Path, metavar="STORE", help="with --layer: other pictures than the run's own")
    out = "the picture (default: filters.png in the run, or filters-LAYER.png, filters-growth.png)"
    parser.add_argument("--out", type=Path, metavar="FILE.png", help=out)
    add_device(parser)


def run_filters(options: Options) -> None:
    """Draw what the layers of a run learned."""
    from alexnet.filters import conv1_kernels, draw_filters
    from alexnet.runs.run import Run
    from alexnet.tower_colours import divide, told

    if (options.units or options.store) and not options.layer:
        raise UsageError("--units and --store are for --layer: name one")
    run, what = Run(options.run), f"-{options.layer}" if options.layer else "-growth" if options.growth else ""
    out = options.out or run.path / f"filters{what}.png"
    refuse_unwritable_png(out)
    if options.layer:
        draw_layer(options, run, out)
    elif options.growth:
        draw_growth(run, out)
    else:
        network = run.trained().network
        kernels, towers = conv1_kernels(network), network.architecture.towers
        draw_filters(kernels, towers, out)
        if towers > 1:
            print(told(divide(kernels, towers)))
    print(out)


def draw_layer(options: Options, run: "Run", out: Path) -> None:
    """Draw the strongest patches of some units of a layer."""
    from alexnet.data.store import Store
    from alexnet.patches import chosen_units, draw_patches, receptive_field, strongest
    from alexnet.progress import Progress

    trained = run.trained(chosen_device(options))
    architecture = trained.network.architecture
    units = chosen_units(architecture, options.layer, options.units)
    train = (Store(options.store) if options.store else run.store()).splits["train"]
    with Progress("pictures", len(train)) as progress:
        found = strongest(trained, train, options.layer, units, progress=progress.advance)
    side = receptive_field(architecture, options.layer).side
    about = f"of {len(train):,} training pictures; a unit sees {side} pixels of {architecture.input_side} each way"
    title = f"{run.path.resolve().name}: what excites {options.layer}"
    draw_patches(out, title, f"The strongest {len(found[0].values)} for each unit, {about}.", found)


def draw_growth(run: "Run", out: Path) -> None:
    """Draw how kernels of conv1 grew."""
    from alexnet.growth import draw_growth, kept

    draw_growth(out, f"{run.path.resolve().name}: how conv1 grew", kept(run.path))


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `export`."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="the network as .onnx or .pt2 (PyTorch's exported program); its weights as .pth or .npz (torchvision's "
        "names where the network is its), .safetensors, .npy or .caffemodel (Caffe's networks); without an ending, a "
        "folder for from_pretrained",
    )
    bare = "of .onnx and .pt2: leave out what is around the network: its own input goes in, scores come out; else "
    bare += "pictures as the store holds them go in, uint8, and probabilities come out"
    parser.add_argument("--bare", action="store_true", help=bare)
    check = "of .onnx and .pt2: pictures on which its answers are compared with the run's before it is written: those "
    check += f"held out in its store, or noise where that is gone (default: {CHECKED})"
    parser.add_argument("--check", type=int, metavar="N", help=check)
    int8 = "of .onnx: in 8-bit integers, a quarter of the size and faster on a CPU; not written where that costs more "
    int8 += f"than 1 %% of the held-out pictures (default of --check: {MEASURED})"
    parser.add_argument("--int8", action="store_true", help=int8)


def run_export(options: Options) -> None:
    """Write a run's best network for others to use."""
    from alexnet.prediction import load
    from alexnet.weights import write
    from alexnet.weights.writing import ENDINGS

    path, ending = options.file, options.file.suffix.lower()
    if (options.bare or options.check is not None) and ending not in PROGRAMS:
        raise UsageError("--bare and --check are of .onnx and .pt2: end FILE so, or leave them out")
    if options.check is not None and options.check < 1:
        raise UsageError(f"--check {options.check} compares nothing: give 1 or more")
    if options.int8 and (ending != ".onnx" or options.bare):
        raise UsageError("--int8 is of .onnx with its preprocessing: end FILE so, leave out --bare, or --int8")
    if ending and ending not in (*PROGRAMS, *ENDINGS):
        known = " ".join((*PROGRAMS, *ENDINGS))
        raise UsageError(f"{path}: nothing is written as {ending}: end FILE in one of {known}, or in none for a folder")
    refuse_missing_folder(path)
    model = load(options.run)
    if options.int8:
        export_integers(options, model)
    elif ending in PROGRAMS:
        export_program(options, model)
    elif ending:
        write(path, model.network, model.classes)
        if ending != ".safetensors":
            pixels = INPUTS[model.network.architecture.input]
            print(f"note: {path} does not tell its pixels: {pixels}", file=sys.stderr)
    else:
        export_folder(options, model)
    print(path)


def export_folder(options: Options, model: "Model") -> None:
    """Write a folder for from_pretrained, whose card tells the run's result."""
    from alexnet.runs.run import Run

    results, data = dict[str, float](), ""
    if Run.lies_at(options.run):  # a file or a folder of weights knows neither
        run = Run(options.run)
        data = run.told()
        if result := run.result():
            results[f"top-1, {result[0]}"] = result[1]
    model.save_pretrained(options.file, results, data)


def export_program(options: Options, model: "Model") -> None:
    """Write the network as a program and say how it compares."""
    from alexnet.export.files import export
    from alexnet.progress import say

    pictures, what = compared_pictures(options, model)
    found = export(model.trained, options.file, pictures, options.bare)
    say(
        f"compared on {found.pictures:,} {what}: the same best classes for {found.same_top:,}, "
        f"largest difference {found.difference:.1e}"
    )


def export_integers(options: Options, model: "Model") -> None:
    """Write the network in 8-bit integers and say what they cost."""
    import numpy as np

    from alexnet.data.choosing import sample
    from alexnet.export.int8 import export_int8
    from alexnet.progress import say
    from alexnet.runs.run import Run

    store = Run(options.run).store()
    train, held_out = store.splits["train"], store.split()
    shown = train.pictures(sample(np.arange(len(train)), SHOWN, seed=0))
    places = sample(np.arange(len(held_out)), options.check or MEASURED, seed=0)
    found = export_int8(model.trained, options.file, shown, held_out.pictures(places), held_out.labels[places])
    pictures = f"{found.pictures:,} pictures of {held_out.name}"
    say(f"of {pictures}: {found.after:.1%} recognised, in float32 {found.before:.1%}")


def compared_pictures(options: Options, model: "Model") -> "tuple[np.ndarray, str]":
    """Give pictures to compare on: held out in the run's store, or noise, and what they are."""
    import numpy as np

    from alexnet.runs.run import Run

    count, side = options.check or CHECKED, model.trained.view.stored_side
    try:
        split = Run(options.run).store().split()
        return split.pictures(np.arange(min(count, len(split)))), f"pictures of {split.name}"
    except AlexNetError:  # no run, or no store of its own any more, or nothing held out
        noise = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
        return noise, "pictures of noise"

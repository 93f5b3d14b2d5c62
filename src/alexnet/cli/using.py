"""The verbs that use a run: filters, export."""

import argparse
import sys
from pathlib import Path

from alexnet.architectures import INPUTS
from alexnet.cli.options import Options


def run_filters(options: Options) -> None:
    """Draw conv1 of a run."""
    from alexnet.filters import conv1_kernels, draw_filters
    from alexnet.run import Run

    run = Run(options.run)
    network = run.trained().network
    draw_filters(conv1_kernels(network), network.architecture.towers, run.path / "filters.png")
    print(run.path / "filters.png")


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `export`."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="weights as .pth or .npz (torchvision's names where the network is its), .safetensors, .npy or "
        ".caffemodel (Caffe's networks); without an ending, a folder for from_pretrained",
    )


def run_export(options: Options) -> None:
    """Write a run's best network for others to use."""
    from alexnet.prediction import load
    from alexnet.run import Run
    from alexnet.weights import write

    model, path = load(options.run), options.file
    if path.suffix:
        write(path, model.network, model.classes)
        if path.suffix != ".safetensors":
            pixels = INPUTS[model.network.architecture.input]
            print(f"note: {path} does not tell its pixels: {pixels}", file=sys.stderr)
    else:
        run = Run(options.run)
        best = max((row["val_top1"] for row in run.log()), default=None)
        model.save_pretrained(path, {} if best is None else {"top-1, validation": best}, run.told())
    print(path)

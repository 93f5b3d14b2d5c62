"""The verbs that use a run: predict, filters, export."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from alexnet.architectures import INPUTS
from alexnet.cli.options import Options, add_device, chosen_device
from alexnet.errors import DataError, UsageError


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `predict`."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="files, folders, or - for a list on standard input")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes a picture (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    add_device(parser)


def run_predict(options: Options) -> int:
    """Name what pictures show; a picture that cannot be read is told and the others go on."""
    from alexnet.prediction import load, predict

    if options.top < 1:
        raise UsageError(f"--top {options.top} shows nothing: give 1 or more")
    answers, failed = [], 0
    for file, guesses in predict(load(options.run, chosen_device(options)), picture_files(options.images), options.top):
        failed += isinstance(guesses, str)
        if options.json:
            told = {"error": guesses} if isinstance(guesses, str) else {"top": [asdict(guess) for guess in guesses]}
            answers.append({"file": str(file), **told})
        elif isinstance(guesses, str):
            print(f"error: {guesses}", file=sys.stderr)
        else:
            print(f"{file}: " + " · ".join(f"{guess.label} {guess.probability:.1%}" for guess in guesses))
    if options.json:
        print(json.dumps(answers))
    return DataError.exit_code if failed else 0


def picture_files(words: list[str]) -> list[Path]:
    """Turn files, folders and - into a list of files; a folder gives what is in it, by name, hidden files left out."""
    files: list[Path] = []
    for word in words:
        path = Path(word)
        if word == "-":
            files += [Path(line) for line in os.fsdecode(sys.stdin.buffer.read()).split("\n") if line]
        elif path.is_dir():
            files += sorted(
                file
                for file in path.rglob("*")
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
        else:
            files.append(path)
    if not files:
        raise UsageError("there is no picture to predict: give files, a folder that holds some, or - and a list")
    return files


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

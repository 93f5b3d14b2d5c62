"""The verbs that use a run: evaluate, predict, filters."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from alexnet.cli.options import Options, add_device, chosen_device
from alexnet.errors import DataError, UsageError, did_you_mean


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `evaluate`."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--store", type=Path, metavar="STORE", help="other pictures than the run's own store")
    parser.add_argument(
        "--split", metavar="NAME", help="train, val or test (default: test, or val where there is none)"
    )
    parser.add_argument(
        "--crops",
        type=int,
        default=1,
        metavar="N",
        help="1 centre, 2 with its mirror image, 10 as in the paper (default: 1)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    add_device(parser)


def run_evaluate(options: Options) -> None:
    """Measure runs on a split."""
    from alexnet.data.store import Store
    from alexnet.evaluation import evaluate
    from alexnet.progress import Progress
    from alexnet.run import Run

    runs = [Run(path) for path in options.runs]
    store = Store(options.store) if options.store else runs[0].store()
    name = options.split or ("test" if "test" in store.splits else "val")
    if name not in store.splits:
        raise UsageError(f"{store.path} has no split {name}: {did_you_mean(name, store.splits)}")
    trained = [run.trained(chosen_device(options)) for run in runs]
    if trained[0].classes != store.classes:
        raise UsageError(f"{store.path} has other classes than {runs[0].path}: evaluate on a store of the same classes")
    split = store.splits[name]
    with Progress(f"evaluating {name}", len(split)) as progress:
        result = evaluate(trained, split, options.crops, progress=progress.advance)
    if options.json:
        print(json.dumps(asdict(result)))
        return
    figures = [f"top-1 {result.top1:.2%} (error {1 - result.top1:.2%})"]
    if result.top5 is not None:
        figures.append(f"top-5 {result.top5:.2%} (error {1 - result.top5:.2%})")
    views = f"{result.crops} crop{'s' if result.crops > 1 else ''}"
    print(f"{name}: {' · '.join(figures)} · loss {result.loss:.4f}")
    print(f"  {result.images:,} images · {views} · {result.seconds:.1f} s")


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

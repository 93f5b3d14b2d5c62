"""The verb `evaluate`: runs measured on a split, alone or averaged."""

import argparse
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.cli.options import Options, add_device, chosen_device
from alexnet.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from alexnet.data.store import Store
    from alexnet.evaluation import ClassResult, Evaluation
    from alexnet.runs.trained import Trained

# Longer tables of classes and longer names are cut: they would not fit a screen.
CLASSES_SHOWN = 50
NAME_WIDTH = 40


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `evaluate`."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="several are averaged")
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
    parser.add_argument(
        "--weights",
        type=weight,
        nargs="+",
        metavar="W",
        help="how much each run counts, after the runs: 2 1; or best: those of the least loss on val (default: alike)",
    )
    parser.add_argument(
        "--per-class",
        action="store_true",
        help="a table of the classes, the worst first: top-1 is the share of a class's pictures that were recognised, "
        f"precision the share of true ones among those given its name; of more than {CLASSES_SHOWN} classes the "
        f"{CLASSES_SHOWN} worst, with --json all",
    )
    parser.add_argument(
        "--confusion",
        type=Path,
        metavar="FILE",
        help="write which class was taken for which: counts if FILE ends in .csv, drawn if in .png",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    add_device(parser)


def weight(text: str) -> float | str:
    """Read one word after --weights."""
    try:
        return text if text == "best" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a number for each run, or best, not {text}") from None


def run_evaluate(options: Options) -> None:
    """Measure runs on a split."""
    from alexnet.compatibility import check_classes
    from alexnet.data.store import Store
    from alexnet.evaluation import evaluate
    from alexnet.prediction import load
    from alexnet.progress import Progress, say
    from alexnet.runs.run import Run
    from alexnet.weights import is_pretrained

    check_confusion_file(options.confusion)
    if not options.store and is_pretrained(options.runs[0]):
        raise UsageError(f"{options.runs[0]} is a folder without a store of its own: say --store STORE")
    store = Store(options.store) if options.store else Run(options.runs[0]).store()
    name = options.split or ("test" if "test" in store.splits else "val")
    if name not in store.splits:
        raise UsageError(f"{store.path} has no split {name}: {did_you_mean(name, store.splits)}")
    split = store.splits[name]
    trained = [load(path, chosen_device(options)).trained for path in options.runs]
    for path, one in zip(options.runs, trained, strict=True):
        check_classes(one, split, path)
    weights = chosen_weights(options, trained, store, name)
    with Progress(f"evaluating {name}", len(split)) as progress:
        result = evaluate(trained, split, options.crops, progress=progress.advance, weights=weights)
    if options.json:
        print(json.dumps(evaluation_json(result, weights, store.classes if options.per_class else [])))
    else:
        print_evaluation(result, name)
        if weights:
            fitted = " fitted on val" if options.weights == ["best"] else ""
            told = " · ".join(f"{part:.3f} {path}" for part, path in zip(weights, options.runs, strict=True))
            print(f"  weights{fitted}: {told}")
        if options.per_class:
            print_classes(result.per_class(store.classes))
    if options.confusion:
        write_confusion_file(result, store.classes, options, name)
        say(f"wrote {options.confusion}")


def check_confusion_file(path: Path | None) -> None:
    """Refuse a file that could not be written, before hours of measuring."""
    if path is None:
        return
    if path.suffix.lower() not in (".csv", ".png"):
        raise UsageError(f"--confusion {path}: end the name in .csv for counts or in .png for a picture")
    if not path.parent.is_dir():
        raise UsageError(f"--confusion {path}: there is no folder {path.parent}, make it first")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"--confusion {path}: {path.parent} cannot be written to, choose another folder")
    if path.suffix.lower() == ".png" and find_spec("matplotlib") is None:
        raise UsageError(f"--confusion {path} needs matplotlib: pip install 'alexnet[plot]'")


def chosen_weights(options: Options, trained: "list[Trained]", store: "Store", measured: str) -> list[float] | None:
    """Give the weights of the runs as asked for: none, some numbers (their sum made 1), or the best on val."""
    from alexnet.evaluation import best_weights, parts, shares_of_truth
    from alexnet.progress import Progress

    if options.weights is None:
        return None
    if "best" not in options.weights:
        return parts(options.weights, len(trained))
    if len(options.weights) > 1:
        raise UsageError("--weights best finds all of them: give best alone, or a number for each run")
    if "val" not in store.splits:
        raise UsageError(f"--weights best fits them on val, and {store.path} has no val: give numbers")
    if measured == "val":
        raise UsageError("--weights best fits them on val, so val cannot judge them: measure --split test")
    val = store.splits["val"]
    with Progress("fitting the weights on val", len(val)) as progress:
        return best_weights(shares_of_truth(trained, val, options.crops, progress=progress.advance))


def print_evaluation(result: "Evaluation", split: str) -> None:
    """Print accuracy as people say it and error as the paper prints it."""
    figures = [f"top-1 {result.top1:.2%} (error {1 - result.top1:.2%})"]
    if result.top5 is not None:
        figures.append(f"top-5 {result.top5:.2%} (error {1 - result.top5:.2%})")
    views = f"{result.crops} crop{'s' if result.crops > 1 else ''}"
    print(f"{split}: {' · '.join(figures)} · loss {result.loss:.4f}")
    print(f"  {result.images:,} images · {views} · {result.seconds:.1f} s")


def evaluation_json(result: "Evaluation", weights: list[float] | None, classes: list[str]) -> dict[str, Any]:
    """Give the six figures, and what else was asked for."""
    told = result.to_json()
    if weights:
        told["weights"] = weights
    if classes:
        keys = ("label", "images", "top1", "precision")
        told["classes"] = [{key: getattr(row, key) for key in keys} for row in result.per_class(classes)]
    return told


def print_classes(rows: "list[ClassResult]") -> None:
    """Print the worst classes first; those without pictures are left out."""
    known = sorted((row for row in rows if row.top1 is not None), key=lambda row: (row.top1, row.precision or 0.0))
    shown = known[:CLASSES_SHOWN]
    names = {row.label: cut(row.label) for row in rows}
    width = max(5, *(len(names[row.label]) for row in shown))
    print(f"\n{'class':{width}} {'images':>8} {'top-1':>8} {'precision':>10}  most often taken for")
    for row in shown:
        precision = "–" if row.precision is None else f"{row.precision:.1%}"
        mistake = f"  {names[row.mistaken_for]} ({row.mistakes:,})" if row.mistaken_for else ""
        print(f"{names[row.label]:{width}} {row.images:>8,} {row.top1:>8.1%} {precision:>10}{mistake}")
    if left := known[len(shown) :]:
        print(f"… and {len(left):,} more, each with top-1 of {left[0].top1:.1%} or more: --json has all")
    if missing := len(rows) - len(known):
        print(f"{missing:,} more class{'es' if missing > 1 else ''} without a picture here")


def cut(name: str) -> str:
    """Shorten a long name."""
    return name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 1] + "…"


def write_confusion_file(result: "Evaluation", classes: list[str], options: Options, split: str) -> None:
    """Write the confusion matrix, as its name's ending asks."""
    path: Path = options.confusion
    if path.suffix.lower() == ".png":
        from alexnet.report.confusion import draw_confusion

        runs = cut(options.runs[0].resolve().name)
        runs += f" and {len(options.runs) - 1} more" if len(options.runs) > 1 else ""
        return draw_confusion(result.confusion, classes, path, f"Confusion on {split}: {runs}")
    from alexnet.evaluation import write_confusion

    return write_confusion(result.confusion, classes, path)

"""The verbs that make a store and check it: prepare, verify."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.cli.describing import tell_splits
from alexnet.cli.options import Options
from alexnet.errors import DataError, UsageError

if TYPE_CHECKING:
    from alexnet.data.store import Store


def add_prepare(parser: argparse.ArgumentParser) -> None:
    """Add the kinds of `prepare`, each with its own arguments."""
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", required=True, dest="kind")

    def kind(name: str, side: int, text: str, path: str | None) -> argparse.ArgumentParser:
        one = kinds.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if path:
            one.add_argument("path", type=Path, metavar="PATH", help=path)
        one.add_argument("store", type=Path, metavar="STORE", help="folder to write")
        one.add_argument("--side", type=int, metavar="N", help=f"side of the stored pictures (default: {side})")
        one.add_argument("--workers", type=int, default=0, metavar="N", help="threads; 0: one a core (default: 0)")
        one.add_argument("--strict", action="store_true", help="stop at the first picture that cannot be read")
        first = "take the first N pictures of a split only, as train=5000"
        one.add_argument("--limit", nargs="+", default=[], metavar="SPLIT=N", help=first)
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return one

    archive = "folder cifar-10-batches-py, or cifar-10-python.tar.gz"
    cifar10 = kind("cifar10", 32, "CIFAR-10 as its authors distribute it, for Python", archive)
    cifar10.add_argument("--download", action="store_true", help="fetch the archive to PATH first")
    folder = kind("folder", 256, "a folder a class, with or without train, val, test above", "folder that holds them")
    held_out = "share of each class held out, where there is no split"
    folder.add_argument("--val-share", type=float, default=0.2, metavar="X", help=f"{held_out}, for val (default: 0.2)")
    folder.add_argument("--test-share", type=float, default=0.0, metavar="X", help=f"{held_out}, for test (default: 0)")
    folder.add_argument("--seed", type=int, default=0, metavar="N", help="which pictures are held out (default: 0)")
    shapes = kind("shapes", 64, "drawn pictures in ten classes: shapes, textures, colours", None)
    shapes.add_argument("--count", type=int, default=4000, metavar="N", help="pictures in all (default: 4000)")
    shapes.add_argument("--seed", type=int, default=0, metavar="N", help="what is drawn (default: 0)")


def run_prepare(options: Options) -> None:
    """Write a store."""
    from alexnet.data.preparation import prepare
    from alexnet.progress import Progress

    own = {"cifar10": ("download",), "folder": ("val_share", "test_share", "seed"), "shapes": ("count", "seed")}[
        options.kind
    ]
    with Progress("preparing", None) as progress:
        store = prepare(
            options.kind,
            getattr(options, "path", None),
            options.store,
            side=options.side,
            workers=options.workers,
            strict=options.strict,
            limit=limits(options.limit),
            progress=progress.reached,
            **{name: getattr(options, name) for name in own},
        )
    describe(store)


def limits(words: list[str]) -> dict[str, int]:
    """Read `train=5000 test=1000`."""
    limit = {}
    for word in words:
        split, _, number = word.partition("=")
        if not number.isdecimal() or int(number) < 1:
            raise UsageError(f"--limit {word} is not understood: write SPLIT=N, as train=5000")
        limit[split] = int(number)
    return limit


def describe(store: "Store") -> None:
    """Print what a new store holds, and why files were not used."""
    tell_splits(store)
    report = json.loads((store.path / "report.json").read_text(encoding="utf-8"))
    for fate, reasons in report["reasons"].items():
        for reason, count in reasons.items():
            print(f"  {fate}: {count:,} × {reason} (see report.json)")


def run_verify(options: Options) -> int:
    """Check a store against its digests."""
    from alexnet.data.store import verify_store

    problems = verify_store(options.store)
    if options.json:
        print(json.dumps({"ok": not problems, "problems": problems}))
    else:
        for problem in problems:
            place = "" if problem["record"] is None else f" record {problem['record']}:"
            print(f"{problem['file']}:{place} {problem['problem']}")
        print(f"{options.store}: {'whole' if not problems else f'{len(problems)} problems: prepare it again'}")
    return DataError.exit_code if problems else 0

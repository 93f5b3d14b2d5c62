"""The verbs of the data's first part: prepare, merge, data, verify."""

import argparse
import json
from pathlib import Path
from typing import Any

from alexnet.cli.options import Options
from alexnet.errors import DataError, UsageError


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
        form = "records: raw (fast), jpeg (small), or auto: raw up to 64 GB and half of the free disk (default: auto)"
        one.add_argument("--format", choices=("auto", "raw", "jpeg"), default="auto", help=form)
        piece = "write only the K-th of N parts, as 3/16; `alexnet merge` joins them"
        one.add_argument("--part", metavar="K/N", help=piece)
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
    """Write a store, or a part of one."""
    from alexnet.data.preparation import prepare, prepare_part
    from alexnet.progress import Progress, say

    own = {"cifar10": ("download",), "folder": ("val_share", "test_share", "seed"), "shapes": ("count", "seed")}[
        options.kind
    ]
    part = None if options.part is None else part_of(options.part)
    source = getattr(options, "path", None)
    with Progress("preparing", None) as progress:
        how: dict[str, Any] = {
            "side": options.side,
            "workers": options.workers,
            "strict": options.strict,
            "limit": limits(options.limit),
            "records": options.format,
            "progress": progress.reached,
            "say": say,
            **{name: getattr(options, name) for name in own},
        }
        if part is None:
            store = prepare(options.kind, source, options.store, **how)
        else:
            plan = prepare_part(options.kind, source, options.store, part, **how)
    if part is None:
        describe(store)
    else:
        own_shards = list(plan.own())
        seen = sum(plan.examples(*shard) for shard in own_shards)
        shards = sum(plan.shards(split) for split in plan.counts)
        print(f"{options.store}: part {options.part}, {len(own_shards)} of {shards} shards, {seen:,} images seen")


def part_of(word: str) -> tuple[int, int]:
    """Read `3/16`."""
    number, _, parts = word.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise UsageError(f"--part {word} is not understood: write K/N with K from 1 to N, as 3/16")
    return int(number), int(parts)


def add_merge(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `merge`."""
    parser.add_argument("store", type=Path, metavar="STORE", help="folder to write")
    parser.add_argument("parts", nargs="+", type=Path, metavar="PART", help="what `prepare --part` wrote, all of it")


def run_merge(options: Options) -> None:
    """Join the parts of a store."""
    from alexnet.data.merging import merge
    from alexnet.progress import Progress, say

    with Progress("merging", None) as progress:
        store = merge(options.store, options.parts, progress=progress.reached, say=say)
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


def describe(store: Any) -> None:
    """Print what is in a store."""
    import numpy as np

    print(f"{store.path}: {len(store.classes)} classes, {store.side}×{store.side} pixels")
    for name, split in store.splits.items():
        counts = np.bincount(split.labels, minlength=len(store.classes))
        spread = f"{counts.min():,}" if counts.min() == counts.max() else f"{counts.min():,} to {counts.max():,}"
        print(f"  {name:5} {len(split):>9,} images, {spread} a class")
    report = json.loads((store.path / "report.json").read_text(encoding="utf-8"))
    for fate, reasons in report["reasons"].items():
        for reason, count in reasons.items():
            print(f"  {fate}: {count:,} × {reason} (see report.json)")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `data`."""
    parser.add_argument("store", type=Path, metavar="STORE")
    sheet = "also draw the three readings of the colour shift (§4.1) on a few of its training pictures"
    parser.add_argument("--colour", type=Path, metavar="FILE.png", help=sheet)


def run_data(options: Options) -> None:
    """Show what is in a store."""
    from alexnet.data.store import Store

    store = Store(options.store)
    describe(store)
    print(f"  classes {', '.join(store.classes)}")
    statistics = store.statistics
    for what, values in (
        ("mean RGB", statistics.mean),
        ("deviation RGB", statistics.deviation),
        ("deviation along the colour axes", statistics.colour_deviations),
    ):
        print(f"  {what} {', '.join(f'{value:.1f}' for value in values)}")
    if options.colour:
        from alexnet.data.sheets import draw_colours

        draw_colours(store, options.colour)
        print(f"{options.colour}: the readings of the colour shift")


def run_verify(options: Options) -> int:
    """Check a store, or a part of one, against its digests."""
    from alexnet.data.store import PLAN, verify_store

    if (options.store / PLAN).is_file():
        from alexnet.data.merging import verify_part

        problems = verify_part(options.store)
    else:
        problems = verify_store(options.store)
    if options.json:
        print(json.dumps({"ok": not problems, "problems": problems}))
    else:
        for problem in problems:
            place = "" if problem["record"] is None else f" record {problem['record']}:"
            print(f"{problem['file']}:{place} {problem['problem']}")
        print(f"{options.store}: {'whole' if not problems else f'{len(problems)} problems: prepare it again'}")
    return DataError.exit_code if problems else 0

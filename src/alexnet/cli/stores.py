"""The verbs that make a store and check it: prepare, merge, verify."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.cli.describing import tell_lost, tell_splits
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
        one.add_argument("--workers", type=int, default=0, metavar="N", help="threads; 0: one per core (default: 0)")
        one.add_argument("--strict", action="store_true", help="stop at the first picture that cannot be read")
        first = "take the first N pictures of a split only, as train=5000; from folders they come class after class"
        one.add_argument("--limit", nargs="+", default=[], metavar="SPLIT=N", help=first)
        form = "records: raw (fast), jpeg (small), or auto: raw up to 64 GB and, but for a part, half of the free disk"
        one.add_argument("--format", choices=("auto", "raw", "jpeg"), default="auto", help=f"{form} (default: auto)")
        piece = "write only the K-th of N parts, as 3/16; `alexnet merge` joins them"
        one.add_argument("--part", metavar="K/N", help=piece)
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return one

    archive = "folder cifar-10-batches-py, or cifar-10-python.tar.gz"
    cifar10 = kind("cifar10", 32, "CIFAR-10 as its authors distribute it, for Python", archive)
    cifar10.add_argument("--download", action="store_true", help="fetch the archive to PATH first")
    folder = kind(
        "folder", 256, "one folder per class, with or without train, val, test above", "folder that holds them"
    )
    _add_shares(folder, "where there is no split", val=0.2, test=0.0)
    pets = "Kaggle's dogs-vs-cats or Microsoft's PetImages"
    cats_dogs = kind("cats-dogs", 256, f"cats and dogs: {pets}", "folder or archive of either")
    _add_shares(cats_dogs, "", val=0.1, test=0.1)
    _add_stanford_dogs(kind("stanford-dogs", 256, "Stanford Dogs, 120 breeds", "folder of Images or images.tar"))
    _add_hub(kind("hub", 256, "a data set of the Hugging Face Hub", "its id, as ethz/food101"))
    _add_imagenet(
        kind(
            "imagenet",
            256,
            "ILSVRC2012 or 2010, as given out or unpacked",
            "folder of the archives, or of train and val",
        )
    )
    shapes = kind("shapes", 64, "drawn pictures in ten classes: shapes, textures, colours", None)
    shapes.add_argument("--count", type=int, default=4000, metavar="N", help="pictures in all (default: 4000)")
    shapes.add_argument("--seed", type=int, default=0, metavar="N", help="what is drawn (default: 0)")


def _add_shares(parser: argparse.ArgumentParser, where: str, val: float, test: float) -> None:
    """Add what is held out, where the data have no parts of their own."""
    held_out = f"share of each class held out{', ' * bool(where)}{where}, for"
    parser.add_argument("--val-share", type=float, default=val, metavar="X", help=f"{held_out} val (default: {val:g})")
    parser.add_argument(
        "--test-share", type=float, default=test, metavar="X", help=f"{held_out} test (default: {test:g})"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which pictures are held out (default: 0)")


def _add_stanford_dogs(parser: argparse.ArgumentParser) -> None:
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--classes", nargs="+", metavar="NAME", help="only these breeds: names, or WordNet ids")
    tie = "only the N breeds with the most pictures; of equals, those with the lower WordNet id"
    some.add_argument("--classes-largest", type=int, metavar="N", help=tie)
    split = "write-up-000: a quarter for test, a quarter of the rest for val (default); official: the authors' lists"
    parser.add_argument("--split", default="write-up-000", metavar="NAME", help=split)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which pictures are held out (default: 0)")
    parser.add_argument("--boxes", action="store_true", help="cut each picture to its first annotated box")


def _add_hub(parser: argparse.ArgumentParser) -> None:
    for name, what in (("image", "pictures"), ("label", "labels")):
        parser.add_argument(f"--{name}", metavar="COLUMN", help=f"column of the {what} (default: found by its type)")
    parser.add_argument("--config", metavar="NAME", help="which configuration, where there are several")
    parser.add_argument("--revision", metavar="REVISION", help="commit, tag or branch (default: the newest)")
    which = "which of its splits to take, as train=train val=validation"
    parser.add_argument("--splits", nargs="+", default=[], metavar="OURS=ITS", help=which)
    _add_shares(parser, "where there is only train", val=0.2, test=0.0)


def _add_imagenet(parser: argparse.ArgumentParser) -> None:
    only = "only these: WordNet ids, or a file with one first on each line (default: all)"
    parser.add_argument("--classes", nargs="+", metavar="ID", help=only)
    some = "pictures to take of each class, in every split (default: all)"
    parser.add_argument("--per-class", type=int, metavar="N", help=some)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which pictures these are (default: 0)")
    labels = "labels of val, where they do not lie beside the pictures; lines: PICTURE WORDNET-ID"
    parser.add_argument("--val-list", type=Path, metavar="FILE", help=labels)


SHARES = ("val_share", "test_share", "seed")
OWN_OPTIONS = {
    "cats-dogs": SHARES,
    "cifar10": ("download",),
    "folder": SHARES,
    "hub": ("image", "label", "config", "revision", "splits", *SHARES),
    "imagenet": ("classes", "per_class", "seed", "val_list"),
    "shapes": ("count", "seed"),
    "stanford-dogs": ("classes", "classes_largest", "split", "seed", "boxes"),
}


def run_prepare(options: Options) -> None:
    """Write a store, or a part of one."""
    from alexnet.data.preparation import prepare, prepare_part
    from alexnet.progress import Progress, say

    own = {name: getattr(options, name) for name in OWN_OPTIONS[options.kind]}
    if "splits" in own:
        own["splits"] = pairs(own["splits"])
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
            **own,
        }
        if part is None:
            store = prepare(options.kind, source, options.store, **how)
        else:
            plan = prepare_part(options.kind, source, options.store, part, **how)
    if part is None:
        tell_new(store)
    else:
        own_shards = list(plan.own())
        seen = sum(plan.examples(*shard) for shard in own_shards)
        shards = sum(plan.shards(split) for split in plan.counts)
        print(f"{options.store}: part {options.part}, {len(own_shards)} of {shards} shards, {seen:,} images seen")
        if not own_shards:
            print("  nothing to do for this part: the set has fewer shards than parts")


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
    tell_new(store)


def tell_new(store: "Store") -> None:
    """Print what a new store holds, why files were not used, and how the labels of ImageNet's splits were read."""
    tell_splits(store)
    tell_lost(store)
    for split, labels in store.manifest["source"]["fingerprint"].get("labels", {}).items():
        print(f"  labels of {split}: {labels}")


def limits(words: list[str]) -> dict[str, int]:
    """Read `train=5000 test=1000`."""
    limit = {}
    for word in words:
        split, _, number = word.partition("=")
        if not number.isdecimal() or int(number) < 1 or split in limit:
            raise UsageError(f"--limit {word} is not understood: write SPLIT=N, as train=5000, each once")
        limit[split] = int(number)
    return limit


def pairs(words: list[str]) -> dict[str, str]:
    """Read `train=train val=validation`."""
    read = {}
    for word in words:
        ours, _, its = word.partition("=")
        if not ours or not its or ours in read:
            raise UsageError(f"--splits {word} is not understood: write OURS=ITS, as val=validation, each once")
        read[ours] = its
    return read


def run_verify(options: Options) -> int:
    """Check a store, a part of one, or a run against their digests."""
    from alexnet.data.store import PLAN, verify_store

    way_out = "prepare it again"
    if (options.store / "architecture.json").is_file():
        from alexnet.runs.verification import verify_run

        problems, way_out = verify_run(options.store), "alexnet resume mends what it can"
    elif (options.store / PLAN).is_file():
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
        number = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        print(f"{options.store}: {'whole' if not problems else f'{number}: {way_out}'}")
    return DataError.exit_code if problems else 0

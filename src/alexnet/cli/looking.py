"""The verb that looks: data, what is in a store, in words, numbers and pictures."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.catalogue import ARCHITECTURES, named
from alexnet.cli.options import Options
from alexnet.errors import UsageError, did_you_mean
from alexnet.recipe import Recipe
from alexnet.recipes import RECIPES, load_recipe

if TYPE_CHECKING:
    from alexnet.data.duplicates import Group
    from alexnet.data.feed import Feed
    from alexnet.data.store import Store

TABLE = 40  # classes that are listed without being asked for
REASONS, FILES, LEAKS = 10, 3, 10  # reasons, files of a reason, and training pictures elsewhere that are listed
WHOLE_ONE_HOT = 12  # classes up to which a one-hot label is written out
FILE_LETTERS = 48


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `data`."""
    parser.add_argument("store", type=Path, metavar="STORE")
    words = parser.add_argument_group("in words")
    words.add_argument("--classes", action="store_true", help=f"list the classes even if they are more than {TABLE}")
    words.add_argument("--duplicates", action="store_true", help="list all groups of equal pictures")
    rows = "also print the first N rows of a split: file, class, label, one-hot (default: 5)"
    words.add_argument("--head", type=int, nargs="?", const=5, metavar="N", help=rows)
    words.add_argument("--json", action="store_true", help="print one JSON value")
    pictures = parser.add_argument_group("in pictures", "PNGs, made to be read on a phone too")
    sheet = "draw a contact sheet: a row of pictures a class"
    pictures.add_argument("--sheet", type=Path, metavar="FILE.png", help=sheet)
    wanted = "classes of --sheet; one alone is shown with many pictures and their names"
    pictures.add_argument("--class", dest="wanted", nargs="+", action="extend", default=[], metavar="NAME", help=wanted)
    stages = "draw photographs (without any: some of the store's) as they are, resized, cut, with colour noise, as fed"
    pictures.add_argument("--stages", type=Path, nargs="+", metavar=("FILE.png", "PICTURE"), help=stages)
    batch = "draw the first training batch as the network is fed it, with its labels"
    pictures.add_argument("--batch", type=Path, metavar="FILE.png", help=batch)
    colour = "draw the three readings of the colour shift (§4.1) on a few training pictures"
    pictures.add_argument("--colour", type=Path, metavar="FILE.png", help=colour)
    split = "split of --head, --sheet, and of --stages without photographs (default: train)"
    parser.add_argument("--split", default="train", metavar="NAME", help=split)
    parser.add_argument("--seed", type=int, metavar="N", help="what --sheet, --stages, --batch draw by chance")
    fed = "of --stages and --batch"
    recipe = f"{fed}: {', '.join(RECIPES)}, or a file (default: fast)"
    parser.add_argument("--recipe", metavar="NAME_OR_TOML", help=recipe)
    parser.add_argument("--arch", metavar="NAME", help=f"{fed}: {', '.join(ARCHITECTURES)} (default: single)")


def run_data(options: Options) -> None:
    """Show what is in a store."""
    from alexnet.data.duplicates import find_duplicates
    from alexnet.data.store import Store

    refuse_contradictions(options)
    store = Store(options.store)
    drawings = chosen_drawings(options, store)
    groups = find_duplicates(store)
    if options.json:
        print(json.dumps(as_json(store, groups, options)))
    else:
        tell(store, groups, options)
    for path, draw in drawings:
        print(f"{path}: {draw()}", file=sys.stderr if options.json else sys.stdout)


def refuse_contradictions(options: Options) -> None:
    """Refuse what would have no effect, before anything is read."""
    if options.head is not None and options.head < 1:
        raise UsageError(f"--head {options.head} shows nothing: give 1 or more")
    if options.wanted and not options.sheet:
        raise UsageError("--class says what a contact sheet shows: add --sheet FILE.png")
    if (options.recipe or options.arch) and not (options.stages or options.batch):
        raise UsageError("--recipe and --arch say how pictures are fed: add --stages FILE.png or --batch FILE.png")


def chosen_drawings(options: Options, store: "Store") -> list[tuple[Path, Callable[[], str]]]:
    """List the drawings that are asked for, each with its file; what cannot be drawn is refused now."""
    from alexnet.data.canvas import refuse_other_than_png

    if options.split not in store.splits:
        raise UsageError(f"{store.path} has no split {options.split}: {did_you_mean(options.split, store.splits)}")
    paths = [options.sheet, (options.stages or [None])[0], options.batch, options.colour]
    for path in paths:
        if path is not None:
            refuse_other_than_png(path)
    chosen = zip(paths, (sheet, stages, batch, colours), strict=True)
    return [(path, drawing(options, store)) for path, drawing in chosen if path is not None]


def sheet(options: Options, store: "Store") -> Callable[[], str]:
    """Make ready to draw the contact sheet."""
    from alexnet.data.contact import draw_contact_sheet

    labels = [label for name in options.wanted for label in labels_of(store, name)]
    seed = recipe_of(options).seed
    return lambda: draw_contact_sheet(store, options.sheet, options.split, labels, seed)


def stages(options: Options, store: "Store") -> Callable[[], str]:
    """Make ready to draw the stages."""
    from alexnet.data.stages import draw_stages

    feed, (path, *files) = feed_of(options, store), options.stages
    return lambda: draw_stages(feed, path, files, options.split)


def batch(options: Options, store: "Store") -> Callable[[], str]:
    """Make ready to draw the batch."""
    from alexnet.data.stages import draw_batch

    feed = feed_of(options, store)
    return lambda: draw_batch(feed, options.batch)


def colours(options: Options, store: "Store") -> Callable[[], str]:
    """Make ready to draw the readings of the colour shift."""
    from alexnet.data.sheets import draw_colours

    def draw() -> str:
        draw_colours(store, options.colour)
        return "the readings of the colour shift"

    return draw


def labels_of(store: "Store", name: str) -> list[int]:
    """Find the classes of a name; in ImageNet two may share one."""
    labels = [label for label, one in enumerate(store.classes) if one == name]
    if not labels:
        raise UsageError(f"{store.path} has no class {name}: {near(name, store.classes)}")
    return labels


def near(name: str, classes: list[str]) -> str:
    """Say what class may have been meant; a thousand names are no help."""
    meant = did_you_mean(name, classes)
    return meant if len(classes) <= TABLE or meant.startswith("did you") else "alexnet data STORE --classes lists them"


def recipe_of(options: Options) -> Recipe:
    """Find the recipe, with the seed that was asked for."""
    recipe = load_recipe(options.recipe or "fast")
    return recipe if options.seed is None else recipe.with_changes(seed=options.seed)


def feed_of(options: Options, store: "Store") -> "Feed":
    """Bring together how pictures reach the network; where nothing is said of it, as `train` does."""
    from alexnet.data.feed import Feed
    from alexnet.training import resolve

    recipe = recipe_of(options)
    architecture = resolve(named(options.arch or "single"), recipe, store)
    return Feed(store, architecture, recipe, Path(options.recipe or "fast").stem)


def as_json(store: "Store", groups: list["Group"], options: Options) -> dict[str, Any]:
    """Give all that is told as one value."""
    from alexnet.data.contents import contents, head

    rows = {} if options.head is None else {"head": head(store, options.split, options.head)}
    return contents(store, groups) | rows


def tell(store: "Store", groups: list["Group"], options: Options) -> None:
    """Print what is in a store."""
    from alexnet.data.contents import bytes_on_disk

    tell_splits(store)
    print(f"  {bytes_on_disk(store) / 1e6:,.1f} MB on disk")
    tell_lost(store)
    tell_duplicates(store, groups, options.duplicates)
    for what, values in (
        ("mean RGB", store.statistics.mean),
        ("deviation RGB", store.statistics.deviation),
        ("deviation along the colour axes", store.statistics.colour_deviations),
    ):
        print(f"  {what} {', '.join(f'{value:.1f}' for value in values)}")
    tell_classes(store, options.classes)
    if options.head is not None:
        tell_head(store, options.split, options.head)


def tell_splits(store: "Store") -> None:
    """Print how many pictures there are, and how evenly the classes share them."""
    from alexnet.data.contents import class_counts

    print(f"{store.path}: {len(store.classes)} classes, {store.side}×{store.side} pixels")
    for name, counts in class_counts(store).items():
        spread = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
        print(f"  {name:5} {sum(counts):>9,} images, {spread} a class")


def tell_lost(store: "Store") -> None:
    """Print why files were not used, the most frequent reasons first, each with a few names."""
    from alexnet.data.contents import lost

    for state, reasons in lost(store).items():
        for reason, files in list(reasons.items())[:REASONS]:
            more = "" if len(files) <= FILES else ", …"
            print(f"  {state}: {len(files):,} × {reason}: {', '.join(map(line, files[:FILES]))}{more}")
        if rest := list(reasons.values())[REASONS:]:
            print(f"  {state}: {sum(map(len, rest)):,} × {len(rest):,} other reasons: see report.json")


def tell_duplicates(store: "Store", groups: list["Group"], every: bool) -> None:
    """Print how many pictures are equal, and which of the training pictures also stand in another split."""
    if not groups:
        return print("  duplicates: none")
    extra = {split: sum(max(0, len(group.inside(split)) - 1) for group in groups) for split in store.splits}
    within = ", ".join(f"{count:,} within {split}" for split, count in extra.items() if count)
    across = sum(len(group.splits) > 1 for group in groups)
    told = "; ".join(filter(None, (f"{within} more than once" if within else "", f"{across:,} in several splits")))
    print(f"  duplicates: {len(groups):,} groups of equal pictures ({told})")
    leaks = [group for group in groups if group.leaks]
    if leaks:
        number = sum(len(group.inside("train")) for group in leaks)
        others = " or ".join(dict.fromkeys(split for group in leaks for split in group.splits if split != "train"))
        verb = "picture also stands" if number == 1 else "pictures also stand"
        print(f"  warning: {number:,} training {verb} in {others}, where what was learned by heart counts as right")
    shown = groups if every else leaks[:LEAKS]
    for group in shown:
        print(f"    {equal(store, group)}")
    if len(shown) < len(leaks):
        print(f"    … and {len(leaks) - len(shown):,} more")
    if len(shown) < len(groups):
        print("  --duplicates lists all groups")
    return None


def equal(store: "Store", group: "Group") -> str:
    """Tell a group of equal pictures in a line."""
    from alexnet.data.contents import group_rows

    rows = group_rows(store, group)
    differ = len({row["class"] for row in rows}) > 1
    classes = [f", {line(row['class'])}" if differ else "" for row in rows]
    told = [f"{line(row['file'])} ({row['split']}{name})" for row, name in zip(rows, classes, strict=True)]
    return " = ".join(told) + (": classes differ" if differ else "")


def tell_classes(store: "Store", every: bool) -> None:
    """Print the classes with their pictures; of many, the smallest and the largest alone."""
    from alexnet.data.contents import class_counts

    counts, names = class_counts(store), [line(name) for name in store.classes]
    if len(names) > TABLE and not every:
        order = sorted(range(len(names)), key=lambda label: counts["train"][label])
        few, many = order[0], order[-1]
        print(f"  classes {', '.join(names[:3])}, … {names[-1]}: --classes lists all {len(names):,}")
        for what, label in (("fewest", few), ("most", many)):
            print(f"  {what} train images: {counts['train'][label]:,} of {names[label]}")
        return
    wide = max(len("class"), *map(len, names))
    print(f"  label  {'class':{wide}}" + "".join(f" {split:>9}" for split in counts))
    for label, name in enumerate(names):
        print(f"  {label:>5}  {name:{wide}}" + "".join(f" {counts[split][label]:>9,}" for split in counts))


def tell_head(store: "Store", split: str, count: int) -> None:
    """Print the first rows of a split."""
    from alexnet.data.contents import head

    rows = head(store, split, count)
    print(f"{split}: the first {len(rows):,} of {len(store.splits[split]):,}")
    files = [line(row["file"]) for row in rows]
    files = [file if len(file) <= FILE_LETTERS else "…" + file[1 - FILE_LETTERS :] for file in files]
    wide = max(map(len, ("file", *files)))
    names = [line(row["class"]) for row in rows]
    named = max(map(len, ("class", *names)))
    print(f"  {'file':{wide}}  {'class':{named}}  label  one-hot")
    for file, name, row in zip(files, names, rows, strict=True):
        print(f"  {file:{wide}}  {name:{named}}  {row['label']:>5}  {short_one_hot(row['one_hot'])}")


def short_one_hot(one_hot: list[int]) -> str:
    """Write a one-hot label; of many classes, its ends and the neighbourhood of the 1."""
    last, one = len(one_hot) - 1, one_hot.index(1)
    kept = {0, 1, one - 1, one, one + 1, last - 1, last} & set(range(last + 1))
    places = range(last + 1) if last < WHOLE_ONE_HOT else sorted(kept)
    words, before = [], -1
    for place in places:
        words += ["…"] * (place > before + 1) + [str(one_hot[place])]
        before = place
    return f"[{' '.join(words)}]"


def line(name: str) -> str:
    """Write a name so that it stays on its line."""
    from alexnet.data.canvas import printable

    return printable(name)

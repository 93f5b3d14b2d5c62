"""The verb that looks: data, what is in a store, in words, numbers and pictures."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet.catalogue import ARCHITECTURES, named
from alexnet.cli.describing import TABLE, tell
from alexnet.cli.options import Options, refuse_unwritable_png
from alexnet.errors import UsageError, did_you_mean
from alexnet.recipe import Recipe
from alexnet.recipes import RECIPES, load_recipe

if TYPE_CHECKING:
    from alexnet.data.duplicates import Group
    from alexnet.data.feed import Feed
    from alexnet.data.store import Store


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
    sheet = "draw a contact sheet: one row of pictures per class"
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
    if options.seed is not None and not (options.sheet or options.stages or options.batch):
        raise UsageError("--seed says what is drawn by chance: add --sheet, --stages or --batch FILE.png")
    if options.wanted and not options.sheet:
        raise UsageError("--class says what a contact sheet shows: add --sheet FILE.png")
    if (options.recipe or options.arch) and not (options.stages or options.batch):
        raise UsageError("--recipe and --arch say how pictures are fed: add --stages FILE.png or --batch FILE.png")


def chosen_drawings(options: Options, store: "Store") -> list[tuple[Path, Callable[[], str]]]:
    """List the drawings that are asked for, each with its file; what cannot be drawn is refused now."""
    if options.split not in store.splits:
        raise UsageError(f"{store.path} has no split {options.split}: {did_you_mean(options.split, store.splits)}")
    paths = [options.sheet, (options.stages or [None])[0], options.batch, options.colour]
    files = [path for path in paths if path is not None]
    for file in files:
        refuse_unwritable_png(file)
        if files.count(file) > 1:
            raise UsageError(f"{file} would hold several drawings: give each a file of its own")
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
    from alexnet.training.preflight import resolve

    recipe = recipe_of(options)
    architecture = resolve(named(options.arch or "single"), recipe, store)
    return Feed(store, architecture, recipe, Path(options.recipe or "fast").stem)


def as_json(store: "Store", groups: list["Group"], options: Options) -> dict[str, Any]:
    """Give all that is told as one value."""
    from alexnet.data.contents import contents, head

    rows = {} if options.head is None else {"head": head(store, options.split, options.head)}
    return contents(store, groups) | rows

"""The verb that finds: neighbors, the training pictures that are like a picture."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.cli.options import Options, add_device, chosen_device, refuse_unwritable_png
from alexnet.cli.pictures import chosen_store, picture_files
from alexnet.errors import DataError, complain, printable

if TYPE_CHECKING:
    import numpy as np

    from alexnet.data.store import Store
    from alexnet.neighbors import Gallery, Match
    from alexnet.prediction import Model

# Rows of Figure 4.
QUERIES = 5


def add_neighbors(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `neighbors`."""
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--store", type=Path, metavar="STORE", help="other pictures than the run's own store")
    query = f"pictures, or folders of them, to find neighbors of (default: {QUERIES} test pictures of several classes)"
    parser.add_argument("--query", nargs="+", action="extend", default=[], metavar="IMAGE", help=query)
    layer = "the layer whose output is compared (default: the last hidden one, as in the paper; relu7 in its network)"
    parser.add_argument("--layer", metavar="NAME", help=layer)
    out = "the sheet that is drawn (default: neighbors.png in the run)"
    parser.add_argument("--out", type=Path, metavar="FILE.png", help=out)
    parser.add_argument("--json", action="store_true", help="print one JSON value; a sheet is drawn with --out only")
    add_device(parser)


def run_neighbors(options: Options) -> int:
    """Find the nearest training pictures, by the network and by pixels, and draw them; 3 if a query was no picture."""
    from alexnet.neighbors import Gallery
    from alexnet.prediction import load
    from alexnet.progress import Progress

    home = options.run if options.run.is_dir() else options.run.parent
    out = options.out or (None if options.json else home / "neighbors.png")
    if out:
        refuse_unwritable_png(out)
    model = load(options.run, chosen_device(options))
    store = chosen_store(options)
    asked, refused = queries(options, model, store)
    total = 2 * len(store.splits["train"])  # once for the features and once for the pixels
    with Progress("vectors of the training pictures", total) as progress:
        gallery = Gallery.of(model.trained, store, home / "features", options.layer, progress.advance)
        matches = gallery.matches(*asked)
    if options.json:
        print(json.dumps([match.to_json() for match in matches]))
    else:
        print_matches(matches, gallery.layer)
    if out:
        draw(gallery, matches, out)
        if not options.json:
            print(out)
    return DataError.exit_code if refused else 0


def queries(
    options: Options, model: "Model", store: "Store"
) -> "tuple[tuple[list[str], list[str | None], np.ndarray], int]":
    """Give names, classes and pictures of what neighbors are wanted of, and how many files were refused."""
    import numpy as np

    from alexnet.data.choosing import spread

    if options.query:
        files, names, pictures = picture_files(options.query), list[str](), list[np.ndarray]()
        for file in files:
            try:
                pictures.append(model.stored(file))
                names.append(str(file))
            except DataError as error:
                if len(files) == 1:
                    raise
                complain(printable(str(error)))
        if not pictures:
            raise DataError("none of the files can be searched for: give others")
        return (names, [None] * len(names), np.stack(pictures)), len(files) - len(names)
    held_out = store.split()
    places = spread(held_out.labels, QUERIES)
    labels: list[str | None] = [store.classes[label] for label in held_out.labels[places]]
    return ([held_out.names[place] for place in places], labels, held_out.pictures(places)), 0


def print_matches(matches: "list[Match]", layer: str) -> None:
    """Print the nearest of each picture, with their distances."""
    for match in matches:
        print(printable(match.query) + (f" ({match.label})" if match.label is not None else ""))
        for way, found in ((layer, match.neighbors), ("pixels", match.by_pixels)):
            print(f"  by {way}: " + " · ".join(f"{one.label} {one.distance:,.4g}" for one in found))


def draw(gallery: "Gallery", matches: "list[Match]", path: Path) -> None:
    """Draw the sheet."""
    from alexnet.neighbor_sheet import draw_neighbors

    title = f"What is alike: {gallery.store.path.resolve().name}"
    draw_neighbors(path, title, gallery.layer, matches, [gallery.shown(match) for match in matches])

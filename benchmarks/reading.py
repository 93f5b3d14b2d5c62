"""How fast random views of a store are read, beside a DataLoader that decodes picture files with Pillow.

    python benchmarks/reading.py FOLDER

FOLDER holds a folder a class; it is prepared first. All give batches of uint8 views, [n, side, side, 3], cut at random
out of pictures whose shorter side is 256, in an order that is drawn anew each time, and run in one process on one core.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from measuring import Row, machine, on_cores, publish, take_turns
from PIL import Image
from preparation import ENDINGS
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from alexnet.data.augment import random_boxes
from alexnet.data.batches import batches
from alexnet.data.chance import Chance, order
from alexnet.data.preparation import prepare
from alexnet.data.store import Split
from alexnet.recipe import Recipe

BATCH_SIZE = 128
TOGETHER = 8  # pictures that are read before they are cut: they stay in the processor's cache


def random_views(split: Split, epoch: int, side: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Read an epoch of random views and their labels."""
    indices = order(len(split), 0, epoch)
    boxes = random_boxes(Chance(0, epoch, indices), Recipe(), split.side, side)
    corners = list(zip(boxes.top.astype(int).tolist(), boxes.left.astype(int).tolist(), strict=True))
    views = torch.empty(BATCH_SIZE, side, side, 3, dtype=torch.uint8)
    labels = torch.from_numpy(split.labels[indices])
    pixels, start, filled = views.numpy(), 0, 0
    for batch in batches(split, indices, TOGETHER, torch.device("cpu")):
        for picture in batch.pictures.numpy():
            top, left = corners[start + filled]
            pixels[filled] = picture[top : top + side, left : left + side]
            filled += 1
            if filled == BATCH_SIZE:
                yield views, labels[start : start + filled]
                views = torch.empty_like(views)
                pixels, start, filled = views.numpy(), start + filled, 0
    if filled:
        yield views[:filled], labels[start:]


class Files(Dataset[tuple[Tensor, int]]):
    """Picture files, each decoded when it is asked for, and cut at random."""

    def __init__(self, files: list[Path], stored_side: int, side: int) -> None:
        self.files, self.stored_side, self.side = files, stored_side, side
        classes = sorted({file.parent.name for file in files})
        self.labels = [classes.index(file.parent.name) for file in files]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.files[index]) as opened:
            image = opened.convert("RGB")
        if min(image.size) != self.stored_side:
            scale = self.stored_side / min(image.size)
            width, height = (max(self.stored_side, round(length * scale)) for length in image.size)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (int(torch.randint(length - self.side + 1, ())) for length in image.size)
        view = image.crop((left, top, left + self.side, top + self.side))
        return torch.from_numpy(np.array(view)), self.labels[index]


def loader_views(files: list[Path], stored_side: int, side: int) -> Callable[[], int]:
    """Make an epoch of a DataLoader over files."""
    loader = DataLoader(Files(files, stored_side, side), BATCH_SIZE, shuffle=True)
    return lambda: sum(len(views) for views, _ in loader)


def as_files(split: Split, folder: Path) -> list[Path]:
    """Write the pictures of a split as JPEG files, a folder a class."""
    files = []
    for batch in batches(split, np.arange(len(split)), 1, torch.device("cpu")):
        file = folder / str(int(batch.labels[0])) / f"{int(batch.indices[0])}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(batch.pictures[0].numpy()).save(file, quality=95)
        files.append(file)
    return files


def compare(folder: Path, stored_side: int, side: int, epochs: int, rounds: int, scratch: Path) -> list[Row]:
    """Measure the store against the files as they are, and against files of the store's own size."""
    torch.set_num_threads(1)
    split = prepare("folder", folder, scratch / "store", side=stored_side).splits["train"]
    small = as_files(split, scratch / "small")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS)
    count = iter(range(1_000_000))

    def ours() -> int:
        return sum(len(views) for _ in range(epochs) for views, _ in random_views(split, next(count), side))

    name = f"store of {stored_side}, views of {side}"
    rivals = {
        "DataLoader, Pillow, files as they are": loader_views(files, stored_side, side),
        f"DataLoader, Pillow, JPEG files of {stored_side}": loader_views(small, stored_side, side),
    }
    with on_cores(1):
        rates = take_turns(rounds, {name: ours, **rivals})
    return [Row.of(name, "views/s", rates[name], rival, rates[rival], wanted_value=20_000) for rival in rivals]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--stored-side", type=int, default=256, metavar="N", help="of the pictures (default: 256)")
    parser.add_argument("--side", type=int, default=224, metavar="N", help="of the views (default: 224)")
    parser.add_argument("--epochs", type=int, default=20, metavar="N", help="of ours in a turn (default: 20)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns that each takes (default: 5)")
    results = Path(__file__).parent / "results"
    parser.add_argument("--results", type=Path, default=results, metavar="DIR", help="where the result is written")
    options = parser.parse_args()
    facts = machine()
    with tempfile.TemporaryDirectory() as scratch:
        sides = options.stored_side, options.side
        rows = compare(options.folder, *sides, options.epochs, options.rounds, Path(scratch))
    command = f"python benchmarks/reading.py {options.folder.name} --epochs {options.epochs} --rounds {options.rounds}"
    publish("reading", command, facts, rows, options.results)


if __name__ == "__main__":
    main()

"""How fast a folder of pictures becomes a store, beside the plain way with Pillow.

    python benchmarks/preparation.py FOLDER

FOLDER holds a folder a class. The rival opens each picture, converts, resizes and crops it with Pillow and writes the
pixels: no checks, no checksums, no statistics. Both use as many cores: ours threads, the rival processes.
"""

import argparse
import multiprocessing
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from measuring import Row, machine, on_cores, publish, take_turns
from PIL import Image

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
PIECE = 16  # pictures that a process of the rival takes at a time


def plain_picture(file: Path, side: int) -> bytes:
    """Give the pixels of a picture, its shorter side scaled to `side`, its centre cut out."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side)).tobytes()


def plain_piece(target: Path, side: int, job: tuple[int, list[Path]]) -> int:
    """Write the pixels of some pictures to their places in a file that is there; the first of them is told."""
    place, files = job
    with open(target, "r+b") as out:
        out.seek(place * side * side * 3)
        for file in files:
            out.write(plain_picture(file, side))
    return len(files)


def plain(files: list[Path], target: Path, side: int, pool: ProcessPoolExecutor | None) -> int:
    """Prepare pictures the plain way, in the processes of a pool or in this one."""
    with open(target, "wb") as out:
        out.truncate(len(files) * side * side * 3)
    jobs = [(start, files[start : start + PIECE]) for start in range(0, len(files), PIECE)]
    work = partial(plain_piece, target, side)
    return sum(map(work, jobs) if pool is None else pool.map(work, jobs))


def ours(folder: Path, store: Path, side: int, workers: int) -> int:
    """Prepare the same pictures with this program."""
    from alexnet.data.preparation import prepare

    shutil.rmtree(store, ignore_errors=True)
    return sum(map(len, prepare("folder", folder, store, side=side, workers=workers).splits.values()))


def check(store: Path, target: Path, folder: Path, files: list[Path], side: int) -> None:
    """Make sure that both hold the same pictures: Pillow's resize differs by rounding only."""
    import numpy as np
    import torch

    from alexnet.data.batches import batches
    from alexnet.data.store import Store

    plain = np.memmap(target, np.uint8, "r", shape=(len(files), side, side, 3))
    places = {file.relative_to(folder).as_posix(): place for place, file in enumerate(files)}
    split = Store(store).splits["train"]
    for batch in batches(split, np.arange(min(50, len(split))), 1, torch.device("cpu")):
        name = split.names[int(batch.indices[0])]
        difference = np.abs(batch.pictures[0].numpy().astype(int) - plain[places[name]]).mean()
        if difference > 1:
            raise SystemExit(f"error: {name} differs by {difference:.1f} grey levels from what Pillow makes of it")


def compare(folder: Path, side: int, rounds: int, scratch: Path) -> list[Row]:
    """Measure both with one core and with two."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS)
    counts = [1, 2] if (os.cpu_count() or 1) > 1 else [1]
    contestants = {}
    with ExitStack() as stack:
        for cores in counts:
            pool = None
            if cores > 1:
                # started here, outside the time that is measured
                pool = stack.enter_context(ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")))
                list(pool.map(abs, range(10 * cores)))

            def one(cores: int = cores) -> int:
                with on_cores(cores):
                    return ours(folder, scratch / "store", side, cores)

            def other(cores: int = cores, pool: ProcessPoolExecutor | None = pool) -> int:
                with on_cores(cores):
                    return plain(files, scratch / "plain.u8", side, pool)

            contestants |= {f"alexnet, cores: {cores}": one, f"Pillow, cores: {cores}": other}
        ours(folder, scratch / "store", side, 1)
        plain(files, scratch / "plain.u8", side, None)
        check(scratch / "store", scratch / "plain.u8", folder, files, side)
        rates = take_turns(rounds, contestants)
    mine = {cores: rates[f"alexnet, cores: {cores}"] for cores in counts}
    theirs = {cores: rates[f"Pillow, cores: {cores}"] for cores in counts}
    label, rival = "prepare, cores: {}", "Pillow, cores: {}"
    rows = [Row.of(label.format(n), "images/s", mine[n], rival.format(n), theirs[n], wanted_ratio=1.3) for n in counts]
    if len(counts) > 1:
        rows.append(Row.of(label.format(2), "images/s", mine[2], label.format(1), mine[1], wanted_ratio=1.6))
        rows.append(Row.of(rival.format(2), "images/s", theirs[2], rival.format(1), theirs[1]))
    return rows


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--side", type=int, default=256, metavar="N", help="side of the stored pictures (default: 256)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="turns that each takes (default: 7)")
    results = Path(__file__).parent / "results"
    parser.add_argument("--results", type=Path, default=results, metavar="DIR", help="where the result is written")
    options = parser.parse_args()
    facts = machine()
    with tempfile.TemporaryDirectory() as scratch:
        rows = compare(options.folder, options.side, options.rounds, Path(scratch))
    command = f"python benchmarks/preparation.py {options.folder.name} --side {options.side} --rounds {options.rounds}"
    publish("preparation", command, facts, rows, options.results)


if __name__ == "__main__":
    main()

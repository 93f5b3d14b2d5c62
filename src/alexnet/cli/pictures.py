"""Pictures as people name them: files, folders, a list on standard input, a split of a store."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.cli.options import Options
from alexnet.errors import UsageError

if TYPE_CHECKING:
    from alexnet.data.store import Store


def picture_files(words: list[str]) -> list[Path]:
    """Turn files, folders and - into a list of files, each folder's by name.

    What is no picture in a folder is skipped, and said so in one line; a file that is named is always taken.

    Raises:
        UsageError: If there is none.
    """
    files: list[Path] = []
    for word in words:
        if not word:
            raise UsageError("an empty name is no picture: give files, folders, or -")
        if word == "-":
            listed = os.fsdecode(sys.stdin.buffer.read()).split("\n")
            files += [file for line in filter(None, listed) for file in _files(Path(line))]
        else:
            files += _files(Path(word))
    if not files:
        raise UsageError("there is no picture: give files, a folder that holds some, or - and a list of them")
    return files


def _files(path: Path) -> list[Path]:
    """Give the pictures below a folder, or the file itself."""
    if not path.is_dir():
        return [path]
    from alexnet.data.sources.files import Walk
    from alexnet.progress import say

    walk = Walk(path)
    files = sorted(Path(file) for file, _ in walk.pictures(str(path)))
    # Hidden files are not worth a word.
    strays = [why for _, why in walk.skipped if why != "hidden or metadata"]
    strays = ["met before, by a link" if why.startswith("the same as ") else why for why in strays]
    if strays:
        reasons = " · ".join(f"{strays.count(why):,} {why}" for why in dict.fromkeys(strays))
        say(f"{path}: {len(strays):,} skipped ({reasons})")
    return files


def chosen_store(options: Options) -> "Store":
    """Open the store that --store names, or that of the run."""
    from alexnet.data.store import Store
    from alexnet.runs.run import Run

    if options.store:
        return Store(options.store)
    if not (options.run / "architecture.json").is_file():
        raise UsageError(f"{options.run} is no run, which would know its store: say --store STORE")
    return Run(options.run).store()

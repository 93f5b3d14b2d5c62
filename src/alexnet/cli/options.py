"""Options that several verbs share."""

import argparse
from pathlib import Path

from alexnet.errors import UsageError
from alexnet.variations import VARIATIONS

Options = argparse.Namespace


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto: cuda where there is one (default: auto)")


def chosen_device(options: Options) -> str:
    """Find the device that was asked for, or refuse one that is not there; who asks will compute, and keeps memory."""
    import torch

    from alexnet.machine.memory import keep_memory

    keep_memory()
    if options.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = ["cpu", "cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if options.device not in there[: None if torch.cuda.is_available() else 1]:
        raise UsageError(f"--device {options.device} is not there: use cpu, or auto")
    return options.device


def refuse_missing_folder(path: Path) -> None:
    """Refuse a file that could not be written at the end, before any work is done for it."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}, make it first")


def refuse_unwritable_png(path: Path) -> None:
    """Refuse a picture that nobody would look for under its name, or whose folder is not there."""
    from alexnet.data.canvas import refuse_other_than_png

    refuse_other_than_png(path)
    refuse_missing_folder(path)


def add_vary(parser: argparse.ArgumentParser) -> None:
    """Add --vary."""
    parser.add_argument(
        "--vary",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help=f"change the network: {', '.join(VARIATIONS)}",
    )

"""The verb `report`: one page for a run, or for several beside each other."""

import argparse
from pathlib import Path

from alexnet.cli.options import Options, add_device, chosen_device, refuse_missing_folder
from alexnet.errors import UsageError


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `report`."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="several are compared")
    out = "the page (default: report.html in the run; of several runs, comparison.html here)"
    parser.add_argument("--out", type=Path, metavar="FILE.html", help=out)
    store = "where the store of the runs lies now, or another one of the same classes; where there is none, the page "
    parser.add_argument("--store", type=Path, metavar="STORE", help=store + "has no pictures")
    split = "train, val or test: what is measured and shown (default: test, or val where there is none)"
    parser.add_argument("--split", metavar="NAME", help=split)
    add_device(parser)


def run_report(options: Options) -> None:
    """Look at runs and write their page."""
    from alexnet.progress import Progress
    from alexnet.report.account import account_of, pictures_of
    from alexnet.report.page import write_page

    alone = len(options.runs) == 1
    out = options.out or (options.runs[0] / "report.html" if alone else Path("comparison.html"))
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{out} would hold a page: end its name in .html")
    refuse_missing_folder(out)
    device, accounts = chosen_device(options), []
    for run in options.runs:
        total = pictures_of(run, options.store, options.split, alone)
        with Progress(f"looking at {run.name}", total) as progress:
            accounts.append(account_of(run, options.store, options.split, device, progress.advance, alone))
    write_page(accounts, out)
    print(out)

"""The command `alexnet`: one short function a verb; each imports what it needs, so that `--help` answers at once."""

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from alexnet import __version__
from alexnet.cli import evaluating, finding, learning, looking, predicting, reporting, serving, stores, telling, using
from alexnet.cli.options import Options, add_device
from alexnet.errors import AlexNetError, UsageError, complain
from alexnet.flags import Parser
from alexnet.stopping import Terminated, end_when_terminated, exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or that of the error that ended it."""
    given_arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with end_when_terminated():
            return run(given_arguments)
    except BrokenPipeError:
        # Whoever read our output has enough; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as error:
        complain("interrupted")
        return exit_code(error)
    except Exception as error:
        if "--debug" in given_arguments:
            raise
        if isinstance(error, AlexNetError):
            complain(str(error))
            return exit_code(error.__cause__) if isinstance(error.__cause__, Terminated) else error.exit_code
        if interrupted := stopped_by(error):
            complain("interrupted")
            return exit_code(interrupted)
        complain(explained(error))
        return UsageError.exit_code if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG else 1


def explained(error: Exception) -> str:
    """Say in a line what happened where no code of ours has said it."""
    if isinstance(error, OSError) and error.filename is None and error.errno == errno.ENOSPC:
        return "what was to be printed cannot be written (no space left on device): send it elsewhere"
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"{str(error.filename)[:60]}… is longer than a file's name can be: shorten it"
    if isinstance(error, PermissionError) and error.filename is not None:
        return f"{error.filename} is not open to you ({error.strerror}): check its permissions"
    if isinstance(error, MemoryError) or any(words in str(error) for words in ("allocate memory", "out of memory")):
        return "there is not enough memory for this: lower --batch-size, or stop other programs"
    what = ": ".join(filter(None, (type(error).__name__, str(error))))
    return f"{what} (unforeseen: --debug shows where)"


def stopped_by(error: BaseException) -> KeyboardInterrupt | None:
    """Find the interruption in whose wake something failed: a second Ctrl-C may come anywhere, in a lock too."""
    earlier = error.__context__
    while earlier is not None and not isinstance(earlier, KeyboardInterrupt):
        earlier = earlier.__context__
    return earlier


def run(arguments: Sequence[str]) -> int:
    """Run one command; what is wrong is raised."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what a terminal cannot show
    try:
        if any("\0" in word for word in arguments):
            raise UsageError("an argument holds a NUL byte, which no name of a file can: leave it out")
        options = parser().parse_args(arguments)
        return options.verb(options) or 0
    finally:
        if sys.stdout is not None:  # closed by whoever started this
            sys.stdout.flush()


def parser() -> Parser:
    """Describe the whole command."""
    top = Parser(prog="alexnet", description="AlexNet (2012): prepare pictures, train, evaluate, look.")
    top.add_argument("--version", action="version", version=f"alexnet {__version__}")
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True, dest="verb_name")

    def verb(name: str, function: Callable[[Options], int | None], text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
        one.set_defaults(verb=function)
        return one

    demo = verb("demo", learning.run_demo, "the whole path on drawn pictures, in under two minutes")
    demo.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="folder for store and run (default: demo)"
    )
    add_device(demo)
    stores.add_prepare(verb("prepare", stores.run_prepare, "write pictures into a store"))
    stores.add_merge(verb("merge", stores.run_merge, "join parts that were prepared on several machines"))
    looking.add_data(verb("data", looking.run_data, "what is in a store"))
    verify = verb("verify", stores.run_verify, "check every byte of a store or a run")
    verify.add_argument("store", type=Path, metavar="STORE_OR_RUN")
    verify.add_argument("--json", action="store_true", help="print one JSON value")
    learning.add_train(verb("train", learning.run_train, "train a network on a store"))
    learning.add_resume(verb("resume", learning.run_resume, "go on with a run that was stopped"))
    evaluating.add_evaluate(verb("evaluate", evaluating.run_evaluate, "measure one run, or several averaged"))
    predicting.add_predict(verb("predict", predicting.run_predict, "name what pictures show"))
    finding.add_neighbors(
        verb("neighbors", finding.run_neighbors, "find the training pictures that are most like a picture (Figure 4)")
    )
    using.add_filters(verb("filters", using.run_filters, "draw what conv1 of a run learned, or another layer"))
    reporting.add_report(verb("report", reporting.run_report, "one page of all about a run, or several compared"))
    using.add_export(
        verb("export", using.run_export, "write a run's network, its weights, or a folder for from_pretrained")
    )
    serving.add_serve(
        verb("serve", serving.run_serve, "the local page: drop pictures, see what the network makes of them")
    )
    telling.add_info(verb("info", telling.run_info, "a network's layers, or a recipe's numbers"))
    telling.add_reproduce(
        verb("reproduce", telling.run_reproduce, "rerun the claims and write-ups; without a name, list them")
    )
    return top

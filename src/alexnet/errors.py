"""The errors of `alexnet`: each says in one line what is wrong and what to do, and knows its exit code."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches


class AlexNetError(Exception):
    """Something failed while running; the message is one line that names the thing and the way out."""

    exit_code = 1


class UsageError(AlexNetError):
    """The arguments, a recipe, an architecture or a folder's layout is wrong."""

    exit_code = 2


class DataError(AlexNetError):
    """A data file, a store or a checkpoint is refused: torn, foreign, of another version, or not what it claims."""

    exit_code = 3


class Diverged(AlexNetError):
    """The loss is no longer a finite number; nothing of that update was kept."""

    exit_code = 4


class Interrupted(AlexNetError):
    """A signal asked to stop, mostly Ctrl-C; what was done is saved and the message says how to go on."""

    exit_code = 130


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """End an error about an unknown name: the nearest known name, or all of them.

    >>> did_you_mean("singel", ["single", "paper"])
    'did you mean single?'
    """
    names = list(known)
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from: {', '.join(names)}"


def printable(words: str) -> str:
    r"""Write out what a line cannot hold: the odd bytes, line ends and the like that a file's name may have.

    >>> print(printable("two\nlines"))
    two\nlines
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in words)


def complain(text: str) -> None:
    """Tell an error in one line, on standard error; where nobody can read it, the exit code has to do."""
    if sys.stderr is not None:  # closed by whoever started this
        with suppress(OSError):
            sys.stderr.write(f"error: {printable(' '.join(text.splitlines()))}\n")

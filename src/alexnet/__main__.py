"""`python -m alexnet` is the command `alexnet`."""

import os
import sys


def main() -> int:
    """Run the command, also where it is stopped, or has no standard error, before it is read whole."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # else the next file that is opened would take the place of a closed one
    try:
        from alexnet.cli import main as command

        return command()
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("error: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())

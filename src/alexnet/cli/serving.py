"""The verb serve: the local page."""

import argparse
import sys
from pathlib import Path

from alexnet.cli.options import Options, add_device, chosen_device
from alexnet.errors import UsageError

HOST, PORT = "127.0.0.1", 8000


def add_serve(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `serve`."""
    parser.description = (
        "The local page: drop pictures, see what the network makes of them. Programs get JSON at the same address. "
        "Ctrl-C stops it (exit code 130, after SIGTERM 143); answers under way are finished first."
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--host", default=HOST, help=f"address to listen at (default: {HOST}, this machine alone)")
    parser.add_argument("--port", type=int, default=PORT, help=f"0 takes any that is free (default: {PORT})")
    add_device(parser)


def run_serve(options: Options) -> int:
    """Serve the page until it is stopped."""
    try:
        from alexnet.web.app import make_app
    except ImportError as error:
        raise UsageError(f"the page needs {error.name}: pip install 'alexnet[web]'") from error
    from alexnet.prediction import load
    from alexnet.web.gallery import neighbors_of
    from alexnet.web.guard import LOCAL
    from alexnet.web.server import address, listen, serve

    if not 0 <= options.port <= 65535:
        raise UsageError(f"--port {options.port} is out of range: 0 to 65535")
    with listen(options.host, options.port) as listening:
        if options.host.lower() not in LOCAL and not options.host.startswith("127."):
            print(
                f"warning: --host {options.host} lets others on the network use this page, which asks for no password",
                file=sys.stderr,
            )
        model = load(options.run, chosen_device(options))
        app = make_app(model, options.run.resolve().name, options.host, neighbors_of(options.run, model))
        print(f"{address(listening)} (Ctrl-C stops it)", flush=True)
        try:
            serve(app, listening)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 130
    return 0

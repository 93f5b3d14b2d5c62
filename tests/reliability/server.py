"""Starts commands of `alexnet` as processes of their own, with torch loaded once for all of them.

    server.py SOCKET

A connection sends one line of JSON, `{"words", "cwd", "environment", "limits", "out", "err"}`. The command runs in a
process that is forked from this one and leads a group of its own; the answers are a line with its `pid` at once, and
a line with its `status` (as `os.wait4` gives it) and `peak` (kilobytes of memory) when it has ended. Nothing of the
command has run before the fork, and no thread of torch: it is a real process, and a real signal ends it.
"""

import json
import os
import resource
import signal
import socket
import sys
import traceback
from contextlib import suppress

import matplotlib.pyplot  # noqa: F401  # what `train` draws with
import torch
import torch._dynamo  # what an optimizer loads when it is made

import alexnet.cli
import alexnet.data.preparation
import alexnet.experiments
import alexnet.prediction
import alexnet.report
import alexnet.training.loop

# Kept back until a command is there that can be interrupted.
HELD = (signal.SIGINT, signal.SIGTERM)


def become(request: dict) -> None:
    """Run the command in this process, which it ends."""
    os.setpgid(0, 0)
    streams = [(os.devnull, os.O_RDONLY), *((request[name], os.O_WRONLY | os.O_CREAT) for name in ("out", "err"))]
    for number, (path, how) in enumerate(streams):
        os.dup2(os.open(path, how), number)
    os.closerange(3, 64)  # above lie only this server's socket and what the imports hold
    os.chdir(request["cwd"])
    os.environ.update(request["environment"])
    for name, most in request["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))
    sys.argv = ["alexnet", *request["words"]]
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        code = alexnet.cli.main()
    except KeyboardInterrupt:  # before the command could catch it
        code = 130
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def serve(connection: socket.socket) -> None:
    """Start one command and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("rw", encoding="utf-8") as stream:
        request = json.loads(stream.readline())
        if (child := os.fork()) == 0:
            become(request)
        with suppress(PermissionError, ProcessLookupError):  # it was quicker
            os.setpgid(child, child)
        print(json.dumps({"pid": child}), file=stream, flush=True)
        _, status, usage = os.wait4(child, 0)
        print(json.dumps({"status": status, "peak": usage.ru_maxrss}), file=stream, flush=True)


def main(path: str) -> None:
    """Wait for connections until this process is ended."""
    torch.set_num_threads(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who serve
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(16)
        while True:
            connection, _ = door.accept()
            if os.fork() == 0:
                door.close()
                try:
                    serve(connection)
                finally:
                    os._exit(0)
            connection.close()


if __name__ == "__main__":
    main(sys.argv[1])

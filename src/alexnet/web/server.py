"""The page, served: a port of this machine taken before anything is loaded, and given back within seconds."""

import errno
import signal
import socket
from typing import Any

from alexnet.errors import AlexNetError, UsageError

DRAIN_SECONDS = 4  # that answers under way get when the server is stopped; with the rest, under 5


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Args:
        host: An address of this machine, or a name of it.
        port: 0 takes any that is free.

    Raises:
        UsageError: If it is taken or cannot be.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError) as error:
        raise UsageError(f"--host {host} is no address of this machine: leave it out") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} is in use: choose another, or --port 0 for any that is free") from error
        if error.errno == errno.EACCES:
            raise UsageError(f"port {port} is not yours to take: choose one above 1023") from error
        raise UsageError(f"{host} port {port} cannot be listened at ({error.strerror}): leave --host out") from error
    return listening


def address(listening: socket.socket) -> str:
    """Give what to open in a browser, on this machine."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # replaced
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(app: Any, listening: socket.socket) -> None:
    """Serve an application until Ctrl-C or SIGTERM; answers under way are finished first, for up to four seconds.

    Args:
        app: A Starlette application; why it does not start, it leaves in `state.failure`.
        listening: What `listen` gave; it is closed at the end.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
        SystemExit: With code 143, after SIGTERM.
        AlexNetError: If the application does not start.
    """
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE

    from alexnet.web.protocol import TimedProtocol

    config = uvicorn.Config(
        app,
        http=TimedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    # uvicorn takes both signals while it serves, and afterwards raises the one that stopped it once more.
    before = signal.signal(signal.SIGTERM, leave)
    try:
        uvicorn.Server(config).run([listening])
    except SystemExit as left:
        if left.code == STARTUP_FAILURE:
            raise AlexNetError(f"the page does not start: {getattr(app.state, 'failure', 'see above')}") from left
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        listening.close()

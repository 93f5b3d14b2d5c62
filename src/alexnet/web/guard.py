"""Who may ask: the page itself and programs on this machine, no page of anyone else (cross-site and rebound names).

A page from elsewhere, open in the same browser, can send requests here too. It gives itself away by the headers Origin
and Sec-Fetch-Site, which no page can forge, or, where it has made its own name point here, by Host.
"""

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  # compared with, not bound to
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
    "vary": "Accept",
}


def known_hosts(host: str) -> Callable[[str], bool]:
    """Tell which names a request may call this server by.

    Args:
        host: Where it listens. If that is everywhere, any address in numbers is known, which no name can be rebound to,
            and the machine's own name.
    """
    names = {*LOCAL, host.lower()}
    if host not in EVERYWHERE:
        return lambda name: name in names
    names.add(socket.gethostname().lower())
    return lambda name: name in names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def named(host: str) -> str:
    """Take the name out of a Host header: no port, no brackets, small letters; empty if there is none.

    >>> named("LOCALHOST:8000"), named("[::1]:8000"), named("a@b:1")
    ('localhost', '::1', '')
    """
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    whole = parts.netloc == host and "@" not in host
    return (parts.hostname or "") if whole else ""


class Guard:
    """Lets through what may be asked, and puts the headers of `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        """Guard an application that listens at `host`."""
        self.app, self.knows = app, known_hosts(host)

    def refusal(self, headers: Headers) -> tuple[int, str] | None:
        """Say why a request with such headers is refused, and by which status; None if it is not."""
        host = headers.get("host", "").lower()
        if not self.knows(named(host)):
            return 421, "this server is not called so: open the address that alexnet serve printed"
        if not {origin.lower() for origin in headers.getlist("origin")} <= {f"http://{host}", f"https://{host}"}:
            return 403, "asked by a page from elsewhere: open the address that alexnet serve printed"
        if not {*headers.getlist("sec-fetch-site")} <= {"none", "same-origin"}:
            return 403, "reached from a page elsewhere: open the address that alexnet serve printed"
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self.refusal(Headers(scope=scope))
        if refused is None:
            await self.app(scope, receive, send_with_headers)
        else:
            status, reason = refused
            await JSONResponse({"error": reason}, status)(scope, receive, send_with_headers)

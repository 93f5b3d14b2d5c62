"""What can be asked: the page and its few files, and what a network makes of a picture; nothing else.

    GET  /        the page; with `Accept: application/json`, what network it is, in JSON
    POST /        a picture's bytes; the answer is what `alexnet predict --json` prints for that file
    POST /look    the same, for what is shown beside the answer
    GET  /page.js /style.css /icon.svg

No path is made of what is asked, nothing is fetched, nothing is written.
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alexnet.data.decode import UnreadablePicture
from alexnet.prediction import Model
from alexnet.web.guard import Guard
from alexnet.web.looks import Neighbors
from alexnet.web.service import BODY_BYTES, Busy, Service, TooLarge

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
SENT = "-"  # the name of a picture that has none, as in `predict -`
RETRY_SECONDS = "1"
# What a form can send without asking first; a page from elsewhere could send no picture under another name.
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "")


class Json(JSONResponse):
    """JSON in ASCII, which can say any byte that the name of a class or a file may have."""

    def render(self, content: Any) -> bytes:
        """Write a value."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def make_app(model: Model, name: str, host: str = "127.0.0.1", neighbors: Neighbors | None = None) -> Starlette:
    """Make the application.

    Args:
        model: The network.
        name: What it is called on the page.
        host: Where it will listen.
        neighbors: Finds training pictures that are like one; without it none are shown.
    """
    service = Service(model, neighbors)
    folder = resources.files("alexnet.web") / "page"
    files = {path: ((folder / file).read_bytes(), kind) for path, (file, kind) in FILES.items()}
    about = _about(model, name, neighbors is not None)

    async def file(request: Request) -> Response:
        if request.url.path == "/" and _wants_json(request.headers.get("accept", "")):
            return Json(about)
        content, kind = files[request.url.path]
        return Response(content, media_type=kind)

    async def predict(length: int, chunks: AsyncIterator[bytes]) -> Any:
        return [{"file": SENT, "top": [asdict(guess) for guess in await service.answer(length, chunks)]}]

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        try:
            await service.start()
            yield
        except Exception as error:
            app.state.failure = error  # uvicorn keeps it to itself
            raise
        finally:
            await service.stop()

    routes = [Route(path, file, methods=["GET"]) for path in files]
    routes += [Route("/", _answering(predict), methods=["POST"])]
    routes += [Route("/look", _answering(service.look), methods=["POST"])]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, host=host)],
        exception_handlers={HTTPException: _refused},
        lifespan=running,
    )
    app.router.redirect_slashes = False  # what is nearly a path is none
    return app


def _about(model: Model, name: str, neighbors: bool) -> dict[str, Any]:
    """Tell programs, and the page, what network it is."""
    return {
        "name": name,
        "network": model.network.architecture.name,
        "side": model.trained.view.side,
        "classes": model.classes,
        "neighbors": neighbors,
        "bytes": BODY_BYTES,
    }


def _wants_json(accept: str) -> bool:
    return "application/json" in accept and "text/html" not in accept


def _answering(task: Callable[[int, AsyncIterator[bytes]], Awaitable[Any]]) -> Callable[..., Awaitable[Response]]:
    """Make the handler of a task that takes a picture: what can go wrong, and how it is told."""

    async def handle(request: Request) -> Response:
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind in FORMS:
            return _error(415, "send the picture's bytes alone, with Content-Type: application/octet-stream")
        declared = request.headers.get("content-length", "")
        try:
            return Json(await task(int(declared) if declared.isdecimal() else 0, request.stream()))
        except UnreadablePicture as error:
            return Json([{"file": SENT, "error": str(error)}], 422)
        except TooLarge:
            return _error(413, f"more than {BODY_BYTES:,} bytes: send a smaller picture")
        except Busy:
            return _error(503, "too many pictures wait: try again in a second", {"retry-after": RETRY_SECONDS})
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as error:
            logging.getLogger(__name__).exception("a picture could not be answered")
            return _error(500, f"{type(error).__name__}: the terminal that runs alexnet serve shows where")

    return handle


async def _refused(request: Request, error: Exception) -> Response:
    """Tell what is not there, or not to be asked in this way."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    return _error(status, HTTPStatus(status).phrase.lower(), dict(headers or {}))


def _error(status: int, reason: str, headers: dict[str, str] | None = None) -> Json:
    return Json({"error": reason}, status, headers)

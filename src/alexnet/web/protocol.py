"""Connections with a time limit each: uvicorn itself waits for ever for a request that comes byte by byte."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

RECEIVE_SECONDS = 10.0  # from the connection, or from the answer before, to the last byte of a request
ANSWER_SECONDS = 60.0  # from there to the last byte of the answer, which the other side may be slow to take
CONNECTIONS = 400  # at a time; more are closed at once


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP, where what takes too long is cut off."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Begin as uvicorn's does."""
        super().__init__(*arguments, **named)
        self.limit: asyncio.TimerHandle | None = None

    def _allow(self, seconds: float | None) -> None:
        """Cut the connection off after some seconds from now, or no more at all."""
        if self.limit is not None:
            self.limit.cancel()
        self.limit = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self._allow(RECEIVE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        self._allow(None)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Allow more time once a request is whole."""
        waiting = self._is_answering()
        super().handle_events()
        if not waiting and self._is_answering():
            self._allow(ANSWER_SECONDS)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def on_response_complete(self) -> None:
        """Count anew."""
        self._allow(RECEIVE_SECONDS)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; in the middle of an answer nothing can be said any more."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

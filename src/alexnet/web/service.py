"""Pictures that wait for the network: decoded one by one, answered in batches by one thread, refused when too many.

What one request holds is bounded, and so is what all hold together: neither a crowd nor large files fill the memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8

from alexnet.prediction import Guess, Model
from alexnet.web.decoder import Decoder
from alexnet.web.looks import Neighbors, look

TOP = 5
BATCH = 32
WAITING = 64  # pictures in all, from their last byte to their answer
LOOKS = 8  # of them, those that are looked at closer, which takes longer
BODY_BYTES = 10_000_000
HELD_BYTES = 15_000_000  # of all files that are being received or wait for the decoder

Picture = UInt8[np.ndarray, "side side 3"]
T = TypeVar("T")


class TooLarge(Exception):
    """A body of more than `BODY_BYTES`."""


class Busy(Exception):
    """Too many pictures wait already."""


@dataclass
class _Body:
    """A file as far as it has come in."""

    data: bytearray = field(default_factory=bytearray)


class Service:
    """Answers pictures; to be started before and stopped after, in the same event loop.

    Attributes:
        model: The network.
        decoder: Reads the files.
        waiting: Pictures that have no answer yet.
        held: Bytes of files in memory.
    """

    def __init__(self, model: Model, neighbors: Neighbors | None = None) -> None:
        """Start nothing yet.

        Args:
            model: The network.
            neighbors: Finds training pictures that are like one; without it none are shown.
        """
        self.model, self.neighbors = model, neighbors
        self.decoder = Decoder(model.trained.view.stored_side)
        self.waiting = self.looking = self.held = 0
        self.arrived: asyncio.Queue[tuple[Picture, asyncio.Future[list[Guess]]]] = asyncio.Queue()
        self.thread = ThreadPoolExecutor(1, "network")
        self.worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer; the first picture of all is a grey one, so that those of users need not wait."""
        self.worker = asyncio.create_task(self._work())
        grey = np.full((self.decoder.side, self.decoder.side, 3), 128, np.uint8)
        await asyncio.gather(self.decoder.ready(), self._in_thread(lambda: self.model.predict(grey)))

    async def stop(self) -> None:
        """Let go of thread and process; what still waits gets no answer."""
        await self.decoder.close()
        self.thread.shutdown(wait=False, cancel_futures=True)
        if self.worker is not None:
            self.worker.cancel()

    async def answer(self, length: int, chunks: AsyncIterator[bytes]) -> list[Guess]:
        """Name the best classes of a picture file, as `predict` would.

        Args:
            length: Of the file, as declared; 0 if nobody knows.
            chunks: The file, as it comes in.

        Raises:
            UnreadablePicture: With the reason.
            TooLarge: At the first byte too many.
            Busy: If too much waits already.
        """
        async with self._picture(length, chunks) as picture:
            answer: asyncio.Future[list[Guess]] = asyncio.get_running_loop().create_future()
            self.arrived.put_nowait((picture, answer))
            return await answer

    async def look(self, length: int, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Look closer at a picture file; see `alexnet.web.looks.look`, and `answer` for what is taken and raised."""
        if self.looking >= LOOKS:
            raise Busy
        self.looking += 1
        try:
            async with self._picture(length, chunks) as picture:
                return await self._in_thread(lambda: look(self.model.trained, picture, self.neighbors))
        finally:
            self.looking -= 1

    @asynccontextmanager
    async def _picture(self, length: int, chunks: AsyncIterator[bytes]) -> AsyncIterator[Picture]:
        """Receive and decode a picture, which then counts as waiting; only whole files do, however slowly they come."""
        if length > BODY_BYTES:
            raise TooLarge
        body = _Body()
        try:
            await self._receive(body, chunks)
            if self.waiting >= WAITING:
                raise Busy
            self.waiting += 1
            try:
                picture = await self.decoder.stored(body.data)
                self._forget(body)
                yield picture
            finally:
                self.waiting -= 1
        finally:
            self._forget(body)

    async def _receive(self, body: "_Body", chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            if len(body.data) + len(chunk) > BODY_BYTES:
                raise TooLarge
            if self.held + len(chunk) > HELD_BYTES:
                raise Busy
            body.data += chunk
            self.held += len(chunk)

    def _forget(self, body: "_Body") -> None:
        self.held -= len(body.data)
        body.data = bytearray()

    async def _in_thread(self, task: Callable[[], T]) -> T:
        """Compute beside the event loop, one thing at a time."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, task)

    async def _work(self) -> None:
        """Answer what has arrived, all of it at once."""
        while True:
            batch = [await self.arrived.get()]
            while len(batch) < BATCH and not self.arrived.empty():
                batch.append(self.arrived.get_nowait())
            pictures: list[Any] = [picture for picture, _ in batch]
            try:
                guesses = await self._in_thread(partial(self.model.predict, pictures, TOP))
            except Exception as error:  # whatever it is, it belongs to those who asked, and others come
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), guess in zip(batch, guesses, strict=True):
                if not answer.done():
                    answer.set_result(guess)

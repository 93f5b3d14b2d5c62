"""Pictures of strangers, decoded in a process of its own: one that crashes or takes too long costs its picture only.

`Decoder` talks to that process over its standard input and output, one picture at a time. As a program, this file is
that process. A question is the side, the length and the file; an answer is whether it could be read, the length, and
pixels or the reason. One answer, without a question, says that the process is ready.
"""

import asyncio
import struct
import sys
from io import BufferedIOBase

import numpy as np
from jaxtyping import UInt8

from alexnet.data.decode import UnreadablePicture, decode, fit
from alexnet.errors import AlexNetError

SECONDS = 10.0
START_SECONDS = 120.0  # torch is read from the disk, for the first time perhaps
QUESTION, ANSWER = struct.Struct(">II"), struct.Struct(">?I")


class Decoder:
    """Brings picture files to the form that a store has them in, as `prepare` and `predict` do.

    Attributes:
        side: Of the square pictures it gives.
        seconds: How long a picture may take.
        process: The decoding one; None before the first picture and after a crash.
    """

    def __init__(self, side: int, seconds: float = SECONDS) -> None:
        """Start nothing yet."""
        self.side, self.seconds = side, seconds
        self.process: asyncio.subprocess.Process | None = None
        self.free = asyncio.Lock()

    async def stored(self, data: bytes | bytearray) -> UInt8[np.ndarray, "side side 3"]:
        """Decode a picture file: shorter side and centre, as the store would hold it.

        Raises:
            UnreadablePicture: With the reason.
        """
        async with self.free:
            await self.ready()
            try:
                async with asyncio.timeout(self.seconds):
                    good, answer = await self._answered(QUESTION.pack(self.side, len(data)), data)
            except TimeoutError as error:
                raise UnreadablePicture(f"takes longer than {self.seconds:g} s to decode") from error
            except (OSError, asyncio.IncompleteReadError) as error:
                raise UnreadablePicture("the decoder crashed on it") from error
        if not good:
            raise UnreadablePicture(answer.decode())
        return np.frombuffer(answer, np.uint8).reshape(self.side, self.side, 3)

    async def ready(self) -> None:
        """Start the process unless it runs: in a session of its own, so that Ctrl-C is not meant for it.

        Raises:
            AlexNetError: If it does not start.
        """
        if self.process is None or self.process.returncode is not None:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", __name__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # libraries in C complain there
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._answered(b"")
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                raise AlexNetError(
                    "the process that decodes pictures does not start: see whether memory is left"
                ) from error

    async def _answered(self, *question: bytes | bytearray) -> tuple[bool, bytes]:
        """Send something and wait for an answer; if none is had the process ends, or the next would take it."""
        process, told = self.process, None
        if process is None or process.stdin is None or process.stdout is None:
            raise BrokenPipeError
        try:
            for part in question:  # not joined: that would copy it
                process.stdin.write(part)
            await process.stdin.drain()
            good, length = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
            told = good, await process.stdout.readexactly(length)
            return told
        finally:
            if told is None:
                await self.close()

    async def close(self) -> None:
        """End the process."""
        process, self.process = self.process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()  # its pipes close with it


def answer(questions: BufferedIOBase, answers: BufferedIOBase) -> None:
    """Say that it is ready, then decode one picture after another, until no more come."""
    answers.write(ANSWER.pack(True, 0))
    answers.flush()
    while len(head := questions.read(QUESTION.size)) == QUESTION.size:
        side, length = QUESTION.unpack(head)
        try:
            good, told = True, fit(decode(questions.read(length)), side).tobytes()
        except UnreadablePicture as error:
            good, told = False, str(error).encode(errors="replace")
        except MemoryError:
            good, told = False, b"needs more memory than there is"
        answers.write(ANSWER.pack(good, len(told)) + told)
        answers.flush()


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)  # the other cores are for the network
    with open(0, "rb") as questions, open(1, "wb") as answers:
        answer(questions, answers)

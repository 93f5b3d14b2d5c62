"""Tests of alexnet.web.decoder: the same pixels as everywhere, and what becomes of a process that fails."""

import asyncio
import io
import os
import signal
import struct
import sys

import numpy as np
import pytest

from alexnet.data.decode import UnreadablePicture, decode, fit
from alexnet.errors import AlexNetError
from alexnet.web.decoder import SECONDS, Decoder, answer

SIDE = 32


@pytest.fixture(scope="module")
def decoding():
    """Run tasks with a decoder; one for all, because its process takes a second to start."""
    decoder = Decoder(SIDE)
    with asyncio.Runner() as runner:
        yield lambda task: runner.run(task(decoder))
        runner.run(decoder.close())


def test_pictures_are_as_prepare_and_predict_have_them(decoding, files):
    async def all_of_them(decoder):
        return [await decoder.stored(file.read_bytes()) for file in files]

    for file, picture in zip(files, decoding(all_of_them), strict=True):
        np.testing.assert_array_equal(picture, fit(decode(file.read_bytes()), SIDE), err_msg=file.name)


def test_several_at_a_time_get_their_own_pictures(decoding, files):
    async def together(decoder):
        return await asyncio.gather(*(decoder.stored(file.read_bytes()) for file in files))

    for file, picture in zip(files, decoding(together), strict=True):
        np.testing.assert_array_equal(picture, fit(decode(file.read_bytes()), SIDE), err_msg=file.name)


def test_what_is_no_picture_is_refused_with_the_reason_of_decode(decoding, files):
    async def bad_and_good(decoder):
        with pytest.raises(UnreadablePicture, match=r"^not a picture$"):
            await decoder.stored(b"hello")
        with pytest.raises(UnreadablePicture, match=r"^empty file$"):
            await decoder.stored(b"")
        return await decoder.stored(files[0].read_bytes())

    assert decoding(bad_and_good).shape == (SIDE, SIDE, 3)


def test_a_crash_costs_its_picture_only(decoding, files):
    data = files[0].read_bytes()

    async def crash(decoder):
        await decoder.stored(data)
        crashing = decoder.process.pid
        os.kill(crashing, signal.SIGSTOP)
        asked = asyncio.create_task(decoder.stored(data))
        await asyncio.sleep(0.1)
        os.kill(crashing, signal.SIGKILL)
        with pytest.raises(UnreadablePicture, match=r"^the decoder crashed on it$"):
            await asked
        after = await decoder.stored(data)
        return crashing, decoder.process.pid, after

    crashed, running, after = decoding(crash)
    assert crashed != running
    np.testing.assert_array_equal(after, fit(decode(data), SIDE))


def test_a_process_that_ended_meanwhile_costs_nothing(decoding, files):
    data = files[0].read_bytes()

    async def gone(decoder):
        await decoder.stored(data)
        decoder.process.kill()
        await decoder.process.wait()
        return await decoder.stored(data)

    assert decoding(gone).shape == (SIDE, SIDE, 3)


def test_a_picture_that_takes_too_long_is_given_up(decoding, files):
    data = files[0].read_bytes()

    async def slow(decoder):
        await decoder.stored(data)
        decoder.seconds = 0.2
        stuck = decoder.process
        os.kill(stuck.pid, signal.SIGSTOP)
        with pytest.raises(UnreadablePicture, match=r"^takes longer than 0.2 s to decode$"):
            await decoder.stored(data)
        assert await stuck.wait() == -signal.SIGKILL
        decoder.seconds = SECONDS
        return await decoder.stored(data)

    assert decoding(slow).shape == (SIDE, SIDE, 3)


def test_whoever_gives_up_gets_nobody_elses_answer(decoding, files):
    first, second = files[0].read_bytes(), files[1].read_bytes()

    async def cancelled(decoder):
        await decoder.ready()
        os.kill(decoder.process.pid, signal.SIGSTOP)
        asked = asyncio.create_task(decoder.stored(first))
        await asyncio.sleep(0.1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        return await decoder.stored(second)

    np.testing.assert_array_equal(decoding(cancelled), fit(decode(second), SIDE))


def test_a_process_that_does_not_start_is_told(decoding, files, monkeypatch):
    async def hopeless(decoder):
        await decoder.close()
        monkeypatch.setattr(sys, "executable", "/bin/true")
        with pytest.raises(AlexNetError, match="does not start"):
            await decoder.stored(files[0].read_bytes())
        monkeypatch.undo()
        return await decoder.stored(files[0].read_bytes())

    assert decoding(hopeless).shape == (SIDE, SIDE, 3)


def test_ctrl_c_is_not_meant_for_the_process(decoding):
    async def session(decoder):
        await decoder.ready()
        return os.getsid(decoder.process.pid)

    assert decoding(session) != os.getsid(0)


def test_the_process_ends_when_nobody_asks_any_more(files):
    data = files[0].read_bytes()
    answers = io.BytesIO()
    asked = struct.pack(">II", SIDE, len(data)) + data + struct.pack(">II", SIDE, 3) + b"abc"
    answer(io.BytesIO(asked), answers)
    size = SIDE * SIDE * 3
    ready, told = answers.getvalue()[:5], answers.getvalue()[5:]
    assert ready == struct.pack(">?I", True, 0)
    assert told[:5] == struct.pack(">?I", True, size)
    assert told[5 : 5 + size] == fit(decode(data), SIDE).tobytes()
    assert told[5 + size :] == struct.pack(">?I", False, 13) + b"not a picture"

"""Tests of alexnet.web.service: batches, and what is refused when too much comes."""

import asyncio
import threading

import numpy as np
import pytest

from alexnet.data.decode import UnreadablePicture
from alexnet.web import service as serving
from alexnet.web.service import Busy, Service, TooLarge


async def chunks(*some):
    for chunk in some:
        yield chunk


async def never():
    yield b"\xff\xd8\xff"
    await asyncio.Event().wait()


@pytest.fixture(scope="module")
def near():
    """The pictures whose neighbors were asked for; they have none."""
    return []


@pytest.fixture(scope="module")
def run(model, near):
    """Run tasks with a service; one for all, because its decoder takes a second to start."""
    service = Service(model, neighbors=lambda stored: near.append(stored) or [])
    with asyncio.Runner() as runner:
        runner.run(service.start())
        yield lambda task: runner.run(task(service))
        runner.run(service.stop())


@pytest.fixture
def gate(model, monkeypatch):
    """Let no prediction go on before the gate is opened; which batches came is noted."""
    opened, batches = threading.Event(), []
    predict = type(model).predict

    def waiting(self, pictures, *rest):
        assert opened.wait(20)
        batches.append(len(pictures))
        return predict(self, pictures, *rest)

    monkeypatch.setattr(type(model), "predict", waiting)
    return opened, batches


def test_answers_are_those_of_predict(run, model, files):
    async def all_at_once(service):
        return await asyncio.gather(*(service.answer(0, chunks(file.read_bytes())) for file in files))

    for file, guesses in zip(files, run(all_at_once), strict=True):
        (expected,) = model.predict(file)
        assert [one.label for one in guesses] == [one.label for one in expected]
        assert [one.probability for one in guesses] == pytest.approx([one.probability for one in expected], abs=1e-6)


def test_what_waits_is_answered_together(run, model, files, gate):
    opened, batches = gate

    async def crowd(service):
        asked = [asyncio.create_task(service.answer(0, chunks(file.read_bytes()))) for file in files[:12]]
        while service.arrived.qsize() < 11:
            await asyncio.sleep(0.01)
        opened.set()
        return await asyncio.gather(*asked)

    assert len(run(crowd)) == 12
    assert batches == [1, 11]


def test_too_many_are_refused_and_the_next_are_taken_again(run, model, files, gate, monkeypatch):
    opened, _ = gate
    monkeypatch.setattr(serving, "WAITING", 3)
    data = files[0].read_bytes()

    async def crowd(service):
        asked = [asyncio.create_task(service.answer(0, chunks(data))) for _ in range(3)]
        while service.waiting < 3:
            await asyncio.sleep(0.01)
        with pytest.raises(Busy):
            await service.answer(0, chunks(data))
        with pytest.raises(Busy):
            await service.look(0, chunks(data))
        opened.set()
        await asyncio.gather(*asked)
        assert (service.waiting, service.looking, service.held) == (0, 0, 0)
        return await service.answer(0, chunks(data))

    assert len(run(crowd)) == 5


def test_those_who_send_slowly_keep_nobody_out(run, model, files, monkeypatch):
    monkeypatch.setattr(serving, "WAITING", 1)

    async def slow(service):
        asked = [asyncio.create_task(service.answer(0, never())) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert service.waiting == 0
        guesses = await service.answer(0, chunks(files[0].read_bytes()))
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert service.held == 0
        return guesses

    assert len(run(slow)) == 5


def test_a_file_is_bounded_and_so_are_all_together(run, model, monkeypatch):
    monkeypatch.setattr(serving, "BODY_BYTES", 100)
    monkeypatch.setattr(serving, "HELD_BYTES", 150)

    async def large(service):
        with pytest.raises(TooLarge):
            await service.answer(101, never())  # declared: nothing is read
        with pytest.raises(TooLarge):
            await service.answer(0, chunks(b"x" * 60, b"x" * 41))
        with pytest.raises(UnreadablePicture):
            await service.answer(100, chunks(b"x" * 60, b"x" * 40))

        async def stuck():
            yield b"x" * 100
            await asyncio.Event().wait()

        asked = asyncio.create_task(service.answer(0, stuck()))
        await asyncio.sleep(0.01)
        with pytest.raises(Busy):
            await service.answer(0, chunks(b"x" * 51))
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert (service.waiting, service.held) == (0, 0)

    run(large)


def test_looks_are_fewer(run, model, files, monkeypatch):
    monkeypatch.setattr(serving, "LOOKS", 1)
    data = files[0].read_bytes()

    async def looks(service):
        first = asyncio.create_task(service.look(0, chunks(data)))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await service.look(0, chunks(data))
        assert set(await first) == {"seen", "importance", "maps", "neighbors"}
        assert service.looking == 0

    run(looks)


def test_a_failure_is_told_to_those_who_asked_and_the_next_are_answered(run, model, files, monkeypatch):
    predict = type(model).predict
    fails = iter([True, False])

    def sometimes(self, pictures, *rest):
        if next(fails):
            raise RuntimeError("no memory")
        return predict(self, pictures, *rest)

    data = files[0].read_bytes()

    async def twice(service):
        monkeypatch.setattr(type(model), "predict", sometimes)
        with pytest.raises(RuntimeError, match="no memory"):
            await service.answer(0, chunks(data))
        return await service.answer(0, chunks(data))

    assert len(run(twice)) == 5


def test_neighbors_are_found_for_the_picture_as_stored(run, model, near, files):
    near.clear()

    async def looked(service):
        return await service.look(0, chunks(files[0].read_bytes()))

    told = run(looked)
    assert told["neighbors"] == []
    np.testing.assert_array_equal(near[0], model.stored(files[0]))

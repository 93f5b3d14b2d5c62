"""Batches hold the pictures, labels and places that were asked for, in that order, to the last odd one."""

import threading
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch

from alexnet.data.batches import batches, on_stream
from alexnet.data.resident import Resident
from alexnet.data.store import Store

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def split(tiny_store):
    return Store(tiny_store).splits["train"]


@pytest.fixture(scope="module")
def pixels(tiny_store):
    return np.fromfile(tiny_store / "train.images-00000.u8", np.uint8).reshape(-1, 32, 32, 3)


def test_batches_hold_what_the_order_asks_for(split, pixels):
    order = np.random.default_rng(0).permutation(len(split))
    seen = list(batches(split, order, 7, CPU))
    assert [len(batch.indices) for batch in seen[:-1]] == [7] * (len(split) // 7)
    assert np.array_equal(np.concatenate([batch.indices for batch in seen]), order)
    for batch in seen:
        assert batch.pictures.dtype == torch.uint8
        assert np.array_equal(batch.pictures.numpy(), pixels[batch.indices])
        assert np.array_equal(batch.labels.numpy(), split.labels[batch.indices])


def test_the_last_batch_holds_what_is_left(split):
    assert [len(batch.labels) for batch in batches(split, np.arange(10), 4, CPU)] == [4, 4, 2]
    assert [len(batch.labels) for batch in batches(split, np.arange(9), 4, CPU)] == [4, 4, 1]
    assert [len(batch.labels) for batch in batches(split, np.arange(8), 4, CPU)] == [4, 4]
    assert [len(batch.labels) for batch in batches(split, np.arange(3), 100, CPU)] == [3]
    assert list(batches(split, np.arange(0), 4, CPU)) == []


def test_a_part_of_the_split_and_a_picture_asked_for_twice(split):
    order = np.array([5, 3, 5])
    (batch,) = batches(split, order, 8, CPU)
    assert batch.indices.tolist() == [5, 3, 5]
    assert torch.equal(batch.pictures[0], batch.pictures[2])


def test_batches_are_copies_that_may_be_changed(split, pixels):
    (batch,) = batches(split, np.arange(1), 1, CPU)
    before = pixels[0].copy()
    batch.pictures.zero_()
    batch.labels.zero_()
    assert np.array_equal(split.pictures(np.arange(1))[0], before)
    assert before.any()


def test_nothing_is_read_before_it_is_asked_for(split):
    steps = batches(split, np.arange(len(split)), 2, CPU)
    assert next(steps).indices.tolist() == [0, 1]
    assert next(steps).indices.tolist() == [2, 3]


def test_a_resident_split_gives_the_same_batches(split):
    order = np.random.default_rng(0).permutation(len(split))
    resident = Resident(split, CPU)
    for _ in range(2):
        for kept, read in zip(batches(split, order, 7, CPU, resident), batches(split, order, 7, CPU), strict=True):
            assert torch.equal(kept.pictures, read.pictures)
            assert torch.equal(kept.labels, read.labels)
            assert np.array_equal(kept.indices, read.indices)


class FakeStream:
    """A CUDA stream that only notes, in one list with all others, what is asked of it."""

    def __init__(self, name, notes):
        self.name, self.notes, self.events = name, notes, 0

    def wait_stream(self, other):
        self.notes.append(f"{self.name} waits for {other.name}")

    def wait_event(self, event):
        self.notes.append(f"{self.name} waits for {event}")

    def record_event(self):
        self.events += 1
        return f"{self.name} {self.events}"


@pytest.fixture
def streams(monkeypatch):
    """Streams that are none, since there may be no GPU; the notes of what they were asked."""
    notes, made_on = [], []
    here, beside = FakeStream("here", notes), FakeStream("beside", notes)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: here)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: beside)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: made_on.append(stream.name) or nullcontext())
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: notes.append(f"kept for {stream.name}"))
    return notes, made_on


def steps(split, stop=4):
    return (partial(lambda start: next(batches(split, np.arange(start, start + 2), 2, CPU)), n) for n in range(stop))


def test_batches_on_a_stream_are_the_same_and_waited_for(split, streams):
    notes, made_on = streams
    seen = [batch.indices.tolist() for batch in on_stream(steps(split), CPU)]
    assert seen == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert made_on == ["beside"] * 4
    assert notes[0] == "beside waits for here"
    assert notes[-1] == "here waits for beside"
    waits = [note for note in notes if note.startswith("here waits")]
    assert waits == [f"here waits for beside {number}" for number in range(1, 5)] + ["here waits for beside"]
    assert notes.count("kept for here") == 8


def test_a_consumer_of_a_stream_that_stops_leaves_no_thread(split, streams):
    notes, _ = streams
    one = on_stream(steps(split, 100), CPU)
    next(one)
    one.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
    assert notes[-1] == "here waits for beside"

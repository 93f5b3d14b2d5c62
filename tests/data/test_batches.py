"""Batches hold the pictures, labels and places that were asked for, in that order, to the last odd one."""

import numpy as np
import pytest
import torch

from alexnet.data.batches import batches
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

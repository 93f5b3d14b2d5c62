"""Tests of alexnet.neighbors."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from alexnet import neighbors
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.features import Vectors
from alexnet.neighbors import Gallery, Neighbor, nearest
from alexnet.prediction import load


def vectors_of(values):
    values = np.asarray(values, np.float16)
    return Vectors(values, np.square(values.astype(np.float32)).sum(1))


def by_hand(values, queries, count):
    """Every distance in float64, one after another."""
    distances = [[np.sqrt(((v - q) ** 2).sum()) for v in values.astype(np.float64)] for q in queries.astype(np.float64)]
    places = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(np.array(distances), places, 1), places


@pytest.mark.parametrize("block", [1, 7 * 20, 1 << 21])
@pytest.mark.parametrize("queries", [1, 5])
def test_the_nearest_are_those_of_all_distances(monkeypatch, block, queries):
    monkeypatch.setattr(neighbors, "BLOCK", block)
    monkeypatch.setattr(neighbors, "QUERIES", 2)
    chance = np.random.default_rng(0)
    values = chance.normal(3, 1, (100, 20)).astype(np.float16)
    wanted = chance.normal(3, 1, (queries, 20)).astype(np.float16)
    distances, places = nearest(vectors_of(values), torch.from_numpy(wanted).float(), 6)
    expected = by_hand(values, wanted, 6)
    np.testing.assert_allclose(distances, expected[0], rtol=1e-12)
    assert np.array_equal(places, expected[1])


def test_a_picture_that_is_there_is_found_at_no_distance_and_of_equals_the_first():
    values = np.random.default_rng(0).normal(100, 1, (50, 300)).astype(np.float16)
    values[40] = values[7]
    distances, places = nearest(vectors_of(values), torch.from_numpy(values[40:41].astype(np.float32)), 3)
    assert places[0, :2].tolist() == [7, 40]
    assert distances[0, :2].tolist() == [0, 0]
    assert distances[0, 2] > 0


def test_close_ones_far_from_zero_are_not_confused():
    """|v|² − 2qv is a difference of large numbers: its rounding must not decide who is first."""
    values = np.full((40, 1000), 200, np.float16)
    values[np.arange(10), np.arange(10)] += np.float16(0.125) * np.arange(10, 0, -1).astype(np.float16)
    _, places = nearest(vectors_of(values[:10]), torch.full((1, 1000), 200.0), 10)
    assert places[0].tolist() == list(range(9, -1, -1))


def test_vectors_that_are_nearly_the_same_are_told_apart():
    """As frames of a camera that stands still: lengths of 10,000, distances of ten."""
    chance = np.random.default_rng(0)
    scene = chance.integers(100, 256, 3072)
    values = np.tile(scene, (400, 1)).astype(np.float16)
    for row in values:
        row[chance.choice(3072, 20, replace=False)] += chance.integers(-3, 4, 20).astype(np.float16)
    wanted = values[:8] + chance.integers(-1, 2, (8, 3072)).astype(np.float16)
    distances, places = nearest(vectors_of(values), torch.from_numpy(wanted.astype(np.float32)), 6)
    expected = by_hand(values, wanted, 6)
    np.testing.assert_allclose(distances, expected[0], rtol=1e-12)
    assert np.array_equal(places, expected[1])


def test_fewer_are_given_where_there_are_fewer():
    distances, places = nearest(vectors_of(np.eye(4)), torch.zeros(2, 4), 6)
    assert distances.shape == places.shape == (2, 4)


# Pictures.


@pytest.fixture
def gallery(tiny_run, tmp_path):
    model = load(tiny_run)
    from alexnet.runs.run import Run

    return Gallery.of(model.trained, Run(tiny_run).store(), tmp_path / "features")


def test_neighbors_are_those_by_the_last_hidden_layer(gallery, tiny_run):
    train, test = (gallery.store.splits[name] for name in ("train", "test"))
    model = load(tiny_run)
    of_train, of_test = (
        model.features(list(split.pictures(np.arange(count))))["relu7"].half().numpy()
        for split, count in ((train, len(train)), (test, 3))
    )
    distances, places = by_hand(of_train, of_test, 6)
    found = gallery.by_features(test.pictures(np.arange(3)))
    assert gallery.layer == "relu7"
    assert [[one.place for one in row] for row in found] == places.tolist()
    np.testing.assert_allclose([[one.distance for one in row] for row in found], distances, atol=2e-3)
    first = found[0][0]
    assert first == Neighbor(
        train.names[first.place], gallery.store.classes[train.labels[first.place]], first.distance, first.place
    )


def test_neighbors_by_pixels_are_those_by_pixels(gallery):
    train, test = (gallery.store.splits[name] for name in ("train", "test"))
    pixels, wanted = (split.pictures(np.arange(len(split))).reshape(len(split), -1) for split in (train, test))
    distances, places = by_hand(pixels, wanted[:2], 4)
    found = gallery.by_pixels(test.pictures(np.arange(2)), 4)
    assert [[one.place for one in row] for row in found] == places.tolist()
    np.testing.assert_allclose([[one.distance for one in row] for row in found], distances)


def test_a_match_tells_both(gallery):
    test = gallery.store.splits["test"]
    pictures = test.pictures(np.arange(2))
    matches = gallery.matches(["a", "b"], ["circle", None], pictures)
    told = [match.to_json() for match in matches]
    assert [list(one) for one in told] == [["query", "label", "neighbors", "by_pixels"]] * 2
    assert [one["query"] for one in told] == ["a", "b"]
    assert [one["label"] for one in told] == ["circle", None]
    assert len(told[0]["neighbors"]) == len(told[0]["by_pixels"]) == 6
    assert list(told[0]["neighbors"][0]) == ["name", "label", "distance"]
    assert np.array_equal(matches[1].picture, pictures[1])
    with pytest.raises(UsageError, match="there is no picture to find neighbors of"):
        gallery.matches([], [], pictures[:0])


def test_a_store_of_another_size_is_refused(tiny_run, tmp_path):
    from alexnet.data.preparation import prepare

    prepare("shapes", None, tmp_path / "store", side=40, count=16)
    with pytest.raises(UsageError, match="pictures of 40 pixels, the network learned from 32"):
        Gallery.of(load(tiny_run).trained, Store(tmp_path / "store"), tmp_path)


# Large ones, in a process of their own.

MEASURE = """
import resource, sys, time
import numpy as np, torch
from pathlib import Path
from alexnet.features import Vectors
from alexnet.neighbors import nearest

def anonymous():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(lines["RssAnon"].split()[0]) * 1024

count, queries = int(sys.argv[2]), int(sys.argv[3])
vectors = Vectors.open(Path(sys.argv[1]))
before, most = anonymous(), 0
torch.Tensor.topk_, torch.Tensor.topk = torch.Tensor.topk, lambda *a, **k: (note(), torch.Tensor.topk_(*a, **k))[1]
def note():
    global most
    most = max(most, anonymous() - before)
distances, places = nearest(vectors, torch.from_numpy(vectors.values[:queries].astype(np.float32)), 6)
assert places[:, 0].tolist() == list(range(queries)), places
print(most)
"""


def synthetic(folder, count, length):
    """Write vectors of a block of random ones, each block shifted by some numbers, in one pass."""
    chance = np.random.default_rng(0)
    values = np.lib.format.open_memmap(folder / "values.npy", "w+", np.float16, (count, length))
    squares = np.empty(count, np.float32)
    for start in range(0, count, 10_000):
        block = chance.random((min(10_000, count - start), length), np.float32).astype(np.float16)
        values[start : start + len(block)] = block
        squares[start : start + len(block)] = np.square(block.astype(np.float32)).sum(1)
    values.flush()
    np.save(folder / "squares.npy", squares)


def anonymous_memory(folder, count, queries):
    command = [sys.executable, "-c", MEASURE, str(folder), str(count), str(queries)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_vectors(tmp_path):
    synthetic(tmp_path, 40_000, 512)  # 41 MB in float16, 82 MB in float32
    assert anonymous_memory(tmp_path, 40_000, 2) < 30e6


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_million_vectors_of_4096_are_searched_within_two_gigabytes(tmp_path):
    import shutil

    if shutil.disk_usage(tmp_path).free < 12e9:
        pytest.skip("needs 12 GB of disk")
    synthetic(tmp_path, 1_000_000, 4096)
    assert anonymous_memory(tmp_path, 1_000_000, 128) < 2e9


@pytest.mark.slow
def test_a_query_over_50_000_vectors_of_4096_takes_less_than_50_ms(tmp_path):
    synthetic(tmp_path, 50_000, 4096)
    vectors, query, times = Vectors.open(tmp_path), torch.rand(1, 4096), []
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(10):
            start = time.perf_counter()
            nearest(vectors, query, 6)
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    assert min(times) < 0.05

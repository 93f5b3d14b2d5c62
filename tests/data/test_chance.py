"""Random choices depend on seed, epoch, purpose and picture alone, and are spread as they should be."""

import hashlib
import math
import zlib

import numpy as np
import pytest

from alexnet.data.chance import Chance, order

ALL = np.arange(100_000)
# Kolmogorov and Smirnov: how far so many numbers stray from their distribution at most, 999 times in 1000.
KOLMOGOROV = 1.95 / math.sqrt(len(ALL))


def splitmix64(x):
    """The published generator, in Python's integers."""
    mask = 2**64 - 1
    x = (x + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def test_bits_are_those_of_splitmix64_in_plain_integers():
    # Published: the first number of splitmix64 that starts at 0.
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    for seed, epoch in ((0, 0), (7, 3), (2**63 - 1, 99_999)):
        bits = Chance(seed, epoch, np.array([0, 1, 1_281_166])).bits("crop", 3)
        key = splitmix64(epoch ^ splitmix64(seed ^ zlib.crc32(b"crop")))
        for row, index in enumerate([0, 1, 1_281_166]):
            for column in range(3):
                assert int(bits[row, column]) == splitmix64(splitmix64(index ^ key) ^ splitmix64(column))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_orders_are_the_same_for_ever():
    # Runs of earlier versions are resumed and repeated: these numbers must never change.
    assert order(10, 0, 0).tolist() == [9, 6, 0, 3, 7, 8, 5, 4, 1, 2]
    orders = b"".join(order(5_000, seed, epoch).astype("<i8").tobytes() for seed in (0, 1) for epoch in (0, 89))
    assert sha256(orders) == "3bd2d4cb309b052a8c08d874ab75339a89a6494187875b76da706f590941b5a7"
    bits = Chance(5, 2, np.arange(50)).bits("mirror", 2)
    assert sha256(bits.astype("<u8").tobytes()) == "e7ecfe514fcb534b75af113a210c57347dc3356aef7dc656a5583c0374686d9e"


@pytest.mark.parametrize("draw", ["bits", "uniform", "normal", "whether"])
def test_a_picture_gets_the_same_whatever_stands_beside_it(draw):
    def choices(indices):
        chance = Chance(3, 4, np.asarray(indices))
        return chance.whether("mirror", 0.5) if draw == "whether" else getattr(chance, draw)("crop", 3)

    whole = choices(np.arange(60))
    assert np.array_equal(choices(np.arange(60)), whole)
    shuffled = np.random.default_rng(0).permutation(60)
    assert np.array_equal(choices(shuffled), whole[shuffled])
    for cut in (1, 7, 59):
        assert np.array_equal(np.concatenate([choices(range(cut)), choices(range(cut, 60))]), whole)
    assert np.array_equal(choices([5, 5]), whole[[5, 5]])
    assert len(choices(np.arange(0))) == 0


def test_uniform_numbers_are_uniform():
    u = Chance(0, 0, ALL).uniform("crop", 4)
    assert u.shape == (len(ALL), 4)
    assert u.min() >= 0
    assert u.max() < 1
    for column in u.T:
        steps = np.arange(1, len(ALL) + 1) / len(ALL)
        assert np.abs(np.sort(column) - steps).max() < KOLMOGOROV


def test_every_bit_is_a_fair_coin():
    bits = Chance(0, 0, ALL).bits("crop")[:, 0]
    ones = np.array([((bits >> np.uint64(place)) & np.uint64(1)).mean() for place in range(64)])
    # Five standard deviations.
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / math.sqrt(len(ALL))


def test_normal_numbers_are_normal():
    x = Chance(0, 0, ALL).normal("colour", 3)
    for column in x.T:
        expected = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in np.sort(column)[::100]])
        steps = np.arange(0, len(ALL), 100) / len(ALL)
        assert np.abs(expected - steps).max() < KOLMOGOROV + 1e-5
    assert np.isfinite(x).all()
    np.testing.assert_allclose(np.cov(x.T), np.eye(3), atol=0.03)


def test_a_normal_number_is_made_of_two_uniform_ones():
    chance = Chance(1, 2, np.arange(5))
    u = chance.uniform("colour", 6)
    for row, values in enumerate(chance.normal("colour", 3)):
        for column, value in enumerate(values):
            radius = math.sqrt(-2 * math.log(1 - u[row, column]))
            assert value == pytest.approx(radius * math.cos(2 * math.pi * u[row, 3 + column]), rel=1e-12)


def test_columns_purposes_epochs_seeds_and_neighbours_share_nothing():
    def u(seed=0, epoch=0, purpose="crop", columns=1):
        return Chance(seed, epoch, ALL).uniform(purpose, columns)[:, columns - 1]

    first = u()
    others = {
        "column": u(columns=2),
        "purpose": u(purpose="mirror"),
        "epoch": u(epoch=1),
        "seed": u(seed=1),
        "neighbour": np.roll(first, 1),
        "far neighbour": np.roll(first, 128),
    }
    for name, other in others.items():
        assert abs(np.corrcoef(first, other)[0, 1]) < 5 / math.sqrt(len(ALL)), name
    assert abs(np.corrcoef(u(seed=1, epoch=2), u(seed=2, epoch=1))[0, 1]) < 5 / math.sqrt(len(ALL))


def test_a_column_does_not_depend_on_how_many_are_asked_for():
    chance = Chance(1, 2, np.arange(20))
    assert np.array_equal(chance.uniform("crop", 5)[:, :2], chance.uniform("crop", 2))


def test_whether_keeps_to_its_probability():
    chance = Chance(0, 0, ALL)
    assert not chance.whether("mirror", 0.0).any()
    assert chance.whether("mirror", 1.0).all()
    for probability in (0.01, 0.5, 0.9):
        share = chance.whether("mirror", probability).mean()
        assert abs(share - probability) < 5 * math.sqrt(probability * (1 - probability) / len(ALL))


@pytest.mark.parametrize("pictures", [0, 1, 2, 1000])
def test_an_order_visits_every_picture_once(pictures):
    visited = order(pictures, 3, 7)
    assert visited.dtype == np.int64
    assert sorted(visited.tolist()) == list(range(pictures))


def test_orders_differ_by_epoch_and_seed():
    orders = [order(1000, seed, epoch) for seed in (0, 1, 2) for epoch in (0, 1, 2)]
    for i, one in enumerate(orders):
        assert np.array_equal(one, order(1000, i // 3, i % 3))
        for other in orders[:i]:
            # By chance one place in a thousand agrees.
            assert (one == other).sum() < 8


def test_an_order_mixes_the_whole_set():
    places = order(10_000, 0, 0)
    assert abs(np.corrcoef(np.arange(10_000), places)[0, 1]) < 5 / 100


@pytest.mark.parametrize(("neighbours", "chosen"), [(1, [9, 4, 7, 1, 8]), (2, [9, 9, 7, 7, 8]), (3, [9, 9, 9, 1, 1])])
def test_runs_of_neighbours_choose_as_their_first(neighbours, chosen):
    own = Chance(5, 2, np.array([9, 4, 7, 1, 8]))
    assert np.array_equal(own.shared(neighbours).bits("crop", 2), Chance(5, 2, np.array(chosen)).bits("crop", 2))
    assert own.shared(100).indices.tolist() == [9] * 5
    assert len(Chance(5, 2, np.array([], np.int64)).shared(3).indices) == 0

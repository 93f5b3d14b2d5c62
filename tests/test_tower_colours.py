"""Tests of alexnet.tower_colours."""

import itertools

import numpy as np
import pytest

from alexnet.tower_colours import colourfulness, divide, told


def grey(n, seed=0):
    one = np.random.default_rng(seed).normal(size=(n, 1, 5, 5))
    return np.repeat(one, 3, axis=1).astype(np.float32)


def coloured(n, seed=1):
    one = np.random.default_rng(seed).normal(size=(n, 3, 5, 5))
    return (one - one.mean(1, keepdims=True)).astype(np.float32)


def test_greys_have_no_colour_and_opposed_colours_nothing_else():
    assert colourfulness(grey(4)).max() < 1e-10
    np.testing.assert_allclose(colourfulness(coloured(4)), 1, rtol=1e-6)
    np.testing.assert_allclose(colourfulness(1000 * coloured(4)), 1, rtol=1e-6)
    assert colourfulness(np.zeros((2, 3, 5, 5), np.float32)).tolist() == [0, 0]


def test_one_red_weight_is_two_thirds_colour():
    """Of (1, 0, 0) the grey part is (1/3, 1/3, 1/3), of energy 1/3."""
    kernel = np.zeros((1, 3, 2, 2), np.float32)
    kernel[0, 0, 1, 1] = -0.25
    np.testing.assert_allclose(colourfulness(kernel), 2 / 3, rtol=1e-6)


def test_towers_that_share_colour_out_are_told_from_chance():
    division = divide(np.concatenate([grey(48), coloured(48)]), 2)
    assert division.means == pytest.approx((0, 1), abs=1e-6)
    assert division.chance == 1 / 10_000
    assert division.usual < 0.2


def test_towers_alike_are_as_chance_would_have_it():
    kernels = np.stack([grey(48), coloured(48)], 1).reshape(96, 3, 5, 5)  # every other one
    division = divide(kernels, 2)
    assert division.spread == pytest.approx(0, abs=1e-6)
    assert division.chance == 1


def test_the_chance_is_that_of_all_divisions():
    """Six kernels can be halved in twenty ways; all of them are counted here."""
    kernels = np.concatenate([0.8 * grey(2) + 0.2 * coloured(2), grey(1, 3), coloured(1, 4), coloured(2, 5)])
    values = colourfulness(kernels)

    def spread(half):
        rest = [place for place in range(6) if place not in half]
        return abs(values[list(half)].mean() - values[rest].mean())

    ways = [spread(half) for half in itertools.combinations(range(6), 3)]
    exact = np.mean(np.array(ways) >= spread((0, 1, 2)) - 1e-9)
    assert divide(kernels, 2).chance == pytest.approx(exact, abs=0.02)


def test_the_result_is_the_same_every_time_and_said_in_a_sentence():
    kernels = np.concatenate([grey(6), coloured(6)])
    assert divide(kernels, 3) == divide(kernels, 3)
    words = told(divide(kernels, 2))
    assert "tower 1 0.0% · tower 2 100.0%" in words
    assert words.endswith(f"probability {divide(kernels, 2).chance:.4f}.")

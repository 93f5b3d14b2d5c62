"""Which pictures are looked at."""

import numpy as np
import pytest

from alexnet.data.choosing import sample, spread


@pytest.mark.parametrize(
    ("labels", "count", "places"),
    [
        ([0, 1, 2, 3], 4, [0, 1, 2, 3]),
        ([3, 0, 2, 1, 3, 0], 4, [1, 3, 2, 0]),
        (list(range(11)), 3, [0, 5, 10]),
        ([5] * 9, 3, [0, 1, 2]),
        ([0, 1, 1, 1, 0, 0], 4, [0, 4, 1, 2]),
        ([0, 1, 1, 1, 1], 4, [0, 1, 2, 3]),
        ([7, 7], 6, [0, 1]),
        ([4], 6, [0]),
    ],
)
def test_pictures_are_spread_over_the_classes(labels, count, places):
    assert spread(np.array(labels), count).tolist() == places


def test_a_sample_is_drawn_without_repeats_and_in_order():
    places = np.arange(100, 200, 3)
    drawn = sample(places, 10, seed=1)
    assert len(set(drawn.tolist())) == 10
    assert set(drawn.tolist()) < set(places.tolist())
    assert drawn.tolist() == sorted(drawn.tolist())


def test_a_sample_depends_on_the_seed_and_reaches_every_place():
    places = np.arange(30)
    drawn = [tuple(sample(places, 3, seed).tolist()) for seed in range(60)]
    assert drawn[0] == tuple(sample(places, 3, 0).tolist())
    assert len(set(drawn)) > 50
    assert {place for one in drawn for place in one} == set(range(30))


def test_few_places_are_all_drawn():
    assert sample(np.array([7, 3]), 5, 0).tolist() == [3, 7]
    assert sample(np.array([], int), 5, 0).tolist() == []

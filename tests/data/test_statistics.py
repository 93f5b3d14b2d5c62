"""Tests of alexnet.data.statistics; that a store's are those of NumPy, tests/data/test_store.py tests."""

import numpy as np
import pytest

from alexnet.data.statistics import Totals


def test_totals_do_not_depend_on_how_the_pictures_are_divided():
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), np.uint8)
    whole, parts = Totals(8), Totals(8)
    whole.add(images)
    for start in (30, 0, 10, 20, 40):
        part = Totals(8)
        part.add(images[start : start + 10])
        parts.merge(part)
    assert whole.images == parts.images
    np.testing.assert_array_equal(whole.covariance(), parts.covariance())
    np.testing.assert_array_equal(whole.statistics().mean_image, parts.statistics().mean_image)


def test_a_flat_picture_has_no_deviation():
    totals = Totals(4)
    totals.add(np.full((3, 4, 4, 3), 255, np.uint8))
    found = totals.statistics()
    assert found.deviation.tolist() == found.colour_deviations.tolist() == [0, 0, 0]
    assert np.isfinite(found.colour_axes).all()


def test_many_bright_pixels_are_added_up_exactly():
    image = np.full((1, 1100, 1100, 3), 255, np.uint8)  # more pixels than are taken at once
    image[0, 0, 0] = 254, 253, 252
    totals = Totals(1100)
    totals.add(image)
    n = 1100**2
    assert totals.products[0, 1] == (n - 1) * 255**2 + 254 * 253
    # Of one pixel that differs by d from n - 1 equal ones: d·d'·(n - 1) / n².
    expected = [[d * e * (n - 1) / n**2 for e in (1, 2, 3)] for d in (1, 2, 3)]
    np.testing.assert_allclose(totals.covariance(), expected, rtol=1e-12)


@pytest.mark.parametrize(("count", "side"), [(1, 1), (3, 1), (5, 7), (2, 300)])
def test_products_of_colours_are_exact(count, side):
    images = np.random.default_rng(1).integers(128, 256, (count, side, side, 3), np.uint8)
    totals = Totals(side)
    totals.add(images)
    flat = images.reshape(-1, 3).astype(np.int64)
    np.testing.assert_array_equal(totals.products, flat.T @ flat)


def test_more_pictures_than_a_sum_of_16_bits_can_hold_are_added_up_exactly():
    images = np.full((600, 2, 2, 3), 255, np.uint8)
    images[0, 0, 0] = 7, 8, 9
    totals = Totals(2)
    totals.add(images)
    np.testing.assert_array_equal(totals.pixels, images.astype(np.int64).sum(0))
    flat = images.reshape(-1, 3).astype(np.int64)
    np.testing.assert_array_equal(totals.products, flat.T @ flat)

"""The readings of the colour shift, against sums written out, published formulas and the deviations of many draws."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet.data.chance import Chance
from alexnet.data.colour import colour_noise, colour_shift, imagenet_axes, recolour, shift_sizes
from alexnet.data.store import Statistics
from alexnet.recipe import Recipe

# fb.resnet.torch's, rows R, G, B.
PUBLISHED = np.array([(-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203)])


def statistics(side=12):
    """Of pictures that never were; the axes are orthogonal, as principal axes are."""
    random = np.random.default_rng(1)
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    mean_image = random.uniform(80, 160, (side, side, 3)).astype(np.float32)
    deviations = np.array([110.0, 40.0, 20.0])
    return Statistics(
        mean_image, mean_image.mean((0, 1), dtype=np.float64), np.array([60.0, 55.0, 70.0]), deviations, axes
    )


def chance(n=5, epoch=0):
    return Chance(0, epoch, np.arange(n))


# Sizes and axes.


@pytest.mark.parametrize(
    ("form", "sizes"), [("authors", (110, 40, 20)), ("printed", (12100 / 255, 1600 / 255, 400 / 255))]
)
def test_colour_shifts_are_coefficients_along_the_principal_axes(form, sizes):
    recipe, about = Recipe(colour_noise=0.1, colour_form=form), statistics()
    shifts = colour_shift(chance(10), recipe, about).numpy()
    coefficients = chance(10).normal("colour", 3) * 0.1
    for shift, alpha in zip(shifts, coefficients, strict=True):
        expected = np.zeros(3)
        for axis in range(3):
            expected += about.colour_axes[:, axis] * alpha[axis] * sizes[axis]
        np.testing.assert_allclose(shift, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["authors", "printed"])
def test_colour_shifts_have_the_documented_covariance(form):
    about, n = statistics(), 50_000
    shifts = colour_shift(chance(n), Recipe(colour_noise=0.1, colour_form=form), about).double().numpy()
    # On the 0–1 scale an eigenvalue is the square of deviation / 255.
    sizes = about.colour_deviations if form == "authors" else 255 * (about.colour_deviations / 255) ** 2
    along = shifts @ about.colour_axes
    np.testing.assert_allclose(along.std(0), 0.1 * sizes, rtol=0.02)
    np.testing.assert_allclose(along.mean(0), 0, atol=5 * 0.1 * sizes.max() / np.sqrt(n))
    expected = about.colour_axes @ np.diag((0.1 * sizes) ** 2) @ about.colour_axes.T
    np.testing.assert_allclose(np.cov(shifts.T), expected, atol=0.03 * expected.max())


def test_imagenets_axes_are_the_published_ones_made_orthogonal():
    axes = imagenet_axes()
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), rtol=0, atol=1e-15)
    # Columns 1 and 3 turned about: their largest components are negative as published.
    np.testing.assert_allclose(axes, PUBLISHED * (-1, 1, -1), rtol=0, atol=1e-4)
    assert np.abs(PUBLISHED.T @ PUBLISHED - np.eye(3)).max() > 1e-6
    assert all(column[np.abs(column).argmax()] > 0 for column in axes.T)


@pytest.mark.parametrize(
    ("form", "axes", "expected", "digits"),
    [
        ("authors", "imagenet", (12.2, 3.7, 2.0), (1, 1, 1)),
        ("lighting", "imagenet", (5.5, 0.48, 0.11), (1, 2, 2)),
        ("lighting", "store", (5.5, 0.48, 0.11), (1, 2, 2)),
        # (121.7801² , 37.0939² , 19.7208²) / 255 / 10
        ("printed", "imagenet", (5.8, 0.54, 0.15), (1, 2, 2)),
    ],
)
def test_on_imagenets_axes_the_noise_has_the_reported_deviations(form, axes, expected, digits):
    recipe = Recipe(colour_noise=0.1, colour_form=form, colour_axes=axes)
    sizes, _ = shift_sizes(recipe, statistics())
    assert [round(0.1 * size, n) for size, n in zip(sizes, digits, strict=True)] == list(expected)
    along = colour_shift(chance(50_000), recipe, statistics()).double().numpy() @ imagenet_axes()
    np.testing.assert_allclose(along.std(0), 0.1 * sizes, rtol=0.02)


@pytest.mark.parametrize("axes", ["store", "imagenet"])
def test_lighting_is_its_published_formula_whatever_the_store(axes):
    recipe = Recipe(colour_noise=0.1, colour_form="lighting", colour_axes=axes)
    shifts = colour_shift(chance(10), recipe, statistics()).numpy()
    for shift, alpha in zip(shifts, chance(10).normal("colour", 3) * 0.1, strict=True):
        expected = PUBLISHED @ (alpha * (0.2175, 0.0188, 0.0045)) * 255
        np.testing.assert_allclose(shift, expected, rtol=1e-5, atol=1e-5)


# Whether, and until when.


def test_colour_shifts_keep_to_their_probability():
    for probability, low, high in ((0.0, 0, 0), (1.0, 1, 1), (0.5, 0.45, 0.55)):
        shifts = colour_shift(chance(2000), Recipe(colour_probability=probability), statistics())
        assert low <= (shifts != 0).any(1).float().mean() <= high


def test_the_noise_ends_at_the_start_of_an_epoch_or_never():
    recipe = Recipe(colour_noise=0.3)
    assert [colour_noise(recipe, epoch) for epoch in (0, 89, 10**6)] == [0.3] * 3
    ends = replace(recipe, colour_noise_until=67)
    assert [colour_noise(ends, epoch) for epoch in (0, 66, 67, 90)] == [0.3, 0.3, 0.0, 0.0]
    assert not colour_shift(chance(5, epoch=67), ends, statistics()).any()
    assert colour_shift(chance(5, epoch=66), ends, statistics()).all()


@pytest.mark.parametrize("form", ["authors", "printed", "lighting"])
@pytest.mark.parametrize("axes", ["store", "imagenet"])
def test_pictures_are_shifted_and_by_the_authors_divided(form, axes):
    pictures = torch.from_numpy(np.random.default_rng(2).normal(0, 60, (12, 4, 5, 3)).astype(np.float32))
    recipe = Recipe(colour_noise=0.2, colour_form=form, colour_axes=axes, colour_probability=0.5)
    before = pictures.clone()
    out = recolour(pictures, chance(12), recipe, statistics())
    assert torch.equal(pictures, before)
    shifts = colour_shift(chance(12), recipe, statistics()).double().numpy()
    assert 2 < shifts.any(1).sum() < 10
    for i, shift in enumerate(shifts):
        divisor = 1.2 if form == "authors" and shift.any() else 1
        expected = (pictures[i].double().numpy() + shift) / divisor
        np.testing.assert_allclose(out[i].numpy(), expected, rtol=0, atol=1e-4)


def test_without_noise_pictures_are_handed_back_as_they_are():
    pictures = torch.ones(2, 3, 3, 3)
    quiet = Recipe(colour_noise=0.0, colour_form="authors")
    assert torch.equal(recolour(pictures, chance(2), quiet, statistics()), torch.ones(2, 3, 3, 3))
    ended = Recipe(colour_noise=0.1, colour_form="authors", colour_noise_until=1)
    assert torch.equal(recolour(pictures, chance(2, 1), ended, statistics()), torch.ones(2, 3, 3, 3))
    assert not torch.equal(recolour(pictures, chance(2, 0), ended, statistics()), torch.ones(2, 3, 3, 3))

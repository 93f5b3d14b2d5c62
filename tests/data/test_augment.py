"""Each step from stored pictures to the network's input, against slices, NumPy and torch's own functions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from alexnet.architectures import Start
from alexnet.catalogue import PAPER
from alexnet.data import augment
from alexnet.data.augment import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    Boxes,
    View,
    crop_places,
    cut,
    random_boxes,
    rotate,
)
from alexnet.data.chance import Chance
from alexnet.data.colour import colour_shift
from alexnet.data.store import Statistics
from alexnet.errors import UsageError
from alexnet.layers import FullyConnected
from alexnet.recipe import Recipe

QUIET = Recipe(mirror=0.0, colour_noise=0.0)


def statistics(side=12):
    """Of pictures that never were; the axes are orthogonal, as principal axes are."""
    random = np.random.default_rng(1)
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    mean_image = random.uniform(80, 160, (side, side, 3)).astype(np.float32)
    deviations = np.array([110.0, 40.0, 20.0])
    return Statistics(
        mean_image, mean_image.mean((0, 1), dtype=np.float64), np.array([60.0, 55.0, 70.0]), deviations, axes
    )


def architecture(side, convention="raw"):
    """A network of one layer, for its input."""
    start = (Start("fc8", "he"),)
    return replace(PAPER, layers=(FullyConnected("fc8", 3),), start=start, input_side=side, input=convention)


def stored(n=5, side=12):
    return torch.from_numpy(np.random.default_rng(2).integers(0, 256, (n, side, side, 3), np.uint8))


def pictures(n=5, side=12):
    return stored(n, side).float() - 128


def chance(n=5, epoch=0):
    return Chance(0, epoch, np.arange(n))


def boxes(top, left, side, mirror=False, width=None):
    n = len(top)
    top, left = np.array(top, float), np.array(left, float)
    mirror = np.broadcast_to(np.array(mirror), n)
    return Boxes(top, left, np.full(n, float(side)), np.full(n, float(width or side)), mirror)


def enlarged(x, side, antialias=False):
    """Torch's own bilinear resizing."""
    planes = x.permute(0, 3, 1, 2)
    return F.interpolate(planes, (side, side), mode="bilinear", align_corners=False, antialias=antialias).permute(
        0, 2, 3, 1
    )


# Where pictures are cut.


def test_a_cut_is_a_slice():
    x = pictures(3)
    out = cut(x, boxes([0, 2, 5], [4, 0, 5], 7), 7, 12)
    for i, (top, left) in enumerate([(0, 4), (2, 0), (5, 5)]):
        assert torch.equal(out[i], x[i, top : top + 7, left : left + 7])


def test_a_mirrored_cut_is_the_slice_from_right_to_left():
    x = pictures(3)
    out = cut(x, boxes([0, 2, 5], [4, 0, 5], 7, [True, False, True]), 7, 12)
    for i, (top, left, step) in enumerate([(0, 4, -1), (2, 0, 1), (5, 5, -1)]):
        assert np.array_equal(out[i].numpy(), x[i, top : top + 7, left : left + 7].numpy()[:, ::step])


@pytest.mark.parametrize("pad", [1, 4, 11, 30])
def test_a_padded_cut_is_numpys_reflection(pad):
    x = pictures(4)
    padded = np.pad(x.numpy(), ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    tops, lefts = [0, 2 * pad + 3, pad, 1], [2 * pad + 3, 0, pad, 2]
    out = cut(x, boxes(tops, lefts, 9, [False, True, False, True]), 9, 12, pad).numpy()
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        expected = padded[i, top : top + 9, left : left + 9]
        assert np.array_equal(out[i], expected[:, ::-1] if i % 2 else expected)


def test_a_picture_of_one_pixel_can_be_padded():
    x = pictures(1, 1)
    assert torch.equal(cut(x, boxes([0], [1], 3), 3, 1, 1 + 1), x.expand(1, 3, 3, 3))


@pytest.mark.parametrize(("source", "view", "side"), [(8, 19, 16), (12, 13, 13), (5, 37, 32), (1, 4, 3)])
def test_an_enlarged_cut_is_torchs_bilinear_enlargement(source, view, side):
    x = pictures(3, source)
    free = view - side
    out = cut(x, boxes([0, free, free // 2], [free, 0, free // 2], side, [False, True, False]), side, view)
    whole = enlarged(x, view)
    for i, (top, left) in enumerate([(0, free), (free, 0), (free // 2, free // 2)]):
        expected = whole[i, top : top + side, left : left + side]
        torch.testing.assert_close(out[i], expected.flip(1) if i == 1 else expected, rtol=0, atol=2e-4)


def test_an_enlarged_and_padded_cut_is_first_enlarged_then_padded():
    x = pictures(2, 8)
    padded = np.pad(enlarged(x, 19).numpy(), ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect")
    out = cut(x, boxes([0, 9], [9, 4], 16), 16, 19, 3).numpy()
    np.testing.assert_allclose(out[0], padded[0, :16, 9:], rtol=0, atol=2e-4)
    np.testing.assert_allclose(out[1], padded[1, 9:, 4:20], rtol=0, atol=2e-4)


def test_a_view_smaller_than_the_store_is_shrunk_without_aliasing():
    x = pictures(2, 20)
    out = cut(x, boxes([0, 3], [2, 0], 10), 10, 13)
    whole = enlarged(x, 13, antialias=True)
    torch.testing.assert_close(out[0], whole[0, :10, 2:12], rtol=0, atol=2e-4)
    torch.testing.assert_close(out[1], whole[1, 3:, :10], rtol=0, atol=2e-4)


def by_triangles(picture, top, left, height, width, side):
    """Each output pixel: source pixels weighed by a triangle as wide as the box shrinks, at least one pixel."""

    def weights(start, length, i):
        middle = start + (i + 0.5) * length / side - 0.5
        middle = min(max(middle, 0), len(picture) - 1)
        w = [max(0.0, 1 - abs(j - middle) / max(1.0, length / side)) for j in range(len(picture))]
        return np.array(w) / sum(w)

    out = np.empty((side, side, 3))
    for i in range(side):
        for j in range(side):
            both = np.outer(weights(top, height, i), weights(left, width, j))
            out[i, j] = (both[:, :, None] * picture).sum((0, 1))
    return out


def test_a_box_of_any_size_is_weighed_by_triangles():
    x = pictures(4, 15)
    box = Boxes(
        np.array([0.0, 3.3, 0.0, 7.25]),
        np.array([0.0, 0.7, 4.5, 2.0]),
        np.array([15.0, 9.1, 12.0, 3.5]),
        np.array([15.0, 14.3, 4.0, 6.0]),
        np.array([False, False, True, True]),
    )
    out = cut(x, box, 6, 15).numpy()
    for i in range(4):
        expected = by_triangles(x[i].double().numpy(), box.top[i], box.left[i], box.height[i], box.width[i], 6)
        np.testing.assert_allclose(out[i], expected[:, ::-1] if box.mirror[i] else expected, rtol=0, atol=2e-4)


def test_a_box_of_the_whole_picture_is_torchs_antialiased_shrinking():
    x = pictures(3, 17)
    out = cut(x, boxes([0, 0, 0], [0, 0, 0], 17), 6, 17)
    torch.testing.assert_close(out, enlarged(x, 6, antialias=True), rtol=0, atol=2e-4)


def test_boxes_in_an_enlarged_view_are_in_its_pixels():
    # A box of half the view, at its lower right, is the lower right quarter of the stored picture.
    x = pictures(1, 16)
    quarter = cut(x, boxes([16], [16], 16), 8, 32)
    assert torch.allclose(quarter, x[:, 8:, 8:], atol=1e-4)


# Random boxes.


def test_crops_fall_on_every_offset_alike():
    box = random_boxes(chance(33 * 1000), QUIET, 256, 224)
    for offsets in (box.top, box.left):
        values, counts = np.unique(offsets, return_counts=True)
        assert values.tolist() == list(range(33))
        # Five standard deviations of a count near 1000.
        assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)
    assert abs(np.corrcoef(box.top, box.left)[0, 1]) < 0.03
    assert set(box.height) == set(box.width) == {224.0}


def test_padding_gives_crops_more_room():
    box = random_boxes(chance(5000), replace(QUIET, pad=4), 32, 32)
    assert np.unique(box.top).tolist() == np.unique(box.left).tolist() == list(range(9))


def test_random_resized_boxes_stay_inside_and_in_their_range():
    recipe = replace(QUIET, crop="random-resized", crop_scale_low=0.25)
    box = random_boxes(chance(20_000), recipe, 64, 48)
    for start, length in ((box.top, box.height), (box.left, box.width)):
        assert start.min() >= 0
        assert (start + length).max() <= 64 + 1e-9
        assert length.min() > 0
    area, ratio = box.height * box.width / 64**2, box.height / box.width
    assert area.max() <= 1
    cut_off = (box.height == 64) | (box.width == 64)
    assert area[~cut_off].min() >= 0.25
    assert 0.75 - 1e-9 <= ratio.min() < 0.76
    assert 1.32 < ratio.max() <= 4 / 3 + 1e-9
    assert abs((ratio > 1).mean() - 0.5) < 0.02


@pytest.mark.parametrize("crop", ["random", "random-resized"])
@pytest.mark.parametrize("pad", [0, 3])
def test_without_its_probability_a_crop_is_the_centre(crop, pad):
    never = random_boxes(chance(50), replace(QUIET, crop=crop, crop_probability=0.0, pad=pad), 20, 13)
    centre = random_boxes(chance(50), replace(QUIET, crop="centre", pad=pad), 20, 13)
    same = Boxes.same(50, 3 + pad, 3 + pad, 13, False)
    for box in (never, centre):
        for name in ("top", "left", "height", "width", "mirror"):
            assert np.array_equal(getattr(box, name), getattr(same, name)), name
    half = random_boxes(chance(10_000), replace(QUIET, crop=crop, crop_probability=0.5, pad=pad), 200, 13)
    is_centre = (half.top == 93 + pad) & (half.left == 93 + pad)
    assert abs(is_centre.mean() - 0.5) < 0.03


def test_mirrors_keep_to_their_probability():
    for probability, low, high in ((0.0, 0, 0), (1.0, 1, 1), (0.5, 0.475, 0.525)):
        share = random_boxes(chance(10_000), replace(QUIET, mirror=probability), 20, 13).mirror.mean()
        assert low <= share <= high


GEOMETRY = {
    "cropped": QUIET.with_changes(mirror=0.5),
    "sometimes cropped": QUIET.with_changes(mirror=0.5, crop_probability=0.5, pad=2),
    "resized": QUIET.with_changes(mirror=0.5, crop="random-resized", crop_probability=0.5),
}


@pytest.mark.parametrize("neighbours", [1, 4, 32])
@pytest.mark.parametrize("recipe", GEOMETRY.values(), ids=GEOMETRY)
def test_neighbours_in_a_batch_are_cut_as_the_first_of_them(recipe, neighbours):
    indices = np.random.default_rng(3).permutation(1000)[:90]
    box = random_boxes(Chance(0, 2, indices), replace(recipe, shared_crop=neighbours), 40, 13)
    for i in range(90):
        first = indices[i - i % neighbours]
        alone = random_boxes(Chance(0, 2, np.array([first])), recipe, 40, 13)
        for name in ("top", "left", "height", "width", "mirror"):
            assert getattr(box, name)[i] == getattr(alone, name)[0], name
    assert len(set(zip(box.top, box.left, box.mirror, strict=True))) > (1 if neighbours == 32 else 10)


def test_neighbours_that_share_a_crop_keep_their_own_rotation_and_colour(monkeypatch):
    seen = []
    monkeypatch.setattr(augment, "rotate", lambda x, degrees: seen.append(degrees) or x)
    recipe = Recipe(rotation=15.0, colour_form="authors", shared_crop=6)
    x = stored(1).expand(6, 12, 12, 3)
    quiet, loud = (
        View(architecture(9), statistics()).train(x, chance(6), r) for r in (replace(recipe, colour_noise=0.0), recipe)
    )
    assert all(torch.equal(quiet[0], one) for one in quiet)
    shifts = (loud * 1.1 - quiet).mean((2, 3))
    torch.testing.assert_close(shifts, colour_shift(chance(6), recipe, statistics()), rtol=1e-4, atol=1e-3)
    assert len(np.unique(shifts[:, 0])) == len(np.unique(seen[0])) == 6


# Rotation.


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (270, 3), (-90, 3)])
@pytest.mark.parametrize("side", [7, 8])
def test_a_right_angle_is_numpys_rot90(degrees, quarters, side):
    x = pictures(2, side)
    expected = np.rot90(x.numpy(), quarters, axes=(1, 2))
    np.testing.assert_allclose(rotate(x, np.full(2, float(degrees))).numpy(), expected, rtol=0, atol=1e-3)


def test_each_picture_is_turned_by_its_own_angle_and_flat_ones_stay_flat():
    x = pictures(3)
    both = rotate(x, np.array([0.0, 33.0, -12.0]))
    torch.testing.assert_close(both[0], x[0], rtol=0, atol=1e-3)
    torch.testing.assert_close(both[2:], rotate(x[2:], np.array([-12.0])))
    flat = torch.full((1, 9, 9, 3), 77.0)
    torch.testing.assert_close(rotate(flat, np.array([45.0])), flat)


def test_a_turned_ramp_is_a_turned_ramp():
    # Values x + 2 y about the centre; anticlockwise by 30°, the value at a place is that of the place turned back.
    axis = torch.arange(11.0) - 5
    x = (axis[None, :] + 2 * axis[:, None]).expand(3, 11, 11).permute(1, 2, 0)[None]
    out = rotate(x.contiguous(), np.array([30.0]))[0, :, :, 0]
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    for row in range(3, 8):
        for column in range(3, 8):
            right, down = column - 5, row - 5
            expected = (cos * right - sin * down) + 2 * (sin * right + cos * down)
            assert abs(out[row, column].item() - expected) < 1e-4


def test_rotations_keep_to_their_range_and_probability(monkeypatch):
    seen = []
    monkeypatch.setattr(augment, "rotate", lambda x, degrees: seen.extend(degrees) or x)
    view = View(architecture(2), statistics(2))
    view.train(stored(2000, 2), chance(2000), replace(QUIET, rotation=15.0))
    assert len(seen) == 2000
    assert -15 <= min(seen) < -14.9
    assert 14.9 < max(seen) < 15
    assert abs(np.mean(seen)) < 1
    seen.clear()
    view.train(stored(2000, 2), chance(2000), replace(QUIET, rotation=15.0, rotation_probability=0.25))
    assert 430 < len(seen) < 570
    seen.clear()
    view.train(stored(20, 2), chance(20), replace(QUIET, rotation=15.0, rotation_probability=0.0))
    view.train(stored(20, 2), chance(20), QUIET)
    assert seen == []


def test_pictures_that_are_not_turned_are_left_exactly_as_they_are():
    view = View(architecture(9), statistics())
    plain = view.train(stored(30), chance(30), QUIET)
    turned = view.train(stored(30), chance(30), replace(QUIET, rotation=90.0, rotation_probability=0.5))
    same = (plain == turned).flatten(1).all(1).numpy()
    assert np.array_equal(same, ~chance(30).whether("rotation or not", 0.5))
    assert 5 < same.sum() < 25


# Colour.


@pytest.mark.parametrize("form", ["authors", "printed", "lighting"])
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_only_the_authors_divide_and_only_what_they_shifted(form, probability):
    view, recipe = View(architecture(9), statistics()), replace(QUIET, colour_form=form, colour_probability=probability)
    plain = view.train(stored(20), chance(20), recipe).numpy()
    noisy = replace(recipe, colour_noise=0.1)
    out = view.train(stored(20), chance(20), noisy).numpy()
    shifts = colour_shift(chance(20), noisy, statistics()).numpy()
    shifted = chance(20).whether("colour or not", probability)
    for i in range(20):
        expected = plain[i] + shifts[i][:, None, None]
        if shifted[i] and form == "authors":
            expected = expected / 1.1
        if shifted[i]:
            assert np.abs(out[i] - plain[i]).max() > 0.1
            np.testing.assert_allclose(out[i], expected, rtol=1e-5, atol=1e-4)
        else:
            assert np.array_equal(out[i], plain[i])


@pytest.mark.parametrize("form", ["authors", "printed", "lighting"])
def test_colour_ends_at_the_start_of_its_last_epoch_division_included(form):
    view, quiet = View(architecture(9), statistics()), replace(QUIET, colour_form=form)
    noisy = replace(quiet, colour_noise=0.1)
    for epoch in range(5):
        out, without, always = (
            view.train(stored(6), chance(6, epoch), recipe)
            for recipe in (replace(noisy, colour_noise_until=3), quiet, noisy)
        )
        assert torch.equal(out, without if epoch >= 3 else always)
        assert not torch.equal(without, always)


# The whole view.


@pytest.mark.parametrize("convention", ["raw", "deviation", "imagenet"])
def test_each_input_convention_is_its_formula(convention):
    about, x = statistics(), stored(3)
    view = View(architecture(12, convention), about)
    pixels = x.double().numpy()
    expected = {
        "raw": pixels - about.mean_image,
        "deviation": (pixels - about.mean_image) / [60, 55, 70],
        "imagenet": (pixels / 255 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225],
    }[convention]
    assert (IMAGENET_MEAN, IMAGENET_DEVIATION) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    (shown,) = view.test(x)
    assert shown.shape == (3, 3, 12, 12)
    np.testing.assert_allclose(shown.permute(0, 2, 3, 1).numpy(), expected, rtol=1e-5, atol=1e-4)
    trained = view.train(x, chance(3), replace(QUIET, crop="centre"))
    np.testing.assert_allclose(trained.numpy(), shown.numpy(), rtol=1e-6, atol=1e-5)


def test_a_colour_that_never_varies_is_zero():
    about, x = statistics(), stored(3)
    about.mean_image[..., 1], about.deviation[1], x[..., 1] = 7, 0, 7
    (shown,) = View(architecture(12, "deviation"), about).test(x)
    assert torch.isfinite(shown).all()
    assert not shown[:, 1].any()


CAFFE_COLOUR = (122.67891434, 116.66876762, 104.00698793)


def naive_2012(pixels, about, side, pad, top, left, mirror):
    """Cut and mirror the pixels, then take away the middle of the mean image, wherever that cut was."""
    padded = np.pad(pixels.astype(np.float64), ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    part = padded[top : top + side, left : left + side]
    part = part[:, ::-1] if mirror else part
    corner = (len(pixels) - side) // 2
    return part - about.mean_image[corner : corner + side, corner : corner + side]


def naive_caffe(pixels, about, side, pad, top, left, mirror):
    """Take ImageNet's mean colour away, then cut and mirror."""
    padded = np.pad(pixels - np.array(CAFFE_COLOUR), ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    part = padded[top : top + side, left : left + side]
    return part[:, ::-1] if mirror else part


@pytest.mark.parametrize(("convention", "naive"), [("raw-2012", naive_2012), ("raw-imagenet", naive_caffe)])
@pytest.mark.parametrize(("side", "pad"), [(7, 0), (12, 0), (9, 2), (12, 3)])
def test_raw_inputs_of_other_sources_are_their_formulas(convention, naive, side, pad):
    about, x, recipe = statistics(), stored(8), QUIET.with_changes(mirror=0.5, pad=pad)
    view = View(architecture(side, convention), about)
    box = random_boxes(chance(8), recipe, 12, side)
    assert len(set(box.mirror)) == 2
    trained = view.train(x, chance(8), recipe).permute(0, 2, 3, 1).numpy()
    for i in range(8):
        expected = naive(x[i].numpy(), about, side, pad, int(box.top[i]), int(box.left[i]), box.mirror[i])
        np.testing.assert_allclose(trained[i], expected, rtol=0, atol=1e-4)
    free = 12 - side
    five = [(0, 0), (0, free), (free // 2, free // 2), (free, 0), (free, free)]
    ten = [(top, left, mirror) for mirror in (False, True) for top, left in five]
    for places, crops in ((ten, 10), ([ten[2], ten[7]], 2), ([ten[2]], 1)):
        for place, shown in zip(places, view.test(x, crops), strict=True):
            for i in range(8):
                expected = naive(x[i].numpy(), about, side, 0, *place)
                np.testing.assert_allclose(shown[i].permute(1, 2, 0).numpy(), expected, rtol=0, atol=1e-4)


def test_the_middle_of_the_mean_is_that_of_the_enlarged_mean_image():
    about, x = statistics(), stored(3)
    top_left = next(iter(View(architecture(16, "raw-2012"), about, 21).test(x, 10))).permute(0, 2, 3, 1)
    mean = enlarged(torch.from_numpy(about.mean_image)[None], 21)[:, 2:18, 2:18]
    torch.testing.assert_close(top_left, enlarged(x.float(), 21)[:, :16, :16] - mean, rtol=0, atol=2e-4)


def test_colour_is_shifted_in_grey_levels_before_the_scale():
    recipe = Recipe(crop="centre", mirror=0.0, colour_noise=0.1)
    x, about = stored(4), statistics()
    raw = View(architecture(12), about).train(x, chance(4), recipe)
    scaled = View(architecture(12, "deviation"), about).train(x, chance(4), recipe)
    torch.testing.assert_close(scaled * torch.tensor([60.0, 55.0, 70.0])[:, None, None], raw, rtol=1e-5, atol=1e-4)


def test_the_mean_image_is_subtracted_before_the_crop():
    about, x = statistics(), stored(6)
    box = random_boxes(chance(6), QUIET, 12, 7)
    shown = View(architecture(7), about).train(x, chance(6), QUIET).permute(0, 2, 3, 1).numpy()
    assert len(set(zip(box.top, box.left, strict=True))) > 2
    for i in range(6):
        top, left = int(box.top[i]), int(box.left[i])
        expected = (x[i].numpy().astype(np.float32) - about.mean_image)[top : top + 7, left : left + 7]
        assert np.array_equal(shown[i], expected)


def test_ten_crops_lie_where_the_authors_put_them():
    five = [(0, 0), (0, 32), (16, 16), (32, 0), (32, 32)]
    assert crop_places(10, 256 - 224) == [(*place, False) for place in five] + [(*place, True) for place in five]
    assert crop_places(1, 32) == [(16, 16, False)]
    assert crop_places(2, 32) == [(16, 16, False), (16, 16, True)]
    assert crop_places(1, 5) == [(2, 2, False)]
    assert crop_places(10, 0) == [(0, 0, False)] * 5 + [(0, 0, True)] * 5
    for crops in (0, 5, 11):
        with pytest.raises(UsageError, match=rf"crops={crops} is unknown: choose 1 \(centre\), 2") as caught:
            crop_places(crops, 32)
        assert caught.value.exit_code == 2


def test_test_crops_are_slices_and_mirrored_slices():
    about, x = statistics(), stored(3)
    centred = (x.float() - torch.from_numpy(about.mean_image)).permute(0, 3, 1, 2)
    view = View(architecture(8), about)
    ten = list(view.test(x, 10))
    for place, shown in zip([(0, 0), (0, 4), (2, 2), (4, 0), (4, 4)], range(5), strict=True):
        expected = centred[:, :, place[0] : place[0] + 8, place[1] : place[1] + 8]
        assert torch.equal(ten[shown], expected)
        assert torch.equal(ten[shown + 5], expected.flip(3))
    one, two = list(view.test(x)), list(view.test(x, 2))
    assert torch.equal(one[0], ten[2])
    assert [torch.equal(a, b) for a, b in zip(two, (ten[2], ten[7]), strict=True)] == [True, True]


RECIPES = {
    "paper": Recipe(),
    "padded": Recipe(pad=4, crop_probability=0.5, colour_form="authors", colour_probability=0.5),
    "resized": Recipe(crop="random-resized", crop_probability=0.5, rotation=20.0, rotation_probability=0.5),
    "lighting": Recipe(colour_form="lighting"),
    "imagenet": Recipe(colour_form="authors", colour_axes="imagenet", colour_noise_until=2),
}


@pytest.mark.parametrize("view_side", [0, 16])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_picture_looks_the_same_whatever_batch_it_is_in(recipe, view_side):
    view, x, n = View(architecture(9), statistics(), view_side), stored(12), 12
    whole = view.train(x, chance(n), recipe)
    for indices in ([3], [0, 1, 2, 3, 4], [11, 3, 7], list(range(11, -1, -1))):
        part = view.train(x[indices], Chance(0, 0, np.array(indices)), recipe)
        # Sums of a resampled picture may be made in another order.
        torch.testing.assert_close(
            part, whole[indices], rtol=0, atol=0 if view_side == 0 and recipe.crop == "random" else 1e-4
        )
    (tested,) = view.test(x)
    (alone,) = view.test(x[3:4])
    torch.testing.assert_close(alone, tested[3:4], rtol=0, atol=1e-4 if view_side else 0)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_view_depends_on_nothing_but_seed_epoch_and_picture(recipe):
    view, x = View(architecture(9), statistics()), stored(12)
    first = view.train(x, chance(12), recipe)
    torch.manual_seed(5)
    np.random.seed(5)
    assert torch.equal(view.train(x, chance(12), recipe), first)
    assert not torch.equal(view.train(x, chance(12, epoch=1), recipe), first)
    assert not torch.equal(view.train(x, Chance(1, 0, np.arange(12)), recipe), first)


def test_stored_pictures_are_left_as_they_were():
    x = stored(4)
    before = x.clone()
    view = View(architecture(9), statistics())
    view.train(x, chance(4), RECIPES["resized"])
    list(view.test(x, 10))
    assert torch.equal(x, before)


def test_the_view_is_the_store_or_eight_sevenths_of_the_input():
    def side(network, store, view_side=0):
        return View(architecture(network), statistics(store), view_side).view_side

    assert side(224, 256) == 256
    assert side(224, 224) == 224
    assert side(224, 32) == 256
    assert side(227, 32) == round(227 * 8 / 7) == 259
    assert side(28, 32) == 32
    assert side(28, 32, 64) == 64
    assert side(28, 32, 28) == 28
    assert View(architecture(224), statistics(32)).stored_side == 32


@pytest.mark.parametrize(("network", "store", "view_side"), [(28, 32, 27), (224, 32, 32), (9, 4, 8)])
def test_a_view_smaller_than_the_input_is_refused(network, store, view_side):
    message = f"view_side={view_side} is smaller than the network's input of {network}: raise it, or set it to 0"
    with pytest.raises(UsageError, match=message) as caught:
        View(architecture(network), statistics(store), view_side)
    assert caught.value.exit_code == 2

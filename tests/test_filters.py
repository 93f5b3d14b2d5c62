"""Tests of alexnet.filters."""

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.errors import UsageError
from alexnet.filters import as_colours, conv1_kernels, draw_filters, filter_sheet


def kernels(n=96, side=11):
    return np.random.default_rng(0).normal(size=(n, 3, side, side)).astype(np.float32)


def test_zero_is_grey_and_the_greatest_weight_reaches_white_or_black():
    weights = np.zeros((1, 3, 2, 2), np.float32)
    weights[0, 0, 0, 0], weights[0, 2, 1, 1] = 0.01, -0.005
    colours = as_colours(weights)
    assert colours[0, 0, 0].tolist() == [255, 128, 128]
    assert colours[0, 1, 1].tolist() == [128, 128, 64]


def test_scale_is_a_kernels_own():
    loud, quiet = kernels(1), kernels(1) / 1000
    both = as_colours(np.concatenate([loud, quiet]))
    np.testing.assert_array_equal(both[0], both[1])


def test_a_dead_kernel_is_grey():
    assert np.unique(as_colours(np.zeros((2, 3, 5, 5), np.float32))).tolist() == [128]


def test_96_kernels_fill_six_rows_of_sixteen_without_smoothing():
    weights = kernels()
    sheet = filter_sheet(weights)
    assert sheet.shape == (6 * 48 + 4, 16 * 48 + 4, 3)
    last = sheet[-48:-4, -48:-4]
    np.testing.assert_array_equal(last, as_colours(weights)[95].repeat(4, 0).repeat(4, 1))
    assert (sheet[:4] == 255).all()
    assert (sheet[:, -4:] == 255).all()


def test_two_towers_stand_apart_in_order():
    weights = kernels()
    sheet = filter_sheet(weights, towers=2)
    assert sheet.shape == (6 * 48 + 4 + 12, 16 * 48 + 4, 3)
    assert (sheet[3 * 48 : 3 * 48 + 16] == 255).all()
    np.testing.assert_array_equal(sheet[160:204, 4:48], as_colours(weights)[48].repeat(4, 0).repeat(4, 1))


@pytest.mark.parametrize(
    ("n", "side", "height", "width"), [(32, 5, 2 * 49 + 4, 16 * 49 + 4), (1, 1, 52, 52), (17, 60, 132, 1028)]
)
def test_other_kernels_are_drawn_at_44_pixels_or_more(n, side, height, width):
    assert filter_sheet(kernels(n, side)).shape == (height, width, 3)


def test_an_early_end_of_the_last_row_is_white():
    assert (filter_sheet(kernels(17, 60))[-64:, 68:] == 255).all()


def test_picture_reads_back(tmp_path):
    weights = kernels(32, 5)
    draw_filters(weights, 1, tmp_path / "filters.png")
    with Image.open(tmp_path / "filters.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), filter_sheet(weights))
    assert [path.name for path in tmp_path.iterdir()] == ["filters.png"]


def test_kernels_that_do_not_divide_are_refused(tmp_path):
    with pytest.raises(UsageError, match="97 kernels cannot be shared out over 2 towers"):
        draw_filters(kernels(97), 2, tmp_path / "filters.png")


def test_kernels_come_from_conv1_as_float32():
    network = torch.nn.Module()
    network.conv1 = torch.nn.Conv2d(3, 4, 5, dtype=torch.bfloat16)
    found = conv1_kernels(network)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, network.conv1.weight.detach().float().numpy())


@pytest.mark.parametrize("channels", [None, 1])
def test_a_network_without_colour_conv1_is_refused(channels):
    network = torch.nn.Module()
    if channels:
        network.conv1 = torch.nn.Conv2d(channels, 4, 5)
    with pytest.raises(UsageError, match="no conv1 on red, green and blue"):
        conv1_kernels(network)

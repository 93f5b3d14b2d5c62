"""Tests of alexnet.data.modes on files; tests/data/test_picture_matrix.py has a table of all kinds."""

import io

import numpy as np
import pytest
from PIL import Image

from alexnet.data.modes import load_rgb, upright

CHANCE = np.random.default_rng(0)
PIXELS = CHANCE.integers(0, 256, (12, 20, 3), np.uint8)


def opened(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return Image.open(stream)


def test_grey_becomes_three_equal_channels():
    grey = PIXELS[:, :, 0]
    np.testing.assert_array_equal(load_rgb(opened(Image.fromarray(grey))), np.repeat(grey[:, :, None], 3, 2))


def test_one_bit_becomes_black_and_white():
    bits = PIXELS[:, :, 0] > 127
    expected = np.repeat(np.where(bits, 255, 0).astype(np.uint8)[:, :, None], 3, 2)
    np.testing.assert_array_equal(load_rgb(opened(Image.fromarray(bits))), expected)


def test_sixteen_bit_grey_keeps_its_high_byte():
    grey = CHANCE.integers(0, 65536, (7, 9), np.uint16)
    for format in ("PNG", "TIFF"):
        np.testing.assert_array_equal(load_rgb(opened(Image.fromarray(grey), format))[:, :, 1], grey >> 8)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    alpha = np.repeat(np.array([0, 128, 255, 64], np.uint8), 60).reshape(12, 20)
    image.putalpha(Image.fromarray(alpha))
    colour = np.asarray(image.convert("RGBA"))[:, :, :3].astype(float)
    share = alpha[:, :, None] / 255
    expected = colour * share + 255 * (1 - share)
    assert np.abs(load_rgb(opened(image)) - expected).max() <= 1


def test_a_transparent_colour_of_palette_or_rgb_is_white():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((0, 0), 0)
    got = load_rgb(opened(palette, transparency=0))
    assert got[0, 0].tolist() == [255, 255, 255]
    assert got[1, 1].tolist() == [200, 100, 50]
    flat = Image.new("RGB", (4, 4), (1, 2, 3))
    assert (load_rgb(opened(flat, transparency=(1, 2, 3))) == 255).all()


def test_cmyk_becomes_rgb():
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    got = load_rgb(opened(cmyk, "JPEG", quality=100)).reshape(-1, 3).mean(0)
    np.testing.assert_allclose(got, [255, 0, 0], atol=3)


def test_a_second_look_at_a_picture_gives_the_same():
    image = opened(Image.fromarray(PIXELS[:, :, 0] // 64 * 85), bits=2, transparency=1)  # a colour that Pillow scales
    np.testing.assert_array_equal(load_rgb(image), load_rgb(image))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_put_upright(orientation):
    turn = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1)}
    turn[6] = lambda a: a.swapaxes(0, 1)[::-1]  # stored turned left; the reader turns it right
    turn[7] = lambda a: a.swapaxes(0, 1)[::-1, ::-1]
    turn[8] = lambda a: a.swapaxes(0, 1)[:, ::-1]
    image = Image.new("RGB", (1, 1))
    image.getexif()[0x0112] = orientation
    found = upright(np.ascontiguousarray(turn.get(orientation, lambda a: a)(PIXELS)), image)
    np.testing.assert_array_equal(found, PIXELS)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("orientation", [0, 9, "6", [6], None, 6.5])
def test_what_is_no_orientation_turns_nothing(orientation):
    image = Image.new("RGB", (1, 1))
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(upright(PIXELS, image), PIXELS)


def test_exif_data_that_cannot_be_read_turn_nothing(monkeypatch):
    image = Image.new("RGB", (1, 1))

    def fail():
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(image, "getexif", fail)
    np.testing.assert_array_equal(upright(PIXELS, image), PIXELS)

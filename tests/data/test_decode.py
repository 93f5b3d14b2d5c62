import errno
import io
import json
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from alexnet.data import decode as decoding
from alexnet.data.decode import UnreadablePicture, decode, decode_file, fit, scale, signature
from alexnet.data.preparation import prepare
from alexnet.errors import AlexNetError

CHANCE = np.random.default_rng(0)
PIXELS = CHANCE.integers(0, 256, (12, 20, 3), np.uint8)


def encoded(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth=8, colour=2, data=b""):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


JPEG = encoded(Image.fromarray(PIXELS), "JPEG", quality=95)
LOSSLESS = encoded(Image.fromarray(PIXELS))


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_give_the_very_pixels(format):
    data = encoded(Image.fromarray(PIXELS), format, **({"lossless": True} if format == "WEBP" else {}))
    assert signature(data[:16]) == format
    np.testing.assert_array_equal(decode(data), PIXELS)


def test_jpeg_gives_pillows_pixels():
    np.testing.assert_array_equal(decode(JPEG), np.asarray(Image.open(io.BytesIO(JPEG))))


@pytest.mark.parametrize("mode", ["F", "I"])
def test_values_of_unknown_range_are_refused(mode):
    with pytest.raises(UnreadablePicture, match=f"mode {mode}"):
        decode(encoded(Image.new(mode, (4, 4)), "TIFF"))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_taken(format):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert (decode(data) == [255, 0, 0]).all()


def test_corrupt_exif_is_ignored():
    data = encoded(Image.fromarray(PIXELS), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff garbage")
    assert decode(data).shape == PIXELS.shape


HEIC = b"\x00\x00\x00\x18ftypheic" + bytes(100)
BROKEN = {
    "empty": (b"", "empty file"),
    "text": (b"hello world" * 9, "not a picture"),
    "page": (b"\n <!DOCTYPE html><html>", "a web page"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported format SVG"),
    "pdf": (b"%PDF-1.7 ...", "unsupported format PDF"),
    "zip": (b"PK\x03\x04" + bytes(50), "unsupported format ZIP"),
    "heic": (HEIC, "unsupported format HEIC"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    "random": (CHANCE.bytes(5000), ""),
    "jpeg header": (JPEG[:4], "damaged JPEG"),
    "jpeg 10 %": (JPEG[: len(JPEG) // 10], ""),
    "jpeg 50 %": (JPEG[: len(JPEG) // 2], ""),
    "jpeg 90 %": (JPEG[: len(JPEG) * 9 // 10], ""),
    "png header": (LOSSLESS[:33], ""),
    "png 50 %": (LOSSLESS[: len(LOSSLESS) // 2], ""),
    "png 80 %": (LOSSLESS[: len(LOSSLESS) * 8 // 10], ""),
    "png crc": (LOSSLESS[:60] + bytes([LOSSLESS[60] ^ 1]) + LOSSLESS[61:], ""),
    "png of nothing": (png(0, 5), ""),
    "png 12,000²": (png(12_000, 12_000), "more than 64,000,000"),
    "png 8,001×8,000": (png(8_001, 8_000), "declares 8001×8000 pixels, more than 64,000,000"),
    "png of 169 million bits": (png(13_000, 13_000, depth=1, colour=0), "more than 64,000,000"),
    "png 2³¹-1": (png(2**31 - 1, 2**31 - 1), "more than 64,000,000"),
    "icon": (encoded(Image.fromarray(PIXELS), "ICO"), "unsupported format ICO"),
    "ppm": (b"P6 4 4 255 " + bytes(48), "not a picture"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_whole_picture_is_refused_with_a_short_reason(name):
    data, reason = BROKEN[name]
    with pytest.raises(UnreadablePicture) as caught:
        decode(data)
    message = str(caught.value)
    assert reason in message
    assert 0 < len(message) < 200
    assert "\n" not in message
    assert " at 0x" not in message  # the same file, the same reason


needs_simplejpeg = pytest.mark.skipif(decoding.simplejpeg is None, reason="the extra `fast` is not installed")


def answers_of_both(data, monkeypatch):
    """Give what simplejpeg (where it is sure) and Pillow alone make of a file: the pixels, or the reason why not."""
    found = []
    for decoder in (decoding.simplejpeg, None):
        monkeypatch.setattr(decoding, "simplejpeg", decoder)
        try:
            found.append(decode(data))
        except UnreadablePicture as error:
            found.append(str(error))
    monkeypatch.undo()
    return found


@needs_simplejpeg
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_fast_decoder_gives_the_very_pixels_of_pillow(subsampling, progressive, mode, monkeypatch):
    for height, width in ((1, 1), (7, 9), (16, 16), (33, 50), (100, 75)):
        picture = Image.fromarray(CHANCE.integers(0, 256, (height, width, 3), np.uint8)).convert(mode)
        for quality in (20, 75, 95):
            options = {"quality": quality, "progressive": progressive, "subsampling": subsampling}
            fast, plain = answers_of_both(encoded(picture, "JPEG", **options), monkeypatch)
            np.testing.assert_array_equal(fast, plain)


@needs_simplejpeg
def test_the_fast_decoder_is_asked_for_whole_jpegs_of_grey_and_colour_only(monkeypatch):
    asked = []

    class Decoder:
        def decode_jpeg_header(self, data):
            asked.append(data)
            raise ValueError

    monkeypatch.setattr(decoding, "simplejpeg", Decoder())
    grey, cmyk = (encoded(Image.fromarray(PIXELS).convert(mode), "JPEG") for mode in ("L", "CMYK"))
    for data in (JPEG, grey, cmyk, LOSSLESS):
        decode(data)  # by Pillow, as the other has refused or was not asked
    assert asked == [JPEG, grey]


@needs_simplejpeg
def test_a_damaged_jpeg_is_judged_by_pillow_with_and_without_the_fast_decoder(monkeypatch):
    chance = np.random.default_rng(3)
    for _ in range(200):
        mutated = np.frombuffer(JPEG, np.uint8).copy()
        places = chance.integers(2, len(JPEG), chance.integers(1, 4))
        mutated[places] = chance.integers(0, 256, len(places))
        fast, plain = answers_of_both(mutated.tobytes(), monkeypatch)
        np.testing.assert_array_equal(fast, plain)


def test_no_mutation_of_a_picture_raises_anything_else():
    chance = np.random.default_rng(1)
    for data in (
        JPEG,
        LOSSLESS,
        *(encoded(Image.fromarray(PIXELS), format) for format in ("GIF", "WEBP", "TIFF", "BMP")),
    ):
        for _ in range(60):
            mutated = np.frombuffer(data, np.uint8).copy()
            places = chance.integers(0, min(len(data), 400), chance.integers(1, 8))
            mutated[places] = chance.integers(0, 256, len(places))
            try:
                picture = decode(mutated.tobytes())
            except UnreadablePicture:
                continue
            assert picture.dtype == np.uint8
            assert picture.ndim == 3


def test_warnings_are_as_before_when_many_threads_have_decoded():
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [decode(JPEG) for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_a_file_is_judged_by_its_content_and_told_of_when_it_cannot_be_read(tmp_path):
    (tmp_path / "really.png").write_bytes(JPEG)
    np.testing.assert_array_equal(decode_file(tmp_path / "really.png"), decode(JPEG))
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, reason in {
        "none.jpg": "no such file",
        ".": "not a regular file",
        "pipe.jpg": "not a regular file",
    }.items():
        with pytest.raises(UnreadablePicture, match=reason):
            decode_file(tmp_path / name)


@pytest.mark.parametrize(
    ("height", "width"), [(32, 32), (64, 48), (48, 65), (33, 200), (7, 9), (1, 1), (1, 5000), (5000, 1)]
)
def test_fit_gives_a_square(height, width):
    picture = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    got = fit(picture, 32)
    assert got.shape == (32, 32, 3)
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous


def test_fit_leaves_a_picture_of_the_right_side_alone():
    np.testing.assert_array_equal(fit(PIXELS, 12), PIXELS[:, 4:16])


@pytest.mark.parametrize(("height", "width"), [(40, 30), (33, 75), (60, 61), (5, 9)])
def test_fit_is_the_plain_resize_of_pytorch_and_then_the_centre(height, width):
    picture = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    longer = round(max(height, width) * 32 / min(height, width))
    size = (longer, 32) if height > width else (32, longer)
    planes = torch.from_numpy(picture).permute(2, 0, 1).contiguous()[None]  # in the memory order of no fast path
    scaled = F.interpolate(planes, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(scale(picture, 32), scaled)
    top, left = (size[0] - 32) // 2, (size[1] - 32) // 2
    np.testing.assert_array_equal(fit(picture, 32), scaled[top : top + 32, left : left + 32])


def test_fit_agrees_with_pillows_antialiased_resize():
    x, y = np.meshgrid(np.arange(300), np.arange(200))
    waves = np.stack([127 + 120 * np.sin(x / a) * np.cos(y / b) for a, b in ((9, 13), (17, 7), (31, 29))], 2).astype(
        np.uint8
    )
    small = np.asarray(Image.fromarray(waves).resize((96, 64), Image.Resampling.BILINEAR))[:, 16:80]
    difference = np.abs(fit(waves, 64).astype(int) - small)
    assert difference.max() <= 3
    assert difference.mean() < 0.5


DATA = Path(os.environ.get("ALEXNET_DATA", "none"))
BAD_IMAGES = DATA / "bad-images"
needs_bad_images = pytest.mark.skipif(not BAD_IMAGES.is_dir(), reason="ALEXNET_DATA names no folder with bad-images")
REFUSED = ["wild/zero_byte_glacier_2758.jpg", "pillow/LICENSE.pillow"] + [
    f"pillow/{name}"
    for name in [
        "broken.png",
        "broken_data_stream.png",
        "truncated_end_chunk.png",
        "truncated_image.png",
        "truncated_jpeg.jpg",
        "decompression_bomb.gif",
        "l2rgb_read.bmp",
    ]
]
ACCEPTED = {  # file: height, width
    "made/gif_named.jpg": (128, 128),
    "pillow/hopper.gif": (128, 128),
    "pillow/hopper.jpg": (128, 128),
    "pillow/hopper.webp": (128, 128),
    "pillow/hopper_16bit_qtables.jpg": (128, 128),
    "pillow/hopper_bad_exif.jpg": (500, 500),
    "pillow/orientation_rectangle.jpg": (2, 1),
    "pillow/exif_imagemagick_orientation.png": (512, 512),
    "wild/n01871265_tusker.JPEG": (56, 75),
    "wild/exif_orientation6_n02951585_can_opener.JPEG": (392, 294),
}


@needs_bad_images
@pytest.mark.parametrize("name", REFUSED)
def test_a_real_damaged_file_is_refused(name):
    with pytest.raises(UnreadablePicture):
        decode_file(BAD_IMAGES / name)


@needs_bad_images
@pytest.mark.parametrize("name", ACCEPTED)
def test_a_real_odd_file_is_accepted(name):
    picture = decode_file(BAD_IMAGES / name)
    assert picture.shape == (*ACCEPTED[name], 3)
    assert fit(picture, 256).shape == (256, 256, 3)


@needs_bad_images
def test_real_odd_files_have_the_right_colours():
    def of(name):
        return decode_file(BAD_IMAGES / name).astype(float)

    for name in ("pillow/hopper_gray.jpg", "wild/n02096051_Airedale.JPEG", "wild/n02692877_airship.JPEG"):
        assert np.ptp(of(name), axis=2).max() == 0
    np.testing.assert_allclose(of("pillow/pil_sample_cmyk.jpg").mean((0, 1)), [30, 5, 7], atol=1)
    assert (of("pillow/p_trns_single.png") == 255).all(2).mean() > 0.21
    assert (of("pillow/pil123p.png") == 255).all(2).mean() > 0.48
    assert set(np.unique(of("pillow/16bit.cropped.tif"))) == {1, 2}
    turned = Image.open(BAD_IMAGES / "pillow/exif_imagemagick_orientation.png").convert("RGB").rotate(180)
    np.testing.assert_array_equal(of("pillow/exif_imagemagick_orientation.png"), np.asarray(turned))


@needs_bad_images
@pytest.mark.parametrize("orientation", [2, 3, 4, 6, 8])
def test_real_turned_pictures_are_upright(orientation):
    upright = decode_file(BAD_IMAGES / "pillow/hopper.jpg").ravel()
    turned = decode_file(BAD_IMAGES / f"pillow/hopper_orientation_{orientation}.jpg").ravel()
    assert np.corrcoef(upright, turned)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("height", "width", "scaled"),
    [(60, 90, (32, 48)), (90, 60, (48, 32)), (32, 32, (32, 32)), (10, 1000, (32, 128)), (16, 17, (32, 34))],
)
def test_scaling_keeps_the_proportions_and_fit_cuts_its_middle_out(height, width, scaled):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    whole = scale(picture, 32)
    assert whole.shape == (*scaled, 3)
    top, left = (scaled[0] - 32) // 2, (scaled[1] - 32) // 2
    assert np.array_equal(fit(picture, 32), whole[top : top + 32, left : left + 32])


@needs_bad_images
def test_a_folder_of_real_odd_files_is_prepared_and_all_are_accounted_for(tmp_path):
    store = prepare("folder", BAD_IMAGES, tmp_path / "store", side=32, val_share=0.5)
    report = json.loads((store.path / "report.json").read_text())
    assert report["seen"] == sum(path.is_file() for path in BAD_IMAGES.rglob("*"))
    bad = {file["file"] for file in report["files"] if file["state"] == "bad"}
    assert bad == set(REFUSED) - {"pillow/LICENSE.pillow"}
    assert report["used"] + report["bad"] + report["skipped"] == report["seen"]
    assert report["skipped"] == 4  # Pillow's licence, and CIFAR-10's three torn files


@needs_bad_images
@needs_simplejpeg
def test_real_odd_files_are_the_same_with_and_without_the_fast_decoder(monkeypatch):
    for file in filter(Path.is_file, BAD_IMAGES.rglob("*")):
        fast, plain = answers_of_both(file.read_bytes(), monkeypatch)
        np.testing.assert_array_equal(fast, plain, err_msg=file.name)


@needs_simplejpeg
@pytest.mark.parametrize(
    "folder", ["stanford-dogs-originals", "stanford-dogs", "cats-dogs-200px-4000", "imagenette224-subset"]
)
def test_real_photographs_are_the_same_with_and_without_the_fast_decoder(folder, monkeypatch):
    files = sorted(file for file in (DATA / folder).rglob("*") if file.suffix.lower() in (".jpg", ".jpeg"))
    if not files:
        pytest.skip(f"ALEXNET_DATA names no folder with {folder}")
    for file in files[:: max(1, len(files) // 50)]:
        fast, plain = answers_of_both(file.read_bytes(), monkeypatch)
        np.testing.assert_array_equal(fast, plain, err_msg=file.name)


@pytest.mark.parametrize(("number", "error"), [(errno.EMFILE, AlexNetError), (errno.EACCES, UnreadablePicture)])
def test_no_picture_is_bad_because_of_what_the_machine_lacks(tmp_path, monkeypatch, number, error):
    def fails(path):
        raise OSError(number, os.strerror(number))

    (tmp_path / "good.png").write_bytes(LOSSLESS)
    monkeypatch.setattr(Path, "read_bytes", fails)
    with pytest.raises(AlexNetError) as caught:
        decode_file(tmp_path / "good.png")
    assert type(caught.value) is error

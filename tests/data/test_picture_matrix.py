"""What becomes of every kind of picture file: `MATRIX` is a table of files and expectations, `check` holds them to it.

`prepare` and `predict`, with and without the fast decoder, must all agree with the table.
"""

import io
import json
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from alexnet.data import decode as decoding
from alexnet.data.decode import UnreadablePicture, decode, fit, read
from alexnet.data.preparation import prepare
from alexnet.data.shards import ENLARGED
from alexnet.errors import DataError
from alexnet.prediction import pixels

CHANCE = np.random.default_rng(0)
H, W = 24, 36
NOISE = CHANCE.integers(0, 256, (H, W, 3), np.uint8)
GREY = NOISE[:, :, 0]
DEEP = CHANCE.integers(0, 65536, (H, W), np.uint16)
DEEP_RGB = CHANCE.integers(0, 65536, (H, W, 3), np.uint16)
ALPHA = CHANCE.integers(0, 256, (H, W), np.uint8)
y, x = np.mgrid[:H, :W]
SMOOTH = np.stack([40 + 6 * y, 250 - 5 * x, 60 + 2 * y + 3 * x], 2).astype(np.uint8)  # survives JPEG nearly unchanged
FRAMES = [Image.fromarray(picture) for picture in (NOISE // 128 * 255, NOISE[::-1] // 128 * 255)]
SEVERAL = "several frames: the first is taken"


@dataclass(frozen=True)
class Near:
    """Pixels that are expected but for rounding, or what JPEG loses."""

    pixels: np.ndarray
    levels: int


def three(grey):
    return np.repeat(grey[:, :, None], 3, 2).astype(np.uint8)


def flat(*colour):
    return np.full((H, W, 3), colour, np.uint8)


def on_white(colour, alpha):
    share = alpha[:, :, None] / 255
    return Near(np.rint(colour * share + 255 * (1 - share)).astype(np.uint8), 1)


# Making files.


def saved(picture, form, mode=None, **options):
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, form, **options)
    return stream.getvalue()


def png(rows, depth, colour, transparency=b"", size=(W, H), extra=b""):
    """Build a PNG by hand: `rows` are the values of each row, packed."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    trns = chunk(b"tRNS", transparency) if transparency else b""
    actl = chunk(b"acTL", struct.pack(">II", 2, 0)) if extra else b""
    fdat = chunk(b"fdAT", extra) if extra else b""
    return b"\x89PNG\r\n\x1a\n" + header + actl + trns + chunk(b"IDAT", data) + fdat + chunk(b"IEND", b"")


def tiff(data, bits, photometric, samples=1, size=(W, H), kind=1, extra=None):
    """Build a little-endian TIFF of one strip by hand."""
    tags = [(256, 4, size[0]), (257, 4, size[1]), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8)]
    tags += [(277, 3, samples), (278, 4, size[1]), (279, 4, len(data)), (339, 3, kind)]
    tags += [(338, 3, extra)] if extra is not None else []
    entries = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def packed(values, bits):
    """Pack the values of a row, `bits` each, into bytes."""
    row = [int(bit) for value in values for bit in f"{value:0{bits}b}"]
    return np.packbits(row).tobytes()


def turned(orientation):
    """Store the smooth picture as a camera held so would: by EXIF's table of where row 0 and column 0 belong."""
    height, width = (W, H) if orientation > 4 else (H, W)
    row, column = np.mgrid[:height, :width]
    from_right, from_bottom = W - 1, H - 1
    places = {
        1: (row, column),
        2: (row, from_right - column),
        3: (from_bottom - row, from_right - column),
        4: (from_bottom - row, column),
        5: (column, row),
        6: (column, from_right - row),
        7: (from_bottom - column, from_right - row),
        8: (from_bottom - column, row),
    }
    return SMOOTH[places[orientation]]


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def without_adobe(data):
    """Take the marker out of a JPEG that says that its CMYK values are inverted; they are taken for that without it."""
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]


def as_ycck(data):
    """Say of the CMYK values of a JPEG that the first three are luma and chroma."""
    transform = data.index(b"Adobe") + 11
    return data[:transform] + b"\2" + data[transform + 1 :]


def many_scans(count):
    """Repeat the last scan of a progressive JPEG."""
    data = saved(SMOOTH, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


def bmp(width, height, bits=24, colours=0, palette=b"", data=b""):
    size = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", size + len(data), 0, 0, size) + header + palette + data


def webp(width, height):
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas


def jpeg_of_size(width, height):
    start = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:start] + struct.pack(">HH", height, width) + JPEG[start + 4 :]


JPEG = saved(SMOOTH, "JPEG", quality=95, subsampling=0)
LARGE = saved(np.tile(NOISE, (6, 6, 1)), "JPEG")
PROGRESSIVE = saved(SMOOTH, "JPEG", quality=95, subsampling=0, progressive=True)
PNG = saved(NOISE, "PNG")
FORMS = {
    "GIF": saved(GREY, "GIF"),
    "WEBP": saved(NOISE, "WEBP"),
    "TIFF": saved(NOISE, "TIFF"),
    "BMP": saved(NOISE, "BMP"),
}
CMYK = Image.merge("CMYK", [Image.new("L", (W, H), ink) for ink in (10, 200, 100, 50)])
PLAIN_INKS = np.rint([(255 - ink) * (255 - 50) / 255 for ink in (10, 200, 100)])
WHITE_LAB = Image.merge("LAB", [Image.new("L", (W, H), value) for value in (255, 128, 128)])
Y, CB, CR, K = (255 - ink for ink in (10, 200, 100, 50))  # as they are stored: inverted
YCCK = (Y + 1.402 * (CR - 128), Y - 0.344 * (CB - 128) - 0.714 * (CR - 128), Y + 1.772 * (CB - 128))
YCCK_INKS = np.rint([(255 - min(ink, 255)) * K / 255 for ink in YCCK])
TRANSPARENT = three(np.where(GREY[0, 0] == GREY, 255, GREY))
CORRUPT = b"Exif\0\0II*\0\x08\0\0\0\xff\xff"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

MATRIX = {
    # No picture: refused, with what it is.
    "empty.jpg": (b"", "empty file"),
    "text.jpg": (b"hello world" * 9, "not a picture"),
    "page.jpg": (b"\n<!DOCTYPE html><html>", "a web page, not a picture"),
    "document.jpg": (b"%PDF-1.7 ...", "unsupported format PDF"),
    "archive.jpg": (b"PK\x03\x04" + bytes(50), "unsupported format ZIP"),
    "drawing.jpg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported format SVG"),
    "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    "random.jpg": (b"\0" + CHANCE.bytes(5000), "not a picture"),
    # Another format than the six that are read.
    "phone.heic": (b"\0\0\0\x18ftypheic" + bytes(90), "unsupported format HEIC"),
    "small.avif": (b"\0\0\0\x18ftypavif" + bytes(90), "unsupported format AVIF"),
    "new.jxl": (b"\xff\x0a" + bytes(90), "unsupported format JPEG XL"),
    "wavelets.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(90), "unsupported format JPEG 2000"),
    "icon.png": (saved(NOISE, "ICO"), "unsupported format ICO"),
    "layers.jpg": (b"8BPS\0\1" + bytes(90), "unsupported format PSD"),
    "plain.jpg": (saved(NOISE, "PPM"), "not a picture"),
    # Cut off or damaged: refused, never filled up. Only what lacks no pixel is taken.
    "header.jpg": (JPEG[:4], "damaged JPEG: its header cannot be read"),
    "cut-01.jpg": (LARGE[: len(LARGE) // 100], "Truncated File Read"),
    **{f"cut-{n}.jpg": (LARGE[: len(LARGE) * n // 100], "image file is truncated") for n in (10, 50, 90, 99)},
    "no-end.jpg": (LARGE[:-2], "image file is truncated"),
    "cut-progressive.jpg": (PROGRESSIVE[: len(PROGRESSIVE) * 3 // 4], "truncated"),
    "no-tables.jpg": (JPEG.replace(b"\xff\xdb", b"\xff\xe9"), "broken data stream"),
    "header.png": (PNG[:33], "damaged PNG: its header cannot be read"),
    "cut.png": (PNG[: len(PNG) // 2], "truncated"),
    "checksum.png": (PNG[:70] + bytes([PNG[70] ^ 1]) + PNG[71:], "broken data stream"),
    "no-end.png": (PNG[:-12], NOISE),
    "frame.png": (png(GREY.reshape(1, -1), 8, 0, size=(W * H, 1), extra=bytes(9)), "frame sequence errors"),
    "cut.gif": (FORMS["GIF"][: len(FORMS["GIF"]) // 2], "truncated"),
    "cut.webp": (FORMS["WEBP"][: len(FORMS["WEBP"]) // 2], "could not create decoder"),
    "cut.tif": (FORMS["TIFF"][:400], "image file is truncated"),
    "cut.bmp": (FORMS["BMP"][: len(FORMS["BMP"]) // 2], "truncated"),
    "palette.bmp": (bmp(4, 4, 8, 300, bytes(4 * 300), bytes(16)), "invalid palette size"),
    # Too large: refused by the header, before anything is decoded.
    "nothing.png": (png([], 8, 2, size=(0, 5)), "damaged PNG: its header cannot be read"),
    "large.png": (png([], 8, 2, size=(12_000, 12_000)), "more than 64,000,000"),
    "larger-by-one-row.png": (png([], 8, 2, size=(8_000, 8_001)), "declares 8000×8001 pixels, more than 64,000,000"),
    "largest.png": (png([], 8, 2, size=(2**31 - 1, 2**31 - 1)), "more than 64,000,000"),
    "large-one-bit.png": (png([bytes(1625)] * 13_000, 1, 0, size=(13_000, 13_000)), "more than 64,000,000"),
    "large.jpg": (jpeg_of_size(65_000, 65_000), "more than 64,000,000"),
    "large.gif": (b"GIF89a" + struct.pack("<HH", 65535, 65535) + FORMS["GIF"][10:], "more than 64,000,000"),
    "large.webp": (webp(16_383, 16_383), "more than 64,000,000"),
    "large.bmp": (bmp(100_000, 100_000), "more than 64,000,000"),
    "large.tif": (tiff(bytes(9), 8, 1, size=(2**30, 2**30)), "more than 64,000,000"),
    "many-scans.jpg": (many_scans(200), "scans, more than 100"),
    # Small and narrow: taken, and enlarged.
    "dot.png": (saved(NOISE[:1, :1], "PNG"), NOISE[:1, :1]),
    "line.png": (saved(np.resize(NOISE, (1, 5000, 3)), "PNG"), np.resize(NOISE, (1, 5000, 3))),
    "pole.png": (saved(np.resize(NOISE, (5000, 1, 3)), "PNG"), np.resize(NOISE, (5000, 1, 3))),
    # Grey, palettes, inks and other colours: three channels of 8 bits.
    "colour.png": (PNG, NOISE),
    "colour.tif": (FORMS["TIFF"], NOISE),
    "big.tif": (saved(NOISE, "TIFF", big_tiff=True), NOISE),
    "packed.tif": (saved(NOISE, "TIFF", compression="tiff_lzw"), NOISE),
    "colour.bmp": (FORMS["BMP"], NOISE),
    "lossless.webp": (saved(NOISE, "WEBP", lossless=True), NOISE),
    "baseline.jpg": (JPEG, Near(SMOOTH, 4)),
    "progressive.jpg": (PROGRESSIVE, Near(SMOOTH, 4)),
    "primaries.jpg": (saved(SMOOTH, "JPEG", quality=95, keep_rgb=True), Near(SMOOTH, 4)),
    "grey.jpg": (saved(SMOOTH[:, :, 0], "JPEG", quality=95), Near(three(SMOOTH[:, :, 0]), 4)),
    "grey.png": (saved(GREY, "PNG"), three(GREY)),
    "grey-2-bits.png": (png([packed(row >> 6, 2) for row in GREY], 2, 0), three((GREY >> 6) * 85)),
    "grey-4-bits.png": (png([packed(row >> 4, 4) for row in GREY], 4, 0), three((GREY >> 4) * 17)),
    "one-bit.png": (saved(GREY > 127, "PNG"), three(np.where(GREY > 127, 255, 0))),
    "white-is-zero.tif": (tiff(GREY.tobytes(), 8, 0), three(255 - GREY)),
    "palette.gif": (FORMS["GIF"], three(GREY)),
    "palette.png": (saved(FRAMES[0], "PNG", mode="P"), np.asarray(FRAMES[0])),
    "cmyk.tif": (saved(CMYK, "TIFF"), Near(flat(*PLAIN_INKS), 1)),
    "cmyk-adobe.jpg": (saved(CMYK, "JPEG", quality=100), Near(flat(*PLAIN_INKS), 2)),
    "cmyk-unnamed.jpg": (without_adobe(saved(CMYK, "JPEG", quality=100)), Near(flat(*PLAIN_INKS), 2)),
    "ycck.jpg": (as_ycck(saved(CMYK, "JPEG", quality=100)), Near(flat(*YCCK_INKS), 2)),
    "luma.tif": (saved(SMOOTH, "TIFF", mode="YCbCr"), Near(SMOOTH, 3)),
    "lab.tif": (
        saved(WHITE_LAB, "TIFF"),
        Near(flat(255, 255, 255), 1),
    ),
    # 16 bits a value: the higher eight; 12 bits in the same way; of unknown range: refused.
    "grey-16-bits.png": (saved(DEEP, "PNG"), three(DEEP >> 8)),
    "grey-16-bits.tif": (saved(DEEP, "TIFF"), three(DEEP >> 8)),
    "grey-16-bits-big-endian.tif": (saved(Image.fromarray(DEEP.astype(">u2")), "TIFF"), three(DEEP >> 8)),
    "white-is-zero-16-bits.tif": (tiff(DEEP.astype("<u2").tobytes(), 16, 0), three((65535 - DEEP) >> 8)),
    "grey-12-bits.tif": (tiff(b"".join(packed(row >> 4, 12) for row in DEEP), 12, 1), three(DEEP >> 8)),
    "colour-16-bits.png": (
        png([row.astype(">u2").tobytes() for row in DEEP_RGB], 16, 2),
        (DEEP_RGB >> 8).astype(np.uint8),
    ),
    "integers-32-bits.tif": (saved(Image.new("I", (W, H)), "TIFF"), "mode I (32 bits a value"),
    "floats.tif": (saved(Image.new("F", (W, H)), "TIFF"), "mode F (32 bits a value"),
    "signed-16-bits.tif": (tiff(DEEP.tobytes(), 16, 1, kind=2), "mode I (32 bits a value"),
    # Transparency: laid on white.
    "opaque.png": (saved(np.dstack([NOISE, np.full_like(ALPHA, 255)]), "PNG"), NOISE),
    "transparent.png": (saved(np.dstack([NOISE, np.zeros_like(ALPHA)]), "PNG"), flat(255, 255, 255)),
    "half.png": (saved(np.dstack([NOISE, ALPHA]), "PNG"), on_white(NOISE, ALPHA)),
    "half.webp": (saved(np.dstack([NOISE, ALPHA]), "WEBP", lossless=True, exact=True), on_white(NOISE, ALPHA)),
    "half.tif": (saved(np.dstack([NOISE, ALPHA]), "TIFF"), on_white(NOISE, ALPHA)),
    "grey-half.png": (
        png(np.dstack([GREY, ALPHA]), 8, 4),
        on_white(three(GREY), ALPHA),
    ),
    "index.png": (saved(GREY, "PNG", mode="P", transparency=int(GREY[0, 0])), TRANSPARENT),
    "index-alpha.png": (saved(GREY, "PNG", mode="P", transparency=bytes(range(256))), on_white(three(GREY), GREY)),
    "index.gif": (saved(GREY, "GIF", transparency=int(GREY[0, 0])), TRANSPARENT),
    "key.png": (png(GREY, 8, 0, struct.pack(">H", GREY[0, 0])), TRANSPARENT),
    "key-2-bits.png": (
        png([packed(row >> 6, 2) for row in GREY], 2, 0, struct.pack(">H", 1)),
        three(np.where(GREY >> 6 == 1, 255, (GREY >> 6) * 85)),
    ),
    "key-16-bits.png": (
        png(DEEP.astype(">u2"), 16, 0, struct.pack(">H", DEEP[0, 0])),
        three(np.where(DEEP[0, 0] == DEEP, 255, DEEP >> 8)),
    ),
    "key-colour.png": (
        png(NOISE, 8, 2, struct.pack(">HHH", *NOISE[0, 0])),
        np.where((NOISE[0, 0] == NOISE).all(2, keepdims=True), 255, NOISE).astype(np.uint8),
    ),
    # Several frames: the first, with a remark.
    "frames.gif": (saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]), np.asarray(FRAMES[0])),
    "frames.webp": (
        saved(FRAMES[0], "WEBP", lossless=True, save_all=True, append_images=FRAMES[1:]),
        np.asarray(FRAMES[0]),
    ),
    "frames.png": (saved(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]), np.asarray(FRAMES[0])),
    "frames.tif": (saved(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:]), np.asarray(FRAMES[0])),
    "frames.jpg": (
        saved(Image.fromarray(SMOOTH), "MPO", quality=95, subsampling=0, save_all=True, append_images=FRAMES[1:]),
        Near(SMOOTH, 4),
    ),
    # Stored turned or mirrored: upright.
    **{
        f"turned-{n}.jpg": (saved(turned(n), "JPEG", quality=95, subsampling=0, exif=exif(n)), Near(SMOOTH, 4))
        for n in range(1, 9)
    },
    **{f"turned-{n}.png": (saved(turned(n), "PNG", exif=exif(n)), SMOOTH) for n in range(1, 9)},
    **{f"turned-{n}.webp": (saved(turned(n), "WEBP", lossless=True, exif=exif(n)), SMOOTH) for n in (5, 7)},
    **{f"turned-{n}.tif": (saved(turned(n), "TIFF", tiffinfo={0x0112: n}), SMOOTH) for n in (3, 6)},
    "turned-9.png": (saved(SMOOTH, "PNG", exif=exif(9)), SMOOTH),
    "corrupt-exif.jpg": (
        saved(SMOOTH, "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"),
        Near(SMOOTH, 4),
    ),
    # Colour profiles, whole or broken, change nothing; nor does what stands behind the end.
    "profile.png": (saved(NOISE, "PNG", icc_profile=PROFILE), NOISE),
    "broken-profile.jpg": (saved(SMOOTH, "JPEG", quality=95, subsampling=0, icc_profile=b"x" * 99), Near(SMOOTH, 4)),
    "appended.jpg": (JPEG + b"\xff\xda" * 500 + CHANCE.bytes(999), Near(SMOOTH, 4)),
    # The content decides, not the name.
    "really-png.JPEG": (PNG, NOISE),
    "really-gif.jpg": (FORMS["GIF"], three(GREY)),
    "no-ending": (PNG, NOISE),
    "other-ending.jfif": (JPEG, Near(SMOOTH, 4)),
    "UPPER.JPG": (JPEG, Near(SMOOTH, 4)),
}
REFUSED = {name for name, (_, expected) in MATRIX.items() if isinstance(expected, str)}
SKIPPED = {"._hidden.jpg": JPEG, "Thumbs.db": b"", "notes.txt": b"cats and dogs"}


def answer(data):
    """Give the pixels of a file, or the reason why it has none."""
    try:
        return decode(data)
    except UnreadablePicture as error:
        return str(error)


@pytest.mark.parametrize("decoder", ["simplejpeg", "Pillow"])
@pytest.mark.parametrize("name", MATRIX)
def test_each_kind_of_file_gives_what_is_expected_of_it(name, decoder, monkeypatch):
    data, expected = MATRIX[name]
    if decoder == "Pillow":
        monkeypatch.setattr(decoding, "simplejpeg", None)
    elif decoding.simplejpeg is None:
        pytest.skip("the extra `fast` is not installed")
    found = answer(data)
    if isinstance(expected, str):
        assert isinstance(found, str), f"taken as {found.shape}"
        assert expected in found
        assert len(found) < 200
        assert "\n" not in found
        assert " at 0x" not in found  # the same file, the same reason
    else:
        near = expected if isinstance(expected, Near) else Near(expected, 0)
        assert not isinstance(found, str), found
        assert found.dtype == np.uint8
        assert found.shape == near.pixels.shape
        assert np.abs(found.astype(int) - near.pixels).max() <= near.levels


def test_the_table_has_its_kinds():
    assert len(MATRIX) >= 120
    assert len(REFUSED) >= 45


def test_only_files_of_several_frames_are_said_to_have_them():
    noted = {name for name, (data, _) in MATRIX.items() if name not in REFUSED and read(data).remark == SEVERAL}
    assert noted == {name for name in MATRIX if name.startswith("frames.")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All files of the table in one class, whole pictures in another."""
    top = tmp_path_factory.mktemp("matrix")
    for name, data in [(name, data) for name, (data, _) in MATRIX.items()] + list(SKIPPED.items()):
        path = top / "train/odd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (top / "train/plain").mkdir()
    (top / "train/plain/one.png").write_bytes(PNG)
    (top / "val/odd").mkdir(parents=True)
    (top / "val/plain").mkdir()
    for name in ("odd", "plain"):
        (top / "val" / name / "two.png").write_bytes(PNG)
    return top


@pytest.mark.parametrize("workers", [1, 2])
def test_prepared_every_file_is_used_bad_or_skipped_and_told_of(folder, workers, tmp_path):
    store = prepare("folder", folder, tmp_path / "store", side=16, workers=workers)
    report = json.loads((store.path / "report.json").read_text())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert report["seen"] == len(files) == report["used"] + report["bad"] + report["skipped"]
    told = {state: {} for state in ("bad", "skipped")}
    for file in report["files"]:
        told[file["state"]][Path(file["file"]).name] = file["reason"]
    assert set(told["bad"]) == REFUSED
    assert set(told["skipped"]) == set(SKIPPED)
    for name, reason in told["bad"].items():
        assert MATRIX[name][1] in reason
    assert report["remarks"][SEVERAL] == 5
    assert report["remarks"][ENLARGED] == 3  # dot, line, pole


def test_prepared_and_predicted_pictures_are_the_same(folder, tmp_path):
    train = prepare("folder", folder, tmp_path / "store", side=16).splits["train"]
    stored = train.pictures(np.arange(len(train)))
    used = dict(zip((Path(name).name for name in train.names), stored, strict=True))
    assert set(used) == set(MATRIX) - REFUSED | {"one.png"}
    for path in (folder / "train/odd").iterdir():
        if path.name in used:
            np.testing.assert_array_equal(fit(pixels(path), 16), used[path.name], err_msg=path.name)
            np.testing.assert_array_equal(fit(decode(path.read_bytes()), 16), used[path.name], err_msg=path.name)
        elif path.name in REFUSED:
            with pytest.raises(UnreadablePicture) as caught:
                pixels(path)
            assert MATRIX[path.name][1] in str(caught.value)


def test_strict_fails_on_the_first_bad_file(folder, tmp_path):
    with pytest.raises(DataError, match="train/odd/"):
        prepare("folder", folder, tmp_path / "store", side=16, strict=True)
    assert not (tmp_path / "store").exists()


def test_a_bomb_is_refused_before_it_takes_memory(folder):
    names = [name for name in MATRIX if name.startswith(("large", "many"))]
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from alexnet.data.decode import UnreadablePicture, decode_file\n"
        "unit = 2**20 if sys.platform == 'darwin' else 2**10\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit\n"
        "for file in map(Path, sys.argv[1:]):\n"
        "    before = peak()\n"
        "    try: decode_file(file)\n"
        "    except UnreadablePicture: print(file.name, peak() - before)\n"
    )
    files = [str(folder / "train/odd" / name) for name in ("header.png", *names)]  # the first: what Pillow itself takes
    done = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, text=True, check=True)
    grown = dict(line.split() for line in done.stdout.splitlines())
    assert set(grown) == {"header.png", *names}
    assert max(int(grown[name]) for name in names) <= 20, grown  # MB

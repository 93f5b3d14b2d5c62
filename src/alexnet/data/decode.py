"""Picture files to pixels: uint8 RGB, upright, or refused with a short reason.

Files come from anywhere. What a file is, its content says, not its name; its declared size is looked at before it is
decoded; what Pillow refuses is refused. Alpha is laid on white, 16 bits a value lose the lower eight, of several frames
the first counts, colour profiles are not applied. `prepare` and `predict` use the same functions: they see the same.
"""

import errno
import importlib
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from alexnet.data.modes import load_rgb, upright
from alexnet.errors import AlexNetError, DataError

simplejpeg: ModuleType | None = None  # the extra `fast`: JPEG to the same pixels as Pillow's, in two thirds of the time
with suppress(ImportError):
    simplejpeg = importlib.import_module("simplejpeg")

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # not MPO: Pillow makes it of JPEG, and fails if it is listed
MAX_PIXELS = 64_000_000
MAX_BYTES = 512_000_000
MAX_SCANS = 100  # of a progressive JPEG, which has about ten; each goes over all pixels again
MAX_ASPECT = 4
# What a machine lacks for the moment, or a network's disk: no picture is bad because of it.
NOT_ITS_FAULT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT)
# How a file begins, and what it then is: the formats read here, and those that are often met under a picture's name.
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",  # with offsets of 64 bits
    b"MM\x00+": "TIFF",
}
STRANGERS = {
    b"version https://git-lfs": "a Git LFS pointer: fetch the picture itself with `git lfs pull`",
    b"%PDF": "unsupported format PDF",
    b"PK\x03\x04": "unsupported format ZIP",
    b"\xff\x0a": "unsupported format JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "unsupported format JPEG XL",
    b"\x00\x00\x00\x0cjP  ": "unsupported format JPEG 2000",
    b"8BPS": "unsupported format PSD",
    b"\x00\x00\x01\x00": "unsupported format ICO",
    b"<svg": "unsupported format SVG",
    b"<?xml": "unsupported format XML or SVG",
    b"<!DOCTYPE": "a web page, not a picture",
    b"<html": "a web page, not a picture",
}
BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"mif1": "HEIF", b"avif": "AVIF", b"avis": "AVIF"}


class UnreadablePicture(DataError):
    """A picture that is not used; the message is the reason, without the file's name."""


@dataclass(frozen=True)
class Decoded:
    """A picture of a file.

    Attributes:
        pixels: RGB, upright.
        remark: What of the file was left out; empty if nothing was.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    remark: str = ""


class _Quiet:
    """Silences Pillow's warnings while any thread decodes; what they warn of is judged here, by rules of our own.

    `warnings.catch_warnings` alone is not safe when threads enter and leave it in turns.
    """

    def __init__(self) -> None:
        self.lock, self.depth = threading.Lock(), 0
        self.caught = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            if self.depth == 0:
                self.caught = warnings.catch_warnings()
                self.caught.__enter__()
                warnings.simplefilter("ignore")
            self.depth += 1
        try:
            yield
        finally:
            with self.lock:
                self.depth -= 1
                if self.depth == 0:
                    self.caught.__exit__(None, None, None)


_quiet = _Quiet()


def signature(head: bytes) -> str | None:
    """Name the format that a file is in, by its first bytes; None if it is none that is read here."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for start, name in SIGNATURES.items() if head.startswith(start)), None)


def _why_not(data: bytes) -> str:
    """Say what a file is that no decoder took."""
    if not data:
        return "empty file"
    if name := signature(data):
        return f"damaged {name}: its header cannot be read"
    if data[4:8] == b"ftyp" and data[8:12] in BRANDS:
        return f"unsupported format {BRANDS[data[8:12]]}"
    heads = (data[:64], data[:64].lstrip())
    return next((what for start, what in STRANGERS.items() if any(h.startswith(start) for h in heads)), "not a picture")


def _one_line(error: Exception) -> str:
    """Tell an error of Pillow, which can be of any kind, in a short line."""
    text = " ".join(str(error).split())[:120]
    return f"{text} ({type(error).__name__})" if text else type(error).__name__


def _load_fast(image: Image.Image, data: bytes) -> UInt8[np.ndarray, "h w 3"] | None:
    """Decode a JPEG by simplejpeg; None where it is not there or not sure, and what Pillow says counts.

    It works with the same library, to the same pixels, but takes warnings for errors and converts CMYK otherwise.
    """
    if simplejpeg is None or image.format != "JPEG" or image.mode not in ("L", "RGB"):
        return None
    with suppress(Exception):
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        if (width, height) == image.size:
            pixels: UInt8[np.ndarray, "h w 3"] = simplejpeg.decode_jpeg(data, "RGB")
            return pixels
    return None


def _scans(data: bytes) -> int:
    """Count the scans of a JPEG, and none in what stands after its end or is wrapped in it."""
    scans, place = 0, 2
    while marker := re.compile(rb"\xff[^\x00\xd0-\xd7\xff]").search(data, place):
        if marker[0] == b"\xff\xd9":
            break
        scans += marker[0] == b"\xff\xda"
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans


def _refuse_unread(image: Image.Image, data: bytes) -> None:
    """Refuse a picture by what it declares: one that would fill the memory or take minutes, or has no known range."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnreadablePicture(f"declares {width}×{height} pixels, more than {MAX_PIXELS:,}")
    if width * height == 0:
        raise UnreadablePicture(f"has no pixels ({width}×{height})")
    if image.mode in ("I", "F"):
        raise UnreadablePicture(f"mode {image.mode} (32 bits a value, of unknown range): convert it to 8 or 16 bits")
    # Only a progressive one can go over all pixels in a few bytes; the second look is slow, the first seldom wrong.
    if image.info.get("progressive") and data.count(b"\xff\xda") > MAX_SCANS and (scans := _scans(data)) > MAX_SCANS:
        raise UnreadablePicture(f"JPEG of {scans} scans, more than {MAX_SCANS}")


def _remark(image: Image.Image) -> str:
    with suppress(Exception):  # Pillow looks for a second frame, and may find it damaged
        return "several frames: the first is taken" if getattr(image, "is_animated", False) else ""
    return ""


def read(data: bytes) -> Decoded:
    """Decode a picture file.

    Raises:
        UnreadablePicture: With the reason; whatever is wrong with the file, nothing else is raised.
    """
    if len(data) > MAX_BYTES:
        raise UnreadablePicture(f"file of {len(data):,} bytes, more than {MAX_BYTES:,}")
    try:
        return _decoded(lambda: Image.open(io.BytesIO(data), formats=FORMATS), data)
    except UnidentifiedImageError as error:
        raise UnreadablePicture(_why_not(data)) from error


def decode(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Take the pixels of a picture file; see `read`."""
    return read(data).pixels


def decode_image(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Take the pixels of a Pillow image, as `decode` would of its file.

    Raises:
        UnreadablePicture: With the reason.
    """
    return _decoded(lambda: image, b"").pixels


def _decoded(opened: Callable[[], Image.Image], data: bytes) -> Decoded:
    with _quiet():
        try:
            image = opened()
            _refuse_unread(image, data)
            pixels = _load_fast(image, data)
            if pixels is None:
                pixels = load_rgb(image)
            return Decoded(upright(pixels, image), _remark(image) if data else "")
        except (UnreadablePicture, UnidentifiedImageError):
            raise
        except Image.DecompressionBombError as error:
            raise UnreadablePicture(f"declares more than {MAX_PIXELS:,} pixels") from error
        except Exception as error:  # decoders of foreign bytes raise anything: SyntaxError, struct.error, IndexError …
            raise UnreadablePicture(_one_line(error)) from error


def read_file(path: Path) -> Decoded:
    """Read and decode a picture file.

    Raises:
        UnreadablePicture: With the reason, also if the file cannot be read.
        AlexNetError: If that is not the file's fault: too many open files, a disk that is gone.
    """
    try:
        if not path.is_file():
            raise UnreadablePicture("not a regular file" if path.exists() else "no such file")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UnreadablePicture(f"file of {size:,} bytes, more than {MAX_BYTES:,}")
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, OSError) and error.errno in NOT_ITS_FAULT:
            raise AlexNetError(f"{path} cannot be read ({error.strerror}): mend that, and try again") from error
        raise UnreadablePicture(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return read(data)


def decode_file(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Take the pixels of a picture file; see `read_file`."""
    return read_file(path).pixels


def fit(picture: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """Scale the shorter side to `side` and cut out the central square (§2)."""
    return np.ascontiguousarray(_centre(scale(picture, side), side, side))


def scale(picture: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "scaled_h scaled_w 3"]:
    """Scale the shorter side to `side`.

    Bilinear, antialiased, by PyTorch, so that every decoder's pixels go the same way. A picture more than four times
    as long as wide first loses its ends, which `fit` would cut off anyway: scaled up they could fill the memory.
    """
    height, width = picture.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    picture = _centre(picture, min(height, longest), min(width, longest))
    height, width = picture.shape[:2]
    if min(height, width) != side:
        factor = side / min(height, width)
        size = [max(side, round(height * factor)), max(side, round(width * factor))]
        # Channels last in memory, as it comes, with the strides of a batch: only so is the result channels last too,
        # and the kernel twice as fast.
        pixels = torch.from_numpy(np.ascontiguousarray(picture))[None].permute(0, 3, 1, 2)
        scaled = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
        picture = scaled[0].permute(1, 2, 0).numpy()
    return picture


def _centre(picture: UInt8[np.ndarray, "h w 3"], height: int, width: int) -> UInt8[np.ndarray, "{height} {width} 3"]:
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]

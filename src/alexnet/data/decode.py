"""Picture files to pixels: uint8 RGB, upright, or refused with a short reason.

Files come from anywhere. What a file is, its content says, not its name; its declared size is looked at before it is
decoded; what Pillow refuses is refused. `prepare` and `predict` both use these functions, so that they see the same.
"""

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from alexnet.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # not MPO: Pillow makes it of JPEG, and fails if it is listed
MAX_PIXELS = 64_000_000
MAX_BYTES = 512_000_000
MAX_ASPECT = 4
# How a file begins, and what it then is: the formats read here, and those that are often met under a picture's name.
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
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
# EXIF orientation (what the camera says of the stored picture) to the turn that makes it upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112


class UnreadablePicture(DataError):
    """A picture that is not used; the message is the reason, without the file's name."""


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


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white."""
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Bring a loaded picture of any mode to 8-bit RGB: 16-bit grey by its high byte, alpha on white."""
    mode = image.mode
    if mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if mode in ("I", "F"):
        raise UnreadablePicture(f"mode {mode} (32 bits a value, of unknown range): convert it to 8 or 16 bits")
    if image.has_transparency_data:
        image = _on_white(image)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _load(image: Image.Image) -> Image.Image:
    """Load an opened picture after a look at its declared size, and turn it upright."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnreadablePicture(f"declares {width}×{height} pixels, more than {MAX_PIXELS:,}")
    if width * height == 0:
        raise UnreadablePicture(f"has no pixels ({width}×{height})")
    image.load()
    # Only now: reading the EXIF data of a PNG may load it, and a second load after a failed one "succeeds".
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # corrupt EXIF data says nothing, and the picture is whole
        return image
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def decode(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a picture file; of an animation, the first frame.

    Raises:
        UnreadablePicture: With the reason; whatever is wrong with the file, nothing else is raised.
    """
    if len(data) > MAX_BYTES:
        raise UnreadablePicture(f"file of {len(data):,} bytes, more than {MAX_BYTES:,}")
    try:
        return _pixels(lambda: Image.open(io.BytesIO(data), formats=FORMATS))
    except UnidentifiedImageError as error:
        raise UnreadablePicture(_why_not(data)) from error


def decode_image(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Take the pixels of a Pillow image, as `decode` would of its file.

    Raises:
        UnreadablePicture: With the reason.
    """
    return _pixels(lambda: image)


def _pixels(opened: Callable[[], Image.Image]) -> UInt8[np.ndarray, "h w 3"]:
    with _quiet():
        try:
            return _rgb(_load(opened()))
        except (UnreadablePicture, UnidentifiedImageError):
            raise
        except Image.DecompressionBombError as error:
            raise UnreadablePicture(f"declares more than {MAX_PIXELS:,} pixels") from error
        except Exception as error:  # decoders of foreign bytes raise anything: SyntaxError, struct.error, IndexError …
            raise UnreadablePicture(_one_line(error)) from error


def decode_file(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Read and decode a picture file.

    Raises:
        UnreadablePicture: With the reason, also if the file cannot be read.
    """
    try:
        if not path.is_file():
            raise UnreadablePicture("not a regular file" if path.exists() else "no such file")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UnreadablePicture(f"file of {size:,} bytes, more than {MAX_BYTES:,}")
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UnreadablePicture(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return decode(data)


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
        # channels last in memory, as it comes: the fast path of the uint8 kernel
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
        scaled = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
        picture = scaled[0].permute(1, 2, 0).numpy()
    return picture


def _centre(picture: UInt8[np.ndarray, "h w 3"], height: int, width: int) -> UInt8[np.ndarray, "{height} {width} 3"]:
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]

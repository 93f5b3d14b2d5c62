"""An opened Pillow picture of any mode to pixels: 8-bit RGB, upright.

Grey becomes three equal channels; CMYK, LAB, YCbCr and palettes go Pillow's way; alpha and transparent colours are laid
on white; 16 bits a value lose the lower eight. Pillow does not see to all of it: each mending is told where it is made.
"""

from contextlib import suppress

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

# EXIF orientation (what the camera says of the stored picture) to what makes it upright: quarter turns to the left, and
# then perhaps the mirror.
UPRIGHT = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
# Tags of EXIF and TIFF.
BITS_PER_SAMPLE, PHOTOMETRIC, ORIENTATION = 0x0102, 0x0106, 0x0112
# Pillow gives a PNG's transparent colour as it stands in the file, but its pixels, stored so, scaled to 8 bits.
PNG_SCALE = {"L;2": lambda value: value * 85, "L;4": lambda value: value * 17, "RGB;16B": lambda value: value >> 8}


def load_rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an opened picture; whatever is wrong with it, Pillow raises."""
    if isinstance(image, PngImageFile) and image.tile and (scale := PNG_SCALE.get(str(image.tile[0].args))):
        colour = image.info.get("transparency")
        if isinstance(colour, int | tuple):
            image.info["transparency"] = scale(colour) if isinstance(colour, int) else tuple(map(scale, colour))
    image.load()
    if image.mode.startswith("I;16"):
        return _grey16(image)
    if image.has_transparency_data:
        image = _on_white(image)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _grey16(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Scale a loaded picture of 16 (or, in a TIFF, 12) bits to 8; Pillow would cut off what is above 255."""
    values = np.asarray(image).astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    if tags.get(PHOTOMETRIC) == 0:  # white is zero, which Pillow sees to at 8 bits only
        values = ~values
    grey = (values >> (tags.get(BITS_PER_SAMPLE, (16,))[0] - 8)).astype(np.uint8)
    if "transparency" in image.info:
        grey[values == image.info["transparency"]] = 255
    return np.repeat(grey[:, :, None], 3, axis=2)


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white."""
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def upright(pixels: UInt8[np.ndarray, "stored_h stored_w 3"], image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Turn the pixels of a picture as its EXIF data say; corrupt ones say nothing.

    Only after loading: reading the EXIF data of a PNG may load it, and a second load after a failed one "succeeds".
    """
    turns, mirror = 0, False
    with suppress(Exception):
        turns, mirror = UPRIGHT.get(image.getexif().get(ORIENTATION, 1), (0, False))
    turned = np.rot90(pixels, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirror else turned)

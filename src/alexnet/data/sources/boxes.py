"""The part of a picture that a dog is in, as ImageNet's annotations (Pascal VOC's XML) give it.

They are read as plain text by their tags: no XML parser, so no entity, no document type and nothing to fetch.
"""

import re

import numpy as np
from jaxtyping import UInt8

from alexnet.data.decode import UnreadablePicture

Box = tuple[int, int, int, int]
SIDES = ("xmin", "ymin", "xmax", "ymax")
MAX_BYTES = 1 << 20


def first_box(annotation: bytes) -> Box | None:
    """Read the first annotated box: left, top, right, bottom in pixels; None if there is none to trust."""
    if len(annotation) > MAX_BYTES or b"<!" in annotation:
        return None
    box = re.search(rb"<bndbox>(.*?)</bndbox>", annotation, re.DOTALL)
    if box is None:
        return None
    sides = {side: re.search(rf"<{side}>\s*(\d{{1,6}})\s*</{side}>".encode(), box[1]) for side in SIDES}
    left, top, right, bottom = (-1 if found is None else int(found[1]) for found in sides.values())
    return (left, top, right, bottom) if 0 <= left < right and 0 <= top < bottom else None


def cut(picture: UInt8[np.ndarray, "h w 3"], box: Box) -> UInt8[np.ndarray, "bh bw 3"]:
    """Cut a picture to its box, as far as that lies in it.

    Raises:
        UnreadablePicture: If nothing of it does.
    """
    left, top, right, bottom = box
    part = picture[top:bottom, left:right]
    if part.size == 0:
        size = f"{picture.shape[1]}×{picture.shape[0]}"
        raise UnreadablePicture(f"its box ({left}, {top}, {right}, {bottom}) lies outside of its {size} pixels")
    return part

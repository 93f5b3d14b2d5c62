"""HTML in pieces: whatever is not markup already is escaped, so that no name can become part of the page."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from alexnet.errors import printable

# Elements without an end.
VOID = ("img", "meta", "br")
# Pictures from this side on are kept as JPEG, at most so large.
PHOTO_PX, QUALITY = 128, 85


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str | int) -> Markup:
    """Write an element; a `class_` is written without its underscore, other underscores as hyphens.

    >>> tag("p", "<script>", tag("b", "&"), class_="note")
    '<p class="note">&lt;script&gt;<b>&amp;</b></p>'
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(str(value)))}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{told}>" + ("" if name in VOID else f"{join(content)}</{name}>"))


def join(content: Iterable[str]) -> Markup:
    """Put pieces one after the other; what is no markup is escaped, and what no line can hold written out."""
    return Markup("".join(one if isinstance(one, Markup) else escape(printable(one)) for one in content))


class Section:
    """A part of a page under its own heading.

    Attributes:
        name: By which links find it.
        title: Its heading.
        content: What it holds.
    """

    def __init__(self, name: str, title: str, *content: str) -> None:
        self.name, self.title, self.content = name, title, content

    def markup(self) -> Markup:
        """Write it."""
        heading = tag("h2", self.title, id=f"{self.name}-title")
        return tag("section", heading, *self.content, id=self.name, aria_labelledby=f"{self.name}-title")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str, numbers: Iterable[int] = ()) -> Markup:
    """Write a table whose first column names its rows; it scrolls by itself where there is no room for it.

    Args:
        head: Names of the columns.
        rows: Cells; one that is a `td` or `th` already is taken as it is.
        caption: What the table tells.
        numbers: Columns of numbers, which are set to the right.
    """
    right = set(numbers)

    def cell(column: int, one: str) -> Markup:
        if isinstance(one, Markup) and one.startswith(("<td", "<th")):
            return one
        look = {"class_": "n"} if column in right else {}
        return tag("td", one, **look) if column else tag("th", one, scope="row", **look)

    named = [tag("th", one, scope="col", **({"class_": "n"} if n in right else {})) for n, one in enumerate(head)]
    body = [tag("tr", *(cell(column, one) for column, one in enumerate(row))) for row in rows]
    whole = tag(
        "table", tag("caption", caption), tag("thead", tag("tr", *named)), tag("tbody", *body), **{"class_": "plain"}
    )
    return tag("div", whole, class_="wide", tabindex=0, role="group", aria_label=caption)


def picture(pixels: UInt8[np.ndarray, "h w 3"], about: str, exact: bool = False) -> Markup:
    """Put a picture into the page: small or `exact` ones as PNG, others as JPEG of at most 128 pixels.

    Args:
        pixels: The picture.
        about: What it shows, for those who do not see it.
        exact: Keep every pixel.
    """
    image, stream = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    if exact or max(image.size) < PHOTO_PX // 2:
        image.save(stream, "PNG", optimize=True)
        kind = "png"
    else:
        image.thumbnail((PHOTO_PX, PHOTO_PX), Image.Resampling.BICUBIC)
        image.save(stream, "JPEG", quality=QUALITY, optimize=True)
        kind = "jpeg"
    data = base64.b64encode(stream.getvalue()).decode()
    return tag("img", src=f"data:image/{kind};base64,{data}", alt=about, width=image.width, height=image.height)

import numpy as np
import pytest

from alexnet.data.decode import UnreadablePicture
from alexnet.data.sources.boxes import cut, first_box

OBJECT = """<object>
		<name>Maltese_dog</name>
		<bndbox>
			<xmin>{}</xmin>
			<ymin>{}</ymin>
			<xmax>{}</xmax>
			<ymax>{}</ymax>
		</bndbox>
	</object>"""


def annotation(*boxes):
    objects = "".join(OBJECT.format(*box) for box in boxes)
    return f"<annotation><size><width>500</width></size>{objects}</annotation>".encode()


def test_the_first_box_is_read():
    assert first_box(annotation((111, 21, 430, 374), (1, 2, 3, 4))) == (111, 21, 430, 374)
    turned = b"<bndbox><ymax> 4 </ymax><xmax>3</xmax><ymin>2</ymin><xmin>0</xmin></bndbox>"
    assert first_box(turned) == (0, 2, 3, 4)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        annotation(),
        annotation((5, 1, 5, 9)),
        annotation((9, 1, 5, 9)),
        annotation((-1, 1, 5, 9)),
        annotation((1, 1, "9" * 7, 9)),
        annotation(("&x;", 1, 5, 9)),
        b'<!DOCTYPE a [<!ENTITY x "1">]>' + annotation((1, 1, 5, 9)),
        annotation((1, 1, 5, 9)).ljust(2 << 20),
        annotation((1, 1, 5, 9))[:80],
        bytes(range(256)),
    ],
)
def test_what_is_no_box_to_trust_is_none(text):
    assert first_box(text) is None


def test_a_picture_is_cut_to_its_box_as_far_as_that_lies_in_it():
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    part = cut(picture, (1, 2, 4, 3))
    assert part.shape == (1, 3, 3)
    assert part[0, 0].tolist() == [2 * 18 + 3, 2 * 18 + 4, 2 * 18 + 5]
    assert cut(picture, (4, 2, 100, 100)).shape == (2, 2, 3)
    with pytest.raises(UnreadablePicture, match=r"its box \(6, 0, 9, 9\) lies outside of its 6×4 pixels"):
        cut(picture, (6, 0, 9, 9))

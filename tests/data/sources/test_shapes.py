import hashlib
from collections import Counter

import numpy as np
import pytest

from alexnet.data.sources.shapes import CLASSES, Shapes, draw
from alexnet.errors import UsageError


def test_the_set_is_divided_evenly():
    source = Shapes(count=400, side=16)
    examples = list(source.examples())
    assert source.splits == {"train": 300, "val": 50, "test": 50}
    assert Counter(example.split for example in examples) == source.splits
    assert Counter((example.split, example.label) for example in examples) == {
        (split, label): count // 10 for split, count in source.splits.items() for label in range(10)
    }
    assert len({example.name for example in examples}) == 400
    assert examples[13].name == "triangle-000013"


def test_a_picture_depends_on_its_index_and_the_seed_alone():
    few, many = list(Shapes(count=80, side=32).examples()), list(Shapes(count=160, side=32).examples())
    for a, b in zip(few[:60], many, strict=False):
        np.testing.assert_array_equal(a.picture, b.picture)
    assert not np.array_equal(few[0].picture, draw(0, 32, seed=1, index=0))
    assert len({hashlib.sha256(example.picture).digest() for example in few}) == 80


def test_pictures_have_the_side_asked_for_and_use_the_range_of_grey_levels():
    pictures = [example.picture for example in Shapes(count=80, side=48).examples()]
    assert all(picture.shape == (48, 48, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert 60 < np.mean(pictures) < 190
    assert np.std(pictures) > 30


def test_classes_are_not_told_apart_by_mean_colour_alone():
    examples = list(Shapes(count=1600, side=16).examples())
    means = np.array([example.picture.mean((0, 1)) for example in examples])
    labels = np.array([example.label for example in examples])
    train, test = slice(0, 1200), slice(1200, None)
    centres = np.stack([means[train][labels[train] == label].mean(0) for label in range(len(CLASSES))])
    nearest = ((means[test][:, None] - centres) ** 2).sum(2).argmin(1)
    assert (nearest == labels[test]).mean() < 0.3


@pytest.mark.parametrize(("name", "energetic"), [("stripes-horizontal", 0), ("stripes-vertical", 1)])
def test_stripes_change_across_their_direction(name, energetic):
    label, changes = CLASSES.index(name), np.zeros(2)
    for index in range(20):
        grey = draw(label, 64, seed=3, index=index).mean(2)
        changes += [np.abs(np.diff(grey.mean(1))).sum(), np.abs(np.diff(grey.mean(0))).sum()]
    assert changes[energetic] > 3 * changes[1 - energetic]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 15}, "count must be 16 or more, not 15"),
        ({"side": 8}, "side must be 16 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Shapes(**options)


def test_a_path_is_refused(tmp_path):
    with pytest.raises(UsageError, match="drawn, not read"):
        Shapes(tmp_path)

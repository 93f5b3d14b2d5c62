from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.sources.division import apportion, by_shares, checked_shares, divide, listing, quarters
from alexnet.errors import UsageError


def names_of(*sizes):
    return [[f"{label}/{number}" for number in range(size)] for label, size in enumerate(sizes)]


def test_every_picture_goes_to_one_part_and_keeps_its_place():
    classes = names_of(20, 7)
    divided = divide(classes, [{"val": 4, "test": 3}, {"val": 2, "test": 1}], seed=0)
    assert {split: [len(part) for part in parts] for split, parts in divided.items()} == {
        "train": [13, 4],
        "val": [4, 2],
        "test": [3, 1],
    }
    for label, names in enumerate(classes):
        assert Counter(name for parts in divided.values() for name in parts[label]) == Counter(names)
        for parts in divided.values():
            assert parts[label] == [name for name in names if name in parts[label]]


def test_the_order_of_names_decides_nothing_and_the_seed_does():
    names = [f"{number}.jpg" for number in range(5)]
    held_out = [{"val": 2}]
    chosen = {frozenset(divide([list(order)], held_out, 0)["val"][0]) for order in permutations(names)}
    assert len(chosen) == 1
    assert len({frozenset(divide([names], held_out, seed)["val"][0]) for seed in range(20)}) > 3


def test_one_is_left_to_train_on_and_a_part_without_pictures_is_left_out():
    assert divide([["a"], ["b", "c"]], [{"val": 5, "test": 5}] * 2, 0)["train"][0] == ["a"]
    assert list(divide([["a"], ["b", "c"]], [{"val": 5, "test": 5}] * 2, 0)) == ["train", "val"]
    assert divide([], [], 0) == {"train": []}


def test_shares_are_of_each_class():
    assert by_shares([2000, 10, 3], {"val": 0.1, "test": 0.1}) == [
        {"val": 200, "test": 200},
        {"val": 1, "test": 1},
        {"val": 1, "test": 0},
    ]
    assert by_shares([10], {"val": 0.2, "test": 0.0}) == [{"val": 2}]


@pytest.mark.parametrize("shares", [(0, 0), (1, 0), (-1, 0), (0.5, 0.5), (0.2, -0.1), (float("nan"), 0)])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(UsageError, match=r"val_share must be above 0|test_share must be from 0 to what"):
        checked_shares(*shares)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=9), st.floats(0, 1))
def test_a_total_is_divided_exactly_and_fairly(sizes, share):
    total = int(sum(sizes) * share)
    parts = apportion(total, sizes)
    assert sum(parts) == total
    for part, size in zip(parts, sizes, strict=True):
        assert abs(part - total * size / sum(sizes)) < 1
        assert part <= size


def test_the_split_of_write_up_000_has_its_numbers():
    parts = quarters([252, 239, 232, 219, 218])
    assert sum(part["test"] for part in parts) == 290
    assert sum(part["val"] for part in parts) == 218
    assert [part["test"] for part in parts] == [63, 60, 58, 55, 54]  # a quarter: 63, 59.75, 58, 54.75, 54.5


def test_a_listing_tells_names_and_sizes_apart():
    one = listing([("a", 1), ("b", 2)])
    assert (one["files"], one["bytes"]) == (2, 3)
    others = [listing([("a", 2), ("b", 1)]), listing([("a", 1), ("c", 2)]), listing([("b", 2), ("a", 1)])]
    assert len({entry["names_and_sizes_sha256"] for entry in (one, *others)}) == 4
    assert listing([("\udcff", 1)])["files"] == 1

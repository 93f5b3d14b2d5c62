"""Tests of alexnet.compatibility."""

from dataclasses import replace

import pytest

from alexnet.compatibility import check_classes, check_fit
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.runs.run import Run


@pytest.fixture
def trained(tiny_run):
    return Run(tiny_run).trained()


@pytest.fixture
def split(tiny_store):
    return Store(tiny_store).splits["test"]


def test_what_goes_together_is_let_through(trained, split):
    check_fit([trained, trained], split, 10)
    check_classes(trained, split)


def test_networks_of_different_classes_and_crops_that_nobody_knows_are_refused(trained, split):
    other = replace(trained, classes=trained.classes[::-1])
    with pytest.raises(UsageError, match=r"these runs know different classes: average runs of the same classes only"):
        check_fit([trained, other], split, 1)
    with pytest.raises(UsageError, match=r"crops=3 is unknown: choose 1 .centre., 2 .centre and mirror. or 10"):
        check_fit([trained], split, 3)


def test_pictures_of_another_size_are_refused(trained, tmp_path):
    large = prepare("shapes", None, tmp_path / "store", side=40, count=16)
    message = r"test has pictures of 40 pixels, the network learned from 32: prepare them with --side 32"
    with pytest.raises(UsageError, match=message):
        check_fit([trained, trained], large.splits["test"], 1)
    statistics = large.statistics
    other = replace(trained, view=type(trained.view)(trained.network.architecture, statistics))
    message = r"these runs learned from pictures of 32 and 40 pixels: average runs of one size only"
    with pytest.raises(UsageError, match=message):
        check_fit([other, trained], large.splits["test"], 1)


def test_nothing_to_measure_is_refused(split):
    with pytest.raises(UsageError, match=r"there is nothing to evaluate: give one run or more"):
        check_fit([], split, 1)


@pytest.mark.parametrize("name", ["the network", "runs/mine"])
def test_other_classes_are_refused_and_the_difference_is_named(trained, split, name):
    names = trained.classes
    for classes, difference in (
        (names[::-1], "the same ones in another order"),
        ([*names[:-1], "moon"], f"{names[-1]}, not moon"),
        (names[1:], "10, not 9"),
    ):
        with pytest.raises(UsageError) as told:
            check_classes(replace(trained, classes=classes), split, name)
        assert str(told.value) == (
            f"{split.folder} has other classes than {name} ({difference}): evaluate on a store of the same classes"
        )

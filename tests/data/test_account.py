"""Tests of alexnet.data.account: used + bad + skipped = seen; what is empty is refused."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from alexnet.data.account import Account
from alexnet.data.plan import Plan
from alexnet.errors import DataError, UsageError


def plan(**counts):
    return Plan("folder", {}, {}, ["cat", "dog"], 4, "raw", counts, 4, [])


def test_everything_seen_is_told():
    account = Account(skipped=[("notes", "hidden")])
    account.add(
        "train", np.array([0, 1, 1]), [("a.jpg", 0, "empty file"), ("b.jpg", 1, "empty file")], {"turned": 2, "grey": 1}
    )
    account.add("test", np.array([0]), [], {"turned": 1})
    account.refuse_empty(plan(train=5, test=1))
    assert account.report() == {
        "seen": 7,
        "used": 4,
        "bad": 2,
        "skipped": 1,
        "reasons": {"bad": {"empty file": 2}, "skipped": {"hidden": 1}},
        "remarks": {"grey": 1, "turned": 3},
        "files": [
            {"file": "a.jpg", "state": "bad", "reason": "empty file"},
            {"file": "b.jpg", "state": "bad", "reason": "empty file"},
            {"file": "notes", "state": "skipped", "reason": "hidden"},
        ],
    }


def test_a_class_or_split_without_pictures_is_refused():
    account = Account(skipped=[])
    account.add("train", np.array([0]), [("b.jpg", 1, "empty file")], {})
    with pytest.raises(DataError, match=r"class dog has no training picture \(none of 1 can be read, .* b.jpg: empty"):
        account.refuse_empty(plan(train=2))
    with pytest.raises(UsageError, match="the limit leaves class dog no training picture: raise the limit of train"):
        Account(skipped=[], used=Counter({("train", 0): 1})).refuse_empty(replace(plan(train=1), limit={"train": 1}))
    with pytest.raises(DataError, match="class dog has no training picture: add some, or take the class out"):
        Account(skipped=[], used=Counter({("train", 0): 1})).refuse_empty(plan(train=1))
    account.add("train", np.array([1]), [], {})
    account.refuse_empty(plan(train=3))
    with pytest.raises(DataError, match="split val has no readable picture"):
        account.refuse_empty(plan(train=3, val=2))

"""Tests of alexnet.report.comparing."""

from dataclasses import replace
from pathlib import Path

import pytest

from alexnet.report.comparing import by_class, differences, results


@pytest.fixture
def other(account):
    look = replace(account.look, result=replace(account.look.result, top1=1.0))
    architecture = account.architecture.with_classes(12)
    changed = account.recipe.with_changes(lr=0.5, warmup_epochs=1)
    return replace(account.called("other"), path=Path("other"), look=look, architecture=architecture, recipe=changed)


def test_the_best_result_stands_first(account, other):
    text = results([account, other]).markup()
    assert text.index(">other<") < text.index(">tiny<")
    assert "not all measured on the same pictures" not in text


def test_other_pictures_are_warned_of(account, bare):
    assert "not all measured on the same pictures" in results([account, bare]).markup()


def test_only_what_differs_is_listed(account, other):
    text = differences([account, other]).markup()
    assert f'<th scope="row">lr</th><td>{account.recipe.lr:g}</td><td>0.5</td>' in text
    assert '<th scope="row">network: fc8.units</th><td>10</td><td>12</td>' in text
    assert text.count("<tr>") == 1 + 3
    assert "are alike" in differences([account, account]).markup()


def test_classes_stand_side_by_side_where_they_are_the_same(account, other, bare):
    text = by_class([account, other]).markup()
    assert text.count("<tr>") == 1 + len(account.classes)
    assert by_class([account, bare]) is None
    assert by_class([account, replace(account, classes=account.classes[::-1])]) is None

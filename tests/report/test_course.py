"""Tests of alexnet.report.course."""

import pytest

from alexnet.report.course import CHARTS, curves, epochs, shown_figure


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("top1", 0.5, "50.00%"),
        ("loss", 0.5, "0.5000"),
        ("train_loss", 2, "2.0000"),
        ("top5", None, "–"),
        ("top1", float("nan"), "–"),
    ],
)
def test_figures_are_written_for_people(metric, value, words):
    assert shown_figure(metric, value) == words


def test_every_epoch_is_in_the_table(account):
    text = epochs(account)
    assert text.count("<tr>") == 1 + len(account.log["epoch"])
    assert f"{account.log['val_loss'][-1]:.4f}" in text


def test_one_run_has_its_charts_and_a_legend(account):
    text = curves([account]).markup()
    assert text.count('role="img"') == len(CHARTS)
    assert text.count("<li><svg") == 2


def test_several_runs_are_in_the_same_charts(account, bare):
    other = bare.called("other & more")
    text = curves([account, other]).markup()
    assert text.count('role="img"') == len(CHARTS)
    assert text.count("<li><svg") == 4
    assert "other &amp; more" in text
    assert "s-one" in text
    assert "s-two" in text

"""Tests of alexnet.report.shown."""

import re
from dataclasses import replace

import numpy as np

from alexnet.answers import Answer
from alexnet.prediction import Guess
from alexnet.report.shown import alike, answers, card, filters, mistakes


def test_a_card_marks_the_true_class_and_says_what_was_answered():
    picture = np.zeros((8, 8, 3), np.uint8)
    told = card(Answer("1.png", "n01234567-emu", picture, [Guess("cat", 0.75), Guess("n01234567-emu", 0.25)]))
    assert 'alt="A picture of emu, taken for cat"' in told
    assert '<strong class="wrong">emu</strong>' in told
    assert '<span class="bar" style="width:75.0%">' in told
    assert '<span class="bar true" style="width:25.0%">' in told
    assert 'class="right">cat<' in card(Answer("1.png", "cat", picture, [Guess("cat", 0.75)]))


def test_every_answer_has_its_picture(account):
    seen = account.look
    assert answers(seen).markup().count("<img") == len(seen.surest) + len(seen.random)
    assert mistakes(seen).markup().count("<img") == len(seen.mistakes)
    none = replace(seen, surest=[], mistakes=[])
    assert "There are none." in answers(none).markup()
    assert "None." in mistakes(none).markup()


def test_neighbors_are_shown_in_both_ways(account):
    text = alike(account.look).markup()
    assert text.count("<img") == 5 * (1 + 6 + 6)
    near = [one for match in account.look.alike for one in (*match.match.neighbors, *match.match.by_pixels)]
    labels = [match.match.label for match in account.look.alike for _ in range(12)]
    same = sum(one.label == label for one, label in zip(near, labels, strict=True))
    assert len(re.findall("the same class, distance", text)) == same
    assert "no hidden layer" in alike(replace(account.look, alike=[])).markup()


def test_filters_of_towers_come_with_the_number_of_their_division(account):
    text = filters([account]).markup()  # the tiny network's second layer has two towers
    assert text.count("<img") == 1
    assert "Colour&#x27;s share of the kernels&#x27; energy" in text
    alone = replace(account, kernels=account.kernels[:7])  # which no two towers share
    assert "energy" not in filters([alone]).markup()
    assert "has no conv1" in filters([replace(account, kernels=None)]).markup()
    assert filters([account, alone]).markup().count("<h3") == 2

"""Tests of alexnet.report.counted."""

import re
from dataclasses import replace

import numpy as np

from alexnet.report.counted import classes


def with_confusion(account, confusion, names):
    result = replace(account.look.result, confusion=np.array(confusion))
    look = replace(account.look, result=result)
    return classes(replace(account, classes=names, look=look), look).markup()


def test_few_classes_have_their_matrix_as_a_table(account):
    text = with_confusion(account, [[6, 2, 0], [0, 0, 4], [1, 0, 9]], ["cat", "dog", "emu"])
    cells = re.findall(r'<td class="n (hit|miss)" style="--s:(\d+)%">([\d·]+)</td>', text)
    assert [count for _, _, count in cells] == ["6", "2", "·", "·", "·", "4", "1", "·", "9"]
    assert [kind for kind, _, _ in cells].count("hit") == 3
    assert [int(shade) for _, shade, _ in cells] == [39, 22, 0, 0, 0, 45, 14, 0, 43]  # 45 · √share
    assert "22 pictures of test: 15 recognised" in text
    assert '<th scope="row">dog</th><td>emu</td><td class="n">4</td><td class="n">100%</td>' in text


def test_classes_of_the_same_name_are_told_apart(account):
    text = with_confusion(account, [[1, 2], [3, 4]], ["n02012849 crane", "n03126707 crane"])
    cells = re.findall(r'<td class="n (hit|miss)"[^>]*>(\d)</td>', text)
    assert cells == [("hit", "1"), ("miss", "2"), ("miss", "3"), ("hit", "4")]


def test_the_worst_class_is_listed_first_and_empty_ones_are_counted(account):
    text = with_confusion(account, [[6, 2, 0], [3, 1, 0], [0, 0, 0]], ["cat", "dog", "emu"])
    last = text[text.index("Each class, the least recognised first") :]
    assert last.index(">dog<") < last.index(">cat<")
    assert "1 without a picture in test" in last


def test_many_classes_are_shaded_and_the_rest_folded(account):
    names = [f"n{number:08d}-breed {number}" for number in range(120)]
    text = with_confusion(account, np.eye(120, dtype=int) * 3, names)
    assert text.count("<img") == 1
    assert "breed 7" in text
    assert "n00000007" not in text
    assert "60 more classes" in text
    assert "Nothing was taken for anything else" in text

"""Tests of alexnet.cli.options."""

import argparse

import pytest
import torch

from alexnet.cli.options import Options, add_device, add_vary, chosen_device
from alexnet.errors import UsageError


@pytest.mark.parametrize(
    ("asked", "gpus", "found"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda:1", 1, None),
        ("cuda", 0, None),
        ("cuda:0", 0, None),
        ("tpu", 1, None),
        ("cuda:x", 1, None),
        ("cpu:x", 1, None),
        ("", 1, None),
    ],
)
def test_a_device_is_one_that_is_there(monkeypatch, asked, gpus, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    options = Options(device=asked)
    if found:
        assert chosen_device(options) == found
    else:
        with pytest.raises(UsageError, match=rf"--device {asked} is not there: use cpu, or auto"):
            chosen_device(options)


def test_options_have_their_defaults_and_vary_is_repeatable():
    parser = argparse.ArgumentParser()
    add_device(parser)
    add_vary(parser)
    assert vars(parser.parse_args([])) == {"device": "auto", "vary": []}
    words = ["--vary", "towers=1", "dropout=off", "--vary", "side=67", "--device", "cpu"]
    assert vars(parser.parse_args(words)) == {"device": "cpu", "vary": ["towers=1", "dropout=off", "side=67"]}
    assert parser.parse_args([]).vary == []

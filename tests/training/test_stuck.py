"""Tests of alexnet.training.stuck."""

import math
from dataclasses import replace

import pytest
import torch

from alexnet.architectures import INPUTS, RAW_INPUTS, Start
from alexnet.training.stuck import StuckWatch, likely_cause

DEAD = "unless conv1 is pretrained, its start, N(0, 0.01), is made for raw pixels, but input is {}; try --start he"


def test_a_watch_speaks_once_when_nothing_was_learned():
    stuck, learning = torch.tensor(math.log(10)), torch.tensor(2.28)
    watch = StuckWatch(10, 60)
    assert [update for update in range(1, 100) if watch.update(stuck)] == [60]
    watch = StuckWatch(10, 60)
    assert not any(watch.update(learning) for _ in range(100))
    watch = StuckWatch(10, 60)  # the end counts, not the beginning
    assert not any(watch.update(stuck if update < 30 else learning) for update in range(100))
    assert not any(StuckWatch(10, 0).update(stuck) for _ in range(100))
    assert not any(StuckWatch(10, 60, updates=61).update(stuck) for _ in range(100))


@pytest.mark.parametrize(
    ("network", "changes", "cause"),
    [
        *((raw, {"start": "architecture"}, "the printed start can wait long on this plateau") for raw in RAW_INPUTS),
        ("deviation", {"start": "architecture"}, DEAD.format("deviation")),
        ("imagenet", {"start": "architecture", "lr": 0.5}, DEAD.format("imagenet")),
        ("uniform", {"start": "architecture"}, "the uniform start shrinks the signal from layer to layer; try --start"),
        (None, {"lr": 0.5}, "the rate 0.5 may have killed the ReLUs; try --lr 0.05"),
        (None, {}, "labels may be wrong, or the rate too low; look at the pictures with `alexnet data`"),
    ],
)
def test_the_likely_cause_is_named(tiny_network, tiny_recipe, network, changes, cause):
    recipe = tiny_recipe.with_changes(**changes)
    if network == "uniform":
        tiny_network = replace(tiny_network, start=tuple(Start(row.layer, "uniform") for row in tiny_network.start))
    if network in INPUTS:
        tiny_network = replace(tiny_network, input=network, dead_start_allowed=True)
    if recipe.start == "he":
        tiny_network = tiny_network.with_he_start()
    assert likely_cause(tiny_network, recipe).startswith(cause)

"""What suits is resolved; what does not is refused, and what is seldom meant is told, before anything is made."""

from dataclasses import replace

import pytest
import torch

from alexnet.catalogue import CIFAR_18PCT, PAPER, SINGLE
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.training import preflight
from alexnet.training.learner import Learner

CPU = torch.device("cpu")


@pytest.mark.parametrize("network", [PAPER, SINGLE, CIFAR_18PCT], ids=lambda network: network.name)
def test_a_start_is_resolved_with_the_recipe(network, tiny_store, tiny_recipe):
    store = Store(tiny_store)
    printed = preflight.resolve(network, tiny_recipe.with_changes(start="architecture"), store)
    assert printed == network.with_classes(10)
    assert preflight.resolve(network, tiny_recipe, store) == network.with_classes(10).with_he_start()


def test_a_store_that_can_be_learned_from_is_not_refused(tiny_store, tiny_recipe):
    preflight.refuse_mismatch(Store(tiny_store), tiny_recipe)


def test_a_batch_larger_than_the_store_is_refused_with_the_way_out(tiny_store, tiny_recipe):
    with pytest.raises(UsageError, match="fewer than a batch of 64: lower --batch-size"):
        preflight.refuse_mismatch(Store(tiny_store), tiny_recipe.with_changes(batch_size=64))


def test_only_what_is_seldom_meant_is_told(tiny_store, tiny_network, tiny_recipe):
    store = Store(tiny_store)

    def told(network, **changes):
        learner = Learner(store, network, tiny_recipe.with_changes(**changes), CPU)
        return preflight.notes(learner, None)

    assert told(tiny_network) == []
    (room,) = told(replace(tiny_network, input_side=32), pad=0)
    assert "no room for random crops: give --view-side 37" in room
    store.splits.pop("val", None)
    (plateau,) = told(tiny_network, schedule="plateau")
    assert "has no val: the test error lowers the rate" in plateau

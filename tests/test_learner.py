"""Tests of alexnet.learner."""

import math

import pytest
import torch

from alexnet.data.store import Store
from alexnet.errors import DataError, Interrupted
from alexnet.evaluation import evaluate
from alexnet.learner import Learner, Tally
from alexnet.nn.network import Network, initialise
from alexnet.run import Checkpoint, Run, Trained
from alexnet.training import learn, train

CPU = torch.device("cpu")


@pytest.fixture
def make(tiny_store, tiny_network, tiny_recipe):
    """Make a learner of the tiny set by the tiny recipe with some changes."""

    def made(**changes):
        return Learner(Store(tiny_store), tiny_network.with_he_start(), tiny_recipe.with_changes(**changes), CPU)

    return made


def test_a_tally_is_the_mean_over_pictures_not_batches():
    tally = Tally.zero(CPU)
    assert tally.figures() == (0.0, 0.0)
    scores = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]])
    tally.add(torch.tensor(0.5), scores, torch.tensor([0, 1, 1]))
    tally.add(torch.tensor(4.5), scores[:1], torch.tensor([1]))
    assert tally.figures() == ((3 * 0.5 + 4.5) / 4, 2 / 4)
    assert tally.images == 4


@pytest.mark.parametrize(("batch_size", "updates"), [(48, 1), (47, 2), (16, 3), (20, 3), (1, 48)])
def test_an_epoch_has_a_short_batch_for_the_rest(make, batch_size, updates):
    assert make(batch_size=batch_size).updates_per_epoch == updates


def test_the_rate_is_that_of_the_middle_of_an_update(make):
    learner = make(schedule="linear", lr=0.4, epochs=4, warmup_epochs=1)  # three updates an epoch
    assert learner.rate(0) == pytest.approx(0.4 * (0.5 / 3))
    learner.epoch = 2
    assert learner.rate(2) == pytest.approx(0.4 * (1 - (1 + 2.5 / 3) / 3))


def test_learning_ends_with_the_epochs_or_the_schedule(make):
    learner = make(epochs=2, schedule="plateau", warmup_epochs=0, lr_drops=0, lr_patience=1)
    assert not learner.finished
    learner.schedule.after_epoch(0.5)
    assert not learner.finished
    learner.schedule.after_epoch(0.5)
    assert learner.finished
    learner = make(epochs=2)
    learner.epoch = 2
    assert learner.finished


def test_val_is_watched_and_test_only_where_there_is_no_val(make, photo_store):
    learner = make()
    assert learner.watched.name == "val"
    del learner.store.splits["val"]
    assert learner.watched.name == "test"


def test_averaged_weights_are_measured_and_the_own_ones_kept(make):
    learner = make(weight_average=0.9)
    own = {name: parameter.clone() for name, parameter in learner.network.named_parameters()}
    other = initialise(make(seed=5).network, seed=5)
    learner.average.update(other)  # the first update makes the average equal to these weights
    trained = Trained(other, learner.view, learner.store.classes, learner.recipe)
    assert learner.validate().loss == evaluate([trained], learner.watched).loss
    assert all(torch.equal(own[name], parameter) for name, parameter in learner.network.named_parameters())


def test_validation_tells_its_progress(make):
    images = []
    make().validate(images.append)
    assert images == [8]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_weight_that_is_not_finite_is_the_largest(make, value):
    learner = make()
    assert math.isfinite(learner.largest_weight().item())
    learner.network.get_parameter("fc6.bias").data[3] = value
    assert not math.isfinite(learner.largest_weight().item())


# Checkpoints.


def test_what_is_kept_for_use_holds_no_training_state(make):
    kept = make().checkpoint(whole=False)
    assert {name.split(".")[0] for name in kept.tensors} == {"network", "statistics"}
    assert set(kept.facts) == {"architecture", "recipe", "classes", "epoch", "images_seen"}
    averaged = make(weight_average=0.9).checkpoint(whole=False)
    assert {name.split(".")[0] for name in averaged.tensors} == {"average", "statistics"}


def test_weights_alone_cannot_be_resumed(make):
    with pytest.raises(DataError, match=r"holds weights only: resume from one in the run's checkpoints folder"):
        make().restore(make().checkpoint(whole=False))


def test_another_recipe_or_network_cannot_be_resumed(make, tiny_network):
    checkpoint = make().checkpoint()
    with pytest.raises(DataError, match=r"another recipe .epochs, lr.: put recipe.json back as it was"):
        make(lr=0.5, epochs=3).restore(checkpoint)
    learner = make()
    learner.network = Network(tiny_network.with_classes(3))
    with pytest.raises(DataError, match=r"2 of 12 differ, first fc8.bias"):
        learner.restore(checkpoint)


# Everything that a recipe can give a state.
RICH = {"optimizer": "adam", "lr": 0.001, "weight_average": 0.9, "schedule": "plateau", "warmup_epochs": 0, "epochs": 3}


def without(item, checkpoint):
    """Lose one item of the state."""
    tensors, facts = dict(checkpoint.tensors), dict(checkpoint.facts)
    if item == "random numbers":
        tensors["random.cpu"] = torch.Generator().manual_seed(1).get_state()
    elif item == "optimizer":
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("optimizer.")}
    elif item == "average":
        tensors |= {name: torch.zeros_like(t) for name, t in tensors.items() if name.startswith("average.")}
    elif item == "position":
        facts["batch"] = 0
    elif item == "schedule":
        facts["schedule"] = facts["schedule"] | {"drops": 1}
    return Checkpoint(tensors, facts)


@pytest.mark.parametrize("lost", ["nothing", "random numbers", "optimizer", "average", "position", "schedule"])
def test_a_state_goes_on_bit_for_bit_and_only_when_it_is_whole(
    tmp_path, make, stop_at_check, tiny_store, tiny_network, tiny_recipe, lost
):
    recipe = tiny_recipe.with_changes(**RICH)
    stop_at_check(5)  # after three updates and a validation: in the second of three epochs
    with pytest.raises(Interrupted):
        train(tiny_store, tiny_network, recipe, tmp_path / "run")
    half = Checkpoint.read(Run(tmp_path / "run").latest())
    assert (half.facts["epoch"], half.facts["batch"], half.facts["images_seen"]) == (1, 1, 64)

    whole = make(**RICH)
    learn(whole, Run.create(tmp_path / "whole", tiny_network, recipe, whole.store))
    resumed = make(**RICH)
    resumed.restore(without(lost, half))
    learn(resumed, Run.create(tmp_path / "resumed", tiny_network, recipe, whole.store))
    ends = [
        {name: t for name, t in learner.checkpoint().tensors.items() if not name.startswith("tally")}
        for learner in (whole, resumed)
    ]
    assert ends[0].keys() == ends[1].keys()
    equal = all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items())
    assert equal == (lost == "nothing")

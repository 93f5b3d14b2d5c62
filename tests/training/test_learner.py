"""Tests of alexnet.training.learner."""

import math

import pytest
import torch

from alexnet.data.store import Store
from alexnet.errors import DataError, Interrupted
from alexnet.evaluation import evaluate
from alexnet.nn.network import Network, initialise
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.run import Run
from alexnet.runs.trained import Trained
from alexnet.training.learner import Learner, machine
from alexnet.training.loop import learn, train

CPU = torch.device("cpu")


@pytest.fixture
def make(tiny_store, tiny_network, tiny_recipe):
    """Make a learner of the tiny set by the tiny recipe with some changes."""

    def made(**changes):
        return Learner(Store(tiny_store), tiny_network.with_he_start(), tiny_recipe.with_changes(**changes), CPU)

    return made


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


@pytest.mark.parametrize(("most", "made", "epochs"), [(2, 2, 1), (3, 3, 1), (4, 4, 2), (6, 6, 2), (100, 6, 2)])
@pytest.mark.parametrize("batch_size", [16, 20])
def test_updates_are_those_that_were_made_also_when_an_epoch_was_cut(
    tiny_store, tiny_network, tiny_recipe, tmp_path, most, made, epochs, batch_size
):
    recipe = tiny_recipe.with_changes(max_updates=most, batch_size=batch_size)  # three updates an epoch
    run = train(tiny_store, tiny_network, recipe, tmp_path / "run")
    learner = Learner(Store(tiny_store), run.architecture, recipe, CPU)
    learner.restore(Checkpoint.read(run.latest()))
    assert (learner.updates, learner.epoch, learner.finished) == (made, epochs, True)
    assert learner.cut_short == (made % 3 > 0)


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


def test_another_network_cannot_be_resumed(make, tiny_network):
    learner = make()
    learner.network = Network(tiny_network.with_classes(3))
    with pytest.raises(DataError, match=r"2 of 12 differ, first fc8.bias"):
        learner.restore(make().checkpoint())


@pytest.mark.parametrize("lost", ["schedule", "tally", "epoch"])
def test_a_state_that_lacks_something_is_one_clear_error(make, lost):
    checkpoint = make().checkpoint()
    del checkpoint.facts[lost]
    with pytest.raises(DataError, match=f"holds no state of this training .KeyError: '{lost}'.: use another one"):
        make().restore(checkpoint)


def test_another_optimizer_begins_with_no_velocity_of_the_first(make):
    first, adam = make(), make(optimizer="adam", weight_average=0.9)
    for learner in (first, adam):
        for parameter in learner.network.parameters():
            parameter.grad = torch.ones_like(parameter)
        learner.update()
    adam.restore(first.checkpoint())
    assert not adam.optimizer.state
    same = make()
    same.restore(first.checkpoint())
    states = [learner.optimizer.state_dict()["state"] for learner in (first, same)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][n]["momentum_buffer"], states[1][n]["momentum_buffer"]) for n in states[0])


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "weight_average": 0.9}])
def test_the_room_it_takes_is_told_before(make, changes):
    learner = make(**changes)
    for parameter in learner.network.parameters():
        parameter.grad = torch.ones_like(parameter)
    learner.update()
    sizes = learner.checkpoint().size, learner.checkpoint(whole=False).size
    assert all(size < room < size + 70_000 for size, room in zip(sizes, learner.room(), strict=True))


def test_what_rounds_sums_otherwise_is_told(make):
    checkpoint = make().checkpoint()
    assert checkpoint.facts["machine"] == machine()
    assert machine()["torch"] == torch.__version__
    checkpoint.facts["machine"] = machine() | {"CPU": "none", "torch": "1.0"}
    learner = make()
    learner.restore(checkpoint)
    assert [note.partition(", not")[0] for note in learner.notes] == [
        "it was trained with torch 1.0",
        "it was trained with CPU none",
    ]


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

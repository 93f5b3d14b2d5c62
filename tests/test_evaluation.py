"""Tests of alexnet.evaluation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet.data.augment import View
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.evaluation import evaluate, probabilities
from alexnet.nn.network import Network, initialise
from alexnet.run import Trained

CPU = torch.device("cpu")


def lively(architecture, seed):
    """Give a network whose scores differ from picture to picture, untrained."""
    network = initialise(Network(architecture.with_he_start()), seed)
    for name, parameter in network.named_parameters():
        parameter.data *= 10.0 if name == "conv1.weight" else 1.5
    return network.eval()


@pytest.fixture
def make(tiny_network, tiny_recipe):
    """Make a network with random weights that is ready for the pictures of a store."""

    def made(store, seed=0, **changes):
        recipe = tiny_recipe.with_changes(**changes)
        architecture = tiny_network.with_classes(len(store.classes)).with_he_start()
        return Trained(lively(architecture, seed), View(architecture, store.statistics), store.classes, recipe)

    return made


def softmax(scores):
    powers = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def shares_of(trained, split, crops):
    """Compute the class probabilities in NumPy from the scores of each crop."""
    with torch.no_grad():
        views = trained.view.test(torch.from_numpy(np.array(split.images)), crops)
        return np.mean([softmax(trained.network(view).numpy()) for view in views], axis=0)


def expected(shares, labels):
    ranks = (shares > shares[np.arange(len(labels)), labels][:, None]).sum(1)
    return (ranks == 0).mean(), (ranks < 5).mean(), -np.log(shares[np.arange(len(labels)), labels]).mean()


@pytest.mark.parametrize("crops", [1, 2, 10])
@pytest.mark.parametrize("batch_size", [1, 5, 48, 500])
def test_the_figures_are_those_of_numpy_whatever_the_batches(make, tiny_store, crops, batch_size):
    store = Store(tiny_store)
    split, trained = store.splits["train"], make(store)
    result = evaluate([trained], split, crops, batch_size)
    top1, top5, loss = expected(shares_of(trained, split, crops), split.labels)
    assert 0 < top1 < top5 < 1  # the comparison says something
    assert (result.top1, result.top5) == (top1, top5)
    assert result.loss == pytest.approx(loss, rel=1e-5)
    assert (result.images, result.crops) == (48, crops)
    assert result.seconds > 0


def test_several_networks_are_averaged_by_their_probabilities(make, tiny_store):
    store = Store(tiny_store)
    split, three = store.splits["train"], [make(store, seed) for seed in range(3)]
    result = evaluate(three, split, 2)
    shares = np.mean([shares_of(one, split, 2) for one in three], axis=0)
    top1, top5, loss = expected(shares, split.labels)
    assert (result.top1, result.top5) == (top1, top5)
    assert result.loss == pytest.approx(loss, rel=1e-5)
    assert result.loss != pytest.approx(evaluate(three[:1], split, 2).loss, rel=1e-3)


def test_there_is_no_top5_of_five_classes_or_fewer(make, photo_store):
    store = Store(photo_store)
    split, trained = store.splits["test"], make(store)
    result = evaluate([trained], split, batch_size=4)
    assert result.top5 is None
    assert result.top1 == expected(shares_of(trained, split, 1), split.labels)[0]


def test_a_class_that_is_held_impossible_costs_much_but_not_everything(make, tiny_store):
    store = Store(tiny_store)
    trained = make(store)
    trained.network.fc8.bias.data = torch.tensor([1e6] + [0.0] * 9)
    result = evaluate([trained], store.splits["train"])
    assert 30 < result.loss < 100


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_measured_without_dropout_and_left_in_its_mode(make, tiny_store, training):
    store = Store(tiny_store)
    trained = make(store)
    trained.network.train(training)
    pictures = torch.from_numpy(np.array(store.splits["val"].images))
    first, second = (probabilities(trained, pictures) for _ in range(2))
    assert torch.equal(first, second)
    assert trained.network.training is training
    assert not first.requires_grad
    assert torch.allclose(first.sum(1), torch.ones(8))


def test_a_network_is_left_in_its_mode_when_something_fails(make, tiny_store):
    trained = make(Store(tiny_store))
    trained.network.train()
    with pytest.raises(UsageError):
        probabilities(trained, torch.zeros(1, 32, 32, 3, dtype=torch.uint8), crops=3)
    assert trained.network.training


def test_the_precision_of_training_is_used_again(make, tiny_store):
    store = Store(tiny_store)
    pictures = torch.from_numpy(np.array(store.splits["val"].images))
    exact, rough = (probabilities(make(store, precision=name), pictures) for name in ("float32", "bfloat16"))
    assert rough.dtype == torch.float32
    assert 0 < (exact - rough).abs().max() < 0.05


def test_pictures_are_enlarged_in_float32_whatever_the_precision(make, tiny_store):
    store = Store(tiny_store)
    trained = make(store, precision="bfloat16")
    enlarging = View(trained.network.architecture, store.statistics, view_side=40)
    shown = []
    trained.network.conv1.register_forward_pre_hook(lambda module, given: shown.append(given[0]))
    pictures = torch.from_numpy(np.array(store.splits["val"].images))
    probabilities(replace(trained, view=enlarging), pictures, crops=2)
    for view, expected in zip(shown, enlarging.test(pictures, 2), strict=True):
        assert torch.equal(view, expected)


def test_progress_is_told_batch_by_batch(make, tiny_store):
    store, images = Store(tiny_store), []
    evaluate([make(store)], store.splits["train"], batch_size=20, progress=images.append)
    assert images == [20, 20, 8]


def test_what_does_not_fit_together_is_refused(make, tiny_store, photo_store, tiny_network, tiny_recipe):
    drawn, photos = Store(tiny_store), Store(photo_store)
    with pytest.raises(UsageError, match=r"these runs know different classes: average runs of the same classes only"):
        evaluate([make(drawn), make(photos)], drawn.splits["val"])
    with pytest.raises(UsageError, match=r"crops=3 is unknown: choose 1 .centre., 2 .centre and mirror. or 10"):
        evaluate([make(drawn)], drawn.splits["val"], crops=3)


def test_pictures_of_another_size_are_refused(make, tiny_store, tmp_path):
    from alexnet.data.preparation import prepare

    other = prepare("shapes", None, tmp_path / "store", side=40, count=16)
    message = r"test has pictures of 40 pixels, the network learned from 32: prepare them with --side 32"
    with pytest.raises(UsageError, match=message):
        evaluate([make(other), make(Store(tiny_store))], other.splits["test"])

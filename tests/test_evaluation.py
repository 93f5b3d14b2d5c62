"""Tests of alexnet.evaluation."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet.data.augment import View
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.evaluation import (
    ClassResult,
    Evaluation,
    best_weights,
    evaluate,
    probabilities,
    shares_of_truth,
    write_confusion,
)
from alexnet.nn.network import Network, initialise
from alexnet.runs.trained import Trained

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
        views = trained.view.test(torch.from_numpy(split.pictures(np.arange(len(split)))), crops)
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


@pytest.mark.parametrize("weights", [None, [2.0, 0.5, 1.5], [0, 1, 3]])
@pytest.mark.parametrize("crops", [1, 2, 10])
def test_several_networks_are_averaged_by_their_probabilities_and_weights(make, tiny_store, crops, weights):
    store = Store(tiny_store)
    split, three = store.splits["train"], [make(store, seed) for seed in range(3)]
    result = evaluate(three, split, crops, weights=weights)
    shares = np.average([shares_of(one, split, crops) for one in three], axis=0, weights=weights)
    top1, top5, loss = expected(shares, split.labels)
    assert (result.top1, result.top5) == (top1, top5)
    assert result.loss == pytest.approx(loss, rel=1e-5)
    assert result.loss != pytest.approx(evaluate(three[:1], split, crops).loss, rel=1e-3)
    if weights:
        assert result.loss != pytest.approx(evaluate(three, split, crops).loss, rel=1e-3)
        backwards = evaluate(three[::-1], split, crops, weights=weights[::-1])
        assert backwards.loss == pytest.approx(result.loss, rel=1e-6)
        assert evaluate(three, split, crops, weights=[7 * weight for weight in weights]).loss == pytest.approx(
            result.loss, rel=1e-6
        )


@pytest.mark.parametrize("weights", [None, [1, 1], [0.9, 0.1]])
def test_a_network_averaged_with_itself_is_itself(make, tiny_store, weights):
    store = Store(tiny_store)
    split, one = store.splits["train"], make(store)
    alone, twice = evaluate([one], split, 2), evaluate([one, one], split, 2, weights=weights)
    assert twice.loss == pytest.approx(alone.loss, rel=1e-6)
    assert replace(twice, seconds=0, loss=0) == replace(alone, seconds=0, loss=0)
    assert (twice.confusion == alone.confusion).all()


def test_a_network_of_weight_zero_is_not_even_asked(make, tiny_store):
    store = Store(tiny_store)
    split, first, second = store.splits["train"], make(store), make(store, 1)
    second.network.conv1.register_forward_hook(lambda *_: pytest.fail("asked"))
    alone, both = evaluate([first], split), evaluate([first, second], split, weights=[1, 0])
    assert replace(both, seconds=0) == replace(alone, seconds=0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], r"the runs are 2 and the weights 1: give one for each"),
        ([], r"the runs are 2 and the weights 0"),
        ([0, 0], r"weights 0 0 average nothing: give finite numbers, none below 0, one of them above 0"),
        ([2, -1], r"weights 2 -1 average nothing"),
        ([1, float("inf")], r"weights 1 inf average nothing"),
        ([float("nan"), 1], r"weights nan 1 average nothing"),
        ([1, float("nan")], r"weights 1 nan average nothing"),
        ([1e308, 1e308], r"weights 1e\+308 1e\+308 average nothing"),
    ],
)
def test_weights_that_average_nothing_are_refused(make, tiny_store, weights, message):
    store = Store(tiny_store)
    with pytest.raises(UsageError, match=message):
        evaluate([make(store)] * 2, store.splits["val"], weights=weights)


# The best weights.


def loss_of(weights, shares):
    return -np.log(np.asarray(weights) @ shares.numpy().astype(np.float64)).mean()


def test_best_weights_find_the_mixture_that_a_sample_was_drawn_from():
    chance = np.random.default_rng(0)
    truth = np.array([0.6, 0.3, 0.1, 0.0])
    models = chance.dirichlet(np.full(20, 0.5), 4)  # four distributions over 20 classes
    labels = chance.choice(20, size=20_000, p=truth @ models)
    found = best_weights(torch.from_numpy(models[:, labels]))
    assert sum(found) == pytest.approx(1)
    assert found == pytest.approx(truth, abs=0.03)  # a sample tells no more


def test_best_weights_of_two_are_those_of_a_fine_grid():
    shares = torch.from_numpy(np.random.default_rng(1).uniform(0.01, 1, (2, 60)))
    grid = np.linspace(0, 1, 20_001)
    losses = [loss_of([part, 1 - part], shares) for part in grid]
    found = best_weights(shares)
    assert 0.1 < found[0] < 0.9
    assert found[0] == pytest.approx(grid[np.argmin(losses)], abs=1e-4)
    assert loss_of(found, shares) <= min(losses) + 1e-9


def test_no_step_aside_lowers_the_loss_of_the_best_weights():
    shares = torch.from_numpy(np.random.default_rng(2).uniform(0, 1, (5, 200)) ** 3)
    shares[2:4] *= 0.1  # two that know little
    found = np.array(best_weights(shares))
    assert found.min() < 1e-3 < found.max()  # some of them lie on the border
    least = loss_of(found, shares)
    for other in np.random.default_rng(3).dirichlet(np.full(5, 0.3), 200):
        for step in (1e-4, 1e-2, 1.0):
            assert loss_of((1 - step) * found + step * other, shares) >= least - 1e-9


def test_best_weights_leave_out_the_network_that_knows_nothing():
    good = torch.tensor([0.9, 0.8, 0.95, 0.7])
    assert best_weights(torch.stack([good, torch.full((4,), 0.1)])) == pytest.approx([1, 0], abs=1e-6)
    assert best_weights(torch.stack([good, good, good])) == pytest.approx([1 / 3] * 3)
    assert best_weights(good[None]) == [1.0]
    impossible = torch.tensor([[0.0, 0.5, 0.5], [0.0, 0.4, 0.4]])
    assert best_weights(impossible) == pytest.approx([1, 0], abs=1e-6)


def test_the_best_weights_of_networks_have_the_least_loss_when_measured(make, tiny_store):
    store = Store(tiny_store)
    split, three = store.splits["train"], [make(store, seed) for seed in range(3)]
    shares = shares_of_truth(three, split, 2, batch_size=20)
    for row, one in zip(shares, three, strict=True):
        assert np.allclose(row, shares_of(one, split, 2)[np.arange(48), split.labels], rtol=1e-4)
    found = best_weights(shares)
    measured = evaluate(three, split, 2, weights=found).loss
    assert measured == pytest.approx(loss_of(found, shares), rel=1e-5)
    for others in (None, [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]):
        assert measured < evaluate(three, split, 2, weights=others).loss + 1e-6


def test_progress_is_told_when_shares_are_gathered(make, tiny_store):
    store, images = Store(tiny_store), []
    shares_of_truth([make(store)] * 2, store.splits["train"], batch_size=20, progress=images.append)
    assert images == [20, 20, 8]
    with pytest.raises(UsageError, match=r"crops=3 is unknown"):
        shares_of_truth([make(store)], store.splits["train"], crops=3)


# The classes.


@pytest.mark.parametrize("batch_size", [7, 48])
def test_confusions_are_counted_picture_by_picture(make, tiny_store, batch_size):
    store = Store(tiny_store)
    split, trained = store.splits["train"], make(store)
    result = evaluate([trained], split, batch_size=batch_size)
    counts = np.zeros((10, 10), int)
    for true, guess in zip(split.labels, shares_of(trained, split, 1).argmax(1), strict=True):
        counts[true, guess] += 1
    assert (result.confusion == counts).all()
    assert result.confusion.sum() == 48
    assert result.top1 == counts.trace() / 48
    assert "confusion" not in repr(result)


def test_each_class_gets_its_figures():
    confusion = np.array([[5, 1, 4, 0], [0, 3, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]])
    rows = Evaluation(0.5, None, 1.0, 15, 1, 0.1, confusion).per_class(["ant", "bee", "cow", "dog"])
    assert rows == [
        ClassResult("ant", 10, 0.5, 5 / 7, "cow", 4),
        ClassResult("bee", 3, 1.0, 0.75, None, 0),
        ClassResult("cow", 0, None, 0.0, None, 0),  # never shown, though guessed
        ClassResult("dog", 2, 0.0, None, "ant", 2),  # never guessed
    ]


def test_an_evaluation_without_counts_has_no_classes():
    alone = Evaluation(0.5, None, 1.0, 15, 1, 0.1)
    for names in ([], ["cats", "dogs"]):
        with pytest.raises(UsageError, match=rf"{len(names)} names for 0 classes that were counted"):
            alone.per_class(names)
    assert alone == Evaluation(0.5, None, 1.0, 15, 1, 0.1, np.ones((2, 2), np.int64))
    assert alone.to_json() == {"top1": 0.5, "top5": None, "loss": 1.0, "images": 15, "crops": 1, "seconds": 0.1}


def test_a_confusion_matrix_is_written_as_csv(tmp_path):
    names = ["tench, Tinca tinca", 'the "cat"', "Zürich \udcff"]
    confusion = np.arange(9).reshape(3, 3)
    write_confusion(confusion, names, tmp_path / "confusion.csv")
    text = (tmp_path / "confusion.csv").read_text("utf-8")
    assert text.startswith('true class,"tench, Tinca tinca","the ""cat""",')
    header, *rows = csv.reader(text.splitlines())
    assert header == ["true class", *names[:2], "Zürich \\udcff"]
    assert [row[0] for row in rows] == header[1:]
    assert [[int(count) for count in row[1:]] for row in rows] == confusion.tolist()


# What is measured, and what is not.


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
    pictures = torch.from_numpy(store.splits["val"].pictures(np.arange(len(store.splits["val"]))))
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
    pictures = torch.from_numpy(store.splits["val"].pictures(np.arange(len(store.splits["val"]))))
    exact, rough = (probabilities(make(store, precision=name), pictures) for name in ("float32", "bfloat16"))
    assert rough.dtype == torch.float32
    assert 0 < (exact - rough).abs().max() < 0.05


def test_pictures_are_enlarged_in_float32_whatever_the_precision(make, tiny_store):
    store = Store(tiny_store)
    trained = make(store, precision="bfloat16")
    enlarging = View(trained.network.architecture, store.statistics, view_side=40)
    shown = []
    trained.network.conv1.register_forward_pre_hook(lambda module, given: shown.append(given[0]))
    pictures = torch.from_numpy(store.splits["val"].pictures(np.arange(len(store.splits["val"]))))
    probabilities(replace(trained, view=enlarging), pictures, crops=2)
    # Rounded once, at the end, and both crops at once.
    (views,) = shown
    assert torch.equal(views, torch.cat([view.bfloat16() for view in enlarging.test(pictures, 2)]))


def test_progress_is_told_batch_by_batch(make, tiny_store):
    store, images = Store(tiny_store), []
    evaluate([make(store)], store.splits["train"], batch_size=20, progress=images.append)
    assert images == [20, 20, 8]


@pytest.mark.parametrize("measure", [evaluate, shares_of_truth])
def test_a_split_of_other_classes_is_refused_and_not_measured(make, tiny_store, photo_store, measure):
    store, photos = Store(tiny_store), Store(photo_store)
    trained = make(store)
    told = rf"{photos.path} has other classes than the network \(3, not 10\): evaluate on a store of the same classes"
    with pytest.raises(UsageError, match=told):
        measure([trained], photos.splits["test"])
    backwards = replace(trained, classes=trained.classes[::-1])
    with pytest.raises(UsageError, match=r"\(the same ones in another order\)"):
        measure([backwards], store.splits["test"])

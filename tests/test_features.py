"""Tests of alexnet.features."""

import numpy as np
import pytest
import torch

from alexnet.architectures import Architecture, Start
from alexnet.catalogue import ARCHITECTURES
from alexnet.data.store import Store
from alexnet.errors import AlexNetError, UsageError
from alexnet.features import Vectors, last_hidden, layer_values, network_digest, pixel_values, stored_vectors
from alexnet.layers import FullyConnected
from alexnet.prediction import load

CPU = torch.device("cpu")


@pytest.fixture
def trained(tiny_run):
    return load(tiny_run).trained


@pytest.fixture
def train(tiny_store):
    return Store(tiny_store).splits["train"]


def plain(pictures):
    return pictures.flatten(1).float()


# Which layer, and what it gives.


def test_the_last_hidden_layer_is_what_the_classifier_reads():
    names = ("paper", "torchvision", "conv6", "cifar-18pct", "cifar-13pct")
    assert [last_hidden(ARCHITECTURES[name]) for name in names] == ["relu7", "relu7", "relu8", "pool3", "relu4"]


def test_a_network_without_hidden_layers_is_refused():
    with pytest.raises(UsageError, match="flat has no hidden layer"):
        last_hidden(Architecture("flat", (FullyConnected("fc1", 2),), (Start("fc1"),), input_side=4))


@pytest.mark.parametrize("layer", ["conv1", "relu7", "fc8"])
def test_a_layer_gives_what_features_gives(tiny_run, train, layer):
    model, pictures = load(tiny_run), train.pictures(np.arange(5))
    expected = model.features(list(pictures))[layer].flatten(1)
    assert torch.equal(layer_values(model.trained, layer, torch.from_numpy(pictures)), expected)


def test_a_layer_that_is_not_there_is_told(trained, train):
    with pytest.raises(UsageError, match=r"tiny has no layer rellu7: did you mean relu7\?"):
        layer_values(trained, "rellu7", torch.from_numpy(train.pictures(np.arange(1))))


def test_pixels_are_taken_as_they_are_up_to_32():
    pictures = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    expected = pictures.numpy().transpose(0, 3, 1, 2).reshape(3, -1)
    assert np.array_equal(pixel_values(pictures).numpy(), expected)


def test_larger_pictures_are_averaged_down_to_32():
    pictures = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    expected = pictures.numpy().astype(np.float64).reshape(2, 32, 2, 32, 2, 3).mean((2, 4)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(pixel_values(pictures).numpy(), expected.reshape(2, -1), rtol=1e-6)


# What is kept on disk.


def test_vectors_are_those_of_the_split_in_its_order_as_float16(tmp_path, trained, train):
    def encode(pictures):
        return layer_values(trained, "fc7", pictures)

    seen = []
    vectors = stored_vectors(tmp_path / "features", "fc7", ("s" * 64, "n" * 64), train, encode, CPU, seen.append)
    expected = encode(torch.from_numpy(train.pictures(np.arange(len(train))))).half().numpy()
    assert vectors.values.dtype == np.float16
    np.testing.assert_allclose(vectors.values, expected, atol=2e-3)
    squares = np.square(vectors.values.astype(np.float64)).sum(1)
    np.testing.assert_allclose(vectors.squares, squares, rtol=1e-5)
    assert sum(seen) == len(train)


def test_vectors_are_made_once(tmp_path, train):
    made = []

    def encode(pictures):
        made.append(len(pictures))
        return plain(pictures)

    first = stored_vectors(tmp_path, "pixels", ("s" * 64,), train, encode, CPU)
    again = stored_vectors(tmp_path, "pixels", ("s" * 64,), train, encode, CPU)
    assert sum(made) == len(train)
    assert np.array_equal(first.values, again.values)
    assert isinstance(again.values, np.memmap)


@pytest.mark.parametrize("damage", ["torn values", "torn squares", "no squares", "other squares"])
def test_torn_vectors_are_made_again(tmp_path, train, damage):
    first = stored_vectors(tmp_path, "pixels", ("s" * 64,), train, plain, CPU)
    values, squares = np.array(first.values), np.array(first.squares)
    (folder,) = tmp_path.iterdir()
    file = folder / ("values.npy" if damage == "torn values" else "squares.npy")
    if damage == "no squares":
        file.unlink()
    elif damage == "other squares":
        np.save(file, squares[:-1])
    else:
        file.write_bytes(file.read_bytes()[:50])
    again = stored_vectors(tmp_path, "pixels", ("s" * 64,), train, plain, CPU)
    assert np.array_equal(again.values, values)
    assert np.array_equal(again.squares, squares)


def test_another_network_replaces_the_vectors_and_another_store_or_layer_does_not(tmp_path, train):
    for kind, *digests in (("fc7", "a", "1"), ("fc7", "b", "1"), ("fc6", "a", "1"), ("pixels", "a"), ("fc7", "a", "2")):
        stored_vectors(tmp_path, kind, tuple(one * 64 for one in digests), train, plain, CPU)
    names = sorted(path.name for path in tmp_path.iterdir())
    long = {one: one * 12 for one in "ab12"}
    assert names == sorted(
        [
            f"train-fc6-{long['a']}-{long['1']}",
            f"train-fc7-{long['a']}-{long['2']}",
            f"train-fc7-{long['b']}-{long['1']}",
            f"train-pixels-{long['a']}",
        ]
    )


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ZeroDivisionError])
def test_vectors_are_whole_or_absent(tmp_path, train, failure, monkeypatch):
    from alexnet import features

    monkeypatch.setattr(features, "BATCH", 8)
    calls = iter([plain, plain])

    def encode(pictures):
        try:
            return next(calls)(pictures)
        except StopIteration:
            raise failure from None

    with pytest.raises(failure):
        stored_vectors(tmp_path / "features", "pixels", ("s" * 64,), train, encode, CPU)
    assert not list((tmp_path / "features").iterdir())


def test_what_float16_cannot_hold_is_refused(tmp_path, train):
    with pytest.raises(AlexNetError, match=r"has values beyond float16's 65,504: compare another layer"):
        stored_vectors(tmp_path, "conv1", ("s", "n"), train, lambda pictures: plain(pictures) * 1e4, CPU)
    assert not list(tmp_path.iterdir())


def test_opened_vectors_lie_outside_of_memory(tmp_path):
    np.save(tmp_path / "values.npy", np.ones((3, 4), np.float16))
    np.save(tmp_path / "squares.npy", np.full(3, 4, np.float32))
    vectors = Vectors.open(tmp_path)
    torch.from_numpy(vectors.values)[0] = 7  # copied on write
    assert (np.load(tmp_path / "values.npy") == 1).all()


# What they depend on.


def test_the_digest_is_the_networks_wherever_it_lies(tiny_run, tmp_path):
    model = load(tiny_run)
    model.save_pretrained(tmp_path / "folder")
    assert network_digest(load(tmp_path / "folder").trained) == network_digest(model.trained)


def test_the_digest_tells_networks_apart(tiny_run):
    from dataclasses import replace

    trained = load(tiny_run).trained
    digests = {network_digest(trained)}
    digests.add(network_digest(replace(trained, recipe=trained.recipe.with_changes(precision="bfloat16"))))
    with torch.no_grad():
        trained.network.fc8.bias[0] += 1
    digests.add(network_digest(trained))
    trained.view.statistics.mean_image[0, 0, 0] += 1
    digests.add(network_digest(trained))
    trained.view.view_side += 1
    digests.add(network_digest(trained))
    assert len(digests) == 5

"""Tests of alexnet.web.looks."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.filters import as_colours, conv1_kernels
from alexnet.importance import importance
from alexnet.layers import Activation
from alexnet.nn.network import Network
from alexnet.web.looks import AGAINST, FOR, MAPS, Near, coloured, first_maps, look, png, seen_pixels, thumb


@pytest.fixture(scope="module")
def picture():
    y, x = np.mgrid[:32, :32]
    return np.stack([8 * y, 8 * x, 255 - 8 * y], 2).astype(np.uint8)


def opened(told):
    with Image.open(io.BytesIO(base64.b64decode(told))) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_a_look_holds_its_parts(model, picture):
    told = look(model.trained, picture)
    assert list(told) == ["seen", "importance", "maps", "neighbors"]
    np.testing.assert_array_equal(opened(told["seen"]), picture[4:28, 4:28])
    (guess,) = model.predict(picture, top=1)[0]
    mattered = told["importance"]
    assert mattered["method"] == "occlusion"
    assert (mattered["label"], mattered["probability"]) == (guess.label, pytest.approx(guess.probability, abs=1e-5))
    assert mattered["least"] == importance(model.trained, torch.from_numpy(picture)).covered.min()
    assert opened(mattered["picture"]).shape == (24, 24, 3)
    assert told["neighbors"] is None


def test_neighbors_are_told_in_their_order(model, picture):
    near = [Near(f"{n}.png", "dot", float(n), np.full((300, 300, 3), n, np.uint8)) for n in (3, 1)]
    asked = []

    def neighbors(stored):
        asked.append(stored)
        return near

    told = look(model.trained, picture, neighbors)["neighbors"]
    np.testing.assert_array_equal(asked[0], picture)
    assert [{name: one[name] for name in ("name", "label", "distance")} for one in told] == [
        {"name": "3.png", "label": "dot", "distance": 3.0},
        {"name": "1.png", "label": "dot", "distance": 1.0},
    ]
    assert opened(told[0]["picture"]).shape == (96, 96, 3)
    assert (opened(told[0]["picture"]) == 3).all()


@pytest.mark.parametrize("convention", ["raw", "raw-2012", "raw-imagenet", "deviation", "imagenet"])
def test_what_is_seen_is_the_middle_whatever_the_input(convention, model, picture):
    from dataclasses import replace

    from alexnet.data.augment import View

    view = model.trained.view
    architecture = replace(model.network.architecture, input=convention, dead_start_allowed=True)
    trained = replace(model.trained, view=View(architecture, view.statistics))
    np.testing.assert_array_equal(seen_pixels(trained, torch.from_numpy(picture)), picture[4:28, 4:28])


def test_what_speaks_for_is_orange_and_what_speaks_against_violet():
    falls = np.zeros((3, 3))
    falls[0, 0], falls[2, 2], falls[1, 1] = 2.0, -2.0, 1.0
    drawn = coloured(np.full((3, 3, 3), 100, np.uint8), falls).astype(int)
    grey = drawn[0, 2]
    assert len(set(grey)) == 1
    for place, colour, share in (((0, 0), FOR, 0.65), ((2, 2), AGAINST, 0.65), ((1, 1), FOR, 0.325)):
        np.testing.assert_allclose(drawn[place], grey * (1 - share) + np.array(colour) * share, atol=0.51)
    assert (coloured(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2))) == 40).all()


def test_a_network_without_activations_has_no_maps_to_show(model, picture):
    layers = tuple(layer for layer in model.network.architecture.layers if not isinstance(layer, Activation))
    bare = Network(replace(model.network.architecture, layers=layers))
    assert first_maps(replace(model.trained, network=bare), torch.from_numpy(picture)) == []


def test_the_strongest_maps_come_first_each_with_its_kernel(model, picture):
    told = first_maps(model.trained, torch.from_numpy(picture))
    network = model.network
    (view,) = model.trained.view.test(torch.from_numpy(picture)[None])
    with torch.no_grad():
        maps = network.relu1(network.conv1(view))[0].numpy()
    means = maps.mean((1, 2))
    kernels = as_colours(conv1_kernels(network))
    assert [one["filter"] - 1 for one in told] == np.argsort(-means).tolist()
    assert len(told) == 8 <= MAPS
    for one in told:
        place = one["filter"] - 1
        assert one["mean"] == pytest.approx(means[place], rel=1e-5)
        np.testing.assert_array_equal(opened(one["kernel"]), kernels[place])
        largest = maps[place].max()
        expected = maps[place] / largest * 255 if largest else maps[place]
        np.testing.assert_allclose(opened(one["map"]), expected, atol=0.51)


def test_a_small_picture_is_not_enlarged_and_grey_stays_grey():
    assert opened(thumb(np.zeros((32, 32, 3), np.uint8))).shape == (32, 32, 3)
    assert opened(png(np.eye(4, dtype=np.uint8))).shape == (4, 4)

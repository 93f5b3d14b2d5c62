"""torchvision's own network and transforms give what ours give, from the same weights and pictures.

torchvision is not installed beside this program: `tests/oracles/torchvision_oracle.py` is run in a venv of its own.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from alexnet.catalogue import TORCHVISION, TORCHVISION_NAMES
from alexnet.data.augment import IMAGENET_DEVIATION, IMAGENET_MEAN, Boxes, View, crop_places, cut
from alexnet.data.decode import fit
from alexnet.data.store import Statistics
from alexnet.errors import UsageError
from alexnet.nn.network import Network, initialise
from alexnet.variations import vary
from alexnet.weights import create_model

TOP = Path(__file__).resolve().parents[2]
PYTHON = TOP / ".venv/torchvision/bin/python"
ORACLE = Path(__file__).with_name("torchvision_oracle.py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="torchvision is not there: make test-all builds .venv/torchvision"),
]


def pictures():
    """A square of 256 pixels and a wide photograph-like picture: shades, an edge, and some noise."""
    chance = np.random.default_rng(2)

    def draw(height, width):
        row, column = np.mgrid[:height, :width]
        shade = np.stack([row * 0.5, column * 0.3, 90 + 60 * np.sin(row / 9 + column / 23)], axis=2)
        shade[(row - height / 2) ** 2 + (column - width / 3) ** 2 < (height / 4) ** 2] += 70
        return np.clip(shade + chance.normal(0, 12, shade.shape), 0, 255).astype(np.uint8)

    return draw(256, 256), draw(331, 501)


def theirs(state):
    """Rename our tensors as torchvision has them."""
    return {f"{key}.{part}": state[f"{name}.{part}"] for name, key in TORCHVISION_NAMES.items() for part in PARTS}


def ours(state):
    """Rename torchvision's tensors as we have them."""
    return {f"{name}.{part}": state[f"{key}.{part}"] for name, key in TORCHVISION_NAMES.items() for part in PARTS}


PARTS = ("weight", "bias")


@pytest.fixture(scope="module")
def network():
    """Starting weights as torchvision's, and scores that are not all alike."""
    return initialise(Network(TORCHVISION), seed=1).eval()


@pytest.fixture(scope="module")
def given():
    square, photo = pictures()
    chance = np.random.default_rng(3)
    # Normalised pixels, several deviations wide, so that no score is a bias only.
    return {
        "square": square,
        "photo": photo,
        "x": chance.normal(0, 3, (2, 3, 224, 224)),
        "labels": np.array([3, 700]),
    }


@pytest.fixture(scope="module")
def oracle(network, given):
    """What torchvision said: arrays as tensors, and facts."""
    with tempfile.TemporaryDirectory() as folder:  # half a gigabyte, which pytest would keep for three runs
        inputs, outputs = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(inputs, **given, **{name: tensor.numpy() for name, tensor in theirs(network.state_dict()).items()})
        command = [str(PYTHON), "-I", "-W", "error", str(ORACLE), str(inputs), str(outputs)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
        assert done.returncode == 0, done.stderr
        with np.load(outputs) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays}, json.loads(done.stdout)


@pytest.fixture(scope="module")
def arrays(oracle):
    return oracle[0]


@pytest.fixture(scope="module")
def facts(oracle):
    return oracle[1]


@pytest.fixture(scope="module")
def double(network):
    """The same weights in float64."""
    wide = Network(TORCHVISION).double().eval()
    wide.load_state_dict(network.state_dict())
    return wide


@pytest.fixture
def square(given):
    return torch.from_numpy(given["square"])[None]


def view(side, view_side):
    """Our view of pictures of `view_side` for the network `torchvision`."""
    statistics = Statistics(np.zeros((view_side, view_side, 3), np.float32), *np.ones((3, 3)), np.eye(3))
    return View(vary(TORCHVISION, f"side={side}"), statistics)


def close(ours, expected, accuracy):
    """Compare to a share of the largest expected value."""
    assert ours.shape == expected.shape
    assert ours.dtype == expected.dtype
    assert (ours - expected).abs().max() <= accuracy * expected.abs().max()


# The network.


def test_it_is_the_torchvision_that_was_made_for_this_torch(facts):
    assert f"torch (=={torch.__version__.partition('+')[0]})" in facts["requires"]


def test_its_tensors_have_our_names_and_shapes_for_any_number_of_classes(facts):
    with torch.device("meta"):
        network = Network(TORCHVISION.with_classes(7))
    assert {name: list(tensor.shape) for name, tensor in theirs(network.state_dict()).items()} == facts["shapes"]
    assert list(theirs(network.state_dict())) == list(facts["shapes"])


def test_its_weights_are_loaded_and_given_back_unchanged(network):
    state = theirs(network.state_dict())
    again = create_model("torchvision", seed=9)
    again.load_state_dict(ours(state))
    assert all(torch.equal(tensor, state[name]) for name, tensor in theirs(again.state_dict()).items())


@torch.no_grad()
def test_the_same_weights_give_the_same_scores(network, double, given, arrays):
    x = torch.from_numpy(given["x"])
    close(double(x), arrays["scores64"], 1e-10)
    assert (arrays["scores64"][0] - arrays["scores64"][1]).abs().max() > 1e-3
    # Sums of up to 9216 products: errors grow with the root of their number at most, 100 times 1.2e-7.
    close(network(x.float()), arrays["scores32"], 1.2e-5)


def test_the_same_weights_give_the_same_gradients(double, given, arrays):
    x = torch.from_numpy(given["x"]).requires_grad_()
    double.zero_grad()
    torch.nn.functional.cross_entropy(double(x), torch.from_numpy(given["labels"])).backward()
    close(x.grad, arrays["grad input"], 1e-10)
    gradients = theirs({name: parameter.grad for name, parameter in double.named_parameters()})
    compared = {name.removeprefix("grad ") for name in arrays if name.startswith("grad ")} - {"input"}
    assert len(compared) == 13
    for name in compared:
        close(gradients[name], arrays[f"grad {name}"], 1e-10)


@torch.no_grad()
def test_dropout_stands_at_the_same_places_and_scales_alike(double, given, arrays):
    torch.manual_seed(5)
    scores = double.train()(torch.from_numpy(given["x"]))
    double.eval()
    close(scores, arrays["scores in training"], 1e-10)
    assert not torch.allclose(scores, arrays["scores64"])


def test_it_starts_as_ours_does(network, facts):
    for name, tensor in theirs(network.state_dict()).items():
        if name.startswith("classifier.6"):  # of another size
            continue
        layer = network.get_submodule({key: ours for ours, key in TORCHVISION_NAMES.items()}[name.rpartition(".")[0]])
        bound = layer.weight[0].numel() ** -0.5
        for deviation, largest in (
            (tensor.std().item(), tensor.abs().max().item()),
            (facts["deviations"][name], facts["largest"][name]),
        ):
            # The error of a uniform's deviation is about 0.45 over the root of the count, of which 64 are the fewest.
            assert deviation == pytest.approx(bound / 3**0.5, rel=5 * 0.45 / tensor.numel() ** 0.5), name
            assert 0.85 * bound < largest <= bound * (1 + 1e-6), name


def test_what_it_says_of_its_published_weights_is_what_we_say(facts):
    assert facts["url"].endswith("/alexnet-owt-7be5be79.pth")
    assert facts["parameters"] == TORCHVISION.parameters
    assert facts["billion macs"] == round(TORCHVISION.macs / 1e9, 3)
    assert (tuple(facts["mean"]), tuple(facts["deviation"])) == (IMAGENET_MEAN, IMAGENET_DEVIATION)
    # docs/faithfulness.md has them.
    assert facts["metrics"] == {"acc@1": 56.522, "acc@5": 79.066}


def test_both_take_pictures_of_63_pixels_and_no_smaller(facts):
    smallest = facts["smallest"][0]
    assert vary(TORCHVISION, f"side={smallest}").input_side == 63
    with pytest.raises(UsageError):
        vary(TORCHVISION, f"side={smallest - 1}")


# Pictures.

# Ours are top left, top right, centre, bottom left, bottom right, and their mirror images. torchvision has the centre
# last; and it mirrors the picture before it cuts, so that its sixth, again the top left, is our mirrored top right.
THEIR_PLACES = [0, 1, 4, 2, 3, 6, 5, 9, 8, 7]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_ten_crops_are_the_same_in_another_order(version, square, arrays):
    expected = arrays[f"ten {version}"]
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    views = [(crop[0] * deviation + mean) * 255 for crop in view(224, 256).test(square, crops=10)]
    crops = torch.stack(views).round().to(torch.uint8)
    assert torch.equal(crops, expected[THEIR_PLACES])
    assert len({crop.numpy().tobytes() for crop in expected}) == len(crop_places(10, 32)) == 10


def test_the_centre_crop_normalised_is_that_of_the_published_weights(square, arrays):
    (ours,) = view(224, 256).test(square, crops=1)
    # 1.2e-7 of 255 grey levels over the smallest deviation of 0.224 · 255, three roundings on either side.
    torch.testing.assert_close(ours[0], arrays["published"], rtol=0, atol=3e-6)
    (whole,) = view(256, 256).test(square, crops=1)
    torch.testing.assert_close(whole[0], arrays["normalised"], rtol=0, atol=3e-6)
    centre = arrays["centre"].float() / 255
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    torch.testing.assert_close(ours[0], (centre - mean) / deviation, rtol=0, atol=3e-6)


def test_the_mirror_image_is_the_same(square, arrays):
    mirrored = cut(square.float(), Boxes.same(1, 0, 0, 256, True), 256, 256)
    assert torch.equal(mirrored[0].permute(2, 0, 1).to(torch.uint8), arrays["mirror"])


@pytest.mark.parametrize("side", [221, 223])
def test_with_an_odd_margin_the_centre_may_lie_a_pixel_aside(side, square, arrays):
    # Ours is rounded down. torchvision rounds half to even: 1.5 to 2, 0.5 to 0.
    ((top, left, _),) = crop_places(1, 224 - side)
    place = {221: 2, 223: 0}[side]
    assert top == left == (224 - side) // 2
    expected = square[0, place : place + side, place : place + side].permute(2, 0, 1)
    assert torch.equal(arrays[f"centre {side}"], expected)


def test_resizing_differs_in_nothing_but_the_length_of_the_longer_side(given, arrays):
    # 501 · 256 / 331 = 387.48: rounded as ours is, and cut off as torchvision's, it is the same.
    ours = torch.from_numpy(fit(given["photo"], 256)).permute(2, 0, 1).int()
    # Version 1 leaves a picture to Pillow, whose arithmetic of the same filter is its own.
    for version in ("v1", "v2"):
        resized = arrays[f"resized {version}"]
        assert resized.shape == (3, 256, 387)
        assert (ours - resized[:, :, 65 : 65 + 256].int()).abs().max() <= 1
    # 500 · 256 / 331 = 386.71: ours is 387 pixels long, of which the middle 256 are kept, torchvision's 386.
    narrow = arrays["resized narrow"]
    assert narrow.shape == (3, 256, 386)
    ours = torch.from_numpy(fit(given["photo"][:, :500], 256)).permute(2, 0, 1).int()
    # What they keep lies up to half a pixel aside, and is scaled by 0.2 % less.
    assert (ours - narrow[:, :, 65 : 65 + 256].int()).abs().max() > 1

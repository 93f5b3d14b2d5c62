from dataclasses import replace

import pytest
import torch

import alexnet
from alexnet.catalogue import ARCHITECTURES, CIFAR_18PCT, HALF, TORCHVISION
from alexnet.errors import DataError, UsageError
from alexnet.layers import Dropout
from alexnet.nn.network import Network, initialise
from alexnet.weights import Weights, create_model, fit, write
from alexnet.weights.content import plain_tensors


def made(tensors, architecture=None, input=None, classes=None):
    return Weights(tensors, "some.pth", "0" * 64, architecture, input, classes, None)


def of(network, **options):
    return made(plain_tensors(network), **options)


def fresh(architecture):
    return initialise(Network(architecture), seed=1)


def test_weights_of_the_same_network_are_copied_and_nothing_is_to_be_said(ours):
    network = fresh(ours.architecture)
    assert fit(network, of(ours, architecture=ours.architecture, input="raw")) == []
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), ours.parameters(), strict=True))


def test_another_number_of_classes_starts_the_last_layer_anew(ours):
    network = fresh(ours.architecture.with_classes(3))
    before = network.fc8.weight.clone()
    assert fit(network, of(ours)) == ["fc8 has 10 classes in some.pth and 3 here: it starts anew"]
    assert torch.equal(network.fc8.weight, before)
    assert torch.equal(network.fc7.weight, ours.fc7.weight)


def test_layers_that_the_weights_lack_start_anew(torchvision):
    network = fresh(torchvision.architecture)
    before = network.fc6.weight.clone()
    features = {name: tensor for name, tensor in plain_tensors(torchvision).items() if name.startswith("conv")}
    assert fit(network, made(features)) == ["some.pth has no fc6, fc7 or fc8: they start anew"]
    assert torch.equal(network.fc6.weight, before)
    assert torch.equal(network.conv5.bias, torchvision.conv5.bias)
    headless = {name: tensor for name, tensor in plain_tensors(torchvision).items() if not name.startswith("fc8")}
    assert fit(network, made(headless)) == ["some.pth has no fc8: it starts anew"]


def unchanged_after_refusal(architecture, weights, message):
    network = fresh(architecture)
    before = plain_tensors(network)
    before = {name: tensor.clone() for name, tensor in before.items()}
    with pytest.raises(DataError, match=message) as caught:
        fit(network, weights)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_other_shapes_are_refused_before_anything_is_copied(ours):
    tensors = plain_tensors(ours) | {"fc7.weight": torch.ones(16, 23), "conv2.bias": torch.ones(3)}
    message = r"some.pth is not of tiny: 2 of 12 weights differ, the first is conv2.bias \(here \(12,\), there \(3,\)\)"
    unchanged_after_refusal(ours.architecture, made(tensors), message)


def test_names_that_the_network_lacks_are_refused(ours):
    tensors = plain_tensors(ours) | {"conv9.weight": torch.ones(1)}
    unchanged_after_refusal(
        ours.architecture, made(tensors), r"1 of 13 .* conv9.weight \(here none, there \(1,\)\): name the architecture"
    )


def test_weights_that_lack_one_of_their_own_network_are_not_sent_in_a_circle(ours):
    home = TORCHVISION.with_classes(3)
    with torch.device("meta"):
        tensors = dict(Network(home).state_dict())
    del tensors["conv1.bias"]
    with pytest.raises(DataError, match=r"missing, fetch or save it again$"):
        fit(fresh(replace(home, name="torchvision")), made(tensors))
    del tensors["conv1.weight"]
    varied = replace(home, layers=(replace(home.layers[0], kernel=9), *home.layers[1:]), name="torchvision kernel=9")
    tensors = {name: x for name, x in tensors.items() if name.startswith("conv")} | {
        "conv1.weight": torch.ones(64, 3, 11, 11)
    }
    with pytest.raises(DataError, match=r"leave --vary out$"):
        fit(fresh(varied), made(tensors | {"conv1.bias": torch.ones(64)}))


def test_other_classes_start_anew_and_those_in_another_order_too(ours):
    names = [f"class {n}" for n in range(10)]
    there = made(plain_tensors(ours), classes=tuple(names))
    for classes, odd in ((names[::-1], "class 0, not class 9"), ([*names[:9], "moon"], "class 9, not moon")):
        network = fresh(ours.architecture)
        before = network.fc8.weight.clone()
        assert fit(network, there, classes) == [f"fc8 knows other classes in some.pth ({odd}): it starts anew"]
        assert torch.equal(network.fc8.weight, before)
        assert torch.equal(network.fc7.weight, ours.fc7.weight)
    network = fresh(ours.architecture)
    assert fit(network, there, names) == []
    assert torch.equal(network.fc8.weight, ours.fc8.weight)


def test_half_a_layer_is_refused(ours):
    tensors = plain_tensors(ours)
    del tensors["conv2.bias"]
    unchanged_after_refusal(ours.architecture, made(tensors), r"conv2.bias \(here \(12,\), there none\)")


def test_a_last_layer_that_sees_other_inputs_is_refused(ours):
    tensors = plain_tensors(ours) | {"fc8.weight": torch.ones(3, 17), "fc8.bias": torch.ones(3)}
    unchanged_after_refusal(ours.architecture, made(tensors), "fc8.weight")


def test_weights_of_which_nothing_fits_are_refused(ours):
    only = {"fc8.weight": torch.ones(3, 16), "fc8.bias": torch.ones(3)}
    unchanged_after_refusal(ours.architecture, made(only), "is not of tiny")


@pytest.mark.parametrize(
    ("home", "classes", "others"),
    [(TORCHVISION, 7, "torchvision"), (HALF, 1000, "half"), (CIFAR_18PCT, 3, "cifar-18pct")],
)
def test_the_networks_that_they_would_fit_are_named(ours, home, classes, others):
    with torch.device("meta"):
        tensors = Network(home.with_classes(classes)).state_dict()
    with pytest.raises(DataError, match=rf": take --arch {others}$"):
        fit(fresh(ours.architecture), made(dict(tensors)))


def test_other_layers_of_the_same_shapes_are_told(caffe, caffenet):
    (sentence,) = fit(fresh(caffe.architecture), of(caffenet, architecture=caffenet.architecture, input="raw"))
    assert sentence == (
        "some.pth was made for caffenet, whose pool1, norm1, pool2 and norm2 differ from those of caffe: "
        "expect other scores until it has learned"
    )


def test_the_other_kind_of_dropout_is_told(caffe):
    masked = replace(
        caffe.architecture,
        layers=tuple(
            Dropout(layer.name) if isinstance(layer, Dropout) else layer for layer in caffe.architecture.layers
        ),
    )
    (sentence,) = fit(fresh(masked), of(caffe, architecture=caffe.architecture))
    assert "whose dropout6 and dropout7 differ from those of caffe" in sentence


def test_a_share_of_dropout_is_no_difference(caffe):
    layers = (
        replace(layer, probability=0.1) if isinstance(layer, Dropout) else layer for layer in caffe.architecture.layers
    )
    network = fresh(replace(caffe.architecture, layers=tuple(layers)))
    assert fit(network, of(caffe, architecture=caffe.architecture)) == []


def test_other_pixels_are_told(caffe):
    (sentence,) = fit(fresh(caffe.architecture), of(caffe, input="raw-imagenet"))
    assert sentence.startswith("some.pth expects pixels as raw-imagenet, but caffe gets them as raw: ")


def test_many_other_layers_are_not_all_listed(ours, caffe):
    weights = of(ours, architecture=caffe.architecture)
    (sentence,) = fit(fresh(ours.architecture), weights)
    assert "more differ" in sentence
    assert len(sentence) < 200


# create_model


def test_a_model_is_made_by_its_name():
    network = create_model("cifar-18pct", num_classes=7, seed=3)
    assert network.architecture == CIFAR_18PCT.with_classes(7)
    assert torch.equal(network.conv1.weight, initialise(Network(CIFAR_18PCT), 3).conv1.weight)
    assert create_model("cifar-18pct")(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    with pytest.raises(UsageError, match=r"did you mean cifar-18pct\?"):
        create_model("cifar-18")
    with pytest.raises(UsageError, match="at least 1 class"):
        create_model("paper", num_classes=0)


@pytest.fixture
def catalogue(ours, torchvision, caffe, monkeypatch):
    """Let the small networks have names."""
    for network in (ours, torchvision, caffe):
        monkeypatch.setitem(ARCHITECTURES, network.architecture.name, network.architecture)


def test_a_model_is_made_with_the_weights_of_a_file(catalogue, torchvision, tmp_path):
    write(tmp_path / "w.pth", torchvision)
    network = alexnet.create_model("torchvision", weights=tmp_path / "w.pth")
    picture = torch.ones(1, 3, 224, 224)
    assert torch.equal(network.eval()(picture), torchvision(picture))


def test_the_number_of_classes_is_that_of_the_weights_unless_given(catalogue, ours):
    three = Network(ours.architecture.with_classes(3))
    assert create_model("tiny", weights=of(three)).architecture.classes == 3
    network = create_model("tiny", num_classes=4, weights=of(ours), seed=5)
    assert torch.equal(network.conv1.weight, ours.conv1.weight)
    assert torch.equal(network.fc8.weight, create_model("tiny", num_classes=4, seed=5).fc8.weight)


def test_the_model_says_which_pixels_its_weights_expect(catalogue, caffe):
    assert create_model("caffe", weights=of(caffe, input="raw-imagenet")).architecture.input == "raw-imagenet"
    # A start of N(0, 0.01) would be dead on such pixels, but conv1 comes from the weights.
    assert create_model("caffe", weights=of(caffe, input="imagenet")).architecture.input == "imagenet"


def test_weights_of_another_network_are_refused(catalogue, caffe):
    with pytest.raises(DataError, match=r"some\.pth is not of torchvision"):
        create_model("torchvision", weights=of(caffe))

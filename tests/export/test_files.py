"""Tests of alexnet.export.files."""

import importlib.util
import json
import os
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet.architectures import Architecture
from alexnet.catalogue import ARCHITECTURES
from alexnet.data.augment import View
from alexnet.data.store import Store
from alexnet.errors import AlexNetError, UsageError
from alexnet.evaluation import probabilities
from alexnet.export import files as module
from alexnet.export.files import Comparison, compare, export
from alexnet.features import network_digest
from alexnet.nn.network import Network, initialise
from alexnet.prediction import load
from alexnet.runs.trained import Trained

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
pytest.importorskip("onnxscript", reason="needs the extra `export`")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `export`")


@pytest.fixture(scope="module")
def trained(tiny_run):
    return load(tiny_run).trained


@pytest.fixture(scope="module")
def pictures(tiny_store):
    train = Store(tiny_store).splits["train"]
    return train.pictures(np.arange(32))


@pytest.fixture(scope="module")
def file(trained, pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "mine.onnx"
    export(trained, path, pictures)
    return path


def answers(path, name, x):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {name: x})[0]


@pytest.mark.parametrize("count", [1, 2, 7, 32])
def test_onnx_gives_the_probabilities_of_stored_pictures_in_batches_of_any_size(file, trained, pictures, count):
    expected = probabilities(trained, torch.from_numpy(pictures[:count])).numpy()
    found = answers(file, "pictures", pictures[:count])
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())
    assert np.array_equal(found.argsort(1), expected.argsort(1))


def test_bare_onnx_gives_scores_of_the_networks_input(trained, pictures, tmp_path):
    export(trained, tmp_path / "mine.onnx", pictures, bare=True)
    (view,) = trained.view.test(torch.from_numpy(pictures[:3]), 1)
    with torch.no_grad():
        expected = trained.network(view).numpy()
    found = answers(tmp_path / "mine.onnx", "input", view.contiguous().numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("bare", [False, True])
def test_an_exported_program_is_read_back_by_torch(trained, pictures, tmp_path, bare):
    export(trained, tmp_path / "mine.pt2", pictures, bare)
    extra = {"alexnet.json": ""}
    program = torch.export.load(tmp_path / "mine.pt2", extra_files=extra).module()
    (view,) = trained.view.test(torch.from_numpy(pictures[:5]), 1)
    with torch.no_grad():
        scores = trained.network(view)
    found = program(view if bare else torch.from_numpy(pictures[:5]))
    torch.testing.assert_close(found, scores if bare else scores.softmax(1))
    assert json.loads(json.loads(extra["alexnet.json"])["classes"]) == trained.classes


def test_one_sound_file_tells_what_it_is(file, trained):
    assert os.listdir(file.parent) == ["mine.onnx"]
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["classes"]) == trained.classes
    assert Architecture.from_json(json.loads(facts["architecture"])) == trained.network.architecture
    assert facts["digest"] == network_digest(trained)
    assert facts["input"] == "uint8 [n, 32, 32, 3]: RGB pictures"
    assert facts["output"] == "float32 [n, 10]: probabilities"
    (taken,), (given,) = model.graph.input, model.graph.output
    shape = [side.dim_value or side.dim_param for side in taken.type.tensor_type.shape.dim]
    assert (taken.name, given.name, shape[1:]) == ("pictures", "probabilities", [32, 32, 3])
    assert isinstance(shape[0], str)
    assert os.path.dirname(module.__file__).encode() not in file.read_bytes()


def test_all_kinds_of_layers_are_exported_without_a_word(trained, pictures, tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = export(trained, tmp_path / "mine.onnx", pictures)
    assert found == Comparison(32, found.difference, 32)
    assert 0 <= found.difference < 1e-5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name", ["cifar-18pct", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cifar-13pct", "cifar-11pct"))]
)
def test_the_networks_for_small_pictures_are_exported(tiny_store, tmp_path, name, tiny_recipe, pictures):
    store = Store(tiny_store)
    network = initialise(Network(ARCHITECTURES[name].with_classes(8))).eval()
    view = View(network.architecture, store.statistics)
    export(Trained(network, view, store.classes, tiny_recipe), tmp_path / "mine.onnx", pictures)
    assert len(answers(tmp_path / "mine.onnx", "pictures", pictures[:3])) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "authors-2012", "single", "caffe", "torchvision"])
def test_the_large_networks_are_exported(tiny_store, tmp_path, name, tiny_recipe, pictures):
    store = Store(tiny_store)
    network = initialise(Network(ARCHITECTURES[name].with_classes(8))).eval()
    view = View(network.architecture, store.statistics)
    export(Trained(network, view, store.classes, tiny_recipe), tmp_path / "mine.onnx", pictures[:8])
    export(Trained(network, view, store.classes, tiny_recipe), tmp_path / "mine.pt2", pictures[:8])


def test_a_network_trained_in_bfloat16_is_compared_in_float32(trained, pictures, tmp_path):
    low = replace(trained, recipe=trained.recipe.with_changes(precision="bfloat16"))
    assert export(low, tmp_path / "mine.onnx", pictures).difference < 1e-5


# What is compared.


def test_a_difference_is_measured_and_classes_are_counted(trained, pictures):
    (view,) = trained.view.test(torch.from_numpy(pictures), 1)
    with torch.no_grad():
        mine = trained.network(view).softmax(1)
    changed = mine.clone()
    changed[3] = changed[3].flip(0)
    found = compare(trained, lambda x: changed, pictures, bare=False)
    assert found.pictures == 32
    assert found.difference == pytest.approx(((mine - changed).abs().max() / mine.max()).item())
    assert found.same_top == 31


def test_equally_good_classes_may_change_places(trained, pictures):
    even = torch.full((32, 8), 1 / 8)
    assert module._same_top(even, even + torch.linspace(1e-8, 0, 8), 1e-6) == 32
    assert module._same_top(even, even + torch.linspace(0, 1e-8, 8), 1e-6) == 32
    uneven = torch.arange(8).float().expand(32, 8) / 28
    assert module._same_top(uneven, -uneven, 1e-6) == 0


def test_what_answers_otherwise_is_not_written(trained, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TOLERANCE", 0.0)
    (tmp_path / "mine.onnx").write_bytes(b"older")
    with pytest.raises(AlexNetError, match=r"mine.onnx was not written: the exported one differs by"):
        export(trained, tmp_path / "mine.onnx", pictures)
    assert (tmp_path / "mine.onnx").read_bytes() == b"older"


def test_what_cannot_be_exported_is_refused(trained, pictures, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"mine.tflite: a network is exported as .onnx or .pt2"):
        export(trained, tmp_path / "mine.tflite", pictures)
    with pytest.raises(UsageError, match=r"there is no picture to compare"):
        export(trained, tmp_path / "mine.onnx", pictures[:0])
    with pytest.raises(AlexNetError, match=r"cannot write .*none/mine.pt2"):
        export(trained, tmp_path / "none" / "mine.pt2", pictures)
    find = importlib.util.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxscript" else find(name))
    with pytest.raises(UsageError, match=r"mine.onnx needs onnxscript: pip install 'alexnet\[export\]'"):
        export(trained, tmp_path / "mine.onnx", pictures)

"""Tests of alexnet.export.int8."""

import numpy as np
import pytest
import torch

from alexnet.data.store import Store
from alexnet.errors import AlexNetError, UsageError
from alexnet.evaluation import probabilities
from alexnet.export import int8
from alexnet.export.int8 import export_int8
from alexnet.prediction import load

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
pytest.importorskip("onnxscript", reason="needs the extra `export`")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `export`")


@pytest.fixture(scope="module")
def trained(tiny_run):
    return load(tiny_run).trained


@pytest.fixture(scope="module")
def split(tiny_store):
    return Store(tiny_store).splits["train"]


@pytest.fixture(scope="module")
def written(trained, split, tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "mine.onnx"
    pictures = split.pictures(np.arange(40))
    return path, export_int8(trained, path, pictures, pictures, split.labels[:40])


def test_integers_answer_nearly_as_the_network_does(written, trained, split):
    path, _ = written
    pictures = split.pictures(np.arange(7))
    expected = probabilities(trained, torch.from_numpy(pictures)).numpy()
    running = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = running.run(None, {"pictures": pictures})
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert not np.allclose(found, expected, atol=1e-5)


def test_what_they_cost_is_measured(written, trained, split):
    path, found = written
    running = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    pictures = split.pictures(np.arange(40))
    (after,) = running.run(None, {"pictures": pictures})
    before = probabilities(trained, torch.from_numpy(pictures)).numpy()
    assert found.pictures == 40
    assert found.before == (before.argmax(1) == split.labels[:40]).mean()
    assert found.after == (after.argmax(1) == split.labels[:40]).mean()


def test_weights_are_integers_but_those_of_response_normalisation_are_not(written):
    path, _ = written
    model = onnx.load(path)
    types = {one.name: one.data_type for one in model.graph.initializer}
    for layer in ("conv1", "fc7"):
        (name,) = [one for one in types if f"{layer}.weight" in one and one.endswith("_quantized")]
        assert types[name] == onnx.TensorProto.INT8
    (band,) = [one for one in types if one.endswith("norm1.band")]
    assert types[band] == onnx.TensorProto.FLOAT
    assert {"classes", "digest", "input"} <= {entry.key for entry in model.metadata_props}


def test_a_costly_file_is_not_written(trained, split, tmp_path, monkeypatch):
    monkeypatch.setattr(int8, "_right", lambda content, *rest: np.arange(100) < (90 if content != b"small" else 88))
    pictures = split.pictures(np.arange(4))
    monkeypatch.setattr(int8, "_quantise", lambda content, shown: b"small")
    with pytest.raises(AlexNetError, match=r"mine.onnx was not written: in 8-bit integers 88.0% of 4 pictures are"):
        export_int8(trained, tmp_path / "mine.onnx", pictures, pictures, split.labels[:4])
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_is_refused(trained, split, tmp_path):
    pictures, labels = split.pictures(np.arange(4)), split.labels[:4]
    with pytest.raises(UsageError, match=r"mine.pt2: 8-bit integers are written as .onnx only"):
        export_int8(trained, tmp_path / "mine.pt2", pictures, pictures, labels)
    for shown, others in ((pictures[:0], pictures), (pictures, pictures[:0])):
        with pytest.raises(UsageError, match=r"need training pictures and held-out ones: give some of both"):
            export_int8(trained, tmp_path / "mine.onnx", shown, others, labels[: len(others)])

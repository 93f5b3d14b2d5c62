import hashlib
import io
import json
import shutil

import numpy as np
import pytest
import torch

from alexnet import weights
from alexnet.errors import AlexNetError, DataError, UsageError
from alexnet.recipe import Recipe
from alexnet.runs.run import Run

ENDINGS = [".pth", ".npz", ".npy", ".caffemodel", ".safetensors"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_form_is_read_and_its_digest_told(caffe, same, tmp_path, ending):
    file = tmp_path / f"w{ending}"
    weights.write(file, caffe)
    found = weights.read(str(file))
    same(found.tensors, caffe)
    assert found.source == str(file)
    assert found.digest == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", [".pth", ".npz", ".npy", ".safetensors"])
def test_a_form_is_known_by_its_first_bytes_whatever_the_file_is_called(caffe, tmp_path, ending):
    weights.write(tmp_path / f"w{ending}", caffe)
    for name in ("w", "w.bin", "other.pth", "other.safetensors"):
        shutil.copy(tmp_path / f"w{ending}", tmp_path / name)
        assert weights.read(tmp_path / name).tensors.keys() == caffe.state_dict().keys()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_whatever_it_is_called(gadget, tmp_path, ending, zipped):
    stream = io.BytesIO()
    torch.save({"conv1.weight": gadget}, stream, _use_new_zipfile_serialization=zipped)
    (tmp_path / f"w{ending}").write_bytes(stream.getvalue())
    with pytest.raises(DataError, match=f"w{ending}"):
        weights.read(tmp_path / f"w{ending}")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("data", [b"", b"\x00", b"hello, this is no file of weights at all", bytes(5000)])
def test_a_file_of_something_else_is_refused(tmp_path, ending, data):
    (tmp_path / f"w{ending}").write_bytes(data)
    with pytest.raises(DataError, match=rf"w{ending} (is empty|is torn)") as caught:
        weights.read(tmp_path / f"w{ending}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_changed_bytes_are_read_as_numbers_or_refused_in_one_line(caffe, tmp_path, ending):
    file = tmp_path / f"w{ending}"
    weights.write(file, caffe)
    whole = file.read_bytes()
    chance = np.random.default_rng(0)
    # Most of a file are numbers; what stands around them lies at its ends, and is struck more often.
    places = [*range(0, 200, 10), *chance.integers(0, len(whole), 10), *(len(whole) - 1 - chance.integers(0, 2000, 30))]
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << chance.integers(8)
        file.write_bytes(data)
        message, tensors = "", {}
        try:
            tensors = weights.read(file).tensors
        except AlexNetError as error:
            message = str(error)
        assert bool(tensors) != bool(message)
        assert "\n" not in message
        assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_a_file_of_unknown_form_is_refused_with_those_that_are_known(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 a picture")
    with pytest.raises(UsageError, match=r"photo.jpg is none of the files .* \.pth \.pt \.npz \.npy \.caffemodel"):
        weights.read(tmp_path / "photo.jpg")


def test_a_network_of_another_kind_is_told_in_one_short_line(tmp_path):
    names = [f"layer{n}.{m}.conv{k}.weight" for n in range(1, 5) for m in range(20) for k in range(1, 3)]
    torch.save({name: torch.ones(1) for name in names}, tmp_path / "resnet.pth")
    with pytest.raises(DataError, match="160 of its 160 names") as caught:
        weights.read(tmp_path / "resnet.pth")
    assert len(str(caught.value).removeprefix(str(tmp_path))) < 250


def test_a_run_gives_its_best_network(tiny_run):
    found = weights.read(tiny_run)
    trained = Run(tiny_run).trained()
    assert all(torch.equal(tensor, found.tensors[name]) for name, tensor in trained.network.state_dict().items())
    assert found.architecture == trained.network.architecture
    assert found.input == trained.network.architecture.input
    assert found.classes == tuple(trained.classes)
    np.testing.assert_array_equal(found.statistics.mean_image, trained.view.statistics.mean_image)
    assert found.digest == hashlib.sha256((tiny_run / "best.safetensors").read_bytes()).hexdigest()


def test_a_run_with_a_config_file_of_someones_is_that_run(tiny_run, tmp_path):
    both = shutil.copytree(tiny_run, tmp_path / "both")
    (both / "config.json").write_text("{}")
    assert weights.read(both).digest == weights.read(tiny_run).digest


def test_a_run_without_a_best_network_gives_its_newest(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run/best.safetensors").unlink()
    newest = Run(tmp_path / "run").latest()
    assert weights.read(tmp_path / "run").digest == hashlib.sha256(newest.read_bytes()).hexdigest()
    newest.write_bytes(newest.read_bytes()[:-1])
    older = tmp_path / "run/checkpoints/48.safetensors"
    assert weights.read(tmp_path / "run").digest == hashlib.sha256(older.read_bytes()).hexdigest()
    for file in newest.parent.iterdir():
        file.unlink()
    with pytest.raises(DataError, match="has lost its checkpoints"):
        weights.read(tmp_path / "run")
    (tmp_path / "run/latest.json").unlink()
    with pytest.raises(DataError, match=r"has no checkpoint yet: go on with `alexnet resume"):
        weights.read(tmp_path / "run")


def test_a_pretrained_folder_gives_all_that_it_holds(ours, statistics, tmp_path):
    names = [f"class {n}" for n in range(10)]
    weights.write_pretrained(tmp_path / "folder", ours, statistics, names, Recipe())
    found = weights.read(tmp_path / "folder")
    assert all(torch.equal(tensor, found.tensors[name]) for name, tensor in ours.state_dict().items())
    assert (found.architecture, found.input, found.classes) == (ours.architecture, "raw", tuple(names))
    np.testing.assert_array_equal(found.statistics.colour_axes, statistics.colour_axes)
    model = tmp_path / "folder/model.safetensors"
    assert found.digest == hashlib.sha256(model.read_bytes()).hexdigest()


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(UsageError, match="neither a run nor a pretrained folder"):
        weights.read(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "resnet"}))
    with pytest.raises(DataError, match=r"config.json is of no network of alexnet"):
        weights.read(tmp_path)


def test_the_word_torchvision_stands_for_its_published_file(torchvision, tmp_path, monkeypatch):
    from alexnet.weights import places

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "alexnet").mkdir()
    file = tmp_path / "alexnet/alexnet-owt-7be5be79.pth"
    weights.write(file, torchvision)
    monkeypatch.setattr(places, "TORCHVISION_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    found = weights.read("torchvision")
    assert (found.source, found.input) == ("torchvision", "imagenet")
    assert found.architecture.layers == torchvision.architecture.layers

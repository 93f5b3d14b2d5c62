"""Tests of alexnet.prediction."""

import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import alexnet
from alexnet.data.decode import decode
from alexnet.data.store import Store
from alexnet.errors import DataError, UsageError
from alexnet.evaluation import probabilities
from alexnet.prediction import Guess, load, predict
from alexnet.runs.run import Run
from alexnet.training.loop import train


@pytest.fixture(scope="module")
def model(tmp_path_factory, photo_store, tiny_network, tiny_recipe):
    """A network that learned from the photos."""
    path = tmp_path_factory.mktemp("run") / "photos"
    return load(train(photo_store, tiny_network, tiny_recipe.with_changes(batch_size=9), path).path)


@pytest.fixture(scope="module")
def files(photos):
    return sorted(path for path in photos.rglob("*") if path.is_file())


def test_a_run_and_a_checkpoint_alone_give_the_same_network(tiny_run, tmp_path):
    first = load(tiny_run)
    (tmp_path / "moved.safetensors").write_bytes((tiny_run / "best.safetensors").read_bytes())
    second = alexnet.load(str(tmp_path / "moved.safetensors"))
    assert first.classes == second.classes == Store(Run(tiny_run).store().path).classes
    assert not first.network.training
    picture = np.zeros((32, 32, 3), np.uint8)
    assert first.predict(picture) == second.predict(picture)


@pytest.mark.parametrize("read", [load, alexnet.from_pretrained])
def test_a_run_with_a_config_file_of_someones_is_that_run(tiny_run, tmp_path, read):
    both = shutil.copytree(tiny_run, tmp_path / "both")
    (both / "config.json").write_text("{}")
    weights = load(tiny_run).network.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in read(both).network.state_dict().items())


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is no run"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"nothing.safetensors is missing"):
        load(tmp_path / "nothing.safetensors")


# The same pixels as in the store.


def test_a_picture_is_seen_as_the_store_holds_it(model, photos, photo_store):
    for split in Store(photo_store).splits.values():
        assert len(split)
        for name, image in zip(split.names, split.pictures(np.arange(len(split))), strict=True):
            assert np.array_equal(model.stored(photos / name), image), name


def test_a_picture_may_be_given_in_any_form(model, files):
    for file in files:
        data = file.read_bytes()
        with Image.open(file) as image:
            forms = [str(file), file, data, decode(data), image]
            stored = [model.stored(form) for form in forms]
        for form, pixels in zip(forms, stored, strict=True):
            assert np.array_equal(pixels, stored[0]), (file.name, type(form))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16"])
def test_an_image_of_any_mode_may_be_given(model, mode):
    image = Image.fromarray(np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3))
    image = Image.new("I;16", (50, 40), 3 << 8) if mode == "I;16" else image.convert(mode)
    assert model.stored(image).shape == (32, 32, 3)
    assert model.predict(image)


# Guesses.


def test_guesses_are_the_best_classes_with_their_probabilities(model, files, photo_store):
    store = Store(photo_store)
    assert model.classes == store.classes == ["cats", "dogs", "emus"]
    stored = torch.from_numpy(np.stack([model.stored(file) for file in files]))
    for crops in (1, 10):
        shares = probabilities(model.trained, stored, crops).numpy()
        for row, guesses in zip(shares, model.predict(files, crops=crops), strict=True):
            assert [guess.label for guess in guesses] == [model.classes[i] for i in np.argsort(-row)]
            assert [guess.probability for guess in guesses] == sorted(map(float, row), reverse=True)


def test_one_picture_is_a_list_of_one(model, files):
    assert model.predict(files[0]) == model.predict([files[0]])
    assert len(model.predict(files[0], top=2)[0]) == 2
    assert len(model.predict(files[0], top=99)[0]) == 3


def test_features_are_every_layers_output(model, files):
    features = model.features(files[:2])
    assert list(features) == [layer.name for layer in model.network.architecture.layers]
    assert features["relu7"].shape == (2, 16)
    assert features["conv1"].shape == (2, 8, 11, 11)
    assert torch.equal(features["relu7"], features["fc7"].clamp_min(0))
    shares = features["fc8"].softmax(1)
    assert shares[0].max().item() == pytest.approx(model.predict(files[0])[0][0].probability)
    assert not features["fc8"].requires_grad


# What cannot be predicted.


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.jpg", None, "no such file"),
        ("empty.jpg", b"", "empty file"),
        ("text.png", b"hello, this is no picture", "not a picture"),
        ("torn.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "Truncated File Read"),
        ("nul\0.jpg", None, "no such file|cannot be read"),
    ],
)
def test_an_unreadable_picture_is_named_with_the_reason(model, tmp_path, name, content, reason):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
        with pytest.raises(DataError, match=f"^a picture given as bytes: {reason}"):
            model.predict(content)
    with pytest.raises(DataError, match=f"{name}: ({reason})") as caught:
        model.predict(str(file))
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_picture(model, tmp_path):
    with pytest.raises(DataError, match=r": not a regular file"):
        model.predict(tmp_path)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((32, 32, 3), np.float32),
        np.zeros((3, 32, 32), np.uint8),
        np.zeros((32, 32), np.uint8),
        np.zeros((0, 32, 3), np.uint8),
        np.zeros((32, 32, 4), np.uint8),
    ],
)
def test_an_array_that_is_no_picture_is_told(model, picture):
    with pytest.raises(DataError, match=r"^a picture given as ndarray: .* but uint8 of \(h, w, 3\) is wanted"):
        model.predict(picture)


def test_an_image_that_is_torn_is_told(model, files):
    data = next(file for file in files if file.suffix == ".png").read_bytes()
    image = Image.open(io.BytesIO(data[: len(data) // 2]))
    with pytest.raises(DataError, match=r"^a picture given as PngImageFile: "):
        model.predict(image)


def test_no_picture_or_no_guess_is_refused(model, files):
    with pytest.raises(UsageError, match=r"there is no picture"):
        model.predict([])
    with pytest.raises(UsageError, match=r"top=0 shows nothing: give 1 or more"):
        model.predict(files[0], top=0)
    with pytest.raises(UsageError, match=r"crops=5 is unknown"):
        model.predict(files[0], crops=5)


# Many files.


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_one_bad_file_stops_nothing_and_the_order_is_kept(model, files, tmp_path, batch_size):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    given = [files[0], tmp_path / "bad.jpg", *files[1:7], tmp_path / "gone.jpg", files[7]]
    answers = list(predict(model, map(str, given), top=2, batch_size=batch_size))
    assert [file for file, _ in answers] == given
    for file, answer in answers:
        if file.parent == tmp_path:
            assert answer.startswith(f"{file}: no")
        else:
            assert [guess.label for guess in answer] == [guess.label for guess in model.predict(file, top=2)[0]]
            assert all(isinstance(guess, Guess) for guess in answer)


def test_batches_of_nothing_are_refused(model, files):
    with pytest.raises(UsageError, match="batch_size must be 1 or more, not 0"):
        list(predict(model, files, batch_size=0))


def test_nothing_gives_nothing(model):
    assert list(predict(model, [])) == []

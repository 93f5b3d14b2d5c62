"""Tests of alexnet.run."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from alexnet.catalogue import SINGLE
from alexnet.data.store import Store
from alexnet.errors import AlexNetError, DataError, UsageError
from alexnet.run import Checkpoint, Run, Trained


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the tiny run, to be damaged."""
    return Run(shutil.copytree(tiny_run, tmp_path / "run"))


def same(one, other):
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


# Checkpoints.


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    tensors = {
        "network.conv1.weight": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
        "optimizer.0.step": torch.tensor(7.0),
        "random.cpu": torch.get_rng_state(),
        "half": torch.randn(3).bfloat16(),
        "odd": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
        "tally.loss": torch.tensor(1 / 3, dtype=torch.float64),
    }
    facts = {"epoch": 3, "classes": ["Gänse", "\udcff", "a\nb"], "history": [{"val_loss": 1 / 3}], "none": None}
    Checkpoint(tensors, facts).write(tmp_path / "a.safetensors")
    back = Checkpoint.read(tmp_path / "a.safetensors")
    assert back.facts == {"format": 1, **facts}
    odd = back.tensors.pop("odd")
    assert odd.view(torch.int32).tolist() == tensors.pop("odd").view(torch.int32).tolist()
    assert same(back.tensors, tensors)


def test_a_part_of_a_checkpoint_has_its_names_without_the_prefix():
    checkpoint = Checkpoint(
        {"network.fc8.bias": torch.ones(1), "networks": torch.ones(2), "average.x": torch.ones(3)}, {}
    )
    assert list(checkpoint.part("network")) == ["fc8.bias"]


def assert_refused(path, message):
    with pytest.raises(DataError, match=message) as caught:
        Checkpoint.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_torn_checkpoint_is_refused(run):
    path = run.latest()
    whole = path.read_bytes()
    for size in (0, 1, 7, 8, 100, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert_refused(path, "cannot be read as a checkpoint")
    path.write_bytes(whole + b"more")
    assert_refused(path, "cannot be read as a checkpoint")


def test_what_is_no_checkpoint_is_refused(tmp_path):
    assert_refused(tmp_path / "missing.safetensors", "is missing: train first")
    (tmp_path / "folder.safetensors").mkdir()
    assert_refused(tmp_path / "folder.safetensors", "cannot be read as a checkpoint")
    (tmp_path / "text.safetensors").write_text("hello, hello, hello")
    assert_refused(tmp_path / "text.safetensors", "cannot be read as a checkpoint")
    weights = {"a": torch.ones(1)}
    torch.save(weights, tmp_path / "pickle.safetensors")
    assert_refused(tmp_path / "pickle.safetensors", "cannot be read as a checkpoint")
    save_file(weights, tmp_path / "foreign.safetensors")
    assert_refused(tmp_path / "foreign.safetensors", "is no checkpoint of alexnet")
    for text in ("[]", "3", "{"):
        save_file(weights, tmp_path / "odd.safetensors", {"alexnet": text})
        assert_refused(tmp_path / "odd.safetensors", r"checkpoint")


def test_a_checkpoint_of_another_version_names_both(tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "new.safetensors", {"alexnet": '{"format": 2}'})
    assert_refused(tmp_path / "new.safetensors", "is of format 2, not 1: use the alexnet that wrote it")


# The folder.


def test_a_finished_run_holds_the_files_of_the_design(tiny_run):
    files = sorted(path.relative_to(tiny_run).as_posix() for path in tiny_run.rglob("*") if path.is_file())
    assert files == [
        ".lock",
        "architecture.json",
        "best.safetensors",
        "checkpoints/48.safetensors",
        "checkpoints/96.safetensors",
        "classes.json",
        "latest.json",
        "log.jsonl",
        "recipe.json",
        "store.json",
        "updates.jsonl",
    ]


def test_a_run_tells_what_was_asked(tiny_run, tiny_store, tiny_network, tiny_recipe):
    run = Run(tiny_run)
    assert run.recipe == tiny_recipe
    assert run.architecture == tiny_network.with_he_start()
    assert run.store().digest == Store(tiny_store).digest
    assert json.loads((tiny_run / "classes.json").read_text()) == Store(tiny_store).classes
    assert json.loads((tiny_run / "latest.json").read_text()) == {
        "checkpoint": "checkpoints/96.safetensors",
        "images_seen": 96,
    }
    assert run.latest() == tiny_run / "checkpoints/96.safetensors"


def test_the_newest_two_checkpoints_are_kept_by_number_not_by_name(run):
    checkpoint = Checkpoint({"a": torch.ones(1)}, {})

    def kept():
        return sorted(path.stem for path in (run.path / "checkpoints").iterdir())

    for images in (128, 1024):  # as text, 1024 comes before 128 and before 96
        run.save(checkpoint, images)
    assert kept() == ["1024", "128"]
    run.save(checkpoint, 9)  # what was just written is kept, whatever lies there
    assert kept() == ["1024", "9"]


def test_a_folder_in_use_is_left_alone(tmp_path, tiny_store, tiny_network, tiny_recipe):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"exists already: resume it with `alexnet resume .*`, or choose"):
        Run.create(tmp_path, tiny_network, tiny_recipe, Store(tiny_store))
    with pytest.raises(UsageError, match=r"exists already"):
        Run.create(tmp_path / "notes.txt", tiny_network, tiny_recipe, Store(tiny_store))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path, tiny_store, tiny_network, tiny_recipe):
    (tmp_path / "file").touch()
    with pytest.raises(AlexNetError, match=r"cannot write .*file/run: "):
        Run.create(tmp_path / "file" / "run", tiny_network, tiny_recipe, Store(tiny_store))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is no run .no architecture.json in it.: give the folder that"):
        Run(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"checkpoint": '])
def test_a_damaged_file_of_a_run_is_one_clear_error(run, text):
    for name, read in (("latest.json", run.latest), ("store.json", run.store)):
        (run.path / name).write_text(text)
        with pytest.raises(DataError, match=f"{name} cannot be read .*: restore it, or train again"):
            read()


def test_a_store_that_is_gone_or_another_is_refused(run, tiny_store, photo_store):
    facts = json.loads((run.path / "store.json").read_text())
    (run.path / "store.json").write_text(json.dumps(facts | {"path": str(run.path / "nowhere")}))
    with pytest.raises(DataError, match=r"learned from .*nowhere, which is gone: prepare it again there"):
        run.store()
    (run.path / "store.json").write_text(json.dumps(facts | {"path": str(photo_store)}))
    with pytest.raises(DataError, match=r"is another store than .* learned from"):
        run.store()


def test_a_log_is_read_and_replaced_whole(run):
    rows = run.log()
    assert [row["epoch"] for row in rows] == [1, 2]
    run.write_log(rows[:1])
    assert run.log() == rows[:1]
    (run.path / "log.jsonl").unlink()
    assert run.log() == []


# Networks ready for use.


def test_the_best_network_is_used_and_before_there_is_one_the_newest(run, tiny_store):
    best = Checkpoint.read(run.path / "best.safetensors").part("network")
    newest = Checkpoint.read(run.path / "checkpoints/96.safetensors").part("network")
    older = Checkpoint.read(run.path / "checkpoints/48.safetensors")
    assert same(run.trained().network.state_dict(), best)
    (run.path / "best.safetensors").unlink()
    assert same(run.trained().network.state_dict(), newest)
    run.save(Checkpoint(older.tensors, older.facts), 97)
    assert same(run.trained().network.state_dict(), older.part("network"))
    (run.path / "latest.json").unlink()
    with pytest.raises(DataError, match=r"has no checkpoint yet: go on with `alexnet resume"):
        run.trained()


def test_a_loaded_network_is_ready_and_knows_its_view(tiny_run, tiny_store, tiny_network):
    store, trained = Store(tiny_store), Run(tiny_run).trained()
    assert not trained.network.training
    assert trained.classes == store.classes
    assert trained.device == torch.device("cpu")
    assert (trained.view.side, trained.view.stored_side, trained.view.convention) == (24, 32, "deviation")
    for name in ("mean_image", "mean", "deviation", "colour_deviations", "colour_axes"):
        assert np.array_equal(getattr(trained.view.statistics, name), getattr(store.statistics, name))


def test_averaged_weights_are_preferred(tiny_run):
    checkpoint = Checkpoint.read(tiny_run / "best.safetensors")
    halves = {f"average.{name}": tensor / 2 for name, tensor in checkpoint.part("network").items()}
    both = Checkpoint({**checkpoint.tensors, **halves}, checkpoint.facts)
    network = Trained.of(both, torch.device("cpu")).network
    assert torch.equal(network.get_parameter("fc8.weight"), halves["average.fc8.weight"])


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.facts.pop("architecture"),
        lambda c: c.facts.pop("recipe"),
        lambda c: c.facts["recipe"].update(no_such_field=1),
        lambda c: c.facts["architecture"]["layers"][0].update(kernel=99),
        lambda c: c.facts["architecture"].update(layers=None),
        lambda c: c.tensors.pop("statistics.mean"),
        lambda c: c.facts.update(architecture=SINGLE.to_json()),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(tiny_run, change):
    checkpoint = Checkpoint.read(tiny_run / "best.safetensors")
    change(checkpoint)
    with pytest.raises(DataError) as caught:
        Trained.of(checkpoint, torch.device("cpu"))
    assert "\n" not in str(caught.value)

"""Tests of alexnet.runs.run."""

import json
import re
import shutil

import numpy as np
import pytest
import torch

from alexnet.data.store import Store
from alexnet.errors import AlexNetError, DataError, UsageError
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.run import Run, held
from alexnet.weights import Weights


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the tiny run, to be damaged."""
    return Run(shutil.copytree(tiny_run, tmp_path / "run"))


def same(one, other):
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


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
        "growth/0.npy",
        "growth/1.npy",
        "growth/2.npy",
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


@pytest.mark.parametrize(
    ("watched", "told"), [("val", ("val", 0.5)), ("test", ("test", 0.25)), (None, None)], ids=["val", "test", "unknown"]
)
def test_the_result_is_that_of_the_network_that_is_best(run, watched, told):
    rows = run.log()
    rows = [row | {"val_top1": top1} for row, top1 in zip(rows, (0.5, 0.25), strict=True)]
    (run.path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts = json.loads((run.path / "store.json").read_text())
    assert facts.pop("watched") == "val"
    (run.path / "store.json").write_text(json.dumps(facts | ({"watched": watched} if watched else {})))
    assert run.result() == told


def test_a_folder_in_use_is_left_alone(tmp_path, tiny_store, tiny_network, tiny_recipe):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"exists already and holds notes.txt: resume it with `alexnet resume .*` if"):
        Run.create(tmp_path, tiny_network, tiny_recipe, Store(tiny_store))
    with pytest.raises(UsageError, match=r"notes.txt is a file, and a run is a folder: choose another --run"):
        Run.create(tmp_path / "notes.txt", tiny_network, tiny_recipe, Store(tiny_store))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_whose_making_was_cut_short_is_none_and_is_made_anew(tmp_path, tiny_store, tiny_network, tiny_recipe):
    Run.create(tmp_path / "run", tiny_network, tiny_recipe, Store(tiny_store))
    (tmp_path / "run/architecture.json").unlink()
    (tmp_path / "run/.store.json.tmp-77").touch()
    assert not Run.lies_at(tmp_path / "run")
    assert Run.create(tmp_path / "run", tiny_network, tiny_recipe, Store(tiny_store)).recipe == tiny_recipe
    with pytest.raises(UsageError, match=r"exists already and holds architecture.json"):
        Run.create(tmp_path / "run", tiny_network, tiny_recipe, Store(tiny_store))


def test_a_run_that_another_command_holds_is_not_taken(run):
    refused = pytest.raises(AlexNetError, match=r"run is in use by another alexnet command .process \d+")
    with held(run.path), refused, held(run.path):
        pytest.fail("two holders")


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path, tiny_store, tiny_network, tiny_recipe):
    (tmp_path / "file").touch()
    with pytest.raises(AlexNetError, match=r"cannot write .*file/run: "):
        Run.create(tmp_path / "file" / "run", tiny_network, tiny_recipe, Store(tiny_store))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is no run .no architecture.json in it.: give the folder that"):
        Run(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"checkpoint": '])
def test_a_damaged_file_of_a_run_is_one_clear_error(run, text):
    (run.path / "store.json").write_text(text)
    with pytest.raises(DataError, match=r"store.json cannot be read .*: restore it, or train again"):
        run.store()
    (run.path / "latest.json").write_text(text)  # which nothing depends on
    assert run.latest().name == "96.safetensors"


@pytest.mark.parametrize("text", ["", "{}", "3"])
def test_classes_that_cannot_be_read_are_one_clear_error(run, text):
    assert run.classes == run.trained().classes
    (run.path / "classes.json").write_text(text)
    with pytest.raises(DataError, match=r"classes.json cannot be read .*: restore it"):
        run.classes  # noqa: B018


def test_a_store_that_is_gone_or_another_is_refused(run, tiny_store, photo_store):
    facts = json.loads((run.path / "store.json").read_text())
    (run.path / "store.json").write_text(json.dumps(facts | {"path": str(run.path / "nowhere")}))
    with pytest.raises(
        DataError, match=r"learned from .*nowhere, which is gone: prepare it again there, or say with --store where"
    ):
        run.store()
    assert run.store(tiny_store).digest == facts["digest"]
    (run.path / "store.json").write_text(json.dumps(facts | {"path": str(photo_store)}))
    other = (
        r"is another store than .* learned from .digest \w{12}, was \w{12}; classes: there were 10, are 3.: say with"
    )
    with pytest.raises(DataError, match=other):
        run.store()
    assert run.store(allow_changes=True).path == photo_store


def test_a_store_that_has_moved_is_written_down(run, tiny_store, photo_store):
    before = (run.path / "store.json").read_bytes()
    run.learns_from(Store(tiny_store))
    assert (run.path / "store.json").read_bytes() == before
    run.learns_from(Store(photo_store))
    assert run.store().path == photo_store
    assert run.classes == ["cats", "dogs", "emus"]


def test_what_was_not_asked_is_named(run, tiny_store, photo_store, tiny_network, tiny_recipe):
    asked = {"architecture": run.architecture, "recipe": tiny_recipe, "store": Store(tiny_store)}
    run.refuse_other(**asked)
    weights = Weights({}, "mine.pth", "0", None, None, None, None)
    for change, named in (
        ({"recipe": tiny_recipe.with_changes(lr=0.5)}, "recipe: lr was 0.02, is 0.5"),
        ({"architecture": tiny_network}, "network: start.conv1.weights was he, is normal"),
        ({"store": Store(photo_store)}, r"store: was .*shapes .digest \w{12}., is .*photos"),
        ({"weights": weights}, "weights: were none, are mine.pth"),
    ):
        with pytest.raises(UsageError, match=rf"run exists already, with other arguments .{named}.*: resume it with"):
            run.refuse_other(**asked | change)


def test_a_log_is_read_and_replaced_whole(run):
    rows = run.log()
    assert [row["epoch"] for row in rows] == [1, 2]
    run.journal.write(rows[:1])
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
    for file in [*(run.path / "checkpoints").iterdir(), run.path / "latest.json"]:
        file.unlink()
    with pytest.raises(DataError, match=r"has no checkpoint yet: go on with `alexnet resume"):
        run.trained()


def test_a_damaged_best_network_is_passed_over_with_a_word(run, capsys):
    (run.path / "best.safetensors").write_bytes((run.path / "best.safetensors").read_bytes()[:-1])
    newest = Checkpoint.read(run.latest()).part("network")
    assert same(run.trained().network.state_dict(), newest)
    told = capsys.readouterr().err
    assert re.fullmatch(r"note: .*best.safetensors is damaged .*; going on from .*/96.safetensors\n", told)


def test_a_loaded_network_is_ready_and_knows_its_view(tiny_run, tiny_store, tiny_network):
    store, trained = Store(tiny_store), Run(tiny_run).trained()
    assert not trained.network.training
    assert trained.classes == store.classes
    assert trained.device == torch.device("cpu")
    assert (trained.view.side, trained.view.stored_side, trained.view.convention) == (24, 32, "deviation")
    for name in ("mean_image", "mean", "deviation", "colour_deviations", "colour_axes"):
        assert np.array_equal(getattr(trained.view.statistics, name), getattr(store.statistics, name))

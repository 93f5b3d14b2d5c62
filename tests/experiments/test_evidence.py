"""Tests of alexnet.experiments.evidence."""

import json
import math
import re
import shutil
import subprocess

import pytest
import torch

from alexnet.data.store import Store
from alexnet.errors import DataError, Interrupted, UsageError
from alexnet.experiments import evidence
from alexnet.experiments.evidence import Row, finished_run, keep, machine, table
from alexnet.runs.run import Run


def test_a_row_has_the_keys_of_the_design_and_the_spread_over_seeds():
    row = Row("ours", "top1", 0.625, (0.5, 0.7, 0.6), (0, 1, 2), "centre").to_json()
    assert set(row) == {"label", "metric", "printed", "values", "mean", "sd", "seeds", "note"}
    assert row["mean"] == pytest.approx(0.6)
    assert row["sd"] == pytest.approx(math.sqrt((0.01 + 0.01) / 2))
    assert Row("ours", "top1", None, (0.5,), (0,)).to_json()["sd"] is None
    diverged = Row("ours", "loss", None, (0.5, math.nan), (0, 1)).to_json()
    assert (diverged["mean"], diverged["sd"], diverged["values"]) == (None, None, [0.5, None])


def test_evidence_is_kept_with_the_keys_of_the_design(tmp_path, tiny_run, capsys):
    rows = [Row("ours", "top1", None, (0.5,), (7,), "a note")]
    for minutes, label in ((1.0, "theirs-7"), (12.345, "ours-7")):  # the second replaces the first
        folder = keep(tmp_path / "deep", "claim", minutes, rows, "It holds.", {label: Run(tiny_run)})
        (folder / f"{label}.png").touch()
    assert f"It holds.\nevidence: {tmp_path}/deep/claim\n" in capsys.readouterr().out
    told = json.loads((folder / "result.json").read_text())
    assert list(told) == ["name", "command", "commit", "date", "machine", "minutes", "rows", "verdict"]
    assert (told["name"], told["command"]) == ("claim", "alexnet reproduce claim")
    assert (told["minutes"], told["verdict"]) == (12.3, "It holds.")
    assert told["rows"] == [row.to_json() | {"seeds": [7]} for row in rows]
    assert told["commit"] == evidence.commit()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told["date"])
    assert told["machine"] == machine()
    kept = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    names = [f"runs/ours-7/{name}" for name in ("architecture.json", "log.jsonl", "recipe.json")]
    assert kept == ["ours-7.png", "result.json", *names]
    assert all((folder / name).read_bytes() == (tiny_run / name.split("/")[-1]).read_bytes() for name in names)


def test_the_commits_are_those_that_trained_the_runs(
    tmp_path, tiny_store, tiny_network, tiny_recipe, stop_at_check, monkeypatch
):
    asked = (Store(tiny_store), tiny_network, tiny_recipe, tmp_path / "run")
    monkeypatch.setattr(evidence, "commit", lambda: "first")
    stop_at_check(2)
    with pytest.raises(Interrupted):
        finished_run(*asked)
    monkeypatch.undo()
    for commit in ("second", "third"):  # the third finds nothing left to train
        monkeypatch.setattr(evidence, "commit", lambda commit=commit: commit)
        run = finished_run(*asked)
    folder = keep(tmp_path, "claim", 1.0, [], "", {"ours-0": run})
    assert json.loads((folder / "result.json").read_text())["commit"] == "first, second"
    made = json.loads((folder / "runs" / "ours-0" / "made.json").read_text())
    assert made == [{"commit": commit, "machine": machine()} for commit in ("first", "second")]
    # Whoever removes the run begins anew.
    shutil.rmtree(run.path)
    finished_run(*asked)
    assert [maker["commit"] for maker in evidence.makers(run.path)] == ["third"]


def test_the_machine_is_told():
    told = machine()
    assert told["threads"] == torch.get_num_threads()
    assert told["torch"] == torch.__version__
    assert told["cpu"]
    assert told["cores"] >= 1


class Git:
    """Stands in for git: what it answers, by the first word."""

    def __init__(self, **answers):
        self.answers = answers

    def __call__(self, words, **options):
        answer = self.answers[words[1].replace("-", "_")]
        return subprocess.CompletedProcess(words, 1 if answer is None else 0, answer or "", "")


@pytest.mark.parametrize(
    ("git", "name"),
    [
        (Git(rev_parse="abc\n", ls_files="errors.py\n", status=""), "abc"),
        (Git(rev_parse="abc\n", ls_files="errors.py\n", status=" M run.py\n"), "abc+"),
        (Git(rev_parse="abc\n", ls_files="", status=""), "unknown"),  # another project's repository around this package
        (Git(rev_parse=None, ls_files=None, status=None), "unknown"),
    ],
)
def test_the_commit_is_that_of_this_code(monkeypatch, git, name):
    monkeypatch.setattr(subprocess, "run", git)
    assert evidence.commit() == name


def test_a_machine_without_git_loses_no_evidence(monkeypatch):
    def missing(*words, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert evidence.commit() == "unknown"


def test_a_table_is_in_per_cent_and_shows_what_was_printed():
    rows = [Row("as written", "top1", 0.267, (0.25, 0.27), (0, 1)), Row("ours", "top5", None, (0.9,), (0,), "mirrored")]
    header, first, second = table(rows).splitlines()
    assert header.split() == ["printed", "here"]
    assert first.split() == ["as", "written", "26.70%", "26.00%", "top1"]
    assert second.split() == ["ours", "90.00%", "top5", "mirrored"]


def test_seconds_are_no_shares():
    assert "95 s" in table([Row("to 80 %", "seconds", None, (94.6, 95.0), (0, 1))])


def test_a_run_is_gone_on_with_and_a_finished_one_is_used_again(
    tmp_path, tiny_store, tiny_network, tiny_recipe, stop_at_check, monkeypatch
):
    asked = (Store(tiny_store), tiny_network, tiny_recipe, tmp_path / "run")
    stop_at_check(2)
    with pytest.raises(Interrupted):
        finished_run(*asked)
    monkeypatch.undo()
    assert Run(tmp_path / "run").log() == []
    first = finished_run(*asked)
    assert len(first.log()) == 2
    # What is kept is enough to use it, and takes little room.
    assert not list((tmp_path / "run").rglob("checkpoints/*"))
    weights = first.trained().network.state_dict()
    again = finished_run(*asked)
    assert again.log() == first.log()
    assert all(torch.equal(value, weights[name]) for name, value in again.trained().network.state_dict().items())


def test_a_run_that_never_came_to_a_checkpoint_is_begun_again(
    tmp_path, tiny_store, tiny_run, tiny_network, tiny_recipe
):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    shutil.rmtree(run / "checkpoints")
    for name in ("latest.json", "log.jsonl"):
        (run / name).unlink()
    assert len(finished_run(Store(tiny_store), tiny_network, tiny_recipe, run).log()) == 2


def test_the_run_of_another_experiment_is_not_taken_for_this_one(
    tmp_path, tiny_store, tiny_run, tiny_network, tiny_recipe
):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    message = r"holds the run of another network or recipe: remove it, or choose another --work"
    with pytest.raises(UsageError, match=message):
        finished_run(Store(tiny_store), tiny_network, tiny_recipe.with_changes(lr=0.5), run)
    from alexnet.variations import vary

    with pytest.raises(UsageError, match=message):
        finished_run(Store(tiny_store), vary(tiny_network, "activation=tanh"), tiny_recipe, run)


def test_a_finished_run_on_other_pictures_is_not_taken_for_this_one(tmp_path, tiny_network, tiny_recipe):
    from alexnet.data.preparation import prepare

    store = prepare("shapes", None, tmp_path / "store", side=32, count=32)
    finished_run(store, tiny_network, tiny_recipe.with_changes(epochs=1), tmp_path / "run")
    other = prepare("shapes", None, tmp_path / "store", side=32, count=64)
    with pytest.raises(DataError, match="is another store than"):
        finished_run(other, tiny_network, tiny_recipe.with_changes(epochs=1), tmp_path / "run")

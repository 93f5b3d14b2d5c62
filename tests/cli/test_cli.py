"""Tests of alexnet.cli: exit codes, errors of one line, and what the shell around the command may do."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from alexnet import __main__ as entry
from alexnet.cli import main, parser
from alexnet.flags import Parser

ALEXNET = [sys.executable, "-m", "alexnet"]


def outside(*words, **options):
    """Run the command in a process of its own."""
    environment = os.environ | options.pop("env", {})
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60}
    return subprocess.run([*ALEXNET, *words], env=environment, check=False, **given | options)


@pytest.fixture
def here(tmp_path, tiny_run, tiny_store):
    """Things that a wrong command may name, in the folder where it runs."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").touch()
    (tmp_path / "file").touch()
    (tmp_path / "hollow").mkdir()
    (tmp_path / "one-class" / "cats").mkdir(parents=True)
    (tmp_path / "unknown.toml").write_text("epoch = 3\n")
    (tmp_path / "range.toml").write_text("lr = -1\n")
    (tmp_path / "torn.toml").write_text("lr = \n")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "bad.jpg").write_text("no picture")
    (tmp_path / "store").symlink_to(tiny_store)
    (tmp_path / "run").symlink_to(tiny_run)
    shutil.copytree(tiny_store, tmp_path / "torn-store")
    (tmp_path / "torn-store" / "train.images-00000.u8").write_bytes(b"short")
    shutil.copytree(tiny_store, tmp_path / "old-store")
    manifest = json.loads((tmp_path / "old-store" / "manifest.json").read_text())
    (tmp_path / "old-store" / "manifest.json").write_text(json.dumps(manifest | {"version": 0}))
    shutil.copytree(tiny_run, tmp_path / "torn-run")
    for file in (tmp_path / "torn-run").rglob("*.safetensors"):
        file.write_bytes(b"short")
    shutil.copytree(tiny_run, tmp_path / "moved-run")
    facts = json.loads((tmp_path / "moved-run" / "store.json").read_text())
    (tmp_path / "moved-run" / "store.json").write_text(json.dumps(facts | {"path": "/nowhere"}))
    return tmp_path


BAD = [
    # No verb, or a wrong one.
    ("", 2, "the following arguments are required: VERB; see alexnet --help"),
    ("trian store", 2, "trian is unknown: did you mean train?"),
    ("--verbose", 2, "required: VERB"),
    # train: arguments and recipe.
    ("train", 2, "required: STORE; see alexnet train --help"),
    ("train store extra", 2, "extra is one argument too many"),
    ("train store --epoch 3", 2, "unknown flag --epoch: did you mean --epochs?"),
    ("train store --epochs", 2, "--epochs: expected one argument"),
    ("train store --epochs 0", 2, "epochs=0 is out of range: 1 to"),
    ("train store --epochs 1.5", 2, "--epochs: needs a whole number, not 1.5"),
    ("train store --lr -1", 2, "lr=-1.0 is out of range: 0 to 100"),
    ("train store --lr nan", 2, "lr=nan is out of range"),
    ("train store --lr inf", 2, "lr=inf is out of range"),
    ("train store --lr fast", 2, "--lr: needs a number, not fast"),
    ("train store --momentum 1", 2, "momentum=1.0 is out of range: 0 to 0.9999"),
    ("train store --batch-size 0", 2, "batch_size=0 is out of range"),
    ("train store --batch-size 49", 2, "store has 48 training images, fewer than a batch of 49: lower --batch-size"),
    ("train store --seed -1", 2, "seed=-1 is out of range"),
    ("train store --mirror 1.5", 2, "mirror=1.5 is out of range: 0 to 1"),
    ("train store --optimizer sdg", 2, "sdg is unknown: did you mean sgd?"),
    ("train store --schedule steps", 2, "schedule=steps needs the epochs of its drops: give lr_steps"),
    ("train store --schedule steps --lr-steps 5 3", 2, "lr_steps=[5, 3] must rise"),
    ("train store --warmup-epochs 99", 2, "warmup_epochs=99 is longer than epochs=10: lower it"),
    ("train store --recipe fats", 2, "unknown recipe fats (a file's name ends in .toml): did you mean fast?"),
    ("train store --recipe missing.toml", 2, "missing.toml cannot be read (No such file or directory)"),
    ("train store --recipe unknown.toml", 2, "unknown.toml: unknown recipe field epoch: did you mean epochs?"),
    ("train store --recipe range.toml", 2, "range.toml: lr=-1 is out of range: 0 to 100"),
    ("train store --recipe torn.toml", 2, "torn.toml is no recipe"),
    ("train store --recipe list.json", 2, "list.json is no recipe"),
    # train: network, device, folders.
    ("train store --arch papper", 2, "unknown architecture papper: did you mean paper?"),
    ("train store --vary tower=2", 2, "cannot vary tower=2: write KEY=VALUE; did you mean towers?"),
    ("train store --vary side", 2, "cannot vary side"),
    ("train store --vary towers=7", 2, "7 towers do not divide"),
    ("train store --vary side=3", 2, "conv1 is 11 wide, but its padded input is only 3"),
    (
        "train store --arch paper --recipe paper --vary input=deviation",
        2,
        "stays at ln(classes); use input=raw, or --start he",
    ),
    ("train store --arch cifar-18pct --view-side 8", 2, "view_side=8 is smaller than the network's input of 32"),
    ("train store --device tpu", 2, "--device tpu is not there: use cpu, or auto"),
    ("train store --device cpu:x", 2, "--device cpu:x is not there"),
    (
        "train store --run taken",
        2,
        "taken exists already and holds notes.txt: resume it with `alexnet resume taken` if it is a run, or choose",
    ),
    ("train store --arch cifar-18pct --run file/run", 1, "cannot write file/run/.lock: Not a directory"),
    ("train nowhere", 2, "nowhere does not exist: make a store with `alexnet prepare`"),
    ("train taken", 2, "taken is not a store (no manifest.json in it)"),
    ("train torn-store", 3, "train.images-00000.u8 is torn (5 bytes, not 147,456): prepare the store again"),
    ("train old-store", 3, "old-store is a store of version 0, this program reads 2: prepare it again"),
    # Runs.
    ("resume nowhere", 2, "nowhere is no run (no architecture.json in it)"),
    ("resume torn-run", 3, "96.safetensors is torn, or no .safetensors: restore it, or use another one"),
    ("resume moved-run", 3, "moved-run learned from /nowhere, which is gone: prepare it again there"),
    ("evaluate", 2, "required: RUN"),
    ("evaluate taken", 2, "taken is no run"),
    ("evaluate run --split tets", 2, "has no split tets: did you mean test?"),
    ("evaluate run --crops 3", 2, "crops=3 is unknown: choose 1 (centre), 2 (centre and mirror) or 10"),
    ("evaluate run --crops many", 2, "--crops: invalid int value: 'many'"),
    ("evaluate run --store nowhere", 2, "nowhere does not exist"),
    ("evaluate moved-run", 3, "learned from /nowhere, which is gone"),
    ("evaluate torn-run", 3, "best.safetensors is torn, or no .safetensors"),
    ("predict run", 2, "there is no picture: give files"),
    ("predict run bad.jpg --top 0", 2, "--top 0 shows nothing: give 1 or more"),
    ("predict run hollow", 2, "there is no picture: give files"),
    ("predict run bad.jpg", 3, "bad.jpg: not a picture"),
    ("predict run gone.jpg", 3, "gone.jpg: no such file"),
    ("predict torn-run/best.safetensors bad.jpg", 3, "best.safetensors is torn, or no .safetensors"),
    ("filters taken", 2, "taken is no run"),
    # Stores.
    ("prepare", 2, "required: KIND"),
    ("prepare folders taken new", 2, "folders is unknown: did you mean folder?"),
    ("prepare shapes", 2, "required: STORE"),
    ("prepare shapes taken", 2, "taken exists and is not a store: choose another place, or move it away"),
    ("prepare shapes new --side 0", 2, "side must be from 1 to 4096, not 0"),
    ("prepare shapes new --count 3", 2, "count must be 16 or more, not 3"),
    ("prepare shapes new --workers -1", 2, "workers must be 0 (one a core) or more, not -1"),
    ("prepare shapes new --limit train", 2, "--limit train is not understood: write SPLIT=N, as train=5000"),
    ("prepare shapes new --limit train=²", 2, "--limit train=² is not understood"),
    ("prepare shapes new --limit trian=20", 2, "no split trian to limit: did you mean train?"),
    ("prepare folder one-class new", 2, "one-class holds one class folder (cats)"),
    ("prepare folder hollow new", 2, "hollow holds no class folders"),
    ("prepare folder nowhere new", 2, "nowhere is not a folder"),
    ("prepare cifar10 hollow new", None, "hollow"),
    ("data nowhere", 2, "nowhere does not exist"),
    ("verify taken", 2, "taken is not a store"),
    # The rest.
    ("info papper", 2, "unknown architecture papper: did you mean paper?"),
    ("info paper --classes 0", 2, "a network needs at least 1 class, not 0"),
    ("info paper --classes ten", 2, "--classes: invalid int value: 'ten'"),
    ("info --recipe fats", 2, "unknown recipe fats"),
    ("reproduce nothing", 2, "unknown experiment nothing"),
    ("reproduce write-up-004", 2, "needs real pictures: give --data DIR"),
    ("reproduce write-up-004 --data hollow", None, "hollow"),
    ("demo --out taken", 2, "taken holds other things than a demo's: give --out a new folder"),
]


def contents(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if not path.name.endswith(".lock")}


@pytest.mark.parametrize(("line", "code", "message"), BAD, ids=[line or "nothing" for line, *_ in BAD])
def test_a_wrong_command_is_one_clear_line_and_writes_nothing(here, command, monkeypatch, line, code, message):
    monkeypatch.delenv("ALEXNET_DATA", raising=False)
    before = contents(here)
    done = command(*line.split())
    assert done.code == code or (code is None and done.code in (2, 3))
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.endswith("\n")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert "Traceback" not in done.err
    assert len(done.err) < 500
    assert contents(here) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_gpu_that_is_not_there_is_refused(here, command, device):
    done = command("evaluate", "run", "--device", device)
    assert (done.code, done.err) == (2, f"error: --device {device} is not there: use cpu, or auto\n")


@pytest.mark.parametrize(("line", "code"), [("trian", 2), ("train nowhere", 2), ("verify taken --json", 2)])
def test_a_process_of_its_own_leaves_with_the_same_code(here, line, code):
    done = outside(*line.split(), cwd=here)
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [["train", "nowhere", "--debug"], ["data", "--debug", "nowhere"]])
def test_debug_shows_where_an_error_comes_from(tmp_path, words):
    done = outside(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert b"Traceback" in done.stderr
    assert b"UsageError: nowhere does not exist" in done.stderr


def raising(error):
    def verb(options):
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("two\nlines"), 1, "error: ValueError: two lines (unforeseen: --debug shows where)\n"),
        (MemoryError(), 1, "error: there is not enough memory for this: lower --batch-size, or stop other programs\n"),
        (PermissionError(13, "Permission denied", "x"), 1, "error: x is not open to you (Permission denied): check"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_what_nobody_foresaw_is_one_line_too(command, monkeypatch, error, code, line):
    monkeypatch.setattr("alexnet.cli.looking.run_data", raising(error))
    done = command("data", "store")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(line)
    assert done.err.count("\n") == 1
    if code == 1:
        with pytest.raises(type(error)):
            main(["data", "store", "--debug"])


def test_version_and_help_leave_with_0(command):
    assert command("--version").out == f"alexnet {version('alexnet')}\n"
    done = command("train", "--help")
    assert (done.code, done.err) == (0, "")
    assert "--batch-size" in done.out


def test_every_verb_and_kind_has_a_help_of_its_own(command):
    def parsers(one):
        for action in one._actions:
            for name, below in (getattr(action, "choices", None) or {}).items() if action.dest in VERBS else ():
                yield [name], below
                yield from (([name, *rest], lower) for rest, lower in parsers(below))

    VERBS = ("verb_name", "kind")
    found = list(parsers(parser()))
    assert len(found) >= 14
    for words, one in found:
        assert isinstance(one, Parser)
        done = command(*words, "--help")
        assert done.code == 0
        assert done.out.startswith(f"usage: alexnet {' '.join(words)} ")
        assert "--debug" in done.out


# What the shell may do.


@pytest.mark.parametrize("words", [["info", "paper"], ["--help"], ["train", "--help"]])
def test_a_reader_that_has_enough_is_no_error(words):
    reader, writer = os.pipe()
    os.close(reader)
    done = outside(*words, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_are_no_error(closed):
    line = f"{sys.executable} -m alexnet info paper {closed}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    line = f"{sys.executable} -m alexnet data nowhere {closed}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stdout == b""


def test_a_terminal_without_our_letters_shows_others(tmp_path):
    done = outside("info", "paper", env={"PYTHONIOENCODING": "ascii", "COLUMNS": "40"}, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"96\xd755\xd755" in done.stdout


def test_a_home_is_not_needed(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "ALEXNET_DATA")}
    done = subprocess.run([*ALEXNET, "info"], env=environment, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


WORDS = (
    "train resume evaluate predict filters info prepare folder cifar10 data verify nowhere paper - -- -1 = --= --x=1 "
    "--lr --vary side=0 --recipe --json --top --help --classes 9999999999999999 --split --seed --limit train=1 ä \udcff"
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=some.lists(some.sampled_from(["", *WORDS.split(" ")]), max_size=6))
def test_no_line_of_words_ends_in_a_traceback(command, words):
    done = command(*words)
    assert done.code in (0, 2, 3)
    assert "unforeseen" not in done.err
    assert done.err.count("\n") == (done.code != 0)


def test_stopped_before_it_is_read_it_says_so(monkeypatch, capsys):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr("alexnet.cli.main", stopped)
    assert entry.main() == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_without_standard_error_it_works(tiny_store, tmp_path):
    words = f"train {tiny_store} --arch cifar-18pct --vary side=24 --epochs 1 --batch-size 16 --run closed"
    done = subprocess.run(
        ["bash", "-c", f"exec {sys.executable} -m alexnet {words} 2>&-"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "closed" / "log.jsonl").read_text().count("\n") == 1


def test_what_fails_in_the_wake_of_an_interruption_is_none_of_its_own(monkeypatch, capsys):
    def run(arguments):
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("cannot release un-acquired lock")

    monkeypatch.setattr("alexnet.cli.run", run)
    assert main(["info"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"

"""Tests of alexnet.cli.learning: train, resume, demo; and Ctrl-C typed on a terminal."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from alexnet.data.preparation import prepare
from alexnet.experiments import demo
from alexnet.recipes import load_recipe
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.run import Run

QUICK = ["--arch", "cifar-18pct", "--vary", "side=24", "--epochs", "1", "--batch-size", "16"]
QUICK += ["--warmup-epochs", "0", "--precision", "float32"]


def test_train_prints_where_everything_is(command, tiny_store):
    done = command("train", tiny_store, *QUICK, "--run", "mine")
    assert done.code == 0
    first, *pictures = done.out.splitlines()
    assert re.fullmatch(r"mine: val top-1 \d+\.\d\d%, the best epoch's, after 48 images", first)
    assert pictures == ["  mine/curves.png", "  mine/filters.png"]
    assert all(Path(line.strip()).stat().st_size > 1000 for line in pictures)
    figures = r"lr \S+ · loss \S+ · top-1 \S+% · val loss \S+ · val top-1 \S+% · [\d,]+ images/s · \d+ s"
    assert re.fullmatch(rf"note: CPU, 1 thread · .+\nepoch 1/1 · {figures} · saved in \d+\.\d s\n", done.err)


def test_what_is_asked_is_what_is_learned(command, tiny_store, tmp_path):
    (tmp_path / "mine.toml").write_text('base = "fast"\nlabel_smoothing = 0.2\nmirror = 0.0\nepochs = 7\n')
    flags = ["--lr_steps", "1", "2", "--schedule=steps", "--no-bias-weight-decay", "--mirror", "1"]
    vary = ["--vary", "response_norm=off", "--vary", "activation=tanh"]
    assert command("train", tiny_store, *QUICK, *vary, *flags, "--recipe", "mine.toml", "--run", "mine").code == 0
    run = Run("mine")
    wanted = {"label_smoothing": 0.2, "mirror": 1.0, "epochs": 1, "lr_steps": (1, 2), "bias_weight_decay": False}
    assert {name: getattr(run.recipe, name) for name in wanted} == wanted
    assert run.architecture.name == "cifar-18pct side=24 response_norm=off activation=tanh"
    assert (run.architecture.classes, run.architecture.input) == (10, "deviation")


def test_with_weights_network_and_recipe_are_theirs_unless_named(command, tiny_store):
    assert command("train", tiny_store, *QUICK, "--run", "first").code == 0
    rest = ["--epochs", "1", "--batch-size", "16", "--warmup-epochs", "0", "--precision", "float32"]
    done = command("train", tiny_store, "--weights", "first", *rest, "--freeze", "conv1-conv2", "--layer-lr", "fc10=2")
    assert done.code == 0
    run = Run("runs/shapes-cifar-18pct")
    assert run.architecture == Run("first").architecture
    wanted = load_recipe("fine-tune").with_changes(
        epochs=1, batch_size=16, warmup_epochs=0, precision="float32", freeze={"conv1-conv2": 0}, layer_lr={"fc10": 2}
    )
    assert run.recipe == wanted
    before, after = (Checkpoint.read(path / "best.safetensors").part("network") for path in (Path("first"), run.path))
    moved = [name for name in before if not before[name].equal(after[name])]
    assert moved == ["conv3.bias", "conv3.weight", "fc10.bias", "fc10.weight"]
    fast = command("train", tiny_store, "--weights", "first", *rest, "--recipe", "fast", "--run", "fast")
    assert (fast.code, Run("fast").recipe.label_smoothing, Run("fast").recipe.lr) == (0, 0.1, 0.01)
    refused = command("train", tiny_store, "--weights", "first", "--arch", "cifar-13pct", *rest, "--run", "third")
    assert refused.code == 3
    assert "first is not of cifar-13pct" in refused.err
    assert not Path("third").exists()


def test_a_run_without_a_name_gets_a_new_folder(command, tiny_store):
    for name in ("runs/shapes-cifar-18pct", "runs/shapes-cifar-18pct-2"):
        assert command("train", tiny_store, *QUICK).out.startswith(f"{name}: val top-1")
        assert Run(name).log()


def test_resume_of_a_finished_run_says_what_it_reached(command, tiny_store):
    trained = command("train", tiny_store, *QUICK, "--run", "mine")
    Path("mine/curves.png").unlink()
    done = command("resume", "mine")
    assert (done.code, done.out, done.err) == (0, trained.out, "")


def test_the_same_command_again_goes_on_and_another_is_refused_by_the_difference(command, tiny_store):
    trained = command("train", tiny_store, *QUICK, "--run", "mine")
    again = command("train", tiny_store, *QUICK, "--run", "mine", "--save-every", "0.5")
    assert (again.code, again.out) == (0, trained.out)
    refused = command("train", tiny_store, *QUICK, "--lr", "0.5", "--vary", "response_norm=off", "--run", "mine")
    assert refused.code == 2
    assert "with other arguments (recipe: lr was 0.01, is 0.5; network: name was cifar-18pct side=24, is" in refused.err


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "often"])
def test_saving_every_so_often_wants_minutes(command, tiny_store, value):
    done = command("train", tiny_store, *QUICK, "--run", "mine", f"--save-every={value}")
    assert (done.code, Path("mine").exists()) == (2, False)
    assert done.err.startswith(f"error: --save-every: needs minutes, 0 or more, not {value}")


def test_resume_takes_a_store_that_has_moved(command, tiny_store, photo_store):
    trained = command("train", tiny_store, *QUICK, "--run", "mine")
    facts = Path("mine/store.json").read_text()
    Path("mine/store.json").write_text(facts.replace(str(tiny_store), "/nowhere"))
    gone = command("resume", "mine")
    assert (gone.code, "which is gone" in gone.err) == (3, True)
    other = command("resume", "mine", "--store", photo_store)
    assert (other.code, "is another store than" in other.err) == (3, True)
    assert command("resume", "mine", "--store", tiny_store).out == trained.out
    assert Path("mine/store.json").read_text() == facts


def test_without_matplotlib_the_rest_is_done(command, tiny_store, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = command("train", tiny_store, *QUICK, "--run", "mine")
    assert done.code == 0
    assert done.out.splitlines()[1:] == ["  mine/filters.png"]
    assert done.err.splitlines()[-1] == "not all was drawn: curves.png needs matplotlib: pip install 'alexnet[plot]'"


def test_curves_for_tensorboard_are_asked_for(command, tiny_store, tmp_path, monkeypatch):
    words = ("--arch", "cifar-18pct", "--epochs", 1, "--run", "seen", "--tensorboard")
    assert command("train", tiny_store, *words).code == 0
    assert len(list((tmp_path / "seen/tensorboard").glob("events.*"))) == 1
    monkeypatch.setattr("alexnet.runs.tensorboard.find_spec", lambda name: None)
    for refused in (("train", tiny_store, "--run", "other", "--tensorboard"), ("resume", "seen", "--tensorboard")):
        done = command(*refused)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "pip install 'alexnet[tensorboard]'" in done.err
    assert not (tmp_path / "other").exists()


def test_a_run_that_diverges_leaves_with_4(command, tiny_store):
    wild = ["--lr", "100", "--epochs", "30", "--schedule", "constant", "--vary", "response_norm=off"]
    done = command("train", tiny_store, *QUICK, *wild, "--run", "mine")
    assert done.code == 4
    assert re.match(
        r"error: the (loss|gradient|val loss|largest weight) is (nan|inf) in epoch \d+ after", done.err.splitlines()[-1]
    )
    assert "train again, into a new --run, with --lr 10 or a longer --warmup-epochs" in done.err


def test_the_demo_tells_its_accuracy_and_what_to_do_next(command, monkeypatch):
    def small(kind, source, path, **options):
        return prepare(kind, source, path, side=32, count=64, **options)

    monkeypatch.setattr(demo, "prepare", small)
    monkeypatch.setattr(demo, "NETWORK", demo.vary(demo.CIFAR_18PCT, "side=24"))
    monkeypatch.setattr(demo, "RECIPE", demo.RECIPE.with_changes(epochs=1, batch_size=16))
    for _ in range(2):  # the second replaces the first
        done = command("demo")
        assert done.code == 0
        lines = done.out.splitlines()
        assert lines[1:3] == ["  demo/run/curves.png", "  demo/run/filters.png"]
        assert re.fullmatch(r"test accuracy [01]\.\d{3} on 8 pictures that it never saw", lines[3])
        assert lines[4].startswith(
            "next: alexnet predict demo/run PICTURE, or your own pictures: alexnet prepare folder"
        )
    assert sorted(os.listdir("demo")) == [".store.lock", "run", "store"]


# Stopping a real process.


@pytest.fixture(scope="module")
def longer_store(tmp_path_factory):
    """Enough pictures for epochs of about a second."""
    path = tmp_path_factory.mktemp("store") / "longer"
    prepare("shapes", None, path, side=32, count=512)
    return path


LONGER = ["--arch", "cifar-18pct", "--epochs", "2", "--batch-size", "4", "--precision", "float32"]
LONGER += ["--optimizer", "adam", "--lr", "0.001", "--weight-average", "0.99"]


def end_of(run):
    """Give what a run ended with, but for how long it took."""
    tensors = Checkpoint.read(run.latest()).tensors
    log = [
        {name: value for name, value in row.items() if name not in ("seconds", "images_per_second")}
        for row in run.log()
    ]
    return {name: tensor.flatten().tolist() for name, tensor in tensors.items()}, log


@pytest.fixture(scope="module")
def longer_end(tmp_path_factory, longer_store):
    """What the run ends with that nobody stops."""
    from alexnet.cli import main

    path = tmp_path_factory.mktemp("run") / "whole"
    assert main(["train", str(longer_store), *LONGER, "--run", str(path)]) == 0
    return end_of(Run(path))


# What a shell does before it becomes a command: Ctrl-C on this terminal is then a signal for it.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def on_terminal(words, folder):
    """Start the command with a terminal of its own, as a shell does; its process and the terminal's other end."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL, sys.executable, "-m", "alexnet", *map(str, words)],
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    os.close(theirs)
    return process, ours


def read_all(terminal):
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # the other end is closed
            return shown
        if not piece:
            return shown
        shown += piece


def read_until_in_the_middle(terminal):
    """Read until the bar says that an epoch is under way."""
    shown = b""
    while not re.search(rb"epoch 1/2: +([1-9]|[1-6]\d)%\|", shown):
        shown += os.read(terminal, 1 << 16)
    return shown


@pytest.mark.parametrize(("way", "code"), [("ctrl-c", 130), pytest.param("sigterm", 143, marks=pytest.mark.slow)])
def test_a_stopped_process_says_how_to_go_on_and_ends_the_same(command, tmp_path, longer_store, longer_end, way, code):
    process, terminal = on_terminal(["train", longer_store, *LONGER, "--run", "mine"], tmp_path)
    shown = read_until_in_the_middle(terminal)
    if way == "ctrl-c":
        os.write(terminal, b"\x03")
    else:
        process.send_signal(signal.SIGTERM)
    shown += read_all(terminal)
    assert process.wait(20) == code
    os.close(terminal)
    last = [line.strip() for line in shown.decode().replace("\r", "\n").splitlines() if line.strip()][-1]
    assert re.fullmatch(r"error: stopped after \d+ images; go on with: alexnet resume mine", last)
    assert b"Traceback" not in shown
    stopped = Checkpoint.read(Run(tmp_path / "mine").latest()).facts
    assert 0 < stopped["images_seen"] < 384
    assert stopped["images_seen"] == 4 * stopped["batch"]

    assert command("resume", "mine").code == 0
    assert Run("mine").latest().name == "768.safetensors"
    assert end_of(Run("mine")) == longer_end


def test_a_terminal_that_closes_loses_nothing(command, tmp_path, longer_store, longer_end):
    process, terminal = on_terminal(["train", longer_store, *LONGER, "--run", "mine"], tmp_path)
    read_until_in_the_middle(terminal)
    os.close(terminal)
    assert process.wait(20) == 129
    assert 0 < Checkpoint.read(Run(tmp_path / "mine").latest()).facts["images_seen"] < 384
    assert command("resume", "mine").code == 0
    assert end_of(Run("mine")) == longer_end


# What the network is shown.


def test_an_input_that_the_start_would_put_aside_is_refused(command, tiny_store):
    done = command("train", tiny_store, *QUICK, "--vary", "input=raw-2012", "--run", "mine")
    assert (done.code, Path("mine").exists()) == (2, False)
    assert "--vary input=raw-2012 goes against start=he" in done.err
    given = [*QUICK, "--start", "architecture", "--vary", "input=raw-2012", "--run", "mine"]
    assert command("train", tiny_store, *given).code == 0
    assert Run("mine").architecture.input == "raw-2012"
    # He's own input may be said; the printed start is refused on it.
    assert command("train", tiny_store, *QUICK, "--vary", "input=deviation", "--run", "he").code == 0
    assert not Run("he").architecture.dead_start_allowed
    refused = command("train", tiny_store, *QUICK, "--start", "architecture", "--vary", "input=deviation")
    assert "such a network stays at ln(classes)" in refused.err


def test_weights_that_do_not_tell_their_pixels_are_said_and_may_be_given_them(command, tiny_store):
    assert command("train", tiny_store, *QUICK, "--run", "first").code == 0
    exported = command("export", "first", "mine.pth")
    assert "note: mine.pth does not tell its pixels: RGB of 0–255 minus the mean picture" in exported.err
    rest = [*QUICK, "--recipe", "fast", "--start", "architecture"]
    untold = command("train", tiny_store, "--weights", "mine.pth", *rest, "--run", "raw")
    assert "note: mine.pth does not tell which pixels it expects: it gets RGB of 0–255 minus the mean" in untold.err
    told = command("train", tiny_store, "--weights", "mine.pth", *rest, "--vary", "input=deviation", "--run", "told")
    assert (told.code, Run("told").architecture.input) == (0, "deviation")
    assert "does not tell" not in told.err


def test_no_name_of_weights_is_refused(command, tiny_store):
    done = command("train", tiny_store, *QUICK, "--weights", "")
    assert (done.code, done.out) == (2, "")
    assert "no weights are named" in done.err

"""Tests of alexnet.training.loop."""

import itertools
import json
import math
import shutil
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet import durable
from alexnet.catalogue import CIFAR_18PCT
from alexnet.data.preparation import prepare
from alexnet.data.store import Store
from alexnet.durable import lock
from alexnet.errors import AlexNetError, DataError, Diverged, Interrupted, UsageError
from alexnet.evaluation import Evaluation, evaluate
from alexnet.machine import compiled
from alexnet.nn.network import Network, initialise
from alexnet.recipes import FAST
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.journal import Journal
from alexnet.runs.run import Run
from alexnet.runs.trained import Trained
from alexnet.training import computing, gradients, preflight
from alexnet.training import learner as learner_module
from alexnet.training import loop as training
from alexnet.training.learner import Learner
from alexnet.training.loop import resume, train
from alexnet.variations import vary
from alexnet.weights import Weights

CPU = torch.device("cpu")
TIMES = ("images_per_second", "seconds")
# Recipes that together have everything that changes in training.
RECIPES = {
    "nesterov": {"epochs": 3},
    "adam and averaged weights": {"optimizer": "adam", "lr": 0.002, "weight_average": 0.9, "epochs": 3},
    "the paper's, with every change of the pictures": {
        **{"optimizer": "paper", "schedule": "plateau", "warmup_epochs": 0, "lr_patience": 1, "epochs": 3},
        **{"crop": "random-resized", "rotation": 10, "colour_noise": 0.1, "colour_probability": 0.5, "batch_size": 20},
    },
}


@pytest.fixture
def start(tmp_path, tiny_store, tiny_network, tiny_recipe):
    """Train the tiny network by the tiny recipe with some changes."""

    def started(name="run", network=tiny_network, store=tiny_store, **changes):
        return train(store, network, tiny_recipe.with_changes(**changes), tmp_path / name)

    return started


def state(run):
    """All that a run ended with, but for how long it took."""
    end = Checkpoint.read(run.latest())
    tensors = {name: tensor.flatten().tolist() for name, tensor in end.tensors.items()}
    facts = {name: value for name, value in end.facts.items() if name not in ("history", "tally")}
    log = [{name: value for name, value in row.items() if name not in TIMES} for row in run.log()]
    best = Checkpoint.read(run.path / "best.safetensors").tensors
    return tensors, facts, log, {name: tensor.flatten().tolist() for name, tensor in best.items()}


# A run.


def updates(run):
    return [json.loads(line) for line in (run.path / "updates.jsonl").read_text().splitlines()]


def test_the_first_updates_are_logged_ten_at_a_time(start):
    run = start(batch_size=4, epochs=2)  # twelve updates an epoch
    rows = updates(run)
    assert [(row["update"], row["images_seen"]) for row in rows] == [(10, 40), (12, 48), (20, 80), (24, 96)]
    log = run.log()
    # Twelve updates of four pictures: the epoch's mean is that of its rows, weighed by their updates.
    first = (10 * rows[0]["loss"] + 2 * rows[1]["loss"]) / 12
    assert first == pytest.approx(log[0]["train_loss"], rel=1e-6)
    assert (10 * rows[0]["top1"] + 2 * rows[1]["top1"]) / 12 == pytest.approx(log[0]["train_top1"])
    assert rows[-1]["lr"] == log[-1]["lr"]


@pytest.mark.parametrize(("most", "epochs"), [(2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (100, 2)])
def test_training_ends_after_so_many_updates(start, most, epochs):
    run = start(max_updates=most, weight_average=0.5)  # three updates an epoch, two epochs
    end = Checkpoint.read(run.latest()).facts
    assert (end["epoch"], end["average_updates"]) == (epochs, min(most, 6))
    assert end["images_seen"] == 16 * min(most, 6) == updates(run)[-1]["images_seen"]
    assert len(run.log()) == epochs
    assert resume(run.path).latest() == run.latest()


def test_a_run_cut_by_its_updates_and_stopped_before_its_end_goes_on_to_it(start, tmp_path, stop_at_check, monkeypatch):
    whole = start("whole", max_updates=2)
    stop_at_check(2)
    with pytest.raises(Interrupted):
        start("stopped", max_updates=2)
    monkeypatch.undo()
    assert state(resume(tmp_path / "stopped")) == state(whole)


def change_recipe(run, **changes):
    recipe = json.loads((run.path / "recipe.json").read_text())
    (run.path / "recipe.json").write_text(json.dumps(recipe | changes))


@pytest.mark.parametrize("most", [0, 3, 5, 100])
@pytest.mark.parametrize("epochs", [1, 2])
def test_an_epoch_that_was_cut_short_is_not_made_up(start, epochs, most):
    run = start(max_updates=2, epochs=epochs)  # three updates an epoch
    change_recipe(run, max_updates=most)
    before = state(run)
    with pytest.raises(UsageError, match=r"max_updates 2 cut epoch 1 short, .*: put 2 back into recipe.json, or train"):
        resume(run.path, allow_changes=True)
    assert state(run) == before
    change_recipe(run, max_updates=2)
    assert state(resume(run.path)) == before
    change_recipe(run, max_updates=1)
    assert state(resume(run.path, allow_changes=True)) == before


def test_more_updates_may_follow_a_whole_epoch(start):
    whole = start("whole", max_updates=5, schedule="constant")
    run = start("more", max_updates=3, schedule="constant")
    change_recipe(run, max_updates=5)
    learned, expected = (state(one) for one in (resume(run.path, allow_changes=True), whole))
    assert learned[2:] == expected[2:]


def test_frozen_layers_do_not_move_and_those_frozen_late_stop_then(start, tiny_network, tiny_recipe):
    first = initialise(Network(tiny_network.with_he_start()), tiny_recipe.seed).state_dict()
    one = Checkpoint.read(start("one", epochs=1).latest()).part("network")
    run = start("run", epochs=3, schedule="constant", freeze={"conv1-conv2": 0, "fc7": 1})
    end, constant = Checkpoint.read(run.latest()).part("network"), start("c", epochs=1, schedule="constant")
    middle = Checkpoint.read(constant.latest()).part("network")
    assert all(not torch.equal(first[name], one[name]) for name in first)
    moved = {name.split(".")[0] for name in first if not torch.equal(first[name], end[name])}
    assert moved == {"conv3", "fc6", "fc7", "fc8"}
    late = start("late", epochs=3, schedule="constant", freeze={"fc7": 1})
    kept = Checkpoint.read(late.latest()).part("network")
    assert torch.equal(kept["fc7.weight"], middle["fc7.weight"])
    assert not torch.equal(kept["fc8.weight"], middle["fc8.weight"])


# Pretrained weights.


def pretrained(network, **changes):
    """Weights whose every number is 0.25, without those of fc7 and fc8."""
    tensors = {name: torch.full_like(tensor, 0.25) for name, tensor in Network(network).state_dict().items()}
    tensors = {name: tensor for name, tensor in tensors.items() if name[:3] not in ("fc7", "fc8")}
    facts = {"source": "quarters", "digest": "0", "architecture": None, "input": "imagenet", "classes": None}
    return Weights(tensors=tensors, **facts | {"statistics": None} | changes)


@pytest.fixture
def begin(tmp_path, tiny_store, tiny_network, tiny_recipe):
    """Train the tiny network by the tiny recipe with some changes, from weights."""

    def begun(weights, name="run", **changes):
        recipe = tiny_recipe.with_changes(**{"start": "architecture", **changes})
        return train(tiny_store, tiny_network, recipe, tmp_path / name, weights=weights)

    return begun


def test_training_begins_with_the_weights_and_sees_the_pixels_that_they_expect(
    begin, tiny_network, tiny_recipe, capsys
):
    run = begin(pretrained(tiny_network), lr=0.0)  # a rate of 0 leaves everything where it began
    end, fresh = Checkpoint.read(run.latest()).part("network"), initialise(Network(tiny_network)).state_dict()
    for name, tensor in end.items():
        wanted = fresh[name] if name[:3] in ("fc7", "fc8") else torch.full_like(tensor, 0.25)
        assert torch.equal(tensor, wanted), name
    assert run.architecture.input == "imagenet" == Run(run.path).trained().view.convention
    assert json.loads((run.path / "weights.json").read_text()) == {"source": "quarters", "digest": "0"}
    assert "note: quarters has no fc7 or fc8: they start anew" in capsys.readouterr().err


def test_weights_keep_their_pixels_when_the_new_layers_start_as_he_has_it(begin, tiny_network):
    run = begin(pretrained(tiny_network), lr=0.0, start="he")
    assert run.architecture.input == "imagenet"
    assert {row.weights for row in run.architecture.start} == {"he"}
    assert begin(pretrained(tiny_network, input=None), "other", start="he").architecture.input == "deviation"


def test_weights_of_another_network_are_refused_before_a_run_is_made(begin, tiny_network, tmp_path):
    wrong = pretrained(tiny_network)
    wrong.tensors["conv1.weight"] = torch.zeros(3, 3)
    with pytest.raises(DataError, match=r"quarters is not of tiny: 1 of \d+ weights differ, the first is conv1.weight"):
        begin(wrong)
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_trained_further_begins_where_the_other_ended(begin, tiny_run, tiny_network):
    best = Checkpoint.read(tiny_run / "best.safetensors").part("network")
    run = begin(tiny_run, lr=0.0)
    end = Checkpoint.read(run.latest()).part("network")
    assert all(torch.equal(end[name], best[name]) for name in best)
    assert run.architecture.input == Run(tiny_run).architecture.input


def test_a_run_from_weights_goes_on_without_them_and_before_its_first_checkpoint_reads_them_again(
    begin, tiny_run, tmp_path, stop_at_check, monkeypatch
):
    source = tmp_path / "source"
    shutil.copytree(tiny_run, source)
    whole = begin(source, "whole")
    stop_at_check(2)
    with pytest.raises(Interrupted):
        begin(source, "stopped")
    monkeypatch.undo()
    stopped = tmp_path / "stopped"
    early = shutil.copytree(stopped, tmp_path / "early")
    (early / "latest.json").unlink()  # as a run has it that was killed at once
    shutil.rmtree(early / "checkpoints")
    (early / "checkpoints").mkdir()
    assert state(resume(early)) == state(whole)
    (early / "latest.json").unlink()
    shutil.rmtree(early / "checkpoints")
    (early / "log.jsonl").unlink()
    (source / "best.safetensors").write_bytes((source / Run(source).latest()).read_bytes())
    with pytest.raises(DataError, match=r"source holds other weights than .*early began with: put those back"):
        resume(early)
    shutil.rmtree(source)
    assert state(resume(stopped)) == state(whole)


def test_without_shuffling_every_epoch_has_the_order_of_the_first(start, monkeypatch):
    seen = []
    order = training.order
    monkeypatch.setattr(training, "order", lambda *arguments: seen.append(arguments) or order(*arguments))
    start("a", epochs=2)
    start("b", epochs=2, shuffle=False)
    assert [epoch for _, _, epoch in seen] == [0, 1, 0, 0]


def test_a_layer_that_the_network_has_not_is_refused_before_a_run_is_made(start, tmp_path):
    for field in ("freeze", "layer_lr", "layer_weight_decay"):
        with pytest.raises(UsageError, match=f"{field}: the network has no layer conv9"):
            start(**{field: {"conv9": 1}})
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_freezes_all_before_its_end_is_refused_before_a_run_is_made(start, tmp_path):
    with pytest.raises(UsageError, match="freeze leaves nothing to train from epoch 1 on, and epochs=2"):
        start(freeze={"conv1-fc8": 1})
    assert not (tmp_path / "run").exists()


def test_the_log_has_a_row_an_epoch_with_the_keys_of_the_design(tiny_run):
    rows = [json.loads(line) for line in (tiny_run / "log.jsonl").read_text().splitlines()]
    keys = ["epoch", "images_seen", "lr", "train_loss", "train_top1", "val_loss", "val_top1", "val_top5"]
    assert [list(row) for row in rows] == [[*keys, *TIMES]] * 2
    assert [(row["epoch"], row["images_seen"]) for row in rows] == [(1, 48), (2, 96)]
    assert all(math.isfinite(value) and value >= 0 for row in rows for value in row.values())


def test_the_rate_in_the_log_is_that_of_the_epochs_last_update(tiny_run, tiny_recipe):
    # Three updates in each of two epochs; the rate falls from the end of half an epoch to the end of training.
    share = [1 - (epoch + 2.5 / 3 - 0.5) / 1.5 for epoch in range(2)]
    assert [row["lr"] for row in Run(tiny_run).log()] == pytest.approx([tiny_recipe.lr * part for part in share])


def test_the_log_is_what_evaluation_says_of_the_network(tiny_run, tiny_store):
    trained = Trained.of(Checkpoint.read(Run(tiny_run).latest()), CPU)
    measured = evaluate([trained], Store(tiny_store).splits["val"])
    last = Run(tiny_run).log()[-1]
    assert (last["val_loss"], last["val_top1"], last["val_top5"]) == (measured.loss, measured.top1, measured.top5)


def test_every_picture_is_seen_once_an_epoch(start, monkeypatch):
    seen = []
    batches = computing.batches

    def watched(*arguments):
        for batch in batches(*arguments):
            seen.append(batch.indices)
            yield batch

    monkeypatch.setattr(computing, "batches", watched)
    start(batch_size=20)
    assert [len(indices) for indices in seen] == [20, 20, 8] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == list(range(48))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_equal_runs_are_equal_bit_for_bit(start, recipe):
    assert state(start("one", **recipe)) == state(start("two", **recipe))


def test_another_seed_is_another_run(start):
    assert state(start("one"))[0] != state(start("two", seed=1))[0]


def test_training_changes_the_network_and_bfloat16_changes_it_otherwise(start):
    ends = [state(start(precision, precision=precision))[0] for precision in ("float32", "bfloat16")]
    assert ends[0]["network.conv1.weight"] != ends[1]["network.conv1.weight"]
    assert ends[0]["network.conv1.weight"] == pytest.approx(ends[1]["network.conv1.weight"], abs=0.02)


# Stopping and going on.


@pytest.mark.parametrize("check", [1, 3, 4, 5, 7, 12])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_stopped_run_ends_like_one_that_never_stopped(start, stop_at_check, monkeypatch, recipe, check):
    # Each epoch has three updates and a batch of validation: twelve chances to stop.
    whole = start("whole", **recipe)
    stop_at_check(check)
    with pytest.raises(Interrupted, match=r"stopped after \d+ images; go on with: alexnet resume .*/stopped"):
        start("stopped", **recipe)
    monkeypatch.undo()
    stopped = whole.path.with_name("stopped")
    seen = int(Run(stopped).latest().stem)
    assert 0 < seen <= 144
    assert state(resume(stopped)) == state(whole)


def test_a_run_that_is_stopped_again_and_again_ends_the_same(start, stop_at_check, monkeypatch):
    whole = start("whole", epochs=3)
    path = whole.path.with_name("stopped")
    stops = 0
    while True:
        stop_at_check(2)
        try:
            resume(path) if path.exists() else start("stopped", epochs=3)
        except Interrupted:
            stops += 1
            monkeypatch.undo()
        else:
            break
    assert stops > 3
    assert state(Run(path)) == state(whole)


def kill_at(monkeypatch, number, count, times=1):
    """Send this process a signal before its nth update, really."""
    updates = itertools.count(1)
    set_rate = learner_module.set_rate

    def signalled(*arguments):
        if next(updates) == count:
            for _ in range(times):
                signal.raise_signal(number)
        set_rate(*arguments)

    monkeypatch.setattr(learner_module, "set_rate", signalled)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_after_the_update_and_saves(start, tmp_path, monkeypatch, number, code):
    before = signal.getsignal(number)
    kill_at(monkeypatch, number, 2)
    with pytest.raises(Interrupted, match="stopped after 32 images") as caught:
        start()
    assert caught.value.exit_code == code
    assert Run(tmp_path / "run").latest().name == "32.safetensors"
    assert signal.getsignal(number) is before


def test_a_second_signal_ends_at_once_and_leaves_the_last_checkpoint(start, tmp_path, monkeypatch):
    kill_at(monkeypatch, signal.SIGINT, 5, times=2)
    with pytest.raises(KeyboardInterrupt):
        start()
    assert Checkpoint.read(Run(tmp_path / "run").latest()).facts["images_seen"] == 48


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(start, tmp_path, monkeypatch):
    kill_at(monkeypatch, signal.SIGINT, 1, times=2)
    with pytest.raises(KeyboardInterrupt):
        start("killed")
    monkeypatch.undo()
    assert not Run(tmp_path / "killed").has_checkpoint
    assert state(resume(tmp_path / "killed")) == state(start("whole"))


def test_a_signal_during_the_last_save_is_too_late(start, monkeypatch):
    write = Journal.write

    def signalled(self, rows):
        write(self, rows)
        if len(rows) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Journal, "write", signalled)
    assert len(start().log()) == 2


def test_a_finished_run_is_left_as_it_is(start):
    run = start()

    def content():  # without the lock, which says who held it, and when
        return {path: path.read_bytes() for path in run.path.rglob("[!.]*") if path.is_file()}

    before = content()
    resume(run.path)
    assert content() == before
    assert len(before) > 5


def test_a_finished_run_stays_that_of_its_store_whatever_is_allowed(start, tmp_path, capsys):
    run = start()
    before = (run.path / "store.json").read_bytes()
    other = prepare("shapes", None, tmp_path / "other", side=32, count=80)
    resume(run.path, store=other.path, allow_changes=True)
    assert (run.path / "store.json").read_bytes() == before
    assert "the end will be another" not in capsys.readouterr().err


def test_training_works_beside_the_main_thread(start):
    runs = []
    thread = threading.Thread(target=lambda: runs.append(start()))
    thread.start()
    thread.join()
    assert len(runs[0].log()) == 2


def test_rows_after_the_checkpoint_are_dropped_from_the_log(start, stop_at_check, monkeypatch, tmp_path):
    stop_at_check(6)
    with pytest.raises(Interrupted):
        start()
    monkeypatch.undo()
    with (tmp_path / "run" / "log.jsonl").open("a") as stream:
        stream.write('{"epoch": 2, "torn')
    assert [row["epoch"] for row in resume(tmp_path / "run").log()] == [1, 2]


@pytest.mark.skipif(compiled.library().functions is None, reason=compiled.library().told)
def test_compiled_kernels_learn_what_pytorchs_do(start):
    """Twenty updates in float32: the weights are the same but for rounding."""
    changes = {"epochs": 7, "max_updates": 20, "colour_noise": 0.1}
    ours = start("compiled", **changes).trained().network.state_dict()
    with compiled.without():
        theirs = start("separate", **changes).trained().network.state_dict()
    for name, expected in theirs.items():
        assert (ours[name] - expected).norm() <= 1e-5 * expected.norm(), name


def test_a_run_goes_on_by_the_kernels_that_it_began_with(start, stop_at_check, monkeypatch, capsys):
    with compiled.without():
        whole = state(start("whole"))
        stop_at_check(2)
        with pytest.raises(Interrupted):
            start("stopped")
    monkeypatch.undo()
    capsys.readouterr()
    assert state(start("stopped")) == whole  # the same arguments again
    told = capsys.readouterr().err
    assert "PyTorch's kernels (left out)" in told
    assert "round differently" not in told


@pytest.mark.skipif(compiled.library().functions is None, reason=compiled.library().told)
def test_a_run_that_cannot_have_its_kernels_any_longer_says_so(start, stop_at_check, monkeypatch, capsys):
    stop_at_check(2)
    with pytest.raises(Interrupted):
        start()
    monkeypatch.undo()
    with compiled.without():
        start()
    assert (
        f"with kernels {compiled.library().digest}, not PyTorch's: sums may now round diff" in capsys.readouterr().err
    )


def test_another_number_of_threads_is_told(tiny_run, tmp_path, capsys):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    resume(run)
    assert "threads" not in capsys.readouterr().err
    torch.set_num_threads(3)
    try:
        resume(run)
    finally:
        torch.set_num_threads(1)
    assert "note: it was trained with threads 1, not 3: sums may now round differently" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("recipe.json", {"lr": 0.5, "epochs": 9}, r"\(recipe: epochs was 2, is 9, lr was 0.02, is 0.5\): put"),
        ("recipe.json", {"epochs": 0}, "epochs=0 is out of range"),
        ("architecture.json", {"input_side": 40}, r"\(network: input_side was 24, is 40\): put that back, or"),
        ("architecture.json", {"layers": []}, "this is no description of a network"),
        ("store.json", {"digest": "0"}, "is another store than .* learned from"),
    ],
)
def test_a_run_that_was_meddled_with_is_not_resumed(tiny_run, tmp_path, file, change, message):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / file).write_text(json.dumps(json.loads((run / file).read_text()) | change))
    with pytest.raises((DataError, UsageError), match=message) as caught:
        resume(run)
    assert "\n" not in str(caught.value)


# Going wrong.


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_loss_that_is_not_finite_stops_before_the_update(start, tmp_path, monkeypatch, value):
    losses, updates = itertools.count(1), []
    cross_entropy, set_rate = gradients.F.cross_entropy, learner_module.set_rate

    def broken(*arguments, **options):
        loss = cross_entropy(*arguments, **options)
        return loss * float(value) if next(losses) == 5 else loss

    def watched(*arguments):
        updates.append(arguments)
        set_rate(*arguments)

    monkeypatch.setattr(gradients.F, "cross_entropy", broken)
    monkeypatch.setattr(learner_module, "set_rate", watched)
    with pytest.raises(Diverged) as caught:
        start()
    run = Run(tmp_path / "run")
    assert len(updates) == 4  # the fifth update was not made
    assert caught.value.exit_code == 4
    message = str(caught.value)
    assert message.startswith(f"the loss is {value} in epoch 2 after 1 updates, at rate 0.0")
    assert (
        f"the last good checkpoint is {run.latest()}; train again, into a new --run, with --lr 0.002 or a longer"
        in message
    )
    assert run.latest().name == "48.safetensors"
    assert len(run.log()) == 1


def test_a_rate_that_is_far_too_high_diverges_and_leaves_no_broken_checkpoint(start, tmp_path):
    with pytest.raises(Diverged, match=r"train again, into a new --run, with --lr 10 or a longer --warmup-epochs"):
        start(lr=100, warmup_epochs=0, schedule="constant", epochs=50, optimizer="sgd")
    for path in (tmp_path / "run").rglob("*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in Checkpoint.read(path).part("network").values())


@pytest.mark.parametrize("check", [None, 3])
def test_weights_that_are_not_finite_are_never_saved(start, tmp_path, stop_at_check, monkeypatch, check):
    updates, set_rate = itertools.count(1), learner_module.set_rate

    def broken(optimizer, rate, unfallen):
        # What a finite loss with an infinite gradient does, in the last update of the epoch.
        set_rate(optimizer, math.inf if next(updates) == 3 else rate)

    monkeypatch.setattr(learner_module, "set_rate", broken)
    if check:
        stop_at_check(check)
    with pytest.raises(Diverged, match=r"the largest weight is (nan|inf) in epoch 1 after 3 updates"):
        start()
    assert not list((tmp_path / "run").rglob("*.safetensors"))
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_loss_that_stays_where_it_began_is_reported_with_the_likely_cause(start, capsys):
    # The printed start of a small net, which waits: N(0, 0.01), and no update to speak of.
    start(start="architecture", lr=1e-9, stuck_after=5)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: the loss is still ln(10): the printed start can wait long on this plateau")


# Choosing.


def test_a_plateau_ends_a_run_early(start):
    # No error falls when nothing is learned: the first epoch is the best; the third and the fifth end the patience.
    rates = {"lr": 1e-12, "lr_patience": 2, "lr_drops": 1, "warmup_epochs": 0}
    run = start(schedule="plateau", epochs=50, stuck_after=0, **rates)
    assert [row["lr"] for row in run.log()] == pytest.approx([1e-12] * 3 + [1e-13] * 2)
    assert resume(run.path).log() == run.log()


@pytest.fixture
def measured(monkeypatch):
    """Let every evaluation come out as one after another of these top-1."""

    def arrange(*values):
        results = iter([Evaluation(value, 1.0, 1.0, 8, 1, 0.1) for value in values])
        monkeypatch.setattr("alexnet.training.learner.evaluate", lambda *_, **__: next(results))

    return arrange


def weights_after(run, name):
    part = Checkpoint.read(run.path / name).part("network")
    return part["fc8.weight"].tolist()


def test_the_best_network_is_chosen_by_val(start, measured):
    measured(0.5, 0.7, 0.7, 0.2)
    run = start(epochs=4)
    assert Checkpoint.read(run.path / "best.safetensors").facts["epoch"] == 2
    assert weights_after(run, "best.safetensors") != weights_after(run, "checkpoints/192.safetensors")


def test_without_val_nothing_is_chosen_by_test_and_the_last_network_is_the_best(start, tiny_store, measured):
    store = Store(tiny_store)
    del store.splits["val"]
    measured(0.5, 0.9, 0.1)
    run = start(store=store, epochs=3)
    assert Checkpoint.read(run.path / "best.safetensors").facts["epoch"] == 3
    assert weights_after(run, "best.safetensors") == weights_after(run, "checkpoints/144.safetensors")


def test_the_best_so_far_survives_a_stop(start, measured, stop_at_check, monkeypatch, tmp_path):
    measured(0.9)
    stop_at_check(5)  # in the second epoch
    with pytest.raises(Interrupted):
        start(epochs=3)
    monkeypatch.undo()
    measured(0.8, 0.7)
    assert Checkpoint.read(resume(tmp_path / "run").path / "best.safetensors").facts["epoch"] == 1


# What cannot be trained.


def test_fewer_images_than_a_batch_are_refused(start, tmp_path, tiny_store):
    message = "has 48 training images, fewer than a batch of 49: lower --batch-size"
    with pytest.raises(UsageError, match=f"{tiny_store} {message}"):
        start(batch_size=49)
    assert not (tmp_path / "run").exists()
    assert start(batch_size=48).log()


@pytest.mark.parametrize(("gone", "left"), [(("train",), "test, val"), (("val", "test"), "train")])
def test_a_store_without_the_splits_that_training_needs_is_refused(start, tmp_path, tiny_store, gone, left):
    store = Store(tiny_store)
    for name in gone:
        del store.splits[name]
    with pytest.raises(UsageError, match=f"has the splits {left}; training needs train, and val or test"):
        start(store=store)
    assert not (tmp_path / "run").exists()


def test_a_view_smaller_than_the_network_is_refused(start, tmp_path):
    with pytest.raises(UsageError, match="view_side=20 is smaller than the network's input of 24"):
        start(view_side=20)
    assert not (tmp_path / "run").exists()


def test_the_last_layer_gets_a_unit_a_class(start, photo_store):
    run = start(store=photo_store, batch_size=9)
    assert run.architecture.classes == 3
    assert all(row["val_top5"] is None for row in run.log())


# The truth.


def test_the_drawn_set_is_learned_and_wrong_labels_are_not(tmp_path, monkeypatch, capsys):
    """A small network learns most of what it is shown, and nothing where there is nothing to learn."""
    network = vary(CIFAR_18PCT, "side=28")
    recipe = FAST.with_changes(epochs=5, lr=0.03, precision="float32", stuck_after=200)
    store = prepare("shapes", None, tmp_path / "store", side=32, count=4000, workers=2)
    run = train(store, network, recipe, tmp_path / "true")
    assert evaluate([run.trained()], store.splits["test"]).top1 > 0.8
    assert "warning" not in capsys.readouterr().err

    wrong = Store(tmp_path / "store")
    wrong.splits["train"].labels[:] = np.random.default_rng(0).permutation(wrong.splits["train"].labels)
    learner = Learner(wrong, preflight.resolve(network, recipe, wrong), recipe, CPU)
    end = Run.create(tmp_path / "wrong", network, recipe, wrong)
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "finished", property(lambda self: self.epoch == 3))
        training.learn(learner, end)
    assert run.log()[2]["val_top1"] > 0.6
    assert end.log()[2]["val_top1"] < 0.2
    assert "the loss is still ln(10): labels may be wrong, or the rate too low" in capsys.readouterr().err


def test_two_trainings_of_one_run_are_refused(start, tmp_path, stop_at_check, monkeypatch):
    stop_at_check(2)
    with pytest.raises(Interrupted):
        start()
    monkeypatch.undo()
    with lock(tmp_path / "run" / ".lock", "run"), pytest.raises(AlexNetError, match=r"run is in use by another"):
        resume(tmp_path / "run")
    assert resume(tmp_path / "run").log()


def test_random_crops_without_room_are_told(start, tiny_network, capsys):
    start(network=replace(tiny_network, input_side=32), crop="random", pad=0)
    assert "note: pictures of 32 pixels have no room for random crops: give --view-side 37" in capsys.readouterr().err


# Never lost.


def test_the_same_arguments_again_go_on_and_others_are_refused(start, stop_at_check, monkeypatch, tmp_path, capsys):
    whole = start("whole")
    stop_at_check(5)
    with pytest.raises(Interrupted):
        start("stopped")
    monkeypatch.undo()
    with pytest.raises(UsageError, match=r"stopped exists already, with other arguments .recipe: lr was 0.02, is 0.5."):
        start("stopped", lr=0.5)
    capsys.readouterr()
    assert state(start("stopped")) == state(whole)
    assert "stopped was not finished: it goes on after 64 images" in capsys.readouterr().err
    kept = [path for path in whole.path.rglob("*.*") if path.is_file() and path.name != ".lock"]
    before = {path: path.read_bytes() for path in kept}
    start("whole")  # finished: left as it is
    assert {path: path.read_bytes() for path in before} == before


def test_saved_after_every_update_it_ends_the_same_from_any_of_them(
    tiny_store, tiny_network, tiny_recipe, start, tmp_path, monkeypatch
):
    whole, kept = start("whole"), tmp_path / "kept"
    save = Run.save

    def copied(self, checkpoint, images_seen):
        path = save(self, checkpoint, images_seen)
        shutil.copytree(self.path, kept / f"{checkpoint.facts['epoch']}-{checkpoint.facts['batch']}")
        return path

    monkeypatch.setattr(Run, "save", copied)
    ended = train(tiny_store, tiny_network, tiny_recipe, tmp_path / "often", save_every=0)
    monkeypatch.undo()
    assert state(ended) == state(whole)
    places = sorted(path.name for path in kept.iterdir())
    assert places == ["0-1", "0-2", "0-3", "1-0", "1-1", "1-2", "1-3", "2-0"]
    for place in places:
        assert state(resume(kept / place)) == state(whole), place


def test_a_damaged_checkpoint_is_passed_over_and_the_end_is_the_same(start, tmp_path, capsys):
    whole = start(epochs=3)
    run = Run(shutil.copytree(whole.path, tmp_path / "damaged"))
    data = bytearray((run.path / "checkpoints/144.safetensors").read_bytes())
    data[len(data) // 2] ^= 16
    (run.path / "checkpoints/144.safetensors").write_bytes(data)
    capsys.readouterr()
    assert state(resume(run.path)) == state(whole)
    told = capsys.readouterr().err
    assert "144.safetensors is damaged (its digest does not match)" in told
    assert f"going on from {run.path}/checkpoints/96.safetensors" in told


def test_where_every_checkpoint_is_damaged_nothing_is_begun_anew(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    for file in (run / "checkpoints").iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"96.safetensors is damaged"):
        resume(run)


def test_a_store_that_moved_is_taken_and_another_only_when_that_is_said(
    start, tmp_path, tiny_store, stop_at_check, capsys
):
    store = shutil.copytree(tiny_store, tmp_path / "store")
    other = prepare("shapes", None, tmp_path / "other", side=32, count=64, seed=1)
    stop_at_check(5)
    with pytest.raises(Interrupted):
        start(store=store)
    moved = store.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="which is gone: prepare it again there, or say with --store where it lies"):
        resume(tmp_path / "run")
    with pytest.raises(
        DataError, match=r"other is another store than .* learned from .digest \w{12}, was \w{12}.: say with"
    ):
        resume(tmp_path / "run", store=other.path)
    capsys.readouterr()
    stop_at_check(1)
    with pytest.raises(Interrupted):
        resume(tmp_path / "run", store=other.path, allow_changes=True)
    assert "note: store: its digest was" in capsys.readouterr().err
    assert Run(tmp_path / "run").store().path == other.path
    with pytest.raises(DataError, match="moved is another store than"):
        resume(tmp_path / "run", store=moved)


def test_a_run_whose_store_moved_ends_the_same(start, tmp_path, tiny_store, stop_at_check, monkeypatch):
    store, whole = shutil.copytree(tiny_store, tmp_path / "store"), start("whole")
    stop_at_check(5)
    with pytest.raises(Interrupted):
        start(store=store)
    monkeypatch.undo()
    moved = store.rename(tmp_path / "moved")
    assert state(resume(tmp_path / "run", store=moved)) == state(whole)
    assert Run(tmp_path / "run").store().path == moved


def test_a_changed_recipe_goes_on_when_that_is_said(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "recipe.json").write_text(json.dumps(json.loads((run / "recipe.json").read_text()) | {"epochs": 3}))
    with pytest.raises(
        DataError, match=r"recipe: epochs was 2, is 3.: put that back, or allow it with .*--allow-changes"
    ):
        resume(run)
    assert [row["epoch"] for row in resume(run, allow_changes=True).log()] == [1, 2, 3]


def test_a_gradient_that_is_not_finite_stops_before_the_update(start, tmp_path, monkeypatch):
    backward, steps, updates = torch.Tensor.backward, itertools.count(1), []
    set_rate = learner_module.set_rate
    monkeypatch.setattr(learner_module, "set_rate", lambda *rest: updates.append(rest) or set_rate(*rest))

    def broken(loss):
        backward(loss * math.inf if next(steps) == 5 else loss)

    monkeypatch.setattr(torch.Tensor, "backward", broken)
    with pytest.raises(
        Diverged, match=r"the gradient is (nan|inf) in epoch 2 after 1 updates, at rate 0.0.*--lr 0.002"
    ):
        start()
    assert len(updates) == 4
    assert Run(tmp_path / "run").latest().name == "48.safetensors"


def test_a_disk_without_room_is_told_before_a_run_is_made(start, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    with pytest.raises(AlexNetError, match=r"no room for the checkpoints of .*run: .* needed, 0.1 MB free there"):
        start()
    assert not (tmp_path / "run").exists()


def test_only_the_log_failing_stops_nothing(start, tmp_path, monkeypatch, capsys):
    def failing(path, data):
        raise AlexNetError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("alexnet.runs.journal.write_atomic", failing)
    run = start()
    assert not (run.path / "log.jsonl").exists()
    assert capsys.readouterr().err.count("warning: cannot write") == 1
    monkeypatch.undo()
    assert len(resume(run.path).log()) == 2


FAULTS = ("step-done", "epoch-measured", "checkpoint-begun", "checkpoint-half", "checkpoint-written")
FAULTS += ("checkpoint-pointed", "log-written")


def test_every_fault_point_of_training_is_passed_in_its_order(start, monkeypatch):
    passed = []
    for module in ("training.loop", "rotation", "runs.checkpoint"):
        monkeypatch.setattr(f"alexnet.{module}.fault", passed.append)
    start(epochs=1)
    assert passed == ["step-done"] * 3 + list(FAULTS[1:])
    assert set(FAULTS) < set(durable.FAULTS)


class Killed(BaseException):
    """Nothing that is passed by runs, but for what the test undoes."""


@pytest.mark.parametrize("point", FAULTS)
@pytest.mark.parametrize("count", [1, 2])
def test_a_run_killed_at_a_fault_point_ends_the_same_without_litter(start, tmp_path, monkeypatch, point, count):
    whole, passed = start("whole"), itertools.count(1)

    def fault(name):
        if name == point and next(passed) == count:
            raise Killed

    with monkeypatch.context() as patch:
        for module in ("training.loop", "rotation", "runs.checkpoint"):
            patch.setattr(f"alexnet.{module}.fault", fault)
        patch.setattr("pathlib.Path.unlink", lambda *_, **__: None)  # a kill leaves what it wrote
        with pytest.raises(Killed):
            start("killed")
    killed = resume(tmp_path / "killed")
    assert state(killed) == state(whole)

    def files(run):
        return sorted(path.relative_to(run.path).as_posix() for path in run.path.rglob("*"))

    assert files(killed) == files(whole)
    assert json.loads((killed.path / "latest.json").read_text())["images_seen"] == 96

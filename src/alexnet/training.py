"""The training loop (§5): a store, an architecture and a recipe in; a Run out."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet.architectures import INPUTS, Architecture
from alexnet.data.batches import batches
from alexnet.data.chance import Chance, order
from alexnet.data.store import Store
from alexnet.durable import lock
from alexnet.errors import Diverged, Interrupted, UsageError
from alexnet.learner import Learner, Tally
from alexnet.nn.network import arithmetic
from alexnet.progress import Progress, duration, say
from alexnet.recipe import Recipe
from alexnet.run import Checkpoint, Run
from alexnet.stuck import StuckWatch, likely_cause
from alexnet.weights import Weights, read


class Stopped(Exception):
    """A signal asked to stop, and nothing is in the middle of a change."""


@dataclass
class Stop:
    """Whether a signal asked to stop, and which."""

    signal: int | None = None

    def check(self) -> None:
        """Stop here if asked to."""
        if self.signal is not None:
            raise Stopped


@contextmanager
def stop_at_signals(learner: Learner, run: Run) -> Iterator[Stop]:
    """Let the first Ctrl-C or SIGTERM ask to stop at the next `check`, and save then; a second one ends at once."""
    stop = Stop()

    def ask(number: int, frame: object) -> None:
        if stop.signal is not None:
            raise KeyboardInterrupt
        stop.signal = number

    # Python lets only the main thread have a say in signals.
    heard = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield stop
    except Stopped:
        save_and_leave(learner, run, stop.signal or signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def learn(learner: Learner, run: Run) -> None:
    """Train until the recipe is done: the loop of §5, with a validation and a checkpoint after each epoch.

    Raises:
        Diverged: If the loss is not finite; the update is not made and the last checkpoint stays.
        Interrupted: After Ctrl-C or SIGTERM, when the state is saved.
    """
    recipe, network, device, split = learner.recipe, learner.network, learner.device, learner.store.splits["train"]
    run.cut_updates(learner.updates)
    watch = StuckWatch(
        len(learner.store.classes),
        recipe.stuck_after,
        updates=learner.updates,
    )
    with lock(run.path / ".lock", str(run.path)), stop_at_signals(learner, run) as stop:
        while not learner.finished:
            begun = time.perf_counter() - learner.tally.seconds
            sequence = order(len(split), recipe.seed, learner.epoch if recipe.shuffle else 0)
            sequence = sequence[: (learner.batch + learner.updates_left) * recipe.batch_size]
            if learner.batch == 0:
                torch.manual_seed(Chance(recipe.seed, learner.epoch, sequence[:1]).bits("layers")[0, 0] >> 1)
            network.train()
            what = f"epoch {learner.epoch + 1}/{recipe.epochs}"
            with Progress(what, len(sequence), done=learner.tally.images) as progress:
                for batch in batches(split, sequence[learner.batch * recipe.batch_size :], recipe.batch_size, device):
                    # Forward and backward.
                    pictures = learner.view.train(
                        batch.pictures, Chance(recipe.seed, learner.epoch, batch.indices), recipe
                    )
                    with arithmetic(device, recipe.precision):
                        scores = network(pictures)
                    loss = F.cross_entropy(scores.float(), batch.labels, label_smoothing=recipe.label_smoothing)
                    refuse_divergence("loss", loss, learner, run)
                    loss.backward()

                    # Update, count, show, and stop if asked to.
                    learner.update()
                    if row := learner.count(loss, scores, batch.labels):
                        run.log_update(row)
                    learner.tally.seconds = time.perf_counter() - begun
                    progress.advance(len(batch.labels), figures(learner.tally) if progress.due() else "")
                    if watch.update(loss):
                        cause = likely_cause(network.architecture, recipe)
                        say(f"warning: the loss is still ln({watch.classes}): {cause}")
                    stop.check()

            # After each pass: measure, perhaps lower the rate, save.
            finish_epoch(learner, run, stop)


def figures(tally: Tally) -> str:
    """Show the epoch so far."""
    loss, top1 = tally.figures()
    return f"loss {loss:.3f} · top-1 {top1:.1%}"


def refuse_divergence(what: str, value: Tensor, learner: Learner, run: Run) -> None:
    """Stop, before anything is made of it, at a loss or a weight that is not finite."""
    if torch.isfinite(value):
        return
    if row := learner.window():
        run.log_update(row)
    kept = f"the last good checkpoint is {run.latest()}" if run.has_checkpoint else "no checkpoint was saved yet"
    raise Diverged(
        f"the {what} is {value.item()} in epoch {learner.epoch + 1} after {learner.batch} updates, at rate "
        f"{learner.rate(learner.batch):.3g}; {kept}; train again with --lr {learner.recipe.lr / 10:g} or a longer "
        "--warmup-epochs"
    )


def finish_epoch(learner: Learner, run: Run, stop: Stop) -> None:
    """Validate, write the log's row, tell the schedule, and save."""
    tally, rate = learner.tally, learner.rate(learner.batch - 1)
    loss, top1 = tally.figures()
    with Progress(f"measuring {learner.watched.name}", len(learner.watched)) as progress:

        def measured(images: int) -> None:
            progress.advance(images)
            stop.check()

        result = learner.validate(measured)
    refuse_divergence("largest weight", learner.largest_weight(), learner, run)
    refuse_divergence(f"{learner.watched.name} loss", torch.tensor(result.loss), learner, run)
    learner.next_epoch()
    row: dict[str, Any] = {
        "epoch": learner.epoch,
        "images_seen": learner.images_seen,
        "lr": rate,
        "train_loss": loss,
        "train_top1": top1,
        "val_loss": result.loss,
        "val_top1": result.top1,
        "val_top5": result.top5,
        "images_per_second": tally.images / tally.seconds,
        "seconds": tally.seconds + result.seconds,
    }
    learner.history.append(row)
    learner.schedule.after_epoch(1 - result.top1)
    name, speed, time_taken = learner.watched.name, row["images_per_second"], duration(row["seconds"])
    say(
        f"epoch {learner.epoch}/{learner.recipe.epochs} · lr {rate:.2g} · loss {loss:.4f} · top-1 {top1:.1%} · "
        f"{name} loss {result.loss:.4f} · {name} top-1 {result.top1:.2%} · {speed:,.0f} images/s · {time_taken}"
    )
    # Where the test pictures are watched, nothing may be chosen by them: then the best network is the last one.
    better = result.top1 > learner.best_top1 if learner.watched.name == "val" else learner.finished
    if better:
        learner.best_top1 = result.top1
        learner.checkpoint(whole=False).write(run.path / "best.safetensors")
    run.save(learner.checkpoint(), learner.images_seen)
    run.write_log(learner.history)


def save_and_leave(learner: Learner, run: Run, number: int) -> None:
    """Save between two updates and end with the signal's exit code."""
    refuse_divergence("largest weight", learner.largest_weight(), learner, run)
    run.save(learner.checkpoint(), learner.images_seen)
    error = Interrupted(f"stopped after {learner.images_seen:,} images; go on with: alexnet resume {run.path}")
    error.exit_code = 128 + number
    raise error


def refuse_mismatch(store: Store, recipe: Recipe) -> None:
    """Refuse a store that the recipe or the network cannot learn from."""
    if "train" not in store.splits or not ("val" in store.splits or "test" in store.splits):
        found = ", ".join(sorted(store.splits))
        raise UsageError(
            f"{store.path} has the splits {found}; training needs train, and val or test: prepare it again"
        )
    pictures = len(store.splits["train"])
    if pictures < recipe.batch_size:
        few = f"{store.path} has {pictures} training images"
        raise UsageError(f"{few}, fewer than a batch of {recipe.batch_size}: lower --batch-size")


def resolve(architecture: Architecture, recipe: Recipe, store: Store, weights: Weights | None = None) -> Architecture:
    """Give the network that is trained: with the store's number of classes, the recipe's start, the weights' input."""
    architecture = architecture.with_classes(len(store.classes))
    if recipe.start == "he":
        architecture = architecture.with_he_start(recipe.first_layer_gain)
    if weights is None or weights.input in (None, architecture.input):
        return architecture
    # The first layer's start, which the input has to suit, is not used: its weights are there.
    return replace(architecture, input=weights.input, dead_start_allowed=True)


def train(
    store: Store | Path | str,
    architecture: Architecture,
    recipe: Recipe,
    path: Path | str,
    device: str = "cpu",
    weights: Weights | Path | str | None = None,
) -> Run:
    """Train a network from its start, or from pretrained weights.

    Args:
        store: Prepared pictures, or the folder that holds them.
        architecture: The network; its last layer is given as many units as the store has classes.
        recipe: Every number that decides what is learned.
        path: Folder of the run; new or empty.
        device: `cpu` or `cuda`.
        weights: What to begin with, as `alexnet.weights.read` takes it; layers that it lacks have their own start, and
            pictures reach the network as the weights expect them.

    Raises:
        UsageError: If store, architecture and recipe do not fit together, or the folder is in use.
        DataError: If the weights cannot be read, or are not of this network.
        Diverged: If the loss is not finite.
        Interrupted: After Ctrl-C.
    """
    store = store if isinstance(store, Store) else Store(Path(store))
    weights = read(weights) if isinstance(weights, Path | str) else weights
    architecture = resolve(architecture, recipe, store, weights)
    refuse_mismatch(store, recipe)
    learner = Learner(store, architecture, recipe, torch.device(device), weights)
    run = Run.create(Path(path), architecture, recipe, store, weights)
    for note in [*learner.notes, *_notes(learner, weights)]:
        say(f"note: {note}")
    if recipe.schedule == "plateau" and learner.watched.name == "test":
        say(f"note: {store.path} has no val: the test error lowers the rate, and is no fair measure after that")
    learn(learner, run)
    return run


def _notes(learner: Learner, weights: Weights | None) -> list[str]:
    """Say what is allowed, but seldom meant."""
    recipe, view, notes = learner.recipe, learner.view, []
    if weights is not None and weights.input is None:
        told = f"{weights.source} does not tell which pixels it expects"
        notes.append(f"{told}: it gets {INPUTS[view.convention]}; --vary input=… chooses others")
    if weights is not None and recipe.start == "he" and any("anew" in note for note in learner.notes):
        notes.append("new layers that start as He has it spoil pretrained ones: --start architecture learns sooner")
    if recipe.crop == "random" and view.view_side == view.side and not recipe.pad:
        room = f"pictures of {view.side} pixels have no room for random crops"
        notes.append(f"{room}: give --view-side {round(view.side * 8 / 7)}, or prepare them larger")
    return notes


def resume(path: Path | str, device: str = "cpu") -> Run:
    """Go on with a run from its newest checkpoint, or from its start; a finished run is left as it is.

    Raises:
        UsageError: If there is no run.
        DataError: If its store is gone or changed, or its checkpoint cannot be read.
    """
    run = Run(path)
    # A checkpoint has them already.
    weights = None if run.has_checkpoint else run.weights()
    learner = Learner(run.store(), run.architecture, run.recipe, torch.device(device), weights)
    if run.has_checkpoint:
        checkpoint = Checkpoint.read(run.latest())
        learner.restore(checkpoint)
        if checkpoint.facts["threads"] != torch.get_num_threads():
            threads = f"{checkpoint.facts['threads']} threads, not {torch.get_num_threads()}"
            say(f"note: {path} was trained with {threads}: sums may now round differently")
        run.write_log(learner.history)
    learn(learner, run)
    return run

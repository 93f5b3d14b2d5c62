"""The training loop (§5): a store, an architecture and a recipe in; a Run out."""

import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from alexnet import growth
from alexnet.architectures import Architecture
from alexnet.data import view_kernels
from alexnet.data.chance import Chance, order
from alexnet.data.store import Store
from alexnet.durable import fault
from alexnet.errors import DataError
from alexnet.machine import compiled
from alexnet.progress import Progress, duration, say
from alexnet.recipe import Recipe
from alexnet.rotation import refuse_full
from alexnet.runs.run import Run, held, refuse_taken
from alexnet.stopping import Stop
from alexnet.training.computing import Computing
from alexnet.training.divergence import Guard, NotFinite
from alexnet.training.learner import PYTORCH, Learner
from alexnet.training.preflight import notes, refuse_mismatch, resolve, say_notes
from alexnet.training.restoring import restored
from alexnet.training.saving import SAVE_EVERY, Saver
from alexnet.training.stuck import StuckWatch, likely_cause
from alexnet.training.tally import Tally
from alexnet.weights import Weights, read


def learn(
    learner: Learner, run: Run, save_every: float = SAVE_EVERY, repeatable: bool = False, tensorboard: bool = False
) -> None:
    """Train until the recipe is done: the loop of §5, with a validation and a checkpoint after each epoch.

    Args:
        learner: What learns.
        run: Its folder, held by the caller.
        save_every: Minutes between checkpoints within an epoch; 0: after every update.
        repeatable: Whether equal runs must give equal numbers on a GPU, too.
        tensorboard: Whether its curves are written for TensorBoard as well.

    Raises:
        Diverged: If loss or gradient is not finite; the update is not made and the last checkpoint stays.
        AlexNetError: If a checkpoint cannot be written; the last one stays.
        Interrupted: After Ctrl-C, SIGTERM or SIGHUP, when the state is saved.
    """
    split = learner.store.splits["train"]
    run.journal.cut(learner.updates)
    watch = StuckWatch(len(learner.store.classes), learner.recipe.stuck_after, updates=learner.updates)
    computing = Computing(learner.network, learner.recipe, split, learner.device, repeatable)
    say(f"note: {computing.told}")
    saver = Saver(learner, run, Guard(learner.network.parameters(), learner.optimizer), save_every)
    if not learner.updates:
        growth.keep(run.path, 0, learner.network)
    with run.journal.on_tensorboard(tensorboard), saver.leaving_well() as stop:
        while not learner.finished:
            go_through(saver, computing, watch, stop)
            # After each pass: measure, perhaps lower the rate, save.
            finish_epoch(saver, stop)


def go_through(saver: Saver, computing: Computing, watch: StuckWatch, stop: Stop) -> None:
    """Learn from the training pictures once, or from what is left of them in the epoch that runs."""
    learner, recipe, network = saver.learner, saver.learner.recipe, saver.learner.network
    begun = time.perf_counter() - learner.tally.seconds
    sequence = order(len(learner.store.splits["train"]), recipe.seed, learner.epoch if recipe.shuffle else 0)
    sequence = sequence[: (learner.batch + learner.updates_left) * recipe.batch_size]
    if learner.batch == 0:
        torch.manual_seed(Chance(recipe.seed, learner.epoch, sequence[:1]).bits("layers")[0, 0] >> 1)
    network.train()
    what = f"epoch {learner.epoch + 1}/{recipe.epochs}"
    with Progress(what, len(sequence), done=learner.tally.images) as progress:
        for batch in computing.batches(sequence[learner.batch * recipe.batch_size :]):
            # Forward and backward.
            chance = Chance(recipe.seed, learner.epoch, batch.indices)
            pictures = view_kernels.show(learner.view, batch.pictures, chance, recipe, computing.dtype)
            loss, scores = computing.gradients(pictures, batch.labels)
            saver.guard.watch(loss, learner.batch)

            # Update, count, show, and stop if asked to.
            learner.update()
            if row := learner.count(loss, scores, batch.labels):
                saver.run.journal.add_update(row)
            learner.tally.seconds = time.perf_counter() - begun
            progress.advance(len(batch.labels), figures(learner.tally) if progress.due() else "")
            if watch.update(loss):
                cause = likely_cause(network.architecture, recipe)
                say(f"warning: the loss is still ln({watch.classes}): {cause}")
            fault("step-done")
            if saver.due:
                saver.save()
                begun = time.perf_counter() - learner.tally.seconds
            stop.check()


def figures(tally: Tally) -> str:
    """Show the epoch so far."""
    loss, top1 = tally.figures()
    return f"loss {loss:.3f} · top-1 {top1:.1%}"


def finish_epoch(saver: Saver, stop: Stop) -> None:
    """Validate, tell the schedule, save, and write the log's row."""
    learner = saver.learner
    saver.refuse_broken()
    tally, rate = learner.tally, learner.rate(learner.batch - 1)
    loss, top1 = tally.figures()
    with Progress(f"measuring {learner.watched.name}", len(learner.watched)) as progress:

        def measured(images: int) -> None:
            progress.advance(images)
            stop.check()

        result = learner.validate(measured)
    if not math.isfinite(result.loss):
        raise NotFinite(f"{learner.watched.name} loss", result.loss, learner.batch)
    fault("epoch-measured")
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
    # Before the checkpoint: a run that goes on from it would not come by here again.
    growth.keep(saver.run.path, learner.epoch, learner.network)
    learner.schedule.after_epoch(1 - result.top1)
    # Where the test pictures are watched, nothing may be chosen by them: then the best network is the last one.
    better = result.top1 > learner.best_top1 if learner.watched.name == "val" else learner.finished
    if better:
        learner.best_top1 = result.top1
        saver.save_best()
    saver.save()
    name, speed, time_taken = learner.watched.name, row["images_per_second"], duration(row["seconds"])
    say(
        f"epoch {learner.epoch}/{learner.recipe.epochs} · lr {rate:.2g} · loss {loss:.4f} · top-1 {top1:.1%} · "
        f"{name} loss {result.loss:.4f} · {name} top-1 {result.top1:.2%} · {speed:,.0f} images/s · {time_taken}"
        f" · {saver.told()}"
    )
    saver.run.journal.write(learner.history)
    fault("log-written")


def train(
    store: Store | Path | str,
    architecture: Architecture,
    recipe: Recipe,
    path: Path | str,
    device: str = "cpu",
    weights: Weights | Path | str | None = None,
    save_every: float = SAVE_EVERY,
    repeatable: bool = False,
    tensorboard: bool = False,
) -> Run:
    """Train a network from its start, or from pretrained weights; go on with the same training that was stopped.

    Args:
        store: Prepared pictures, or the folder that holds them.
        architecture: The network; its last layer is given as many units as the store has classes.
        recipe: Every number that decides what is learned.
        path: Folder of the run; new or empty, or that of a run with all the same arguments.
        device: `cpu` or `cuda`.
        weights: What to begin with, as `alexnet.weights.read` takes it; layers that it lacks have their own start, and
            pictures reach the network as the weights expect them.
        save_every: Minutes between checkpoints within an epoch.
        repeatable: As for `learn`.
        tensorboard: As for `learn`.

    Raises:
        UsageError: If store, architecture and recipe do not fit together, or the folder holds something else.
        DataError: If the weights cannot be read, or are not of this network.
        AlexNetError: If there is no room for the run, or another command holds it.
        Diverged, Interrupted: As `learn`.
    """
    there = Run(path) if Run.lies_at(path := Path(path)) else None
    with held(path) if there else nullcontext():
        store = store if isinstance(store, Store) else Store(Path(store))
        weights = read(weights) if isinstance(weights, Path | str) else weights
        architecture = resolve(architecture, recipe, store, weights)
        refuse_mismatch(store, recipe)
        if there:
            there.refuse_other(architecture, recipe, store, weights)
            return _go_on(there, store, device, save_every, repeatable, tensorboard)
    learner = Learner(store, architecture, recipe, torch.device(device), weights)
    refuse_full(path, *learner.room())
    if Run.lies_at(path):  # another command was quicker
        return train(store, architecture, recipe, path, device, weights, save_every, repeatable, tensorboard)
    refuse_taken(path)
    with held(path):  # from before it is made, so that of two that begin together one goes on
        run = Run.create(path, architecture, recipe, store, weights)
        say_notes(*learner.notes, *notes(learner, weights))
        learn(learner, run, save_every, repeatable, tensorboard)
    return run


def resume(
    path: Path | str,
    device: str = "cpu",
    store: Path | str | None = None,
    allow_changes: bool = False,
    save_every: float = SAVE_EVERY,
    repeatable: bool = False,
    tensorboard: bool = False,
) -> Run:
    """Go on with a run from its newest checkpoint, or from its start; a finished run is left as it is.

    Args:
        path: Folder of the run.
        device: `cpu` or `cuda`.
        store: Where the store lies now, if it has moved.
        allow_changes: Go on though store, recipe or network are no longer what the checkpoint was made with.
        save_every: Minutes between checkpoints within an epoch.
        repeatable: As for `learn`.
        tensorboard: As for `learn`.

    Raises:
        UsageError: If there is no run, its store has another number of classes or too few pictures, or `max_updates`
            cut its last epoch short and now asks for more.
        DataError: If its store is gone or changed, its checkpoints are gone, cannot be read, or are of something else.
        AlexNetError: If there is no room for checkpoints, or another command holds the run.
    """
    run = Run(path)
    with held(run.path):
        found = run.store(None if store is None else Path(store), allow_changes)
        return _go_on(run, found, device, save_every, repeatable, tensorboard, allow_changes)


def _go_on(
    run: Run,
    store: Store,
    device: str,
    save_every: float,
    repeatable: bool,
    tensorboard: bool,
    allow_changes: bool = False,
) -> Run:
    """Go on with a run that is held, by the kernels that it began with."""
    checkpoint = run.newest() if run.has_checkpoint else None
    if checkpoint is None and run.journal.log.is_file():  # which is written after the first checkpoint
        raise DataError(
            f"{run.path} has no checkpoint any more, from which it could go on; its best network can still be used: "
            "train anew in another folder"
        )
    machine = checkpoint.facts.get("machine") if checkpoint else None
    with compiled.without() if isinstance(machine, dict) and machine.get("kernels") == PYTORCH else nullcontext():
        learner = restored(run, checkpoint, store, device, allow_changes)
        if not learner.finished:
            refuse_full(run.path, *learner.room())
            say(f"note: {run.path} was not finished: it goes on after {learner.images_seen:,} images")
            learn(learner, run, save_every, repeatable, tensorboard)
    return run

"""From a checkpoint back to a learner that goes on, with another store or recipe where that is allowed."""

import torch

from alexnet.data.store import Store
from alexnet.errors import DataError, UsageError
from alexnet.rotation import tidy
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.run import Run
from alexnet.training.learner import Learner
from alexnet.training.preflight import refuse_mismatch, say_notes


def restored(run: Run, checkpoint: Checkpoint | None, store: Store, device: str, allow_changes: bool) -> Learner:
    """Make the learner of a run as it was at a checkpoint, or as it began.

    What was best by another store counts no more; within an epoch of other batches, that epoch begins anew.

    Raises:
        UsageError: If the store has another number of classes or too few pictures, or an epoch was cut short.
        DataError: If something is not what the checkpoint was made with, and that is not allowed.
    """
    architecture, recipe, odd = run.architecture, run.recipe, list[str]()
    if len(store.classes) != architecture.classes:
        knows = f"{store.path} has {len(store.classes)} classes, {run.path} knows {architecture.classes}"
        raise UsageError(f"{knows}: train anew, with --weights {run.path}")
    refuse_mismatch(store, recipe)
    if checkpoint is not None:
        odd = checkpoint.differences(architecture, recipe, store)
        if odd and not allow_changes:
            way_out = f"put that back, or allow it with alexnet resume {run.path} --allow-changes"
            raise DataError(f"{checkpoint.path} was made with something else ({'; '.join(odd)}): {way_out}")
        checkpoint.refuse_other(architecture)
    # A checkpoint has the weights already that the run began with.
    learner = Learner(store, architecture, recipe, torch.device(device), None if checkpoint else run.weights())
    tidy(run.path, checkpoint.path if checkpoint else None)
    if checkpoint is not None:
        learner.restore(checkpoint)
        _refuse_to_make_up(checkpoint, learner)
        other_store = checkpoint.facts.get("store", store.digest) != store.digest
        if other_store:
            learner.forget_results()
        if other_store or (learner.batch and checkpoint.facts["recipe"].get("batch_size") != recipe.batch_size):
            if learner.batch:
                say_notes("what was learned so far is kept, but the epoch begins anew")
            learner.begin_epoch_anew()
        say_notes(*learner.notes)
        run.journal.write(learner.history)
    if not learner.finished:
        say_notes(*(f"{text}: the end will be another than it would have been" for text in odd))
    if not (learner.finished and odd):
        run.learns_from(store)
    return learner


def _refuse_to_make_up(checkpoint: Checkpoint, learner: Learner) -> None:
    """Refuse more updates for a run whose last epoch was cut short: its rest would be left out, the schedule jump."""
    was, now = checkpoint.facts["recipe"].get("max_updates"), learner.recipe.max_updates
    if was and was != now and learner.cut_short and (not now or now > learner.updates):
        raise UsageError(
            f"{checkpoint.path} is of a run whose max_updates {was} cut epoch {learner.epoch} short, and the rest of "
            f"it cannot be made up: put {was} back into recipe.json, or train anew in another folder"
        )

"""What changes while a network learns: weights, velocity, rate, position, history; a checkpoint is this state.

A position in training is two integers, epoch and batch: the order of pictures and every choice for a picture are
functions of them, so a run that was stopped goes on as if it had not been.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from alexnet import __version__
from alexnet.architectures import Architecture
from alexnet.data.augment import View
from alexnet.data.split import Split
from alexnet.data.store import Store
from alexnet.errors import DataError
from alexnet.evaluation import Evaluation, evaluate
from alexnet.machine import compiled
from alexnet.nn.network import Network, initialise, load_weights, placed
from alexnet.optim import WeightAverage, frozen_from, make_optimizer, set_rate
from alexnet.recipe import Recipe
from alexnet.runs.checkpoint import Checkpoint, network_facts, statistics_tensors
from alexnet.runs.trained import Trained
from alexnet.schedule import Schedule
from alexnet.training.tally import Tally
from alexnet.weights import Weights, fit

# Updates whose mean loss is one row of updates.jsonl.
WINDOW = 10
# What a checkpoint says of kernels that were not compiled.
PYTORCH = "PyTorch's"


class Learner:
    """Everything that changes while a network learns; a checkpoint is its state.

    Attributes:
        epoch: Epochs finished.
        batch: Batches finished in the epoch that runs.
        images_seen: Pictures that updates were made from, all epochs together.
        tally: Of the epoch that runs.
        recent: Of the updates since the last row of `updates.jsonl`.
        history: The log's rows.
        notes: What the user should know of the weights that it begins with.
    """

    def __init__(
        self,
        store: Store,
        architecture: Architecture,
        recipe: Recipe,
        device: torch.device,
        weights: Weights | None = None,
    ) -> None:
        self.store, self.recipe = store, recipe
        self.epoch = self.batch = 0
        network = initialise(Network(architecture), recipe.seed)
        self.notes = fit(network, weights, store.classes) if weights is not None else []
        self.network = placed(network, device)
        self.view = View(architecture, store.statistics, recipe.view_side, device)
        self.frozen_from = frozen_from(recipe, self.network)
        self.freeze()
        self.optimizer = make_optimizer(recipe, self.network)
        self.schedule = Schedule(recipe)
        self.average = WeightAverage(self.network, recipe.weight_average) if recipe.weight_average else None
        self.device, self.tally, self.recent = device, Tally.zero(device), Tally.zero(device)
        self.images_seen = 0
        self.history: list[dict[str, Any]] = []
        self.best_top1 = -1.0

    def next_epoch(self) -> None:
        """Leave the epoch that ran, whole or cut short by the recipe."""
        self.epoch, self.batch = self.epoch + 1, 0
        self.tally = Tally.zero(self.device)
        self.freeze()

    def begin_epoch_anew(self) -> None:
        """Keep what was learned, but begin the epoch that runs from its first batch, and count by the store at hand."""
        self.images_seen, self.batch = self.epoch * len(self.store.splits["train"]), 0
        self.tally = Tally.zero(self.device)

    def forget_results(self) -> None:
        """Forget what was best, as it was measured on other pictures."""
        self.best_top1 = -1.0
        self.schedule.forget_best()

    def freeze(self) -> None:
        """Let those layers stand still whose time to learn is over in the epoch that runs."""
        for layer, epoch in self.frozen_from.items():
            self.network.get_submodule(layer).requires_grad_(self.epoch < epoch)

    @property
    def updates_per_epoch(self) -> int:
        """Batches in an epoch; the last may be short, so that every picture is seen once."""
        return -(-len(self.store.splits["train"]) // self.recipe.batch_size)

    @property
    def updates(self) -> int:
        """Updates made, all epochs together."""
        # Not counted by epochs: max_updates may have cut one short.
        epochs, images = divmod(self.images_seen, len(self.store.splits["train"]))
        return epochs * self.updates_per_epoch - (-images // self.recipe.batch_size)

    @property
    def cut_short(self) -> bool:
        """Whether `max_updates` ended an epoch before its last picture, and the next one is due."""
        return self.batch == 0 and self.images_seen < self.epoch * len(self.store.splits["train"])

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to learn by this recipe."""
        cut = self.recipe.max_updates and self.batch == 0 and self.updates >= self.recipe.max_updates
        return self.epoch >= self.recipe.epochs or self.schedule.finished or bool(cut)

    @property
    def updates_left(self) -> int:
        """Updates until the recipe ends, or until the end of the epoch that runs if that is sooner."""
        in_epoch = self.updates_per_epoch - self.batch
        if not self.recipe.max_updates:
            return in_epoch
        return min(in_epoch, max(0, self.recipe.max_updates - self.updates))

    @property
    def watched(self) -> Split:
        """The split measured after each epoch: `val`, or `test` where there is none."""
        return self.store.watched

    def rate(self, batch: int) -> float:
        """Give the learning rate of an update of the epoch that runs."""
        return self.schedule.rate(self.position(batch))

    def position(self, batch: int) -> float:
        """Give the middle of an update of the epoch that runs, in epochs."""
        return self.epoch + (batch + 0.5) / self.updates_per_epoch

    def update(self) -> None:
        """Make one update from the gradients, at the rate of its place in training."""
        set_rate(self.optimizer, self.rate(self.batch), self.schedule.unfallen(self.position(self.batch)))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.network)

    def count(self, loss: Tensor, scores: Tensor, labels: Tensor) -> dict[str, Any] | None:
        """Count a batch that an update was made from.

        Returns:
            The row for `updates.jsonl` that this completes, if it does.
        """
        self.tally.add(loss, scores, labels)
        self.recent.add(loss, scores, labels)
        self.batch += 1
        self.images_seen += len(labels)
        return None if self.updates % WINDOW and self.updates_left else self.window()

    def window(self) -> dict[str, Any] | None:
        """Give the row for `updates.jsonl` of the updates since the last one, if there were any."""
        if not self.recent.images:
            return None
        mean, top1 = self.recent.figures()
        self.recent = Tally.zero(self.device)
        rate = self.rate(self.batch - 1)
        return {"update": self.updates, "images_seen": self.images_seen, "lr": rate, "loss": mean, "top1": top1}

    def largest_weight(self) -> Tensor:
        """Give the largest weight or bias, NaN if one is."""
        return torch.stack([parameter.detach().abs().max() for parameter in self.network.parameters()]).max()

    def validate(self, progress: Callable[[int], None] = lambda images: None) -> Evaluation:
        """Measure the network (with averaged weights, where the recipe has them) on the watched split."""
        trained = Trained(self.network, self.view, self.store.classes, self.recipe)
        with self.average.applied_to(self.network) if self.average else nullcontext():
            return evaluate([trained], self.watched, progress=progress)

    def checkpoint(self, whole: bool = True) -> Checkpoint:
        """Give the state; without what only training needs if not `whole`."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= statistics_tensors(self.store.statistics)
        facts: dict[str, Any] = network_facts(self.network.architecture, self.recipe, self.store.classes)
        facts |= {"epoch": self.epoch, "images_seen": self.images_seen}
        if self.average is not None:
            state = self.average.state_dict()
            average = {f"average.{name}": tensor for name, tensor in state["parameters"].items()}
            tensors = (
                tensors | average
                if whole
                else {k: v for k, v in tensors.items() if not k.startswith("network.")} | average
            )
            facts["average_updates"] = state["updates"]
        if whole:
            for name, parameter in self._parameters():
                tensors |= {
                    f"optimizer.{name}.{key}": torch.as_tensor(value)
                    for key, value in self.optimizer.state.get(parameter, {}).items()
                    if value is not None
                }
            tensors |= {
                "tally.loss": self.tally.loss,
                "tally.hits": self.tally.hits,
                "tally.recent_loss": self.recent.loss,
                "tally.recent_hits": self.recent.hits,
                "random.cpu": torch.get_rng_state(),
            }
            if self.device.type == "cuda":
                tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
            facts |= {
                "batch": self.batch,
                "schedule": self.schedule.state_dict(),
                "history": self.history,
                "best_top1": self.best_top1,
            }
            facts |= {
                "tally": [self.tally.images, self.tally.seconds],
                "recent_images": self.recent.images,
                "store": self.store.digest,
                "machine": machine(),
            }
        return Checkpoint(tensors, facts)

    def _parameters(self) -> list[tuple[str, nn.Parameter]]:
        """List the parameters that the optimizer has, in its order, by name."""
        names = {parameter: name for name, parameter in self.network.named_parameters()}
        return [(names[one], one) for group in self.optimizer.param_groups for one in group["params"]]

    def room(self) -> tuple[int, int]:
        """Tell how many bytes a checkpoint will have, and one of the network alone."""
        network = sum(parameter.numel() * parameter.element_size() for parameter in self.network.parameters())
        rest = sum(tensor.nbytes for tensor in statistics_tensors(self.store.statistics).values()) + (1 << 16)
        copies = (2 if self.recipe.optimizer.startswith("adam") else 1) + (self.average is not None)
        return (1 + copies) * network + rest, network + rest

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up a whole checkpoint of the same architecture; what it has nothing about begins anew.

        Raises:
            DataError: If it belongs to another architecture, or holds no training state.
        """
        facts = checkpoint.facts
        if "machine" not in facts:
            raise DataError(f"{checkpoint.path} holds weights only: resume from one in the run's checkpoints folder")
        load_weights(self.network, checkpoint.part("network"))
        try:
            self._restore_state(checkpoint)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise DataError(f"{checkpoint.path} holds no state of this training ({reason}): use another one") from error
        self.freeze()
        for name, now in machine().items():
            if (was := facts["machine"].get(name)) != now:
                self.notes.append(f"it was trained with {name} {was}, not {now}: sums may now round differently")

    def _restore_state(self, checkpoint: Checkpoint) -> None:
        """Take up all but the weights."""
        facts, held = checkpoint.facts, checkpoint.part("optimizer")
        groups = self.optimizer.state_dict()["param_groups"]
        by_number: dict[int, dict[str, Tensor]] = {}
        # Another optimizer would take the numbers for something else.
        for number, (name, _) in enumerate(self._parameters() if self._same_optimizer(facts) else []):
            keys = [key for key in held if key.rpartition(".")[0] == name]
            if keys:
                # Copied: a tensor that is read lies in the file, which a later save removes.
                by_number[number] = {key.rpartition(".")[2]: held[key].clone() for key in keys}
        self.optimizer.load_state_dict({"state": by_number, "param_groups": groups})
        self.schedule.load_state_dict(facts["schedule"])
        if self.average is not None and "average_updates" in facts:
            self.average.load_state_dict(
                {"updates": facts["average_updates"], "parameters": checkpoint.part("average")}
            )
        self.epoch, self.batch, self.images_seen = facts["epoch"], facts["batch"], facts["images_seen"]
        self.history, self.best_top1 = facts["history"], facts["best_top1"]
        tally = {name: tensor.to(self.device) for name, tensor in checkpoint.part("tally").items()}
        self.tally = Tally(tally["loss"], tally["hits"], *facts["tally"])
        self.recent = Tally(tally["recent_loss"], tally["recent_hits"], facts["recent_images"])
        torch.set_rng_state(checkpoint.tensors["random.cpu"])
        if self.device.type == "cuda" and "random.cuda" in checkpoint.tensors:
            torch.cuda.set_rng_state(checkpoint.tensors["random.cuda"], self.device)

    def _same_optimizer(self, facts: dict[str, Any]) -> bool:
        """Whether a checkpoint's velocities are of the optimizer that is used."""
        return facts["recipe"].get("optimizer") == self.recipe.optimizer


def machine() -> dict[str, Any]:
    """Tell what, beside the recipe, decides how sums are rounded."""
    return {
        "alexnet": __version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "CPU": torch.backends.cpu.get_cpu_capability(),
        "kernels": compiled.library().digest or PYTORCH,
    }

"""Scores, loss and gradients of a batch: computed step by step or, for small batches on a GPU, as one recorded graph.

A small batch keeps a GPU busy for less time than Python takes to name its hundred kernels; a CUDA graph names them at
once. The update is not part of it: it is a few kernels that are queued while the graph still runs, so that every update
rule, rate and frozen layer works as without a graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from alexnet.nn.network import Network, arithmetic
from alexnet.recipe import Recipe

# Pictures per batch up to which a graph is recorded; a larger one takes a GPU longer than Python.
GRAPH_UP_TO = 512
# Runs before the recording, in which libraries choose their algorithms and take their memory.
WARM_UP = 3

Results = tuple[Float[Tensor, ""], Float[Tensor, "n classes"]]


def graph_helps(device: torch.device, batch_size: int) -> bool:
    """Tell whether a graph is recorded for batches of this size."""
    return device.type == "cuda" and batch_size <= GRAPH_UP_TO


@dataclass(frozen=True)
class _Recording:
    """A graph with the tensors that it reads and writes.

    Attributes:
        key: What it was recorded for; anything else is recorded anew.
        pictures, labels: Where it reads a batch.
        results: Where it writes loss and scores.
        gradients: Where it writes the gradient of each parameter; none for those that do not learn.
        replay: Queues it.
    """

    key: tuple[Any, ...]
    pictures: Tensor
    labels: Tensor
    results: Results
    gradients: list[Tensor | None]
    replay: Callable[[], None]


class Gradients:
    """Computes what an update is made from."""

    def __init__(self, network: Network, recipe: Recipe, graph: bool) -> None:
        """Record nothing yet.

        Args:
            network: On its device.
            recipe: Gives precision, label smoothing and the size of a batch.
            graph: Whether whole batches are computed by a recorded graph; a shorter last one never is.
        """
        self.network, self.recipe, self.graph = network, recipe, graph
        self._recording: _Recording | None = None

    def __call__(self, pictures: Float[Tensor, "n 3 side side"], labels: Int64[Tensor, "n"]) -> Results:
        """Give loss and scores of a batch, and leave the gradients with the parameters, in place of those before."""
        if not self.graph or len(labels) != self.recipe.batch_size:
            return self._compute(pictures, labels)
        key = self._key(pictures)
        if self._recording is None or self._recording.key != key:
            self._recording = None  # its memory is free for the new one
            self._recording = self._record(key, pictures, labels)
        recording = self._recording
        recording.pictures.copy_(pictures)
        recording.labels.copy_(labels)
        recording.replay()
        for parameter, gradient in zip(self.network.parameters(), recording.gradients, strict=True):
            parameter.grad = gradient
        loss, scores = recording.results
        return loss.clone(), scores.clone()  # the next batch overwrites them

    def _compute(self, pictures: Tensor, labels: Tensor) -> Results:
        self.network.zero_grad(set_to_none=True)
        with arithmetic(pictures.device, self.recipe.precision):
            scores = self.network(pictures)
        loss = F.cross_entropy(scores.float(), labels, label_smoothing=self.recipe.label_smoothing)
        loss.backward()
        return loss.detach(), scores.detach()

    def _key(self, pictures: Tensor) -> tuple[Any, ...]:
        parameters = tuple((parameter.data_ptr(), parameter.requires_grad) for parameter in self.network.parameters())
        return (pictures.shape, pictures.stride(), pictures.dtype, self.network.training, parameters)

    def _record(self, key: tuple[Any, ...], pictures: Tensor, labels: Tensor) -> _Recording:
        held, held_labels = pictures.clone(memory_format=torch.preserve_format), labels.clone()
        replay, results = record(lambda: self._compute(held, held_labels), pictures.device)
        gradients = [parameter.grad for parameter in self.network.parameters()]
        return _Recording(key, held, held_labels, results, gradients, replay)


def record(work: Callable[[], Results], device: torch.device) -> tuple[Callable[[], None], Results]:
    """Record what `work` does on a GPU as a CUDA graph; random numbers are left as if nothing had been drawn.

    Args:
        work: Reads and writes the same memory each time; what it takes anew belongs to the graph.
        device: A GPU.

    Returns:
        What queues the graph, and the results of `work`, which are there after it ran.
    """
    chance = torch.cuda.get_rng_state(device)
    here, beside = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    beside.wait_stream(here)
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP):
            work()
    here.wait_stream(beside)
    torch.cuda.set_rng_state(chance, device)
    graph = torch.cuda.CUDAGraph()
    # Batches are copied by another thread meanwhile; its calls are no part of this.
    with torch.cuda.device(device), torch.cuda.graph(graph, capture_error_mode="thread_local"):
        results = work()
    return graph.replay, results

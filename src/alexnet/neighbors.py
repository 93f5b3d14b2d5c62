"""The training pictures that are nearest to a picture, by what the network makes of it or by pixels (Figure 4, right).

The search is exact: every vector is compared, block by block, so that memory does not grow with their number; and all
that rounding could have put among the nearest are measured again in float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float16, Float64, Int64, UInt8
from torch import Tensor

from alexnet.compatibility import check_fit
from alexnet.data.store import Store
from alexnet.errors import UsageError
from alexnet.features import (
    PIXELS,
    Vectors,
    last_hidden,
    layer_values,
    network_digest,
    pixel_values,
    stored_vectors,
    vectors_folder,
)
from alexnet.runs.trained import Trained

SHOWN = 6  # columns of Figure 4
# Numbers of a block: its float32 copy, of 8 MB, stays in the processor's cache.
BLOCK = 1 << 21
# Queries that are compared at a time: of a million vectors, their distances take 256 MB.
QUERIES = 64


@dataclass(frozen=True)
class Neighbor:
    """A training picture near to another picture.

    Attributes:
        name: Of the picture in its source.
        label: Its class.
        distance: Euclidean, between the vectors.
        place: In the split.
    """

    name: str
    label: str
    distance: float
    place: int

    def to_json(self) -> dict[str, Any]:
        """Give name, label and distance."""
        return {"name": self.name, "label": self.label, "distance": self.distance}


@dataclass(frozen=True)
class Match:
    """A picture with what is nearest to it.

    Attributes:
        query: Its name.
        label: Its class, None if nobody knows.
        picture: As the store would hold it.
        neighbors: By the network's features, the nearest first.
        by_pixels: By pixels, the nearest first.
    """

    query: str
    label: str | None
    picture: UInt8[np.ndarray, "side side 3"]
    neighbors: list[Neighbor]
    by_pixels: list[Neighbor]

    def to_json(self) -> dict[str, Any]:
        """Give all but the picture."""
        told = {name: [one.to_json() for one in getattr(self, name)] for name in ("neighbors", "by_pixels")}
        return {"query": self.query, "label": self.label, **told}


def nearest(
    vectors: Vectors, queries: Float[Tensor, "q values"], count: int
) -> tuple[Float64[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
    """Find the vectors of least Euclidean distance to each query, which is rounded to float16 as they are.

    Args:
        vectors: All of them are compared.
        queries: On any device.
        count: How many are wanted; fewer are given if there are fewer.

    Returns:
        Distances, the least first, and places; of equal distances, the earlier place first.
    """
    queries = queries.detach().cpu().half()
    found = [_nearest(vectors, group, count) for group in queries.split(QUERIES)]
    return np.concatenate([distances for distances, _ in found]), np.concatenate([places for _, places in found])


def _nearest(
    vectors: Vectors, queries: Float[Tensor, "q values"], count: int
) -> tuple[Float64[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
    """Compare |v|² − 2qv, which sorts as |q − v|² does, in float32; then measure again what may be among the least."""
    wide, (n, length) = queries.float(), vectors.values.shape
    rows = max(1, BLOCK // length)
    buffer, scores = torch.empty(min(rows, n), length), torch.empty(len(queries), n)
    for start in range(0, n, rows):
        block = torch.from_numpy(vectors.values[start : start + rows])
        scores[:, start : start + rows] = wide @ buffer[: len(block)].copy_(block).T
    squares = torch.from_numpy(vectors.squares)
    scores.mul_(-2).add_(squares)
    # A sum of n products, in whatever order, is off by at most n roundings of what their sizes sum to.
    rounding = (length + 4) * torch.finfo(torch.float32).eps / 2
    found = []
    for query, score in zip(queries.double().numpy(), scores, strict=True):
        error = rounding * (squares + 2 * float(np.linalg.norm(query)) * squares.sqrt())
        bound = (score + error).kthvalue(min(n, count)).values
        found.append(_measured(vectors.values, query, (score - error <= bound).nonzero()[:, 0].numpy(), rows, count))
    return np.stack([distances for distances, _ in found]), np.stack([places for _, places in found])


def _measured(
    values: Float16[np.ndarray, "n values"],
    query: Float64[np.ndarray, "values"],
    likely: Int64[np.ndarray, "m"],
    rows: int,
    count: int,
) -> tuple[Float64[np.ndarray, "k"], Int64[np.ndarray, "k"]]:
    """Measure some vectors exactly, a block at a time, and give the nearest."""
    blocks = np.split(likely, range(rows, len(likely), rows))
    distances = np.concatenate([np.linalg.norm(values[block].astype(np.float64) - query, axis=1) for block in blocks])
    order = np.argsort(distances, kind="stable")[:count]
    return distances[order], likely[order]


@dataclass(frozen=True)
class Gallery:
    """The training pictures of a store, to be searched for those that are like another picture.

    Paper (§6.1): alike are pictures whose activations in the last hidden layer have a small Euclidean distance. Taken
    here after that layer's ReLU and before dropout, in float16.

    Attributes:
        trained: The network, in evaluation mode.
        store: Its split `train` is searched.
        folder: Where vectors are kept: `features` in a run.
        layer: Whose output is compared.
        progress: Called with the number of pictures of each batch while vectors are made, which is once.
    """

    trained: Trained
    store: Store
    folder: Path
    layer: str
    progress: Callable[[int], None] = lambda images: None

    @staticmethod
    def of(
        trained: Trained,
        store: Store,
        folder: Path,
        layer: str | None = None,
        progress: Callable[[int], None] = lambda images: None,
    ) -> "Gallery":
        """Bring together a network and pictures of the size that it takes; the layer is the last hidden one by default.

        Raises:
            UsageError: If the pictures are of another size.
        """
        check_fit([trained], store.splits["train"], 1)
        return Gallery(trained, store, folder, layer or last_hidden(trained.network.architecture), progress)

    @cached_property
    def features(self) -> Vectors:
        """What the layer gives for every training picture."""
        return self._stored(self.layer, self._digests, lambda some: layer_values(self.trained, self.layer, some))

    @property
    def has_features(self) -> bool:
        """Whether these vectors were made already."""
        return vectors_folder(self.folder, self.layer, self._digests, self.store.splits["train"]).is_dir()

    @cached_property
    def _digests(self) -> tuple[str, ...]:
        return self.store.digest, network_digest(self.trained)

    @cached_property
    def pixels(self) -> Vectors:
        """The pixels of every training picture."""
        return self._stored(PIXELS, (self.store.digest,), pixel_values)

    def _stored(self, kind: str, digests: tuple[str, ...], encode: Callable[[Tensor], Tensor]) -> Vectors:
        train = self.store.splits["train"]
        return stored_vectors(self.folder, kind, digests, train, encode, self.trained.device, self.progress)

    def by_features(self, pictures: UInt8[np.ndarray, "n side side 3"], count: int = SHOWN) -> list[list[Neighbor]]:
        """Find the training pictures nearest to some pictures, as the store would hold these, by the network.

        Raises:
            UsageError: If the network has no such layer.
            AlexNetError: If the vectors cannot be written.
        """
        place = torch.tensor(pictures, device=self.trained.device)  # a copy: not all arrays may be written
        return self._named(*nearest(self.features, layer_values(self.trained, self.layer, place), count))

    def by_pixels(self, pictures: UInt8[np.ndarray, "n side side 3"], count: int = SHOWN) -> list[list[Neighbor]]:
        """Find the training pictures nearest to some pictures by their pixels.

        Raises:
            AlexNetError: If the vectors cannot be written.
        """
        return self._named(*nearest(self.pixels, pixel_values(torch.tensor(pictures)), count))

    def _named(self, distances: Float64[np.ndarray, "q k"], places: Int64[np.ndarray, "q k"]) -> list[list[Neighbor]]:
        train, classes = self.store.splits["train"], self.store.classes
        return [
            [
                Neighbor(train.names[place], classes[train.labels[place]], distance, place)
                for distance, place in zip(*row, strict=True)
            ]
            for row in zip(distances.tolist(), places.tolist(), strict=True)
        ]

    def matches(
        self, names: Sequence[str], labels: Sequence[str | None], pictures: UInt8[np.ndarray, "n side side 3"]
    ) -> list[Match]:
        """Find the six nearest of some pictures in both ways.

        Raises:
            UsageError: If there is no picture.
            AlexNetError: If the vectors cannot be written.
        """
        if not len(pictures):
            raise UsageError("there is no picture to find neighbors of: give one or more")
        found = self.by_features(pictures), self.by_pixels(pictures)
        return [Match(*one) for one in zip(names, labels, pictures, *found, strict=True)]

    def shown(self, match: Match) -> tuple[UInt8[np.ndarray, "k side side 3"], UInt8[np.ndarray, "k side side 3"]]:
        """Give the training pictures that were found for a picture: by features, and by pixels."""
        ways = [np.array([one.place for one in found], np.int64) for found in (match.neighbors, match.by_pixels)]
        by_features, by_pixels = (self.store.splits["train"].pictures(places) for places in ways)
        return by_features, by_pixels

"""The nearest training pictures for the page, where they can be had."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from alexnet.errors import AlexNetError, UsageError
from alexnet.neighbors import Gallery
from alexnet.prediction import Model
from alexnet.progress import Progress, say
from alexnet.runs.run import Run
from alexnet.web.looks import Near, Neighbors

# Training pictures that are read when the page is started, a minute's work or so; more are left to `neighbors`.
READ_AT_START = 2000


def neighbors_of(run: Path, model: Model) -> Neighbors | None:
    """Give what finds the nearest training pictures of a run; None, and a line that says why, where nothing can.

    Args:
        run: The folder of a run; anything else that `load` takes has no training pictures.
        model: Its network.
    """
    try:
        gallery = _gallery(run, model)
    except AlexNetError as error:
        say(f"note: no nearest training pictures: {error}")
        return None
    train = gallery.store.splits["train"]

    def nearest(stored: UInt8[np.ndarray, "side side 3"]) -> list[Near]:
        (found,) = gallery.by_features(stored[None])
        pictures = train.pictures(np.array([one.place for one in found]))
        return [
            Near(one.name, one.label, one.distance, one_seen) for one, one_seen in zip(found, pictures, strict=True)
        ]

    return nearest


def _gallery(run: Path, model: Model) -> Gallery:
    """Open the training pictures with their vectors, made now if they are few."""
    store = Run(run).store()
    count = len(store.splits["train"])
    with Progress("vectors of the training pictures", count) as progress:
        gallery = Gallery.of(model.trained, store, run / "features", progress=progress.advance)
        if not gallery.has_features and count > READ_AT_START:
            raise UsageError(f"`alexnet neighbors {run}` reads all {count:,} once; serve it again then")
        _ = gallery.features
    return gallery

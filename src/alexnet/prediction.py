"""Use a trained network: `load` a run, then `predict` pictures or take their `features`."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from alexnet.data.augment import View
from alexnet.data.decode import UnreadablePicture, decode, decode_file, decode_image, fit
from alexnet.errors import DataError, UsageError
from alexnet.evaluation import probabilities
from alexnet.nn.network import Network, arithmetic, placed
from alexnet.runs.checkpoint import Checkpoint
from alexnet.runs.run import Run
from alexnet.runs.trained import Trained
from alexnet.weights import is_pretrained, read_pretrained, write_pretrained

Picture = str | Path | bytes | np.ndarray | Image.Image
READERS = 4  # threads that read files for `predict`


@dataclass(frozen=True)
class Guess:
    """One class for a picture, with its probability in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True)
class Model:
    """The handle of a trained network, as `load` gives it."""

    trained: Trained

    @property
    def network(self) -> Network:
        """The plain module, in evaluation mode."""
        return self.trained.network

    @property
    def classes(self) -> list[str]:
        """Class names, in the order of the scores."""
        return self.trained.classes

    def stored(self, picture: Picture) -> UInt8[np.ndarray, "side side 3"]:
        """Bring a picture to the form that the store of this network had: decoded, shorter side and centre.

        Raises:
            DataError: If it cannot be read as a picture.
        """
        try:
            return fit(pixels(picture), self.trained.view.stored_side)
        except UnreadablePicture as error:
            name = picture if isinstance(picture, str | Path) else f"a picture given as {type(picture).__name__}"
            raise DataError(f"{name}: {error}") from error

    def _batch(self, pictures: Picture | list[Picture]) -> UInt8[Tensor, "n side side 3"]:
        several = [self.stored(picture) for picture in (pictures if isinstance(pictures, list) else [pictures])]
        if not several:
            raise UsageError("there is no picture: give one, or a list that holds some")
        return torch.from_numpy(np.stack(several)).to(self.trained.device)

    def predict(self, pictures: Picture | list[Picture], top: int = 5, crops: int = 1) -> list[list[Guess]]:
        """Name the best classes of pictures: paths, file contents, uint8 RGB arrays (h, w, 3), or Pillow images.

        Args:
            pictures: One or several.
            top: Classes per picture, best first; fewer if there are fewer classes.
            crops: 1, 2 or 10.

        Raises:
            DataError: If a picture cannot be read.
            UsageError: If there is none, or `top` or `crops` is out of range.
        """
        if top < 1:
            raise UsageError(f"top={top} shows nothing: give 1 or more")
        shares = probabilities(self.trained, self._batch(pictures), crops)
        best = shares.topk(min(top, len(self.classes)))
        rows = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return [[Guess(self.classes[i], p) for p, i in zip(values, indices, strict=True)] for values, indices in rows]

    def save_pretrained(self, folder: Path | str, results: Mapping[str, float] | None = None, data: str = "") -> None:
        """Write a folder that `from_pretrained` reads: config.json, model.safetensors, a model card and statistics.

        Args:
            folder: New, or one that was written so before.
            results: Figures for the card, as `{"top-1": 0.9}`.
            data: What it was trained on, in words, for the card.

        Raises:
            UsageError: If the folder holds something else.
        """
        trained = self.trained
        write_pretrained(
            Path(folder),
            trained.network,
            trained.view.statistics,
            trained.classes,
            trained.recipe,
            results=results,
            data=data,
        )

    @torch.no_grad()
    def features(self, pictures: Picture | list[Picture]) -> dict[str, Tensor]:
        """Give every layer's output for the centre crop by its name; `relu7` is the paper's last hidden layer."""
        (view,) = self.trained.view.test(self._batch(pictures), 1)
        with arithmetic(self.trained.device, self.trained.recipe.precision):
            return {name: tensor.float() for name, tensor in self.network.features(view).items()}


def pixels(picture: Picture) -> UInt8[np.ndarray, "h w 3"]:
    """Give a picture's pixels, however it is given.

    Raises:
        UnreadablePicture: With the reason.
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
            raise UnreadablePicture(f"{picture.dtype} of shape {picture.shape}, but uint8 of (h, w, 3) is wanted")
        return picture
    if isinstance(picture, Image.Image):
        return decode_image(picture)
    return decode(picture) if isinstance(picture, bytes) else decode_file(Path(picture))


def from_pretrained(source: Path | str, device: str = "cpu") -> Model:
    """Load a network from a folder that `save_pretrained` wrote, from the Hub (`hub:OWNER/NAME`), or from a run.

    Raises:
        UsageError: If there is none, or the extra `hub` is not installed.
        DataError: If it cannot be read.
    """
    if Run.lies_at(Path(source)):
        return Model(Run(source).trained(device))
    pretrained, place = read_pretrained(source), torch.device(device)
    view = View(pretrained.network.architecture, pretrained.statistics, pretrained.recipe.view_side, place)
    network = placed(pretrained.network, place).eval()
    return Model(Trained(network, view, list(pretrained.classes), pretrained.recipe))


def load(run: Path | str, device: str = "cpu") -> Model:
    """Load the best network of a run, the one in a checkpoint file, or that of a folder of `save_pretrained`.

    A folder that is both counts as a run.

    Raises:
        UsageError: If there is no run.
        DataError: If its checkpoint cannot be read.
    """
    path = Path(run)
    if is_pretrained(path):
        return from_pretrained(path, device)
    if path.suffix == ".safetensors":
        return Model(Trained.of(Checkpoint.read(path), torch.device(device)))
    return Model(Run(path).trained(device))


def predict(
    model: Model, files: Iterable[Path | str], top: int = 5, batch_size: int = 32
) -> Iterator[tuple[Path, list[Guess] | str]]:
    """Go through picture files: the best classes of each, or why it cannot be read; one bad file stops nothing.

    While the network looks at a batch, threads read the next one.

    Args:
        model: The network.
        files: In any number; they are asked for one batch ahead.
        top: Classes per picture, best first.
        batch_size: Pictures at a time.

    Yields:
        Each file with its answer, in the given order.

    Raises:
        UsageError: If `batch_size` is not positive.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size must be 1 or more, not {batch_size}")
    paths = map(Path, files)
    with ThreadPoolExecutor(READERS) as pool:

        def begin() -> list[tuple[Path, Future[np.ndarray | str]]]:
            return [(path, pool.submit(_read, model, path)) for path in islice(paths, batch_size)]

        waiting = begin()
        while waiting:
            following = begin()
            yield from _answer(model, [(path, read.result()) for path, read in waiting], top)
            waiting = following


def _read(model: Model, file: Path) -> np.ndarray | str:
    """Bring a file to the form of the store, or say why that cannot be done."""
    try:
        return model.stored(file)
    except DataError as error:
        return str(error)


def _answer(
    model: Model, read: list[tuple[Path, np.ndarray | str]], top: int
) -> Iterator[tuple[Path, list[Guess] | str]]:
    pictures: list[Picture] = [one for _, one in read if not isinstance(one, str)]
    guesses = iter(model.predict(pictures, top) if pictures else [])
    for file, one in read:
        yield file, one if isinstance(one, str) else next(guesses)

"""Use a trained network: `load` a run, then `predict` pictures or take their `features`."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from alexnet.data.decode import decode, fit
from alexnet.errors import AlexNetError, DataError
from alexnet.evaluation import probabilities
from alexnet.nn.network import Network, arithmetic
from alexnet.run import Checkpoint, Run, Trained

Picture = str | Path | bytes | np.ndarray | Image.Image


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
        side = len(self.trained.view.statistics.mean_image)
        if isinstance(picture, np.ndarray):
            return fit(picture, side)
        if isinstance(picture, Image.Image):
            buffer = io.BytesIO()
            picture.save(buffer, "png")
            picture = buffer.getvalue()
        if isinstance(picture, bytes):
            return fit(decode(picture), side)
        try:
            data = Path(picture).read_bytes()
        except OSError as error:
            raise DataError(f"{picture} cannot be read ({error.strerror}): give the path of a picture") from error
        return fit(decode(data), side)

    def _batch(self, pictures: Picture | list[Picture]) -> UInt8[Tensor, "n side side 3"]:
        several = [self.stored(picture) for picture in (pictures if isinstance(pictures, list) else [pictures])]
        return torch.from_numpy(np.stack(several)).to(self.trained.device)

    def predict(self, pictures: Picture | list[Picture], top: int = 5, crops: int = 1) -> list[list[Guess]]:
        """Name the best classes of pictures: paths, file contents, uint8 RGB arrays (h, w, 3), or Pillow images.

        Args:
            pictures: One or several.
            top: Classes a picture, best first; fewer if there are fewer classes.
            crops: 1, 2 or 10.

        Raises:
            DataError: If a picture cannot be read.
        """
        shares = probabilities(self.trained, self._batch(pictures), crops)
        best = shares.topk(min(top, len(self.classes)))
        rows = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return [[Guess(self.classes[i], p) for p, i in zip(values, indices, strict=True)] for values, indices in rows]

    @torch.no_grad()
    def features(self, pictures: Picture | list[Picture]) -> dict[str, Tensor]:
        """Give every layer's output for the centre crop by its name; `relu7` is the paper's last hidden layer."""
        (view,) = self.trained.view.test(self._batch(pictures), 1)
        with arithmetic(self.trained.device, self.trained.recipe.precision):
            return {name: tensor.float() for name, tensor in self.network.features(view).items()}


def load(run: Path | str, device: str = "cpu") -> Model:
    """Load the best network of a run, or the one in a checkpoint file.

    Raises:
        UsageError: If there is no run.
        DataError: If its checkpoint cannot be read.
    """
    path = Path(run)
    if path.suffix == ".safetensors":
        return Model(Trained.of(Checkpoint.read(path), torch.device(device)))
    return Model(Run(path).trained(device))


def predict(
    model: Model, files: Iterable[Path | str], top: int = 5, batch_size: int = 32
) -> Iterator[tuple[Path, list[Guess] | str]]:
    """Go through picture files: the best classes of each, or why it cannot be read; one bad file stops nothing."""
    waiting: list[tuple[Path, np.ndarray]] = []
    for file in map(Path, files):
        try:
            waiting.append((file, model.stored(file)))
        except AlexNetError as error:
            yield from _answer(model, waiting, top)
            waiting = []
            yield file, str(error)
        if len(waiting) == batch_size:
            yield from _answer(model, waiting, top)
            waiting = []
    yield from _answer(model, waiting, top)


def _answer(model: Model, waiting: list[tuple[Path, np.ndarray]], top: int) -> Iterator[tuple[Path, list[Guess]]]:
    if waiting:
        yield from zip(
            [file for file, _ in waiting], model.predict([picture for _, picture in waiting], top), strict=True
        )

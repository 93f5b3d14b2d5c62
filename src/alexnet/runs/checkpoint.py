"""The Checkpoint: one safetensors file with all that a network, or the training of one, needs to go on.

Its metadata says in JSON what network it belongs to, so that `best.safetensors` can be used without the run's folder.
A digest over all of the file is compared before anything in it is used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from alexnet import sealed
from alexnet.architectures import Architecture
from alexnet.data.store import Statistics, Store
from alexnet.durable import atomic_file, fault
from alexnet.errors import DataError, UsageError
from alexnet.recipe import Recipe
from alexnet.runs import differences
from alexnet.weights import safetensors
from alexnet.weights.safetensors import FORMAT


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        tensors: By name: `network.conv1.weight`, `statistics.mean_image` …
        facts: Plain data: architecture, recipe, classes, position in training …
        path: The file that it was read from.
    """

    tensors: Mapping[str, Tensor]
    facts: dict[str, Any]
    path: Path = Path("this checkpoint")

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())

    def write(self, path: Path) -> None:
        """Write to `path`, whole or not at all."""
        with atomic_file(path, self.size) as stream:
            sealed.write(stream, self.tensors, self._metadata())

    def write_to(self, stream: IO[bytes]) -> None:
        """Write to a stream that becomes one of the run's checkpoints."""
        sealed.write(stream, self.tensors, self._metadata(), halfway=lambda: fault("checkpoint-half"))

    def _metadata(self) -> dict[str, str]:
        return {"alexnet": json.dumps({"format": FORMAT, **self.facts})}

    @staticmethod
    def read(path: Path) -> "Checkpoint":
        """Read from `path`; tensors are on the CPU.

        Raises:
            DataError: If the file is missing, torn, damaged, not a checkpoint of ours, or of another version.
        """
        try:
            whole = sealed.check(path)
            with safe_open(path, "pt") as file:
                facts = json.loads((file.metadata() or {}).get("alexnet", "null"))
                if not isinstance(facts, dict):
                    raise DataError(f"{path} is no checkpoint of alexnet: give one that alexnet train wrote")
                if (found := facts.get("format")) != FORMAT:
                    raise DataError(
                        f"{path} is of format {found}, not {FORMAT}: use the alexnet that wrote it, or begin anew from "
                        f"its weights with --weights {path}"
                    )
                if not whole:
                    raise DataError(f"{path} is damaged (its digest is gone): restore it, or use another one")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return Checkpoint(tensors, facts, path)
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing: train first, or name another run") from error
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise DataError(
                f"{path} cannot be read as a checkpoint ({error}): restore it, or use another one"
            ) from error

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Give the tensors under `prefix.`, without it."""
        return {
            name.removeprefix(f"{prefix}."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{prefix}.")
        }

    @property
    def weights(self) -> dict[str, Tensor]:
        """The network's weights by layer, averaged ones where the run averaged them."""
        return self.part("average") or self.part("network")

    def refuse_other(self, architecture: Architecture) -> None:
        """Refuse weights that are not those of a network, before room is made for it.

        Raises:
            DataError: If so; the message counts them and names the first.
        """
        safetensors.refuse_other(self.weights, architecture, self.path)

    def differences(self, architecture: Architecture, recipe: Recipe, store: Store) -> list[str]:
        """Name in which ways a training is another than the one that made this.

        Raises:
            DataError: If it does not say what made it.
        """
        try:
            # Read, not compared as text: a field that came into being since has the value that it always had.
            found = [
                *differences.of_recipes(Recipe.from_json(self.facts["recipe"]), recipe),
                *differences.of_networks(Architecture.from_json(self.facts["architecture"]), architecture),
                *differences.of_classes(self.facts["classes"], store.classes),
            ]
            was = str(self.facts.get("store", store.digest))
        except (KeyError, TypeError, AttributeError, UsageError) as error:
            raise DataError(f"{self.path} does not say what made it ({error}): use another one") from error
        if was != store.digest:
            found.append(f"store: its digest was {was[:12]}, is {store.digest[:12]}")
        return found

    def statistics(self) -> Statistics:
        """Give what the pictures were like that it was trained on.

        Raises:
            DataError: If they are missing or not in order.
        """
        found = safetensors.statistics_of(self.part("statistics"), self.path)
        if found is None:
            raise DataError(f"{self.path} tells nothing of the pictures it was trained on: restore it")
        return found


def network_facts(architecture: Architecture, recipe: Recipe, classes: list[str]) -> dict[str, Any]:
    """Give what makes a checkpoint usable on its own."""
    return {"architecture": architecture.to_json(), "recipe": recipe.to_json(), "classes": classes}


def statistics_tensors(statistics: Statistics) -> dict[str, Tensor]:
    """Give a store's statistics as tensors of a checkpoint."""
    return {f"statistics.{name}": tensor for name, tensor in safetensors.statistics_tensors(statistics).items()}

"""Networks as data: `Architecture`; `alexnet.catalogue` holds the ones that have a name.

A description holds the layers, the table of starting weights and what the network wants of its input. An ablation of
the paper is another description (see `alexnet.variations`), never another class.
"""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from alexnet.errors import DataError, UsageError
from alexnet.layers import LAYERS, Convolution, FullyConnected, Layer, Shape, Weighted

Input = Literal["raw", "raw-2012", "raw-imagenet", "deviation", "imagenet"]
# The same in words.
INPUTS = {
    "raw": "RGB of 0–255 minus the mean picture of the training part",
    "raw-2012": "RGB of 0–255 minus the middle of the training part's mean picture",
    "raw-imagenet": "RGB of 0–255 minus ImageNet's mean colour",
    "deviation": "RGB of 0–255 minus the mean picture of the training part, divided by its deviations",
    "imagenet": "RGB of 0–1 minus ImageNet's mean colour, divided by its deviations",
}
# Pixels of 0–255 with only a mean subtracted.
RAW_INPUTS = ("raw", "raw-2012", "raw-imagenet")


@dataclass(frozen=True)
class Start:
    """A row of the table of starting weights: how one layer's weights and biases begin.

    Attributes:
        layer: Name of the layer.
        weights: `normal` with `deviation`; `he`, normal with `gain` times √(2 / fan-in); `uniform`, PyTorch's own
            choice, ±1/√fan-in for weights and biases alike.
        deviation: Standard deviation for `normal`.
        gain: Factor of He's deviation for `he`.
        bias: Constant that the biases start at (unused by `uniform`).
    """

    layer: str
    weights: Literal["normal", "he", "uniform"] = "normal"
    deviation: float = 0.01
    gain: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True)
class Row:
    """A layer where it stands: with its input, output and cost for one picture."""

    layer: Layer
    input: Shape
    output: Shape
    parameters: int
    macs: int


@dataclass(frozen=True)
class Architecture:
    """A network, frozen.

    Attributes:
        name: What it is called; a variation keeps the name and adds what was changed.
        layers: From the picture to the scores; the last is fully connected and has one unit per class.
        start: Starting weights, a row for each layer that has weights.
        input_side: Side of the square RGB input, in pixels.
        input: What the pictures become before conv1. `raw`: 0–255 minus the mean image, as in the paper; `raw-2012`:
            minus the middle of the mean image, wherever the crop lies, as in the 2012 source; `raw-imagenet`: minus
            ImageNet's mean colour, for Caffe's published weights; `deviation`: as `raw`, divided by the training
            pictures' standard deviation; `imagenet`: (x / 255 − mean) / deviation of ImageNet, as torchvision has it.
        dead_start_allowed: Lets a Gaussian meant for raw pixels meet pixels of unit variance, for an experiment that
            shows what comes of it.

    Raises:
        UsageError: If a layer does not fit its input, a name is used twice, the table of starting weights does not
            match, or the starting weights and the input would leave the network dead.
    """

    name: str
    layers: tuple[Layer, ...]
    start: tuple[Start, ...]
    input_side: int = 224
    input: Input = "raw"
    dead_start_allowed: bool = False

    def __post_init__(self) -> None:
        """Refuse a description that makes no network."""
        names = [layer.name for layer in self.layers]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise UsageError(f"{self.name}: two layers are named {min(doubled)}: give each its own name")
        if not self.layers or not isinstance(self.layers[-1], FullyConnected):
            raise UsageError(f"{self.name}: the last layer must be fully connected, with one unit per class")
        weighted = [row.layer.name for row in self.rows() if isinstance(row.layer, Weighted)]
        if weighted != [start.layer for start in self.start]:
            raise UsageError(
                f"{self.name}: starting weights are given for {[s.layer for s in self.start]}, "
                f"needed for {weighted}, in this order"
            )
        if self.starts_dead and not self.dead_start_allowed:
            start = self.start[0]
            raise UsageError(
                f"{self.name}: N(0, {start.deviation:g}) in {start.layer} needs raw pixels, but input is {self.input}: "
                f"such a network stays at ln(classes); use input=raw, or --start he, which sets the input itself"
            )

    def rows(self) -> list[Row]:
        """Walk through the layers with the shapes that they meet."""
        rows: list[Row] = []
        shape: Shape = (3, self.input_side, self.input_side)
        for layer in self.layers:
            output = layer.output(shape)
            rows.append(Row(layer, shape, output, layer.parameters(shape), layer.macs(shape)))
            shape = output
        return rows

    @property
    def starts_dead(self) -> bool:
        """Whether a Gaussian meant for raw pixels meets inputs of unit variance: such a net sits at ln(classes)."""
        start = self.start[0]
        fan_in = next(row.layer.fan_in(row.input) for row in self.rows() if row.layer.name == start.layer)
        # Half of He's deviation.
        alive = 0.5 * math.sqrt(2 / fan_in)
        return self.input not in RAW_INPUTS and start.weights == "normal" and start.deviation < alive

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.rows()[-1].output[0]

    @property
    def towers(self) -> int:
        """Number of towers (the paper's GPUs) that the middle of the network is divided into."""
        return max((layer.towers for layer in self.layers if isinstance(layer, Convolution)), default=1)

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(row.parameters for row in self.rows())

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations for one picture."""
        return sum(row.macs for row in self.rows())

    def with_classes(self, classes: int) -> "Architecture":
        """Give the same network for another number of classes."""
        if classes < 1:
            raise UsageError(f"a network needs at least 1 class, not {classes}")
        return replace(self, layers=(*self.layers[:-1], FullyConnected(self.layers[-1].name, classes)))

    def with_he_start(self, first_layer_gain: float = 1.0) -> "Architecture":
        """Give the same network with He-normal weights, zero biases and inputs of unit variance, which go together.

        Args:
            first_layer_gain: Factor of the first layer's deviation.
        """
        gains = [first_layer_gain] + [1.0] * (len(self.start) - 1)
        start = tuple(Start(row.layer, "he", gain=gain) for row, gain in zip(self.start, gains, strict=True))
        return replace(self, start=start, input="deviation", dead_start_allowed=False)

    def to_json(self) -> dict[str, Any]:
        """Give plain data for `architecture.json`."""
        layers = [{"layer": type(layer).__name__, **asdict(layer)} for layer in self.layers]
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "layers": layers,
            "start": [asdict(row) for row in self.start],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Architecture":
        """Read what `to_json` gave.

        Raises:
            DataError: If it is not a description of a network.
        """
        try:
            layers = []
            for entry in data["layers"]:
                known: dict[str, Any] = {
                    key: tuple(value) if isinstance(value, list) else value
                    for key, value in entry.items()
                    if key != "layer"
                }
                layers.append(LAYERS[entry["layer"]](**known))
            start = tuple(Start(**row) for row in data["start"])
            rest = {field.name: data[field.name] for field in fields(cls) if field.name in data}
            return cls(**{**rest, "layers": tuple(layers), "start": start})
        except (KeyError, TypeError, AttributeError, ArithmeticError, UsageError) as error:
            raise DataError(
                f"this is no description of a network ({error}): take architecture.json as a run wrote it"
            ) from error


def memory(architecture: Architecture) -> dict[str, float]:
    """Estimate megabytes (2²⁰ bytes) for one float32 picture, as write-up 001's table counts them.

    `forward_backward` counts each layer's output twice, once for its gradient.
    """
    megabyte = 4 / 2**20
    outputs = sum(math.prod(row.output) for row in architecture.rows())
    parts = {
        "input": 3 * architecture.input_side**2 * megabyte,
        "forward_backward": 2 * outputs * megabyte,
        "parameters": architecture.parameters * megabyte,
    }
    return {**parts, "total": sum(parts.values())}

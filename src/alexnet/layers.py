"""The layers that networks are described with, as data: what each does to the size of its input, and what it costs.

A shape is `(maps, side, side)` for pictures and maps, `(units,)` after the first fully connected layer. Nothing here
computes on pictures; `alexnet.nn` makes modules of these descriptions.
"""

import math
from dataclasses import dataclass
from typing import Literal

from alexnet.errors import UsageError
from alexnet.paper import NORM_ALPHA, NORM_BETA, NORM_K, NORM_SIZE, POOL_SIDE, POOL_STRIDE

Shape = tuple[int, ...]


def _maps(layer: "Layer", shape: Shape) -> tuple[int, int]:
    """Take the number of maps and their side out of a shape, refusing a shape that has no maps left."""
    if len(shape) != 3:
        raise UsageError(
            f"{layer.name} works on maps, but gets {shape[0]} units: put it before the first fully connected layer"
        )
    return shape[0], shape[1]


def _windows(layer: "Convolution | Pool", side: int, padding: int, round_up: bool) -> int:
    """Count the positions of a window along one side."""
    free = side + padding - layer.kernel
    if free < 0:
        raise UsageError(
            f"{layer.name} is {layer.kernel} wide, but its padded input is only {side + padding}: "
            f"enlarge the input, or lessen the kernel"
        )
    if round_up:
        # A window narrower than its stride could otherwise begin beyond the edge.
        return min(math.ceil(free / layer.stride), (side + padding - 1) // layer.stride) + 1
    return free // layer.stride + 1


def _refuse_undivided(layer: "Convolution | FullyConnected | ResponseNorm", counts: dict[str, int]) -> None:
    """Refuse towers that do not divide what is to be shared out among them."""
    for what, count in counts.items():
        if count % layer.towers:
            raise UsageError(
                f"{layer.name}: {layer.towers} towers do not divide its {what}: "
                f"choose other towers, or a multiple of {layer.towers}"
            )


@dataclass(frozen=True)
class Convolution:
    """A convolution with bias (§3.5), or an unshared ("local") layer when `shared` is false.

    Attributes:
        name: `conv1` … as the paper names it.
        channels: Output maps, all towers together.
        kernel: Side of the square kernel.
        stride: Distance between neighbouring kernels.
        padding: Zeros added before (left, top) and after (right, bottom) the maps.
        towers: Into how many towers the maps are divided: each output map sees only its own tower. 1 sees all maps.
        shared: Whether the same kernel serves every position.
    """

    name: str
    channels: int
    kernel: int
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    towers: int = 1
    shared: bool = True

    def output(self, shape: Shape) -> Shape:
        """Give the output shape, or refuse an input that does not fit."""
        maps, side = _maps(self, shape)
        _refuse_undivided(self, {f"{maps} input maps": maps, f"{self.channels} output maps": self.channels})
        positions = _windows(self, side, sum(self.padding), round_up=False)
        return (self.channels, positions, positions)

    def fan_in(self, shape: Shape) -> int:
        """Count the inputs of one output value."""
        return shape[0] // self.towers * self.kernel**2

    def parameters(self, shape: Shape) -> int:
        """Count weights and biases."""
        positions = 1 if self.shared else self.output(shape)[1] ** 2
        return self.channels * (self.fan_in(shape) + 1) * positions

    def macs(self, shape: Shape) -> int:
        """Count multiply-accumulate operations for one picture."""
        return math.prod(self.output(shape)) * self.fan_in(shape)


@dataclass(frozen=True)
class FullyConnected:
    """A fully connected layer with bias; maps are laid out channel by channel before it (§3.5).

    Attributes:
        name: `fc6` … as the paper names it.
        units: Outputs, all towers together.
        towers: Into how many towers inputs and units are divided: each unit sees only its own tower. 1 sees all.
    """

    name: str
    units: int
    towers: int = 1

    def output(self, shape: Shape) -> Shape:
        """Give the output shape, or refuse towers that do not divide the inputs or the units."""
        _refuse_undivided(self, {f"{shape[0]} inputs": shape[0], f"{self.units} units": self.units})
        return (self.units,)

    def fan_in(self, shape: Shape) -> int:
        """Count the inputs of one unit."""
        return math.prod(shape) // self.towers

    def parameters(self, shape: Shape) -> int:
        """Count weights and biases."""
        return self.units * (self.fan_in(shape) + 1)

    def macs(self, shape: Shape) -> int:
        """Count multiply-accumulate operations for one picture."""
        return self.units * self.fan_in(shape)


@dataclass(frozen=True)
class _Free:
    """A layer without parameters; it keeps the shape unless it says otherwise."""

    name: str

    def output(self, shape: Shape) -> Shape:
        """Give the output shape."""
        return shape

    def fan_in(self, shape: Shape) -> int:
        """Count the inputs that are weighed: none."""
        return 0

    def parameters(self, shape: Shape) -> int:
        """Count weights and biases: none."""
        return 0

    def macs(self, shape: Shape) -> int:
        """Count multiply-accumulate operations: none are counted for these layers."""
        return 0


@dataclass(frozen=True)
class Activation(_Free):
    """A non-linearity (§3.1): `relu`, or the `tanh` that the paper compares it with."""

    kind: Literal["relu", "tanh"] = "relu"


@dataclass(frozen=True)
class ResponseNorm(_Free):
    """Local response normalisation (§3.3): b = a / (k + α Σ a²)^β over a window of `size`.

    Attributes:
        name: `norm1`, `norm2`.
        over: `maps` sums over neighbouring maps at one position, as printed; `map` over a square in the same map, as
            an extra layer of the 2012 source does.
        size: n, the width of the window; odd.
        alpha: α. beta: β. k: k.
        divide_alpha: Whether α is divided by the number of values in the window (n, or n² for `map`).
            Paper (§3.3): α is not divided. The 2012 source, Caffe and PyTorch divide it.
        towers: The window never crosses from one of so many towers to the next; 1 is the whole layer.
    """

    over: Literal["maps", "map"] = "maps"
    size: int = NORM_SIZE
    alpha: float = NORM_ALPHA
    beta: float = NORM_BETA
    k: float = NORM_K
    divide_alpha: bool = False
    towers: int = 1

    def output(self, shape: Shape) -> Shape:
        """Keep the shape; refuse towers that do not divide the maps, and even windows."""
        maps, _ = _maps(self, shape)
        if self.size < 1 or self.size % 2 == 0:
            raise UsageError(f"{self.name}: a window of {self.size} has no middle: choose an odd size")
        _refuse_undivided(self, {f"{maps} maps": maps})
        return shape

    @property
    def effective_alpha(self) -> float:
        """The factor of the plain sum of squares."""
        window = self.size if self.over == "maps" else self.size**2
        return self.alpha / window if self.divide_alpha else self.alpha


@dataclass(frozen=True)
class Pool(_Free):
    """Pooling (§3.4): overlapping when the stride is less than the kernel.

    `round_up` lets the last window hang over the edge, as cuda-convnet does; an average then counts only what is there.
    """

    kind: Literal["max", "average"] = "max"
    kernel: int = POOL_SIDE
    stride: int = POOL_STRIDE
    round_up: bool = False

    def output(self, shape: Shape) -> Shape:
        """Give the output shape, or refuse maps smaller than the window."""
        maps, side = _maps(self, shape)
        positions = _windows(self, side, 0, self.round_up)
        return (maps, positions, positions)


@dataclass(frozen=True)
class AdaptivePool(_Free):
    """Average pooling to a fixed side, whatever the input; changes nothing where the side is already right."""

    side: int = 6

    def output(self, shape: Shape) -> Shape:
        """Give the output shape."""
        maps, _ = _maps(self, shape)
        return (maps, self.side, self.side)


@dataclass(frozen=True)
class Dropout(_Free):
    """Dropout (§4.2): `mask` zeroes in training and multiplies by the kept share at test, as printed.

    `inverted` divides by that share in training instead, as PyTorch does. The two differ by it in everything that
    follows: weights trained one way serve the other only after rescaling.
    """

    probability: float = 0.5
    kind: Literal["mask", "inverted"] = "mask"


Weighted = Convolution | FullyConnected
Layer = Convolution | FullyConnected | Activation | ResponseNorm | Pool | AdaptivePool | Dropout
LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind for kind in (Convolution, FullyConnected, Activation, ResponseNorm, Pool, AdaptivePool, Dropout)
}

"""The network: an `Architecture` made into modules, with its starting weights.

Pictures of `alexnet.data.augment` go in, class scores come out; `features` gives every step between by its name.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from alexnet import layers
from alexnet.architectures import Architecture, Row
from alexnet.errors import DataError
from alexnet.nn.passage import through
from alexnet.nn.response_norm import ResponseNorm
from alexnet.nn.unshared import Unshared


class Convolution(nn.Conv2d):
    """A convolution whose zeros may differ before and after the maps (the paper's 224 → 55)."""

    def __init__(self, layer: layers.Convolution, maps: int) -> None:
        before, after = layer.padding
        super().__init__(maps, layer.channels, layer.kernel, layer.stride, min(before, after), groups=layer.towers)
        self.extra = (before - min(layer.padding), after - min(layer.padding))

    def forward(self, x: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n channels oh ow"]:
        """Convolve."""
        before, after = self.extra
        return super().forward(F.pad(x, (before, after, before, after)) if any(self.extra) else x)


class FullyConnected(nn.Linear):
    """A fully connected layer that lays maps out channel by channel, and tower after tower."""

    def __init__(self, layer: layers.FullyConnected, shape: layers.Shape) -> None:
        super().__init__(layer.fan_in(shape), layer.units)
        self.towers = layer.towers

    def forward(self, x: Tensor) -> Float[Tensor, "n units"]:
        """Multiply."""
        x = x.flatten(1)
        if self.towers == 1:
            return super().forward(x)
        inputs, weight = x.unflatten(1, (self.towers, -1)), self.weight.unflatten(0, (self.towers, -1))
        return torch.einsum("nti,toi->nto", inputs, weight).flatten(1) + self.bias


class MaskDropout(nn.Module):
    """Paper (§4.2): a mask in training; at test, outputs are multiplied by the share that training keeps."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Drop or scale; `F.dropout` scales up in training, which the factor takes back."""
        return F.dropout(x, self.probability, self.training) * (1 - self.probability)


def module_of(row: Row) -> nn.Module:
    """Make the module of one layer; weights are left for `initialise`."""
    match row.layer:
        case layers.Convolution() as layer:
            return Convolution(layer, row.input[0]) if layer.shared else Unshared(layer, row.input)
        case layers.FullyConnected() as layer:
            return FullyConnected(layer, row.input)
        case layers.Activation(kind=kind):
            return nn.Tanh() if kind == "tanh" else nn.ReLU()
        case layers.ResponseNorm() as layer:
            return ResponseNorm(layer)
        case layers.Pool() as layer if layer.kind == "max":
            return nn.MaxPool2d(layer.kernel, layer.stride, ceil_mode=layer.round_up)
        case layers.Pool() as layer:
            return nn.AvgPool2d(layer.kernel, layer.stride, ceil_mode=layer.round_up, count_include_pad=False)
        case layers.AdaptivePool(side=side):
            return nn.Identity() if row.input == row.output else nn.AdaptiveAvgPool2d(side)
        case layers.Dropout(probability=probability, kind=kind):
            return MaskDropout(probability) if kind == "mask" else nn.Dropout(probability)


class Network(nn.Module):
    """A network made of its description; each layer is an attribute under its own name (`network.conv1`).

    Attributes:
        architecture: The description.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        for row in architecture.rows():
            self.add_module(row.layer.name, module_of(row))

    def forward(self, x: Float[Tensor, "n 3 side side"]) -> Float[Tensor, "n classes"]:
        """Give class scores (logits) for pictures in the architecture's input convention."""
        return through(list(self.children()), x)

    def features(self, x: Float[Tensor, "n 3 side side"]) -> dict[str, Tensor]:
        """Give the output of every layer by its name, in order; `fc7` after its ReLU is `relu7`."""
        out = {}
        for name, layer in self.named_children():
            out[name] = x = layer(x)
        return out


@torch.no_grad()
def initialise(network: Network, seed: int = 0) -> Network:
    """Draw the starting weights of the architecture's table, the same for the same seed on every device.

    | row | weights | biases |
    |---|---|---|
    | `normal` | N(0, deviation) | the constant |
    | `he` | N(0, gain · √(2 / fan-in)) | the constant |
    | `uniform` | U(±1/√fan-in) | U(±1/√fan-in) |
    """
    generator = torch.Generator().manual_seed(seed)
    rows = {row.layer.name: row for row in network.architecture.rows()}
    for start in network.architecture.start:
        fan_in = rows[start.layer].layer.fan_in(rows[start.layer].input)
        target = [network.get_parameter(f"{start.layer}.{name}") for name in ("weight", "bias")]
        weight, bias = torch.empty(target[0].shape), torch.full(target[1].shape, start.bias)
        if start.weights == "uniform":
            weight.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
            bias.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
        else:
            deviation = start.gain * math.sqrt(2 / fan_in) if start.weights == "he" else start.deviation
            weight.normal_(0, deviation, generator=generator)
        target[0].copy_(weight)
        target[1].copy_(bias)
    return network


def load_weights(network: Network, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into a network, names and shapes checked first.

    Raises:
        DataError: If a name is missing or too many, or a shape differs.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if wanted != found:
        odd = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        first = odd[0]
        raise DataError(
            f"these weights are not of {network.architecture.name}: {len(odd)} of {len(wanted)} differ, first {first} "
            f"(expected {wanted.get(first, 'none')}, found {found.get(first, 'none')}): "
            "name the architecture they belong to"
        )
    network.load_state_dict(weights)


def placed(network: Network, device: torch.device) -> Network:
    """Move a network to its device, in the memory layout that convolutions are fastest in."""
    for parameter in network.parameters():
        layout = torch.channels_last if parameter.dim() == 4 else torch.contiguous_format
        parameter.data = parameter.data.to(device, memory_format=layout)
    return network.to(device)


def arithmetic(device: torch.device, precision: str) -> torch.autocast:
    """Give the context in which layers compute in bfloat16, or as they are; weights stay float32 in both."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")

"""Layer files of 2012 as what they change against layers-145.cfg, the network that the paper's numbers come from.

The files are those of the 2012 source (computerhistory/AlexNet-Source-Code, `layers/`).
"""

from dataclasses import replace
from typing import Any

from alexnet.architectures import Architecture
from alexnet.errors import UsageError

Fields = dict[str, dict[str, Any]]

# What layers-147.cfg (pooling without overlap) has otherwise than layers-145.cfg. Pools that round up would leave maps
# of 7×7; the narrower paddings keep 6×6. (Pools that round down, as those of `paper`, keep 6×6 by themselves.)
_PLAIN = {"kernel": 2, "stride": 2, "round_up": True}
RUN_147: Fields = {
    "pool1": _PLAIN,
    "conv2": {"padding": (1, 1)},
    "pool2": _PLAIN,
    "conv5": {"padding": (0, 0)},
    "pool5": _PLAIN,
}

# What layers-150.cfg (no communication between the towers) has otherwise than layers-145.cfg: more kernels and units
# make up for the weights that go with the connections.
RUN_150: Fields = {
    "conv2": {"channels": 320},
    "conv3": {"towers": 2},
    "fc6": {"units": 8192, "towers": 2},
    "fc7": {"towers": 2},
}


def as_in_2012(architecture: Architecture, change: str, fields: Fields) -> Architecture:
    """Change fields of layers as another 2012 layer file has them.

    Args:
        architecture: `paper`, `authors-2012`, or a variation of them.
        change: What the user asked for, for the message.
        fields: `RUN_147` or `RUN_150`: new values by the layer's name and the field's.

    Raises:
        UsageError: If the network lacks one of the layers.
    """
    if missing := fields.keys() - {layer.name for layer in architecture.layers}:
        raise UsageError(
            f"{change} changes {min(missing)}, which {architecture.name} has not: use it with paper or authors-2012"
        )
    layers = tuple(replace(layer, **fields.get(layer.name, {})) for layer in architecture.layers)
    return replace(architecture, layers=layers)

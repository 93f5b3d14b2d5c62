"""The networks that have a name, as data: the paper's, its authors' of 2012, and what others made of them.

What the printed text says comes from the paper; what the 2012 source says, from the layer files that are named here
(computerhistory/AlexNet-Source-Code, `layers/` and `layers-cifar/`; cuda-convnet, `example-layers/`).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from alexnet.architectures import Architecture, Start
from alexnet.errors import UsageError, did_you_mean
from alexnet.layers import Activation, AdaptivePool, Convolution, Dropout, FullyConnected, Layer, Pool, ResponseNorm
from alexnet.paper import KERNELS

Layers = tuple[Layer, ...]


def _hidden(number: int, *layers: Layer) -> Layers:
    """Put the ReLU after a weighted layer, and what follows it (§3.1)."""
    first, *rest = layers
    return (first, Activation(f"relu{number}"), *rest)


def _printed_convolutions(
    kernels: tuple[int, int, int, int, int],
    towers: int,
    conv1_padding: tuple[int, int],
    norm: ResponseNorm,
    round_up: bool = False,
) -> Layers:
    """The paper's five convolutions (§3.5), in its order; the towers meet in conv3 (§3.2)."""
    conv1, conv2, conv3, conv4, conv5 = kernels
    norm1, norm2 = (replace(norm, name=name) for name in ("norm1", "norm2"))
    pool1, pool2, pool5 = (Pool(name, round_up=round_up) for name in ("pool1", "pool2", "pool5"))
    return (
        *_hidden(1, Convolution("conv1", conv1, 11, 4, conv1_padding), norm1, pool1),
        *_hidden(2, Convolution("conv2", conv2, 5, padding=(2, 2), towers=towers), norm2, pool2),
        *_hidden(3, Convolution("conv3", conv3, 3, padding=(1, 1))),
        *_hidden(4, Convolution("conv4", conv4, 3, padding=(1, 1), towers=towers)),
        *_hidden(5, Convolution("conv5", conv5, 3, padding=(1, 1), towers=towers), pool5),
    )


def _classifier(dropout: Literal["mask", "inverted"], first: int = 6) -> Layers:
    """Two hidden fully connected layers with dropout after each (§4.2), and the scores of 1000 classes."""
    hidden = (
        _hidden(n, FullyConnected(f"fc{n}", 4096), Dropout(f"dropout{n}", kind=dropout)) for n in (first, first + 1)
    )
    return (*(layer for layers in hidden for layer in layers), FullyConnected(f"fc{first + 2}", 1000))


def _with_deviation(start: Iterable[Start], deviation: float, *layers: str) -> tuple[Start, ...]:
    """Change the standard deviation of some layers' starting weights."""
    return tuple(replace(row, deviation=deviation) if row.layer in layers else row for row in start)


def _norms_after_pools(layers: Layers) -> Layers:
    """Swap each response norm with the pool after it."""
    swapped = list(layers)
    for place, layer in enumerate(layers):
        if isinstance(layer, ResponseNorm):
            swapped[place : place + 2] = [layers[place + 1], layer]
    return tuple(swapped)


PRINTED_NORM = ResponseNorm("norm")
NORM_2012 = ResponseNorm("norm", divide_alpha=True, towers=2)

# Paper (§5): N(0, 0.01) in every layer; biases 1 in conv2, conv4, conv5 and the hidden fully connected layers, 0
# elsewhere.
PRINTED_START = (
    Start("conv1"),
    Start("conv2", bias=1.0),
    Start("conv3"),
    Start("conv4", bias=1.0),
    Start("conv5", bias=1.0),
    Start("fc6", bias=1.0),
    Start("fc7", bias=1.0),
    Start("fc8"),
)

# Paper (§3.5): 224×224 inputs give 55×55 maps only with three zeros right and below, which is how the 2012 source reads
# outside its picture.
PAPER = Architecture(
    "paper", (*_printed_convolutions(KERNELS, 2, (0, 3), PRINTED_NORM), *_classifier("mask")), PRINTED_START
)

# Paper (§3.2): one tower of the two, but as many kernels in conv5 and as many units as both have together.
HALF = Architecture(
    "half",
    (*_printed_convolutions((48, 128, 192, 192, 256), 1, (0, 3), PRINTED_NORM), *_classifier("mask")),
    PRINTED_START,
)

# Paper (§6): the network for all of ImageNet has a sixth convolution over the last pooling layer. Its size, its sight
# of both towers and its biases of 1 are those of the 2012 source (layers-146-2011.cfg); the text gives none of them.
CONV6 = Architecture(
    "conv6",
    (
        *_printed_convolutions(KERNELS, 2, (0, 3), PRINTED_NORM),
        *_hidden(6, Convolution("conv6", 256, 3, padding=(1, 1))),
        *_classifier("mask", first=7),
    ),
    (
        *PRINTED_START[:5],
        Start("conv6", bias=1.0),
        Start("fc7", bias=1.0),
        Start("fc8", bias=1.0),
        Start("fc9"),
    ),
)

# The network that the paper's numbers come from: layers-145.cfg and layer-params-145.cfg. cuda-convnet rounds up; for
# the stride of four, three zeros right and below do the same, whatever the side.
# Differs from the paper: norm1 stands before the ReLU, which stands after the pool; response norms keep to their tower
# and divide α; cnorm2, of which §3.3 says nothing, normalises within each map, with k = 1; N(0, 0.03) in conv3, conv4
# and conv5; the middle of the mean image is subtracted, wherever the crop lies.
AUTHORS_2012 = Architecture(
    "authors-2012",
    (
        Convolution("conv1", 96, 11, 4, (0, 3)),
        replace(NORM_2012, name="norm1"),
        Pool("pool1", round_up=True),
        Activation("relu1"),
        *_hidden(2, Convolution("conv2", 256, 5, padding=(2, 2), towers=2)),
        replace(NORM_2012, name="norm2"),
        ResponseNorm("cnorm2", "map", alpha=1e-3, k=1.0, divide_alpha=True),
        Pool("pool2", round_up=True),
        *_hidden(3, Convolution("conv3", 384, 3, padding=(1, 1))),
        *_hidden(4, Convolution("conv4", 384, 3, padding=(1, 1), towers=2)),
        Convolution("conv5", 256, 3, padding=(1, 1), towers=2),
        Pool("pool5", round_up=True),
        Activation("relu5"),
        *_classifier("mask"),
    ),
    _with_deviation(PRINTED_START, 0.03, "conv3", "conv4", "conv5"),
    input="raw-2012",
)

# Differs from the paper: one tower, inputs of 227 and PyTorch's dropout, as write-up 001 has the network, and 002 and
# 004 nearly.
SINGLE = Architecture(
    "single",
    (
        *_printed_convolutions(KERNELS, 1, (0, 0), PRINTED_NORM),
        AdaptivePool("adaptive5"),
        *_classifier("inverted"),
    ),
    PRINTED_START,
    input_side=227,
)

# Differs from the paper: `single` for views of 28 out of 32 pixels, as 224 are of 256; 5×5 kernels at each pixel first.
_AT_28: dict[str, dict[str, Any]] = {
    "conv1": {"kernel": 5, "stride": 1, "padding": (2, 2)},
    "adaptive5": {"side": 2},
}
CIFAR_ALEXNET = replace(
    SINGLE,
    name="cifar-alexnet",
    layers=tuple(replace(layer, **_AT_28.get(layer.name, {})) for layer in SINGLE.layers),
    input_side=28,
).with_classes(10)

# BVLC's models/bvlc_alexnet/train_val.prototxt.
# Differs from the paper: inputs of 227; k = 1 (Caffe's default, which the file leaves) and α divided, over both towers;
# dropout that doubles in training; biases of 0.1 for 1 and N(0, 0.005) in fc6 and fc7. Its pools round up.
CAFFE = Architecture(
    "caffe",
    (
        *_printed_convolutions(KERNELS, 2, (0, 0), replace(PRINTED_NORM, k=1.0, divide_alpha=True), round_up=True),
        *_classifier("inverted"),
    ),
    _with_deviation((replace(row, bias=row.bias / 10) for row in PRINTED_START), 0.005, "fc6", "fc7"),
    input_side=227,
)

# BVLC's models/bvlc_reference_caffenet/train_val.prototxt.
# Differs from the paper: as `caffe`, but each response norm stands after its pool, and the biases are the printed 1.
CAFFENET = Architecture(
    "caffenet",
    _norms_after_pools(CAFFE.layers),
    _with_deviation(PRINTED_START, 0.005, "fc6", "fc7"),
    input_side=227,
)

# torchvision's models/alexnet.py, the network of "One weird trick" without its response norms.
# Differs from the paper: one tower of other sizes, padding of two around the picture, dropout before fc6 and fc7
# instead of after them, PyTorch's own start.
TORCHVISION = Architecture(
    "torchvision",
    (
        *_hidden(1, Convolution("conv1", 64, 11, 4, (2, 2)), Pool("pool1")),
        *_hidden(2, Convolution("conv2", 192, 5, padding=(2, 2)), Pool("pool2")),
        *_hidden(3, Convolution("conv3", 384, 3, padding=(1, 1))),
        *_hidden(4, Convolution("conv4", 256, 3, padding=(1, 1))),
        *_hidden(5, Convolution("conv5", 256, 3, padding=(1, 1)), Pool("pool5")),
        AdaptivePool("adaptive5"),
        Dropout("dropout5", kind="inverted"),
        *_hidden(6, FullyConnected("fc6", 4096), Dropout("dropout6", kind="inverted")),
        *_hidden(7, FullyConnected("fc7", 4096)),
        FullyConnected("fc8", 1000),
    ),
    tuple(Start(row.layer, "uniform") for row in PRINTED_START),
    input="imagenet",
)

# What torchvision calls each layer: `conv1.weight` here is `features.0.weight` there.
TORCHVISION_NAMES = {
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3": "features.6",
    "conv4": "features.8",
    "conv5": "features.10",
    "fc6": "classifier.1",
    "fc7": "classifier.4",
    "fc8": "classifier.6",
}

# cuda-convnet's networks for CIFAR-10. Pools round up, response norms divide α and have k = 1.
_NORM_18PCT = ResponseNorm("norm", "map", 3, alpha=5e-5, k=1.0, divide_alpha=True)
_NORM_11PCT = ResponseNorm("norm", size=9, alpha=1e-3, k=1.0, divide_alpha=True)

# layers-18pct.cfg: whole pictures, response norms within a map.
CIFAR_18PCT = Architecture(
    "cifar-18pct",
    (
        Convolution("conv1", 32, 5, padding=(2, 2)),
        Pool("pool1", round_up=True),
        Activation("relu1"),
        replace(_NORM_18PCT, name="norm1"),
        *_hidden(2, Convolution("conv2", 32, 5, padding=(2, 2)), Pool("pool2", "average", round_up=True)),
        replace(_NORM_18PCT, name="norm2"),
        *_hidden(3, Convolution("conv3", 64, 5, padding=(2, 2)), Pool("pool3", "average", round_up=True)),
        FullyConnected("fc10", 10),
    ),
    (Start("conv1", deviation=1e-4), Start("conv2"), Start("conv3"), Start("fc10")),
    input_side=32,
)

_LOCAL_START = (
    Start("conv1", deviation=1e-4),
    Start("conv2"),
    Start("local3", deviation=0.04),
    Start("local4", deviation=0.04),
    Start("fc10"),
)

# layers-conv-local-13pct.cfg: crops of 24, two unshared layers, no response norm.
CIFAR_13PCT = Architecture(
    "cifar-13pct",
    (
        *_hidden(1, Convolution("conv1", 64, 5, padding=(2, 2)), Pool("pool1", round_up=True)),
        *_hidden(2, Convolution("conv2", 64, 5, padding=(2, 2)), Pool("pool2", round_up=True)),
        *_hidden(3, Convolution("local3", 32, 3, padding=(1, 1), shared=False)),
        *_hidden(4, Convolution("local4", 32, 3, padding=(1, 1), shared=False)),
        FullyConnected("fc10", 10),
    ),
    _LOCAL_START,
    input_side=24,
)

# layers-conv-local-11pct.cfg: response norms over nine maps, after pool1 and before pool2, and twice the kernels in
# local3, so that against cifar-13pct not the response norms alone are new.
CIFAR_11PCT = Architecture(
    "cifar-11pct",
    (
        *_hidden(1, Convolution("conv1", 64, 5, padding=(2, 2)), Pool("pool1", round_up=True)),
        replace(_NORM_11PCT, name="norm1"),
        *_hidden(2, Convolution("conv2", 64, 5, padding=(2, 2))),
        replace(_NORM_11PCT, name="norm2"),
        Pool("pool2", round_up=True),
        *_hidden(3, Convolution("local3", 64, 3, padding=(1, 1), shared=False)),
        *_hidden(4, Convolution("local4", 32, 3, padding=(1, 1), shared=False)),
        FullyConnected("fc10", 10),
    ),
    _LOCAL_START,
    input_side=24,
)

ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        *(PAPER, AUTHORS_2012, SINGLE, HALF, CONV6),
        *(CAFFE, CAFFENET, TORCHVISION),
        *(CIFAR_ALEXNET, CIFAR_18PCT, CIFAR_13PCT, CIFAR_11PCT),
    )
}


def named(name: str) -> Architecture:
    """Find a network by its name.

    Raises:
        UsageError: If no network has this name.
    """
    if name not in ARCHITECTURES:
        raise UsageError(f"unknown architecture {name}: {did_you_mean(name, ARCHITECTURES)}")
    return ARCHITECTURES[name]

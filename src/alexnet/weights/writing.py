"""Write a network's weights for others to use: the function `write`."""

from collections.abc import Sequence
from pathlib import Path

from alexnet.catalogue import TORCHVISION, TORCHVISION_NAMES
from alexnet.durable import atomic_file
from alexnet.errors import UsageError
from alexnet.nn.network import Network
from alexnet.weights import caffemodel, npy, npz, pth, safetensors
from alexnet.weights.content import plain_tensors, without_sizes

ENDINGS = (".pth", ".npz", ".npy", ".caffemodel", ".safetensors")


def write(path: Path, network: Network, classes: Sequence[str] | None = None) -> None:
    """Write weights, whole or not at all, in the form that the ending of `path` says.

    `.pth` and `.npz` have torchvision's names where the layers are torchvision's, else ours; `.caffemodel` and `.npy`
    are Caffe's and hold its networks only; `.safetensors` has our names, the network and the classes.

    Only `.safetensors` tells which pixels the network wants: whoever reads another form must be told.

    Raises:
        UsageError: If the ending is another, or Caffe has no such network.
        AlexNetError: If the disk is full or the file cannot be written.
    """
    ending, architecture = path.suffix.lower(), network.architecture
    if ending not in ENDINGS:
        raise UsageError(f"{path}: weights are not written as {ending or 'a file without ending'}: {' '.join(ENDINGS)}")
    tensors = plain_tensors(network)
    if ending in (".npy", ".caffemodel"):
        caffemodel.caffe_network(architecture, path)
    elif without_sizes(architecture.layers) == without_sizes(TORCHVISION.layers) and ending != ".safetensors":
        tensors = {_as_torchvision(name): tensor for name, tensor in tensors.items()}
    with atomic_file(path) as stream:
        match ending:
            case ".pth":
                pth.write(stream, tensors)
            case ".npz":
                npz.write(stream, tensors)
            case ".npy":
                npy.write(stream, tensors, architecture, path)
            case ".caffemodel":
                caffemodel.write(stream, tensors, architecture, path)
            case _:
                safetensors.write(stream, tensors, architecture, classes)


def _as_torchvision(name: str) -> str:
    layer, kind = name.split(".")
    return f"{TORCHVISION_NAMES[layer]}.{kind}"

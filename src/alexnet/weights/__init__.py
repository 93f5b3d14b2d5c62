"""Pretrained weights in and out: torchvision's, Caffe's, our runs and folders, the Hub.

>>> from alexnet.weights import create_model
>>> network = create_model("torchvision", weights="torchvision")  # doctest: +SKIP
"""

from alexnet.weights.content import Weights
from alexnet.weights.fitting import create_model, fit
from alexnet.weights.places import is_pretrained
from alexnet.weights.pretrained import Pretrained, read_pretrained, write_pretrained
from alexnet.weights.reading import read
from alexnet.weights.writing import write

__all__ = [
    "Pretrained",
    "Weights",
    "create_model",
    "fit",
    "is_pretrained",
    "read",
    "read_pretrained",
    "write",
    "write_pretrained",
]

"""AlexNet (Krizhevsky, Sutskever, Hinton 2012): prepare pictures, train, evaluate, predict.

>>> import alexnet
>>> network = alexnet.create_model("single", num_classes=10)  # doctest: +SKIP

The public functions are looked up when first used, so that importing `alexnet` is quick and does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alexnet.data.preparation import prepare
    from alexnet.evaluation import evaluate
    from alexnet.prediction import from_pretrained, load, predict
    from alexnet.training.loop import train
    from alexnet.weights import create_model

    __version__: str

__all__ = ["__version__", "create_model", "evaluate", "from_pretrained", "load", "predict", "prepare", "train"]

_HOMES = {
    "create_model": "alexnet.weights",
    "evaluate": "alexnet.evaluation",
    "from_pretrained": "alexnet.prediction",
    "load": "alexnet.prediction",
    "predict": "alexnet.prediction",
    "prepare": "alexnet.data.preparation",
    "train": "alexnet.training.loop",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("alexnet")
    if name not in _HOMES:
        raise AttributeError(f"module 'alexnet' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

"""The claims of the paper and the write-ups, rerun: one module each, made only of the library's verbs."""

from importlib import import_module
from pathlib import Path

from alexnet.errors import UsageError, did_you_mean

# What `alexnet reproduce` lists; the module is the name with underscores.
EXPERIMENTS = {
    "cifar-18pct": "cuda-convnet's small network on the whole of CIFAR-10: by its own recipe, and in minutes",
    "cifar-13pct": "cuda-convnet's network with unshared layers on the whole of CIFAR-10, by its own recipe",
    "cifar-11pct": "the same with response normalisation",
    "fine-tune-dogs": "five breeds from pretrained convolutions, as write-up 000 tried, by the recipe fine-tune",
    "kernels": "the compiled kernels learn what PyTorch's operations learn, over three seeds",
    "printed-recipe": "the paper's recipe and its authors' leave ln(10) at once, and what keeps others there",
    "time-to-accuracy": "seconds to 80, 85 and 90 % on CIFAR-10, with an AlexNet and with cuda-convnet's networks",
    "write-up-000": "five breeds from pretrained convolutions, 30 epochs: as written (printed: 19-22 %), and ours",
    "write-up-000-causes": "what can bring it to a constant answer, one cause at a time",
    "write-up-001": "the whole of CIFAR-10: as written for two epochs, why its loss jumps, and ours in an hour",
    "write-up-002": "4,000 cats and dogs, 20 epochs: as written, ours from scratch, ours from pretrained convolutions",
    "write-up-003": "the ImageNet recipe from the archives on, on ten classes; and what the whole would take",
    "write-up-004": "5,000 CIFAR-10 images, 10 epochs: as written (printed: 26.7 %), and ours",
    "write-up-004-steps": "the same, one change after another, on small views",
}


def run_experiment(name: str, data: Path | None, work: Path, results: Path, quick: bool) -> None:
    """Run one experiment.

    Args:
        name: As listed in `EXPERIMENTS`.
        data: Folder that holds the data sets in their official layouts.
        work: Folder for stores and runs; what it holds from an earlier, interrupted call is used again.
        results: Folder for the evidence.
        quick: A few minutes' worth, to see that it runs; its evidence goes to `work` instead.

    Raises:
        UsageError: If there is no such experiment, or its data is not given.
    """
    if name not in EXPERIMENTS:
        raise UsageError(f"unknown experiment {name}: {did_you_mean(name, EXPERIMENTS)}")
    if data is None:
        raise UsageError(f"{name} needs real pictures: give --data DIR, which holds the data sets, or set ALEXNET_DATA")
    if not data.is_dir():
        raise UsageError(f"--data {data} is no folder: give the one that holds the data sets")
    module = import_module(f"alexnet.experiments.{name.replace('-', '_')}")
    module.reproduce(data, work / (f"{name}-quick" if quick else name), work if quick else results, quick)

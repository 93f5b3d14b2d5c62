"""The claims of the paper and the write-ups, rerun: one module each, made only of the library's verbs."""

from pathlib import Path

from alexnet.errors import UsageError, did_you_mean

# What `alexnet reproduce` lists; the module is the name with underscores.
EXPERIMENTS = {
    "cifar-18pct": "cuda-convnet's small network on the whole of CIFAR-10, in minutes",
    "printed-recipe": "the paper's recipe and its authors' leave ln(10) at once, and what keeps others there",
    "write-up-004": "5,000 CIFAR-10 images, 10 epochs: as written (plateau, 26.7 %), and ours",
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
    from alexnet.experiments import cifar_18pct, printed_recipe, write_up_004, write_up_004_steps

    runners = {
        "cifar-18pct": cifar_18pct.reproduce,
        "printed-recipe": printed_recipe.reproduce,
        "write-up-004": write_up_004.reproduce,
        "write-up-004-steps": write_up_004_steps.reproduce,
    }
    if name not in runners:
        raise UsageError(f"unknown experiment {name}: {did_you_mean(name, EXPERIMENTS)}")
    if data is None:
        raise UsageError(
            f"{name} needs real pictures: give --data DIR, which holds cifar-10-batches-py, or set ALEXNET_DATA"
        )
    runners[name](data, work / (f"{name}-quick" if quick else name), work if quick else results, quick)

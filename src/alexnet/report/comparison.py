"""Which printed results a run can be put beside: those of its network on its kind of pictures."""

from dataclasses import dataclass

from alexnet.paper import PAPER_RESULTS, WRITE_UP_RESULTS, Metric, Result

# The top-1 errors on CIFAR-10 that cuda-convnet's networks are named for.
NAMED_ERRORS = {"cifar-18pct": 0.18, "cifar-13pct": 0.13, "cifar-11pct": 0.11}
# Of the paper's printed results on ImageNet, those of one network on one view; more views, and averages, are others.
IMAGENET = {("CNN", "§6, footnote"), ("1 CNN", "Table 2")}
# Training pictures of write-up 004.
FEW = 5_000
# §3.3's network of four layers has these forms in cuda-convnet.
FOUR_LAYERS = {
    "cifar-13pct": "four layers without normalisation",
    "cifar-11pct": "four layers with normalisation",
}


@dataclass(frozen=True)
class Beside:
    """A printed result beside that of a run.

    Attributes:
        metric: `top1` or `top5`, as accuracies; `loss`.
        printed: The printed value.
        here: The run's.
        source: Where it is printed, of what.
        note: Its conditions.
    """

    metric: Metric
    printed: float
    here: float
    source: str
    note: str


def beside(architecture: str, kind: str, classes: int, training: int, figures: dict[str, float | None]) -> list[Beside]:
    """Put a run's figures beside the printed ones that were measured on pictures of its kind.

    Args:
        architecture: Name of its network.
        kind: Where its pictures come from, as the store names it; empty if nobody knows.
        classes: Number of its classes.
        training: Number of its training pictures.
        figures: `top1`, `top5` and `loss` on pictures that it did not learn from, the same of training.
    """
    rows: list[Result] = []
    if architecture in NAMED_ERRORS and kind in ("cifar10", ""):
        error = NAMED_ERRORS[architecture]
        rows.append(Result(architecture, "cuda-convnet", "top1_error", error, "its name; CIFAR-10 test"))
    if kind == "cifar10":
        rows += [row for row in PAPER_RESULTS if row.name == FOUR_LAYERS.get(architecture)]
        rows += _write_up("004" if training == FEW else "001")
    if kind == "stanford-dogs" and classes == 5:
        rows += _write_up("000")
    if kind == "imagenet" and classes == 1000:
        rows += [row for row in PAPER_RESULTS if (row.name, row.section) in IMAGENET]
    return [one for row in rows if (one := _put(row, figures)) is not None]


def _write_up(number: str) -> list[Result]:
    return [row for row in WRITE_UP_RESULTS if row.section == f"write-up {number}"]


def _put(row: Result, figures: dict[str, float | None]) -> Beside | None:
    """Bring a printed result to the scale of the run's figure; nothing if there is no such figure."""
    metric: Metric
    if row.metric in ("top1_error", "top5_error"):
        metric, value = ("top1" if row.metric == "top1_error" else "top5"), 1 - row.value
    else:
        metric, value = row.metric, row.value
    here = figures.get(metric)
    return None if here is None else Beside(metric, value, here, f"{row.section}: {row.name}", row.note)

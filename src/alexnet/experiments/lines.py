"""Which figures of the experiments count: the lines of the short table, the README's and those that are listed."""

from dataclasses import dataclass

STEPS = "write-up-004-steps"


@dataclass(frozen=True)
class Line:
    """A line of the short table: which rows of a result are shown.

    Attributes:
        name: Of the experiment.
        what: What it is about, in a few words.
        beside: Label of the row that ours is put beside, as what repeats a printed figure; None if there is none.
        ours: Label of the row that is ours.
        metric: Of both.
        headline: Whether the README has it too.
    """

    name: str
    what: str
    beside: str | None
    ours: str
    metric: str = "top1"
    headline: bool = False


LINES = (
    Line(
        "cifar-18pct",
        "CIFAR-10 whole by cifar-18pct, one view",
        None,
        "10,000 test images, whole picture",
        headline=True,
    ),
    Line("cifar-13pct", "the same by cuda-convnet's 13 % network", None, "own, 10,000 test images, ten crops"),
    Line("cifar-11pct", "the same by its 11 % network", None, "own, 10,000 test images, ten crops"),
    Line("fine-tune-dogs", "five dogs, from pretrained convolutions", None, "253 test images, centre", headline=True),
    Line(
        "kernels",
        "compiled kernels beside PyTorch's",
        "PyTorch's kernels, 10,000 test images",
        "compiled kernels, 10,000 test images",
    ),
    Line(
        "printed-recipe",
        "the paper's recipe beside PyTorch's dropout, loss",
        "paper, PyTorch's dropout, updates 151 to 160",
        "paper, updates 151 to 160",
        "train_loss",
    ),
    Line(
        "write-up-000",
        "write-up 000: five dogs, photographs, from scratch",
        "photographs, 253 test images: SGD, centre",
        "photographs, 253 test images: ours, from scratch, centre and mirror",
        headline=True,
    ),
    Line(
        "write-up-000",
        "the same dogs cut out, from scratch",
        "cut-outs, 290 test images: SGD, centre",
        "cut-outs, 290 test images: ours, from scratch, centre and mirror",
    ),
    Line(
        "write-up-000",
        "the photographs, from pretrained convolutions",
        "photographs, 253 test images: SGD, centre",
        "photographs, 253 test images: ours, from the pretrained convolutions, ten crops",
        headline=True,
    ),
    Line(
        "time-to-accuracy",
        "an AlexNet to 80 % of CIFAR-10; beside, a plain recipe",
        "an AlexNet to 80%, plain recipe",
        "an AlexNet to 80%",
        "seconds",
        headline=True,
    ),
    Line(
        "write-up-001",
        "write-up 001: CIFAR-10 whole, an AlexNet in an hour",
        None,
        "ours, 10,000 test images, ten crops",
        headline=True,
    ),
    Line(
        "write-up-002",
        "write-up 002: cats and dogs, from scratch",
        "as written, 400 test images, centre",
        "from scratch, 400 test images, centre and mirror",
        headline=True,
    ),
    Line(
        "write-up-002",
        "the same, from pretrained convolutions",
        "as written, 400 test images, centre",
        "from pretrained convolutions, 400 test images, centre and mirror",
        headline=True,
    ),
    Line(
        "write-up-003",
        "write-up 003: ten classes of ImageNet",
        "as written, norm before the activation, at the end",
        "ours, norm before the activation, at the end",
        "val_top1",
    ),
    Line(
        "write-up-003",
        "the same, the norm after the activation",
        "as written, norm after the activation, at the end",
        "ours, norm after the activation, at the end",
        "val_top1",
    ),
    Line(
        "write-up-004",
        "write-up 004: 5,000 of CIFAR-10, 1,000 scored",
        "as-written, 1,000 test images, centre",
        "ours, 1,000 test images, centre and mirror",
        headline=True,
    ),
    Line(
        "write-up-004",
        "the same, all 10,000 scored",
        "as-written, 10,000 test images, centre",
        "ours, 10,000 test images, centre and mirror",
        headline=True,
    ),
    Line(STEPS, "write-up 004 on views of 67 pixels, all steps", "as written", "+ mirrored views at test"),
)

"""The paper as data: its constants, each number that it prints with its section, and what others printed.

Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012; the notes
that its authors left at the ends of the 2012 layer files; the five write-ups that this project reruns. Errors,
accuracies and differences of errors are shares, 0 to 1.
"""

from dataclasses import dataclass
from typing import Literal

Metric = Literal[
    "top1_error",
    "top5_error",
    "train_error",
    "top1_gain",  # how much lower the top-1 error is with the thing than without
    "top5_gain",
    "difference",
    "top1",
    "top5",
    "train_top1",
    "loss",
    "train_loss",
    "factor",
    "count",
]


@dataclass(frozen=True)
class Result:
    """One printed number.

    Attributes:
        name: What was measured.
        section: Where it is printed.
        metric: What the value is.
        value: A share for errors, accuracies and gains; natural logarithms for losses.
        note: Data and conditions.
        claim: The claim of `CLAIMS` that it belongs to, if any.
    """

    name: str
    section: str
    metric: Metric
    value: float
    note: str = ""
    claim: str = ""


@dataclass(frozen=True)
class Claim:
    """One statement of the paper that can be tested.

    Attributes:
        name: C1 to C20, as this project counts them.
        section: Where it is printed.
        text: What is claimed.
    """

    name: str
    section: str
    text: str


# §3.5 and Figure 2: the network.
KERNELS = (96, 256, 384, 384, 256)
KERNEL_SIDES = (11, 5, 3, 3, 3)
FIRST_STRIDE = 4
HIDDEN_UNITS = 4096
CLASSES = 1000
TOWERS = 2
MAP_SIDES = (55, 27, 13, 13, 13)  # of conv1 … conv5; pool5 gives 6
# The caption's first number is 55·48·96; the layer has 55·55·96 = 290,400 units, which makes about 650,000 in all.
CAPTION_NEURONS = (253_440, 186_624, 64_896, 64_896, 43_264, 4_096, 4_096, 1_000)
NEURONS = (290_400, 186_624, 64_896, 64_896, 43_264, 4_096, 4_096, 1_000)
PARAMETERS = 60_965_224

# §3.3: response normalisation. §3.4: overlapping pooling.
NORM_K = 2.0
NORM_SIZE = 5
NORM_ALPHA = 1e-4
NORM_BETA = 0.75
POOL_SIDE = 3
POOL_STRIDE = 2

# §2 and §4.1: pictures.
PICTURE_SIDE = 256
CROP_SIDE = 224
COLOUR_NOISE = 0.1

# §4.1 as run in 2012: standard deviations of ImageNet's RGB pixels along their principal axes, in grey levels, the
# largest first (cuda-convnet2, make-data/input_meta, key color_pca). Differs from the paper: the axes in that file are
# not at hand as numbers; LIGHTING_AXES stand in for them.
IMAGENET_COLOUR_DEVIATIONS = (121.7801, 37.0939, 19.7208)
# The same of a sample of ImageNet, as most others have it (fb.resnet.torch, datasets/imagenet.lua): variances of
# pixels on the 0–1 scale, and the axes as columns, rows R, G, B.
LIGHTING_EIGENVALUES = (0.2175, 0.0188, 0.0045)
LIGHTING_AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))

# §4.2 and §5: learning.
DROPOUT = 0.5
BATCH_SIZE = 128
MOMENTUM = 0.9
WEIGHT_DECAY = 0.0005
START_DEVIATION = 0.01
LEARNING_RATE = 0.01
RATE_DIVISOR = 10.0
RATE_DROPS = 3
EPOCHS = 90

CLAIMS = (
    Claim("C1", "Table 1", "ILSVRC-2010: the network beats sparse coding, and SIFT with Fisher vectors"),
    Claim("C2", "§6", "averaging ten views lowers the error"),
    Claim("C3", "Table 2", "ILSVRC-2012: averaged and pretrained networks are better still"),
    Claim("C4", "§6", "validation and test error differ by 0.1 % or less"),
    Claim("C5", "§6", "Fall 2009 with a sixth convolution beats the best published result"),
    Claim(
        "C6",
        "§3.1",
        "with ReLU a four-layer network reaches 25 % training error on CIFAR-10 six times sooner than with tanh",
    ),
    Claim("C7", "§3.3", "response normalisation lowers the error on ImageNet and on CIFAR-10"),
    Claim("C8", "§3.4", "overlapping pooling lowers the error and overfits slightly less"),
    Claim("C9", "§3.2", "two towers beat one tower of half the kernels, in slightly less time"),
    Claim("C10", "§4.1", "colour noise along the principal components lowers the top-1 error by over 1 %"),
    Claim("C11", "§4.1", "without crops and reflections, 2048 times the pictures, the network overfits substantially"),
    Claim(
        "C12", "§4.2", "without dropout the network overfits substantially; with it learning takes twice the iterations"
    ),
    Claim("C13", "§5", "weight decay lowers the training error"),
    Claim("C14", "§5", "biases of 1 make the start of learning faster"),
    Claim(
        "C15",
        "§1, §7",
        "leaving out any middle convolution costs about 2 % top-1, though it holds 1 % of the weights at most",
    ),
    Claim("C16", "abstract", "60 million parameters, 650,000 neurons"),
    Claim("C17", "§6.1", "the kernels of one tower ignore colour and those of the other do not, in every run"),
    Claim(
        "C18",
        "§6.1",
        "most of the five best labels are reasonable; pictures near in the last hidden layer look alike in kind",
    ),
    Claim("C19", "§6.1", "near in the last hidden layer is not near in pixels"),
    Claim("C20", "§1, §7", "larger and deeper networks, more training and more pictures give better results"),
)


def _errors(name: str, section: str, top1: float, top5: float, note: str, claim: str) -> tuple[Result, Result]:
    """Make the two errors that the paper prints side by side."""
    return (
        Result(name, section, "top1_error", top1, note, claim),
        Result(name, section, "top5_error", top5, note, claim),
    )


def _gains(name: str, section: str, top1: float, top5: float, claim: str) -> tuple[Result, Result]:
    """Make the two differences that the paper prints side by side."""
    return (
        Result(name, section, "top1_gain", top1, "ImageNet", claim),
        Result(name, section, "top5_gain", top5, "ImageNet", claim),
    )


_TEST_2010 = "ILSVRC-2010 test"
_VAL_2012 = "ILSVRC-2012 validation"
_TEST_2012 = "ILSVRC-2012 test"

PAPER_RESULTS = (
    *_errors("sparse coding", "Table 1", 0.471, 0.282, _TEST_2010, "C1"),
    *_errors("SIFT + FVs", "Table 1", 0.457, 0.257, _TEST_2010, "C1"),
    *_errors("CNN", "Table 1", 0.375, 0.170, f"{_TEST_2010}, ten views", "C1"),
    *_errors("CNN", "§6, footnote", 0.390, 0.183, f"{_TEST_2010}, one view", "C2"),
    Result("SIFT + FVs", "Table 2", "top5_error", 0.262, _TEST_2012, "C3"),
    *_errors("1 CNN", "Table 2", 0.407, 0.182, _VAL_2012, "C3"),
    *_errors("5 CNNs", "Table 2", 0.381, 0.164, _VAL_2012, "C3"),
    Result("5 CNNs", "Table 2", "top5_error", 0.164, _TEST_2012, "C3"),
    *_errors("1 CNN*", "Table 2", 0.390, 0.166, f"{_VAL_2012}; pretrained on Fall 2011", "C3"),
    *_errors("7 CNNs*", "Table 2", 0.367, 0.154, f"{_VAL_2012}; two pretrained on Fall 2011", "C3"),
    Result("7 CNNs*", "Table 2", "top5_error", 0.153, f"{_TEST_2012}; two pretrained on Fall 2011", "C3"),
    Result("validation against test", "§6", "difference", 0.001, "of the errors, at most", "C4"),
    *_errors("CNN, six convolutions", "§6", 0.674, 0.409, "Fall 2009, 10,184 classes", "C5"),
    *_errors("best published before", "§6", 0.781, 0.609, "Fall 2009", "C5"),
    Result("ReLU against tanh", "§3.1", "factor", 6.0, "epochs to 25 % training error, CIFAR-10", "C6"),
    Result("ReLU and tanh", "§3.1", "train_error", 0.25, "error at which they are compared, CIFAR-10", "C6"),
    *_gains("response normalisation", "§3.3", 0.014, 0.012, "C7"),
    Result("four layers without normalisation", "§3.3", "top1_error", 0.13, "CIFAR-10 test", "C7"),
    Result("four layers with normalisation", "§3.3", "top1_error", 0.11, "CIFAR-10 test", "C7"),
    *_gains("overlapping pooling", "§3.4", 0.004, 0.003, "C8"),
    *_gains("two towers", "§3.2", 0.017, 0.012, "C9"),
    Result("colour noise", "§4.1", "top1_gain", 0.01, "over 1 %, ImageNet", "C10"),
    Result("crops and reflections", "§4.1", "factor", 2048.0, "from each picture; 2012 source: 33·33·2 = 2178", "C11"),
    Result("dropout", "§4.2", "factor", 2.0, "iterations to converge, roughly", "C12"),
    Result("any middle convolution", "§7", "top1_gain", 0.02, "about, ImageNet", "C15"),
    Result("parameters", "abstract", "count", 60_000_000.0, f"{PARAMETERS:,} by the layer sizes", "C16"),
    Result("neurons", "abstract", "count", 650_000.0, f"{sum(NEURONS):,} by the layer sizes", "C16"),
)


def _run(name: str, loss: float, top1: float, top5: float, note: str, claim: str = "") -> tuple[Result, ...]:
    """Make the three numbers at the end of a 2012 layer file."""
    section = f"2012 notes, {name}"
    return (Result(name, section, "loss", loss, note, claim), *_errors(name, section, top1, top5, note, claim))


# What the notes at the ends of the 2012 layer-params files say of the paper's networks: the printed numbers, unrounded.
NOTES_2012 = (
    *_run("145-2010", 1.614660, 0.374727, 0.169987, f"{_TEST_2010}, ten views", "C1"),
    *_run("145-2010", 1.706031, 0.390247, 0.182953, f"{_TEST_2010}, one view", "C2"),
    *_run("145", 1.741473, 0.406640, 0.182100, _VAL_2012, "C3"),
    *_run(
        "145 continued", 1.725738, 0.402500, 0.179940, f"{_VAL_2012}, ten views; rate raised again, 135 epochs", "C20"
    ),
    *_run("145-half", 1.702802, 0.391680, 0.182287, f"{_TEST_2010}, ten views; one tower of half the kernels", "C9"),
    *_run("146-2012-2009", 1.646452, 0.391000, 0.168760, f"{_VAL_2012}, ten views; pretrained on Fall 2009", "C20"),
    *_run("146-2012-2011", 1.633191, 0.389900, 0.166220, f"{_VAL_2012}, ten views; pretrained on Fall 2011", "C3"),
    *_run("147", 1.757644, 0.410580, 0.185100, f"{_VAL_2012}, ten views; pooling does not overlap", "C8"),
    *_run("148", 1.822358, 0.420340, 0.193620, f"{_VAL_2012}, ten views; no response normalisation", "C7"),
    *_run("150", 1.811173, 0.418280, 0.193300, f"{_VAL_2012}, ten views; no communication between the towers"),
)

_DOGS = "Stanford Dogs, 5 classes, 290 test pictures; 30 epochs, pretrained torchvision network"
_CIFAR_5000 = "CIFAR-10, first 5,000 pictures, 10 epochs; first 1,000 test pictures"

# What the write-ups print of their own runs; 002 and 003 print none.
WRITE_UP_RESULTS = (
    Result("SGD", "write-up 000", "top1", 0.2241, _DOGS),
    Result("SGD, rate / 10 each 10 epochs", "write-up 000", "top1", 0.2172, _DOGS),
    Result("Adam", "write-up 000", "top1", 0.1897, _DOGS),
    Result("Adam, rate / 10 each 10 epochs", "write-up 000", "top1", 0.2207, _DOGS),
    Result("parameters", "write-up 001", "count", 58_322_314.0, "one tower, 10 classes"),
    Result("epoch 50", "write-up 001", "train_loss", 0.69543, "CIFAR-10, batch 4"),
    Result("epoch 50", "write-up 001", "loss", 0.83729, "CIFAR-10, batch 4; validation"),
    Result("as written", "write-up 004", "train_top1", 0.2582, _CIFAR_5000),
    Result("as written", "write-up 004", "top1", 0.2670, _CIFAR_5000),
    Result("as written", "write-up 004", "top5", 0.8130, _CIFAR_5000),
)

# Write-up 001, training and validation loss after the epochs that it prints, counted from 1.
WRITE_UP_001_LOSSES = {
    1: (1.42579, 1.07362),
    2: (0.93875, 0.84799),
    3: (0.73101, 0.74433),
    49: (0.67797, 1.72786),
    50: (0.69543, 0.83729),
}

# Write-up 004, epoch by epoch: the sum of the losses of 40 batches, and the training accuracy.
WRITE_UP_004_LOSS_SUMS = (92.106, 92.071, 92.068, 92.000, 91.662, 89.078, 85.073, 83.934, 82.367, 80.209)
WRITE_UP_004_TRAIN_TOP1 = (0.1036, 0.1050, 0.1090, 0.1298, 0.1338, 0.1440, 0.2214, 0.2346, 0.2342, 0.2582)


def printed(name: str, metric: Metric, section: str) -> float:
    """Find one printed number by its three keys, where they are unique.

    Raises:
        LookupError: If none or several numbers have them.
    """
    rows = [*PAPER_RESULTS, *NOTES_2012, *WRITE_UP_RESULTS]
    values = {row.value for row in rows if (row.name, row.metric, row.section) == (name, metric, section)}
    if len(values) != 1:
        raise LookupError(f"{len(values)} printed numbers are called {name}, {metric}, {section}")
    return values.pop()

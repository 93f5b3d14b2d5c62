"""The recipes that have a name, each as a table: what it changes against the paper's, and why.

`alexnet info --recipe NAME` prints them. Where a source does not tell a number, its reason says so.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

from alexnet.errors import UsageError, did_you_mean
from alexnet.recipe import Recipe

Changes = dict[str, tuple[Any, str]]

# What both recipes for small sets have.
_SMALL: Changes = {
    "batch_size": (32, "four times the updates per picture: small sets give few updates"),
    "optimizer": ("nesterov", "momentum that looks one step ahead"),
    "schedule": ("linear", "needs no validation, and ends at 0 in a known time"),
    "label_smoothing": (0.1, "keeps the scores from growing without end on few pictures"),
    "precision": ("bfloat16", "half the memory traffic; weights and sums stay float32"),
    "colour_noise": (0.0, "left out: the shift is for long trainings, and its gain in ten epochs was not measured"),
}

_FAST: Changes = {
    **_SMALL,
    "epochs": (10, "small sets are learned in minutes; the falling rate is planned for this many"),
    "warmup_epochs": (0.5, "the first gradients are large: half an epoch from 0 keeps them from breaking the start"),
    "start": ("he", "the printed start waits long on its plateau; this one learns at once"),
}

# Chosen on a fifth of CIFAR-10's training pictures, held out.
_CIFAR_ALEXNET: Changes = {
    **_FAST,
    "epochs": (45, "within an hour on two cores, at half the width (--vary width=0.5)"),
    "batch_size": (64, "so many pictures give enough updates, and larger products are quicker"),
    "lr": (0.03, "of 0.02 and 0.03 the better after three epochs at a quarter of the width: 67.7, 69.1 %"),
    "pad": (2, "with crops of 28 out of 32, shifts of up to four pixels either way"),
}

# New layers start as their network has it: He's start, which wants inputs of unit variance, begins at many times
# ln(classes) on pretrained convolutions, and spoils them.
_FINE_TUNE: Changes = {
    **_SMALL,
    "epochs": (20, "a few hundred pictures are learned in minutes"),
    "lr": (0.005, "half the printed rate: the convolutions are to be kept, not lost"),
    "layer_lr": ({"conv1-conv5": 0.1}, "pretrained convolutions move little, the new layers fully"),
    "warmup_epochs": (1.0, "until the new layers know something, their gradients only disturb the others"),
    "crop": ("random-resized", "few pictures need more varied views"),
    "crop_scale_low": (0.35, "smaller parts of a photograph often show nothing of its class"),
}

# Run 145 of the 2012 notes (layer-params-145*.cfg), ILSVRC-2012. That conv1 fell to 1e-5 five epochs before it was
# frozen is left out: the other layers were at 1e-4 by then.
_AUTHORS_2012: Changes = {
    "epochs": (91, "stopped there by hand"),
    "bias_lr_factor": (2.0, "epsB 0.02 beside epsW 0.01"),
    "bias_weight_decay": (False, "layer.cu gives biases a decay of 0"),
    "bias_lr_falls": (False, "epsB stayed at 0.02 when epsW fell"),
    "freeze": ({"conv1": 72}, "epsW of conv1 went to 0 at epoch 72"),
    "schedule": ("steps", "by hand; the epochs are those of the notes"),
    "lr_steps": ((25, 51, 79), "epsW 0.01 to 1e-3, 1e-4, 1e-5"),
    "shared_crop": (32, "convdata_jpeg.py cuts 32 pictures in a row alike"),
    "colour_form": ("authors", "deviations, not eigenvalues, and pictures over 1.1 while there is noise"),
    "colour_noise_until": (67, "the noise went off at epoch 67"),
    "shuffle": (False, "batches came in the same order every epoch"),
}

# Krizhevsky 2014, and cuda-convnet2's layer-params-imagenet-1gpu.cfg: dexp[base=0.01;tgtFactor=250;numSteps=4].
_ONE_WEIRD_TRICK: Changes = {
    "bias_lr_factor": (2.0, "0.02 beside 0.01"),
    "bias_weight_decay": (False, "as in 2012"),
    "bias_lr_falls": (False, "cuda-convnet2 lets them fall once, tenfold, at half time; here they stay"),
    "schedule": ("stairs", "falls after a quarter, a half and three quarters of the epochs"),
    "lr_drop_factor": (250 ** (1 / 3), "250 in three falls; its 1000 logistic units are a softmax here"),
    "colour_form": ("authors", "as in 2012"),
    "shuffle": (False, "batches came in the same order every epoch"),
}

# BVLC's models/bvlc_alexnet/solver.prototxt; its rule, too, has the rate inside the velocity.
_CAFFE: Changes = {
    "batch_size": (256, "train_val.prototxt"),
    "bias_lr_factor": (2.0, "lr_mult 2"),
    "bias_weight_decay": (False, "decay_mult 0"),
    "schedule": ("steps", "every 100,000 updates, which are 20 epochs of ImageNet"),
    "lr_steps": ((20, 40, 60, 80), "of 450,000 updates"),
    "colour_noise": (0.0, "no relighting"),
    "shuffle": (False, "the database is shuffled once, when it is made"),
}

# torchvision's references/classification/README.md.
_TORCHVISION: Changes = {
    "batch_size": (256, "32 on each of eight GPUs"),
    "optimizer": ("sgd", "PyTorch's, with the rate outside the velocity"),
    "weight_decay": (1e-4, "the script's default"),
    "schedule": ("steps", "every 30 epochs"),
    "lr_steps": ((30, 60), "tenfold each"),
    "crop": ("random-resized", "RandomResizedCrop(224)"),
    "colour_noise": (0.0, "none"),
}

_CUDA_CONVNET: Changes = {
    "lr": (0.001, "epsW"),
    "bias_lr_factor": (2.0, "epsB 0.002"),
    "bias_weight_decay": (False, "as in 2012"),
    "bias_lr_falls": (False, "only epsW is lowered"),
    "schedule": ("steps", "by hand, tenfold, twice"),
    "colour_noise": (0.0, "none"),
    "shuffle": (False, "batches came in the same order every epoch"),
}

# cuda-convnet's example-layers/layer-params-18pct.cfg.
_CIFAR_18PCT: Changes = {
    **_CUDA_CONVNET,
    "epochs": (140, "120, and ten at each lower rate"),
    "lr_steps": ((120, 130), "as the file says"),
    "weight_decay": (0.004, "wc of the convolutions"),
    "layer_weight_decay": ({"fc10": 1.0}, "its wc"),
    "crop": ("centre", "whole pictures"),
    "mirror": (0.0, "none"),
}

# layer-params-conv-local-13pct.cfg and cuda-convnet's page on methodology (read in copies, its home
# is gone): 100 epochs without the fifth batch, 40 with it, then
# ten at each lower rate. Here all pictures are there from the start.
_CIFAR_13PCT: Changes = {
    **_CUDA_CONVNET,
    "epochs": (160, "140, and ten at each lower rate"),
    "lr_steps": ((140, 150), "as the methodology has it"),
    "weight_decay": (0.004, "wc of the unshared layers and of fc10"),
    "layer_weight_decay": ({"conv1-conv2": 0.0}, "their wc"),
}

# layer-params-conv-local-11pct.cfg: 350 epochs without the fifth batch, 150 with it, then ten at each lower rate.
_CIFAR_11PCT: Changes = {
    **_CIFAR_13PCT,
    "epochs": (520, "500, and ten at each lower rate"),
    "lr_steps": ((500, 510), "as the file has it"),
    "layer_weight_decay": ({"conv1-conv2": 0.0, "fc10": 0.01}, "wc; fc10 as in cuda-convnet2, 0.004 before"),
}

_WRITE_UP_000: Changes = {
    "epochs": (30, "told"),
    "optimizer": ("sgd", "its first model; the third has adam"),
    "weight_decay": (0.0, "told of none"),
    "schedule": ("constant", "its first model; the second divides by ten every ten epochs (steps, 10 20)"),
    "crop": ("random-resized", "told"),
    "colour_probability": (0.5, "on half of the pictures"),
}

_WRITE_UP_001: Changes = {
    "epochs": (50, "told"),
    "batch_size": (4, "12,500 steps per epoch"),
    "optimizer": ("sgd", "not told; PyTorch's own CIFAR-10 lesson, whose batches it has"),
    "lr": (0.001, "not told; as in that lesson"),
    "weight_decay": (0.0, "not told; as in that lesson"),
    "schedule": ("constant", "its validation loss jumps until the end"),
    "crop": ("centre", "no augmentation is told"),
    "mirror": (0.0, "no augmentation is told"),
    "colour_noise": (0.0, "no augmentation is told"),
}

_WRITE_UP_002: Changes = {
    "epochs": (20, "not told"),
    "batch_size": (32, "told"),
    "optimizer": ("sgd", "not told"),
    "weight_decay": (0.0, "not told"),
    "schedule": ("constant", "not told"),
    "crop": ("random-resized", "told"),
    "rotation": (15.0, "told, without the angle"),
    "colour_noise": (0.0, "none is told"),
}

_WRITE_UP_003: Changes = {
    "optimizer": ("sgd", "SGD with momentum 0.9"),
    "colour_noise": (0.0, "crops and reflections are told, no colours"),
}

_WRITE_UP_004: Changes = {
    "epochs": (10, "told"),
    "optimizer": ("sgd", "PyTorch's"),
    "schedule": ("steps", "planned, but never reached"),
    "lr_steps": ((30, 60), "planned, but never reached"),
    "colour_noise": (0.1 / 255, "its Lighting(0.1) adds shifts meant for 0–1 to pixels of 0–255: a no-op"),
    "view_side": (256, "Resize(256)"),
}

_TABLES: dict[str, tuple[str, Changes]] = {
    "paper": ("the printed paper, to the letter", {}),
    "authors-2012": ("what its authors ran: run 145 of their source", _AUTHORS_2012),
    "one-weird-trick": ("Krizhevsky 2014, cuda-convnet2; for one tower, as single or torchvision", _ONE_WEIRD_TRICK),
    "caffe": ("BVLC's solver", _CAFFE),
    "torchvision": ("torchvision's reference script", _TORCHVISION),
    "cifar-18pct": ("cuda-convnet's, for the network of this name", _CIFAR_18PCT),
    "cifar-13pct": ("the same", _CIFAR_13PCT),
    "cifar-11pct": ("the same", _CIFAR_11PCT),
    "fast": ("learns small sets from scratch in minutes", _FAST),
    "cifar-alexnet": ("learns the whole of CIFAR-10 on a CPU, for the network of this name", _CIFAR_ALEXNET),
    "fine-tune": ("goes on from pretrained weights on small sets", _FINE_TUNE),
    "write-up-000": ("five dogs, from torchvision's weights", _WRITE_UP_000),
    "write-up-001": ("CIFAR-10 whole", _WRITE_UP_001),
    "write-up-002": ("cats and dogs", _WRITE_UP_002),
    "write-up-003": ("ImageNet", _WRITE_UP_003),
    "write-up-004": ("5,000 pictures of CIFAR-10; alexnet reproduce write-up-004 has its network too", _WRITE_UP_004),
}
ABOUT = {name: about for name, (about, _) in _TABLES.items()}
RECIPES = {
    name: Recipe(**{field: value for field, (value, _) in table.items()}) for name, (_, table) in _TABLES.items()
}
# Why each number is not the paper's.
REASONS = {name: {field: why for field, (_, why) in table.items()} for name, (_, table) in _TABLES.items()}
PAPER, FAST, FINE_TUNE = RECIPES["paper"], RECIPES["fast"], RECIPES["fine-tune"]


def load_recipe(name: str | Path) -> Recipe:
    """Find a recipe by its name, or read it from a file.

    A TOML file holds fields of a recipe and may say `base = "fast"`: what it leaves out is that recipe's (without it,
    the paper's). The `recipe.json` of a run is read too.

    Raises:
        UsageError: If there is no such recipe or file, or it holds what no recipe has.
    """
    path = Path(name)
    if path.suffix not in (".toml", ".json"):
        return _named(str(name))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(RECIPES)
        raise UsageError(
            f"{path} cannot be read ({error.strerror}): give a recipe's path, or one of: {known}"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text file: a recipe is TOML, or the recipe.json of a run") from error
    try:
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("it holds no fields")
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no recipe: {error}") from error
    try:
        return _named(str(values.pop("base", "paper"))).with_changes(**values)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _named(name: str) -> Recipe:
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name} (a file's name ends in .toml): {did_you_mean(name, RECIPES)}")
    return RECIPES[name]

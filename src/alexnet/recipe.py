"""Every number that decides what is learned: `Recipe`; `alexnet.recipes` holds the ones that have a name.

A recipe's defaults are the paper's (§4, §5), so a recipe is told by what it changes. Nothing here depends on where
a run takes place: device, workers and folder are options of the command.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from alexnet.errors import UsageError, did_you_mean

OptimizerName = Literal["paper", "sgd", "nesterov", "adam", "adamw"]
ScheduleName = Literal["plateau", "steps", "stairs", "cosine", "linear", "constant"]
StartName = Literal["architecture", "he"]
Precision = Literal["float32", "bfloat16"]
Crop = Literal["random", "centre", "random-resized"]
ColourForm = Literal["printed", "authors", "lighting"]
ColourAxes = Literal["store", "imagenet"]
# What the fields are about, by the first of each section; they stand in this order.
SECTIONS = {
    "epochs": "recipe: pictures and time",
    "optimizer": "recipe: update rule (§5)",
    "schedule": "recipe: how the rate falls (§5)",
    "label_smoothing": "recipe: loss, start, arithmetic",
    "crop": "recipe: views (§4.1)",
    "colour_noise": "recipe: colours (§4.1)",
}


def _about(help: str, low: float = 0, high: float = 0) -> dict[str, Any]:
    """Describe a field: its meaning with its unit and, for numbers, the range (both ends allowed)."""
    return {"help": help, "low": low, "high": high}


# Fields that have an effect only beside some values of another one: these, or, without any, those above 0.
READ_WITH: dict[str, tuple[str, tuple[str, ...]]] = {
    "lr_patience": ("schedule", ("plateau",)),
    "lr_drops": ("schedule", ("plateau", "stairs")),
    "lr_drop_factor": ("schedule", ("plateau", "stairs", "steps")),
    "lr_steps": ("schedule", ("steps",)),
    "first_layer_gain": ("start", ("he",)),
    "crop_scale_low": ("crop", ("random-resized",)),
    "rotation_probability": ("rotation", ()),
    "colour_form": ("colour_noise", ()),
    "colour_axes": ("colour_noise", ()),
    "colour_probability": ("colour_noise", ()),
    "colour_noise_until": ("colour_noise", ()),
}


@dataclass(frozen=True)
class Recipe:
    """What is learned and how; the defaults are the printed paper's.

    The meaning of each field is its `help` in the field's metadata, which is also the help of its flag.

    Raises:
        UsageError: If a value has another type, is not finite, is out of range, or two of them contradict each other.
    """

    epochs: int = field(default=90, metadata=_about("passes over the training pictures (§5: roughly 90)", 1, 100_000))
    max_updates: int = field(default=0, metadata=_about("updates after which training ends; 0: all epochs", 0, 10**12))
    batch_size: int = field(default=128, metadata=_about("pictures in an update, over all devices (§5)", 1, 1_048_576))
    shuffle: bool = field(
        default=True, metadata=_about("a new order of the pictures each epoch (2012 source: one order for all)")
    )
    seed: int = field(default=0, metadata=_about("where all random choices begin", 0, 2**63 - 1))
    stuck_after: int = field(
        default=400, metadata=_about("updates after which a loss still at ln(classes) is reported; 0: never", 0, 10**9)
    )
    optimizer: OptimizerName = field(
        default="paper", metadata=_about("update rule; paper has the rate inside the velocity (§5)")
    )
    lr: float = field(default=0.01, metadata=_about("learning rate at the start (§5)", 0, 100))
    momentum: float = field(
        default=0.9, metadata=_about("momentum; for adam and adamw, the decay of the first moment (§5)", 0, 0.9999)
    )
    weight_decay: float = field(
        default=5e-4, metadata=_about("weight decay, per update multiplied by the rate (§5)", 0, 10)
    )
    bias_lr_factor: float = field(
        default=1.0,
        metadata=_about(
            "rate of the biases over the rate of the weights (§5: one rule for all; 2012 source: 2)", 0, 1000
        ),
    )
    bias_weight_decay: bool = field(
        default=True, metadata=_about("let biases decay too (§5: one rule for all; 2012 source: no)")
    )
    bias_lr_falls: bool = field(
        default=True, metadata=_about("let the schedule lower the rate of the biases too (2012 source: no)")
    )
    layer_lr: dict[str, float] = field(
        default_factory=dict,
        hash=False,
        metadata=_about("rate of layers over the rate of all, as conv1-conv5=0.1 fc8=10", 0, 1000),
    )
    layer_weight_decay: dict[str, float] = field(
        default_factory=dict,
        hash=False,
        metadata=_about("weight decay of layers, not that of all, as fc8=0.01", 0, 1000),
    )
    freeze: dict[str, int] = field(
        default_factory=dict,
        hash=False,
        metadata=_about("layers that do not learn, as conv1-conv5; conv1=72: from epoch 72 on", 0, 100_000),
    )
    weight_average: float = field(
        default=0.0, metadata=_about("decay per update of averaged weights used for evaluation; 0: none", 0, 0.999999)
    )
    schedule: ScheduleName = field(
        default="plateau",
        metadata=_about("how the rate falls; plateau waits for the validation error (§5), stairs are equally long"),
    )
    lr_drops: int = field(
        default=3,
        metadata=_about("plateau, stairs: how many times the rate is divided until the end (§5)", 0, 100),
    )
    # Differs from the paper: its rate was lowered by hand; how long the error stood still is nowhere stated.
    lr_patience: int = field(
        default=5, metadata=_about("plateau: epochs without a lower validation error before a drop", 1, 100_000)
    )
    lr_drop_factor: float = field(
        default=10.0, metadata=_about("plateau, steps, stairs: what a drop divides the rate by (§5)", 1, 1_000_000)
    )
    lr_steps: tuple[int, ...] = field(
        default=(), metadata=_about("steps: epochs at whose start the rate drops", 1, 100_000)
    )
    warmup_epochs: float = field(default=0.0, metadata=_about("epochs during which the rate rises from 0", 0, 100_000))
    label_smoothing: float = field(
        default=0.0, metadata=_about("share of the target spread evenly over all classes", 0, 0.99)
    )
    start: StartName = field(
        default="architecture", metadata=_about("starting weights; he also divides inputs by their deviation")
    )
    first_layer_gain: float = field(
        default=1.0,
        metadata=_about("start he: factor of the first layer's deviation; small ones show its filters", 0.001, 10),
    )
    precision: Precision = field(
        default="float32", metadata=_about("arithmetic of the layers; weights and sums stay float32")
    )
    crop: Crop = field(default="random", metadata=_about("part of the view that is trained on (§4.1)"))
    crop_probability: float = field(
        default=1.0, metadata=_about("probability of the crop; else the centre is taken", 0, 1)
    )
    crop_scale_low: float = field(
        default=0.08, metadata=_about("random-resized: smallest crop, as a share of the view's area", 0.0001, 1)
    )
    view_side: int = field(
        default=0,
        metadata=_about(
            "side in pixels that pictures get before the crop; 0: the store's, or 8/7 of a larger input", 0, 4096
        ),
    )
    pad: int = field(default=0, metadata=_about("border of reflected pixels around the view before the crop", 0, 1024))
    shared_crop: int = field(
        default=1, metadata=_about("neighbours in a batch that share crop and mirror (2012 source: 32)", 1, 1_048_576)
    )
    mirror: float = field(default=0.5, metadata=_about("probability of a left-right reflection (§4.1)", 0, 1))
    rotation: float = field(default=0.0, metadata=_about("rotate by up to this many degrees either way", 0, 180))
    rotation_probability: float = field(default=1.0, metadata=_about("probability of the rotation", 0, 1))
    colour_noise: float = field(
        default=0.1,
        metadata=_about("standard deviation of the colour shift's three coefficients; 0: none (§4.1)", 0, 10),
    )
    colour_form: ColourForm = field(
        default="printed",
        metadata=_about("coefficient times eigenvalue (§4.1), times deviation (2012), or the common Lighting"),
    )
    colour_axes: ColourAxes = field(
        default="store", metadata=_about("whose principal axes and deviations: the training pictures', or ImageNet's")
    )
    colour_probability: float = field(default=1.0, metadata=_about("probability of the colour shift", 0, 1))
    colour_noise_until: int = field(
        default=0, metadata=_about("epoch at whose start the colour shift ends; 0: never", 0, 100_000)
    )

    def __post_init__(self) -> None:
        """Check every field and what they say together."""
        for name, value in _checked(vars(self)).items():
            object.__setattr__(self, name, value)
        if self.schedule == "steps" and not self.lr_steps:
            raise UsageError("schedule=steps needs the epochs of its drops: give lr_steps, or another schedule")
        if list(self.lr_steps) != sorted(set(self.lr_steps)):
            raise UsageError(f"lr_steps={list(self.lr_steps)} must rise from epoch to epoch")
        if self.warmup_epochs > self.epochs:
            raise UsageError(f"warmup_epochs={self.warmup_epochs:g} is longer than epochs={self.epochs}: lower it")
        if self.optimizer == "nesterov" and self.momentum == 0:
            raise UsageError("optimizer=nesterov needs a momentum above 0: raise it, or take optimizer=sgd")

    def with_changes(self, **values: object) -> "Recipe":
        """Give the recipe with these fields changed.

        Raises:
            UsageError: If a field does not exist or its value is refused.
        """
        return Recipe.from_json({**self.to_json(), **values})

    def unused(self, field: str) -> str:
        """Say when a field has an effect, if it has none beside the others; else nothing."""
        other, values = READ_WITH.get(field, ("", ()))
        if not other or (getattr(self, other) in values if values else getattr(self, other) > 0):
            return ""
        return f"--{other.replace('_', '-')} {' or '.join(values) or 'above 0'}"

    def to_json(self) -> dict[str, Any]:
        """Give plain data for `recipe.json`: every field, tuples as lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Recipe":
        """Read what `to_json` gave; fields that it lacks are the paper's.

        Raises:
            UsageError: If a field does not exist or its value is refused.
        """
        return cls(**_checked(data))


def _checked(values: Mapping[str, object]) -> dict[str, Any]:
    """Give values by field, each in its field's type, or refuse the first that is wrong."""
    types = get_type_hints(Recipe)
    about = {setting.name: setting.metadata for setting in fields(Recipe)}
    for name in values:
        if name not in about:
            raise UsageError(f"unknown recipe field {name}: {did_you_mean(name, about)}")
    return {name: _checked_value(name, value, types[name], about[name]) for name, value in values.items()}


def _checked_value(name: str, value: object, kind: object, about: Mapping[str, Any]) -> object:
    """Give one value, with lists taken for tuples and whole numbers for floats, as TOML and JSON write them."""
    if kind == tuple[int, ...]:
        if not isinstance(value, tuple | list):
            raise UsageError(f"{name} must be a list of whole numbers, not {value!r}")
        return tuple(_checked_value(name, entry, int, about) for entry in value)
    if get_origin(kind) is dict:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise UsageError(f"{name} must be a table of layers, as conv1-conv5 = 0.1, not {value!r}")
        entry = get_args(kind)[1]
        return {layer: _checked_value(f"{name} {layer}", one, entry, about) for layer, one in value.items()}
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise UsageError(f"{name}={value!r} is unknown: {did_you_mean(str(value), get_args(kind))}")
        return value
    # A bool is an int to Python, but nobody means epochs=true.
    if kind is bool and isinstance(value, bool):
        return value
    if kind in (int, float) and isinstance(value, int if kind is int else int | float) and not isinstance(value, bool):
        # NaN is in no range.
        if not about["low"] <= value <= about["high"]:
            raise UsageError(f"{name}={value} is out of range: {about['low']} to {about['high']}")
        return float(value) if kind is float else value
    wanted = {bool: "true or false", int: "a whole number", float: "a number"}
    raise UsageError(f"{name} must be {wanted[kind]}, not {value!r}")  # type: ignore[index]


def changes(recipe: Recipe, base: Recipe) -> list[tuple[str, Any, Any]]:
    """List what a recipe changes against another: field, value there, value here."""
    pairs = ((setting.name, getattr(base, setting.name), getattr(recipe, setting.name)) for setting in fields(Recipe))
    return [(name, before, after) for name, before, after in pairs if before != after]


def written(value: object) -> str:
    """Write a recipe's value as its flag takes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = [f"{name}={number:g}" for name, number in value.items()]
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)

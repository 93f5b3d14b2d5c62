"""Flags from a dataclass: what is given comes back, what is wrong is one clear line."""

import argparse
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from alexnet.errors import UsageError
from alexnet.flags import Parser, add_flags, given
from alexnet.recipe import Recipe
from alexnet.recipes import FAST


@dataclass
class Knobs:
    """One field of each type."""

    batch_size: int = field(default=128, metadata={"help": "pictures in an update"})
    lr: float = field(default=0.01, metadata={"help": "rate; 100% of it"})
    mode: Literal["random", "centre"] = field(default="random", metadata={"help": "which part"})
    bias_decay: bool = field(default=True, metadata={"help": "decay biases too"})
    steps: tuple[int, ...] = field(default=(), metadata={"help": "epochs of drops"})
    title: str = "plain"


def parser() -> Parser:
    top = Parser(prog="alexnet")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    train = verbs.add_parser("train")
    train.add_argument("store")
    add_flags(train, Knobs)
    return top


def parse(*words: str) -> dict[str, Any]:
    return given(parser().parse_args(["train", "store", *words]), Knobs)


def test_only_what_the_user_gave_comes_back() -> None:
    assert parse() == {}
    assert parse("--lr", "0.01") == {"lr": 0.01}
    assert parse("--batch-size", "8", "--mode", "centre", "--title", "a b") == {
        "batch_size": 8,
        "mode": "centre",
        "title": "a b",
    }


def test_booleans_tuples_underscores_and_equals_signs() -> None:
    assert parse("--no-bias-decay") == {"bias_decay": False}
    assert parse("--bias-decay") == {"bias_decay": True}
    assert parse("--steps", "3", "5") == {"steps": (3, 5)}
    assert parse("--steps") == {"steps": ()}
    assert parse("--batch_size=8") == {"batch_size": 8}
    assert parse("--title=a_b") == {"title": "a_b"}
    assert parse("--lr", "-0.001") == {"lr": -0.001}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "s", "--batchsize", "3"], "unknown flag --batchsize: did you mean --batch-size?"),
        (["train", "s", "--batch", "3"], "unknown flag --batch"),
        (["train", "s", "--zzz"], "unknown flag --zzz; see alexnet train --help"),
        (["train", "s", "--mode", "center"], "--mode: center is unknown: did you mean centre?"),
        (["train", "s", "--batch-size", "3.5"], "--batch-size: needs a whole number, not 3.5"),
        (["train", "s", "--lr", "fast"], "--lr: needs a number, not fast"),
        (["train", "s", "--lr"], "--lr: expected one argument"),
        (["train", "s", "--steps", "x"], "--steps: needs a whole number, not x"),
        (["train", "s", "t"], "t is one argument too many; see alexnet train --help"),
        (["train"], "the following arguments are required: store; see alexnet train --help"),
        (["trian", "s"], "trian is unknown: did you mean train?"),
        (["train", "s", "--batch_sise=3"], "unknown flag --batch-sise: did you mean --batch-size?"),
        ([], "required: VERB"),
    ],
)
def test_mistakes_are_one_usage_error(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parser().parse_args(words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "?;" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_help_holds_meaning_choices_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args(["train", "--help"])
    assert left.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "--batch-size N pictures in an update (default: 128)",
        "100% of it (default: 0.01)",
        "--mode {random,centre}",
        "--bias-decay, --no-bias-decay decay biases too (default: yes)",
        "epochs of drops (default: none)",
    ):
        assert part in text


def test_every_field_of_a_recipe_has_a_flag_that_sets_it() -> None:
    flags = Parser(prog="x")
    add_flags(flags, Recipe)
    words: list[str] = []
    recipe = FAST.with_changes(layer_lr={"conv1-conv5": 0.1, "fc8": 10.0}, freeze={"conv1": 0, "conv2": 7})
    for name, value in recipe.to_json().items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, dict):
            words += [flag, *(f"{layer}={number}" for layer, number in value.items())]
        else:
            words += [flag, *map(str, value if isinstance(value, list) else [value])]
    assert Recipe(**given(flags.parse_args(words), Recipe)) == recipe
    assert given(flags.parse_args([]), Recipe) == {}
    flags.format_help()


def test_sections_head_the_fields_that_follow_them() -> None:
    flags = Parser(prog="x")
    add_flags(flags, Recipe, {"lr": "the rate", "crop": "the views"})
    text = flags.format_help()
    places = [text.index(word) for word in ("  --epochs", "the rate:", "  --lr ", "the views:", "  --crop ", "  --pad")]
    assert places == sorted(places)


def test_a_name_alone_has_the_value_0_and_a_torn_entry_is_refused() -> None:
    flags = Parser(prog="x")
    add_flags(flags, Recipe)
    assert given(flags.parse_args(["--freeze", "conv1-conv5", "fc6=3"]), Recipe) == {
        "freeze": {"conv1-conv5": 0, "fc6": 3}
    }
    assert repr(given(flags.parse_args(["--layer-lr", "fc8=2"]), Recipe)) == "{'layer_lr': {'fc8': 2.0}}"
    with pytest.raises(UsageError, match="--freeze names something twice"):
        given(flags.parse_args(["--freeze", "conv1", "conv1=3"]), Recipe)
    with pytest.raises(UsageError, match="--layer-lr: needs NAME=NUMBER, not conv1"):
        flags.parse_args(["--layer-lr", "conv1"])
    for word in ("=1", "fc8=", "fc8=x", "conv1=0.5"):
        with pytest.raises(UsageError, match=r"--freeze: needs (NAME=NUMBER|a whole number), not"):
            flags.parse_args(["--freeze", word])


def test_fields_without_a_default_are_required_and_odd_types_are_refused() -> None:
    @dataclass
    class Needed:
        count: int

    @dataclass
    class Odd:
        names: set[str] = field(default_factory=set)

    flags = Parser(prog="x")
    add_flags(flags, Needed)
    with pytest.raises(UsageError, match="required: --count"):
        flags.parse_args([])
    with pytest.raises(TypeError, match="can have no flag"):
        add_flags(argparse.ArgumentParser(), Odd)


def test_neither_flags_nor_recipe_nor_paper_load_torch() -> None:
    program = "import sys, alexnet.flags, alexnet.recipe, alexnet.paper; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0

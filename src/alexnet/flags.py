"""Command-line flags from a dataclass: names, types, choices and help come from its fields.

A field `batch_size: int = field(default=128, metadata={"help": …})` becomes `--batch-size N`; a `Literal` gives its
choices, a bool `--x` and `--no-x`, a tuple of whole numbers takes any number of values, a table of numbers any number
of `name=value`. Nothing here knows what the fields mean, and nothing loads torch.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from types import MappingProxyType
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from alexnet.errors import UsageError, did_you_mean


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose mistakes are one `UsageError` each, naming the word that was probably meant.

    Flags are written whole (a shortened one would change its meaning on the day another flag begins with the same
    letters), with dashes or underscores.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would have printed before leaving.

        Raises:
            UsageError: Always.
        """
        way_out = "" if message.endswith("?") else f"; see {self.prog} --help"
        raise UsageError(message.removeprefix("argument ") + way_out)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse; the verb's own parser refuses what no flag of the verb takes, as only it knows what was meant.

        Raises:
            UsageError: If the arguments are wrong.
        """
        words = [_dashed(word) for word in (sys.argv[1:] if args is None else args)]
        parsed, left = super().parse_known_args(words, namespace)
        if not left:
            return parsed, left
        flags = [word.split("=")[0] for word in left if word.startswith("-")]
        if not flags:
            self.error(f"{left[0]} is one argument too many")
        hint = did_you_mean(flags[0], self._option_string_actions)
        # Without a near one the hint lists all flags, and a recipe has thirty.
        self.error(f"unknown flag {flags[0]}" + (f": {hint}" if hint.endswith("?") else ""))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            hint = did_you_mean(str(value), map(str, action.choices))
            raise argparse.ArgumentError(action, f"{value} is unknown: {hint}")


def add_flags(
    parser: argparse.ArgumentParser,
    cls: type,
    sections: Mapping[str, str] = MappingProxyType({}),
    default: str = "default",
) -> None:
    """Add a flag for every field of a dataclass to a parser.

    A flag that the user does not give leaves no trace in the namespace: see `given`.

    Args:
        parser: Of a verb.
        cls: The dataclass.
        sections: Titles in the help text, by the first field under each.
        default: What the help text calls the default of a field.

    Raises:
        TypeError: If a field has a type that no flag can have.
    """
    types = get_type_hints(cls)
    place: argparse.ArgumentParser | argparse._ArgumentGroup = parser
    for setting in fields(cls):
        if setting.name in sections:
            place = parser.add_argument_group(sections[setting.name])
        flag = f"--{setting.name.replace('_', '-')}"
        options = _options(types[setting.name])
        required = setting.default is MISSING and setting.default_factory is MISSING
        place.add_argument(
            flag,
            dest=setting.name,
            default=argparse.SUPPRESS,
            required=required,
            help=_help(setting, default),
            **options,
        )


def given(namespace: argparse.Namespace, cls: type) -> dict[str, Any]:
    """Give the fields of a dataclass that the user set by a flag, and only those."""
    values = vars(namespace)
    chosen = {setting.name: values[setting.name] for setting in fields(cls) if setting.name in values}
    types = get_type_hints(cls)
    # argparse gives lists, for tuples and for tables alike.
    made = {name: get_origin(types[name]) for name, value in chosen.items() if isinstance(value, list)}
    for name, kind in made.items():
        if kind is dict and len(dict(chosen[name])) < len(chosen[name]):
            raise UsageError(f"--{name.replace('_', '-')} names something twice: name each once")
    return {name: made[name](value) if name in made else value for name, value in chosen.items()}


def _dashed(word: str) -> str:
    """Write a flag's name with dashes: `--batch_size=8` is `--batch-size=8`."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if word.startswith("--") else word


def _options(kind: object) -> dict[str, Any]:
    """Give argparse's options for a field of this type."""
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) is dict:
        number = get_args(kind)[1]
        return {"nargs": "*", "type": _entry(number), "metavar": "NAME[=N]" if number is int else "NAME=X"}
    if kind == tuple[int, ...]:
        return {"nargs": "*", "type": _WHOLE, "metavar": "N"}
    if kind is int:
        return {"type": _WHOLE, "metavar": "N"}
    if kind is float:
        return {"type": _NUMBER, "metavar": "X"}
    if kind is str:
        return {"metavar": "TEXT"}
    raise TypeError(f"a field of type {kind} can have no flag")


def _help(setting: Field[Any], called: str) -> str:
    """Give the field's help with its default, safe for argparse's own formatting."""
    text = str(setting.metadata.get("help", ""))
    default = setting.default_factory() if setting.default_factory is not MISSING else setting.default
    if default is not MISSING:
        shown = {True: "yes", False: "no"}[default] if isinstance(default, bool) else default
        if isinstance(default, tuple):
            shown = " ".join(map(str, default)) or "none"
        if isinstance(default, dict):
            shown = " ".join(f"{name}={value}" for name, value in default.items()) or "none"
        text = f"{text} ({called}: {shown})"
    return text.strip().replace("%", "%%")


def _converter(convert: Callable[[str], Any], wanted: str) -> Callable[[str], Any]:
    """Make a type for argparse whose complaint is a plain sentence."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"needs {wanted}, not {text}") from None

    return converted


def _entry(kind: type) -> Callable[[str], Any]:
    """Make a type for argparse that reads `name=value`; where values are whole, a name alone has the value 0."""

    def entry(text: str) -> tuple[str, Any]:
        name, equals, value = text.partition("=")
        if not name or bool(equals) != bool(value) or not (equals or kind is int):
            raise argparse.ArgumentTypeError(f"needs NAME=NUMBER, not {text}")
        return name, (_WHOLE if kind is int else _NUMBER)(value) if equals else kind()

    return entry


_WHOLE = _converter(int, "a whole number")
_NUMBER = _converter(float, "a number")

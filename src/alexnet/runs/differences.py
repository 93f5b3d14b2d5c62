"""In which words two trainings differ: their recipes, networks and classes, named for the user."""

from collections.abc import Iterator, Sequence
from typing import Any

from alexnet.architectures import Architecture
from alexnet.recipe import Recipe, changes, written

# More than this is another thing altogether.
SHOWN = 3


def of_recipes(was: Recipe, now: Recipe) -> list[str]:
    """Name the fields that differ.

    >>> of_recipes(Recipe(), Recipe(lr=0.5))
    ['recipe: lr was 0.01, is 0.5']
    """
    return _first("recipe", [f"{name} was {written(a)}, is {written(b)}" for name, a, b in changes(now, was)])


def of_networks(was: Architecture, now: Architecture) -> list[str]:
    """Name the first parts of the description that differ."""
    before, after = dict(leaves(was.to_json())), dict(leaves(now.to_json()))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return _first("network", [f"{name} was {before.get(name, 'none')}, is {after.get(name, 'none')}" for name in names])


def of_classes(was: Sequence[str], now: Sequence[str]) -> list[str]:
    """Name the first class that another has the place of, or how many there are.

    >>> of_classes(["cats", "dogs"], ["dogs", "cats"])
    ['classes: the first that differs was cats, is dogs']
    """
    if len(was) != len(now):
        return [f"classes: there were {len(was)}, are {len(now)}"]
    odd = next(((a, b) for a, b in zip(was, now, strict=True) if a != b), None)
    return [f"classes: the first that differs was {odd[0]}, is {odd[1]}"] if odd else []


def _first(what: str, told: list[str]) -> list[str]:
    """Join a few of them in a clause."""
    more = f", and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return [f"{what}: {', '.join(told[:SHOWN])}{more}"] if told else []


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """List the plain values of a description, with names as `conv1.channels`."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from leaves(entry, f"{name}.{key}".strip("."))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, entry in enumerate(value):
            yield from leaves(entry, str(entry.get("name", f"{name}.{entry.get('layer', place)}")))
    else:
        yield name, list(value) if isinstance(value, tuple) else value

"""The model card of a pretrained folder: README.md with the Hub's front matter."""

from collections.abc import Mapping, Sequence
from typing import Any

from alexnet.architectures import INPUTS, Architecture
from alexnet.recipe import Recipe, changes, written

# More names than these are told by config.json alone.
MOST_NAMES = 20
_CARD = """\
---
library_name: alexnet
pipeline_tag: image-classification
tags:
- alexnet
- image-classification
---

# {title}

The network `{network}` of [AlexNet (Krizhevsky, Sutskever, Hinton 2012)](https://papers.nips.cc/paper/4824):
{parameters:,} parameters, pictures of {side} × {side} as {input}.

```python
import alexnet

model = alexnet.from_pretrained("FOLDER")  # this folder, or hub:OWNER/NAME
print(model.predict("picture.jpg"))
```

## Classes

{classes}

## Training

Data: {data}

{recipe}

## Results

{results}

## Limits

It gives every picture one of the classes above, one of something else too. The results hold for pictures like those of
its data; for others nobody has measured it. Pictures must reach it as they did in training, which
`statistics.safetensors` and `config.json` tell.
"""


def card(
    architecture: Architecture, classes: Sequence[str], recipe: Recipe, results: Mapping[str, float], data: str
) -> str:
    """Write the card.

    Args:
        architecture: The network.
        classes: Names, in the order of the scores.
        recipe: What it was trained with; told by what it changes against the paper's.
        results: What was measured, and on what: accuracies in [0, 1], loss …
        data: What it learned from, in a sentence.
    """
    changed = [(f"`{name}`", _plain(paper), _plain(here)) for name, paper, here in changes(recipe, Recipe())]
    measured = [(_plain(name), f"{value:.4f}") for name, value in results.items()]
    names = ", ".join(map(_plain, classes[:MOST_NAMES]))
    rest = f" … and {len(classes) - MOST_NAMES} more, in `config.json`" if len(classes) > MOST_NAMES else ""
    return _CARD.format(
        title=f"AlexNet ({_words(architecture.name)}), {len(classes)} classes",
        network=_words(architecture.name),
        parameters=architecture.parameters,
        side=architecture.input_side,
        input=INPUTS[architecture.input],
        classes=f"{names}{rest}",
        data=_words(data) or "not told.",
        recipe="The recipe is the paper's, with these changes:\n\n" + _table(("field", "paper", "here"), changed)
        if changed
        else "The recipe is the paper's.",
        results=_table(("metric", "value"), measured) if measured else "None were measured.",
    )


def _words(text: str) -> str:
    """Put a text on one line."""
    return " ".join(text.split())


def _plain(value: Any) -> str:
    """Show a value or a name as code, so that nothing in it is taken for markup."""
    text = _words(written(value)).replace("`", "'").replace("|", "/")
    return f"`{text}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out as a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

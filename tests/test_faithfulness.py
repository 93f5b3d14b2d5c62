"""docs/faithfulness.md: its table of tags is that of the code, its numbers are those of the networks and recipes.

Run as a program (`make faithfulness`), it writes the table of tags into the page.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from alexnet.catalogue import ARCHITECTURES, named
from alexnet.layers import Convolution, Dropout, Pool, ResponseNorm
from alexnet.nn.network import Network, initialise
from alexnet.recipes import RECIPES, load_recipe

TOP = Path(__file__).resolve().parent.parent
SOURCES = TOP / "src/alexnet"
PAGE = TOP / "docs/faithfulness.md"
BEGIN, END = "<!-- written by `make faithfulness` -->", "<!-- the end of what `make faithfulness` writes -->"
TAG = re.compile(r"(?:Paper \((§[\d.]+)\)|Differs from the paper):\s*")


@dataclass(frozen=True)
class Note:
    """What stands behind a tag, up to the end of its paragraph or the next tag.

    Attributes:
        file: Relative to `src/alexnet`.
        place: The function, class, field or constant that it is about; empty for the file as a whole.
        section: Of the paper, for what is followed literally; empty for a departure.
        text: In one line.
    """

    file: str
    place: str
    section: str
    text: str


def comments(text):
    """Find the comments: the line that each is about, which is the one behind it, and its own lines."""
    block, last = [], (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, column = token.start
        if token.line[:column].strip():  # behind code, which it is about
            yield line, [token.string[1:]]
            continue
        if block and token.start != (last[0] + 1, last[1]):
            yield last[0] + 1, block
            block = []
        block.append(token.string[1:])
        last = token.start
    if block:
        yield last[0] + 1, block


def docstrings(tree):
    """Find the docstrings: the line that each begins in, and its lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text.splitlines()


def places(parent, prefix=""):
    """List what has a name, outer before inner: name, first and last line. Names inside of functions do not count."""
    for node in parent.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield f"{prefix}{node.name}", first, node.end_lineno
            if isinstance(node, ast.ClassDef):
                yield from places(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            yield f"{prefix}{ast.unparse(target)}", node.lineno, node.end_lineno


def behind_tags(lines):
    """Give section and text behind each tag.

    The text ends with an empty line, or before a line that stands further out, as in a list of attributes.
    """
    found, depth = [], None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if depth is not None and (not line.strip() or indent < depth):
            depth = None
        before, *rest = TAG.split(line)
        if depth is not None:
            found[-1][1].append(before)
        for section, text in zip(rest[::2], rest[1::2], strict=True):
            found.append((section or "", [text]))
            depth = indent
    return [(section, " ".join(" ".join(texts).split())) for section, texts in found]


def notes_of(file, text):
    """Find all notes of a source file, from its top to its end."""
    tree = ast.parse(text)
    named = list(places(tree))
    found = []
    for line, lines in sorted([*comments(text), *docstrings(tree)]):
        place = [name for name, first, last in named if first <= line <= last]
        found += [Note(file, place[-1] if place else "", *note) for note in behind_tags(lines)]
    return found


def all_notes():
    files = sorted(SOURCES.rglob("*.py"))
    return [note for file in files for note in notes_of(file.relative_to(SOURCES).as_posix(), file.read_text())]


def table(notes):
    """Write notes as the lines between the marks of the page."""
    rows = [(note, f"[`{note.file}`](../src/alexnet/{note.file})") for note in notes]
    about = {note: f"`{note.place}`" if note.place else "" for note in notes}
    text = {note: note.text.replace("|", "\\|") for note in notes}
    return "\n".join(
        [
            "| §  | what the paper says, and how it is read here | file | about |\n|---|---|---|---|",
            *(f"| {note.section} | {text[note]} | {link} | {about[note]} |" for note, link in rows if note.section),
            "",
            "| differs from the paper | file | about |\n|---|---|---|",
            *(f"| {text[note]} | {link} | {about[note]} |" for note, link in rows if not note.section),
        ]
    )


def with_table(page):
    """Put the table between the marks of a page."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n\n{table(all_notes())}\n\n{END}{rest.split(END)[1]}"


# The tags of the code.

SOURCE = '''"""A module.

Differs from the paper: of the module
as a whole | it is another.

Not of it.
"""

# Before it. Paper (§3.3): first line
# and second. Differs from the paper: a departure.
#
# Not of it.
CONSTANT = 1

VALUE = 2  # Paper (§1): behind code


@decorated
class Thing:
    """A thing.

    Attributes:
        one: The first.
            Paper (§2): of the
            first.
        two: The second.
    """

    # Paper (§4.2): of a field
    field: int = 0

    # Differs from the paper: of a method
    @decorated
    def method(self):
        """Paper (§5): of the docstring."""
        local = 3
        # Paper (§6): of the line behind it,
        # inside.
        other = "Paper (§7): in a text"
'''


def test_tags_are_found_with_their_whole_paragraph():
    assert [(note.place, note.section, note.text) for note in notes_of("thing.py", SOURCE)] == [
        ("", "", "of the module as a whole | it is another."),
        ("CONSTANT", "§3.3", "first line and second."),
        ("CONSTANT", "", "a departure."),
        ("VALUE", "§1", "behind code"),
        ("Thing", "§2", "of the first."),
        ("Thing.field", "§4.2", "of a field"),
        ("Thing.method", "", "of a method"),
        ("Thing.method", "§5", "of the docstring."),
        ("Thing.method", "§6", "of the line behind it, inside."),
    ]


def test_no_tag_is_missed_or_misspelt():
    # However lines break it, and whatever follows.
    loose = re.compile(r"Paper[\s#]+\(?§|Differs[\s#]+from[\s#]+the[\s#]+paper")
    for file in sorted(SOURCES.rglob("*.py")):
        text = file.read_text()
        assert len(loose.findall(text)) == len(notes_of(file.name, text)), f"{file.name}: a tag that is not as TAG"


def test_every_note_says_something_of_something():
    notes = all_notes()
    assert len(notes) > 15
    assert all(note.place and len(note.text) > 10 and note.text[-1] in ".:" for note in notes)


def test_the_page_has_the_tags_of_the_code():
    page = PAGE.read_text()
    assert with_table(page) == page, "run make faithfulness, and read the difference"


def test_links_of_the_page_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text())
    local = [link for link in links if "://" not in link]
    assert local
    assert all((PAGE.parent / link).exists() for link in local)


# The numbers of the page.


def rows_of(heading):
    """Read the first table under a heading: its cells by the first of each row."""
    text = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = re.search(r"^\|.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)[0].splitlines()[2:]
    return {cells[0]: cells[1:] for cells in ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)}


def five():
    """The networks and recipes of the five columns."""
    pairs = [(named(name), load_recipe(name)) for name in ("paper", "authors-2012", "caffe", "torchvision")]
    return [*pairs, (named("single").with_he_start(), load_recipe("fast"))]


def of(network, kind):
    return [layer for layer in network.layers if isinstance(layer, kind)]


def norm_over_maps(network):
    return next((layer for layer in of(network, ResponseNorm) if layer.over == "maps"), None)


def starting_weights(network):
    kinds = {row.weights for row in network.start}
    if kinds == {"normal"}:
        deviations = [row.deviation for row in network.start]
        usual = Counter(deviations).most_common(1)[0][0]
        others = [row for row in network.start if row.deviation != usual]
        layers = ", ".join(row.layer for row in others)
        return f"N(0, {usual:g})" + (f"; {layers} {others[0].deviation:g}" if others else "")
    return {"uniform": "uniform, ±1/√fan-in", "he": "He: N(0, √(2/fan-in))"}[kinds.pop()]


def starting_biases(network):
    if network.start[0].weights == "uniform":
        return "uniform, ±1/√fan-in"
    set_ones = [row for row in network.start if row.bias]
    return f"{set_ones[0].bias:g} in {', '.join(row.layer for row in set_ones)}" if set_ones else "0"


def place_of_dropout(network):
    names = [layer.name for layer in network.layers]
    before = [names[names.index(layer.name) + 1] in ("fc6", "fc7") for layer in of(network, Dropout)]
    return "before fc6, fc7" if all(before) else "after fc6, fc7"


# What a row has in each column, by the network and the recipe; the other rows are about what they do not hold.
CELLS = {
    "input side": lambda network, recipe: f"{network.input_side}",
    "padding before and after": lambda network, recipe: "{} and {}".format(*of(network, Convolution)[0].padding),
    "kernels": lambda network, recipe: "-".join(str(layer.channels) for layer in of(network, Convolution)),
    "towers": lambda network, recipe: f"{network.towers}",
    "parameters": lambda network, recipe: f"{network.parameters:,}",
    "multiply-adds": lambda network, recipe: f"{network.macs:,}",
    "norm: α of the plain sum": lambda network, recipe: (
        f"{norm.effective_alpha:g}" if (norm := norm_over_maps(network)) else "–"
    ),
    "norm: k": lambda network, recipe: f"{norm.k:g}" if (norm := norm_over_maps(network)) else "–",
    "norm: sums run over": lambda network, recipe: (
        ("each tower" if norm.towers > 1 else "the layer") if (norm := norm_over_maps(network)) else "–"
    ),
    "pools round": lambda network, recipe: "up" if of(network, Pool)[0].round_up else "down",
    "dropout in training": lambda network, recipe: {"mask": "masks", "inverted": "masks and doubles"}[
        of(network, Dropout)[0].kind
    ],
    "dropout at test": lambda network, recipe: {"mask": "halves", "inverted": "nothing"}[of(network, Dropout)[0].kind],
    "dropout stands": lambda network, recipe: place_of_dropout(network),
    "starting weights": lambda network, recipe: starting_weights(network),
    "starting biases": lambda network, recipe: starting_biases(network),
    "batch": lambda network, recipe: f"{recipe.batch_size}",
    "rate of biases": lambda network, recipe: (
        f"{recipe.bias_lr_factor:g}×" + ("" if recipe.bias_lr_falls else ", and it never falls")
    ),
    "weight decay": lambda network, recipe: f"{recipe.weight_decay:g}",
    "biases decay": lambda network, recipe: "yes" if recipe.bias_weight_decay else "no",
    "epochs": lambda network, recipe: ("at most " if recipe.schedule == "plateau" else "") + f"{recipe.epochs}",
    "frozen": lambda network, recipe: (
        ", ".join(f"{layer} from epoch {n}" for layer, n in recipe.freeze.items()) or "nothing"
    ),
    "label smoothing": lambda network, recipe: f"{recipe.label_smoothing:g}",
    "arithmetic": lambda network, recipe: recipe.precision,
}


@pytest.mark.parametrize("row", CELLS)
def test_the_comparison_says_what_networks_and_recipes_have(row):
    cells = rows_of("What differs")[row]
    # Where the text is silent, what we do stands in brackets.
    said = [re.sub(r"not stated \((.*)\)", r"\1", cell) for cell in cells]
    assert said == [CELLS[row](network, recipe) for network, recipe in five()]


def test_the_comparison_has_the_epochs_of_the_recipes():
    falls, noise = (rows_of("What differs")[row] for row in ("rate falls", "colour noise"))
    for (_, recipe), fall, shift in zip(five(), falls, noise, strict=True):
        assert ", ".join(map(str, recipe.lr_steps)) in fall
        assert (shift == "none") == (recipe.colour_noise == 0)
        assert f"epoch {recipe.colour_noise_until}" in shift or not recipe.colour_noise_until
        assert recipe.momentum == 0.9
        assert recipe.lr == 0.01
    assert f"(after {five()[0][1].lr_patience} epochs)" in falls[0]


def test_every_row_of_the_comparison_is_a_difference():
    rows = rows_of("What differs")
    assert CELLS.keys() < rows.keys()
    for row, cells in rows.items():
        assert len(cells) == 5
        assert len(set(cells)) > 1, row


def test_what_the_page_calls_by_name_exists():
    head = PAGE.read_text().split(BEGIN)[0]
    names = set(re.findall(r"`([a-z]+(?:-[a-z0-9]+)*)`", head)) - {"tests", "docs"}
    assert {"paper", "authors-2012", "caffe", "caffenet", "torchvision", "single", "fast"} == names
    assert names <= ARCHITECTURES.keys() | RECIPES.keys()


def photographs(count, side):
    """Draw noise whose power falls with the frequency as that of photographs does, in ImageNet's colours, 0–255."""
    chance = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    frequency[0, 0] = 1 / side
    planes = np.fft.ifft2(np.fft.fft2(chance.normal(size=(count, 3, side, side))) / frequency).real
    planes /= planes.std(axis=(0, 2, 3), keepdims=True)
    # Deviations along the principal axes, from cuda-convnet2's input_meta; the axes are nearly these.
    axes = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    pictures = np.einsum("nahw,a,ac->nchw", planes, [121.7801, 37.0939, 19.7208], axes)
    return torch.from_numpy(pictures.astype(np.float32))


@torch.no_grad()
def spread(network, pictures):
    """How much scores differ between pictures before the first update."""
    return initialise(Network(network)).eval()(pictures).std(0).mean().item()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "authors-2012", "caffe", "torchvision", "single"])
def test_starts_let_through_what_the_page_says(name):
    rows = dict(re.findall(r"^\| `([\w-]+)`(?:, He)? \|(.*\|)$", PAGE.read_text(), re.MULTILINE))
    raw, unit = (float(cell) if cell.strip() else None for cell in rows[name].split("|")[:2])
    network = named(name).with_he_start() if name == "single" else named(name)
    pictures = photographs(8, network.input_side)
    if raw is not None:
        assert spread(network, pictures) == pytest.approx(raw, rel=0.1)
    assert spread(network, pictures / pictures.std()) == pytest.approx(unit, rel=0.1)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))

"""docs/faithfulness.md: its table of tags is that of the code, its numbers are those of the networks and recipes.

Run as a program (`make faithfulness`), it writes the table of tags into the page.
"""

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

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
            "| §  | followed to the letter | file | about |\n|---|---|---|---|",
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
    # However a line breaks it, and whatever stands before its colon.
    loose = re.compile(r"Paper[\s#]+\(§|Paper §|Differs[\s#]+from[\s#]+the[\s#]+paper|Differs from (?!the paper: )")
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


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))

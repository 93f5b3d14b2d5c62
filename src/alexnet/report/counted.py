"""Class by class, as a section of a page: what was taken for what, and how well each class is recognised."""

import numpy as np

from alexnet.answers import percent
from alexnet.data.canvas import short_class
from alexnet.report.account import Account
from alexnet.report.looking import Look
from alexnet.report.markup import Markup, Section, join, picture, table, tag

# Classes up to which the confusion matrix is a table, and pairs that are listed of any.
CELLS, PAIRS = 25, 15
HEAD = 24  # letters of a column's name
# Classes that are listed at once; the rest can be unfolded.
LISTED = 60


def classes(account: Account, look: Look) -> Section:
    """Tell which class was taken for which, and how well each is recognised."""
    confusion, names = look.result.confusion, [short_class(name) for name in account.classes]
    parts = [tag("p", f"{confusion.sum():,} pictures of {look.split}: {confusion.trace():,} recognised.")]
    parts.append(_matrix(confusion, names, look.split) if len(names) <= CELLS else _shades(confusion, look.split))
    parts.append(_pairs(confusion, names))
    return Section("classes", "Class by class", *parts, _per_class(account, look))


def _matrix(confusion: np.ndarray, names: list[str], split: str) -> Markup:
    """Write the confusion matrix, a row for each true class; the deeper the shade, the more of the row."""
    rows = []
    for row, (name, counts) in enumerate(zip(names, confusion, strict=True)):
        total = max(int(counts.sum()), 1)
        cells = [name]
        for column, count in enumerate(counts):
            shade = f"--s:{45 * (count / total) ** 0.5:.0f}%"
            hit = "hit" if column == row else "miss"
            cells.append(tag("td", f"{count:,}" if count else "·", class_=f"n {hit}", style=shade))
        rows.append((*cells, f"{counts.sum():,}"))
    caption = f"Confusion matrix on {split}: a row for each true class, a column for each guessed one, in pictures"
    heads = [name if len(name) <= HEAD else name[: HEAD - 1] + "…" for name in names]
    return table(("true class", *heads, "all"), rows, caption, range(1, len(names) + 2))


def _shades(confusion: np.ndarray, split: str) -> Markup:
    """Draw the matrix of many classes without their names: a shade for the root of each share."""
    shares = np.sqrt(confusion / np.maximum(confusion.sum(1, keepdims=True), 1))[..., None]
    light, dark = np.array((255, 255, 255)), np.array((0, 38, 61))
    cells = np.rint(light + (dark - light) * shares).astype(np.uint8)
    about = f"Confusion matrix on {split}: a row for each of {len(cells)} true classes, a column for each guessed one"
    shown = picture(cells.repeat(max(1, 480 // len(cells)), 0).repeat(max(1, 480 // len(cells)), 1), about, exact=True)
    return tag(
        "figure",
        shown,
        tag("figcaption", f"{about}; the darker, the more of its class.", class_="note"),
        class_="matrix",
    )


def _pairs(confusion: np.ndarray, names: list[str]) -> Markup:
    """List what is most often taken for what."""
    wrong = confusion - np.diag(confusion.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(place // len(names)), int(place % len(names))) for place in order]
    rows = [
        (
            names[true],
            names[guessed],
            f"{wrong[true, guessed]:,}",
            percent(wrong[true, guessed] / confusion[true].sum()),
        )
        for true, guessed in pairs
        if wrong[true, guessed]
    ]
    if not rows:
        return tag("p", "Nothing was taken for anything else.")
    head = ("true class", "taken for", "pictures", "of its class")
    return table(head, rows, "What is most often taken for what", (2, 3))


def _per_class(account: Account, look: Look) -> Markup:
    """Tell how well each class is recognised, the worst first."""
    told = look.result.per_class(account.classes)
    known = sorted((row for row in told if row.top1 is not None), key=lambda row: (row.top1, row.precision or 0.0))
    rows = [
        (
            short_class(row.label),
            f"{row.images:,}",
            f"{row.top1:.1%}",
            "–" if row.precision is None else f"{row.precision:.1%}",
            f"{short_class(row.mistaken_for)} ({row.mistakes:,})" if row.mistaken_for else "",
        )
        for row in known
    ]
    head = ("class", "pictures", "top-1", "precision", "most often taken for")
    parts = [table(head, rows[:LISTED], "Each class, the least recognised first", (1, 2, 3))]
    if more := rows[LISTED:]:
        rest = table(head, more, "The other classes", (1, 2, 3))
        parts.append(tag("details", tag("summary", f"{len(more):,} more classes"), rest))
    if missing := len(told) - len(known):
        parts.append(tag("p", f"{missing:,} without a picture in {look.split}.", class_="note"))
    about = (
        "Top-1 is the share of a class's pictures that were recognised, precision the share of true ones among those "
        "given its name."
    )
    return join([*parts, tag("p", about, class_="note")])

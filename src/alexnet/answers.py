"""What a network answers for pictures, as a sheet (Figure 4, left): five bars each, the true class marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Int64, UInt8

from alexnet.compatibility import check_classes, check_fit
from alexnet.data.batches import batches
from alexnet.data.canvas import (
    HEADING,
    INK,
    LABEL,
    LINE_PX,
    MARGIN_PX,
    SHEET_PX,
    Canvas,
    canvas,
    short_class,
)
from alexnet.data.choosing import sample
from alexnet.data.contact import write_head
from alexnet.data.split import Split
from alexnet.evaluation import probabilities
from alexnet.prediction import Guess, Model

Choice = Literal["surest", "mistakes", "random"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
CHOSEN = 8  # pictures of Figure 4
MOST = 48  # pictures on a sheet
TOP = 5
# Of Okabe and Ito's colours, which colour-blind readers can tell apart; bars are tints that words can be read on.
RIGHT, WRONG = "#0072B2", "#D55E00"
TRUE_BAR, OTHER_BAR = (150, 200, 230), (226, 226, 226)
COLUMNS, SPACE_PX, HEAD_PX, BAR_PX = 4, 24, 104, 30
CELL_PX = (SHEET_PX - 2 * MARGIN_PX - (COLUMNS - 1) * SPACE_PX) // COLUMNS
NAMED_PX = CELL_PX + LINE_PX + 8
ROW_PX = NAMED_PX + TOP * BAR_PX + 34


@dataclass(frozen=True)
class Answer:
    """What a network says of a picture.

    Attributes:
        name: Of the picture.
        truth: Its class, None if nobody knows.
        picture: As the store holds it, or would.
        top: The best classes, the best first.
    """

    name: str
    truth: str | None
    picture: UInt8[np.ndarray, "side side 3"]
    top: list[Guess]


def choose(
    labels: Int64[np.ndarray, "n"],
    best: Int64[np.ndarray, "n"],
    shares: Float[np.ndarray, "n"],
    how: Choice,
    count: int,
    seed: int = 0,
) -> Int64[np.ndarray, "k"]:
    """Choose places of pictures to be looked at.

    Args:
        labels: True classes.
        best: Classes that the network holds for the best.
        shares: Their probabilities.
        how: `surest`: right answers of the highest probability, as many classes as can be before a second picture of
            one; `mistakes`: wrong answers of the highest probability; `random`: by lot.
        count: How many, if there are so many.
        seed: Of the lot.
    """
    if how == "random":
        return sample(np.arange(len(labels)), count, seed)
    places = np.flatnonzero((best == labels) == (how == "surest"))
    places = places[np.argsort(-shares[places], kind="stable")]
    if how == "surest":
        by_class = np.argsort(labels[places], kind="stable")
        _, first, sizes = np.unique(labels[places][by_class], return_index=True, return_counts=True)
        turn = np.empty(len(places), np.int64)
        turn[by_class] = np.arange(len(places)) - np.repeat(first, sizes)
        places = places[np.argsort(turn, kind="stable")]
    return places[:count]


def answers_of(
    model: Model,
    split: Split,
    how: Choice,
    count: int = CHOSEN,
    top: int = TOP,
    seed: int = 0,
    progress: Callable[[int], None] = lambda images: None,
) -> list[Answer]:
    """Ask the network about a whole split and choose answers that are worth a look.

    Args:
        model: The network; its classes are those of the split.
        split: Of a store.
        how: As for `choose`.
        count: How many, if there are so many.
        top: Classes per answer, the best first.
        seed: Of the lot.
        progress: Called with the number of pictures of each batch.

    Returns:
        The answers; none if, say, there are no mistakes.

    Raises:
        UsageError: If the pictures are of another size than the network takes, or of other classes.
    """
    check_fit([model.trained], split, 1)
    check_classes(model.trained, split)
    best, shares = np.empty(len(split), np.int64), np.empty(len(split), np.float32)
    for batch in batches(split, np.arange(len(split)), 128, model.trained.device):
        found = probabilities(model.trained, batch.pictures).max(1)
        best[batch.indices], shares[batch.indices] = found.indices.cpu().numpy(), found.values.cpu().numpy()
        progress(len(batch.indices))
    return answers_at(model, split, choose(split.labels, best, shares, how, count, seed), top)


def answers_at(model: Model, split: Split, places: Int64[np.ndarray, "k"], top: int = TOP) -> list[Answer]:
    """Ask the network about the pictures at some places of a split."""
    if not len(places):
        return []
    pictures = split.pictures(places)
    truths = [model.classes[label] for label in split.labels[places]]
    told = model.predict(list(pictures), top)
    names = [split.names[place] for place in places]
    return [Answer(*one) for one in zip(names, truths, pictures, told, strict=True)]


def draw_answers(path: Path, title: str, about: str, answers: Sequence[Answer]) -> None:
    """Draw pictures, four in a row, each with its class (blue: recognised, orange: not) and the best five as bars.

    Args:
        path: The PNG.
        title: Its first line.
        about: Its second line.
        answers: Up to 48 are drawn.

    Raises:
        UsageError: If `path` is no name of a PNG, or matplotlib is not installed.
        AlexNetError: If the file cannot be written.
    """
    shown = answers[:MOST]
    rows = -(-len(shown) // COLUMNS)
    with canvas(path, SHEET_PX, HEAD_PX + rows * ROW_PX + MARGIN_PX - 34) as sheet:
        write_head(sheet, title, about)
        for place, answer in enumerate(shown):
            left = MARGIN_PX + place % COLUMNS * (CELL_PX + SPACE_PX)
            _draw_answer(sheet, left, HEAD_PX + place // COLUMNS * ROW_PX, answer)


def _draw_answer(sheet: Canvas, left: int, top: int, answer: Answer) -> None:
    """Draw one picture with its bars; a full bar is certainty."""
    sheet.show(left, top, answer.picture, CELL_PX)
    if answer.truth is None:
        name, colour = Path(answer.name).name, INK
    else:
        name, colour = short_class(answer.truth), RIGHT if answer.top[0].label == answer.truth else WRONG
    words: Any = {"fontsize": HEADING, "fontweight": "bold", "color": colour}
    sheet.write(left, top + CELL_PX + LINE_PX, name, CELL_PX, answer.truth is None, **words)
    for row, guess in enumerate(answer.top[:TOP]):
        upper, true = top + NAMED_PX + row * BAR_PX, guess.label == answer.truth
        bar = np.array(TRUE_BAR if true else OTHER_BAR, np.uint8)
        width = max(2, round(guess.probability * CELL_PX))
        sheet.show(left, upper + 2, np.broadcast_to(bar, (BAR_PX - 4, width, 3)), width, BAR_PX - 4)
        look: Any = {"fontsize": LABEL, "fontweight": "bold" if true else "normal"}
        sheet.write(left + 6, upper + 22, short_class(guess.label), CELL_PX - 76, **look)
        sheet.write(left + CELL_PX - 4, upper + 22, percent(guess.probability), ha="right", **look)


def percent(share: float) -> str:
    """Write a probability as people read it; only what is certain is 0 or 100.

    >>> [percent(share) for share in (1.0, 0.9996, 0.934, 0.0004)]
    ['100%', '>99.9%', '93.4%', '<0.1%']
    """
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{share:.0%}" if share == 1 else f"{share:.1%}"

"""The sections of a page that show pictures: answers, mistakes, neighbors, filters."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alexnet.answers import Answer, percent
from alexnet.data.canvas import short_class
from alexnet.filters import filter_sheet
from alexnet.neighbor_sheet import agreement
from alexnet.neighbors import Neighbor
from alexnet.report.account import Account
from alexnet.report.looking import Alike, Look
from alexnet.report.markup import Markup, Section, picture, tag
from alexnet.tower_colours import divide, told


def answers(look: Look) -> Section:
    """Show what the network answers (Figure 4, left)."""
    about = (
        f"The best classes for pictures of {look.split}, as in the left half of Figure 4. A full bar is "
        "certainty; the bar of the true class is blue, and so is the picture's name where it was recognised."
    )
    parts = [tag("p", about)]
    for title, why, chosen in (
        ("The surest right answers", "as many classes as there are before a second picture of one", look.surest),
        ("Answers by lot", "what is usual, chosen by nobody", look.random),
    ):
        parts += [tag("h3", title), tag("p", f"{why[0].upper()}{why[1:]}.", class_="note")]
        parts.append(cards([card(one) for one in chosen]) if chosen else tag("p", "There are none."))
    return Section("answers", "What it answers", *parts)


def mistakes(look: Look) -> Section:
    """Show the wrong answers that the network is surest of."""
    about = (
        "The wrong answers that it is surest of. Some are labels that another person would dispute; "
        "the figure below each is the probability that it gave the true class."
    )
    shown = [
        card(one.answer, tag("p", f"true class {percent(one.truth)} · {Path(one.answer.name).name}", class_="note"))
        for one in look.mistakes
    ]
    return Section("mistakes", "Its hardest mistakes", tag("p", about), cards(shown) if shown else tag("p", "None."))


def cards(shown: Sequence[Markup]) -> Markup:
    """Lay cards out side by side, as many in a row as there is room for."""
    return tag("ul", *(tag("li", one) for one in shown), class_="cards")


def card(answer: Answer, *below: Markup) -> Markup:
    """Show a picture with its best five classes."""
    truth = short_class(answer.truth or "")
    best = short_class(answer.top[0].label)
    right = answer.top[0].label == answer.truth
    about = f"A picture of {truth}, {'recognised' if right else f'taken for {best}'}"
    rows = []
    for guess in answer.top:
        true = guess.label == answer.truth
        bar = tag("span", class_="bar true" if true else "bar", style=f"width:{100 * guess.probability:.1f}%")
        words = tag("b", short_class(guess.label), tag("span", " (true)", class_="hidden")) if true else None
        label = tag("span", words or short_class(guess.label), class_="label")
        rows.append(tag("li", bar, label, tag("span", percent(guess.probability), class_="share")))
    name = tag("figcaption", tag("strong", truth, class_="right" if right else "wrong"))
    return tag("figure", picture(answer.picture, about), name, tag("ol", *rows, class_="bars"), *below)


def alike(look: Look) -> Section:
    """Show what the network finds alike (Figure 4, right), beside what pixels would (§6.1)."""
    if not look.alike:
        return Section("neighbors", "What it finds alike", tag("p", "Left out: this network has no hidden layer."))
    by_features, by_pixels, all_of_them = agreement([one.match for one in look.alike])
    about = (
        f"Five pictures of {look.split} and the six training pictures nearest to each, nearest first: by the output of "
        f"{look.layer}, as in the right half of Figure 4, and by pixels, which the paper says would not find them "
        f"(§6.1). Of the picture's own class are {by_features} of {all_of_them} by {look.layer}, {by_pixels} by pixels."
    )
    rows = [_alike(one, look.layer, number) for number, one in enumerate(look.alike, start=1)]
    return Section("neighbors", "What it finds alike", tag("p", about), *rows)


def _alike(one: Alike, layer: str, number: int) -> Markup:
    """Show one picture with its neighbors in both ways."""
    truth = short_class(one.match.label or "")
    query = tag("figure", picture(one.match.picture, f"Picture {number}: {truth}"), tag("figcaption", tag("b", truth)))
    rows = []
    for way, found, pictures in (
        (layer, one.match.neighbors, one.pictures[0]),
        ("pixels", one.match.by_pixels, one.pictures[1]),
    ):
        shown = [_near(near, pixels, one.match.label) for near, pixels in zip(found, pictures, strict=True)]
        rows += [tag("p", f"by {way}", class_="way"), tag("ul", *shown, class_="near")]
    return tag("div", query, tag("div", *rows), class_="alike")


def _near(near: Neighbor, pixels: np.ndarray, label: str | None) -> Markup:
    same = near.label == label
    name = tag("span", short_class(near.label), class_="right" if same else "wrong")
    about = f"{short_class(near.label)}, {'the same class' if same else 'another class'}, distance {near.distance:,.4g}"
    return tag("li", tag("figure", picture(pixels, about), tag("figcaption", name)))


def filters(accounts: Sequence[Account]) -> Section:
    """Show what conv1 learned (Figure 3)."""
    about = (
        "The kernels of conv1, as in Figure 3. Mid-grey is a weight of zero; each kernel has its own scale. "
        "Where there are towers, their kernels stand in a block each."
    )
    parts = [tag("p", about)]
    for account in accounts:
        if len(accounts) > 1:
            parts.append(tag("h3", account.name))
        if account.kernels is None:
            parts.append(tag("p", "This network has no conv1 that looks at red, green and blue."))
            continue
        towers = account.architecture.towers if len(account.kernels) % account.architecture.towers == 0 else 1
        words = (
            f"The {len(account.kernels)} kernels of conv1 of {account.name}, {account.kernels.shape[-1]} pixels wide"
        )
        parts.append(tag("figure", picture(filter_sheet(account.kernels, towers), words, exact=True), class_="filters"))
        if towers > 1:
            parts.append(tag("p", told(divide(account.kernels, towers))))
    return Section("filters", "What conv1 learned", *parts)

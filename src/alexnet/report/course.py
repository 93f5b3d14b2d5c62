"""How runs learned, as a section of a page: curves, and below them their numbers."""

from collections.abc import Sequence

import numpy as np

from alexnet.drawing import SERIES, Drawing, Line
from alexnet.report.account import Account
from alexnet.report.chart import DASHES, Series, chart
from alexnet.report.markup import Markup, Section, table, tag

CHARTS = (
    ("Loss", ("train_loss", "val_loss"), "{:.2f}"),
    ("Top-1", ("train_top1", "val_top1"), "{:.0%}"),
    ("Top-5", ("val_top5",), "{:.0%}"),
    ("Learning rate", ("lr",), "{:.2g}"),
    ("Images a second, training", ("images_per_second",), "{:,.0f}"),
)
METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "loss": "loss",
    "train_top1": "top-1, training",
    "train_loss": "loss, training",
}


def shown_figure(metric: str, value: float | None) -> str:
    """Write a figure: losses as they are, shares in per cent."""
    if value is None or np.isnan(value):
        return "–"
    return f"{value:.4f}" if metric.endswith("loss") else f"{value:.2%}"


def curves(accounts: Sequence[Account]) -> Section:
    """Draw how runs learned."""
    alone = len(accounts) == 1
    names = [account.name for account in accounts]
    drawn = []
    for title, keys, form in CHARTS:
        series = [
            Series(account.log["epoch"], account.log[key], number, not key.startswith("train"))
            for number, account in enumerate(accounts)
            for key in keys
        ]
        about = f"{title} by epoch of {', '.join(names)}; the table below has the numbers"
        drawn.append(tag("figure", Markup(chart(title, about, series, form, alone, keys == ("lr",)).svg())))
    legend = [
        tag("li", _key(number, True), f"{account.name}: {shown_figure('top1', account.figures['top1'])} top-1")
        for number, account in enumerate(accounts)
        if not alone
    ]
    legend += [
        tag("li", _key(0 if alone else None, True), "held out"),
        tag("li", _key(0 if alone else None, False), "training"),
    ]
    tables = [tag("details", tag("summary", f"The numbers of {account.name}"), epochs(account)) for account in accounts]
    return Section(
        "curves", "How it learned", tag("ul", *legend, class_="keys"), tag("div", *drawn, class_="charts"), *tables
    )


def _key(number: int | None, bold: bool) -> Markup:
    """Draw the piece of line that a name stands for."""
    colour = "quiet" if number is None else SERIES[number % len(SERIES)]
    dash = () if number is None else DASHES[number % len(DASHES)]
    look = (2.4, dash, 1.0) if bold else (1.2, dash, 0.75)
    return Markup(Drawing(30, 10, "", (Line(((1, 5), (29, 5)), colour, *look),)).svg())


def epochs(account: Account) -> Markup:
    """Tell the log as a table."""
    log = account.log
    keys = ("train_loss", "val_loss", "train_top1", "val_top1", "val_top5")
    rows = [
        (
            f"{log['epoch'][row]:.0f}",
            *(shown_figure(key.split("_", 1)[1], log[key][row]) for key in keys),
            f"{log['lr'][row]:.3g}",
            f"{log['images_per_second'][row]:,.0f}",
        )
        for row in range(len(log["epoch"]))
    ]
    head = ("epoch", "loss, training", "loss", "top-1, training", "top-1", "top-5", "rate", "images/s")
    return table(head, rows, f"Each epoch of {account.name}", range(8))

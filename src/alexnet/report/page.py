"""One self-contained HTML page for a run, or for several beside each other: no script, nothing from elsewhere.

It opens from a file, on a phone, in light and dark, and on paper.
"""

import datetime
import platform
from collections.abc import Sequence
from pathlib import Path

import torch

import alexnet
from alexnet.drawing import style_rules
from alexnet.durable import write_atomic
from alexnet.report import comparing, counted, course, sections, shown
from alexnet.report.account import Account
from alexnet.report.log import names_apart
from alexnet.report.markup import Markup, Section, table, tag

# What the page may do: show itself.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_page(accounts: Sequence[Account], path: Path) -> None:
    """Write the page of one run, or of several that are compared.

    Args:
        accounts: What is known of each.
        path: The file.

    Raises:
        AlexNetError: If it cannot be written.
    """
    write_atomic(path, page(accounts).encode())


def page(accounts: Sequence[Account]) -> str:
    """Give the page as text."""
    known_as = names_apart([account.path for account in accounts])
    accounts = [account.called(name) for account, name in zip(accounts, known_as, strict=True)]
    alone = accounts[0] if len(accounts) == 1 else None
    parts = of_one(alone) if alone else of_several(accounts)
    names = ", ".join(account.name for account in accounts)
    title = names if alone else f"{len(accounts)} runs compared"
    # A style sheet is no markup: what is escaped in text would be taken literally there, and nothing of a run is in it.
    style = Markup(style_rules() + (Path(__file__).with_name("page.css")).read_text(encoding="utf-8"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} – alexnet"),
        tag("style", style),
    )
    links = [tag("li", tag("a", part.title, href=f"#{part.name}")) for part in parts]
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#main", class_="skip"),
        tag("header", tag("h1", title), tag("p", _lead(alone) if alone else names, class_="lead")),
        tag("nav", tag("ul", *links), aria_label="On this page"),
        tag("main", *(part.markup() for part in parts), id="main"),
        tag("footer", tag("p", f"Made by alexnet report on {datetime.date.today().isoformat()}.")),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def of_one(account: Account) -> list[Section]:
    """Give the sections of a page about one run."""
    look = account.look
    pictures = [shown.answers(look), shown.mistakes(look), shown.alike(look)] if look else []
    by_class = [counted.classes(account, look)] if look else []
    return [
        sections.result(account),
        course.curves([account]),
        *pictures,
        *by_class,
        shown.filters([account]),
        sections.network(account),
        sections.recipe(account),
        sections.data(account),
        sections.speed(account),
        identity([account]),
    ]


def of_several(accounts: Sequence[Account]) -> list[Section]:
    """Give the sections of a page that compares runs."""
    told = [
        comparing.results(accounts),
        course.curves(accounts),
        comparing.differences(accounts),
        comparing.by_class(accounts),
    ]
    return [*filter(None, told), shown.filters(accounts), identity(accounts)]


def identity(accounts: Sequence[Account]) -> Section:
    """Tell exactly which files the page is about, and what made it."""
    digests = [(f"{account.name}: {account.checkpoint.name}", account.digest) for account in accounts]
    stores = [account.store for account in accounts if account.store]
    digests += dict.fromkeys((f"{store.path.resolve().name} (store)", store.digest) for store in stores)
    rows = [(name, tag("td", tag("code", digest))) for name, digest in digests]
    versions = f"alexnet {alexnet.__version__}, PyTorch {torch.__version__}, Python {platform.python_version()}"
    return Section(
        "identity",
        "Versions and digests",
        table(("file", "SHA-256"), rows, "What this page is about"),
        tag("p", f"Made by {versions}.", class_="note"),
    )


def _lead(account: Account) -> str:
    """Say in a line what was trained on what."""
    network, epochs = account.architecture, account.log["epoch"][-1]
    towers = f", {network.towers} towers" if network.towers > 1 else ""
    return (
        f"{network.name}: {network.parameters:,} parameters{towers}, {len(account.classes):,} classes, "
        f"{epochs:.0f} epoch{'s' if epochs > 1 else ''}"
    )

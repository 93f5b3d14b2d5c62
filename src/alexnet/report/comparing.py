"""The sections of a page that sets several runs side by side: results, what differs between them, classes."""

from collections.abc import Sequence

from alexnet.data.canvas import short_class
from alexnet.progress import duration
from alexnet.recipe import written
from alexnet.report.account import Account
from alexnet.report.course import shown_figure
from alexnet.report.markup import Section, table, tag
from alexnet.runs import differences as words

CLASSES = 120  # listed at most


def results(accounts: Sequence[Account]) -> Section:
    """Set the results side by side, the best first."""
    order = sorted(accounts, key=lambda account: -(account.figures["top1"] or 0.0))
    rows = []
    for account in order:
        figures, log = account.figures, account.log
        told = [shown_figure(key, figures[key]) for key in ("top1", "top5", "loss", "train_top1")]
        where = account.look.split if account.look else "its log"
        seconds = duration(float(log["seconds"].sum()))
        rows.append((account.name, *told, where, f"{log['epoch'][-1]:.0f}", seconds, account.architecture.name))
    head = ("run", "top-1", "top-5", "loss", "top-1, training", "measured on", "epochs", "time", "network")
    parts = [table(head, rows, "Results, the best first", (1, 2, 3, 4, 6, 7))]
    measured = {
        (account.store.digest if account.store else "", account.look and account.look.split) for account in accounts
    }
    if len(measured) > 1:
        parts.append(tag("p", "Mind that these were not all measured on the same pictures.", class_="note"))
    return Section("result", "Results", *parts)


def differences(accounts: Sequence[Account]) -> Section:
    """Tell in what the runs' recipes and networks differ: a row for each thing that is not alike in all."""
    recipes = [account.recipe.to_json() for account in accounts]
    rows = [
        (name, *(written(recipe[name]) for recipe in recipes))
        for name in recipes[0]
        if any(recipe[name] != recipes[0][name] for recipe in recipes)
    ]
    networks = [dict(words.leaves(account.architecture.to_json())) for account in accounts]
    names = dict.fromkeys(name for network in networks for name in network)
    rows += [
        (f"network: {name}", *(str(network.get(name, "–")) for network in networks))
        for name in names
        if any(network.get(name) != networks[0].get(name) for network in networks)
    ]
    rows += [("began with and learned from", *(account.told for account in accounts))] * (
        len({account.told for account in accounts}) > 1
    )
    head = ("what", *(account.name for account in accounts))
    if not rows:
        return Section("differences", "What differs", tag("p", "Recipes, networks and data of these runs are alike."))
    return Section("differences", "What differs", table(head, rows, "What is not alike in all of these runs"))


def by_class(accounts: Sequence[Account]) -> Section | None:
    """Set top-1 of each class side by side; None if that was not measured, or their classes differ."""
    looks = [account.look for account in accounts if account.look]
    if len(looks) < len(accounts) or any(account.classes != accounts[0].classes for account in accounts):
        return None
    told = [look.result.per_class(account.classes) for look, account in zip(looks, accounts, strict=True)]
    rows = [
        (short_class(of_class[0].label), *("–" if one.top1 is None else f"{one.top1:.1%}" for one in of_class))
        for of_class in zip(*told, strict=True)
    ]
    head = ("class", *(account.name for account in accounts))
    listed = table(head, rows[:CLASSES], "Top-1 of each class", range(1, len(head)))
    more = [tag("p", f"{len(rows) - CLASSES:,} more classes are not listed.", class_="note")] * (len(rows) > CLASSES)
    return Section("classes", "Class by class", listed, *more)

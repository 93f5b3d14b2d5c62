"""The sections of a page that tell in figures: result, network, recipe, data, speed."""

import numpy as np

from alexnet.architectures import INPUTS
from alexnet.data.contents import class_counts, lost
from alexnet.diagram import diagram
from alexnet.errors import DataError
from alexnet.progress import duration
from alexnet.recipe import Recipe, changes, written
from alexnet.recipes import REASONS, RECIPES
from alexnet.report.account import Account
from alexnet.report.comparison import beside
from alexnet.report.course import METRICS, shown_figure
from alexnet.report.markup import Markup, Section, table, tag

REASONS_SHOWN = 8


def result(account: Account) -> Section:
    """Tell the result, and printed ones beside it."""
    figures = account.figures
    if account.look:
        where = f"on the {account.look.result.images:,} pictures of {account.look.split}, one view each"
    else:
        where = "on held-out pictures, as its log has it after the last epoch"
    told = [
        tag("div", tag("dt", METRICS[key]), tag("dd", shown_figure(key, figures[key])))
        for key in ("top1", "top5", "loss")
        if figures[key] is not None
    ]
    parts = [tag("dl", *told, class_="figures"), tag("p", f"Measured {where}.", class_="note")]
    if account.store is None:
        parts.append(tag("p", f"There are no pictures on this page: {account.no_store}.", class_="note"))
    store = account.store
    kind, training = (store.manifest["source"]["kind"], len(store.splits["train"])) if store else ("", 0)
    learned_from = account.look is not None and account.look.split == "train"
    rows = [] if learned_from else beside(account.architecture.name, kind, len(account.classes), training, figures)
    if learned_from:
        parts.append(tag("p", "It learned from these pictures: no printed result is of such.", class_="note"))
    elif rows:
        cells = [
            (one.source, METRICS[one.metric], *(shown_figure(one.metric, x) for x in (one.printed, one.here)), one.note)
            for one in rows
        ]
        head = ("printed by", "measure", "printed", "here", "printed for")
        parts.append(table(head, cells, "Beside printed results; errors are written as accuracies", (2, 3)))
    else:
        parts.append(tag("p", "No printed result is known for this network on pictures of this kind.", class_="note"))
    return Section("result", "Result", *parts)


def network(account: Account) -> Section:
    """Draw the network (Figure 2) and list its layers."""
    architecture = account.architecture
    rows = [
        (
            row.layer.name,
            type(row.layer).__name__,
            "×".join(map(str, row.output)),
            f"{row.parameters:,}" if row.parameters else "",
            f"{row.macs:,}" if row.parameters else "",
        )
        for row in architecture.rows()
    ]
    rows.append(("total", "", "", f"{architecture.parameters:,}", f"{architecture.macs:,}"))
    head = ("layer", "what", "output", "parameters", "multiplications")
    layers = table(head, rows, f"The layers of {architecture.name}, for one picture", (2, 3, 4))
    figure = tag(
        "figure",
        Markup(diagram(architecture).svg()),
        class_="network",
        tabindex=0,
        role="group",
        aria_label="The network, drawn",
    )
    pixels = tag("p", f"Its input: {INPUTS[architecture.input]}.", class_="note")
    return Section("network", "Network", figure, pixels, tag("details", tag("summary", "Layer by layer"), layers))


def nearest_recipe(recipe: Recipe) -> str:
    """Name the recipe that it differs least from."""
    return min(RECIPES, key=lambda name: len(changes(recipe, RECIPES[name])))


def recipe(account: Account) -> Section:
    """Tell the recipe by what it changes against the paper's."""
    rows, near = changes(account.recipe, Recipe()), nearest_recipe(account.recipe)
    other = [name for name, _, _ in changes(account.recipe, RECIPES[near])]
    words = f"The recipe {near}" + (f", but for {', '.join(other)}." if other else ".")
    parts = [tag("p", words)]
    if rows:
        why = {name: text for name, text in REASONS[near].items() if name not in other}
        cells = [(name, written(was), written(now), why.get(name, "")) for name, was, now in rows]
        head = ("field", "paper", "here", "why")
        parts.append(table(head, cells, "Where the recipe leaves the paper's; all else is as printed (§4, §5)"))
    else:
        parts.append(tag("p", "Nothing differs from the paper's recipe."))
    return Section("recipe", "Recipe", *parts)


def data(account: Account) -> Section:
    """Tell what it learned from."""
    parts = [tag("p", f"It learned from {account.told}")]
    if account.store is None:
        return Section("data", "Data", *parts)
    store = account.store
    counts = class_counts(store)
    rows = [
        (name, f"{sum(one):,}", f"{min(one):,}" if min(one) == max(one) else f"{min(one):,} to {max(one):,}")
        for name, one in counts.items()
    ]
    kind = store.manifest["source"]["kind"]
    about = f"{len(store.classes):,} classes, {store.side} × {store.side} pixels ({store.records} records), from {kind}"
    parts.append(tag("p", f"{store.path.resolve().name}: {about}."))
    parts.append(table(("split", "pictures", "a class"), rows, "Its pictures", (1, 2)))
    totals = store.manifest["counts"]
    lost_files = f"{totals['bad']:,} could not be read, {totals['skipped']:,} were skipped"
    parts.append(tag("p", f"Of all files {totals['used']:,} were used, {lost_files}."))
    try:
        reasons = [
            (reason, state, f"{len(files):,}") for state, why in lost(store).items() for reason, files in why.items()
        ]
    except DataError as error:
        parts.append(tag("p", str(error), class_="note"))
        reasons = []
    if reasons:
        head = ("reason", "what became of it", "files")
        parts.append(table(head, reasons[:REASONS_SHOWN], "Files that were not used", (2,)))
    return Section("data", "Data", *parts)


def speed(account: Account) -> Section:
    """Tell how long it took."""
    log = account.log
    seconds, rate = np.nansum(log["seconds"]), np.nanmean(log["images_per_second"])
    rows = [
        ("epochs", f"{log['epoch'][-1]:.0f}"),
        ("pictures seen", f"{log['images_seen'][-1]:,.0f}"),
        ("time, training and measuring", duration(float(seconds))),
        ("training, images a second", f"{rate:,.0f}"),
    ]
    if account.look:
        told = account.look.result
        rows.append(("measuring here, images a second", f"{told.images / max(told.seconds, 1e-9):,.0f}"))
    return Section("speed", "Speed", table(("what", "how much"), rows, "As its log has it", (1,)))

"""The tables of all experiments, and the list that `alexnet reproduce` prints: made of the evidence that is kept.

`make experiments` writes `experiments/README.md` and `README.md` anew: what stands between their marks, and no other
word. A figure appears only where its `result.json` does; nothing here is typed by hand.
"""

import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from alexnet.durable import write_atomic
from alexnet.errors import DataError
from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.lines import LINES, STEPS, Line

# How figures are written that are no shares, by their metric.
FORMS = {"loss": "{:.3f}", "seconds": "{:.0f} s", "hours": "{:.1f} h", "days": "{:.1f} days", "GB": "{:.0f} GB"}
BEGIN, END = "<!-- {}: written by `make experiments` -->", "<!-- the end of what `make experiments` writes -->"
Told = Mapping[str, Any]


def shown(metric: str, value: float | None) -> str:
    """Write a figure for people in the unit of its metric; nothing for what is not there."""
    if value is None or math.isnan(value):
        return ""
    unit = "loss" if metric.endswith("loss") else metric
    return FORMS.get(unit, "{:.2%}").format(value)


def shown_row(row: Told | None) -> str:
    """Write the mean of a row, and what the seeds differ by where there are several; nothing for no row."""
    if row is None:
        return ""
    mean = shown(row["metric"], row["mean"])
    spread = f" ± {shown(row['metric'], row['sd'])}" if mean and row["sd"] is not None else ""
    return mean + spread


def read_results(folder: Path) -> dict[str, Told]:
    """Read every `result.json` below a folder, by the name of its experiment; none if there is no such folder.

    Raises:
        DataError: If one cannot be read.
    """
    found = {}
    for file in sorted(folder.glob("*/result.json")):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            found[str(told["name"])] = told
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file} is no result of an experiment ({error}): run its command again") from error
    return found


def row_of(told: Told, label: str | None, metric: str) -> Told | None:
    """Find a row by label and metric."""
    return next((row for row in told["rows"] if (row["label"], row["metric"]) == (label, metric)), None)


def figures(told: Told, line: Line) -> tuple[str, str, str]:
    """Give what was printed, what ours is put beside, and ours, as words; empty where there is none."""
    beside, ours = row_of(told, line.beside, line.metric), row_of(told, line.ours, line.metric)
    printed = next((row["printed"] for row in (beside, ours) if row and row["printed"] is not None), None)
    return shown(line.metric, printed), shown_row(beside), shown_row(ours)


def listing(folder: Path) -> str:
    """List all experiments for people, with the figures of those whose evidence lies in a folder."""
    results = read_results(folder)
    lines = [f"{'':52} {'printed':>8} {'beside':>16} {'ours':>16}"]
    for name, about in EXPERIMENTS.items():
        told = results.get(name)
        lines.append(f"{name}: {about}" + (f" · {told['minutes']:.0f} minutes" if told else ""))
        for line in LINES:
            if told and line.name == name:
                printed, beside, ours = figures(told, line)
                lines.append(f"  {line.what:50} {printed:>8} {beside:>16} {ours:>16}".rstrip())
    where = f"figures from {folder}" if results else f"no figures: {folder} holds no results (--results DIR)"
    return "\n".join([*lines, "", f"{where}; alexnet reproduce NAME --data DIR runs one, with --quick in minutes"])


def short_table(results: Mapping[str, Told]) -> Iterator[str]:
    """Give the table of the lines that count, in Markdown."""
    return table_of(LINES, results, "")


def headlines(results: Mapping[str, Told]) -> Iterator[str]:
    """Give what the README has of it."""
    return table_of((line for line in LINES if line.headline), results, "experiments/README.md")


def table_of(lines: Iterable[Line], results: Mapping[str, Told], page: str) -> Iterator[str]:
    """Give a table of some lines; `page` is where their evidence is told."""
    yield "| what | printed | beside, here | ours | minutes, all rows | command |"
    yield "|---|--:|--:|--:|--:|---|"
    for line in lines:
        told = results.get(line.name)
        # An experiment keeps what it has whenever a part is done; ours may be still to come.
        if told and row_of(told, line.ours, line.metric):
            printed, beside, ours = figures(told, line)
            command = f"[`{told['command']}`]({page}#{told['name']})"
            yield f"| {line.what} | {printed} | {beside} | {ours} | {told['minutes']:.0f} | {command} |"


def gains(results: Mapping[str, Told]) -> Iterator[str]:
    """Give what each change brought to write-up 004, in Markdown."""
    if STEPS not in results:
        yield f"*Not measured yet: `alexnet reproduce {STEPS}`.*"
        return
    rows = results[STEPS]["rows"]
    yield "| change, each on top of those above it | top-1 | gain |"
    yield "|---|--:|--:|"
    yield f"| {rows[0]['label']} | {shown_row(rows[0])} | |"
    for before, after in pairwise(rows):
        gain = (
            f"{100 * (after['mean'] - before['mean']):+.1f} points"
            if None not in (before["mean"], after["mean"])
            else ""
        )
        yield f"| {after['label']} | {shown_row(after)} | {gain} |"


def whole_table(results: Mapping[str, Told]) -> Iterator[str]:
    """Give every row of every result, in Markdown."""
    for name, told in results.items():
        machine = told["machine"]
        threads = f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}"
        where = f"{told['minutes']:g} minutes by {threads} of {machine['cores']} cores of {machine['cpu']}"
        short = (f"`{name[:10]}{'+' * name.endswith('+')}`" for name in told["commit"].split(", "))
        made = f"`{told['command']}` · {told['date']} · commit {', '.join(short)} · {where}"
        yield from (f"### {name}", "", told["verdict"], "", f"{made} · [evidence](results/{name}/)", "")
        yield from ("| what | measure | printed | here | seeds |", "|---|---|--:|--:|--:|")
        for row in told["rows"]:
            what = f"{row['label']} ({row['note']})" if row["note"] else row["label"]
            printed = shown(row["metric"], row["printed"])
            yield f"| {what} | {row['metric']} | {printed} | {shown_row(row)} | {len(row['seeds'])} |"
        yield ""


# What is written between marks, by the name in them.
TABLES: dict[str, Callable[[Mapping[str, Told]], Iterator[str]]] = {
    "short": short_table,
    "gains": gains,
    "all": whole_table,
    "headlines": headlines,
}


def with_results(page: str, results: Mapping[str, Told]) -> str:
    """Give a page with all that stands between marks made anew.

    Raises:
        DataError: If there are no marks, or one is wrong.
    """
    names = re.findall(BEGIN.format("(.*)"), page)
    if not names:
        raise DataError(f"the page has no marks such as {BEGIN.format('short')}: put them back")
    for name in names:
        mark = BEGIN.format(name)
        head, _, rest = page.partition(f"{mark}\n")
        _, ended, tail = rest.partition(END)
        if name not in TABLES or not ended:
            raise DataError(f"the page has {mark} without the mark of its end, or there is no such table: mend it")
        body = "\n".join(TABLES[name](results)).rstrip("\n")
        page = f"{head}{mark}\n\n{body}\n\n{END}{tail}"
    return page


def write_page(page: Path, results: Path) -> None:
    """Write a page anew from a folder of results."""
    text = with_results(page.read_text(encoding="utf-8"), read_results(results))
    write_atomic(page, text.encode())


if __name__ == "__main__":
    for name in sys.argv[2:]:
        write_page(Path(name), Path(sys.argv[1]))

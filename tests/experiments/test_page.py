"""Tests of alexnet.experiments.page, and of what it writes into experiments/README.md and README.md."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alexnet.cli import parser
from alexnet.errors import DataError
from alexnet.experiments import EXPERIMENTS
from alexnet.experiments import page as module
from alexnet.experiments.lines import STEPS, Line
from alexnet.experiments.page import listing, read_results, shown, with_results, write_page

ROOT = Path(__file__).parents[2]
PAGE, RESULTS = ROOT / "experiments" / "README.md", ROOT / "experiments" / "results"
PAGES = (PAGE, ROOT / "README.md")
EMPTY = "".join(f"{name}\n{module.BEGIN.format(name)}\n{module.END}\n" for name in module.TABLES)


def row(label, mean, metric="top1", **others):
    return {
        "label": label,
        "metric": metric,
        "printed": None,
        "mean": mean,
        "sd": None,
        "seeds": [0],
        "note": "",
    } | others


@pytest.fixture
def results(tmp_path):
    """The folder of two results."""
    rows = {
        "write-up-004": [
            row("as written", 0.28, printed=0.267, sd=0.0123, seeds=[0, 1, 2]),
            row("ours", 0.64, note="mirrored"),
            row("ours", 1.5, "loss"),
        ],
        STEPS: [row("as written", 0.2), row("+ He start", 0.45, sd=0.01, seeds=[0, 1]), row("+ small batches", 0.43)],
    }
    for name, of_one in rows.items():
        told = {"name": name, "command": f"alexnet reproduce {name}", "commit": "abcdef0123456", "date": "2026-11-22"}
        told |= {
            "machine": {"cpu": "AMD EPYC", "cores": 2, "threads": 1},
            "minutes": 12.3,
            "rows": of_one,
            "verdict": "It holds.",
        }
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "result.json").write_text(json.dumps(told))
    return tmp_path / "results"


@pytest.fixture(autouse=True)
def lines(monkeypatch, request):
    """Short tables of the results above; the page's own test takes the true ones."""
    if "results" in request.fixturenames:
        first = Line("write-up-004", "the first", "as written", "ours", headline=True)
        monkeypatch.setattr(module, "LINES", (first, Line(STEPS, "the steps", "as written", "+ small batches")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_tells_what_the_results_hold(page):
    text = page.read_text(encoding="utf-8")
    assert with_results(text, read_results(RESULTS)) == text, "run make experiments"


def test_every_table_is_on_a_page():
    marked = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert all(marked.count(module.BEGIN.format(name)) == 1 for name in module.TABLES)


def test_every_command_of_the_page_is_one():
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S))
    commands = [line.split("#")[0].split() for line in blocks.splitlines()]
    assert len(commands) >= 6
    for _, *words in commands:
        told = parser().parse_args(words)
        assert told.verb_name != "reproduce" or told.name is None or told.name in EXPERIMENTS


def test_every_result_is_of_an_experiment_that_can_be_run_again():
    for name, told in read_results(RESULTS).items():
        assert told["command"] == f"alexnet reproduce {name}"
        assert name in EXPERIMENTS


def test_only_what_stands_between_marks_is_written(results):
    page = results.with_name("README.md")
    page.write_text(f"# Title\n\n{EMPTY}the end\n")
    write_page(page, results)
    once = page.read_text()
    write_page(page, results)
    assert page.read_text() == once
    assert once.startswith("# Title\n\nshort\n")
    assert once.endswith(f"{module.END}\nthe end\n")


def test_the_module_is_the_command(results):
    page = results.with_name("README.md")
    page.write_text(EMPTY)
    subprocess.run([sys.executable, "-m", "alexnet.experiments.page", str(results), str(page)], check=True)
    assert "### write-up-004" in page.read_text()


def test_the_short_table_has_printed_repeated_and_ours_with_their_spread(results):
    text = with_results(EMPTY, read_results(results))
    assert (
        "| the first | 26.70% | 28.00% ± 1.23% | 64.00% | 12 | [`alexnet reproduce write-up-004`](#write-up-004) |"
        in text
    )


def test_what_is_not_measured_yet_has_no_line(results, monkeypatch):
    monkeypatch.setattr(module, "LINES", (*module.LINES, Line("write-up-004", "the second", "as written", "theirs")))
    assert "the second" not in with_results(EMPTY, read_results(results))


def test_gains_are_differences_of_means(results):
    text = with_results(EMPTY, read_results(results))
    assert "| as written | 20.00% | |" in text
    assert "| + He start | 45.00% ± 1.00% | +25.0 points |" in text
    assert "| + small batches | 43.00% | -2.0 points |" in text


def test_gains_that_nobody_measured_are_not_told(results):
    found = read_results(results)
    del found[STEPS]
    assert f"*Not measured yet: `alexnet reproduce {STEPS}`.*" in with_results(EMPTY, found)


def test_every_row_is_in_the_whole_table(results):
    text = with_results(EMPTY, read_results(results))
    assert "| as written | top1 | 26.70% | 28.00% ± 1.23% | 3 |" in text
    assert "| ours (mirrored) | top1 |  | 64.00% | 1 |" in text
    assert "| ours | loss |  | 1.500 | 1 |" in text
    made = "commit `abcdef0123` · 12.3 minutes by 1 thread of 2 cores of AMD EPYC"
    assert f"{made} · [evidence](results/write-up-004/)" in text


def test_the_headlines_lead_to_the_page_of_all(results):
    text = with_results(EMPTY, read_results(results))
    _, headlines = text.split(module.BEGIN.format("headlines"))
    assert "| the first | 26.70% |" in headlines
    assert "(experiments/README.md#write-up-004) |" in headlines
    assert "the steps" in text
    assert "the steps" not in headlines


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("# Title\n", "no marks such as <!-- short"),
        (EMPTY.replace("gains:", "gain:"), "<!-- gain: "),
        (EMPTY.removesuffix(f"{module.END}\n"), "<!-- headlines: "),
    ],
)
def test_a_page_with_wrong_marks_is_refused(results, page, message):
    with pytest.raises(DataError, match=message):
        with_results(page, read_results(results))


def test_a_damaged_result_is_named(results):
    (results / STEPS / "result.json").write_text("{")
    with pytest.raises(DataError, match=rf"{STEPS}/result.json is no result of an experiment"):
        read_results(results)


def test_all_are_listed_with_the_figures_that_are_there(results):
    text = listing(results)
    lines = text.splitlines()
    assert [line.split(": ")[0] for line in lines[1:-2] if not line.startswith(" ")] == list(EXPERIMENTS)
    at = next(number for number, line in enumerate(lines) if line.startswith("write-up-004: "))
    assert lines[at] == f"write-up-004: {EXPERIMENTS['write-up-004']} · 12 minutes"
    assert lines[at + 1].split() == ["the", "first", "26.70%", "28.00%", "±", "1.23%", "64.00%"]
    assert lines[-1].startswith(f"figures from {results}; ")


def test_without_evidence_there_are_no_figures(tmp_path):
    lines = listing(tmp_path / "nowhere").splitlines()
    assert lines[1:-2] == [f"{name}: {about}" for name, about in EXPERIMENTS.items()]
    assert lines[-1].startswith(f"no figures: {tmp_path / 'nowhere'} holds no results (--results DIR)")


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("top1", 0.64321, "64.32%"),
        ("val_loss", 1.23456, "1.235"),
        ("hours", 2.75, "2.8 h"),
        ("days", 13.5, "13.5 days"),
        ("GB", 250.4, "250 GB"),
        ("seconds", 12.4, "12 s"),
        ("top1", None, ""),
        ("loss", float("nan"), ""),
    ],
)
def test_a_figure_has_the_unit_of_its_metric(metric, value, words):
    assert shown(metric, value) == words

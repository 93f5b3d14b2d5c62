"""Tests of alexnet.experiments.lines."""

from pathlib import Path

from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.lines import LINES
from alexnet.experiments.page import read_results, row_of

RESULTS = Path(__file__).parents[2] / "experiments" / "results"


def test_the_short_table_names_rows_that_are_there():
    results = read_results(RESULTS)
    for line in LINES:
        assert line.name in EXPERIMENTS
        if line.name in results:
            assert row_of(results[line.name], line.ours, line.metric), line
            assert line.beside is None or row_of(results[line.name], line.beside, line.metric), line

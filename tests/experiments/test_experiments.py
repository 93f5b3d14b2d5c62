"""Tests of alexnet.experiments: the list of what can be rerun."""

from importlib import import_module

import pytest

from alexnet.errors import UsageError
from alexnet.experiments import EXPERIMENTS, run_experiment


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("quick", [True, False])
def test_what_is_listed_can_be_run_and_a_quick_run_leaves_no_evidence(name, quick, tmp_path, monkeypatch):
    calls = []
    module = import_module(f"alexnet.experiments.{name.replace('-', '_')}")
    monkeypatch.setattr(module, "reproduce", lambda *given: calls.append(given))
    data, work, results = tmp_path / "data", tmp_path / "work", tmp_path / "results"
    data.mkdir()
    run_experiment(name, data, work, results, quick)
    assert calls == [(data, work / f"{name}-quick", work, True) if quick else (data, work / name, results, False)]


def test_what_cannot_be_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"unknown experiment write-up-04: did you mean write-up-004\?"):
        run_experiment("write-up-04", tmp_path, tmp_path, tmp_path, True)
    with pytest.raises(UsageError, match=r"--data .*nowhere is no folder: give the one that holds the data sets"):
        run_experiment("write-up-002", tmp_path / "nowhere", tmp_path, tmp_path, True)
    with pytest.raises(UsageError, match=r"needs real pictures: give --data DIR, .* or set ALEXNET_DATA"):
        run_experiment("write-up-004", None, tmp_path, tmp_path, True)

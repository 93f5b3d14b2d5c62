"""Tests that the benchmarks run, on a miniature; what they measure, they say themselves."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
MINIATURES = {
    "preparation": ["--side", "32", "--rounds", "2"],
    "reading": ["--stored-side", "32", "--side", "28", "--epochs", "1", "--rounds", "2"],
}


@pytest.mark.parametrize("name", MINIATURES)
def test_a_benchmark_runs_and_writes_its_rows(name, tmp_path):
    x, y = np.meshgrid(np.arange(60), np.arange(45))
    for number in range(12):
        waves = np.stack([127 + 120 * np.sin((x + y * number) / a) for a in (7, 9, 12)], 2).astype(np.uint8)
        file = tmp_path / "pictures" / f"class {number % 2}" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(waves).save(file)
    command = [sys.executable, "-W", "error", str(BENCHMARKS / f"{name}.py"), str(tmp_path / "pictures")]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *MINIATURES[name], "--results", str(tmp_path / "results")],
        capture_output=True,
        text=True,
        check=False,
        env=one_thread,
    )
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "results").iterdir()
    assert file.name.endswith(f"-{name}.json")
    result = json.loads(file.read_text())
    assert result["name"] == name
    assert {"cpu", "cores", "torch", "pillow", "load_before"} <= set(result["machine"])
    assert result["rows"]
    for row in result["rows"]:
        assert row["rounds"] == 2
        assert min(row["value"], row["rival_value"], row["ratio"]) > 0
        assert f"{row['label']}: " in done.stdout


def test_every_benchmark_is_run_here():
    runnable = {file.stem for file in BENCHMARKS.glob("*.py") if "__main__" in file.read_text()}
    assert runnable == set(MINIATURES) | {"gpu"}


def test_without_a_gpu_its_benchmark_says_so():
    command = [sys.executable, str(BENCHMARKS / "gpu.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: PyTorch finds no CUDA device")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def gpu(monkeypatch):
    """The benchmark for GPUs as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("gpu")


@pytest.mark.parametrize("low", [False, True])
def test_the_gpu_benchmark_measures_a_miniature_on_the_cpu(gpu, tiny_network, low):
    bench = gpu.Bench(torch.device("cpu"), low=False, compiled=False, rounds=2, seconds=0)
    gpu.check_norm((2, 6, 7, 7), bench.device, torch.float32, images=2)
    gpu.check_network(tiny_network, bench.device, low, images=4)
    bench.ceilings(side=8, size=64)
    rows = [*gpu.norm_rows(bench, (2, 6, 7, 7), True), *gpu.step_rows(bench, tiny_network, 4)]
    rows.append(gpu.end_to_end_row(bench, tiny_network, 4, 32, 16))
    assert [row.rival for row in rows] == [gpu.FLOAT32, "eager autocast", gpu.FLOAT32, gpu.SWITCHES, "given batches"]
    assert all(row.value > 0 and row.rival_value > 0 and row.rounds == 2 for row in rows)
    assert bench.facts["matrix product, TFLOP/s"] >= 0
    assert "step of tiny, batch 4, ours, first use, s" in bench.facts


def test_the_gpu_benchmark_times_nothing_that_is_wrong(gpu, monkeypatch):
    checks = sys.modules["checks"]
    ours = checks.our_norm
    monkeypatch.setattr(checks, "our_norm", lambda x, relu_and_pool: ours(x, relu_and_pool) * 1.02)
    with pytest.raises(SystemExit, match="nothing was timed"):
        checks.check_norm((2, 6, 7, 7), torch.device("cpu"), torch.float32, images=2)


def test_the_operations_of_training_are_those_of_the_reference_table(gpu):
    from alexnet.catalogue import PAPER, SINGLE

    assert round(contestants.training_operations(PAPER) / 1e9, 4) == 4.1356
    assert round(contestants.training_operations(SINGLE) / 1e9, 4) == 6.6007


def test_the_rows_sum_up_the_rounds(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from measuring import Row, take_turns

    row = Row.of("a", "images/s", [10.0, 30.0, 20.0], "b", [10.0, 10.0, 10.0], wanted_ratio=2.0)
    assert (row.value, row.rival_value, row.ratio, row.rounds) == (20.0, 10.0, 2.0, 3)
    assert row.spread == row.ratio_spread == 0.5  # quartiles 15 and 25 about 20
    assert row.line().endswith("wanted 2.0: yes")
    turns = []
    rates = take_turns(2, {name: lambda name=name: turns.append(name) or 1 for name in "ab"})
    assert turns == list("ababab")  # the first round warms up
    assert [len(rates[name]) for name in "ab"] == [2, 2]

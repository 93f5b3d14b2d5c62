"""Tests that the benchmarks run, on a miniature; what they measure, they say themselves."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.training.gradients import Gradients

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
    assert runnable == set(MINIATURES) | {"cpu", "gpu", "profiling"}


def program(name, *options):
    """Run a benchmark as a user would, in one thread, with every warning an error; what it printed."""
    command = [sys.executable, "-W", "error", str(BENCHMARKS / f"{name}.py"), *options, "--threads", "1"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_cpu_benchmark_runs_and_writes_its_rows(tmp_path):
    small = ("--networks", "cifar-11pct", "--batch", "4", "--rounds", "2", "--no-compile")
    out = program("cpu", "--only", "store", *small, "--results", str(tmp_path))
    (file,) = tmp_path.iterdir()
    result = json.loads(file.read_text())
    assert file.name.endswith("-cpu.json")
    (row,) = result["rows"]
    assert (row["label"], row["wanted_ratio"], row["rounds"]) == ("cifar-11pct from a store, batch 4", 0.95, 2)
    assert min(row["value"], row["rival_value"], row["ratio"]) > 0
    assert f"{row['label']}: " in out
    assert {"threads", "AMX", "kernels", "load_before"} <= set(result["machine"])
    assert set(result["machine"]["first_use_s"]) >= {"cifar-11pct from a store, batch 4, ours"}
    assert "cifar-11pct, fc10.weight in bfloat16: " in out  # each figure's check is told before it


def test_a_profile_names_every_part_and_sums_to_the_whole():
    small = ("--network", "cifar-11pct", "--batch", "2", "--steps", "1", "--product", "64")
    told, _, _, *lines, whole = program("profiling", *small).splitlines()
    assert told.startswith("cifar-11pct, batch 2, bfloat16, threads: 1: ")
    columns = [line.split("  ") for line in lines]
    names = [column[0] for column in columns]
    # A run is passed at once where norms and pools follow in the order that kernels know.
    wanted = ["view", "conv1", "relu1, pool1", "norm1", "conv2", "relu2, norm2, pool2", "local3", "relu3", "local4"]
    assert names == [*wanted, "relu4", "fc10", "loss", "update", "casts", "rest"]
    shares = [float(next(word for word in line.split() if word.endswith("%"))[:-1]) for line in lines]
    assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares) + 0.01)
    assert whole.split()[4] == "100.0%"


def test_without_a_gpu_its_benchmark_says_so():
    command = [sys.executable, str(BENCHMARKS / "gpu.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: PyTorch finds no CUDA device")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def module(monkeypatch):
    """Import a benchmark as a module, by its name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def gpu(module):
    """The benchmark for GPUs."""
    return module("gpu")


@pytest.fixture
def cpu(module, monkeypatch):
    """The benchmark for CPUs, small, with all contestants in this process."""
    cpu, apart, racing = module("cpu"), module("apart"), module("racing")

    class Here:
        def __init__(self, name, make, threads, keep=False):
            self.make, self.work = make, None

        def turn(self, times):
            self.work = self.work or self.make()
            for _ in range(times):
                self.work()
            return apart.Turn(0.5, 1 << 20)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(racing, "Apart", Here)
    monkeypatch.setattr(cpu, "SHAPES", ((6, 7, 7),))
    monkeypatch.setattr(cpu, "COPIED", 64)
    return cpu


def test_the_cpu_benchmark_compares_with_all_rivals(cpu, tiny_network):
    bench = cpu.Bench(4, rounds=2, compiled=False, networks=(tiny_network, tiny_network), side=8, seconds=0)
    rows = [row for part in ("ceilings", "norm", "step", "answers") for row in cpu.PARTS[part](bench)]
    assert all(row.value > 0 and row.rival_value > 0 and row.rounds == 2 for row in rows)
    assert [(row.label, row.rival, row.wanted_ratio) for row in rows if row.unit == "images/s"] == [
        *(
            (f"norm of 4×6×7×7, ours in {name}, theirs in float32", cpu.FLOAT32, 8.0)
            for name in ("float32", "bfloat16")
        ),
        ("step of tiny, batch 4, bfloat16", cpu.FLOAT32, cpu.with_amx(6.0).get("wanted_ratio")),
        ("step of tiny, batch 4, bfloat16", cpu.SWITCHES, None),
        ("step of tiny, batch 4, float32", cpu.FLOAT32, 1.4),
        ("step of tiny, batch 4, bfloat16", cpu.SWITCHES, None),
        ("answers of tiny, crops: 1, batch 4, bfloat16", cpu.FLOAT32, cpu.with_amx(5.0).get("wanted_ratio")),
        ("answers of tiny, crops: 1, batch 4, bfloat16", cpu.SWITCHES, None),
        ("answers of tiny, crops: 10, batch 1, bfloat16", cpu.FLOAT32, None),
        ("answers of tiny, crops: 10, batch 1, bfloat16", cpu.SWITCHES, None),
    ]
    memory = [row for row in rows if row.unit == "MiB"]
    assert [(row.value, row.ratio, row.less_is_better) for row in memory] == [(1.0, 1.0, True)] * 3
    assert len([row for row in rows if row.rival == cpu.PRODUCT]) == 2


def test_compiled_rivals_have_a_twin_that_keeps_its_memory(module):
    racing = module("racing")
    names = list(racing.Bench(compiled=True).ways(*racing.WAYS))
    assert names == [racing.FLOAT32, racing.SWITCHES, racing.COMPILED, racing.KEPT]
    assert racing.WAYS[racing.COMPILED] == racing.WAYS[racing.KEPT]
    assert list(racing.Bench(compiled=False).ways(*racing.WAYS)) == [racing.FLOAT32, racing.SWITCHES]


@pytest.mark.parametrize(
    ("place", "name", "wrong"),
    [
        ("checks", "our_norm", lambda ours: lambda x, relu_and_pool: ours(x, relu_and_pool) * 1.02),
        ("workloads", "our_answers", lambda ours: lambda *a: lambda pictures: ours(*a)(pictures) * 1.001),
    ],
)
def test_the_cpu_benchmark_checks_what_it_measures(cpu, module, tiny_network, monkeypatch, place, name, wrong):
    bench = cpu.Bench(4, networks=(tiny_network,))
    cpu.check(bench)
    monkeypatch.setattr(module(place), name, wrong(getattr(module(place), name)))
    with pytest.raises(SystemExit, match="nothing was timed"):
        cpu.check(bench)


def test_the_rival_transforms_pictures_as_ours_does(module, tiny_network):
    workloads = module("workloads")
    recipe = workloads.Recipe(mirror=0.0, colour_noise=0.0, batch_size=2)
    statistics = workloads.drawn_statistics(24)  # as large as the input, so that nothing is left to chance
    statistics = replace(statistics, mean_image=np.broadcast_to(np.float32(125), (24, 24, 3)))
    view = workloads.View(tiny_network.with_he_start(), statistics, 24)
    pictures = workloads.drawn_pictures(2, 24)
    ours = view.train(pictures, workloads.Chance(0, 0, np.arange(2)), recipe)
    theirs = workloads.Views(pictures.numpy(), view, recipe)
    assert torch.allclose(theirs[1][0], ours[1], atol=1e-5)


def test_the_rival_of_augmentation_shows_every_picture_once(module, tiny_network, monkeypatch):
    workloads = module("workloads")
    loader = workloads.DataLoader
    seen = []

    class Watched(loader):
        def __iter__(self):
            for views, indices in loader.__iter__(self):
                seen.append((tuple(views.shape), sorted(indices.tolist())))
                yield views, indices

    monkeypatch.setattr(workloads, "DataLoader", Watched)
    recipe = workloads.Recipe(batch_size=4)
    workloads.their_views_work(tiny_network, recipe, 16, images=8, workers=1)()
    assert [shape for shape, _ in seen] == [(4, 3, 24, 24)] * 2
    assert sorted(index for _, indices in seen for index in indices) == list(range(8))


def test_a_contestant_works_in_a_process_of_its_own(module):
    apart, workloads = module("apart"), module("workloads")
    with apart.Apart("a copy", partial(workloads.copy, 1 << 26), threads=1, keep=True) as one:
        turn = one.turn(3)
        assert turn.seconds > 0
        assert turn.peak > 1 << 27 or not apart.STATUS.exists()  # what is copied, and the copy
        pid = one._process.pid
    assert pid != os.getpid()
    assert not one._process.is_alive()
    with apart.Apart("no copy", partial(workloads.copy, -1), threads=1) as one, pytest.raises(apart.Failed) as refused:
        one.turn(1)
    assert str(refused.value).startswith("no copy failed: RuntimeError: ")
    with apart.Apart("a loss", partial(os._exit, 3), threads=1) as one, pytest.raises(apart.Failed, match="code 3"):
        one.turn(1)


def test_a_race_goes_on_without_a_rival_that_cannot_be_compiled(cpu, module):
    class Broken:
        def __init__(self):
            raise module("apart").Failed("it failed: no Python.h")

    bench = cpu.Bench(rounds=2, seconds=0)
    entries = {"ours": cpu.Entry(lambda: int, 3), "theirs": cpu.Entry(Broken, 3, may_fail=True)}
    assert set(bench.race("a race", entries).rates) == {"ours"}
    assert bench.facts["left_out"] == ["it failed: no Python.h"]
    assert list(bench.facts["first_use_s"]) == ["a race, ours"]
    with pytest.raises(module("apart").Failed):
        bench.race("a race", {"ours": cpu.Entry(Broken, 3)})


def test_the_command_is_told_without_the_folder_of_the_results(cpu, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["cpu.py", "--quick", "--results", "/home/me/results", "--batch", "8"])
    assert cpu.command() == "python benchmarks/cpu.py --quick --batch 8"


@pytest.mark.parametrize("low", [False, True])
def test_a_profiled_step_has_the_gradients_of_a_plain_one(module, tiny_network, low):
    profiling = module("profiling")
    step = profiling.Step(tiny_network, 4, low)
    pictures = torch.randn(4, 3, 24, 24).contiguous(memory_format=torch.channels_last) * 60
    with profiling.Clock() as clock:
        torch.manual_seed(1)
        loss = step.gradients(clock, pictures)
    found = {name: parameter.grad.clone() for name, parameter in step.network.named_parameters()}
    torch.manual_seed(1)
    plain_loss, _ = Gradients(step.network, step.recipe, graph=False)(pictures, step.labels)
    assert torch.equal(loss, plain_loss)
    for name, parameter in step.network.named_parameters():
        assert torch.equal(found[name], parameter.grad)
    parts = {part.name for part in step.parts}
    assert set(clock.seconds) == {(name, way) for name in parts | {"loss"} for way in ("forward", "back")}
    assert all(seconds > 0 for seconds in clock.seconds.values())
    assert (clock.casts > 0) == low


def test_the_least_times_follow_from_the_architecture(module):
    from alexnet.catalogue import SINGLE
    from alexnet.nn.network import Network

    profiling, contestants = module("profiling"), module("contestants")
    with torch.device("meta"):
        parts = profiling.parts_of(Network(SINGLE))
    by_operations = [part.least(2, 2, profiling.Rates(1.0, float("inf"))) for part in parts]
    assert sum(by_operations) == 2 * contestants.training_operations(SINGLE)
    by_bytes = {part.name: part.least(2, 2, profiling.Rates(float("inf"), 1.0)) for part in parts}
    before, after = 2 * 96 * 55 * 55, 2 * 96 * 27 * 27
    # Forward: in, out and a byte of places; back: in, the gradient of out, its places, and the gradient of in.
    assert by_bytes["relu1, norm1, pool1"] == 2 * (before + after) + after + 2 * (before + after + before) + after
    read, made, weights = 2 * 96 * 27 * 27, 2 * 256 * 27 * 27, 96 * 256 * 25 + 256
    assert by_bytes["conv2"] == 2 * (read + made + weights) + 2 * (read + made + 2 * weights + read)


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


def test_pictures_with_values_too_equal_are_drawn_anew(module):
    hold = module("checks").hold
    given = iter([[("a", 5e-3, 3e-3)], [("a", 1e-6, 3e-3)]])
    hold(lambda: next(given))
    assert next(given, None) is None
    with pytest.raises(SystemExit, match=r"a is 5.0e-03 from float64 where 3.0e-03 is allowed"):
        hold(lambda: [("b", 1e-6, 3e-3), ("a", 5e-3, 3e-3)])


def test_the_gpu_benchmark_times_nothing_that_is_wrong(gpu, monkeypatch):
    checks = sys.modules["checks"]
    ours = checks.our_norm
    monkeypatch.setattr(checks, "our_norm", lambda x, relu_and_pool: ours(x, relu_and_pool) * 1.02)
    with pytest.raises(SystemExit, match="nothing was timed"):
        checks.check_norm((2, 6, 7, 7), torch.device("cpu"), torch.float32, images=2)


def test_the_operations_of_training_are_those_of_the_reference_table(module):
    from alexnet.catalogue import PAPER, SINGLE

    contestants = module("contestants")
    assert round(contestants.training_operations(PAPER) / 1e9, 4) == 4.1356
    assert round(contestants.training_operations(SINGLE) / 1e9, 4) == 6.6007


def test_the_rows_sum_up_the_rounds(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from measuring import Row, take_turns

    row = Row.of("a", "images/s", [10.0, 30.0, 20.0], "b", [10.0, 10.0, 10.0], wanted_ratio=2.0)
    assert (row.value, row.rival_value, row.ratio, row.rounds) == (20.0, 10.0, 2.0, 3)
    assert row.spread == row.ratio_spread == 0.5  # quartiles 15 and 25 about 20
    assert row.line().endswith("wanted 2.0: yes")
    less = Row.of("a", "MiB", [10.0, 10.0], "b", [20.0, 30.0], less_is_better=True, note="so")
    assert less.ratio == 2.5
    assert less.line().endswith(" · so")
    turns = []
    rates = take_turns(2, {name: lambda name=name: turns.append(name) or 1 for name in "ab"})
    assert turns == list("ababab")  # the first round warms up
    assert [len(rates[name]) for name in "ab"] == [2, 2]
    turns.clear()
    take_turns(1, {"a": lambda: turns.append("a") or 1}, warm_up=0)
    assert turns == ["a"]


def test_make_bench_runs_what_it_can():
    if (make := shutil.which("make")) is None:
        pytest.skip("there is no make")
    ready = ["-o", ".venv/ready-fast"]  # taken as made

    def told(*options):
        command = [make, "-n", *ready, "bench", *options]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=BENCHMARKS.parent).stdout

    assert "benchmarks/cpu.py --quick\n" in told("BENCH=--quick")
    assert "reading.py" not in told()
    assert "by make bench PHOTOS=FOLDER" in told()
    assert "benchmarks/reading.py 'my photos'\n" in told("PHOTOS=my photos")
    assert "benchmarks/preparation.py 'my photos'\n" in told("PHOTOS=my photos")

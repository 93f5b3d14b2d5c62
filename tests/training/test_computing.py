"""What is chosen for a training is said, and batches come whole and in order whatever is chosen."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from alexnet.data.store import Store
from alexnet.machine import compiled
from alexnet.nn.network import Network, initialise
from alexnet.recipe import Recipe
from alexnet.training import computing
from alexnet.training.computing import Computing, bfloat16_unit, cpu_choices

CPU = torch.device("cpu")
COMPILED = SimpleNamespace(functions=object(), told="compiled for this processor (AVX-512)")


def choices(monkeypatch, processor, library=COMPILED, kept=True, precision="bfloat16"):
    monkeypatch.setattr(compiled, "processor", lambda: processor)
    monkeypatch.setattr(compiled, "library", lambda: library)
    return " · ".join(cpu_choices(Recipe(precision=precision), kept))


def test_the_line_tells_threads_precision_kernels_and_memory(monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        told = choices(monkeypatch, "flags : avx512f avx512_bf16")
    finally:
        torch.set_num_threads(before)
    kernels = "kernels compiled for this processor (AVX-512)"
    assert told == f"CPU, 2 threads · bfloat16 (AVX-512) · {kernels} · memory kept between updates"


def test_the_line_tells_what_is_missing(monkeypatch):
    missing = SimpleNamespace(functions=None, told="no C++ compiler (g++) found")
    told = choices(monkeypatch, "flags : avx2", missing, kept=False)
    assert "no unit for: --precision float32 is quicker" in told
    assert told.endswith("PyTorch's kernels (no C++ compiler (g++) found)")
    assert " float32 · " in choices(monkeypatch, "flags : avx2", missing, precision="float32")


@pytest.mark.parametrize(
    ("flags", "unit"), [("amx_bf16 avx512_bf16", "AMX"), ("avx512_bf16", "AVX-512"), ("bf16", "NEON"), ("avx2", None)]
)
def test_the_processor_is_asked_for_its_bfloat16(monkeypatch, flags, unit):
    monkeypatch.setattr(compiled, "processor", lambda: f"flags : {flags}")
    assert bfloat16_unit() == unit


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_batches_come_whole_and_in_order_and_the_input_is_as_the_layers_compute(
    tiny_store, tiny_network, tiny_recipe, monkeypatch, precision, dtype
):
    monkeypatch.setattr(computing, "keep_memory", lambda: True)  # what is kept stays for all tests after this one
    split, recipe = Store(tiny_store).splits["train"], tiny_recipe.with_changes(precision=precision)
    chosen = Computing(initialise(Network(tiny_network)), recipe, split, CPU, False)
    assert chosen.dtype == dtype
    order = np.random.default_rng(0).permutation(len(split))
    found = list(chosen.batches(order))
    assert np.concatenate([batch.indices for batch in found]).tolist() == order.tolist()
    assert [len(batch.labels) for batch in found] == [16] * 3
    assert "memory kept" in chosen.told

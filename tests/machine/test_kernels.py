"""Kernels are launched as often as asked, on what they can work on; each compiles for a GPU that is not there."""

import re
import subprocess
from typing import no_type_check

import pytest
import torch

from alexnet.data import view_kernels
from alexnet.machine import kernels
from alexnet.machine.kernels import BLOCK, block, kernel, launch, tl, usable
from alexnet.nn import norm_kernels

TRITON = kernels.triton is not None
INTERPRETED = TRITON and kernels.triton.knobs.runtime.interpret
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@kernel
@no_type_check
def count(out, step: tl.constexpr):
    tl.store(out + tl.program_id(0), step)


@pytest.mark.skipif(not usable(torch.empty(0, device=DEVICE)), reason="needs Triton, and a GPU or TRITON_INTERPRET=1")
@pytest.mark.parametrize("programs", [0, 1, 3])
def test_a_kernel_runs_as_many_programs_as_asked(programs):
    out = torch.zeros(4, device=DEVICE)
    launch(count, programs, out, out, step=2)
    assert out.tolist() == [2.0] * programs + [0.0] * (4 - programs)


def test_only_what_kernels_can_work_on_is_usable(monkeypatch):
    assert usable(torch.zeros(1)) == INTERPRETED
    assert not usable(torch.zeros(1, device="meta"))
    monkeypatch.setattr(kernels, "triton", None)
    assert not usable(torch.zeros(1))


@pytest.mark.parametrize(("values", "wanted"), [(1, BLOCK), (BLOCK, BLOCK), (BLOCK + 1, 2 * BLOCK), (3000, 4096)])
def test_a_block_is_a_power_of_two_that_holds_the_values(values, wanted):
    assert block(values) == wanted


NUMBERS = dict.fromkeys(("alpha", "beta", "k"), "fp32")
SIDES = dict.fromkeys(("pixels", "side_y", "side_x", "pooled_y", "pooled_x"), "i32")
WINDOW, NO_WINDOW = {"KERNEL": 3, "STRIDE": 2}, {"KERNEL": 0, "STRIDE": 1}


def norm(function, dtype, maps, **constants):
    """A kernel of response normalisation, what it takes, and what it is compiled for."""
    maps_of_dtype = dict.fromkeys(("x", "y", "g", "dx"), f"*{dtype}") | {"winner": "*u8"}
    base = {"MAPS": maps, "TOWER": maps, "SIZE": 5, "ROOTS": True, "RELU": True, "BLOCK": BLOCK}
    return function, maps_of_dtype | NUMBERS | SIDES, base | constants


def show(dtype, **constants):
    """The kernel of the view, what it takes, and what it is compiled for."""
    floats = dict.fromkeys(("choices", "mean", "middle", "scale"), "*fp32")
    base = {"SIDE": 227, "SOURCE": 256, "PAD": 0, "CHOICES": 7, "IMAGE": True, "MIDDLE": False, "BLOCK": BLOCK}
    return view_kernels._show, floats | {"pictures": "*u8", "out": f"*{dtype}", "values": "i64"}, base | constants


CASES = {
    f"{name}, {dtype}": case
    for dtype in ("bf16", "fp32")
    for name, case in {
        "norm1": norm(norm_kernels._forward, dtype, 96),
        "norm1 in towers": norm(norm_kernels._forward, dtype, 96, TOWER=48, ROOTS=False),
        "norm1 and pool": norm(norm_kernels._forward_pooled, dtype, 96, **WINDOW),
        "norm1 back": norm(norm_kernels._backward, dtype, 96, **NO_WINDOW),
        "norm1 and pool back": norm(norm_kernels._backward, dtype, 96, **WINDOW),
        "norm2 and pool": norm(norm_kernels._forward_pooled, dtype, 256, **WINDOW),
        "norm2 and pool back": norm(norm_kernels._backward, dtype, 256, **WINDOW),
        "view": show(dtype),
        "view padded": show(dtype, PAD=4, IMAGE=False, MIDDLE=True),
    }.items()
}


@pytest.mark.slow
@pytest.mark.skipif(not TRITON or INTERPRETED, reason="needs Triton, not interpreted: make test-kernels")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_compiles_for_a_gpu_of_compute_capability_9_and_spills_next_to_nothing(case, tmp_path):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function, types, constants = case
    names = function.arg_names
    signature = {name: "constexpr" if name in constants else types[name] for name in names}
    aligned = {(names.index(name),): [["tt.divisibility", 16]] for name in names if signature[name].startswith("*")}
    fixed = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=function, signature=signature, constexprs=fixed, attrs=aligned)
    made = kernels.triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": kernels.WARPS})
    binary = tmp_path / "kernel.cubin"
    binary.write_bytes(made.asm["cubin"])
    tool = kernels.triton.knobs.nvidia.cuobjdump.path
    usage = subprocess.run([tool, "-res-usage", str(binary)], capture_output=True, text=True, check=True).stdout
    assert int(re.search(r"STACK:(\d+)", usage)[1]) <= 8  # bytes: none is spilled, or one or two that are seldom used

"""What PyTorch is told about a GPU, and what the user is told, agree."""

import pytest
import torch

from alexnet.recipe import Recipe
from alexnet.training import gpu
from alexnet.training.gpu import choices, settle


@pytest.fixture(autouse=True)
def as_before():
    """Leave PyTorch's settings as they were."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic, matmul.allow_tf32
    yield
    cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic, matmul.allow_tf32 = before


@pytest.mark.parametrize("repeatable", [False, True])
def test_cudnn_times_its_algorithms_only_where_runs_need_not_be_repeatable(repeatable):
    settle(repeatable)
    assert torch.backends.cudnn.benchmark is not repeatable
    assert torch.backends.cudnn.deterministic is repeatable


def test_float32_is_not_shortened():
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    settle(False)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_the_line_says_what_was_chosen(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    monkeypatch.setattr(torch, "empty", lambda *shape, device: None)
    device, recipe = torch.device("cuda"), Recipe(precision="bfloat16")
    monkeypatch.setattr(gpu, "usable", lambda tensor: True)
    assert choices(device, recipe, repeatable=False, resident=True) == (
        "NVIDIA H200: bfloat16, channels last · Triton kernels · a CUDA graph · "
        "cuDNN's fastest algorithms (equal runs may differ) · pictures kept on the GPU"
    )
    monkeypatch.setattr(gpu, "usable", lambda tensor: False)
    large = Recipe(precision="float32", batch_size=1024)
    assert choices(device, large, repeatable=True, resident=False) == (
        "NVIDIA H200: float32 (no TF32), channels last · no Triton, so PyTorch's operations · "
        "no CUDA graph (large batches need none) · cuDNN's repeatable algorithms · pictures copied while it computes"
    )

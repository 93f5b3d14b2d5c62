"""How a GPU computes: what PyTorch is told before training, and the line that says what was chosen."""

import torch

from alexnet.machine.kernels import usable
from alexnet.recipe import Recipe
from alexnet.training.gradients import graph_helps


def settle(repeatable: bool) -> None:
    """Tell PyTorch how a GPU shall compute; on the CPU this changes nothing.

    float32 means float32: the matrix units' shorter form of it (TF32, 10 bits after the point, which PyTorch lets
    convolutions use) is off. Whoever wants them has `precision = "bfloat16"`.

    Args:
        repeatable: Whether equal runs must give equal numbers. Else cuDNN chooses its algorithms by timing them, and
            may choose others the next time.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = not repeatable
    torch.backends.cudnn.deterministic = repeatable


def choices(device: torch.device, recipe: Recipe, repeatable: bool, resident: bool) -> str:
    """Say in a line what was chosen for a GPU.

    Args:
        device: The GPU.
        recipe: Gives precision and batch size.
        repeatable: As it was settled.
        resident: Whether the training pictures are kept on the device.
    """
    low = recipe.precision == "bfloat16"
    told = [
        f"{torch.cuda.get_device_name(device)}: {'bfloat16' if low else 'float32 (no TF32)'}, channels last",
        "Triton kernels" if usable(torch.empty(0, device=device)) else "no Triton, so PyTorch's operations",
        "a CUDA graph" if graph_helps(device, recipe.batch_size) else "no CUDA graph (large batches need none)",
        "cuDNN's repeatable algorithms" if repeatable else "cuDNN's fastest algorithms (equal runs may differ)",
        "pictures kept on the GPU" if resident else "pictures copied while it computes",
    ]
    return " · ".join(told)

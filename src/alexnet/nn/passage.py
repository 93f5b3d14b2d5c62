"""The way through layers: one after another, but a ReLU, a normalisation and a max pool at once where a kernel can."""

from collections.abc import Sequence

from torch import Tensor, nn

from alexnet.layers import Pool
from alexnet.nn.norm_kernels import NOTHING
from alexnet.nn.response_norm import ResponseNorm, one_pass

# What a kernel does at once, in this order; any of them may be missing.
ORDER = (nn.ReLU, ResponseNorm, nn.MaxPool2d)


def through(modules: Sequence[nn.Module], x: Tensor) -> Tensor:
    """Put maps through layers; one with hooks of PyTorch's, forward or backward, is passed by itself: they are called.

    Where no kernel is at hand, this is each layer in its turn.
    """
    place = 0
    while place < len(modules):
        run = at_once(modules[place : place + len(ORDER)])
        norm = next((module.layer for module in run if isinstance(module, ResponseNorm)), NOTHING)
        pool = next((described(module) for module in run if isinstance(module, nn.MaxPool2d)), None)
        kernel = one_pass(x, norm, pool) if len(run) > 1 or pool is not None else None
        if kernel is not None:
            x = kernel(x, norm, isinstance(run[0], nn.ReLU), pool)
            place += len(run)
        else:
            x = modules[place](x)
            place += 1
    return x


def at_once(modules: Sequence[nn.Module]) -> list[nn.Module]:
    """Give those of the first layers that one kernel does."""
    run: list[nn.Module] = []
    places = [next((place for place, kind in enumerate(ORDER) if isinstance(module, kind)), -1) for module in modules]
    for module, place, before in zip(modules, places, [-1, *places], strict=False):
        if place <= before or hooked(module) or (isinstance(module, nn.MaxPool2d) and described(module) is None):
            break
        run.append(module)
    return run


def hooked(module: nn.Module) -> bool:
    """Whether PyTorch calls something when a module is passed, on the way there or back."""
    there = module._forward_hooks or module._forward_pre_hooks
    return bool(there or module._backward_hooks or module._backward_pre_hooks)


def described(module: nn.MaxPool2d) -> Pool | None:
    """Describe a max pool, if it is such as `alexnet.layers` has: square, within its maps."""
    kernel, stride = module.kernel_size, module.stride
    if not isinstance(kernel, int) or not isinstance(stride, int):
        return None
    plain = not module.padding and module.dilation == 1 and not module.return_indices
    return Pool("pool", "max", kernel, stride, module.ceil_mode) if plain else None

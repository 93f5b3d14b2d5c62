"""Notices a loss or a gradient that is not finite, before an update is made of it."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

# Updates between two looks at an accelerator, which has to be waited for; the optimizer there skips them by itself.
LOOK_EVERY = 16


class NotFinite(Exception):
    """A loss or a gradient is NaN or infinite.

    Attributes:
        what: Which.
        value: NaN or infinity.
        batch: Batches of the epoch that updates were made from before.
    """

    def __init__(self, what: str, value: float, batch: int) -> None:
        super().__init__(what, value, batch)
        self.what, self.value, self.batch = what, value, batch


class Guard:
    """Looks at every loss and gradient.

    On the CPU a bad one is told at once. Elsewhere a flag on the device tells PyTorch's fused optimizers to leave the
    weights as they are from the first bad one on, and is itself looked at now and then.
    """

    def __init__(self, parameters: Iterable[Tensor], optimizer: torch.optim.Optimizer) -> None:
        self.parameters = list(parameters)
        device = self.parameters[0].device
        self.every = 1 if device.type == "cpu" else LOOK_EVERY
        self.seen = 0
        # Loss, size of the gradient and batch: the first that are not finite, or the last.
        self.state = torch.zeros(3, dtype=torch.float64, device=device)
        self.bad = torch.zeros((), device=device)
        if self.every > 1:
            optimizer.found_inf = self.bad  # type: ignore[attr-defined]  # what torch's GradScaler sets, too

    @torch.no_grad()
    def watch(self, loss: Tensor, batch: int) -> None:
        """Take in a loss and the gradients that it gave.

        Args:
            loss: Of a batch.
            batch: Batches of the epoch before it.

        Raises:
            NotFinite: If one of them is not finite; elsewhere than on the CPU up to 15 batches later.
        """
        size = get_total_norm(parameter.grad for parameter in self.parameters if parameter.grad is not None)
        if self.every == 1:
            for what, value in (("loss", loss.item()), ("gradient", size.item())):
                if not -torch.inf < value < torch.inf:
                    raise NotFinite(what, value, batch)
            return
        now = torch.stack([loss.detach(), size, torch.full_like(size, batch)]).double()
        torch.where(self.bad > 0, self.state, now, out=self.state)
        self.bad.copy_(~self.state.isfinite().all())
        self.seen += 1
        if self.seen % self.every == 0:
            self.look()

    def look(self) -> None:
        """Look at the flag on the device.

        Raises:
            NotFinite: If a loss or a gradient was not finite.
        """
        if self.bad.item():
            loss, size, batch = self.state.tolist()
            what, value = ("gradient", size) if -torch.inf < loss < torch.inf else ("loss", loss)
            raise NotFinite(what, value, int(batch))

"""Loss and hits of the pictures so far."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Tally:
    """Sums over pictures so far, kept on the device so that no step waits for them."""

    loss: Tensor
    hits: Tensor
    images: int = 0
    seconds: float = 0.0

    @staticmethod
    def zero(device: torch.device) -> "Tally":
        """Begin."""
        return Tally(
            torch.zeros((), dtype=torch.float64, device=device), torch.zeros((), dtype=torch.int64, device=device)
        )

    def add(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Count a batch."""
        self.loss += loss.detach() * len(labels)
        self.hits += (scores.detach().argmax(1) == labels).sum()
        self.images += len(labels)

    def figures(self) -> tuple[float, float]:
        """Give mean loss and top-1 so far."""
        return self.loss.item() / max(self.images, 1), self.hits.item() / max(self.images, 1)

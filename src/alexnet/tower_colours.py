"""How the towers share out colour: a number for Figure 3, of which the paper says it comes in every run (§6.1).

The kernels on one GPU are largely colour-agnostic, those on the other largely colour-specific, and the paper shows a
picture of it; here the difference is measured, and set against divisions of the same kernels by lot.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DIVISIONS = 9_999
SEED = 0


@dataclass(frozen=True)
class Division:
    """How colourful the kernels of each tower are.

    Attributes:
        means: Mean colourfulness of each tower's kernels.
        spread: The greatest mean less the least.
        usual: Median of the same over divisions by lot.
        chance: Share of divisions by lot (this one counted among them) whose spread is as great: a p-value.
    """

    means: tuple[float, ...]
    spread: float
    usual: float
    chance: float


def colourfulness(kernels: Float[np.ndarray, "n 3 k k"]) -> Float[np.ndarray, "n"]:
    """Give the share of each kernel's energy that is not alike in red, green and blue; 0 for a kernel of zeros.

    A kernel of greys has 0; one whose weights cancel over the colours everywhere has 1. The scale of a kernel changes
    nothing, so that dead kernels of a start and loud ones count alike.
    """
    grey = kernels.mean(axis=1, keepdims=True)
    colour = np.square(kernels - grey).sum(axis=(1, 2, 3), dtype=np.float64)
    energy = np.square(kernels).sum(axis=(1, 2, 3), dtype=np.float64)
    return np.divide(colour, energy, out=np.zeros_like(colour), where=energy > 0)


def divide(kernels: Float[np.ndarray, "n 3 k k"], towers: int, divisions: int = DIVISIONS) -> Division:
    """Compare the towers' colourfulness with that of equally large parts that are drawn by lot.

    Args:
        kernels: Weights of conv1, tower after tower.
        towers: How many there are, two or more; they divide the kernels evenly.
        divisions: Draws.
    """
    values = colourfulness(kernels)
    means = values.reshape(towers, -1).mean(1)
    lots = np.random.default_rng(SEED)
    drawn = lots.permuted(np.broadcast_to(values, (divisions, len(values))), axis=1).reshape(divisions, towers, -1)
    spreads = np.ptp(drawn.mean(2), axis=1)
    # Sums in another order differ in their last digits.
    as_great = np.count_nonzero(spreads >= np.ptp(means) - 1e-9)
    chance = (1 + as_great) / (1 + divisions)
    return Division(tuple(means.tolist()), float(np.ptp(means)), float(np.median(spreads)), float(chance))


def told(division: Division) -> str:
    """Say it in a sentence."""
    means = " · ".join(f"tower {number} {mean:.1%}" for number, mean in enumerate(division.means, start=1))
    return (
        f"Colour's share of the kernels' energy (§6.1): {means}. They differ by {division.spread:.1%}; equal parts "
        f"drawn by lot differ by {division.usual:.1%} in the median, and as much as here with probability "
        f"{division.chance:.4f}."
    )

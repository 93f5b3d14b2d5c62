"""Statistics of the training part, added up picture by picture in integers: exact, whatever the order (§2, §4.1)."""

from dataclasses import dataclass, field
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from alexnet.data.store import Statistics

MOST_IN_16_BITS = 257  # pictures: 257 · 255 = 2**16 - 1
PIECE = 24_000  # values: 8,000 pixels, too few for BLAS to divide a product between threads of its own


def _products(pixels: UInt8[np.ndarray, "n side side 3"]) -> Int64[np.ndarray, "3 3"]:
    """Sum R·R, R·G, … over all pixels: in float64, which holds every integer below 2**53 (1.4e11 pixels) exactly.

    Channel by channel, in pieces that stay in the cache: three times as fast as a product of matrices.
    """
    total = np.zeros((3, 3), np.int64)
    for piece in np.array_split(pixels.reshape(-1, 3), max(1, pixels.size // PIECE)):
        channels = np.ascontiguousarray(piece.T).astype(np.float64)
        for i, j in combinations_with_replacement(range(3), 2):
            total[i, j] += int(channels[i] @ channels[j])
    return total + np.triu(total, 1).T


@dataclass
class Totals:
    """Sums over pictures of one side.

    Attributes:
        side: Of the pictures.
        images: How many were added.
        pixels: Their sum, pixel by pixel.
        products: Sum of the products of each two channels, over all pixels.
    """

    side: int
    images: int = 0
    pixels: Int64[np.ndarray, "side side 3"] = field(init=False)
    products: Int64[np.ndarray, "3 3"] = field(init=False)

    def __post_init__(self) -> None:
        self.pixels = np.zeros((self.side, self.side, 3), np.int64)
        self.products = np.zeros((3, 3), np.int64)

    def add(self, images: UInt8[np.ndarray, "n side side 3"]) -> None:
        """Add pictures."""
        self.images += len(images)
        for some in np.array_split(images, len(images) // MOST_IN_16_BITS + 1):
            self.pixels += some.sum(0, dtype=np.uint16)
        self.products += _products(images)

    def merge(self, other: "Totals") -> None:
        """Add the pictures of other totals."""
        self.images += other.images
        self.pixels += other.pixels
        self.products += other.products

    def covariance(self) -> Float64[np.ndarray, "3 3"]:
        """Covariance of the RGB values over all pixels; Python's integers, so that nothing cancels."""
        n = self.images * self.side**2
        sums = [int(value) for value in self.pixels.sum((0, 1))]
        rows = [[(n * int(self.products[i, j]) - sums[i] * sums[j]) / n**2 for j in range(3)] for i in range(3)]
        return np.array(rows)

    def statistics(self) -> Statistics:
        """Finish; at least one picture must have been added."""
        mean_image = self.pixels / self.images
        covariance = self.covariance()
        variances, axes = np.linalg.eigh(covariance)
        variances, axes = variances[::-1].clip(0), axes[:, ::-1]
        largest = axes[np.abs(axes).argmax(0), range(3)]
        return Statistics(
            mean_image=mean_image.astype(np.float32),
            mean=self.pixels.sum((0, 1)) / (self.images * self.side**2),
            deviation=np.sqrt(np.diag(covariance)),
            colour_deviations=np.sqrt(variances),
            colour_axes=np.ascontiguousarray(axes * np.sign(largest)),
        )

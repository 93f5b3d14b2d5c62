"""Statistics of the training part, added up picture by picture in integers: exact, whatever the order (§2, §4.1)."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from alexnet.data.store import Statistics

MOST_IN_16_BITS = 257  # pictures: 257 · 255 = 2**16 - 1
MOST_IN_24_BITS = 256  # rows: 256 · 255² < 2**24


def _products(pixels: UInt8[np.ndarray, "n side side 3"]) -> Int64[np.ndarray, "3 3"]:
    """Sum R·R, R·G, … over all pixels, exactly.

    Rows of pictures, multiplied by themselves one and two places aside, are added up in float32, which holds every
    integer below 2**24: three times as fast as a product of matrices in float64, and on one core.
    """
    total = np.zeros((3, 3), np.int64)
    rows = pixels.reshape(-1, pixels.shape[2] * 3)
    for start in range(0, len(rows), MOST_IN_24_BITS):
        values = rows[start : start + MOST_IN_24_BITS].astype(np.float32)
        for aside in range(3):
            sums = np.einsum("rc,rc->c", values[:, : values.shape[1] - aside], values[:, aside:])
            for channel in range(3 - aside):  # the others pair a channel with one of the next pixel
                total[channel, channel + aside] += int(sums[channel::3].sum(dtype=np.float64))
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

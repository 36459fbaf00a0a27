"""y += alpha * x: the smallest useful kernel. Its speed is that of the memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Item, ItemMut, f32, kernel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Work, main

ALPHA = 0.5


@kernel
def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
    y += alpha * x


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` elements."""
    rng = np.random.default_rng(0)
    x, y = rng.random(size, np.float32), rng.random(size, np.float32)
    x_buffer = Buffer.from_numpy(x, device)
    y_buffer = Buffer.from_numpy(y.copy(), device)  # on the host a buffer is its array's memory

    def check() -> None:
        # A product and a sum of positive numbers, each rounded to f32 (2**-24), or both at once.
        np.testing.assert_allclose(y_buffer.numpy(), y + ALPHA * x.astype(np.float64), rtol=2**-23)

    yield Work("saxpy", lambda: saxpy(ALPHA, x_buffer, y_buffer), check, 3 * x.nbytes / 1e9, "GB")


if __name__ == "__main__":
    main(example, size=1 << 24)

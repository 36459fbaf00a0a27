"""The Mandelbrot set: how many times z = z * z + c can be done before |z| exceeds 2. Writes a picture."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, Out, f32, files, i32, kernel
from krnlpy.dsl import global_id

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.kernels._common import Array, Work, main

LIMIT = 200
CENTRE, HEIGHT = (-0.7, 0.0), 2.7  # of what is shown; it is as wide as high


@kernel(threads=(16, 16))
def mandelbrot(left: f32, top: f32, pixel: f32, counts: Out[i32, 2]) -> None:
    row, column = global_id(1), global_id(0)
    if row < counts.shape[0] and column < counts.shape[1]:
        re, im = left + pixel * column, top - pixel * row
        x, y = 0.0, 0.0
        count = 0
        while count < LIMIT and x * x + y * y <= 4.0:
            x, y = x * x - y * y + re, 2 * x * y + im
            count += 1
        counts[row, column] = count


def escape_counts(size: int, left: float, top: float, pixel: float) -> Array:
    """The same in NumPy, all pixels together."""
    ids = np.arange(size, dtype=np.float32)
    re, im = np.float32(left) + np.float32(pixel) * ids, (np.float32(top) - np.float32(pixel) * ids)[:, None]
    x, y = np.zeros((2, size, size), np.float32)
    counts = np.zeros((size, size), np.int32)
    for _ in range(LIMIT):
        inside = x * x + y * y <= 4
        counts += inside
        x, y = np.where(inside, x * x - y * y + re, x), np.where(inside, 2 * x * y + im, y)
    return counts


def picture_of(counts: Array) -> Array:
    """Colours: the set is black, what is near it bright."""
    level = np.log1p(counts) / np.log1p(LIMIT)
    colours = np.stack([level, level**2, 0.4 * level + 0.6 * level**6], -1)
    return np.where(counts[..., None] < LIMIT, 255 * colours, 0).astype(np.uint8)


def example(device: Device, size: int, picture: Path | None = None) -> Iterator[Work]:
    """A picture of ``size`` by ``size`` pixels."""
    pixel = HEIGHT / size
    left, top = CENTRE[0] - HEIGHT / 2, CENTRE[1] + HEIGHT / 2
    counts = Buffer.empty((size, size), i32, device)
    launch = mandelbrot.with_global_threads(size, size)

    def check() -> None:
        # The language defines each operation to the last bit, and so does NumPy.
        np.testing.assert_array_equal(counts.numpy(), escape_counts(size, left, top, pixel))
        if picture is not None:
            from PIL import Image

            picture.parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()
            Image.fromarray(picture_of(counts.numpy())).save(content, "PNG")
            files.write(picture, content.getvalue())

    yield Work("mandelbrot", lambda: launch(left, top, pixel, counts), check, size * size / 1e6, "Mpixel")


if __name__ == "__main__":
    main(example, size=1024, picture=Path("runs/mandelbrot.png"))

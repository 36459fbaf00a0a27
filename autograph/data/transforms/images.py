"""What transforms of images share: which part of a batch they change, what they draw, kernels over rows of pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.checks import is_number, per_axis
from autograph.functions.launch import MAX_PASSES, grid_stride, max_passes, split_rows, threads_per_row
from autograph.random.continuous import uniform
from autograph.random.generator import Generator, require_generator
from autograph.tensor.base import TensorBase
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer


def on_images(name: str, batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The batch with its images changed: it is these, or a tuple of which they are the first.

    Raises:
        ShapeError: the images are not of shape ``[n, c, h, w]``.
        DtypeError: they are no tensor.
    """

    def checked(images: Tensor) -> Tensor:
        if images.ndim != 4:
            hint = "; ChannelsFirst before it makes them" if images.ndim == 3 else ""
            raise ShapeError(f"{name} takes images of shape [n, c, h, w], not {images.shape}{hint}")
        return change(images)

    return on_first(name, batch, checked)


def on_first(name: str, batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The batch with its images changed, whatever their shape.

    Raises:
        DtypeError: they are no tensor.
    """
    if isinstance(batch, tuple) and batch:
        items = [on_first(name, batch[0], change), *batch[1:]]
        return type(batch)(*items) if hasattr(batch, "_fields") else tuple(items)
    if not isinstance(batch, TensorBase):
        raise DtypeError(
            f"{name} takes images as a tensor, or a tuple of which they are the first, not {type(batch).__name__}; of a"
            ' dict, a function can hand it those: {**batch, "image": transform(batch["image"])}'
        )
    return change(batch.detach())


def size_of(name: str, size: Any) -> tuple[int, int]:
    """A height and a width, given as a number or a pair."""
    height, width = per_axis(f"{name}(size)", size, 1, 2)
    return height, width


def within(name: str, value: Any, least: float, most: float) -> float:
    """A number that must lie between two.

    Raises:
        AutographError: it does not.
    """
    if not is_number(value) or isinstance(value, bool) or not least <= value <= most:
        raise AutographError(f"{name}={value!r}: expected a number from {least:g} to {most:g}")
    return float(value)


def span(name: str, value: Any, least: float, most: float) -> tuple[float, float]:
    """Two numbers in ascending order.

    Raises:
        AutographError: they are none.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise AutographError(f"{name}={value!r}: expected a pair of numbers")
    low, high = (within(name, number, least, most) for number in value)
    if low > high:
        raise AutographError(f"{name}={value!r}: expected numbers in ascending order")
    return low, high


def draw(name: str, generator: Generator | None, *shape: int) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1) on the host, where they decide what a device does: the same for every device."""
    return uniform(require_generator(name, generator), shape).numpy().astype(np.float64)


def over_rows(kernel: Any, images: Tensor, table: npt.NDArray[Any], size: tuple[int, int], *numbers: Any) -> Tensor:
    """Images of another size that a kernel makes of these and of a table with a row for each of them.

    Args:
        kernel: of images, table, result and the numbers; LANES is how many threads share a row of pixels.
        images: ``[n, c, h, w]``.
        table: ``[n, k]``.
        size: of the result.
        *numbers: for the kernel.
    """
    out = Buffer.empty((*images.shape[:2], *size), images.dtype, images.device)
    if out.size:
        rows = Buffer.from_numpy(table, images.device)
        for start in range(0, images.shape[1], MAX_PASSES):  # a thread has a row of all channels
            part = slice(None), slice(start, start + MAX_PASSES)
            for x, numbered, y in split_rows(images.buffer[part], rows, out[part]):
                _launch(kernel, x, numbered, y, numbers)
    return images.result(out)


def _launch(kernel: Any, x: Buffer, table: Buffer, out: Buffer, numbers: tuple[Any, ...]) -> None:
    n, channels, height, width = out.shape
    lanes = min(width, max(threads_per_row(out.device), -(-width * channels // max_passes(out.device))))
    passes = channels * -(-width // lanes)
    grid_stride(_specialized(kernel, lanes), n * height * lanes, passes)(x, table, out, *numbers)


@lru_cache(maxsize=64)
def _specialized(kernel: Any, lanes: int) -> Any:
    return kernel.specialize(LANES=lanes)

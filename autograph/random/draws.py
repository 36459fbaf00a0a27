"""Tensors of random numbers, made of functions from a key and the number of a block to the numbers of that block."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import isfinite, prod
from numbers import Real
from typing import Any, Literal

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.checks import integers
from autograph.functions.launch import grid_stride, split_rows
from autograph.functions.type_variables import T, U, W
from autograph.tensor.base import Shape
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Device, DTypeLike, Out, ScalarType, Spec, i32, kernel, scalar_type, u32
from krnlpy.dsl import global_id, global_threads

from .generator import Generator

Numbers = Callable[..., Any]
"""A ``@func`` of seed, block, stream and two numbers to the numbers of the block, as a tuple."""

RUN = 64
"""Blocks in a group. All their first numbers come first, then all second ones: so that the host makes vectors of blocks
and neighbouring threads store to neighbouring places, and an element's place still says which number it is."""


@lru_cache
def _filling(numbers: Numbers, count: int) -> Any:
    """The kernel that stores the ``count`` numbers of each block."""

    @kernel(unchecked=True)
    def draw(
        out: Out[T, Literal[3]], seed: u32, stream: u32, first: u32, low: W, high: U, BLOCKS: Spec[i32] = 1
    ) -> None:
        """A thread has as many blocks of a group."""
        pieces = RUN // BLOCKS
        for item in range(global_id(), out.shape[0] * pieces, global_threads()):
            group = item // pieces
            begin = item % pieces * BLOCKS
            for k in range(begin, begin + BLOCKS):
                block = first + u32(group * RUN + k)
                for j, number in enumerate(numbers(seed, block, stream, low, high)):
                    out[group, j, k] = T(number)

    return draw


def drawn(
    numbers: Numbers,
    count: int,
    generator: Generator,
    shape: Shape,
    dtype: DTypeLike,
    device: Device | None,
    low: Any,
    high: Any,
) -> Tensor:
    """A tensor of random numbers.

    Args:
        numbers: from seed, block, stream, low and high to a tuple.
        count: of the numbers in it.
        generator: of which this is a draw.
        shape: of the tensor.
        dtype: of the tensor.
        device: None is the host.
        low: a number for the function, as kernels take it.
        high: another one.
    """
    size = prod(shape)
    groups = -(-size // (RUN * count))
    out = Buffer.empty((groups, count, RUN), dtype, device)
    seed, stream = generator.key()
    first = 0
    for (part,) in split_rows(out) if size else ():
        fill(_filling(numbers, count), part.shape[0], part.device)(part, seed, stream, first, low, high)
        first += part.shape[0] * RUN
    return Tensor(out.reshape(-1)[:size].reshape(shape))


def fill(kernel: Any, groups: int, device: Device) -> Any:
    """A kernel over groups of blocks, of which a thread has a whole one on CPUs, else a block."""
    blocks = blocks_of_thread(device)
    return grid_stride(_specialized(kernel, blocks), groups * (RUN // blocks), blocks)


def blocks_of_thread(device: Device) -> int:
    """How many blocks of a group a thread has: all where it makes vectors of them."""
    return RUN if device.is_host else 1


@lru_cache
def _specialized(kernel: Any, blocks: int) -> Any:
    return kernel.specialize(BLOCKS=blocks)


def shape_of(operation: str, shape: Any) -> Shape:
    """A shape that was given as an int or a sequence.

    Raises:
        ShapeError: it is none.
    """
    lengths = integers((shape,))
    if any(n < 0 for n in lengths):
        raise ShapeError(f"{operation} of shape {shape!r}: lengths are at least 0")
    return lengths


def float_type(operation: str, dtype: DTypeLike) -> ScalarType:
    """The scalar type, which must be of floats.

    Raises:
        DtypeError: it is another.
    """
    result = scalar_type(dtype)
    if not result.is_float:
        raise DtypeError(f"{operation} gives floats, not {result}; for integers there is random.integers")
    return result


def require_finite(operation: str, **numbers: Any) -> None:
    """All must be finite real numbers."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
            raise AutographError(f"{operation}({name}={value!r}): expected a finite number")

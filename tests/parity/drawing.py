"""What a trial draws: shapes, numbers, and how they lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph import Tensor
from krnlpy import Device, ScalarType

Array = np.ndarray[Any, Any]
Random = np.random.Generator
Shape = tuple[int, ...]

_LENGTHS = (0, 1, 1, 2, 3, 4, 5, 7, 8, 17)
_SPECIAL = (0.0, -0.0, float("nan"), float("inf"), float("-inf"))


def shape(random: Random, least: int = 0, most: int = 4) -> Shape:
    """Mostly small ones; one in eight has a long axis, of more elements than a group has threads."""
    drawn = [int(random.choice(_LENGTHS)) for _ in range(random.integers(least, most + 1))]
    if drawn and random.random() < 0.125:
        drawn[random.integers(len(drawn))] = int(random.integers(100, 1500 if len(drawn) < 3 else 200))
    return tuple(drawn)


def broadcasting(random: Random, whole: Shape) -> Shape:
    """A shape that broadcasts to another."""
    kept = whole[random.integers(len(whole) + 1) :] if random.random() < 0.3 else whole
    return tuple(1 if random.random() < 0.25 else n for n in kept)


def axis(random: Random, ndim: int) -> int:
    """One of so many axes, counted from either end."""
    return int(random.integers(-ndim, ndim))


def axes(random: Random, ndim: int) -> Any:
    """An axis, several, or None."""
    if ndim == 0 or random.random() < 0.25:
        return None
    if random.random() < 0.6:
        return axis(random, ndim)
    chosen = random.permutation(ndim)[: random.integers(1, ndim + 1)]
    return tuple(int(a) - (ndim if random.random() < 0.3 else 0) for a in chosen)


def numbers(random: Random, shape: Shape, dtype: ScalarType, low: float, high: float, *, special: bool) -> Array:
    """Numbers of an interval as the dtype holds them; some of them zeros, infinities and NaN if these are wanted."""
    if dtype.kind == "bool":
        return random.random(shape) < 0.5
    if dtype.is_integer:
        ends = max(dtype.min, int(low)), min(dtype.max, int(high))
        return random.integers(*ends, shape, endpoint=True).astype(dtype.dtype)
    drawn = random.uniform(low, high, shape)
    if special:
        drawn = np.where(random.random(shape) < 0.3, random.choice(_SPECIAL, shape), drawn)
    return drawn.astype(dtype.dtype)


def off_whole_numbers(array: Array) -> Array:
    """The numbers, those next to whole ones moved away from these: there, slopes are a matter of convention."""
    whole = np.round(array.astype(np.float64))
    return np.where(np.abs(array - whole) < 0.1, whole + 0.25, array).astype(array.dtype)


def laid_out(random: Random, array: Array, device: Device) -> tuple[Array, Tensor]:
    """A tensor of an array's elements: contiguous, or with axes in another order, gaps, reversed or repeated ones.
    Where an axis is repeated, so are the elements of the array that is returned."""
    if array.ndim == 0 or random.random() < 0.4:
        return array, Tensor.from_numpy(array, device)
    order = tuple(map(int, random.permutation(array.ndim)))
    steps = [int(random.choice((1, 1, 2, 3, -1, -2))) for _ in order]
    repeated = [n > 1 and random.random() < 0.1 for n in array.shape]
    whole = array.shape
    array = array[tuple(slice(0, 1) if r else slice(None) for r in repeated)]
    lengths = [1 if r else n * abs(step) for n, step, r in zip(array.shape, steps, repeated, strict=True)]
    places = tuple(slice(None) if r else slice(None, None, step) for step, r in zip(steps, repeated, strict=True))
    memory = np.zeros(lengths, array.dtype)
    memory[places] = array
    tensor = Tensor.from_numpy(np.ascontiguousarray(memory.transpose(order)), device)
    inverse = tuple(order.index(a) for a in range(array.ndim))
    tensor = tensor.transpose(inverse)[places]
    return np.broadcast_to(array, whole), tensor.broadcast_to(whole)

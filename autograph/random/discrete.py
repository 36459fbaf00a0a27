"""Truth values, whole numbers, orders and classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.elementwise.arithmetic import add
from autograph.functions.elementwise.comparisons import less
from autograph.functions.indexing.along_axes import take
from autograph.functions.reducers.reducer import axes_of
from autograph.functions.reductions.aggregates import argmax
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import Shape, TensorBase, require_tensor
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, func, i32, scalar_type, u64
from krnlpy.dsl import mul_hi, philox

from .continuous import gumbel, uniform
from .draws import drawn, require_finite, shape_of
from .generator import Generator, require_generator


@func
def _below(word: Any, count: Any, seed: Any, element: Any, stream: Any) -> Any:
    """A number below ``count`` (0 stands for all), each equally likely: the high half of a product, drawn again where
    its low half says that this number would have one word more than others (D. Lemire, "Fast Random Integer Generation
    in an Interval", 2019)."""
    if count == 0:
        return word
    low = word * count
    if low < count:
        least = (type(count)(0) - count) % count
        while low < least:
            stream += 1
            words = philox(seed, element, stream)
            word = _joined(words.x, words.y, count)
            low = word * count
    return mul_hi(word, count)


@func
def _joined(low: Any, high: Any, like: Any) -> Any:
    """A number of 32 or 64 bits, as another."""
    if type(like) is u64:
        return u64(low) | (u64(high) << 32)
    return low


@func
def _integers(seed: Any, block: Any, stream: Any, low: Any, count: Any) -> Any:
    words = philox(seed, block, stream)
    x = _below(words.x, count, seed, 4 * block, stream)
    y = _below(words.y, count, seed, 4 * block + 1, stream)
    z = _below(words.z, count, seed, 4 * block + 2, stream)
    w = _below(words.w, count, seed, 4 * block + 3, stream)
    return low + type(low)(x), low + type(low)(y), low + type(low)(z), low + type(low)(w)


@func
def _integers64(seed: Any, block: Any, stream: Any, low: Any, count: Any) -> Any:
    words = philox(seed, block, stream)
    x = _below(_joined(words.x, words.y, count), count, seed, 2 * block, stream)
    y = _below(_joined(words.z, words.w, count), count, seed, 2 * block + 1, stream)
    return low + type(low)(x), low + type(low)(y)


def integers(
    generator: Generator,
    shape: int | Shape,
    *,
    low: int = 0,
    high: int,
    dtype: DTypeLike = i32,
    device: Device | None = None,
) -> Tensor:
    """Whole numbers from ``low`` to ``high - 1``, all exactly equally likely; the same on every device.

    Args:
        generator: of which this is a draw.
        shape: an int, or the lengths of the axes.
        low: the least number.
        high: one more than the greatest; above ``low``.
        dtype: of any integer type that holds both.
        device: None is the host.

    Raises:
        AutographError: ``generator`` is none, or the bounds are not whole numbers in ascending order.
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not of integers, or does not hold the bounds.

    >>> from autograph import random
    >>> random.integers(random.Generator(0), 8, low=1, high=7).numpy().tolist()
    [5, 6, 5, 5, 4, 2, 5, 1]
    """
    of = require_generator("integers", generator)
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise AutographError(f"integers({name}={value!r}): expected a whole number")
    low, high = int(low), int(high)
    if low >= high:
        raise AutographError(f"integers from {low} to {high - 1}: expected high above low")
    result = scalar_type(dtype)
    if not result.is_integer or low < result.min or high - 1 > result.max:
        raise DtypeError(f"integers from {low} to {high - 1} as {result}: expected an integer type that holds them")
    first = accumulator(result).dtype.type(low)
    lengths, count = shape_of("integers", shape), high - low
    if count <= 1 << 32:
        return drawn(_integers, 4, of, lengths, result, device, first, np.uint32(count & 0xFFFFFFFF))
    return drawn(_integers64, 2, of, lengths, result, device, first, np.uint64(count & 0xFFFFFFFFFFFFFFFF))


def bernoulli(
    generator: Generator, probability: float | Tensor, shape: int | Shape | None = None, *, device: Device | None = None
) -> Tensor:
    """Truth values that are true with a probability, to within ``2**-24``; the same on every device.

    Args:
        generator: of which this is a draw.
        probability: from 0 to 1; or a tensor of probabilities, whose shape and device the result has.
        shape: an int, or the lengths of the axes; of the result, where the probability is a number.
        device: None is the host.

    Raises:
        AutographError: ``generator`` is none; the probability is not from 0 to 1 (elements of a tensor are not looked
            at); or a shape or device is given beside a tensor, or no shape beside a number.
        ShapeError: ``shape`` is not a shape.
        DtypeError: the tensor is not of floats.

    >>> from autograph import Tensor, random
    >>> random.bernoulli(random.Generator(0), 0.5, 6).numpy().tolist()
    [False, False, False, False, False, True]
    >>> random.bernoulli(random.Generator(0), Tensor.from_numpy([0.0, 1.0])).numpy().tolist()
    [False, True]
    """
    of = require_generator("bernoulli", generator)
    if isinstance(probability, TensorBase):
        if shape is not None or device is not None:
            raise AutographError("bernoulli of a tensor of probabilities has its shape and its device")
        if not probability.dtype.is_float:
            raise DtypeError(f"bernoulli takes probabilities as floats, not {probability.dtype}")
        dtype = probability.dtype.compute
        result: Tensor = less(
            uniform(of, probability.shape, dtype=dtype, device=probability.device), probability.detach()
        )
        return result
    require_finite("bernoulli", probability=probability)
    if not 0 <= probability <= 1 or shape is None:
        raise AutographError(f"bernoulli({probability!r}, {shape!r}): expected a number from 0 to 1, and a shape")
    truths: Tensor = less(uniform(of, shape, device=device), probability)
    return truths


def categorical(generator: Generator, logits: Tensor, shape: int | Shape = (), *, axis: int = -1) -> Tensor:
    """Classes drawn with probabilities in the ratios of ``exp(logits)``: of probabilities, hand over their logarithm.

    The method adds numbers of Gumbel's distribution and takes the greatest sum (C. J. Maddison, D. Tarlow, T. Minka,
    "A* Sampling", 2014, section 2). Another device's logarithm may decide otherwise where two sums differ by less than
    some units in the last place.

    Args:
        generator: of which this is a draw.
        logits: any shape, of floats; ``-inf`` is never drawn.
        shape: how many samples of each, as an int or the lengths of axes.
        axis: that of the classes; counted from the end if negative.

    Returns:
        i32 of the shape ``(*shape, *logits.shape without axis)``.

    Raises:
        AutographError: ``generator`` is none.
        ShapeError: there is no such axis, there are no classes, or ``shape`` is not a shape.
        DtypeError: ``logits`` are not a tensor of floats.

    >>> from autograph import Tensor, random
    >>> logits = Tensor.from_numpy([[0.0, 0.0, -float("inf")], [100.0, 0.0, 0.0]])
    >>> random.categorical(random.Generator(0), logits, 3).numpy().tolist()
    [[0, 0], [1, 0], [1, 0]]
    """
    of = require_generator("categorical", generator)
    require_tensor("categorical", logits)
    if not logits.dtype.is_float:
        raise DtypeError(f"categorical takes logits as floats, not {logits.dtype}; of probabilities, their logarithm")
    axes = axes_of("categorical", logits, axis)
    if len(axes) != 1:
        raise ShapeError(f"categorical over axis={axis!r}: expected one axis")
    samples = shape_of("categorical", shape)
    noise = gumbel(of, (*samples, *logits.shape), dtype=logits.dtype.compute, device=logits.device)
    return argmax(add(logits.detach(), noise), len(samples) + axes[0])


def permutation(
    generator: Generator,
    x: int | Tensor,
    *,
    axis: int = 0,
    dtype: DTypeLike | None = None,
    device: Device | None = None,
) -> Tensor:
    """The numbers from 0 to ``x - 1``, or what lies along an axis of a tensor, in a random order.

    All orders are equally likely, and the same on every device. Each place becomes the lower bits of a key of 64 bits
    whose others are random; the keys are sorted, on the host.

    Args:
        generator: of which this is a draw.
        x: how many numbers, at least 0; or a tensor.
        axis: of a tensor, whose parts stay whole; counted from the end if negative.
        dtype: of the numbers, any integer type that holds them; None is i32.
        device: of the numbers; None is the host.

    Raises:
        AutographError: ``generator`` is none, ``x`` is neither, or a dtype or device is given beside a tensor.
        ShapeError: the tensor has no such axis.
        DtypeError: ``dtype`` is not of integers, or does not hold the numbers.

    >>> from autograph import Tensor, random
    >>> random.permutation(random.Generator(0), 5).numpy().tolist()
    [2, 3, 4, 1, 0]
    >>> random.permutation(random.Generator(0), Tensor.from_numpy([[1, 2, 3], [4, 5, 6]]), axis=1).numpy().tolist()
    [[3, 2, 1], [6, 5, 4]]
    """
    of = require_generator("permutation", generator)
    if isinstance(x, TensorBase):
        if dtype is not None or device is not None:
            raise AutographError("permutation of a tensor has its dtype and its device")
        axes = axes_of("permutation", x, axis)
        if len(axes) != 1:
            raise ShapeError(f"permutation along axis={axis!r}: expected one axis")
        order = _order(of, x.shape[axes[0]])
        return take(x, Tensor.from_numpy(order.astype(np.int32), x.device), axes[0])
    if isinstance(x, bool) or not isinstance(x, int | np.integer) or x < 0:
        raise AutographError(f"permutation of {x!r}: expected a tensor, or a whole number of at least 0")
    result = scalar_type(i32 if dtype is None else dtype)
    if not result.is_integer or x - 1 > result.max:
        raise DtypeError(f"permutation of {x} numbers as {result}: expected an integer type that holds them")
    return Tensor.from_numpy(_order(of, int(x)).astype(result.dtype), device)


def _order(generator: Generator, n: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    places = np.uint64((1 << max(0, n - 1).bit_length()) - 1)
    keys = integers(generator, n, high=1 << 64, dtype=u64).numpy() & ~places | np.arange(n, dtype=np.uint64)
    keys.sort()
    order: np.ndarray[Any, np.dtype[np.uint64]] = keys & places
    return order

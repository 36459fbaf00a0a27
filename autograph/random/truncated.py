"""Normal numbers between bounds, by rejection: with probabilities that are right however far out the bounds lie."""

from __future__ import annotations

from math import erfc, sqrt
from typing import Any

from autograph.errors import AutographError
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.type_variables import number_for
from autograph.tensor.base import Shape
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32, func, scalar_type
from krnlpy.dsl import random_normal, random_normal4, random_uniform4

from .continuous import checked
from .draws import Numbers, drawn
from .generator import Generator

_LIKELY = 0.25
"""Where bounds hold this share of all normal numbers, these are drawn until one lies between the bounds."""


@func
def _half_square(x: Any, y: Any) -> Any:
    """An exponential number."""
    return 0.5 * (x * x + y * y)


@func
def _again(x: Any, seed: Any, element: Any, stream: Any, low: Any, high: Any) -> Any:
    while x < low or x > high:
        stream += 1
        x = random_normal(seed, element, stream)
    return x


@func
def _of_normal(seed: Any, block: Any, stream: Any, low: Any, high: Any) -> Any:
    z = random_normal4(seed, block, stream)
    x, y = _again(z.x, seed, 4 * block, stream, low, high), _again(z.y, seed, 4 * block + 1, stream, low, high)
    return (
        x,
        y,
        _again(z.z, seed, 4 * block + 2, stream, low, high),
        _again(z.w, seed, 4 * block + 3, stream, low, high),
    )


@func
def _of_uniform(seed: Any, element: Any, stream: Any, low: Any, high: Any) -> Any:
    """Accepted by the density relative to its greatest value, which it has nearest to 0."""
    top = max(low, 0.0) if high > 0.0 else high
    x, found = low, False
    while not found:
        x = min(low + (high - low) * random_uniform4(seed, element, stream).x, high)
        z = random_normal4(seed, element, stream + 1)
        found = 2.0 * _half_square(z.x, z.y) > (x - top) * (x + top)
        stream += 2
    return (x,)


@func
def _of_exponential(seed: Any, element: Any, stream: Any, low: Any, high: Any) -> Any:
    """An exponential number beyond ``low``, with the slope that the density has there. The idea is that of C. P.
    Robert, "Simulation of truncated normal variables", 1995."""
    x, found = low, False
    while not found:
        z = random_normal4(seed, element, stream)
        beyond = _half_square(z.x, z.y) / low
        x = low + beyond
        found = x <= high and 2.0 * _half_square(z.z, z.w) > beyond * beyond
        stream += 1
    return (x,)


@elementwise
def _placed(x: Any, mean: Any, std: Any, low: Any, high: Any) -> Any:
    return min(max(mean + std * x, low), high)


def truncated_normal(
    generator: Generator,
    shape: int | Shape,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    dtype: DTypeLike = f32,
    device: Device | None = None,
) -> Tensor:
    """Normal numbers from ``low`` to ``high``: those outside are drawn again.

    They are computed in f32, and have the same bits on every device that divides as IEEE 754 has it; f16 and bf16 are
    rounded from them, and f64 have their values.

    Args:
        generator: of which this is a draw.
        shape: an int, or the lengths of the axes.
        mean: of the normal distribution, without bounds.
        std: its standard deviation, above 0.
        low: the least number.
        high: the greatest number, above ``low``.
        dtype: f16, bf16, f32 or f64.
        device: None is the host.

    Raises:
        AutographError: ``generator`` is none; or a number is not finite, ``std`` not above 0, or nothing is between
            the bounds.
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not of floats.

    >>> from autograph import random
    >>> print(random.truncated_normal(random.Generator(0), 3, low=0, high=10).numpy().round(3))
    [1.709 0.358 0.724]
    """
    operation = "truncated_normal"
    of, lengths, type = checked(operation, generator, shape, dtype, mean=mean, std=std, low=low, high=high)
    if not std > 0:
        raise AutographError(f"{operation}(std={std!r}): expected a standard deviation above 0")
    sign = -1.0 if high + low < 2 * mean else 1.0  # the half that is farther out is that above the mean
    first, last = sorted((sign * (low - mean) / std, sign * (high - mean) / std))
    begin, end = number_for(scalar_type(f32), first), number_for(scalar_type(f32), last)
    if not low < high or not begin < end:
        raise AutographError(
            f"{operation} from {low} to {high} with mean={mean} and std={std}: expected numbers between the bounds"
        )
    numbers, count = _method(float(begin), float(end))
    x = drawn(numbers, count, of, lengths, f32, device, begin, end)
    result: Tensor = _placed(x, mean, sign * std, low, high)
    return result.cast(type)


def _method(low: float, high: float) -> tuple[Numbers, int]:
    """How numbers are drawn that are accepted often, with bounds in standard deviations; and how many a block has."""
    if 0.5 * (erfc(low / sqrt(2)) - erfc(high / sqrt(2))) >= _LIKELY:
        return _of_normal, 4
    return (_of_exponential if low > 0 and (high - low) * low > 1 else _of_uniform), 1

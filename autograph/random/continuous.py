"""Numbers of continuous distributions.

Functions of kernels get the key of a draw and the number of a block; they give one to four numbers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from autograph.errors import AutographError
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.type_variables import number_for
from autograph.tensor.base import Shape
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, ScalarType, bf16, dsl, f16, f32, f64, func
from krnlpy.dsl import philox, random_normal4

from .draws import Numbers, drawn, float_type, require_finite, shape_of
from .generator import Generator, require_generator

_TURN = 6.283185307179586


@func
def _fraction64(high: Any, low: Any) -> Any:
    """An f64 in [0, 1), a multiple of 2**-53, of the bits of two words."""
    return (f64(high >> 5) * 67108864.0 + f64(low >> 6)) * 1.1102230246251565e-16


@func
def _between(fraction: Any, low: Any, high: Any) -> Any:
    """The product may be rounded up to ``high``, which does not belong to the range."""
    x = low + (high - low) * fraction
    return x if x < high else low


@lru_cache
def _uniform(bits: int) -> Numbers:
    """Fractions of so many bits: those that the type has between 1/2 and 1, so that none is rounded to 1."""
    shift, unit = 32 - bits, 2.0**-bits

    @func
    def uniform(seed: Any, block: Any, stream: Any, low: Any, high: Any) -> Any:
        words = philox(seed, block, stream)
        x, y = f32(words.x >> shift) * unit, f32(words.y >> shift) * unit
        z, w = f32(words.z >> shift) * unit, f32(words.w >> shift) * unit
        return _between(x, low, high), _between(y, low, high), _between(z, low, high), _between(w, low, high)

    return uniform


@func
def _uniform64(seed: Any, block: Any, stream: Any, low: Any, high: Any) -> Any:
    words = philox(seed, block, stream)
    x, y = _fraction64(words.x, words.y), _fraction64(words.z, words.w)
    return _between(x, low, high), _between(y, low, high)


@func
def _normal(seed: Any, block: Any, stream: Any, mean: Any, std: Any) -> Any:
    z = random_normal4(seed, block, stream)
    return mean + std * z.x, mean + std * z.y, mean + std * z.z, mean + std * z.w


@func
def _polar64(seed: Any, block: Any, stream: Any) -> Any:
    """Radius and angle of two normal numbers."""
    words = philox(seed, block, stream)
    radius = dsl.sqrt(-2.0 * dsl.log(1.0 - _fraction64(words.x, words.y)))
    return radius, _fraction64(words.z, words.w) * f64(_TURN)


@func
def _normal64(seed: Any, block: Any, stream: Any, mean: Any, std: Any) -> Any:
    radius, angle = _polar64(seed, block, stream)
    return mean + std * (radius * dsl.cos(angle)), mean + std * (radius * dsl.sin(angle))


@func
def _exponential(seed: Any, block: Any, stream: Any, scale: Any, _: Any) -> Any:
    """Half the squared radius of two normal numbers: of sums and products only, which all devices round alike."""
    z = random_normal4(seed, block, stream)
    return scale * (0.5 * (z.x * z.x + z.y * z.y)), scale * (0.5 * (z.z * z.z + z.w * z.w))


@func
def _exponential64(seed: Any, block: Any, stream: Any, scale: Any, _: Any) -> Any:
    words = philox(seed, block, stream)
    x, y = dsl.log(1.0 - _fraction64(words.x, words.y)), dsl.log(1.0 - _fraction64(words.z, words.w))
    return scale * max(-x, 5.551115123125783e-17), scale * max(-y, 5.551115123125783e-17)  # gumbel takes logarithms


def uniform(
    generator: Generator,
    shape: int | Shape,
    *,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DTypeLike = f32,
    device: Device | None = None,
) -> Tensor:
    """Numbers from ``low`` up to, not including, ``high``, all equally likely; the same bits on every device.

    They are ``low + (high - low) * u`` with ``u`` a multiple of ``2**-24`` (f32), ``2**-53`` (f64), ``2**-11`` (f16)
    or ``2**-8`` (bf16). f16 and bf16 are rounded from f32: to ``high`` too, if ``u`` is scaled.

    Args:
        generator: of which this is a draw.
        shape: an int, or the lengths of the axes.
        low: the least number.
        high: at least ``low``.
        dtype: f16, bf16, f32 or f64.
        device: None is the host.

    Raises:
        AutographError: ``generator`` is none, or the bounds are not finite or in the wrong order.
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not of floats.

    >>> from autograph import random
    >>> print(random.uniform(random.Generator(0), (2, 2), low=-1).numpy().round(4))
    [[0.6615 0.7665]
     [0.4594 0.6105]]
    """
    of, lengths, type = checked("uniform", generator, shape, dtype, low=low, high=high)
    if not low <= high:
        raise AutographError(f"uniform from {low} to {high}: expected bounds in ascending order")
    if type is f64:
        return drawn(_uniform64, 2, of, lengths, type, device, np.float64(low), np.float64(high))
    bits = 11 if type is f16 else 8 if type is bf16 else 24
    return drawn(_uniform(bits), 4, of, lengths, type, device, np.float32(low), np.float32(high))


def normal(
    generator: Generator,
    shape: int | Shape,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: DTypeLike = f32,
    device: Device | None = None,
) -> Tensor:
    """Normal numbers, by the transform of G. E. P. Box and M. E. Muller, "A Note on the Generation of Random Normal
    Deviates", 1958.

    Those of f32, and of f16 and bf16, which are rounded from them, have the same bits on every device, and lie within
    6.7 standard deviations. Those of f64 are made by the device's logarithm, sine and cosine: they differ between
    devices by some units in the last place.

    Args:
        generator: of which this is a draw.
        shape: an int, or the lengths of the axes.
        mean: of the distribution.
        std: its standard deviation, at least 0.
        dtype: f16, bf16, f32 or f64.
        device: None is the host.

    Raises:
        AutographError: ``generator`` is none, or ``mean`` or ``std`` is not finite, or ``std`` below 0.
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not of floats.

    >>> from autograph import random
    >>> print(random.normal(random.Generator(0), 3, mean=10, std=0.1).numpy().round(3))
    [ 9.996  9.979 10.072]
    """
    of, lengths, type = checked("normal", generator, shape, dtype, mean=mean, std=std)
    if std < 0:
        raise AutographError(f"normal(std={std!r}): expected a standard deviation of at least 0")
    numbers, count = (_normal64, 2) if type is f64 else (_normal, 4)
    return drawn(numbers, count, of, lengths, type, device, number_for(type, mean), number_for(type, std))


def exponential(
    generator: Generator,
    shape: int | Shape,
    *,
    scale: float = 1.0,
    dtype: DTypeLike = f32,
    device: Device | None = None,
) -> Tensor:
    """Numbers above 0 whose density falls as ``exp(-x / scale)``.

    Those of f32, f16 and bf16 have the same bits on every device; those of f64 are made by the device's logarithm.

    Args:
        generator: of which this is a draw.
        shape: an int, or the lengths of the axes.
        scale: the mean, at least 0.
        dtype: f16, bf16, f32 or f64.
        device: None is the host.

    Raises:
        AutographError: ``generator`` is none, or ``scale`` is not finite or below 0.
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not of floats.

    >>> from autograph import random
    >>> print(random.exponential(random.Generator(0), 3, scale=10).numpy().round(3))
    [1.854 1.241 3.151]
    """
    of, lengths, type = checked("exponential", generator, shape, dtype, scale=scale)
    if scale < 0:
        raise AutographError(f"exponential(scale={scale!r}): expected a scale of at least 0")
    numbers = _exponential64 if type is f64 else _exponential
    return drawn(numbers, 2, of, lengths, type, device, number_for(type, scale), number_for(type, 0))


@elementwise
def _gumbel(x: Any) -> Any:
    return -dsl.log(x)


def gumbel(generator: Generator, shape: int | Shape, *, dtype: DTypeLike = f32, device: Device | None = None) -> Tensor:
    """Numbers of Gumbel's distribution, ``-log(-log(u))``: added to logits, the greatest sum is a sample of them.

    They are made by the device's logarithm, and differ between devices by some units in the last place.

    Args:
        generator: of which this is a draw.
        shape: an int, or the lengths of the axes.
        dtype: f16, bf16, f32 or f64.
        device: None is the host.

    Raises:
        AutographError: ``generator`` is none.
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not of floats.

    >>> from autograph import random
    >>> print(random.gumbel(random.Generator(0), 3).numpy().round(3))
    [1.685 2.086 1.155]
    """
    of, lengths, type = checked("gumbel", generator, shape, dtype)
    result: Tensor = _gumbel(exponential(of, lengths, dtype=type.compute, device=device))
    return result.cast(type)


def checked(
    operation: str, generator: Any, shape: Any, dtype: DTypeLike, **numbers: Any
) -> tuple[Generator, Shape, ScalarType]:
    """The arguments that all have in common."""
    of = require_generator(operation, generator)
    require_finite(operation, **numbers)
    return of, shape_of(operation, shape), float_type(operation, dtype)

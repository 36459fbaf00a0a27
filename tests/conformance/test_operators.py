"""Each operator with each type over edge values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import ScalarType, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from tests.support.launching import Launcher

from .values import COMPUTED_FLOATS, FLOATS, INTEGERS, NUMBERS, assert_same, edges, pairs

T = TypeVar("T")
I = TypeVar("I", u8, i8, u16, i16, u32, i32, u64, i64)  # noqa: E741
S = TypeVar("S", i8, i16, i32, i64, f32, f64)


def add(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = x + y


def sub(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = x - y


def mul(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = x * y


def div(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = x / y


def floordiv(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = x // y


def mod(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = x % y


def power(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = x**y


def least(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = min(x, y)


def greatest(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = max(x, y)


def bit_and(x: Item[I], y: Item[I], z: ItemMut[I]) -> None:
    z = x & y


def bit_or(x: Item[I], y: Item[I], z: ItemMut[I]) -> None:
    z = x | y


def bit_xor(x: Item[I], y: Item[I], z: ItemMut[I]) -> None:
    z = x ^ y


def shift_left(x: Item[I], y: Item[I], z: ItemMut[I]) -> None:
    z = x << y


def shift_right(x: Item[I], y: Item[I], z: ItemMut[I]) -> None:
    z = x >> y


def _python_floordiv(a: int, b: int) -> int:
    return a // b if b else 0


def _python_mod(a: int, b: int) -> int:
    return a % b if b else 0


INTEGER_OPERATORS: dict[Callable[..., Any], Callable[[int, int, int], int]] = {
    add: lambda a, b, _: a + b,
    sub: lambda a, b, _: a - b,
    mul: lambda a, b, _: a * b,
    floordiv: lambda a, b, _: _python_floordiv(a, b),
    mod: lambda a, b, _: _python_mod(a, b),
    least: lambda a, b, _: min(a, b),
    greatest: lambda a, b, _: max(a, b),
    bit_and: lambda a, b, _: a & b,
    bit_or: lambda a, b, _: a | b,
    bit_xor: lambda a, b, _: a ^ b,
    shift_left: lambda a, b, bits: a << b if 0 <= b < bits else 0,
    shift_right: lambda a, b, bits: a >> b if 0 <= b < bits else -(a < 0),
}


def wrapped(value: int, type: ScalarType) -> int:
    value &= (1 << type.bits) - 1
    return value - (1 << type.bits) if value > type.max else value


def by_name(values: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("type", values, ids=str)


@by_name(INTEGERS)
@pytest.mark.parametrize("kernel", INTEGER_OPERATORS, ids=lambda k: k.__name__)
def test_integers(launch: Launcher, kernel: Callable[..., Any], type: ScalarType) -> None:
    a, b = pairs(type)
    python = INTEGER_OPERATORS[kernel]
    both = zip(a.tolist(), b.tolist(), strict=True)
    want = np.array([wrapped(python(x, y, type.bits), type) for x, y in both], type.dtype)
    assert_same(launch(kernel, a, b, np.zeros_like(a))[2], want, a, b)


def _minimum(a: Any, b: Any) -> Any:
    return np.where(b < a, b, a)


def _maximum(a: Any, b: Any) -> Any:
    return np.where(b > a, b, a)


def _modulo(a: Any, b: Any) -> Any:
    return a - b * np.floor(a / b)


EXACT_FLOAT_OPERATORS: dict[Callable[..., Any], Callable[[Any, Any], Any]] = {
    add: np.add,
    sub: np.subtract,
    mul: np.multiply,
    least: _minimum,
    greatest: _maximum,
}


@by_name(FLOATS)
@pytest.mark.parametrize("kernel", EXACT_FLOAT_OPERATORS, ids=lambda k: k.__name__)
def test_floats(launch: Launcher, kernel: Callable[..., Any], type: ScalarType) -> None:
    a, b = pairs(type)
    wide = type.compute.dtype
    with np.errstate(all="ignore"):
        want = EXACT_FLOAT_OPERATORS[kernel](a.astype(wide), b.astype(wide)).astype(type.dtype)
    if kernel in (add, sub, mul):
        # A sum or product below the normal numbers of f32 may be flushed to zero; the edges give none but in f16.
        assert not np.any((want != 0) & (np.abs(want.astype(np.float64)) < 2.0**-126))
    assert_same(launch(kernel, a, b, np.zeros_like(a))[2], want, a, b)


def ulps(got: Any, want: Any) -> Any:
    """How many representable numbers apart finite floats are."""
    bits = np.int64 if want.dtype.itemsize == 8 else np.int32
    a, b = (np.ascontiguousarray(v).view(bits).astype(object) for v in (got, want))
    flip = np.iinfo(bits).min
    a, b = (np.where(v < 0, flip - v, v) for v in (a, b))
    return np.abs(a - b)


def assert_close(got: Any, want: Any, bound: int, *operands: Any) -> None:
    """Asserts that finite results are ``bound`` ulp apart at most and all others are equal."""
    finite = np.isfinite(want) & (want != 0)
    assert_same(np.where(finite, 0, got).astype(want.dtype), np.where(finite, 0, want).astype(want.dtype), *operands)
    apart = np.where(finite, ulps(got, np.where(finite, want, 0).astype(want.dtype)), 0)
    wrong = np.flatnonzero(apart > bound)
    shown = [(*(o[i] for o in operands), got[i], want[i], apart[i]) for i in wrong[:8]]
    assert not len(wrong), f"{len(wrong)} results are more than {bound} ulp off: {shown}"


@by_name(COMPUTED_FLOATS)
def test_division(launch: Launcher, type: ScalarType) -> None:
    a, b = pairs(type)
    with np.errstate(all="ignore"):
        want = a / b
    # Vulkan grants 2.5 ulp to a division; the others are correctly rounded.
    bound = 3 if launch.backend.info.backend == "vulkan" else 0
    assert_close(launch(div, a, b, np.zeros_like(a))[2], want, bound, a, b)


@by_name(COMPUTED_FLOATS)
@pytest.mark.parametrize("kernel", [floordiv, mod], ids=lambda k: k.__name__)
def test_floor_division(launch: Launcher, kernel: Callable[..., Any], type: ScalarType) -> None:
    a, b = pairs(type)
    with np.errstate(all="ignore"):
        want = np.floor(a / b) if kernel is floordiv else _modulo(a, b)
        # Where the quotient is a whole number, or large, an error of 2.5 ulp moves the floor by one.
        sure = ~np.isfinite(a / b) | (np.abs(a / b - np.round(a / b)) > 2.0**-10) | (a == 0)
    if launch.backend.info.backend != "vulkan":
        sure |= True
    got = launch(kernel, a, b, np.zeros_like(a))[2]
    assert_same(got[sure], want[sure], a[sure], b[sure])


def _pow(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return math.copysign(math.inf, -1.0 if a < 0 and b % 2 == 1 else 1.0)
    except ValueError:
        odd = b == math.floor(b) and b % 2 == 1
        return (math.copysign(math.inf, a) if odd else math.inf) if a == 0 else math.nan


@by_name(COMPUTED_FLOATS)
def test_power(launch: Launcher, type: ScalarType) -> None:
    a, b = pairs(type)
    with np.errstate(over="ignore"):
        want = np.array([_pow(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]).astype(type.dtype)
    got = launch(power, a, b, np.zeros_like(a))[2]
    normal = (np.abs(want) >= np.finfo(type.dtype).tiny) | (want == 0) | np.isnan(want)
    # pow is exp2(y * log2(x)) on GPUs, with an error that grows with the result's exponent: 16 ulp and 1 each power
    # of two, at most 128 of them here.
    assert_close(got[normal], want[normal], 144, a[normal], b[normal])


def compare(x: Item[T], y: Item[T], z: ItemMut[u8]) -> None:
    bits = 0
    if x < y:
        bits += 1
    if x <= y:
        bits += 2
    if x > y:
        bits += 4
    if x >= y:
        bits += 8
    if x == y:
        bits += 16
    if x != y:
        bits += 32
    z = u8(bits)


@by_name(NUMBERS)
def test_comparisons(launch: Launcher, type: ScalarType) -> None:
    a, b = pairs(type)
    with np.errstate(invalid="ignore"):
        parts = [a < b, a <= b, a > b, a >= b, a == b, a != b]
    want = sum(part.astype(np.uint8) << bit for bit, part in enumerate(parts)).astype(np.uint8)
    assert_same(launch(compare, a, b, np.zeros(a.shape, np.uint8))[2], want, a, b)


def negative(x: Item[T], y: ItemMut[T]) -> None:
    y = -x


def magnitude(x: Item[S], y: ItemMut[S]) -> None:
    y = abs(x)


def inverted(x: Item[I], y: ItemMut[I]) -> None:
    y = ~x


@by_name(NUMBERS)
def test_negation(launch: Launcher, type: ScalarType) -> None:
    a = edges(type)
    with np.errstate(over="ignore"):
        want = np.negative(a)
    assert_same(launch(negative, a, np.zeros_like(a))[1], want, a)


@by_name([t for t in NUMBERS if t.is_signed and t.compute is t])
def test_absolute_value(launch: Launcher, type: ScalarType) -> None:
    a = edges(type)
    assert_same(launch(magnitude, a, np.zeros_like(a))[1], np.abs(a), a)


@by_name(INTEGERS)
def test_inversion(launch: Launcher, type: ScalarType) -> None:
    a = edges(type)
    assert_same(launch(inverted, a, np.zeros_like(a))[1], ~a, a)


def shift_by_wide(x: Item[u8], count: Item[i64], y: ItemMut[u8]) -> None:
    y = x << count


def test_a_shift_count_wider_than_the_value(launch: Launcher) -> None:
    launch.needs(i64)
    count = np.array([0, 1, 7, 8, 256, -1, -(2**40), 2**40], np.int64)
    x = np.full(count.shape, 3, np.uint8)
    want = np.array([3, 6, 128, 0, 0, 0, 0, 0], np.uint8)
    assert_same(launch(shift_by_wide, x, count, np.zeros_like(x))[2], want, count)


def shift_numbers(n: u32, m: i32, count: i32, left: ItemMut[u32], right: ItemMut[i32]) -> None:
    left = (n << u32(count)) + (n >> u32(count))
    right = (m << count) - (m >> count)


@pytest.mark.parametrize("count", [31, 32, 33, 64])
def test_shifts_of_single_numbers(launch: Launcher, count: int) -> None:
    """CPUs take the count of these modulo the width, but not that of many numbers at once."""
    left, right = launch(shift_numbers, 5, -4, count, np.zeros(1, np.uint32), np.zeros(1, np.int32))
    assert (left[0], right[0]) == ((1 << 31, 1) if count == 31 else (0, 1))

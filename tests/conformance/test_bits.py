"""Functions of integers and their bits, of every integer type, against Python's numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy.dsl import (
    add_sat,
    bit_length,
    byte_swap,
    clz,
    ctz,
    mul_hi,
    popcount,
    reverse_bits,
    rotl,
    rotr,
    sub_sat,
)
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import ScalarType, convert, i32, i64, u8, u32
from tests.support.launching import Launcher

from .values import INTEGERS, assert_same, edges, pairs

T = TypeVar("T")
C = TypeVar("C")
CUBE = np.int32(3)
THREE = np.int64(3)

integers = pytest.mark.parametrize("type", INTEGERS, ids=str)


def unary(function: Callable[..., Any]) -> Callable[..., Any]:
    def kernel(x: Item[T], y: ItemMut[T]) -> None:
        y = function(x)

    return kernel


def binary(function: Callable[..., Any]) -> Callable[..., Any]:
    def kernel(x: Item[T], c: Item[C], y: ItemMut[T]) -> None:
        y = function(x, c)

    return kernel


def samples(type: ScalarType) -> np.ndarray[Any, Any]:
    whole = np.random.default_rng(1).integers(type.min, type.max, 60, type.dtype, endpoint=True)
    single = [convert(1 << bit, type) for bit in range(type.bits)]
    return np.concatenate([edges(type), whole, np.array(single, type.dtype)])


def bits(x: int, type: ScalarType) -> str:
    return f"{x & ((1 << type.bits) - 1):0{type.bits}b}"


def rotated(text: str, count: int) -> int:
    count %= len(text)
    return int(text[count:] + text[:count], 2)


UNARY: dict[Callable[..., Any], Callable[[str], int]] = {
    popcount: lambda b: b.count("1"),
    clz: lambda b: len(b) - len(b.lstrip("0")),
    ctz: lambda b: len(b) - len(b.rstrip("0")),
    bit_length: lambda b: len(b.lstrip("0")),
    reverse_bits: lambda b: int(b[::-1], 2),
    byte_swap: lambda b: int.from_bytes(int(b, 2).to_bytes(len(b) // 8, "big"), "little"),
}


@integers
@pytest.mark.parametrize("function", UNARY, ids=lambda f: f.__name__)
def test_functions_of_bits(launch: Launcher, function: Callable[..., Any], type: ScalarType) -> None:
    x = samples(type)
    want = np.array([convert(UNARY[function](bits(int(v), type)), type) for v in x], type.dtype)
    assert_same(launch(unary(function), x, np.zeros_like(x))[1], want, x)


@integers
@pytest.mark.parametrize("counts", (u8, i32, i64), ids=str)
def test_rotations(launch: Launcher, counts: ScalarType, type: ScalarType) -> None:
    x, count = (
        m.reshape(-1)
        for m in np.meshgrid(samples(type)[::5], np.array([0, 1, 7, 8, 31, 32, 63, 64, 200], counts.dtype))
    )
    if counts.is_signed:
        count = np.concatenate([count, -count])
        x = np.concatenate([x, x])
    for function, sign in ((rotl, 1), (rotr, -1)):
        want = [convert(rotated(bits(int(v), type), sign * int(c)), type) for v, c in zip(x, count, strict=True)]
        got = launch(binary(function), x, count, np.zeros_like(x))[2]
        assert_same(got, np.array(want, type.dtype), x, count)


@integers
@pytest.mark.parametrize("count", (0, 1, 5, 64, -3))
def test_rotations_by_constants(launch: Launcher, count: int, type: ScalarType) -> None:
    def both(x: Item[T], left: ItemMut[T], right: ItemMut[T]) -> None:
        value = x
        left = rotl(value, count)
        right = rotr(x, count)

    x = samples(type)
    _, left, right = launch(both, x, np.zeros_like(x), np.zeros_like(x))
    assert_same(left, np.array([convert(rotated(bits(int(v), type), count), type) for v in x], type.dtype), x)
    assert_same(right, np.array([convert(rotated(bits(int(v), type), -count), type) for v in x], type.dtype), x)


def clamped(x: int, type: ScalarType) -> int:
    return min(max(x, type.min), type.max)


BINARY: dict[Callable[..., Any], Callable[[int, int, ScalarType], int]] = {
    mul_hi: lambda a, b, t: a * b >> t.bits,
    add_sat: lambda a, b, t: clamped(a + b, t),
    sub_sat: lambda a, b, t: clamped(a - b, t),
}


@integers
@pytest.mark.parametrize("function", BINARY, ids=lambda f: f.__name__)
def test_arithmetic(launch: Launcher, function: Callable[..., Any], type: ScalarType) -> None:
    x, y = pairs(type)
    random = np.random.default_rng(2).integers(type.min, type.max, (2, 100), type.dtype, endpoint=True)
    x, y = np.concatenate([x, random[0]]), np.concatenate([y, random[1]])
    want = [BINARY[function](int(a), int(b), type) for a, b in zip(x, y, strict=True)]
    assert_same(launch(binary(function), x, y, np.zeros_like(x))[2], np.array(want, type.dtype), x, y)


def power(x: Item[T], n: Item[C], y: ItemMut[T]) -> None:
    y = x**n


def exact_power(x: int, n: int) -> int:
    """The exact power truncated towards zero; 0 where it has none."""
    if n >= 0:
        return int(x**n)
    return (x**-n if abs(x) == 1 else 0) if x else 0


@integers
@pytest.mark.parametrize("exponents", (i32, u32, u8, i64), ids=str)
def test_powers(launch: Launcher, exponents: ScalarType, type: ScalarType) -> None:
    n = np.array([0, 1, 2, 3, 5, 31, 64, 255], exponents.dtype)
    if exponents.is_signed:
        n = np.concatenate([n, [-1, -2, -7]]).astype(exponents.dtype)
    x, n = (m.reshape(-1) for m in np.meshgrid(edges(type), n))
    want = [int(exact_power(int(a), int(b))) & ((1 << 64) - 1) for a, b in zip(x, n, strict=True)]
    expected = np.array(want, np.uint64).astype(type.dtype)
    assert_same(launch(power, x, n, np.zeros_like(x))[2], expected, x, n)


def power_of_two(n: Item[i32], y: ItemMut[i32]) -> None:
    y = 2**n


def test_a_number_to_a_power(launch: Launcher) -> None:
    n = np.array([0, 1, 10, 30, 31, 32, -1], np.int32)
    got = launch(power_of_two, n, np.zeros_like(n))[1]
    assert got.tolist() == [1, 2, 1024, 1 << 30, -(1 << 31), 0, 0]


def known_powers(n: Item[i32], y: ItemMut[i32], z: ItemMut[i64]) -> None:
    y = n**CUBE
    z = THREE**n


def test_powers_of_and_by_captured_numpy_numbers(launch: Launcher) -> None:
    launch.needs(i64)
    n = np.array([0, 1, 3, 30, -1], np.int32)
    _, y, z = launch(known_powers, n, np.zeros_like(n), np.zeros(n.shape, np.int64))
    assert_same(y, n * n * n)
    assert z.tolist() == [1, 3, 27, 3**30, 0]


def numpys(x: Item[T], n: Item[T], a: ItemMut[T], b: ItemMut[T], c: ItemMut[T], d: ItemMut[T]) -> None:
    a = np.bitwise_and(x, np.invert(n))
    b = np.left_shift(x, n & 7)
    c = np.floor_divide(x, np.maximum(n, 1))
    d = np.power(x, 3) + pow(x, 2)


@integers
def test_numpys_names(launch: Launcher, type: ScalarType) -> None:
    x, n = pairs(type)
    _, _, a, b, c, d = launch(numpys, x, n, *[np.zeros_like(x) for _ in range(4)])
    with np.errstate(all="ignore"):
        assert_same(a, x & ~n)
        assert_same(b, x << (n & type.dtype.type(7)))
        assert_same(c, x // np.maximum(n, type.dtype.type(1)))
        assert_same(d, x * x * x + x * x)


@pytest.mark.skipif(not hasattr(np, "bitwise_count"), reason="NumPy before 2.0")
@integers
def test_bitwise_count(launch: Launcher, type: ScalarType) -> None:
    x = samples(type)
    got = launch(unary(np.bitwise_count), x, np.zeros_like(x))[1]
    assert_same(got, np.bitwise_count(x).astype(type.dtype), x)

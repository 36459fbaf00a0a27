"""Each type converted to each other."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy.dsl import cast
from krnlpy.dsl.types.annotations import GlobalMut, Item, ItemMut
from krnlpy.scalar import SCALAR_TYPES, ScalarType, bf16, convert, f16, f32, f64, i16, i32, i64, u8, u32, u64
from tests.support.launching import Launcher

from .exact_casts import cast_exactly
from .values import FLOATS, assert_same, edges

T = TypeVar("T")
R = TypeVar("R")


def casts(x: Item[T], y: ItemMut[R], z: ItemMut[R]) -> None:
    y = R(x)
    z = cast(x, R)


def to_bool(x: Item[T], y: ItemMut[u8]) -> None:
    y = u8(bool(x))


def from_bool(x: Item[u8], y: ItemMut[T]) -> None:
    y = T(x > 1)


def interesting(source: ScalarType, to: ScalarType) -> np.ndarray:
    """Edge values of one type, and those next to the edges of the other."""
    values = [edges(source)]
    if source.is_float and to.is_integer:
        ends = np.array([to.min, to.max], np.float64)
        near = np.array([-0.99, 0.99, 1.5, -1.5, 2.5, 254.9, 1e30, -1e30])
        with np.errstate(over="ignore"):
            around = np.concatenate([ends, near, ends * 0.999, ends * 1.001]).astype(source.dtype)
            values += [around, np.nextafter(around.astype(source.compute.dtype), 0).astype(source.dtype)]
    if source.is_integer and to.is_float and source.bits > 16:
        # Between two f32, and next to ties that rounding twice (to a double first) would get wrong.
        wanted = [2**24 + 1, 2**24 + 3, 2**25 - 1]
        if source.kind == "uint" or source.size == 8:
            wanted += [2**31 + 2**7 + 1, 2**31 + 2**7, 2**31 + 3 * 2**7 - 1, 2**32 - 2**8 + 1]
        if source.size == 8:
            wanted += [2**60 + 2**36, 2**60 + 2**36 + 1, 2**60 + 2**36 - 1, 2**60 + 3 * 2**36 - 1, 2**53 + 1]
        values.append(np.array(wanted, source.dtype))
    if source is f64 and to in (f16, bf16):
        # Just beside a tie of two numbers of the type: f32, through which kernels go, takes it for the tie.
        bits = {f16: 11, bf16: 8}[to]
        values.append(np.array([(1 + k * 2.0**-bits) + sign * 2.0**-40 for k in (1, 3) for sign in (-1, 1)]))
    return np.concatenate(values)


def without_subnormals(x: np.ndarray[Any, Any], want: np.ndarray[Any, Any], to: ScalarType) -> Any:
    """What is subnormal in the result or on the way (f32) may be flushed to zero."""
    if not to.is_float:
        return x, want
    wide = np.abs(want.astype(np.float64))
    keep = ~((wide != 0) & (wide < 2.0**-126))
    return x[keep], want[keep]


@pytest.mark.parametrize("to", SCALAR_TYPES, ids=str)
@pytest.mark.parametrize("source", SCALAR_TYPES, ids=str)
def test_casts(launch: Launcher, source: ScalarType, to: ScalarType) -> None:
    """By the type and by ``cast``, whose kernels are one."""
    x = interesting(source, to)
    x, want = without_subnormals(x, cast_exactly(x, to), to)
    _, by_type, by_cast = launch(casts, x, *np.zeros((2, *x.shape), to.dtype))
    assert_same(by_type, want, x)
    assert_same(by_cast, want, x)


def test_the_judge_agrees_with_convert() -> None:
    """What krnlpy itself converts with, off the devices."""
    for source in SCALAR_TYPES:
        for to in SCALAR_TYPES:
            x = interesting(source, to)
            with np.errstate(all="ignore"):
                assert_same(np.asarray(convert(x, to)), cast_exactly(x, to), x)


@pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)
def test_truth(launch: Launcher, type: ScalarType) -> None:
    x = edges(type)
    want = (x.astype(type.compute.dtype) != 0).astype(np.uint8)
    assert_same(launch(to_bool, x, np.zeros(x.shape, np.uint8))[1], want, x)
    truth = np.array([0, 1, 2, 3], np.uint8)
    assert_same(launch(from_bool, truth, np.zeros(4, type.dtype))[1], np.array([0, 0, 1, 1]).astype(type.dtype))


@pytest.mark.parametrize("type", [t for t in FLOATS if t.compute is not t], ids=str)
def test_conversion_to_a_storage_type_rounds_at_once(launch: Launcher, type: ScalarType) -> None:
    T16 = type  # noqa: N806

    def twice(x: Item[f32], y: ItemMut[f32]) -> None:
        y = T16(x) + T16(x)

    x = np.array([0.1, 1 / 3, 65504.0, 1.00390625, 1.01171875, -0.7], np.float32)
    want = x.astype(type.dtype).astype(np.float32) * 2
    assert_same(launch(twice, x, np.zeros_like(x))[1], want, x)


def through_f32(x: Item[f64], y: ItemMut[f64]) -> None:
    y = f64(f32(x))


def test_f64_to_f32_rounds(launch: Launcher) -> None:
    x = np.array([0.1, 1e300, -1e300, 1 + 2.0**-24, 1 + 3 * 2.0**-24, 16777217.0], np.float64)
    with np.errstate(over="ignore"):
        want = x.astype(np.float32).astype(np.float64)
    assert_same(launch(through_f32, x, np.zeros_like(x))[1], want, x)


def low_word(x: Item[u64], y: ItemMut[u64]) -> None:
    y = u64(u8(x))


def test_a_narrow_cast_wraps_at_once(launch: Launcher) -> None:
    x = np.array([0, 255, 256, 2**63 + 513], np.uint64)
    assert_same(launch(low_word, x, np.zeros_like(x))[1], x & np.uint64(255), x)


def compare_widened(n: Item[i32], y: ItemMut[u8]) -> None:
    bits = 0
    if i64(n) < 0:
        bits += 1
    if i64(n) >= 64:
        bits += 2
    if u64(n) > 2**40:
        bits += 4
    if i64(i16(n)) <= -3:
        bits += 8
    if i64(u32(n)) > 2**31:
        bits += 16
    y = u8(bits)


def test_comparisons_of_widened_numbers(launch: Launcher) -> None:
    # Compilers narrow such comparisons again; Mesa 22.3 does it wrongly.
    launch.needs(i64)
    n = np.array([0, 1, 63, 64, 65, -1, -3, -4, 2**31 - 1, -(2**31)], np.int32)
    wide = n.astype(np.int64)
    parts = [wide < 0, wide >= 64, wide < 0, n.astype(np.int16) <= -3, n.astype(np.uint32) > 2**31]
    want = np.sum([part.astype(np.uint8) << bit for bit, part in enumerate(parts)], axis=0, dtype=np.uint8)
    assert_same(launch(compare_widened, n, np.zeros(n.shape, np.uint8))[1], want, n)


def there_and_back(x: Item[f32], n: Item[i32], m: Item[u32], y: ItemMut[f32], k: ItemMut[i32], j: ItemMut[u32]) -> None:
    y = f32(i32(x))
    k = i32(f32(n))
    j = u32(f32(m))


def test_conversions_to_and_fro_are_both_made(launch: Launcher) -> None:
    n = np.array([0, 1, -1, 2**24 + 1, 2028221139, -(2**25) - 1, 2**31 - 1], np.int32)
    x = np.array([0.5, -1.75, 3e9, -3e9, np.nan, 7.0, 1e-3], np.float32)
    m = n.astype(np.uint32)
    got = launch(there_and_back, x, n, m, np.zeros_like(x), np.zeros_like(n), np.zeros_like(m))
    assert_same(got[3], convert(convert(x, i32), f32) + np.float32(0), x)
    assert_same(got[4], convert(convert(n, f32), i32), n)
    assert_same(got[5], convert(convert(m, f32), u32), m)


def of_constants(y: GlobalMut[f64]) -> None:
    y[0] = f64(f32(0.1))
    y[1] = f64(f32(0.1) * f32(3.0) + f32(1e-3))
    y[2] = f64(f32(32.625282287597656) + f32(-27.694257736206055))


def test_constants_are_of_their_type(launch: Launcher) -> None:
    # A compiler that computes with constants in double precision gives other numbers.
    a, b, c = np.float32(0.1), np.float32(32.625282287597656), np.float32(-27.694257736206055)
    want = np.array([a, a * np.float32(3) + np.float32(1e-3), b + c]).astype(np.float64)
    assert_same(launch(of_constants, np.zeros(3), threads=(1, 1, 1), groups=(1, 1, 1))[0], want)

"""``saturate`` and ``bitcast`` between all types, against NumPy."""

from __future__ import annotations

from typing import Any, TypeVar

import ml_dtypes
import numpy as np
import pytest

from krnlpy.dsl import bitcast, saturate
from krnlpy.dsl.types.annotations import Item, ItemMut
from krnlpy.scalar import ScalarType, bf16, f16, f32, f64, i32, u8, u16, u32
from tests.support.launching import Launcher

from .exact_casts import cast_exactly
from .test_casts import interesting, without_subnormals
from .values import FLOATS, NUMBERS, assert_same, edges

T = TypeVar("T")
R = TypeVar("R")


def saturates(x: Item[T], y: ItemMut[R]) -> None:
    y = saturate(x, R)


def bitcasts(x: Item[T], y: ItemMut[R]) -> None:
    y = bitcast(x, R)


both = [(source, to) for source in NUMBERS for to in NUMBERS]


def saturated(x: np.ndarray[Any, Any], source: ScalarType, to: ScalarType) -> np.ndarray[Any, Any]:
    if source.is_integer and to.is_integer:
        return np.array([min(max(int(v), to.min), to.max) for v in x], to.dtype)
    with np.errstate(all="ignore"):
        rounded = cast_exactly(x, to)
    if to.is_integer:
        return rounded
    greatest = np.array(ml_dtypes.finfo(to.dtype).max, to.dtype)
    infinite = np.isinf(rounded.astype(np.float64))
    return np.where(infinite, np.where(np.signbit(rounded), -greatest, greatest), rounded).astype(to.dtype)


@pytest.mark.parametrize(("source", "to"), both, ids=lambda t: str(t))
def test_saturate(launch: Launcher, source: ScalarType, to: ScalarType) -> None:
    x = interesting(source, to)
    if to.is_float and to.size < source.size and source.is_float:
        greatest = float(ml_dtypes.finfo(to.dtype).max)
        with np.errstate(over="ignore"):
            above = np.nextafter(np.float32(greatest), np.float32(np.inf))
            ends = np.array([greatest, above, greatest * 1.01], np.float64)
            x = np.concatenate([x, ends.astype(source.dtype), -ends.astype(source.dtype)])
    with np.errstate(over="ignore"):
        x, want = without_subnormals(x, saturated(x, source, to), to)
    assert_same(launch(saturates, x, np.zeros(x.shape, to.dtype))[1], want, x)


of_one_size = [(source, to) for source, to in both if source.size == to.size]


@pytest.mark.parametrize(("source", "to"), of_one_size, ids=lambda t: str(t))
def test_bitcast(launch: Launcher, source: ScalarType, to: ScalarType) -> None:
    x = edges(source)
    if source.is_integer and to.is_float:
        # Every kind of number: zeros, subnormals, normals, infinities, a NaN.
        of_to = edges(to).view(source.dtype)
        tiny = np.array([1, 2, 3], source.dtype)
        x = np.concatenate([x, of_to, tiny])
    if source.is_float:
        x = np.concatenate([x, np.array(ml_dtypes.finfo(source.dtype).smallest_subnormal * np.array([1, 3]), x.dtype)])
    want = x.view(to.dtype)
    if source.is_float:  # of a NaN only that it is one is kept
        x, want = x[~np.isnan(x)], want[~np.isnan(x)]
    got = launch(bitcasts, x, np.zeros(x.shape, to.dtype))[1]
    if to.is_float:
        # By arithmetic on the way, a subnormal may be flushed.
        with np.errstate(invalid="ignore"):  # a signalling NaN
            wide = np.abs(want.astype(np.float64))
        subnormal = (wide != 0) & (wide < float(ml_dtypes.finfo(to.compute.dtype).smallest_normal))
        got, want = got[~subnormal], want[~subnormal]
    assert_same(got, want)


def widened(x: Item[T], y: ItemMut[f64]) -> None:
    y = f64(x)


@pytest.mark.parametrize("source", [f16, bf16, f32], ids=str)
def test_subnormal_numbers_become_f64(launch: Launcher, source: ScalarType) -> None:
    """They are none there."""
    bits = np.array([1, 2, 3, 0x7F, 0x80, 0], f"u{source.size}")
    negative = bits | (1 << (source.bits - 1))
    x = np.concatenate([bits, negative.astype(bits.dtype)]).view(source.dtype)
    launch.needs(f64)
    _, y = launch(widened, x, np.zeros(x.shape))
    assert_same(y, x.astype(np.float64), x)


def of_rounded(x: Item[f32], bits: ItemMut[u16], back: ItemMut[f32]) -> None:
    half = f16(x)
    bits = bitcast(f16(half), u16)
    back = bitcast(bitcast(f16(x), u16), f16)


def test_bits_of_a_rounded_number(launch: Launcher) -> None:
    x = np.array([0.1, -2.5, 1e6, 3e-8, 0.0, -0.0], np.float32)
    with np.errstate(over="ignore"):
        half = x.astype(np.float16)
    _, bits, back = launch(of_rounded, x, np.zeros(x.shape, np.uint16), np.zeros_like(x))
    assert_same(bits, half.view(np.uint16), x)
    assert_same(back, half.astype(np.float32), x)


def of_constants(y: ItemMut[f32], n: ItemMut[i32], m: ItemMut[u32], k: ItemMut[u8]) -> None:
    y = bitcast(u32(0x40490FDB), f32)
    n = bitcast(-1.0, i32)
    m = bitcast(-2, u32)
    k = saturate(-300, u8) + saturate(300.7, u8)


def test_constants(launch: Launcher) -> None:
    y, n, m, k = launch(of_constants, *(np.zeros(3, d) for d in (np.float32, np.int32, np.uint32, np.uint8)))
    assert y[0] == np.float32(np.pi)
    assert n[0] == np.float32(-1).view(np.int32)
    assert m[0] == 2**32 - 2
    assert k[0] == 255


@pytest.mark.parametrize("type", FLOATS, ids=str)
def test_saturate_keeps_nan_and_bounds_infinities(launch: Launcher, type: ScalarType) -> None:
    x = np.array([np.nan, np.inf, -np.inf], np.float32)
    got = launch(saturates, x, np.zeros(3, type.dtype))[1].astype(np.float64)
    greatest = float(ml_dtypes.finfo(type.dtype).max)
    assert np.isnan(got[0])
    assert got[1:].tolist() == [greatest, -greatest]

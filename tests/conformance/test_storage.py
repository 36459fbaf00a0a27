"""Elements of every type in memory: loads, stores, rounding, neighbours in one word."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest

from krnlpy.dsl import bitcast, global_id
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.scalar import SCALAR_TYPES, ScalarType, bf16, boolean, convert, f16, f32, f64, i32, u32
from tests.support.launching import Launcher

from .values import NUMBERS, assert_same, edges

T = TypeVar("T")
N = TypeVar("N", f16, bf16)
every_type = pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)
every_number = pytest.mark.parametrize("type", NUMBERS, ids=str)


@every_type
def test_a_copy_changes_no_bits(launch: Launcher, type: ScalarType) -> None:
    def kernel(x: Item[T], y: ItemMut[T]) -> None:
        y = x

    x = edges(type)
    x = x[~np.isnan(x)]
    assert_same(launch(kernel, x, np.zeros_like(x))[1], x)


@every_type
def test_neighbours_in_a_word_do_not_lose_writes(launch: Launcher, type: ScalarType) -> None:
    def kernel(x: Global[T], y: GlobalMut[T], stride: i32) -> None:
        i = global_id()
        if i < len(x):
            y[i * stride % len(y)] = x[i]

    x = (np.arange(251) % 3 if type is boolean else np.arange(251) % 100 + 1).astype(type.dtype)
    # 7 and 251 share no factor: each element is written once, those of a word by threads far apart.
    got = launch(kernel, x, np.zeros_like(x), 7, groups=(16, 1, 1))[1]
    want = np.zeros_like(x)
    want[np.arange(251) * 7 % 251] = x
    assert_same(got, want)


@every_number
def test_elements_beside_those_written_are_left_alone(launch: Launcher, type: ScalarType) -> None:
    def kernel(y: GlobalMut[T]) -> None:
        y[2 * global_id() + 1] = 9

    y = np.ones(64, type.dtype)
    want = y.copy()
    want[1::2] = 9
    assert_same(launch(kernel, y, groups=(2, 1, 1))[0], want)


@every_number
def test_odd_offsets_and_lengths(launch: Launcher, type: ScalarType) -> None:
    def kernel(x: Item[T], y: ItemMut[T]) -> None:
        y = x + 1

    for start, stop in ((1, 2), (3, 30), (5, 5 + 17), (0, 31)):
        x = (np.arange(33) % 50).astype(type.dtype)
        got = launch(kernel, x[start:stop], np.zeros(40, type.dtype)[start + 2 : stop + 2])[1]
        wide = x[start:stop].astype(type.compute.dtype)
        assert_same(got, (wide + type.compute.dtype.type(1)).astype(type.dtype))


@pytest.mark.parametrize("type", [f16, bf16], ids=str)
def test_stores_round_to_nearest_even(launch: Launcher, type: ScalarType) -> None:
    def kernel(x: Item[f32], y: ItemMut[N]) -> None:
        y = x

    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**32, 200, dtype=np.uint32).view(np.float32)
    halves = rng.integers(0, 2**16, 60, dtype=np.uint16).view(type.dtype).astype(np.float32)
    with np.errstate(all="ignore"):
        ties = (halves + np.nextafter(halves.astype(type.dtype), type.dtype.type(np.inf)).astype(np.float32)) / 2
        near = np.array([65504, 65519.99, 65520, 65536, 3.39e38, 3.4e38, np.inf, -np.inf, 0, -0.0, 1e-8], np.float32)
        x = np.concatenate([bits, halves, ties, near]).astype(np.float32)
        x = x[(np.abs(x) >= 2.0**-126) | (x == 0)]  # subnormal f32 may be flushed
        want = x.astype(type.dtype)
    assert_same(launch(kernel, x, np.zeros(x.shape, type.dtype))[1], want, x)


@pytest.mark.parametrize("type", [f16, bf16], ids=str)
def test_loads_are_exact(launch: Launcher, type: ScalarType) -> None:
    def kernel(x: Item[N], y: ItemMut[f32]) -> None:
        y = x

    values = np.arange(0, 2**16, 251, dtype=np.uint16).view(type.dtype)
    wide = values.astype(np.float32)
    values = values[(np.abs(wide) >= 2.0**-126) | (wide == 0) | np.isnan(wide)]
    assert_same(launch(kernel, values, np.zeros(values.shape, np.float32))[1], values.astype(np.float32), values)


NAN_BITS = [0x7F800001, 0x7F80FFFF, 0x7FBFFFFF, 0x7FC00000, 0x7FFF8000, 0x7FFFFFFF]
"""Of both kinds of NaN; adding half of the last place of a bf16 to some makes infinities and zeros of them."""


@pytest.mark.parametrize("type", [f16, bf16], ids=str)
def test_nan_payloads_stay_nan(launch: Launcher, type: ScalarType) -> None:
    def stored(x: Item[f32], y: ItemMut[N]) -> None:
        y = x

    def made(x: Item[u32], y: ItemMut[N]) -> None:
        y = bitcast(x, f32)

    def rounded(x: Item[u32], y: ItemMut[f32], z: ItemMut[N]) -> None:
        y = f32(N(bitcast(x, f32)))
        z = N(0.0)

    bits = np.array([*NAN_BITS, *(b | 1 << 31 for b in NAN_BITS)], np.uint32)
    empty = np.zeros(bits.shape, type.dtype)
    assert np.isnan(launch(stored, bits.view(np.float32), empty)[1].astype(np.float32)).all()
    assert np.isnan(launch(made, bits, empty)[1].astype(np.float32)).all()
    assert np.isnan(launch(rounded, bits, np.zeros(bits.shape, np.float32), empty)[1]).all()
    assert np.isnan(convert(bits.view(np.float32), type).astype(np.float32)).all()


@pytest.mark.parametrize(
    ("type", "x", "want"),
    [
        # In f32 exactly between two neighbours, of which the even one is taken; rounded once, it would be the other.
        (f16, 1 + 2.0**-11 + 2.0**-30, 1.0),
        (f16, -1 - 2.0**-11 - 2.0**-30, -1.0),
        (f16, 1 + 3 * 2.0**-11 - 2.0**-30, 1 + 2.0**-9),
        (bf16, 1 + 2.0**-8 + 2.0**-30, 1.0),
        (bf16, 1 + 3 * 2.0**-8 - 2.0**-30, 1 + 2.0**-6),
        # Where f32 has no number, f16 has none either.
        (f16, 65520 - 2.0**-30, np.inf),
        (bf16, 1e300, np.inf),
    ],
)
def test_doubles_are_stored_through_single_precision(launch: Launcher, type: ScalarType, x: float, want: float) -> None:
    def kernel(x: Item[f64], y: ItemMut[N]) -> None:
        y = N(x)

    array = np.full(3, x, np.float64)
    assert convert(x, type) == want and (convert(array, type) == want).all()
    assert (launch(kernel, array, np.zeros(3, type.dtype))[1].astype(np.float64) == want).all()

"""What the language promises, on the host: conversions, integer arithmetic, control flow, places."""

import operator
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy.dsl import exp, exp2, global_id, global_threads, local_array
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Spec
from krnlpy.scalar import SCALAR_TYPES, ScalarType, bf16, boolean, convert, f16, f32, f64, i8, i16, i32, i64, u8, u32

from .launch import launch

S = TypeVar("S")
T = TypeVar("T")

INTEGERS = [t for t in SCALAR_TYPES if t.is_integer]
FLOATS = [
    0.0, -0.0, 0.5, -0.5, 0.99, 1.0, -1.0, 1.5, -1.5, 2.5, 127.4, 127.6, 128.0, 255.0, 255.9, 256.0, -128.9, -129.0,
    32767.5, 65535.0, 65536.0, -32769.0, 2.0**24 + 1, 2.0**31, 2.0**32, -(2.0**31), 2.0**31 - 129, 2.0**63, 2.0**64,
    -(2.0**63), 65504.0, 65519.0, 65520.0, 1e38, 3.4e38, 1e300, -1e300, 1e-8, 6e-8, 3e-8, 2.9e-8, 1e-40, 1e-46, 1e-320,
    1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-25, np.inf, -np.inf, np.nan,
]  # fmt: skip


def edge_values(type: ScalarType) -> np.ndarray:
    if type.is_float:
        with np.errstate(over="ignore"):
            return np.array(FLOATS, np.float64).astype(type.dtype)
    if type is boolean:
        return np.array([False, True])
    near = [0, 1, 2, 3, 5, 7, 100, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24 + 1, 2**31 - 1, 2**31]
    near += [2**32 - 1, 2**53 + 1, 2**63 - 1, 2**64 - 1]
    values = {v for n in near for v in (n, -n) if type.min <= v <= type.max} | {type.min, type.max}
    return np.array(sorted(values), type.dtype)


@pytest.mark.parametrize("source", SCALAR_TYPES, ids=repr)
@pytest.mark.parametrize("to", SCALAR_TYPES, ids=repr)
def test_conversions(source: ScalarType, to: ScalarType) -> None:
    def cast(x: Item[S], y: ItemMut[T]) -> None:
        y = T(x)

    x = edge_values(source)
    y = np.zeros(x.size, to.dtype)
    launch(cast, x, y, types={S: source, T: to})
    expected = convert(x.astype(np.float32) if source.is_float and source.size < 4 else x, to)
    np.testing.assert_array_equal(y.astype(np.float64), expected.astype(np.float64))
    if to.is_float:  # zeros keep their sign, but a NaN's payload is free
        numbers = ~np.isnan(y.astype(np.float64))
        assert np.array_equal(y[numbers].view(f"u{to.size}"), expected[numbers].view(f"u{to.size}"))


@pytest.mark.parametrize("type", SCALAR_TYPES, ids=repr)
def test_booleans(type: ScalarType) -> None:
    def flags(x: Item[T], y: ItemMut[u8], z: ItemMut[T], on: bool) -> None:
        b = bool(x)
        y = u8(b)
        z = T(not b and on)

    x = edge_values(type)
    y, z = np.zeros(x.size, np.uint8), np.zeros(x.size, type.dtype)
    launch(flags, x, y, z, True, types={T: type})
    assert np.array_equal(y, x.astype(np.float64) != 0)
    assert np.array_equal(z.astype(np.float64), x.astype(np.float64) == 0)


def floordiv(a, b):
    return a // b if b else 0


def mod(a, b):
    return a % b if b else 0


def wrapped(value: int, type: ScalarType) -> int:
    value &= (1 << type.bits) - 1
    return value - (1 << type.bits) if type.is_signed and value > type.max else value


@pytest.mark.parametrize("type", INTEGERS, ids=repr)
def test_integer_arithmetic(type: ScalarType) -> None:
    def both(a: Item[T], b: Item[T], q: ItemMut[T], r: ItemMut[T], left: ItemMut[T], right: ItemMut[T],
             product: ItemMut[T], low: ItemMut[T]) -> None:  # fmt: skip
        q = a // b
        r = a % b
        left = a << b
        right = a >> b
        product = a * b + a - b
        low = min(a, b) ^ (~a | b)

    edges = np.concatenate(
        [edge_values(type), np.array([6, 9, 13, type.bits - 1, type.bits, type.bits + 1], type.dtype)]
    )
    a, b = (m.reshape(-1).copy() for m in np.meshgrid(edges, edges))
    results = [np.zeros(a.size, type.dtype) for _ in range(6)]
    launch(both, a, b, *results, types={T: type})
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))

    def shifted(op, x: int, n: int) -> Any:
        if 0 <= n < type.bits:
            return op(x, n)
        return -1 if op is operator.rshift and x < 0 else 0

    expected = [
        [wrapped(floordiv(x, y), type) for x, y in pairs],
        [wrapped(mod(x, y), type) for x, y in pairs],
        [wrapped(shifted(operator.lshift, x, y), type) for x, y in pairs],
        [wrapped(shifted(operator.rshift, x, y), type) for x, y in pairs],
        [wrapped(x * y + x - y, type) for x, y in pairs],
        [wrapped(min(x, y) ^ (~x | y), type) for x, y in pairs],
    ]
    for result, right in zip(results, expected, strict=True):
        assert result.tolist() == right


@pytest.mark.parametrize("type", [f32, f64], ids=repr)
def test_float_arithmetic(type: ScalarType) -> None:
    def arithmetic(a: Item[T], b: Item[T], q: ItemMut[T], r: ItemMut[T], d: ItemMut[T], low: ItemMut[T],
                   high: ItemMut[T], s: ItemMut[T]) -> None:  # fmt: skip
        q = a // b
        r = a % b
        d = a / b
        low = min(a, b)
        high = max(a, b)
        s = a * b + a  # two roundings

    edges = edge_values(type)
    a, b = (m.reshape(-1).copy() for m in np.meshgrid(edges, edges))
    results = [np.zeros(a.size, type.dtype) for _ in range(6)]
    launch(arithmetic, a, b, *results, types={T: type})
    with np.errstate(all="ignore"):
        floor = np.floor(a / b)
        low, high = np.where(b < a, b, a), np.where(b > a, b, a)
        for result, right in zip(results, [floor, a - b * floor, a / b, low, high, a * b + a], strict=True):
            np.testing.assert_array_equal(result, right)


@pytest.mark.parametrize("type", [f16, bf16], ids=repr)
def test_rounding_to_storage_types(type: ScalarType) -> None:
    def rounded(x: Item[f32], y: ItemMut[T], z: ItemMut[f32]) -> None:
        y = T(x)
        z = f32(T(x))

    # Every exponent, and the bits about the last one that is kept.
    bits = np.concatenate(
        [(np.arange(0, 1 << 16, 7, dtype=np.uint32) << 16) + low for low in (0, 1, 0x7FFF, 0x8000, 0x8001)]
    )
    bits = np.concatenate([bits, (np.arange(0, 1 << 19, 3, dtype=np.uint32) << 13) + 0x1000])
    x = bits.view(np.float32)
    y, z = np.zeros(x.size, type.dtype), np.zeros(x.size, np.float32)
    launch(rounded, x, y, z, types={T: type})
    with np.errstate(over="ignore", invalid="ignore"):
        expected = x.astype(type.dtype)
    nan = np.isnan(x)
    assert np.array_equal(y[~nan].view(np.uint16), expected[~nan].view(np.uint16))
    assert np.isnan(y[nan].astype(np.float32)).all() and np.isnan(z[nan]).all()
    assert np.array_equal(z[~nan], expected[~nan].astype(np.float32))


@pytest.mark.parametrize("type", [i8, u8, i16, i32, u32, i64], ids=repr)
def test_ranges(type: ScalarType) -> None:
    def collect(bounds: Global[T, 2], seen: GlobalMut[T, 2], count: GlobalMut[i32]) -> None:
        row = global_id()
        n = 0
        last: T = bounds[row, 0]
        for i in range(bounds[row, 0], bounds[row, 1], bounds[row, 2]):
            seen[row, n] = i
            n += 1
            last = i
            i = T(7)  # does not change the iteration
        count[row] = n

    low, high = type.min, type.max
    rows = [(0, 5, 1), (5, 0, 1), (0, 10, 3), (0, 9, 3), (2, 2, 1), (high - 5, high, 2), (high - 4, high, 3), (0, 5, 0)]
    rows += [(high - 3, high, 1), (0, high, high), (0, high, max(high // 5, 1))]
    if type.is_signed:
        rows += [
            (5, 0, -1),
            (5, -6, -2),
            (0, 5, -1),
            (low + 3, low, -1),
            (low + 5, low, -2),
            (low, high, high),
            (high, low, low),
        ]
        rows += [(5, 0, 0), (low, high, high // 3 + 1)]
    seen = np.zeros((len(rows), 16), type.dtype)
    count = np.zeros(len(rows), np.int32)
    launch(
        collect, np.array(rows, type.dtype), seen, count, types={T: type}, threads=(1, 1, 1), groups=(len(rows), 1, 1)
    )
    for row, bounds in enumerate(rows):
        expected = list(range(*bounds)) if bounds[2] else []
        assert seen[row, : count[row]].tolist() == expected, bounds


def test_constant_steps() -> None:
    def steps(y: GlobalMut[i32]) -> None:
        n = 0
        for i in range(3):
            y[n] = i
            n += 1
        for i in range(9, 0, -4):
            y[n] = i
            n += 1
        for i in range(2, -1, -1):
            y[n] = i
            n += 1
        for i in range(0, 2147483647, 2000000000):
            y[n] = i
            n += 1

    y = np.zeros(12, np.int32)
    launch(steps, y, threads=(1, 1, 1))
    assert y.tolist() == [0, 1, 2, 9, 5, 1, 2, 1, 0, 0, 2000000000, 0]


def test_control_flow() -> None:
    def collatz(start: Item[i32], limit: i32, steps: ItemMut[i32], odd: ItemMut[i32]) -> None:
        n = start
        count = 0
        odds = 0
        while True:
            if n == 1:
                break
            if count >= limit:
                steps = -1
                return
            count += 1
            if n % 2 == 0:
                n //= 2
                continue
            odds += 1
            n = 3 * n + 1
        steps = count
        odd = odds

    def reference(n: int, limit: int) -> tuple[int, int]:
        count = odds = 0
        while n != 1:
            if count >= limit:
                return -1, 0
            count += 1
            odds += n % 2
            n = n // 2 if n % 2 == 0 else 3 * n + 1
        return count, odds

    start = np.arange(1, 200, dtype=np.int32)
    steps, odd = np.zeros_like(start), np.zeros_like(start)
    launch(collatz, start, 100, steps, odd)
    assert list(zip(steps.tolist(), odd.tolist(), strict=True)) == [reference(int(n), 100) for n in start]


def test_short_circuit() -> None:
    def guarded(x: Global[i32], n: i32, y: GlobalMut[i32]) -> None:
        i = global_id()
        a = i < n and x[i] > 1
        b = i >= n or x[i] > 1
        y[i] = (x[i] if i < n else -5) + (10 if a else 0) + (100 if b else 0)

    y = np.zeros(4, np.int32)
    launch(guarded, np.array([1, 2], np.int32), 2, y, threads=(4, 1, 1), debug=True)  # raises if evaluated
    assert y.tolist() == [1, 112, 95, 95]


@func
def clamp(x: f32, low: f32, high: f32) -> f32:
    if x < low:
        return low
    return min(x, high)


@func
def scaled(x: f32, factor: f32) -> f32:
    total = 0.0
    for i in range(3):
        total += clamp(x * f32(i), -factor, factor) + f32(global_id())
    return total


def test_functions() -> None:
    def run(x: Global[f32], y: GlobalMut[f32], factor: f32) -> None:
        y[global_id()] = scaled(x[global_id()], factor)

    x = np.linspace(-2, 2, 70, dtype=np.float32)
    for debug in (False, True):
        y = np.zeros(70, np.float32)
        launch(run, x, y, 1.5, threads=(64, 1, 1), groups=(2, 1, 1), debug=False)
        i = np.arange(70)
        expected = sum(np.clip(x * k, -1.5, 1.5) + i for k in range(3))
        np.testing.assert_allclose(y, expected, rtol=3e-7)  # a few roundings
        del debug


def test_grid_stride_loop_and_specs() -> None:
    def add(x: GlobalMut[i32], AMOUNT: Spec[i32] = 3, SMALL: Spec[u8] = 255, FLAG: Spec[bool] = False) -> None:
        for i in range(global_id(), len(x), global_threads()):
            x[i] += AMOUNT * i32(SMALL) + (1000 if FLAG else 0)

    x = np.arange(1000, dtype=np.int32)
    launch(add, x, groups=(3, 1, 1), AMOUNT=-2, FLAG=True)
    assert np.array_equal(x, np.arange(1000) - 510 + 1000)


def test_local_arrays_start_at_zero() -> None:
    def reverse(x: Item[f32], y: ItemMut[f32], N: Spec[i32] = 4) -> None:
        kept = local_array(bf16, (N, 2))
        for i in range(N):
            kept[i, 1] += x * f32(i)
        total = 0.0
        for i in range(N):
            total += kept[i, 1] + kept[i, 0]
        y = total + kept[N, 0] + kept[N - 5, 0]

    x = np.arange(300, dtype=np.float32)
    y = np.zeros_like(x)
    launch(reverse, x, y)
    import ml_dtypes

    expected = sum((x * i).astype(ml_dtypes.bfloat16).astype(np.float32) for i in range(4))
    np.testing.assert_array_equal(y, expected)


def test_negative_and_wide_indices() -> None:
    def read(x: Global[i32], at: Global[T], y: GlobalMut[i32]) -> None:
        i = global_id()
        y[i] = x[at[i]]

    x = np.array([5, 6, 7], np.int32)
    for type in INTEGERS:
        at = edge_values(type)
        y = np.full(at.size, -1, np.int32)
        launch(read, x, at, y, types={T: type}, threads=(at.size, 1, 1))
        assert y.tolist() == [x[i] if 0 <= i < 3 else 0 for i in at.tolist()]


def test_strided_globals() -> None:
    def total(x: Global[f64, 3], y: GlobalMut[f64, 2]) -> None:
        i = global_id(1)
        j = global_id(0)
        if i >= x.shape[0] or j >= x.shape[2]:
            return
        s = 0.0
        for k in range(x.shape[1]):
            s += f32(x[i, k, j])
        y[i, j] = s

    whole = np.arange(6 * 10 * 14, dtype=np.float64).reshape(6, 10, 14)
    result = np.zeros((14, 6))
    x = whole[::2, 1:9, ::-1][:, :, 4:][:, :, ::-1]
    y = result[:10, :3].T
    launch(total, x, y, threads=(8, 4, 1), groups=(2, 1, 1))
    np.testing.assert_array_equal(y, x.sum(axis=1))
    assert not result[10:].any() and not result[:, 3:].any()


def test_f16_in_integer_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines without instructions for f16 give the same bits."""
    from krnlpy.dsl.llvm.builder import Instructions
    from krnlpy.host.compiler import Compiler

    def through(x: Item[f16], y: ItemMut[f32], z: Item[f32], w: ItemMut[f16]) -> None:
        y = f32(x)
        w = f16(z)

    monkeypatch.setattr(Compiler, "instructions", Instructions(half=False, scaling=False))
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    z = np.concatenate(
        [(np.arange(1 << 15, dtype=np.uint32) * 131101), x.astype(np.float32).view(np.uint32)[::2] + 0x1000]
    )
    z = z.view(np.float32)
    y, w = np.zeros(x.size, np.float32), np.zeros(x.size, np.float16)
    launch(through, x, y, z, w)
    np.testing.assert_array_equal(y, x.astype(np.float32))
    with np.errstate(over="ignore", invalid="ignore"):
        expected = z.astype(np.float16)
    nan = np.isnan(z)
    assert np.array_equal(w[~nan].view(np.uint16), expected[~nan].view(np.uint16))
    assert np.isnan(w[nan]).all()


def test_exponentials_without_instructions_for_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines without them give the same bits, subnormal and infinite ones, too."""
    from krnlpy.dsl.llvm.builder import Instructions
    from krnlpy.host.compiler import Compiler

    def exponentials(x: Item[f32], y: ItemMut[f32], z: ItemMut[f32]) -> None:
        y = exp(x)
        z = exp2(x)

    ends = [0.0, -0.0, np.inf, -np.inf, np.nan, 2e9, -2e9, 1.49e9, -1.49e9, 3e38, -3e38]
    x = np.concatenate([np.linspace(-160, 140, 3000), ends]).astype(np.float32)
    results = []
    for scaling in {False, Compiler().instructions.scaling}:
        monkeypatch.setattr(Compiler, "instructions", Instructions(half=False, scaling=scaling))
        results.append([np.zeros_like(x), np.zeros_like(x)])
        launch(exponentials, x, *results[-1])
        with np.errstate(over="ignore", under="ignore"):
            for got, exact in zip(results[-1], (np.exp(x.astype("f8")), np.exp2(x.astype("f8"))), strict=True):
                np.testing.assert_allclose(got, exact.astype("f4"), rtol=2**-22, atol=2**-148)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)

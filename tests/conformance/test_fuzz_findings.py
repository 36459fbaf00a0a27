"""What the generator of random programs found, each as small as it was made."""

from __future__ import annotations

import math

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    ScalarType,
    Spec,
    f16,
    f32,
    f64,
    func,
    i32,
    kernel,
    u8,
    u32,
)
from krnlpy.dsl import (
    ceil,
    global_id,
    global_threads,
    group_id,
    groups,
    isinf,
    isnan,
    item_id,
    sign,
    sqrt,
    thread_id,
    threads,
)
from tests.support.devices import requires

NAN = math.nan
THREE = np.uint8(3)
ONE_HALF = np.float32(0.5)


@kernel(threads=1)
def nan_literal(out: GlobalMut[f32]) -> None:
    out[0] = NAN
    out[1] = 1.0 if isnan(f32(2.0) * NAN) else 0.0
    out[2] = sign(NAN)


def test_captured_nan_is_a_number(device: Device) -> None:
    out = Buffer.zeros(3, f32, device)
    nan_literal.with_groups(1)(out)
    assert np.isnan(out.numpy()[[0, 2]]).all()
    assert out.numpy()[1] == 1


@kernel(threads=1)
def compare_captured(out: GlobalMut[i32]) -> None:
    out[0] = 1 if THREE < 4 else 0
    out[1] = 1 if ONE_HALF <= 0.25 else 0
    out[2] = 1 if ONE_HALF == 0.5 < 0.75 else 0


def test_captured_numpy_numbers_are_compared(device: Device) -> None:
    out = Buffer.zeros(3, i32, device)
    compare_captured.with_groups(1)(out)
    assert out.numpy().tolist() == [1, 0, 1]


@kernel(threads=4)
def item_threads(x: Item[f32], a: ItemMut[i32], b: ItemMut[i32], c: ItemMut[i32]) -> None:
    a = global_id() * 100 + global_threads()
    b = group_id() * 100 + groups()
    c = thread_id()


def test_a_thread_of_several_items_keeps_its_id(device: Device) -> None:
    x = Buffer.zeros(20, f32, device)
    a, b, c = (Buffer.zeros(20, i32, device) for _ in range(3))
    item_threads.with_groups(2)(x, a, b, c)
    thread = np.arange(20) % 8
    assert np.array_equal(a.numpy(), thread * 100 + 8)
    assert np.array_equal(b.numpy(), thread // 4 * 100 + 2)
    assert np.array_equal(c.numpy(), thread % 4)


@func
def pair():
    return global_id(0), thread_id(2) + 1


@func
def calls_pair(p):
    a, b = pair()
    return a + b + p


@kernel(threads=8)
def ids_in_functions(out: GlobalMut[i32]) -> None:
    out[global_id()] = calls_pair(10)


def test_ids_in_functions_of_several_results(device: Device) -> None:
    out = Buffer.zeros(16, i32, device)
    ids_in_functions.with_groups(2)(out)
    assert np.array_equal(out.numpy(), np.arange(16) + 11)


@kernel(threads=1)
def infinite_spec(out: GlobalMut[f32], LIMIT: Spec[f16] = math.inf) -> None:
    out[0] = 1.0 if isinf(LIMIT) else LIMIT


def test_default_of_a_spec_may_be_infinite(device: Device) -> None:
    out = Buffer.zeros(1, f32, device)
    infinite_spec.with_groups(1)(out)
    assert out.numpy()[0] == 1
    infinite_spec.specialize(LIMIT=2.5).with_groups(1)(out)
    assert out.numpy()[0] == 2.5


@kernel
def floor_of_little(a: Item[f32], b: Item[f32], quotient: ItemMut[f32], rest: ItemMut[f32]) -> None:
    quotient = a // b
    rest = a % b


def test_floor_division_of_a_little_by_much(device: Device) -> None:
    a = np.array([1.0, -1.0, 1.0, 6.0, -6.0], np.float32)
    b = np.array([-9e18, 9e18, 9e18, 3.0, 3.0], np.float32)
    quotient, rest = Buffer.zeros(5, f32, device), Buffer.zeros(5, f32, device)
    floor_of_little(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), quotient, rest)
    want = np.floor(a / b)
    assert np.array_equal(quotient.numpy(), want)
    assert np.array_equal(rest.numpy(), a - b * want)


@kernel(threads=64, unchecked=True)
def read_between_neighbours(pairs: GlobalMut[u32], same: Global[u32]) -> None:
    me = global_id()
    pairs[me * 2] = u32(me) + 7
    pairs[me * 2 + 1] = same[me * 2] + 1


def test_a_read_between_stores_to_neighbours_sees_the_first(device: Device) -> None:
    """LLVM joined the stores to one, past the read."""
    pairs = Buffer.from_numpy(np.arange(1000, 1256, dtype=np.uint32), device)
    read_between_neighbours.with_groups(2)(pairs, pairs)
    first, second = pairs.numpy().reshape(-1, 2).T
    assert first.tolist() == list(range(7, 135))
    assert second.tolist() == list(range(8, 136))


@kernel(threads=4)
def least_of_constants(x: Item[f32], y: Item[u32], out: GlobalMut[u32, 2]) -> None:
    me = item_id()
    out[0, me] = u32(254) >> min(u32(0) % y, 8)


def test_least_of_numbers_that_a_driver_finds_to_be_constant(device: Device) -> None:
    # SwiftShader took `count >= 32` to hold for a count of min(0, 8).
    x = Buffer.zeros(4, f32, device)
    y = Buffer.from_numpy(np.array([1, 5, 0, 3], np.uint32), device)
    out = Buffer.zeros((20, 4), u32, device)
    least_of_constants(x, y, out)
    assert out.numpy()[0].tolist() == [254] * 4


TENTH = np.float64(0.1)


@kernel(threads=1)
def captured_double(out: GlobalMut[f64]) -> None:
    tenth = f64(TENTH)
    out[0] = tenth
    out[1] = TENTH


def test_a_captured_double_is_a_number_like_pythons(device: Device) -> None:
    """It takes the type that it meets, as the literal does."""
    requires(device, f64)
    out = Buffer.zeros(2, f64, device)
    captured_double.with_groups(1)(out)
    assert out.numpy().tolist() == [0.1, 0.1]


@kernel(threads=1)
def captured_double_in_single(out: GlobalMut[f32]) -> None:
    tenth = TENTH
    out[0] = tenth
    out[1] = TENTH


def test_a_captured_double_fits_a_single(device: Device) -> None:
    out = Buffer.zeros(2, f32, device)
    captured_double_in_single.with_groups(1)(out)
    assert out.numpy().tolist() == [float(np.float32(0.1))] * 2


@kernel(threads=4)
def functions_of_a_captured_double(out: GlobalMut[f64, 2]) -> None:
    me, tenth = thread_id(), f64(TENTH)
    out[me, 0] = ceil(tenth) - groups() + (sign(tenth) - 1)
    out[me, 1] = sqrt(tenth) + 1 + np.minimum(tenth + 1, me)


def test_functions_of_a_captured_double_are_doubles(device: Device) -> None:
    requires(device, f64)
    out = Buffer.zeros((4, 2), f64, device)
    functions_of_a_captured_double.with_groups(1)(out)
    assert out.numpy()[:, 0].tolist() == [0.0] * 4
    assert np.allclose(out.numpy()[:, 1], 1 + 0.1**0.5 + np.minimum(1.1, np.arange(4)), rtol=4e-16, atol=0)


@kernel
def whole_quotient(x: Item[f32], y: Item[f32], ratio: ItemMut[f32], quotient: ItemMut[f32]) -> None:
    ratio = x / y
    quotient = x // y


def test_quotients_of_millions_are_whole_numbers_below_the_ratio(device: Device) -> None:
    # 16777216 // 0.70710677 was 1 too great: ratios so great are whole or halves, and were taken for rounded down.
    rng = np.random.default_rng(0)
    x = np.exp2(rng.uniform(14, 26, 10_000)).astype(np.float32)
    y = np.concatenate([[0.70710677], rng.uniform(0.5, 2, 9_999)]).astype(np.float32) * rng.choice([-1, 1], 10_000)
    x[0] = 2**24
    y = y.astype(np.float32)
    ratio, quotient = Buffer.zeros(10_000, f32, device), Buffer.zeros(10_000, f32, device)
    whole_quotient(Buffer.from_numpy(x, device), Buffer.from_numpy(y, device), ratio, quotient)
    rounded_once = ratio.numpy() == x / y  # Vulkan grants a device 2.5 ulp
    assert rounded_once.mean() > 0.2
    np.testing.assert_array_equal(quotient.numpy()[rounded_once], np.floor(x / y)[rounded_once])


@kernel
def by_a_constant(x: Item[f32], out: GlobalMut[f32, 2], zero: Spec[f32]) -> None:
    me = item_id()
    out[0, me] = x / zero
    out[1, me] = x / -zero
    out[2, me] = x / (zero - zero)
    out[3, me] = x / 0.0
    out[4, me] = x // zero
    out[5, me] = x % zero
    out[6, me] = x / (zero + 4)


@kernel
def by_a_constant_double(x: Item[f64], out: GlobalMut[f64, 2], zero: Spec[f64]) -> None:
    me = item_id()
    out[0, me] = x / zero
    out[1, me] = x / -zero
    out[2, me] = x / (zero - zero)
    out[3, me] = x / 0.0
    out[4, me] = x // zero
    out[5, me] = x % zero
    out[6, me] = x / (zero + 4)


@pytest.mark.parametrize("type", [f32, f64], ids=str)
def test_a_constant_zero_divides_like_any_other(device: Device, type: ScalarType) -> None:
    # Both lavapipe take x / 0 for 0 where they know the zero, and the older one 0 * x for 0.
    requires(device, type)
    x = np.array([0, -0.0, 1, -2.5, np.inf, -np.inf, np.nan], type.dtype)
    out = Buffer.zeros((7, len(x)), type, device)
    divide = by_a_constant if type is f32 else by_a_constant_double
    divide(Buffer.from_numpy(x, device), out, zero=0.0)
    with np.errstate(all="ignore"):
        zero = type.dtype.type(0)
        expected = [x / zero, x / -zero, x / zero, x / zero, x / zero, x * np.nan, x / 4]
    np.testing.assert_array_equal(out.numpy(), np.array(expected))


@kernel(threads=(8, 2, 1))
def of_the_groups_size(out: GlobalMut[i32, 2]) -> None:
    me = thread_id(1) * 8 + thread_id(0)
    out[0, me] = 1 if bool(1) and threads(2) else 2
    out[1, me] = 1 if threads(0) > 3 and threads(1) > 2 else 2
    out[2, me] = 1 + (threads(1) * 2 if threads(0) > 3 else threads(2) + 5)
    out[3, me] = 1 if not (threads(0) > 3 or threads(1) * 3 > 2) else 2
    out[3, me] //= 2 - (1 if bool(1) and threads(2) and 1 else 0)
    out[4, me] = min(threads(1) * 3, threads(0)) % 5


def test_expressions_of_the_groups_size_alone(device: Device) -> None:
    # glslang made constants of variables of them: SwiftShader crashed, lavapipe refused to build the kernel.
    out = Buffer.zeros((5, 16), i32, device)
    of_the_groups_size.with_groups(1)(out)
    assert (out.numpy() == np.array([1, 2, 5, 2, 1])[:, None]).all()


@kernel
def divisions_in_both_widths(x: Item[f32], y: Item[f64], narrow: GlobalMut[f32, 2], wide: GlobalMut[f64, 2]) -> None:
    me = item_id()
    narrow[0, me], wide[0, me] = x // 3.0, y // 3.0
    narrow[1, me], wide[1, me] = x % 3.0, y % 3.0
    narrow[2, me], wide[2, me] = x / f32(0.0), y / 0.0
    narrow[3, me], wide[3, me] = x % f32(0.0), y % 0.0


def test_divisions_in_both_widths(device: Device) -> None:
    # Two functions of one name: glslang refused the shader.
    requires(device, f64)
    values = np.array([-7.5, -0.0, 5.25, 9, np.inf, np.nan])
    narrow, wide = Buffer.zeros((4, 6), f32, device), Buffer.zeros((4, 6), f64, device)
    x, y = Buffer.from_numpy(values.astype(np.float32), device), Buffer.from_numpy(values, device)
    divisions_in_both_widths(x, y, narrow, wide)
    with np.errstate(all="ignore"):
        quotient = np.floor(values / 3)
        expected = [quotient, values - 3 * quotient, values / 0.0, values * np.nan]
    np.testing.assert_array_equal(wide.numpy(), np.array(expected))
    np.testing.assert_array_equal(narrow.numpy(), np.array(expected, np.float32))


@kernel
def zero_of_a_double(x: ItemMut[f32], zero: Spec[f64]) -> None:
    x *= u8(zero)


@kernel
def zero_of_a_single(x: ItemMut[f32], zero: Spec[f32]) -> None:
    x *= u8(zero)


def test_zeros_multiply_alike_beside_doubles(device: Device) -> None:
    # Of two execution modes for two widths glslang kept one: f32 lost the promise that 0 * inf is NaN.
    requires(device, f64)
    values = np.array([0, -1, 2, np.inf, -np.inf, np.nan], np.float32)
    found = []
    for multiply in (zero_of_a_single, zero_of_a_double):
        x = Buffer.from_numpy(values.copy(), device)
        multiply(x, zero=0.5)
        found.append(x.numpy().tolist())
    assert repr(found[0]) == repr(found[1])

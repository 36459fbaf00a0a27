"""Specialization constants of every type, and the arrays whose sizes they give."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest

from krnlpy import (
    SCALAR_TYPES,
    Buffer,
    Device,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    KernelTypeError,
    LaunchError,
    LimitExceeded,
    Out,
    ScalarType,
    Spec,
    bf16,
    f16,
    f32,
    f64,
    func,
    i8,
    i16,
    i32,
    i64,
    kernel,
    u8,
    u16,
    u32,
    u64,
)
from krnlpy.dsl import barrier, global_id, group_array, group_id, local_array, thread_id
from krnlpy.scalar import boolean
from tests.support.devices import requires

T = TypeVar("T")
every_type = pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)


# ----------------------------------------------------------------------------------------- specialization constants


@kernel
def write_spec(out: ItemMut[T], VALUE: Spec[T]) -> None:
    out = VALUE


@every_type
def test_specs_of_every_type_keep_their_value(device: Device, type: ScalarType) -> None:
    requires(device, type)
    out = Buffer.zeros(3, type, device)
    values = [type.min, type.max, 3] if type.is_integer else [-0.0, float("inf"), 0.1, -2.5e4]
    if type is boolean:
        values = [True, False]
    for value in values:
        write_spec.specialize(VALUE=value)(out)
        want = np.full(3, value, np.float64 if type.is_float else np.int64 if value < 0 else np.uint64)
        assert out.numpy().tobytes() == want.astype(type.dtype).tobytes()


def test_specs_of_different_widths_stand_side_by_side(device: Device) -> None:
    @kernel
    def sums(
        out: Out[f32],
        A: Spec[u8],
        B: Spec[i8],
        C: Spec[f16],
        D: Spec[bool],
        E: Spec[u16],
        F: Spec[i16],
        G: Spec[bf16],
        H: Spec[u32],
        I: Spec[i32],  # noqa: E741
        J: Spec[f32],
    ) -> None:
        i = global_id()
        if i == 0:
            out[0] = f32(A) + f32(B) + C + (0.5 if D else 0.25)
            out[1] = f32(E) + f32(F) + G
            out[2] = f32(H) + f32(I) + J

    out = Buffer.zeros(3, f32, device)
    run = sums.specialize(A=255, B=-128, C=0.125, D=True, E=65535, F=-32768, G=-2.0, H=2**20, I=-3, J=0.25)
    run.with_groups(1)(out)
    assert out.numpy().tolist() == [127.625, 32765.0, 1048573.25]
    run.specialize(D=False, B=0).with_groups(1)(out)
    assert out.numpy()[0] == 255.375


def test_wide_specs(device: Device) -> None:
    requires(device, i64, f64)

    @kernel
    def wide(out: Out[f64], small: Out[u64], A: Spec[i64], B: Spec[u64], C: Spec[f64], D: Spec[u8] = 2) -> None:
        if global_id() == 0:
            out[0] = f64(A) + C
            small[0] = B // u64(D)

    out, whole = Buffer.zeros(1, f64, device), Buffer.zeros(1, u64, device)
    wide.specialize(A=-(2**40), B=2**64 - 1, C=1e-3).with_groups(1)(out, whole)
    assert out.numpy()[0] == -(2**40) + 1e-3
    assert whole.numpy()[0] == 2**63 - 1


def test_specs_in_loops_branches_indices_and_functions(device: Device) -> None:
    @func
    def weighted(x, weight):
        return x * weight

    @kernel
    def convolve(x: Item[f32], y: ItemMut[f32], TAPS: Spec[u8], MIRROR: Spec[bool], SCALE: Spec[f32]) -> None:
        taps = local_array(f32, TAPS)
        for i in range(TAPS):
            taps[i] = f32(TAPS - 1 - i) if MIRROR else f32(i)
        total = 0.0
        for i in range(0, i32(TAPS), 2):
            total = total * x + weighted(taps[i], SCALE)
        y = total

    x, y = Buffer.from_numpy(np.array([1, 10], np.float32), device), Buffer.zeros(2, f32, device)
    convolve.specialize(TAPS=5, MIRROR=False, SCALE=1.0)(x, y)
    assert y.numpy().tolist() == [6, 24]
    convolve.specialize(TAPS=5, MIRROR=True, SCALE=0.5)(x, y)
    assert y.numpy().tolist() == [3, 210]


@pytest.mark.parametrize("type", [u8, i16, f16, bf16, u32, f32], ids=str)
def test_an_unused_spec_changes_nothing(device: Device, type: ScalarType) -> None:
    @kernel
    def double(x: ItemMut[f32], UNUSED: Spec[T]) -> None:
        x = x * 2.0

    x = Buffer.ones(3, f32, device)
    double.specialize(UNUSED=type.dtype.type(1))(x)
    assert x.numpy().tolist() == [2, 2, 2]


def test_an_unused_wide_spec_needs_no_feature(device: Device) -> None:
    @kernel
    def double(x: ItemMut[f32], A: Spec[f64] = 0.5, B: Spec[i64] = 2**40) -> None:
        x = x * 2.0

    x = Buffer.ones(3, f32, device)
    double(x)
    assert x.numpy().tolist() == [2, 2, 2]
    assert "needs         no optional feature" in double.inspect("features")


# ---------------------------------------------------------------------------------------------------- group arrays


@kernel(threads=16)
def zero_at_first(ones: Global[T], found: GlobalMut[T]) -> None:
    shared = group_array(type(ones[0]), (3, 16))
    i = thread_id()
    found[global_id()] = T(shared[0, 15 - i] + shared[1, 15 - i] + shared[2, 15 - i])
    barrier()
    for row in range(3):
        shared[row, i] = ones[0]


@every_type
def test_group_arrays_are_zero_in_every_group_of_a_worker(device: Device, type: ScalarType) -> None:
    """Far more groups than workers, each of which leaves its memory full of ones to the next."""
    requires(device, type)
    groups = 8 if device.info.kind == "interpreter" else 200
    found = Buffer.ones(groups * 16, type, device)
    zero_at_first.with_groups(groups)(Buffer.ones(1, type, device), found)
    assert not found.numpy().any()


def test_group_arrays_of_several_types_do_not_overlap(device: Device) -> None:
    @kernel(threads=8)
    def fill(out: GlobalMut[f32, 2]) -> None:
        a = group_array(u8, 8)
        b = group_array(f32, (2, 8))
        c = group_array(i16, 3)
        d = group_array(bool, 8)
        e = group_array(f16, 8)
        i = thread_id()
        a[i] = u8(200 + i)
        b[0, i] = 0.5
        b[1, i] = f32(i)
        if i < 3:
            c[i] = i16(-i)
        d[i] = i % 2 == 1
        e[i] = 0.25
        barrier()
        j = 7 - i
        out[group_id() * 8 + i, 0] = f32(a[j])
        out[group_id() * 8 + i, 1] = b[0, j] + b[1, j]
        out[group_id() * 8 + i, 2] = f32(c[i % 3])
        out[group_id() * 8 + i, 3] = 1.0 if d[j] else 0.0
        out[group_id() * 8 + i, 4] = e[j]

    out = Buffer.zeros((24, 5), f32, device)
    fill.with_groups(3)(out)
    i = np.arange(8)
    want = np.stack([207 - i, 7.5 - i, -(i % 3), (7 - i) % 2, np.full(8, 0.25)], 1).astype(np.float32)
    assert np.array_equal(out.numpy(), np.tile(want, (3, 1)))


@pytest.mark.parametrize(("number", "count"), [(2, 3), (5, 2), (8, 1)])
def test_sizes_of_group_arrays_are_expressions_of_specs(device: Device, number: int, count: int) -> None:
    @kernel(threads=8)
    def measure(out: Out[i32], N: Spec[u8], M: Spec[i32] = 1) -> None:
        a = group_array(i32, N * 4 + 1)
        b = group_array(f32, (N // 2, (M + 2) * 3 - N))
        c = group_array(i32, i32(N) * M)
        i = thread_id()
        if i == 0:
            a[4 * i32(N)] = 7
            b[i32(N) // 2 - 1, 0] = 3.0
            c[i32(N) * M - 1] = 5
            out[0], out[1], out[2], out[3] = len(a), b.shape[0], b.shape[1], c.size
            out[4] = a[4 * i32(N)] + c[i32(N) * M - 1] + i32(b[i32(N) // 2 - 1, 0])

    out = Buffer.zeros(5, i32, device)
    measure.specialize(N=number, M=count).with_groups(1)(out)
    assert out.numpy().tolist() == [4 * number + 1, number // 2, (count + 2) * 3 - number, number * count, 15]


@pytest.mark.parametrize("size", [0, -3])
@pytest.mark.parametrize("where", ["group", "local"])
def test_an_array_without_elements_is_refused(device: Device, size: int, where: str) -> None:
    @kernel
    def in_group(out: Out[f32], N: Spec[i32] = 4) -> None:
        a = group_array(f32, (2, N))
        out[global_id()] = a[0, global_id()]

    @kernel
    def in_thread(out: Out[f32], N: Spec[i32] = 4) -> None:
        a = local_array(f32, (2, N))
        out[global_id()] = a[0, global_id()]

    run = in_group if where == "group" else in_thread
    out = Buffer.zeros(1, f32, device)
    with pytest.raises(LaunchError, match=rf"{run.name}: a has the shape \(2, {size}\) with N = {size}; "):
        run.specialize(N=size).with_threads(1).with_groups(1)(out)
    run.with_threads(1).with_groups(1)(out)


def test_sizes_that_divide_negative_numbers_are_refused(device: Device) -> None:
    @kernel(threads=1)
    def sized(out: Out[i32], N: Spec[i32]) -> None:
        a = local_array(i32, (N - 4) // 2 + 8)
        a[0] = 1
        out[0] = len(a)

    out = Buffer.zeros(1, i32, device)
    sized.specialize(N=7).with_groups(1)(out)
    assert out.numpy()[0] == 9
    with pytest.raises(LaunchError, match=r"sized: the size of a divides -3 by 2 with N = 1; "):
        sized.specialize(N=1).with_groups(1)(out)


def test_other_operators_in_sizes_are_refused() -> None:
    @kernel(threads=8)
    def sized(out: Out[i32], N: Spec[i32]) -> None:
        a = group_array(i32, N % 8)
        out[0] = a[0]

    with pytest.raises(KernelTypeError, match=r"made of constants and Spec values with \+ - \* //"):
        sized.specialize(N=9).with_groups(1)(Buffer.zeros(1, i32))


def test_local_arrays_are_limited(device: Device) -> None:
    """What a driver cannot hold is refused, not left to it: some end the process."""
    if device.info.kind == "interpreter":
        pytest.skip("the interpreter's arrays are Python's")

    @func
    def last(n: i32):
        mine = local_array(f32, (4, 4096))
        mine[3, n] = 1.0
        return f32(mine[3, n])

    @kernel(threads=1)
    def hold(out: Out[f32], N: Spec[i32]) -> None:
        a = local_array(f32, N)
        a[N - 1] = 1.0
        out[0] = a[N - 1] + last(4095)

    out = Buffer.zeros(1, f32, device)
    with pytest.raises(
        LimitExceeded, match=rf"hold: its local arrays take {65536 + 4 * 2**20} bytes a thread; .*grant"
    ):
        hold.specialize(N=2**20).with_groups(1)(out)


@pytest.mark.parametrize("a", [7, -7, -(2**31), 2**31 - 1, 0])
@pytest.mark.parametrize("b", [3, -2, 0, -1, 40])
def test_operators_of_specs_mean_what_they_mean_of_numbers(device: Device, a: int, b: int) -> None:
    """Drivers compute with them while they compile; each expression is there a second time with numbers of the call."""

    @kernel(threads=1)
    def of_specs(out: GlobalMut[i32], a: i32, b: i32, A: Spec[i32], B: Spec[i32], F: Spec[f32]) -> None:
        out[0], out[1] = A + B, a + b
        out[2], out[3] = A * B, a * b
        out[4], out[5] = A // B, a // b
        out[6], out[7] = A % B, a % b
        out[8], out[9] = A << abs(B), a << abs(b)
        out[10], out[11] = A >> abs(B), a >> abs(b)
        out[12], out[13] = min(A, B) & ~A, min(a, b) & ~a
        out[14], out[15] = (A if A < B else -B), (a if a < b else -b)
        out[16], out[17] = i32(f32(A) * F), i32(f32(a) * 3.0)
        out[18], out[19] = i32(u8(A)), i32(u8(a))
        out[20], out[21] = abs(A), abs(a)
        out[22], out[23] = (1 if A and not B else 2), (1 if a and not b else 2)

    out = Buffer.zeros((12, 2), i32, device)
    of_specs.specialize(A=a, B=b, F=3.0).with_groups(1)(out.reshape(24), a, b)
    got = out.numpy()
    assert np.array_equal(got[:, 0], got[:, 1]), got

"""Kernels called by the public API, on every device: binding, variants, geometry, and what is compiled how often."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import numpy as np
import pytest

import krnlpy
from krnlpy import (
    Buffer,
    Device,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    Kernel,
    LaunchError,
    Out,
    ScalarType,
    Spec,
    bf16,
    config,
    f16,
    f32,
    f64,
    hooks,
    i8,
    i32,
    i64,
    kernel,
    u8,
    u32,
    u64,
)
from krnlpy.dsl import (
    barrier,
    global_id,
    global_threads,
    group_array,
    group_id,
    groups,
    item_id,
    items,
    thread_id,
    threads,
)
from krnlpy.kernels.plan import Plan
from tests.conformance.values import NUMBERS
from tests.support.devices import requires
from tests.support.kernels import axpy, saxpy
from tests.support.typed import untyped

T = TypeVar("T")
U = TypeVar("U")
F = TypeVar("F", f32, bf16)


@kernel
def add(a: Item[T], b: Item[T], out: ItemMut[T]) -> None:
    out = a + b


@kernel
def number_items(out: ItemMut[i32]) -> None:
    out = item_id() * 10 + (1 if items() > 5 else 0)


@kernel
def gather(index: Item[i32], table: Global[f32], out: ItemMut[f32]) -> None:
    out = table[index]


@kernel
def row_sums(a: Global[T, 2], out: Out[T]) -> None:
    i = global_id()
    if i < a.shape[0]:
        total = a[i, 0]
        for j in range(1, a.shape[1]):
            total += a[i, j]
        out[i] = total


@kernel(threads=(4, 4))
def matmul(a: Global[f32, 2], b: Global[f32, 2], c: GlobalMut[f32, 2], TILE: Spec[i32] = 4) -> None:
    a_tile = group_array(f32, (TILE, TILE))
    b_tile = group_array(f32, (TILE, TILE))
    row, column = thread_id(1), thread_id(0)
    i, j = group_id(1) * TILE + row, group_id(0) * TILE + column
    total = 0.0
    for start in range(0, a.shape[1], TILE):
        a_tile[row, column] = a[i, start + column] if i < a.shape[0] and start + column < a.shape[1] else 0.0
        b_tile[row, column] = b[start + row, j] if start + row < b.shape[0] and j < b.shape[1] else 0.0
        barrier()
        for k in range(TILE):
            total += a_tile[row, k] * b_tile[k, column]
        barrier()
    if i < c.shape[0] and j < c.shape[1]:
        c[i, j] = total


@kernel
def geometry(out: GlobalMut[i32, 2]) -> None:
    if global_id(0) == 0 and global_id(1) == 0 and global_id(2) == 0:
        out[0, 0], out[0, 1], out[0, 2] = groups(0), groups(1), groups(2)
        out[1, 0], out[1, 1], out[1, 2] = threads(0), threads(1), threads(2)
        out[2, 0], out[2, 1], out[2, 2] = global_threads(0), global_threads(1), global_threads(2)


def on(device: Device, array: Any, dtype: Any = np.float32) -> Buffer:
    return Buffer.from_numpy(np.array(array, dtype), device)


# ------------------------------------------------------------------------------------------------------- arguments


def test_by_place_and_by_name(device: Device) -> None:
    x, y = on(device, [1, 2, 3]), on(device, [1, 1, 1])
    saxpy(2.0, x, y)
    saxpy(2.0, y=y, x=x)
    saxpy(alpha=np.float64(1), x=x, y=y)
    assert y.numpy().tolist() == [6, 11, 16]


def test_defaults(device: Device) -> None:
    @kernel
    def scale(x: ItemMut[f32], by: f32 = 2.0, plus: i32 = 1) -> None:
        x = x * by + f32(plus)

    x = on(device, [1, 2])
    scale(x)
    scale(x, 3.0)
    scale(x, plus=0)
    assert x.numpy().tolist() == [20, 32]


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_every_type(device: Device, dtype: ScalarType) -> None:
    requires(device, dtype)
    x = on(device, np.arange(100) % 11, dtype.dtype)
    y = on(device, np.arange(100) % 5, dtype.dtype)
    axpy(3, x, y)
    expected = np.arange(100) % 5 + 3 * (np.arange(100) % 11)
    assert np.array_equal(y.numpy().astype(np.int64), expected)


def test_scalars_of_all_types_in_one_block(device: Device) -> None:
    """The block's order is not that of the parameters: 64 bits come first."""
    requires(device, i64, f64)

    @kernel
    def scalars(
        a: u8, b: f64, c: i8, d: i64, e: bool, f: f16, g: u64, h: bf16, i: f32, j: u32, out: GlobalMut[f64]
    ) -> None:
        out[0], out[1], out[2], out[3] = f64(a), b, f64(c), f64(d)
        out[4], out[5], out[6], out[7] = f64(e), f64(f), f64(g), f64(h)
        out[8], out[9] = f64(i), f64(j)

    out = Buffer.zeros(10, f64, device)
    scalars.with_threads(1).with_groups(1)(255, 0.1, -128, -(2**40), True, 0.1, 2**50, 0.1, 0.1, 2**32 - 1, out)
    expected = [255, 0.1, -128, -(2**40), 1, float(np.float16(0.1)), 2**50, float(bf16(0.1)), float(np.float32(0.1))]
    assert out.numpy().tolist() == [*expected, 2**32 - 1]


def test_numpys_scalars_fit() -> None:
    x, y = Buffer.ones(1, f32), Buffer.zeros(1, f32)
    for alpha in (1, True, np.float16(1), np.float32(1), np.float64(1), np.int8(1), np.uint64(1), bf16(1), np.True_):
        saxpy(alpha, x, y)
    assert y.numpy()[0] == 9


def test_special_floats_pass() -> None:
    out = Buffer.zeros(1, f32)
    for value in (float("inf"), float("-inf"), 3.4028235677973366e38 - 1e31):
        saxpy(value, Buffer.ones(1, f32), out)
        assert out.numpy()[0] == np.float32(value)
        out.fill(0)
    saxpy(float("nan"), Buffer.ones(1, f32), out)
    assert np.isnan(out.numpy()[0])


# ------------------------------------------------------------------------------------------------- type variables


def test_type_variables_follow_the_buffers(device: Device) -> None:
    @kernel
    def convert(x: Item[T], y: ItemMut[U], scale: T) -> None:
        y = U(x * scale)

    y = Buffer.zeros(3, i8, device)
    convert(on(device, [1, 2, 300]), y, 1)
    assert y.numpy().tolist() == [1, 2, 127]
    convert(on(device, [1, 2, 3], np.uint32), y, np.int64(2))  # a number takes the type of the buffers
    assert y.numpy().tolist() == [2, 4, 6]


def test_numpys_scalars_decide_where_no_buffer_does(device: Device) -> None:
    @kernel
    def store(value: T, out: GlobalMut[f32]) -> None:
        out[0] = f32(value // T(2))

    out = Buffer.zeros(1, f32, device)
    store.with_threads(1).with_groups(1)(np.int32(-3), out)
    assert out.numpy()[0] == -2
    store.with_threads(1).with_groups(1)(np.uint8(255), out)
    assert out.numpy()[0] == 127
    store.with_threads(1).with_groups(1)(np.float32(5), out)
    assert out.numpy()[0] == 2


def test_one_program_for_each_choice_of_types() -> None:
    @kernel
    def twice(x: ItemMut[F]) -> None:
        x = x + x

    programs = twice.definition.programs
    twice(Buffer.ones(3, f32))
    twice(Buffer.ones(3, f32))
    assert [p.name for p in programs.values()] == ["twice_f32"]
    twice(Buffer.ones((2, 3), bf16)[:, ::2])
    assert [p.name for p in programs.values()] == ["twice_f32", "twice_bf16"]


# ----------------------------------------------------------------------------------------------------------- items


@pytest.mark.parametrize("shape", [(), (1,), (1000,), (3, 5), (2, 3, 4, 5)], ids=str)
def test_items_of_any_shape(device: Device, shape: tuple[int, ...]) -> None:
    a = np.random.default_rng(0).integers(0, 99, shape).astype(np.int32)
    out = Buffer.empty(shape, i32, device)
    add(Buffer.from_numpy(a, device), Buffer.from_numpy(2 * a, device), out)
    assert np.array_equal(out.numpy(), 3 * a)


def test_strided_and_broadcast_items(device: Device) -> None:
    matrix = np.arange(24, dtype=np.float32).reshape(4, 6)
    row = np.arange(6, dtype=np.float32)
    column = np.arange(4, dtype=np.float32).reshape(4, 1)
    out = Buffer.zeros((6, 8), f32, device)
    m, r, c = (Buffer.from_numpy(a, device) for a in (matrix, row, column))
    target = out[:, ::2].transpose()
    add(m, r.broadcast_to((4, 6)), target)
    add(target, c.broadcast_to((4, 6)), target)
    expected = np.zeros((6, 8), np.float32)
    expected[:, ::2] = (matrix + row + column).T
    assert np.array_equal(out.numpy(), expected)


def test_item_ids_are_row_major_whatever_the_strides(device: Device) -> None:
    for shape in ((3, 4), (2, 3)):
        expected = np.arange(np.prod(shape)).reshape(shape) * 10 + 1
        out = Buffer.zeros(shape, i32, device)
        number_items(out)
        assert np.array_equal(out.numpy(), expected)
        turned = Buffer.zeros(shape[::-1], i32, device).transpose()
        number_items(turned)
        assert np.array_equal(turned.numpy(), expected)


def test_more_axes_than_code_is_made_for(device: Device) -> None:
    """Nine axes of two, in reverse order, of which no two can be merged."""
    a = np.arange(2**9, dtype=np.int32).reshape((2,) * 9)
    one = Buffer.ones(a.shape, i32, device)
    source = Buffer.from_numpy(a.copy(), device).transpose()
    out = Buffer.empty(a.shape, i32, device)
    add(source, one, out)
    assert np.array_equal(out.numpy(), a.T + 1)
    with pytest.raises(LaunchError, match=r"add: out is written to and is strided along 9 axes .* at most 8"):
        add(one, one, source)
    two = Buffer.from_numpy(np.arange(2**8, dtype=np.int32).reshape((2,) * 8), device).transpose()
    add(two, two, two)
    assert two.numpy()[0, 0, 0, 0, 0, 0, 0, 1] == 2**7 * 2


def test_items_that_are_identical_or_apart(device: Device) -> None:
    x = on(device, np.arange(12))
    add(x, x, x)
    assert x.numpy().tolist() == list(range(0, 24, 2))
    add(x[::2], x[::2], x[1::2])  # between each other, sharing none
    assert x.numpy()[1::2].tolist() == [2 * v for v in x.numpy()[::2].tolist()]
    square = x.reshape((3, 4))
    add(square[:, :2], square[:, :2], square[:, 2:])
    assert np.array_equal(square.numpy()[:, 2:], 2 * square.numpy()[:, :2])


def test_no_items(device: Device) -> None:
    nothing = Buffer.zeros((3, 0), f32, device)
    saxpy(1.0, nothing, nothing)
    with pytest.raises(LaunchError, match="alpha"):
        saxpy("1", nothing, nothing)


def test_items_beside_globals(device: Device) -> None:
    out = Buffer.empty((2, 2), f32, device)
    table = on(device, [10, 11, 12, 13, 14, 15])
    gather(on(device, [[5, 4], [0, 1]], np.int32), table, out)
    assert out.numpy().tolist() == [[15, 14], [10, 11]]
    gather(on(device, [[0, 1], [2, 2]], np.int32), table[::2], out)
    assert out.numpy().tolist() == [[10, 12], [14, 14]]


def test_more_items_than_groups(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread takes several items where the groups don't suffice."""
    x, y = Buffer.ones(5000, f32, device), Buffer.zeros(5000, f32, device)
    saxpy.with_groups(2).with_threads(8)(1.0, x, y)
    saxpy.with_global_threads(100)(1.0, x, y)
    saxpy.with_groups(0)(1.0, x, y)
    assert np.array_equal(y.numpy(), np.full(5000, 2))


def test_items_launch_as_many_groups_as_there_are_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device.host()
    launched = []
    monkeypatch.setattr(type(device.backend), "launch", lambda *a: launched.append(a[2]))
    x = Buffer.ones(1000, f32)
    one = saxpy.with_threads(64)
    one(1.0, x, x)
    (plan,) = [p for p in saxpy.definition.plans.values() if isinstance(p, Plan) and p.threads == (64, 1, 1)]
    monkeypatch.setattr(plan, "max_groups", 5)
    saxpy.definition.dispatches.clear()
    one(1.0, x, x)
    one(1.0, x[:64], x[:64])
    assert launched == [(16, 1, 1), (5, 1, 1), (1, 1, 1)]


# --------------------------------------------------------------------------------------------------------- globals


def test_globals_and_views_of_them(device: Device) -> None:
    a = np.random.default_rng(1).standard_normal((7, 9)).astype(np.float32)
    b = np.random.default_rng(2).standard_normal((9, 5)).astype(np.float32)
    c = Buffer.zeros((7, 5), f32, device)
    launch = matmul.with_global_threads(5, 7)
    launch(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), c)
    # Sums of 9 products of magnitude up to about 10: each rounding is at most 10 * 2**-24.
    np.testing.assert_allclose(c.numpy(), a @ b, atol=18 * 10 * 2**-24, rtol=0)
    transposed = Buffer.zeros((5, 7), f32, device)
    launch(Buffer.from_numpy(a.T.copy(), device).transpose(), Buffer.from_numpy(b, device), transposed.transpose())
    np.testing.assert_allclose(transposed.numpy().T, a @ b, atol=18 * 10 * 2**-24, rtol=0)
    part = Buffer.zeros((3, 5), f32, device)
    launch(Buffer.from_numpy(a, device)[2:5], Buffer.from_numpy(b, device), part)
    np.testing.assert_allclose(part.numpy(), (a @ b)[2:5], atol=18 * 10 * 2**-24, rtol=0)


def test_empty_globals(device: Device) -> None:
    @kernel
    def count(table: Global[f32, 2], out: GlobalMut[i32]) -> None:
        out[0] = table.shape[0] * 100 + table.shape[1]
        out[1] = i32(len(table))

    out = Buffer.zeros(2, i32, device)
    count.with_groups(1).with_threads(1)(Buffer.zeros((0, 3), f32, device), out)
    assert out.numpy().tolist() == [3, 0]


def test_out_is_launched_as_a_global(device: Device) -> None:
    a = np.arange(12, dtype=np.int32).reshape(3, 4)
    out = Buffer.empty(3, i32, device)
    row_sums.with_global_threads(3)(Buffer.from_numpy(a, device), out)
    assert out.numpy().tolist() == [6, 22, 38]


# ------------------------------------------------------------------------------------------------------------ specs


def test_specialize(device: Device) -> None:
    @kernel
    def write(out: ItemMut[f32], N: Spec[i32], SCALE: Spec[f32] = 0.5, NEGATE: Spec[bool] = False) -> None:
        v = f32(N) * SCALE
        out = -v if NEGATE else v

    out = Buffer.zeros(2, f32, device)
    four = write.specialize(N=4)
    four(out)
    assert out.numpy().tolist() == [2, 2]
    four.specialize(SCALE=3)(out)
    assert out.numpy().tolist() == [12, 12]
    four(out, NEGATE=True)
    assert out.numpy().tolist() == [-2, -2]
    write(out, N=np.int64(10))
    assert out.numpy().tolist() == [5, 5]
    four(out)
    assert out.numpy().tolist() == [2, 2]


def test_specs_of_type_variables_and_signed_zeros(device: Device) -> None:
    @kernel
    def write(out: ItemMut[T], VALUE: Spec[T]) -> None:
        out = VALUE

    floats, integers = Buffer.ones(1, f32, device), Buffer.zeros(1, i32, device)
    write.specialize(VALUE=3)(integers)
    write.specialize(VALUE=0.0)(floats)
    assert not np.signbit(floats.numpy()[0]) and integers.numpy()[0] == 3
    write.specialize(VALUE=-0.0)(floats)
    assert np.signbit(floats.numpy()[0])
    with pytest.raises(LaunchError, match=r"write: VALUE is i32; got 3\.0 \(float\)"):
        write.specialize(VALUE=3.0)(integers)


# --------------------------------------------------------------------------------------------------------- geometry


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (lambda k: k.with_threads(4).with_groups(3), [[3, 1, 1], [4, 1, 1], [12, 1, 1]]),
        (lambda k: k.with_groups(1, 2, 3).with_threads(2, 3, 4), [[1, 2, 3], [2, 3, 4], [2, 6, 12]]),
        (lambda k: k.with_threads(4, 2).with_global_threads(5, 4, 3), [[2, 2, 3], [4, 2, 1], [8, 4, 3]]),
        (lambda k: k.with_groups(7).with_global_threads(1).with_threads(2), [[1, 1, 1], [2, 1, 1], [2, 1, 1]]),
        (lambda k: k.with_global_threads(9).with_groups(2).with_threads(2), [[2, 1, 1], [2, 1, 1], [4, 1, 1]]),
    ],
)
def test_geometry(device: Device, how: Any, expected: list[list[int]]) -> None:
    out = Buffer.zeros((3, 3), i32, device)
    how(geometry)(out)
    assert out.numpy().tolist() == expected


def test_nothing_to_launch(device: Device) -> None:
    out = Buffer.zeros((3, 3), i32, device)
    geometry.with_groups(0)(out)
    geometry.with_global_threads(3, 0)(out)
    assert not out.numpy().any()


def test_default_threads(device: Device) -> None:
    out = Buffer.zeros((3, 3), i32, device)
    geometry.with_groups(1)(out)
    info = device.info
    assert out.numpy()[1].tolist() == [min(256, info.max_threads, info.max_threads_xyz[0]), 1, 1]


# --------------------------------------------------------------------------------------------------------- compiling


def test_kernels_are_compiled_once(device: Device) -> None:
    @kernel
    def increment(x: ItemMut[i32]) -> None:
        x += 1

    built: list[int] = []
    x = Buffer.zeros((4, 6), i32, device)
    calls = [
        lambda: increment(x),
        lambda: increment(x[0]),  # contiguous too
        lambda: increment(x[:, ::2]),  # one axis after merging
        lambda: increment(x[0, ::2]),  # one axis as well
        lambda: increment(x[:, 1:3]),  # two axes
        lambda: increment.with_threads(32)(x),
        lambda: increment.with_groups(2)(x),  # the same code as by default
    ]
    for number, call in enumerate(3 * calls):
        with hooks.on_compile(lambda _, number=number: built.append(number)):
            call()
    assert built == [0, 2, 4, 5]


def test_debug_mode_is_compiled_apart(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    @kernel
    def beyond(x: ItemMut[f32], table: Global[f32]) -> None:
        x = table[7]

    x, table = Buffer.ones(2, f32, device), Buffer.ones(3, f32, device)
    if device.info.kind != "interpreter":
        beyond(x, table)
        assert x.numpy().tolist() == [0, 0]
    monkeypatch.setattr(config, "debug", True)
    with pytest.raises(krnlpy.KernelIndexError, match=r"index 7 .*3") as caught:
        beyond(x, table)
    assert caught.value.file == __file__
    assert "x = table[7]" in str(caught.value)


def test_threads_launch_at_once(device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("takes one launch at a time")

    @kernel
    def increment(x: ItemMut[i32], by: i32) -> None:
        x += by

    buffers = [Buffer.zeros(100, i32, device) for _ in range(4)]
    failures = []

    def work(x: Buffer) -> None:
        try:
            for _ in range(20):
                increment(x, 1)
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(x,)) for x in buffers]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    assert all(np.array_equal(x.numpy(), np.full(100, 20)) for x in buffers)


def test_a_kernel_looks_like_its_function() -> None:
    @kernel
    def documented(alpha: f32, x: Item[f32], y: ItemMut[f32]) -> None:
        """y plus alpha times x."""
        y += alpha * x

    assert isinstance(documented, Kernel) and documented.name == untyped(documented).__name__ == "documented"
    assert documented.__doc__ == "y plus alpha times x." and documented.__module__ == __name__
    assert repr(documented) == "<kernel documented(alpha, x, y)>"
    assert documented.with_threads(4).name == "documented"
    assert [p.name for p in matmul.signature.parameters] == ["a", "b", "c", "TILE"]

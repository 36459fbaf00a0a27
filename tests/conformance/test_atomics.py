"""Atomics: each operation of each type, in buffers, strided views and group arrays, alone and contended for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import Buffer, Device, StructBuffer, dsl, kernel, struct_dtype
from krnlpy.dsl import (
    atomic_add,
    atomic_and,
    atomic_compare_exchange,
    atomic_exchange,
    atomic_max,
    atomic_min,
    atomic_or,
    atomic_sub,
    atomic_xor,
    barrier,
    global_id,
    group_array,
    ivec3,
    mat2,
    thread_id,
    vec3,
)
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, ItemMut
from krnlpy.errors import KernelIndexError, MissingFeatures
from krnlpy.features import FLOAT_ATOMICS, Feature
from krnlpy.scalar import ScalarType, bf16, boolean, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from tests.support.launching import Launcher
from tests.support.tiers import sampled

from .values import NUMBERS, assert_same, pairs

T = TypeVar("T")
ARITHMETIC = ("add", "sub", "min", "max", "exchange", "compare_exchange")
BITWISE = ("and", "or", "xor")
NARROW = (u8, i8, u16, i16, f16, bf16)

Array = np.ndarray[Any, Any]


@pytest.fixture(params=["as it is", "masked"])
def any_launch(request: pytest.FixtureRequest, device: Device, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """A launcher on each device, and on each Vulkan device once more without what it need not have."""
    backend: Any = device.backend
    if request.param == "masked":
        if device.info.backend != "vulkan":
            pytest.skip("its atomics depend on no features")
        masked = FLOAT_ATOMICS | {Feature.STORAGE8, Feature.STORAGE16}
        without = replace(backend._device.info, features=backend._device.info.features - masked)
        monkeypatch.setattr(backend._device, "info", without)
    return Launcher(backend)


def needs(launch: Launcher, *types: ScalarType) -> None:
    """Skips the test if the device has no atomics of one of the types."""
    launch.needs(*types)
    wanted = {Feature.INT64, Feature.INT64_ATOMICS, Feature.GROUP_INT64_ATOMICS}
    if any(t.size == 8 for t in types) and not wanted <= launch.backend.info.features:
        pytest.skip("the device has no atomics of 64 bits")


def applied(operation: str, old: Array, value: Array, expected: Array) -> Array:
    """The operation of NumPy arrays, in the type of computation."""
    if operation == "compare_exchange":
        bits = f"u{old.itemsize}"
        return np.where(old.view(bits) == expected.view(bits), value, old)
    compute = np.float32 if old.dtype.itemsize == 2 and old.dtype.kind not in "iu" else old.dtype
    a, b = old.astype(compute), value.astype(compute)
    compute_new: dict[str, Callable[[], Array]] = {
        "add": lambda: a + b,
        "sub": lambda: a - b,
        "min": lambda: np.where(b < a, b, a),
        "max": lambda: np.where(b > a, b, a),
        "and": lambda: a & b,
        "or": lambda: a | b,
        "xor": lambda: a ^ b,
        "exchange": lambda: b,
    }
    with np.errstate(all="ignore"):
        return compute_new[operation]().astype(old.dtype)


CASES = [(op, t) for t in NUMBERS for op in (*ARITHMETIC, *(BITWISE if t.is_integer else ()))]
CASES += [(op, boolean) for op in (*BITWISE, "exchange", "compare_exchange")]


@pytest.mark.parametrize(("operation", "type"), sampled(CASES, 5), ids=str)
def test_each_operation_of_each_type(any_launch: Launcher, operation: str, type: ScalarType) -> None:
    launch = any_launch
    needs(launch, type)
    atomic: Any = getattr(dsl, f"atomic_{operation}")
    exchanges = operation == "compare_exchange"

    def kernel(
        a: GlobalMut[T], s: GlobalMut[T, 2], value: Global[T], expected: Global[T], out: GlobalMut[T, 2]
    ) -> None:
        g = group_array(T, (2, 16))
        i = global_id()
        k = thread_id()
        if i < len(a):
            g[1, k] = a[i]
            if exchanges:
                out[0, i] = atomic(a[i], expected[i], value[i])
                out[1, i] = atomic(s[i, 1], expected[i], value[i])
                out[2, i] = atomic(g[1, k], expected[i], value[i])
            else:
                out[0, i] = atomic(a[i], value[i])
                out[1, i] = atomic(s[i, 1], value[i])
                out[2, i] = atomic(g[1, k], value[i])
            out[3, i] = g[1, k]

    old, value = pairs(type)
    expected = np.where(np.arange(old.size) % 2 == 0, old, np.roll(old, 1))
    base = np.zeros((old.size, 5), type.dtype)
    strided = base[::-1, 1:4:2]
    strided[:, 1] = old
    out = np.zeros((4, old.size), type.dtype)
    groups = (-(-old.size // 16), 1, 1)
    a, s, *_, got = launch(kernel, old, strided, value, expected, out, groups=groups)
    want = applied(operation, old, value, expected)
    for new in (a, np.ascontiguousarray(s[:, 1]), got[3]):
        assert_same(new, want, old, value)
    for seen in got[:3]:
        assert_same(seen, old, value)
    assert not s[:, 0].any()  # the neighbours are as they were


@pytest.mark.parametrize("type", [u32, i32, u64, i64, f32, f64, u16, f16], ids=str)
def test_old_values_of_additions_are_a_permutation(any_launch: Launcher, type: ScalarType) -> None:
    launch = any_launch
    needs(launch, type)

    def kernel(a: GlobalMut[T], total: GlobalMut[T], of_all: GlobalMut[T], of_group: GlobalMut[T]) -> None:
        g = group_array(T, 3)
        i = global_id()
        of_all[i] = atomic_add(a[1], 1)
        of_group[i] = atomic_sub(g[1], 1)
        barrier()
        if thread_id() == 0:
            atomic_sub(total[0], g[1])

    zeros = np.zeros(256, type.dtype)
    a, total, of_all, of_group = launch(
        kernel, zeros[:3], zeros[:1], zeros, zeros, threads=(64, 1, 1), groups=(4, 1, 1)
    )
    assert_same(a, np.array([0, 256, 0]).astype(type.dtype))
    assert_same(total, np.array([256]).astype(type.dtype))
    assert_same(np.sort(of_all), np.arange(256).astype(type.dtype))
    # Each group has its own array. Negative numbers of unsigned types wrap.
    counts = 0 - of_group.astype(np.int64) if type.kind != "uint" else (0 - of_group).astype(np.int64)
    assert (np.sort(counts.reshape(4, 64)) == np.arange(64)).all()


@pytest.mark.parametrize("type", NARROW, ids=str)
def test_neighbours_in_one_word_lose_nothing(any_launch: Launcher, type: ScalarType) -> None:
    def kernel(a: GlobalMut[T], count: i32) -> None:
        g = group_array(T, 7)
        i = global_id()
        atomic_add(a[i % count], 1)
        atomic_add(g[i % 7], 1)
        barrier()
        if thread_id() < 7:
            atomic_add(a[count + thread_id()], g[thread_id()])

    start = np.zeros(14, type.dtype)
    (a,) = any_launch(kernel, start, 7, threads=(32, 1, 1), groups=(8, 1, 1))
    want = np.bincount(np.arange(256) % 7).astype(type.dtype)
    assert_same(a, np.concatenate([want, want]))


@pytest.mark.parametrize("type", [u8, i8, u16, i16], ids=str)
def test_contended_narrow_integers_wrap(any_launch: Launcher, type: ScalarType) -> None:
    def kernel(a: GlobalMut[T], out: GlobalMut[T], step: T) -> None:
        g = group_array(T, 2)
        atomic_add(a[1], step)
        atomic_add(g[1], step)
        barrier()
        if thread_id() == 0:
            out[0] = g[1]

    step = type.max - 4
    a, out = any_launch(kernel, np.zeros(3, type.dtype), np.zeros(1, type.dtype), step, groups=(1, 1, 1))
    want = np.array([0, 16 * step, 0]).astype(type.dtype)
    assert_same(a, want)
    assert_same(out, want[1:2])


@pytest.mark.parametrize("type", NUMBERS, ids=str)
def test_contended_extremes(any_launch: Launcher, type: ScalarType) -> None:
    launch = any_launch
    needs(launch, type)

    def kernel(x: Global[T], least: GlobalMut[T], greatest: GlobalMut[T]) -> None:
        low = group_array(T, 1)
        high = group_array(T, 1)
        i = global_id()
        if thread_id() == 0:
            low[0] = x[i]
            high[0] = x[i]
        barrier()
        atomic_min(low[0], x[i])
        atomic_max(high[0], x[i])
        barrier()
        if thread_id() == 0:
            atomic_min(least[1], low[0])
            atomic_max(greatest[1], high[0])

    rng = np.random.default_rng(3)
    if type.is_float:
        x = rng.normal(size=256).astype(type.dtype)
    else:
        x = rng.integers(type.min, type.max, 256, type.dtype, endpoint=True)
    ends = np.full(3, x[0])
    _, least, greatest = launch(kernel, x, ends, ends, threads=(64, 1, 1), groups=(4, 1, 1))
    assert_same(least, np.array([x[0], x.min(), x[0]], type.dtype))
    assert_same(greatest, np.array([x[0], x.max(), x[0]], type.dtype))


def test_the_first_to_set_a_truth_value_knows(any_launch: Launcher) -> None:
    """Of all threads that find one false and set it, as they mark what they visit."""

    def kernel(a: GlobalMut[bool], b: GlobalMut[bool], c: GlobalMut[bool], won: GlobalMut[bool, 2], n: i32) -> None:
        g = group_array(bool, 5)
        i = global_id()
        at = i % n
        won[0, i] = not atomic_or(a[at], True)
        won[1, i] = not atomic_exchange(b[at], True)
        won[2, i] = atomic_compare_exchange(c[at], True, False)
        won[3, i] = not atomic_or(g[thread_id() % 5], True)
        barrier()
        if thread_id() < 5:
            atomic_and(a[n + thread_id()], not g[thread_id()])

    def numbers(*arguments: Any) -> list[Array]:
        return any_launch(kernel, *arguments, 7, threads=(64, 1, 1), groups=(4, 1, 1))

    start = np.arange(13) > 6  # seven, and five that the groups clear, and one that nobody touches
    a, b, c, won = numbers(start, start, np.full(13, True), np.zeros((4, 256), bool))
    assert a.tolist() == [True] * 7 + [False] * 5 + [True]
    assert b.tolist() == [True] * 13 and c.tolist() == [False] * 7 + [True] * 6
    for row in won[:3]:
        assert np.bincount(np.arange(256) % 7, row).tolist() == [1] * 7
    assert [np.bincount(np.arange(64) % 5, row).tolist() for row in won[3].reshape(4, 64)] == [[1] * 5] * 4


def test_bytes_of_others_are_true_to_atomics(any_launch: Launcher) -> None:
    def kernel(a: GlobalMut[bool], old: GlobalMut[bool]) -> None:
        i = global_id()
        if i < 4:
            old[i] = atomic_and(a[i], True)
            old[4 + i] = atomic_xor(a[4 + i], True)
            old[8 + i] = atomic_compare_exchange(a[8 + i], True, False)

    bytes = np.array([0, 1, 2, 255] * 3, np.uint8)
    a, old = any_launch(kernel, bytes.view(bool), np.zeros(12, bool), groups=(1, 1, 1))
    assert a.view(np.uint8).tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert old.view(np.uint8).tolist() == [0, 1, 1, 1] * 3


def test_contended_bits(launch: Launcher) -> None:
    def kernel(a: GlobalMut[u32], seen: GlobalMut[u32]) -> None:
        i = global_id()
        seen[i] = atomic_or(a[i // 32], u32(1) << (i % 32))

    a, seen = launch(kernel, np.zeros(4, np.uint32), np.zeros(128, np.uint32), groups=(8, 1, 1))
    assert (a == 0xFFFFFFFF).all()
    bits = np.array([bin(s).count("1") for s in seen])
    assert (np.sort(bits.reshape(4, 32)) == np.arange(32)).all()


@pytest.mark.parametrize("type", [u32, f32, u8, f16, f64], ids=str)
def test_exchanged_values_are_handed_on(any_launch: Launcher, type: ScalarType) -> None:
    launch = any_launch
    needs(launch, type)

    def kernel(a: GlobalMut[T], seen: GlobalMut[T]) -> None:
        i = global_id()
        seen[i] = atomic_exchange(a[2], T(i + 1))

    a, seen = launch(kernel, np.zeros(4, type.dtype), np.zeros(128, type.dtype), groups=(8, 1, 1))
    every = np.concatenate([seen, a[2:3]]).astype(np.int64)
    assert (np.sort(every) == np.arange(129)).all()


@pytest.mark.parametrize("type", [u32, i64, f32, f64, u16, bf16], ids=str)
def test_a_maximum_by_compare_and_exchange(any_launch: Launcher, type: ScalarType) -> None:
    launch = any_launch
    needs(launch, type)

    @func
    def raise_to(a: GlobalMut[T], i, value) -> None:
        old = atomic_add(a[i], 0)
        while old < value:
            seen = atomic_compare_exchange(a[i], old, value)
            if seen == old:
                break
            old = seen

    def kernel(x: Global[T], a: GlobalMut[T]) -> None:
        raise_to(a, 1, x[global_id()])

    x = np.random.default_rng(5).permutation(np.arange(1, 129)).astype(type.dtype)
    _, a = launch(kernel, x, np.zeros(2, type.dtype), groups=(8, 1, 1))
    assert_same(a, np.array([0, x.max()], type.dtype))


def test_a_histogram_in_a_group_array(launch: Launcher) -> None:
    def kernel(x: Global[u32], counts: GlobalMut[u32]) -> None:
        own = group_array(u32, 16)
        i = global_id()
        for k in range(i, len(x), 64):
            atomic_add(own[i32(x[k])], 1)
        barrier()
        if thread_id() < 16:
            atomic_add(counts[thread_id()], own[thread_id()])

    x = np.random.default_rng(7).integers(0, 16, 1000).astype(np.uint32)
    counts = launch(kernel, x, np.zeros(16, np.uint32), threads=(32, 1, 1), groups=(2, 1, 1))[1]
    assert_same(counts, np.bincount(x, minlength=16).astype(np.uint32))


def test_neighbouring_threads_touch_one_element_in_order(launch: Launcher) -> None:
    """On the host a group's threads are a loop: a vectorised one would read before the neighbour wrote."""

    def kernel(x: Global[f32], sums: GlobalMut[f32]) -> None:
        g = group_array(f32, 65)
        k = thread_id()
        g[k] = x[global_id()]
        barrier()
        atomic_add(g[k // 4], x[global_id()])
        barrier()
        sums[global_id()] = g[k]

    x = np.arange(64, dtype=np.float32)
    got = launch(kernel, x, np.zeros(64, np.float32), threads=(64, 1, 1), groups=(1, 1, 1))[1]
    want = x.copy()
    want[:16] += x.reshape(16, 4).sum(1)
    assert_same(got, want)


@pytest.mark.parametrize("strided", [False, True])
def test_items_add_to_a_buffer(launch: Launcher, strided: bool) -> None:
    def kernel(x: ItemMut[u32], counts: GlobalMut[u32], total: GlobalMut[f32]) -> None:
        old = atomic_add(counts[i32(x)], 1)
        atomic_add(total[0], f32(x))
        x = old

    x = np.random.default_rng(9).integers(0, 5, (40, 20)).astype(np.uint32)
    x = x[:, ::2] if strided else x
    old, counts, total = launch(kernel, x, np.zeros(5, np.uint32), np.zeros(1, np.float32))
    assert_same(counts, np.bincount(x.reshape(-1), minlength=5).astype(np.uint32))
    assert_same(total, np.array([x.sum()], np.float32))  # whole numbers: exact in any order
    for value in range(5):
        assert (np.sort(old[x == value]) == np.arange(counts[value])).all()


def test_components_of_vectors(launch: Launcher) -> None:
    def kernel(out: GlobalMut[i32, 2]) -> None:
        g = group_array(ivec3, 2)
        k = thread_id()
        atomic_add(g[0].y, 1)
        old = atomic_add(g[1][k % 3], k)
        barrier()
        out[k, 0] = g[0].y
        out[k, 1] = g[1][k % 3]
        out[k, 2] = old

    (out,) = launch(kernel, np.zeros((16, 3), np.int32), groups=(1, 1, 1))
    sums = np.array([sum(range(r, 16, 3)) for r in range(3)])
    assert (out[:, 0] == 16).all()
    assert (out[:, 1] == sums[np.arange(16) % 3]).all()
    assert (out[:, 2] < sums[np.arange(16) % 3]).all()


def test_whole_vectors_and_matrices(device: Device) -> None:
    @kernel(threads=16)
    def change(v: GlobalMut[ivec3], m: GlobalMut[mat2], old: GlobalMut[ivec3], swapped: GlobalMut[ivec3]) -> None:
        g = group_array(ivec3, 2)
        k = thread_id()
        atomic_add(g[k % 2], ivec3(1, k, -k))
        old[k] = atomic_sub(v[0], 1)
        atomic_max(v[1], ivec3(k, -k, 100 - k))
        if k < 7:
            atomic_xor(v[2], ivec3(k, 0, -1))
        atomic_add(m[0], 0.5)
        if k == 0:
            atomic_add(swapped[0], ivec3(atomic_add(swapped[1].x, 1), swapped[1].x, swapped[1].y))
        barrier()
        if k < 2:
            v[3 + k] = g[k]

    v, old = (Buffer.zeros((count, 3), i32, device) for count in (5, 16))
    m, swapped = Buffer.ones((1, 2, 2), f32, device), Buffer.full((2, 3), 7, i32, device)
    change.with_groups(1)(v, m, old, swapped)
    found = v.numpy()
    assert found[:3].tolist() == [[-16] * 3, [15, 0, 100], [7, 0, -1]]
    assert found[3:].tolist() == [[8, 56, -56], [8, 64, -64]]
    assert (m.numpy() == 9).all() and swapped.numpy().tolist() == [[14, 15, 14], [8, 7, 7]]
    assert (np.sort(old.numpy(), axis=0) == np.arange(-15, 1)[:, None]).all()


def test_the_value_is_read_before_the_first_part_changes(device: Device) -> None:
    @kernel(threads=1)
    def turn(v: GlobalMut[ivec3]) -> None:
        atomic_add(v[0], v[0].zyx)

    v = Buffer.from_numpy(np.array([[1, 2, 4]], np.int32), device)
    turn.with_groups(1)(v)
    assert v.numpy().tolist() == [[5, 4, 5]]


@dataclass
class Cell:
    tag: u8
    count: u8
    mass: f32
    moment: vec3


def test_fields_of_structs(device: Device) -> None:
    @kernel(threads=64)
    def gather(cells: GlobalMut[Cell]) -> None:
        i = global_id()
        cell = i % len(cells)
        atomic_add(cells[cell].count, 1)
        atomic_add(cells[cell].mass, 0.5)
        atomic_max(cells[cell].moment[i % 3], f32(i))

    start = np.zeros(3, struct_dtype(Cell))
    start["tag"] = (7, 8, 9)
    cells = StructBuffer.from_numpy(start, device)
    gather.with_groups(2)(cells)
    got = cells.numpy()
    counts = np.bincount(np.arange(128) % 3)
    assert (got["tag"] == start["tag"]).all()
    assert (got["count"] == counts).all()
    assert (got["mass"] == counts * 0.5).all()
    # Cell i % 3 and component i % 3 are one number: the greatest i of each residue.
    assert (got["moment"] == np.diag([126, 127, 125])).all()


def test_an_atomic_in_an_expression_stands_in_order(launch: Launcher) -> None:
    def kernel(a: GlobalMut[i32], out: GlobalMut[i32]) -> None:
        i = global_id()
        out[3 * i] = a[i] + atomic_add(a[i], 5) * 10 + a[i] * 100
        if i > 0 and atomic_add(a[i], 1) == 7:
            out[3 * i + 1] = a[i]
        out[3 * i + 2] = atomic_max(a[i], 50) if i == 2 else 0

    a, out = launch(kernel, np.full(16, 2, np.int32), np.zeros(48, np.int32), groups=(1, 1, 1))
    out = out.reshape(16, 3)
    assert (out[:, 0] == 2 + 20 + 700).all()
    assert out[:, 1].tolist() == [0] + [8] * 15
    assert a.tolist() == [7, 8, 50] + [8] * 13
    assert out[:, 2].tolist() == [0, 0, 8] + [0] * 13


def test_out_of_range_nothing_happens(launch: Launcher) -> None:
    if launch.backend.info.backend == "interpreter":
        pytest.skip("it raises instead")

    def kernel(a: GlobalMut[i32], f: GlobalMut[f32], seen: GlobalMut[i32], past: i32) -> None:
        g = group_array(i32, 4)
        i = global_id()
        seen[i] = atomic_add(a[i + past], 1) + atomic_exchange(g[i + past], 3) + i32(atomic_max(f[-i - past], 9.0))

    ones = np.ones(16, np.int32)
    a, f, seen, *_ = launch(kernel, ones, ones.astype(np.float32), ones, 16, groups=(1, 1, 1))
    assert (a == 1).all() and (f == 1).all() and (seen == 0).all()


def test_debug_reports_an_index(launch: Launcher) -> None:
    def kernel(a: GlobalMut[i32]) -> None:
        atomic_add(a[global_id() + 3], 1)

    with pytest.raises(KernelIndexError, match="out of range"):
        launch(kernel, np.zeros(16, np.int32), groups=(1, 1, 1), debug=True)


def test_without_wide_atomics_the_kernel_says_so(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.info.backend != "vulkan" or Feature.INT64 not in device.info.features:
        pytest.skip("only devices can lack them")
    backend: Any = device.backend
    without = backend._device.info.features - {Feature.INT64_ATOMICS}
    monkeypatch.setattr(backend._device, "info", replace(backend._device.info, features=without))

    def kernel(a: GlobalMut[u64]) -> None:
        atomic_add(a[0], 1)

    with pytest.raises(MissingFeatures, match="int64_atomics"):
        Launcher(backend)(kernel, np.zeros(1, np.uint64), groups=(1, 1, 1))

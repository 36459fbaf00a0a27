"""print in kernels: the same text on every target, in the stated order."""

from __future__ import annotations

import math
import sys
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import config
from krnlpy.dsl import barrier, global_id, group_array, item_id, thread_id
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.scalar import SCALAR_TYPES, ScalarType, f32, f64, i8, i32, i64, u8, u16, u32, u64
from tests.support.launching import Launcher

T = TypeVar("T")
Output = pytest.CaptureFixture[str]


@pytest.fixture
def reporting(launch: Launcher) -> Launcher:
    """Devices that print by records: all but the interpreter, which writes at once."""
    if launch.backend.info.kind == "interpreter":
        pytest.skip("the interpreter needs no room for what it prints")
    return launch


def edge_values(type: ScalarType) -> np.ndarray[Any, Any]:
    if type.is_integer:
        values: list[Any] = [0, 1, 7, type.min, type.max, type.max - 1, type.min + 1]
    else:
        values = [0.0, -0.0, 1.0, 1.1, -2.5, 1 / 3, 1e4, math.inf, -math.inf, math.nan]
    return np.array(values, type.dtype)


@pytest.mark.parametrize("type", SCALAR_TYPES, ids=str)
def test_every_type_prints_as_its_number(launch: Launcher, capsys: Output, type: ScalarType) -> None:
    def kernel(x: Item[T]) -> None:
        print(x)

    values = edge_values(type)
    launch(kernel, values)
    # Of f32 (in which f16 and bf16 are computed) the shortest text that gives the number again, as NumPy's.
    numbers = [str(np.float32(v)) if type.compute is f32 else str(v.item()) for v in values]
    assert capsys.readouterr().out.splitlines() == numbers


def test_numbers_of_64_bits_are_whole(launch: Launcher, capsys: Output) -> None:
    launch.needs(i64, f64)

    def kernel(a: i64, b: u64, c: f64, y: ItemMut[i32]) -> None:
        print(y, a, b, c, y + 1)

    launch(kernel, -(2**62) - 5, 2**64 - 3, math.pi, np.array([1], np.int32))
    assert capsys.readouterr().out == f"1 {-(2**62) - 5} {2**64 - 3} {math.pi} 2\n"


def test_narrow_numbers_and_booleans(launch: Launcher, capsys: Output) -> None:
    def kernel(x: Item[i32]) -> None:
        print(i8(x), u8(x), u16(x), x > 0, not x > 0, u32(x))

    launch(kernel, np.array([-1, 300], np.int32))
    assert capsys.readouterr().out == "-1 255 65535 False True 4294967295\n44 44 300 True False 300\n"


def test_formats(launch: Launcher, capsys: Output) -> None:
    def kernel(x: Item[f32], n: i32) -> None:
        print(f"x={x:.3f} {x:>8.1e}|{n:+d} {n:#06x} {n:<5}| {n * 2}% {{}}", "text", 3, sep=" ~ ", end=".\n")
        print()
        print("no values")

    launch(kernel, np.array([2.0625], np.float32), 42)
    x, n = 2.0625, 42
    want = f"x={x:.3f} {x:>8.1e}|{n:+d} {n:#06x} {n:<5}| {n * 2}% {{}} ~ text ~ 3.\n\nno values\n"
    assert capsys.readouterr().out == want


def test_items_come_in_their_order(launch: Launcher, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(x: Item[i32], once: i32) -> None:
        if x % 3 == 0:
            # As loops go, worth several workers on the host.
            for _ in range(once):
                for _ in range(once):
                    for _ in range(once):
                        print("item", item_id(), end=";")
            print("value", x)

    monkeypatch.setattr(config, "host_threads", 4)
    count = 5000
    launch(kernel, np.arange(count, dtype=np.int32) + 1, 1, threads=(64, 1, 1))
    want = "".join(f"item {i};value {i + 1}\n" for i in range(count) if (i + 1) % 3 == 0)
    assert capsys.readouterr().out == want


def test_items_of_which_a_thread_takes_several(launch: Launcher, capsys: Output) -> None:
    def kernel(x: Item[i32]) -> None:
        print(item_id(), x)

    launch(kernel, np.arange(10, 110, dtype=np.int32), threads=(4, 1, 1), groups=(3, 1, 1))
    assert capsys.readouterr().out == "".join(f"{i} {i + 10}\n" for i in range(100))
    launch(kernel, np.arange(10, 110, dtype=np.int32), threads=(4, 4, 1), groups=(2, 2, 2))
    assert capsys.readouterr().out == "".join(f"{i} {i + 10}\n" for i in range(100))


def test_strided_items(launch: Launcher, capsys: Output) -> None:
    def kernel(x: Item[i32]) -> None:
        print(item_id(), x)

    x = np.arange(12, dtype=np.int32).reshape(3, 4)
    launch(kernel, x.T)
    assert capsys.readouterr().out == "".join(f"{i} {v}\n" for i, v in enumerate(x.T.reshape(-1).tolist()))


def test_groups_then_threads_then_their_own_order(launch: Launcher, capsys: Output) -> None:
    def kernel(y: GlobalMut[i32]) -> None:
        for k in range(2):
            print(global_id(0), global_id(1), global_id(2), k)

    threads, groups = (3, 2, 2), (2, 2, 2)
    launch(kernel, np.zeros(1, np.int32), threads=threads, groups=groups)
    want = []
    for g in np.ndindex(groups[::-1]):
        for t in np.ndindex(threads[::-1]):
            z, y, x = (g[a] * threads[::-1][a] + t[a] for a in range(3))
            want += [f"{x} {y} {z} {k}\n" for k in range(2)]
    assert capsys.readouterr().out == "".join(want)


def test_around_barriers(launch: Launcher, capsys: Output) -> None:
    def kernel(y: GlobalMut[i32]) -> None:
        shared = group_array(i32, 4)
        shared[thread_id()] = global_id() * 10
        print("before", global_id())
        barrier()
        print("after", shared[3 - thread_id()])

    launch(kernel, np.zeros(1, np.int32), threads=(4, 1, 1), groups=(2, 1, 1))
    want = [f"before {4 * g + t}\nafter {10 * (4 * g + 3 - t)}\n" for g in range(2) for t in range(4)]
    assert capsys.readouterr().out == "".join(want)


@func
def halved(x: f32, depth: i32):
    print("  halved", x, depth)
    return x / 2.0


@func
def quartered(x: f32):
    print(" quartered", x)
    return halved(halved(x, 1), 2)


@func
def exchanged(values: Global[f32], x: f32) -> None:
    barrier()
    print("in a function with a barrier", values[0], x)


def test_functions(launch: Launcher, capsys: Output) -> None:
    def kernel(x: Item[f32], y: ItemMut[f32]) -> None:
        y = quartered(x) + halved(x, 0)
        print(y)

    got = launch(kernel, np.array([8, 16], np.float32), np.zeros(2, np.float32))[1]
    assert got.tolist() == [6.0, 12.0]
    one = " quartered 8.0\n  halved 8.0 1\n  halved 4.0 2\n  halved 8.0 0\n6.0\n"
    two = " quartered 16.0\n  halved 16.0 1\n  halved 8.0 2\n  halved 16.0 0\n12.0\n"
    assert capsys.readouterr().out == one + two


def test_functions_written_out(launch: Launcher, capsys: Output) -> None:
    def kernel(x: Global[f32]) -> None:
        exchanged(x, 2.0)

    launch(kernel, np.array([8], np.float32), threads=(2, 1, 1), groups=(1, 1, 1))
    assert capsys.readouterr().out == "in a function with a barrier 8.0 2.0\n" * 2


def test_launches_come_in_their_order(launch: Launcher, capsys: Output) -> None:
    def kernel(n: i32, x: Item[i32]) -> None:
        print("launch", n, "item", x)

    def silent(n: i32, x: Item[i32]) -> None:
        if n < 0:
            print("never")

    for n in range(5):
        launch(kernel, n, np.arange(3, dtype=np.int32))
        launch(silent, n, np.arange(3, dtype=np.int32))
    assert capsys.readouterr().out == "".join(f"launch {n} item {i}\n" for n in range(5) for i in range(3))


def test_the_rest_of_the_kernel_is_not_changed(launch: Launcher, capsys: Output) -> None:
    def kernel(x: Item[f32], y: ItemMut[f32]) -> None:
        y = x * 2.0 + y
        if x == 70000.0:
            print("there", y)
        y += 1.0

    x, y = np.arange(100000, dtype=np.float32), np.ones(100000, np.float32)
    assert (launch(kernel, x, y)[1] == x * 2 + 2).all()
    assert capsys.readouterr().out == "there 140001.0\n"


def test_what_has_no_room_is_counted(reporting: Launcher, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(x: Item[i32]) -> None:
        print("item", x)

    monkeypatch.setattr(config, "print_bytes", 7 * 20 + 10)
    with pytest.warns(RuntimeWarning, match=r"kernel: 993 prints .*krnlpy\.config\.print_bytes, or KRNLPY"):
        reporting(kernel, np.arange(1000, dtype=np.int32))
    lines = capsys.readouterr().out.splitlines()
    shown = [int(line.removeprefix("item ")) for line in lines]
    assert len(shown) == 7 and shown == sorted(set(shown)) and shown[-1] < 1000
    monkeypatch.setattr(config, "print_bytes", 1000 * 20)
    reporting(kernel, np.arange(1000, dtype=np.int32))
    assert capsys.readouterr().out == "".join(f"item {i}\n" for i in range(1000))
    monkeypatch.setattr(config, "print_bytes", 0)
    with pytest.warns(RuntimeWarning, match="1000 prints"):
        reporting(kernel, np.arange(1000, dtype=np.int32))
    assert not capsys.readouterr().out


def test_small_records_find_room_after_large_ones(
    reporting: Launcher, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kernel(x: Item[i32]) -> None:
        print("large", x, x, x, x, x, x)
        print("small")

    monkeypatch.setattr(config, "print_bytes", 40 + 16 + 16)
    with pytest.warns(RuntimeWarning, match="kernel: 1 prints"):
        reporting(kernel, np.arange(2, dtype=np.int32), groups=(1, 1, 1))
    out = capsys.readouterr().out
    assert out.count("small") == 2 and out.count("large") == 1


def test_what_is_indexed_may_be_out_of_range(reporting: Launcher, capsys: Output) -> None:
    def kernel(x: Global[i32], y: GlobalMut[i32]) -> None:
        print(x[thread_id()])

    reporting(kernel, np.array([5, 6], np.int32), np.zeros(1, np.int32), threads=(3, 1, 1), groups=(1, 1, 1))
    assert capsys.readouterr().out == "5\n6\n0\n"


def test_where_there_is_no_standard_output(launch: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in programs without a console: what is printed is lost, and the kernel runs."""

    def kernel(x: Global[i32], y: GlobalMut[i32]) -> None:
        print("x is", x[0])
        y[0] = x[0]

    y = np.zeros(1, np.int32)
    monkeypatch.setattr(sys, "stdout", None)
    _, found = launch(kernel, np.array([5], np.int32), y, threads=(1, 1, 1), groups=(1, 1, 1))
    monkeypatch.undo()
    assert found.tolist() == [5]

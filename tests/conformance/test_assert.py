"""assert in kernels: checked in debug mode and by the interpreter, where the host raises with the line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, config, kernel
from krnlpy.dsl import barrier, global_id, group_array, local_array, thread_id
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KernelAssertionError, KernelIndexError
from krnlpy.scalar import f32, f64, i32, i64, u8
from tests.support.launching import Launcher
from tests.support.typed import untyped

Output = pytest.CaptureFixture[str]


@pytest.fixture
def lenient(launch: Launcher) -> Launcher:
    """Devices that check asserts only when debugging: all but the interpreter."""
    if launch.backend.info.kind == "interpreter":
        pytest.skip("the interpreter checks every assert")
    return launch


def line_of(function: Callable[..., Any], text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(n for n, line in enumerate(lines) if text in line)


def positive(x: Item[f32], y: ItemMut[f32]) -> None:
    assert x > 0.5, "x is too small"
    y = x * 2.0


def test_the_error_names_everything(launch: Launcher) -> None:
    x = np.array([1, 1, 1, 1, 1, 0.25, 1], np.float32)
    with pytest.raises(KernelAssertionError) as caught:
        launch(positive, x, np.zeros_like(x), threads=(4, 1, 1), debug=True)
    error = caught.value
    assert isinstance(error, AssertionError)
    assert error.file == __file__ and error.line == line_of(positive, "assert x")
    thread = "thread with global_id (5, 0, 0): group (1, 0, 0), thread (1, 0, 0)"
    assert error.message == f"assertion failed: x is too small (x is 0.25) ({thread})"
    assert str(error).splitlines()[1:] == [
        '        assert x > 0.5, "x is too small"',
        "               ^^^^^^^",
    ]


def test_what_holds_is_no_error(launch: Launcher) -> None:
    x = np.array([1, 2, 3], np.float32)
    assert launch(positive, x, np.zeros_like(x), debug=True)[1].tolist() == [2, 4, 6]


def test_without_debugging_nothing_is_checked(lenient: Launcher) -> None:
    x = np.array([1, -2, 3], np.float32)
    assert lenient(positive, x, np.zeros_like(x))[1].tolist() == [2, -4, 6]


def test_formats_of_messages(launch: Launcher) -> None:
    def kernel(x: Item[i32], at: i32) -> None:
        assert x != 3 and at < 9, f"at {at:03d}: {x + 1}"

    def bare(x: Item[i32], at: i32) -> None:
        assert x < at

    def truth(x: Item[i32], at: i32) -> None:
        assert x - at

    x = np.array([1, 3], np.int32)
    with pytest.raises(KernelAssertionError, match=r"assertion failed: at 007: 4 \(thread with global_id \(1, 0, 0\)"):
        launch(kernel, x, 7, debug=True)
    with pytest.raises(KernelAssertionError, match=r"assertion failed: x is 3, at is 2 \(thread"):
        launch(bare, x, 2, debug=True)
    with pytest.raises(KernelAssertionError, match=r"assertion failed \(thread with global_id \(0, 0, 0\)"):
        launch(truth, x, 1, debug=True)


def test_values_of_many_types(launch: Launcher) -> None:
    launch.needs(i64, f64)

    def kernel(x: Item[f64], a: i64) -> None:
        small = u8(250)
        assert a < 0 or x < 1.0, f"{a} {x} {small} {a > 0} {f32(x)}"

    with pytest.raises(KernelAssertionError, match=r"9007199254740993 1\.1 250 True 1\.1 \(thread"):
        launch(kernel, np.array([1.1]), 2**53 + 1, debug=True)


@func
def root(x: f32):
    assert x >= 0.0, "no real root"
    return x**0.5


@func
def met(x: f32):
    barrier()
    assert x < 3.0
    return x


def test_functions(launch: Launcher) -> None:
    def call(x: Item[f32], y: ItemMut[f32]) -> None:
        y = root(x) + root(x + 1.0)

    def written_out(y: GlobalMut[f32]) -> None:
        y[thread_id()] = met(f32(thread_id()))

    x = np.array([1, 4, -1], np.float32)
    with pytest.raises(KernelAssertionError, match=r"no real root \(x is -1\.0\).*global_id \(2, 0, 0\)") as caught:
        launch(call, x, np.zeros(3, np.float32), debug=True)
    assert caught.value.line == line_of(untyped(root).function, "assert x")
    y = np.zeros(4, np.float32)
    with pytest.raises(KernelAssertionError, match=r"x is 3\.0 .*global_id \(3, 0, 0\)"):
        launch(written_out, y, threads=(4, 1, 1), groups=(1, 1, 1), debug=True)


def test_threads_in_three_dimensions(launch: Launcher) -> None:
    def kernel(y: GlobalMut[i32]) -> None:
        assert global_id(0) + 10 * global_id(1) + 100 * global_id(2) != 325, "here"

    with pytest.raises(KernelAssertionError, match=r"global_id \(5, 2, 3\): group \(2, 1, 1\), thread \(1, 0, 1\)"):
        launch(kernel, np.zeros(1, np.int32), threads=(2, 2, 2), groups=(3, 3, 3), debug=True)


def test_one_of_many_failures_is_reported(launch: Launcher) -> None:
    def kernel(x: Item[i32]) -> None:
        assert x < 0, f"item {x}"

    with pytest.raises(KernelAssertionError, match=r"item (\d+) \(x is \1\) \(thread with global_id \(\1, 0, 0\)"):
        launch(kernel, np.arange(20000, dtype=np.int32), threads=(64, 1, 1), debug=True)


def test_asserts_and_indices_share_a_report(launch: Launcher) -> None:
    def kernel(x: Global[i32], n: i32, y: GlobalMut[i32]) -> None:
        own = local_array(i32, 2)
        ours = group_array(i32, 3)
        own[0] = x[n]
        assert n != 1, f"{own[0]} {f32(n)} {n} {n} {n} {n}"
        ours[n + 1] = 4
        y[0] = ours[n + 1] + own[n]

    def run(n: int) -> list[int]:
        x, y = np.array([7, 8, 9], np.int32), np.zeros(1, np.int32)
        got: list[int] = launch(kernel, x, n, y, threads=(1, 1, 1), groups=(1, 1, 1), debug=True)[1].tolist()
        return got

    assert run(0) == [11]
    with pytest.raises(KernelAssertionError, match=r"8 1\.0 1 1 1 1 \(n is 1\)"):
        run(1)
    with pytest.raises(KernelIndexError, match="index 3 is out of range: ours has length 3 along axis 0"):
        run(2)
    with pytest.raises(KernelIndexError, match="index -1 is out of range: x has length 3 along axis 0"):
        run(-1)
    assert run(0) == [11], "a report is empty again at the next launch"


def test_prints_come_before_the_error(launch: Launcher, capsys: Output) -> None:
    def kernel(x: Item[i32]) -> None:
        print("item", x)
        assert x < 2, "two"

    with pytest.raises(KernelAssertionError, match="two"):
        launch(kernel, np.array([0, 1, 2], np.int32), debug=True)
    assert capsys.readouterr().out == "item 0\nitem 1\nitem 2\n"


@kernel
def counted(x: Item[i32], y: ItemMut[i32]) -> None:
    assert x != 3, f"{x}"
    y = x + 1


def test_other_threads_go_on(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = Buffer.from_numpy(np.arange(6, dtype=np.int32), device), Buffer.zeros(6, i32, device)
    if device.info.kind != "interpreter":
        counted(x, y)
        assert y.numpy().tolist() == [1, 2, 3, 4, 5, 6]
        y.fill(0)
    monkeypatch.setattr(config, "debug", True)
    with pytest.raises(KernelAssertionError, match="assertion failed: 3"):
        counted(x, y)
    if device.info.kind != "interpreter":  # which stops at the first failure
        assert y.numpy().tolist() == [1, 2, 3, 4, 5, 6]

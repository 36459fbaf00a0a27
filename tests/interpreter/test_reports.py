"""What the interpreter says of kernels that do what no kernel may: each report word for word."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from krnlpy import (
    Buffer,
    Device,
    Global,
    GlobalMut,
    Item,
    ItemMut,
    KernelAssertionError,
    KernelError,
    KernelOverflowError,
    KernelRaceError,
    KernelUninitializedError,
    Out,
    bf16,
    config,
    f32,
    func,
    i8,
    i16,
    i32,
    kernel,
    u8,
    u32,
)
from krnlpy.dsl import barrier, global_id, group_array, group_id, thread_id

INTERPRETER = Device.interpreter()
FIRST = "(thread with global_id (0, 0, 0): group (0, 0, 0), thread (0, 0, 0))"


def on(values: Any, dtype: Any = np.float32) -> Buffer:
    return Buffer.from_numpy(np.array(values, dtype), INTERPRETER)


def check(error: type[KernelError], launch: Callable[[], None], message: str, at: str) -> str:
    """Runs a launch that must fail with this message, and the caret under this text."""
    with pytest.raises(error) as caught:
        launch()
    assert caught.value.message == message
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{__file__}:{caught.value.line}: {message}"
    column = lines[2].index("^")
    assert lines[1][column : column + lines[2].count("^")] == at
    return lines[1]


def line_in(kernel: Any, text: str) -> int:
    lines, first = inspect.getsourcelines(kernel.__wrapped__)
    return first + next(i for i, line in enumerate(lines) if text in line)


# --------------------------------------------------------------------------------------------- uninitialised memory


@kernel
def double(x: Item[f32], y: ItemMut[f32]) -> None:
    y = 2.0 * x


@kernel
def sum_rows(x: Global[f32, 2], y: ItemMut[f32]) -> None:
    total = 0.0
    for j in range(x.shape[1]):
        total += x[global_id(), j]
    y = total


NEVER = "is read, but nothing was ever written to it; Buffer.zeros, .fill or a kernel before this one gives it a value"


def test_reading_what_nothing_was_written_to() -> None:
    x, y = Buffer.empty((2, 3), f32, INTERPRETER), Buffer.zeros(2, f32, INTERPRETER)
    x[0].fill(1)
    x[1, :2].fill(1)
    check(
        KernelUninitializedError,
        lambda: sum_rows(x, y),
        f"element (1, 2) of x {NEVER} (thread with global_id (1, 0, 0): group (0, 0, 0), thread (1, 0, 0))",
        "x[global_id(), j]",
    )
    double(y[:1], x[1, 2:])
    sum_rows(x, y)
    check(
        KernelUninitializedError,
        lambda: double(Buffer.empty(1, f32, INTERPRETER), y[:1]),
        f"element (0,) of x {NEVER} {FIRST}",
        "x",
    )


@pytest.mark.parametrize("transposed", [False, True])
def test_copies_know_what_was_written(transposed: bool) -> None:
    source = Buffer.empty((2, 3), bf16, INTERPRETER)
    source[:, 1:].fill(1)
    view = source.transpose() if transposed else source
    copied = view.copy()
    copied.numpy  # noqa: B018 - looking at nothing changes nothing
    repr(copied)

    @kernel
    def read(x: Global[bf16, 2], i: i32, j: i32, y: GlobalMut[f32]) -> None:
        y[0] = x[i, j]

    y = Buffer.zeros(1, f32, INTERPRETER)
    one = read.with_threads(1).with_groups(1)
    one(copied, *((2, 1) if transposed else (1, 2)), y)
    assert y.numpy()[0] == 1
    with pytest.raises(KernelUninitializedError, match=r"element \(0, 1\) of x" if transposed else r"element \(1, 0\)"):
        one(copied, *((0, 1) if transposed else (1, 0)), y)


def test_each_byte_counts() -> None:
    words = Buffer.empty(2, u32, INTERPRETER)
    halves = words.bitcast(u8)
    halves[:7].fill(1)

    @kernel
    def read(x: Item[u32], y: ItemMut[u32]) -> None:
        y = x

    read(words[:1], Buffer.zeros(1, u32, INTERPRETER))
    with pytest.raises(KernelUninitializedError, match=r"element \(0,\) of x"):
        read(words[1:], Buffer.zeros(1, u32, INTERPRETER))
    halves[7:].fill(1)
    read(words, Buffer.zeros(2, u32, INTERPRETER))


def test_what_counts_as_written() -> None:
    y = Buffer.zeros(3, f32, INTERPRETER)
    double(on([1, 2, 3]), y)
    double(Buffer.from_numpy(np.ones(3, np.float32), INTERPRETER, copy=False), y)
    x = Buffer.empty(3, f32, INTERPRETER)
    assert x.numpy().shape == x[::-1].numpy().shape == (3,)  # copies: nothing is written by that
    with pytest.raises(KernelUninitializedError):
        double(x, y)
    assert x.numpy(copy=False).shape == (3,)  # from now on NumPy may write there, unseen
    double(x, y)
    x = Buffer.empty(3, f32, INTERPRETER)
    x.copy_from(Buffer.ones(3, f32, Device.host()))
    double(x, y)
    assert (y.numpy() == 2).all()


def test_downloads_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "interpret", True)
    device = Device(5)
    assert device != Device(0) and device != Device.host() and repr(device) == "Device(5, 'interpreter')"
    x = Buffer.empty((2, 2), f32, device)
    assert x.numpy().shape == (2, 2) and x.transpose().numpy().shape == (2, 2)
    back = x.to_device(Device.host())
    for one in (x, back):
        with pytest.raises(KernelUninitializedError):
            double(one, Buffer.zeros((2, 2), f32, one.device))


# ------------------------------------------------------------------------------------------------------------- races


@kernel(threads=4)
def shift(y: GlobalMut[f32]) -> None:
    i = global_id()
    if i + 1 < y.shape[0]:
        y[i] = y[i + 1]


def test_a_race_in_a_buffer() -> None:
    line = line_in(shift, "y[i] = y")
    check(
        KernelRaceError,
        lambda: shift.with_groups(1)(on(range(4))),
        f"data race on element (1,) of y: it is written here, and read in line {line} (`y[i + 1]`) by the thread with"
        " global_id (0, 0, 0): group (0, 0, 0), thread (0, 0, 0), with no barrier() between the two (thread with"
        " global_id (1, 0, 0): group (0, 0, 0), thread (1, 0, 0))",
        "y[i]",
    )


def test_a_race_between_groups() -> None:
    line = line_in(shift, "y[i] = y")
    check(
        KernelRaceError,
        lambda: shift.with_threads(1).with_groups(4)(on(range(4))),
        f"data race on element (1,) of y: it is written here, and read in line {line} (`y[i + 1]`) by the thread with"
        " global_id (0, 0, 0): group (0, 0, 0), thread (0, 0, 0), and threads of different groups are in no order"
        " (thread with global_id (1, 0, 0): group (1, 0, 0), thread (0, 0, 0))",
        "y[i]",
    )


@kernel(threads=8)
def reverse(y: GlobalMut[f32], WAIT: i32) -> None:
    tile = group_array(f32, (2, 4))
    i = thread_id()
    tile[i // 4, i % 4] = y[i]
    if WAIT != 0:
        barrier()
    y[7 - i] = tile[i // 4, i % 4]


def test_a_race_that_a_barrier_ends() -> None:
    y = on(range(8))
    reverse.with_groups(1)(y, 1)
    assert y.numpy().tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    with pytest.raises(KernelRaceError, match=r"element \(4,\) of y: it is read here, and written in line"):
        reverse.with_groups(1)(y, 0)


def test_a_race_in_a_group_array() -> None:
    @kernel(threads=4)
    def count(y: GlobalMut[i32]) -> None:
        total = group_array(i32, (1, 2))
        total[0, 1] += 1
        barrier()
        y[thread_id()] = total[0, 1]

    with pytest.raises(KernelRaceError, match=r"element \(0, 1\) of total: it is read here, and written in line"):
        count.with_groups(1)(on([0] * 4, np.int32))


def test_equal_writes_race_too() -> None:
    @kernel(threads=2)
    def found(flag: GlobalMut[i32]) -> None:
        flag[0] = 1

    with pytest.raises(KernelRaceError, match="it is written here, and written in line"):
        found.with_groups(1)(on([0], np.int32))


def test_races_of_views_of_one_memory() -> None:
    @kernel(threads=2)
    def crossed(words: GlobalMut[u32], bytes: Global[u8], out: GlobalMut[u32], at: i32) -> None:
        i = thread_id()
        if i == 0:
            words[1] = u32(1)
        else:
            out[0] = u32(bytes[at])

    words, out = on([1, 2, 3], np.uint32), on([0], np.uint32)
    crossed.with_groups(1)(words, words.bitcast(u8), out, 3)
    crossed.with_groups(1)(words, words.bitcast(u8), out, 8)
    for at in (4, 7):
        with pytest.raises(KernelRaceError, match=rf"element \({at},\) of bytes"):
            crossed.with_groups(1)(words, words.bitcast(u8), out, at)
    array = np.zeros(3, np.uint32)  # two buffers that share NumPy's memory
    first, second = (Buffer.from_numpy(part, INTERPRETER, copy=False) for part in (array, array[1:]))
    with pytest.raises(KernelRaceError):
        crossed.with_groups(1)(first, second.bitcast(u8), out, 0)


def test_items_that_others_index() -> None:
    @kernel(threads=4)
    def average(x: Global[f32], y: ItemMut[f32]) -> None:
        y = (x[max(global_id() - 1, 0)] + y) / 2.0

    y = on([1, 2, 3])
    average(on([1, 2, 3]), y)
    with pytest.raises(KernelRaceError, match=r"element \(0,\) of x: it is read here, and written"):
        average(y, y)


def test_what_is_no_race() -> None:
    @kernel(threads=4)
    def phases(x: Global[f32], y: GlobalMut[f32], z: Out[f32]) -> None:
        i = thread_id()
        for step in range(3):
            y[4 * group_id() + (i + step) % 4] += x[0]
            barrier()
        z[global_id()] = y[4 * group_id()] + y[global_id()]

    y, z = Buffer.zeros(8, f32, INTERPRETER), Buffer.empty(8, f32, INTERPRETER)
    phases.with_groups(2)(on([1]), y, z)
    assert z.numpy().tolist() == [6.0] * 8


def test_an_out_that_others_read() -> None:
    @kernel(threads=2)
    def peek(z: Out[f32]) -> None:
        i = thread_id()
        z[i] = 1.0 if i == 0 else z[0]

    with pytest.raises(KernelRaceError, match=r"element \(0,\) of z: it is read here, and written in line"):
        peek.with_groups(1)(Buffer.empty(2, f32, INTERPRETER))


# ---------------------------------------------------------------------------------------------------------- overflow


@pytest.fixture
def check_overflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config, "check_overflow", True)
    yield


@kernel
def arithmetic(x: Item[i32], y: Item[i32], n: i32, out: ItemMut[i32]) -> None:
    if n == 0:
        out = x + y
    elif n == 1:
        out = x - y
    elif n == 2:
        out = x * y
    elif n == 3:
        out = -x
    elif n == 4:
        out = x << y
    elif n == 5:
        out = i32(i8(x))
    elif n == 6:
        out = abs(x)
    elif n == 7:
        out = x // y
    else:
        out = i32(u32(x) - u32(y))


LEAST, GREATEST = -(2**31), 2**31 - 1


@pytest.mark.parametrize(
    ("n", "x", "y", "operation", "at"),
    [
        (0, GREATEST, 1, "2147483647 + 1 is 2147483648", "x + y"),
        (1, LEAST, 1, "-2147483648 - 1 is -2147483649", "x - y"),
        (2, 65536, 65536, "65536 * 65536 is 4294967296", "x * y"),
        (3, LEAST, 0, "-(-2147483648) is 2147483648", "-x"),
        (4, 3, 30, "3 << 30 is 3221225472", "x << y"),
        (5, 200, 0, "i8(200) is 200; i8 holds -128 to 127", "i8(x)"),
        (6, LEAST, 0, "abs(-2147483648) is 2147483648", "abs(x)"),
        (7, LEAST, -1, "-2147483648 // -1 is 2147483648", "x // y"),
        (8, 1, 2, "1 - 2 is -1; u32 holds 0 to 4294967295", "u32(x) - u32(y)"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
@pytest.mark.usefixtures("check_overflow")
def test_overflow(n: int, x: int, y: int, operation: str, at: str) -> None:
    limits = "" if "holds" in operation else f"; i32 holds {LEAST} to {GREATEST}"
    out = on([0], np.int32)
    check(
        KernelOverflowError,
        lambda: arithmetic(on([x], np.int32), on([y], np.int32), n, out),
        f"overflow: {operation}{limits} {FIRST}",
        at,
    )


def test_numbers_wrap_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    out = on([0], np.int32)
    arithmetic(on([GREATEST], np.int32), on([1], np.int32), 0, out)
    assert out.numpy()[0] == LEAST
    monkeypatch.setattr(config, "check_overflow", True)
    with pytest.raises(OverflowError):
        arithmetic(on([GREATEST], np.int32), on([1], np.int32), 0, out)
    arithmetic(on([GREATEST], np.int32), on([-1], np.int32), 0, out)
    assert out.numpy()[0] == GREATEST - 1


@pytest.mark.usefixtures("check_overflow")
def test_operands_are_evaluated_once() -> None:
    @kernel
    def nested(x: Item[i16], out: ItemMut[i16]) -> None:
        out = (x + i16(1)) * (x - i16(1)) + x * x

    out = on([0, 0], np.int16)
    nested(on([5, -7], np.int16), out)
    assert out.numpy().tolist() == [49, 97]
    with pytest.raises(KernelOverflowError, match=r"201 \* 199 is 39999; i16 holds -32768 to 32767"):
        nested(on([200], np.int16), out[:1])


# ---------------------------------------------------------------------------------------------------- print, assert


@func
def halved(x: f32):
    assert x >= 0.0, "no negative numbers"
    return x / 2.0


@kernel
def told(x: Item[f32], n: i32, y: ItemMut[f32]) -> None:
    print("x is", x, f"of {n:>3}", x > 0.5, sep=" | ")
    y = halved(x)


def test_print_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    told(on([0.1, 1.0]), 7, Buffer.zeros(2, f32, INTERPRETER))
    assert capsys.readouterr().out == "x is | 0.1 | of   7 | False\nx is | 1.0 | of   7 | True\n"


def test_an_assert_in_a_function() -> None:
    check(
        KernelAssertionError,
        lambda: told(on([1, -0.5]), 0, Buffer.zeros(2, f32, INTERPRETER)),
        "assertion failed: no negative numbers (x is -0.5) (thread with global_id (1, 0, 0): group (0, 0, 0),"
        " thread (1, 0, 0))",
        "x >= 0.0",
    )


def test_asserts_show_what_they_compare() -> None:
    @kernel
    def bounded(x: Item[i32], n: i32, y: ItemMut[i32]) -> None:
        assert 0 <= x * 2 < n
        assert x != 3 and n > 0
        y = x

    y = on([0], np.int32)
    bounded(on([2], np.int32), 7, y)
    check(
        KernelAssertionError,
        lambda: bounded(on([4], np.int32), 7, y),
        f"assertion failed: x * 2 is 8, n is 7 {FIRST}",
        "0 <= x * 2 < n",
    )
    with pytest.raises(AssertionError, match=r"assertion failed \(thread"):
        bounded(on([3], np.int32), 7, y)

"""Functions of Python's and of C's among the work of the host and the interpreter, at once and in graphs."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, ForeignCalls, LaunchError, call_foreign, config, f32, host_call
from tests.support.kernels import double
from tests.support.typed import untyped

Array = np.ndarray[Any, Any]


def multiply(a: Array, b: Array, out: Array) -> None:
    np.matmul(a, b, out=out)


@pytest.fixture(params=["host", "interpreter"])
def near(request: pytest.FixtureRequest) -> Device:
    """A device whose memory is the process's own."""
    return Device(request.param)


def matrix(device: Device) -> Buffer:
    return Buffer.from_numpy(np.arange(4, dtype=np.float32).reshape((2, 2)), device)


def test_between_kernels(near: Device) -> None:
    a, out = matrix(near), Buffer.empty((2, 2), f32, near)
    double(a)
    host_call(multiply, a, a.transpose(), out)
    double(out)
    assert out.numpy().tolist() == [[8, 24], [24, 104]]


def test_in_a_graph(near: Device) -> None:
    a = matrix(near)
    with near.capture() as graph:
        left = graph.parameter("left", a)
        out = Buffer.empty((2, 2), f32, near)
        double(left)
        host_call(multiply, left, left.transpose(), out)
        double(out)
    assert a.numpy().tolist() == [[0, 1], [2, 3]] and len(graph) == 3
    graph.replay()
    assert out.numpy().tolist() == [[8, 24], [24, 104]]
    graph.replay(left=Buffer.ones((2, 2), f32, near))
    assert out.numpy().tolist() == [[16, 16], [16, 16]]
    assert graph.memory_bytes == 16


_COPY = ctypes.cast(ctypes.memmove, ctypes.c_void_p).value or 0


class Copy:
    """Copies rows, each by a call of C's."""

    def foreign(self, x: Array, out: Array) -> ForeignCalls:
        rows = [(to.ctypes.data, row.ctypes.data, row.nbytes) for to, row in zip(out, x, strict=True)]
        return ForeignCalls(_COPY, np.array(rows, "u8,u8,i8"))

    def __call__(self, x: Array, out: Array) -> None:
        call_foreign(self.foreign(x, out))


@pytest.mark.parametrize("threads", [1, 3])
def test_functions_of_c(near: Device, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "host_threads", threads)
    x = Buffer.from_numpy(np.arange(200, dtype=np.float32).reshape(100, 2), near)
    out, other = Buffer.zeros((100, 2), f32, near), Buffer.zeros((100, 2), f32, near)
    host_call(Copy(), x, out, outputs=1)
    assert (out.numpy() == x.numpy()).all()
    with near.capture() as graph:
        left = graph.parameter("left", x)
        double(left)
        host_call(Copy(), left, out, outputs=1)
        host_call(Copy(), out, other, outputs=1)
        double(other)
    graph.replay()
    assert out.numpy()[1].tolist() == [4, 6] and (other.numpy() == 2 * x.numpy()).all()
    graph.replay(left=Buffer.ones((100, 2), f32, near))
    assert (other.numpy() == 4).all() and x.numpy()[1].tolist() == [4, 6]
    call_foreign(ForeignCalls(_COPY, np.zeros(0, "u8,u8,i8")))


def test_arguments_of_all_types() -> None:
    """By a function of C's that stands for any: what it gets is what the table has."""
    types = ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_double, ctypes.c_void_p
    seen: list[tuple[Any, ...]] = []
    function = ctypes.CFUNCTYPE(None, *types, *types)(lambda *arguments: seen.append(arguments))
    rows = [(-1 - i, -(1 << 40), 0.5, -0.25, 1 << 40, i, 3, 1e30, 1e300, 7) for i in range(50)]
    table = np.array(rows, "i4,i8,f4,f8,u8,i4,i8,f4,f8,u8")
    call_foreign(ForeignCalls(ctypes.cast(function, ctypes.c_void_p).value or 0, table, chunk=3))
    assert sorted(seen, key=lambda row: row[5]) == [tuple(row) for row in table.tolist()]


@pytest.mark.parametrize("table", [np.zeros(3), np.zeros(3, "i2,i4"), np.zeros((2, 2), "i4,i4"), np.zeros(3, "u4,i4")])
def test_tables_of_no_arguments(table: Array) -> None:
    with pytest.raises(LaunchError, match="expected a structured array of one axis"):
        ForeignCalls(_COPY, table)
    with pytest.raises(LaunchError, match="at least one row"):
        ForeignCalls(_COPY, np.zeros(3, "i4,i4"), chunk=0)


def test_a_function_that_fails(near: Device) -> None:
    a = matrix(near)

    def fail(x: Array) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        host_call(fail, a)
    with near.capture() as graph:
        double(a)
        host_call(fail, a)
        double(a)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            graph.replay()
    assert a.numpy().tolist() == [[0, 4], [8, 12]]


def test_what_it_takes(device: Device) -> None:
    with pytest.raises(LaunchError, match=r"at least one Buffer.*got none"):
        host_call(multiply)
    with pytest.raises(LaunchError, match="nothing else; got ndarray"):
        host_call(multiply, untyped(np.zeros(2)))
    a = matrix(Device.host())
    with pytest.raises(LaunchError, match="outputs=2"), Device.host().capture():
        host_call(multiply, a, outputs=2)
    with pytest.raises(LaunchError, match="expected one device"):
        host_call(multiply, matrix(Device.host()), matrix(Device.interpreter()))
    if device.info.index is not None:
        with pytest.raises(LaunchError, match="to_device"):
            host_call(multiply, matrix(device))

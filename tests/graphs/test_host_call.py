"""Python functions among the work of the host and the interpreter, at once and in graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, LaunchError, config, f32, host_call
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


def test_parts_on_several_threads(near: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "host_threads", 3)
    x = Buffer.from_numpy(np.arange(20, dtype=np.float32).reshape(10, 2), near)
    out = Buffer.empty((10, 2), f32, near)
    parts = []

    def doubled(part: int, x: Array, out: Array) -> None:
        parts.append(part)
        np.multiply(x[2 * part : 2 * part + 2], 2, out=out[2 * part : 2 * part + 2])

    with near.capture() as graph:
        host_call(doubled, x, out, parts=5)
    graph.replay()
    assert (out.numpy() == 2 * x.numpy()).all() and sorted(parts) == [0, 1, 2, 3, 4]
    host_call(doubled, x, out, parts=1)
    assert parts[5:] == [0]

    def fail(part: int, x: Array) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        host_call(fail, x, parts=5)
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(LaunchError, match=f"at least one part; got parts={wrong}"):
            host_call(fail, x, parts=untyped(wrong))
    with pytest.raises(LaunchError, match="expected a function"):
        host_call(untyped(None), x, parts=2)


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
    with pytest.raises(LaunchError, match="expected one device"):
        host_call(multiply, matrix(Device.host()), matrix(Device.interpreter()))
    if device.info.index is not None:
        with pytest.raises(LaunchError, match="to_device"):
            host_call(multiply, matrix(device))

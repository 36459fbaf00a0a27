"""Quaternions, against rotations of NumPy, at every kind of angle."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import Buffer, Device, func, kernel
from krnlpy.dsl import (
    Matrix,
    Vector,
    derivative,
    global_id,
    quat_conjugate,
    quat_from_axis_angle,
    quat_from_matrix,
    quat_inverse,
    quat_multiply,
    quat_rotate,
    quat_rotate_inverse,
    quat_slerp,
    quat_to_axis_angle,
    quat_to_matrix,
    vec3,
    vec4,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, f32, f64, i32
from tests.support.devices import requires

T = TypeVar("T", f32, f64)
Array = np.ndarray[Any, Any]


@func
def put(out, i, row, v):
    for k in range(len(v)):
        out[i, row, k] = v[k]


@kernel(threads=64)
def compute(qs: Global[T, 3], out: GlobalMut[T, 3], times: Global[T]) -> None:
    """``qs`` holds a, b, an axis with an angle, and a vector of each."""
    i = global_id()
    if i >= qs.shape[0]:
        return
    a = Vector[T, 4](qs[i, 0, 0], qs[i, 0, 1], qs[i, 0, 2], qs[i, 0, 3])
    b = Vector[T, 4](qs[i, 1, 0], qs[i, 1, 1], qs[i, 1, 2], qs[i, 1, 3])
    axis, angle = Vector[T, 3](qs[i, 2, 0], qs[i, 2, 1], qs[i, 2, 2]), qs[i, 2, 3]
    v = Vector[T, 3](qs[i, 3, 0], qs[i, 3, 1], qs[i, 3, 2])
    put(out, i, 0, quat_multiply(a, b))
    put(out, i, 1, quat_conjugate(a))
    put(out, i, 2, quat_inverse(a * 3.0))
    put(out, i, 3, quat_rotate(a, v))
    put(out, i, 4, quat_rotate_inverse(a, v))
    turn = quat_from_axis_angle(axis, angle)
    put(out, i, 5, turn)
    back, size = quat_to_axis_angle(turn)
    put(out, i, 6, back)
    out[i, 6, 3] = size
    m = quat_to_matrix(a)
    put(out, i, 7, m @ v)
    put(out, i, 8, quat_from_matrix(m))
    put(out, i, 9, quat_from_matrix(quat_to_matrix(turn)))
    put(out, i, 10, quat_slerp(a, b, times[i]))


def product(a: Array, b: Array) -> Array:
    u, v, s, t = a[:, :3], b[:, :3], a[:, 3:], b[:, 3:]
    return np.concatenate([s * v + t * u + np.cross(u, v), s * t - (u * v).sum(1, keepdims=True)], axis=1)


def up_to_sign(a: Array, b: Array) -> Array:
    """``a`` with the sign of ``b``: both are the same rotation."""
    return np.where((a * b).sum(1, keepdims=True) < 0, -a, a)


@pytest.mark.one_vulkan_device
@pytest.mark.parametrize("type", [f32, f64], ids=str)
def test_against_numpy(device: Device, type: ScalarType) -> None:
    requires(device, type.name)
    rng = np.random.default_rng(0)
    special = np.concatenate([np.eye(4), -np.eye(4), np.eye(4) * (1, 1, 1, -1) + 1e-7, np.full((1, 4), 0.5)])
    a = np.concatenate([rng.normal(size=(40, 4)), special])
    n = len(a)
    b = rng.normal(size=(n, 4))
    b[:10], b[10:20] = a[:10] * (1, 1, 1, 1.0001), -a[10:20]  # next to each other, and the same rotation
    axis, v = rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
    for x in (a, b, axis):
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    angle = np.concatenate([rng.uniform(-np.pi, np.pi, n - 5), [0.0, np.pi, -np.pi, 1e-4, 5.0]])
    times = np.concatenate([[0, 1, 0.5], rng.uniform(size=n - 3)])
    qs = np.zeros((n, 4, 4))
    qs[:, 0], qs[:, 1], qs[:, 2, :3], qs[:, 2, 3], qs[:, 3, :3] = a, b, axis, angle, v
    qs, times = qs.astype(type.dtype), times.astype(type.dtype)
    out = Buffer.zeros((n, 11, 4), type, device)
    compute.with_global_threads(n)(Buffer.from_numpy(qs, device), out, Buffer.from_numpy(times, device))
    got = out.numpy().astype(np.float64)
    qs, times = qs.astype(np.float64), times.astype(np.float64)[:, None]
    a, b, axis, angle, v = qs[:, 0], qs[:, 1], qs[:, 2, :3], qs[:, 2, 3], qs[:, 3, :3]
    # A dozen roundings of numbers of up to 4; sine and cosine are within 4 ulp.
    close = {"rtol": 0, "atol": 40 * np.finfo(type.dtype).eps}
    conjugate = a * (-1, -1, -1, 1)
    np.testing.assert_allclose(got[:, 0], product(a, b), **close)
    np.testing.assert_allclose(got[:, 1], conjugate, **close)
    np.testing.assert_allclose(got[:, 2], conjugate / 3, **close)
    pure = np.concatenate([v, np.zeros((n, 1))], axis=1)
    rotated = product(product(a, pure), conjugate)[:, :3]
    np.testing.assert_allclose(got[:, 3, :3], rotated, **close)
    np.testing.assert_allclose(got[:, 4, :3], product(product(conjugate, pure), a)[:, :3], **close)
    np.testing.assert_allclose(got[:, 7, :3], rotated, **close)
    turn = np.concatenate([axis * np.sin(angle / 2)[:, None], np.cos(angle / 2)[:, None]], axis=1)
    np.testing.assert_allclose(got[:, 5], turn, **close)
    np.testing.assert_allclose(np.linalg.norm(got[:, 6, :3], axis=1), 1, **close)
    assert ((got[:, 6, 3] >= 0) & (got[:, 6, 3] <= np.pi + 1e-6)).all()
    half = got[:, 6, 3:] / 2
    again = np.concatenate([got[:, 6, :3] * np.sin(half), np.cos(half)], axis=1)
    np.testing.assert_allclose(up_to_sign(again, turn), turn, **close)
    np.testing.assert_allclose(up_to_sign(got[:, 8], a), a, **close)
    np.testing.assert_allclose(up_to_sign(got[:, 9], turn), turn, **close)
    end = up_to_sign(b, a)
    whole = 2 * np.arctan2(np.linalg.norm(end - a, axis=1), np.linalg.norm(a + end, axis=1))[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        arc = (a * np.sin((1 - times) * whole) + end * np.sin(times * whole)) / np.sin(whole)
    line = a + (end - a) * times
    line /= np.linalg.norm(line, axis=1, keepdims=True)
    # Where the arc is short, a division by its sine makes errors of the parts: those are of 1e-7 / 1e-4 in f32.
    arc = np.where(whole > 1e-9, arc, line)
    np.testing.assert_allclose(up_to_sign(got[:, 10], a), arc, rtol=0, atol=60 * np.finfo(type.dtype).eps)
    np.testing.assert_allclose(np.linalg.norm(got[:, 10], axis=1), 1, rtol=0, atol=60 * np.finfo(type.dtype).eps)


@func
def height(angle: f32, axis: vec3, v: vec3) -> f32:
    return quat_rotate(quat_from_axis_angle(axis, angle), v).z


@func
def way(t: f32, a: vec4, b: vec4) -> vec4:
    return quat_slerp(a, b, t)


@pytest.mark.one_vulkan_device
def test_derivatives(device: Device) -> None:
    @kernel
    def slopes(angle: Item[f32], y: ItemMut[f32], z: ItemMut[f32], axis: vec3, v: vec3, a: vec4) -> None:
        y = derivative(height)(angle, axis, v)
        b = quat_from_axis_angle(axis, 1.0)
        z = derivative(way)(angle, a, b).w + derivative(way)(angle, a, a).w

    angle = np.linspace(-3, 3, 7, dtype=np.float32)
    y, z = Buffer.zeros(7, f32, device), Buffer.zeros(7, f32, device)
    slopes(Buffer.from_numpy(angle, device), y, z, (1.0, 0.0, 0.0), (0.5, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0))
    # A vector turned about x by t has the height y sin(t) + z cos(t); the way to b has w = cos(t / 2).
    np.testing.assert_allclose(y.numpy(), 2 * np.cos(angle) - 3 * np.sin(angle), rtol=0, atol=2e-6)
    np.testing.assert_allclose(z.numpy(), -0.5 * np.sin(angle / 2), rtol=0, atol=2e-6)


def of_three(x: ItemMut[vec3]) -> None:
    x = quat_rotate(x, x)


def of_whole_numbers(x: ItemMut[vec4]) -> None:
    x = quat_inverse(Vector[i32, 4](1))


def of_a_vector_as_angle(x: ItemMut[vec4]) -> None:
    x = quat_from_axis_angle(vec3(1.0), x)


def of_two_rows(x: ItemMut[vec4]) -> None:
    x = quat_from_matrix(Matrix[f32, 2, 2](1.0))


def of_one(x: ItemMut[vec4]) -> None:
    x = quat_multiply(x)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (of_three, r"quat_rotate takes a vector of four floats there, not Vector\[f32, 3\]"),
        (of_whole_numbers, r"quat_inverse takes a vector of four floats there, not Vector\[i32, 4\]"),
        (of_a_vector_as_angle, r"quat_from_axis_angle takes a number there, not Vector\[f32, 4\]"),
        (of_two_rows, r"quat_from_matrix takes a matrix of 3 x 3 floats there, not Matrix\[f32, 2, 2\]"),
        (of_one, r"quat_multiply takes 2 argument\(s\), 1 given"),
    ],
)
def test_what_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(KernelTypeError, match=message):
        kernel(wrong).inspect("ir")

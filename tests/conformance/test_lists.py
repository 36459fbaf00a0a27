"""Lists: arrays of the kernel's own, and vectors and matrices where these are wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, StructBuffer, f32, func, i32, kernel, u32
from krnlpy.dsl import derivative, dot, length, vec2, vec3
from tests.support.launching import Launcher

WEIGHTS = np.array([1.0, 2.0, 3.0], np.float32)
PAIR = (2, 3)
CORNERS = ((0, 0), (1, 0), (0, 1), (2, 3))
X, N = np.array([-2.5, 0, 3.5, 1], np.float32), np.array([1, 0, 2, 7], np.int32)


@dataclass
class Body:
    position: vec3
    mass: f32


@func
def size(v: vec3):
    return length(v)


@func
def both(v):
    return v[0] + v[1]


@func
def doubled(a, n):
    for i in range(n):
        a[i] = a[i] * 2


@func
def pair(a, b):
    return [a, b]


@func
def rotated(v: vec2):
    if v[0] > 0.0:
        return [v.y, -v.x]
    return (v.x, 1)


def test_arrays_that_change_and_are_indexed(launch: Launcher) -> None:
    def run(x: Item[f32], n: Item[i32], y: ItemMut[f32], z: ItemMut[f32]) -> None:
        p = [x, 1, 2.5]
        y = p[n % 3] + len(p)
        p[n % 3] += 10
        y += 100 * sum(p) + max(p) + min(p)
        p = [p[1], p[0], 0.0]  # a new list is made of the old one
        z = p[n % 3]
        a = [0] * 8
        for j in range(8):
            a[j] = j
        doubled(a, 8)
        z += a[7] + a[n % 8] + 100 * (6 in a)
        for j in range(2):
            r = [j, j + 1]
            z += r[n % 2]
        if x > 0.0:
            q = [1.0, x]
        else:
            q = [2.0, -x]
        z += q[n % 2]
        e, f, g = p
        p[0], p[1] = p[1], p[0]
        z += e + f + g + 10 * p[0]

    _, _, y, z = launch(run, X, N, np.zeros(4, np.float32), np.zeros(4, np.float32))
    for i, (x, n) in enumerate(zip(X.tolist(), N.tolist(), strict=True)):
        p = [x, 1, 2.5]
        want = p[n % 3] + 3
        p[n % 3] += 10
        assert y[i] == np.float32(want + 100 * sum(p) + max(p) + min(p))
        p = [p[1], p[0], 0.0]
        want = p[n % 3] + 14 + 2 * (n % 8) + 100
        want += sum([j, j + 1][n % 2] for j in range(2)) + ([1.0, x] if x > 0 else [2.0, -x])[n % 2]
        assert z[i] == np.float32(want + sum(p) + 10 * p[1])


def test_vectors_where_one_is_wanted(launch: Launcher) -> None:
    def run(x: Item[f32], n: Item[i32], y: ItemMut[f32], z: ItemMut[f32], u: ItemMut[f32]) -> None:
        p = [x, 1, 2]
        p += [1, 0, 0]
        q = p * 2.0 + WEIGHTS
        y = q.x + q[n % 3] + dot(p, WEIGHTS) + size([x, 3, 4]) + size((1, 2, 2)) + size(p)
        z = both([x, 1]) + both(p) + rotated([x, 2]).y + rotated((x, 2)).x
        s, t = pair(x, 2)
        w: vec3 = [x, 1, 2]
        h = [1, 2] if x > 0.0 else [3, 4]
        z += s + t + w.z + h[n % 2] + vec3([1, 2], x).z + any(p == [1, 1, 9]) + all([x > 0.0, True])
        v = vec3(x, 2, 3)
        v += (1, 0, 0)
        v = -p + v
        u = v.x + 10.0 * v.y + max(v)

    _, _, y, z, u = launch(run, X, N, *(np.zeros(4, np.float32),) * 3)
    for i, (x, n) in enumerate(zip(X.astype(np.float64), N, strict=True)):
        p = np.array([x + 1, 1, 2])
        q = p * 2 + WEIGHTS
        want = q[0] + q[n % 3] + p @ WEIGHTS + np.linalg.norm([x, 3, 4]) + 3 + np.linalg.norm(p)
        np.testing.assert_allclose(y[i], want, rtol=1e-6)  # roots of 3 ulp, and sums
        turned = [2, -x] if x > 0 else [x, 1]
        want = x + 1 + p[0] + p[1] + turned[1] + turned[0] + x + 2 + 2 + ([1, 2] if x > 0 else [3, 4])[n % 2]
        assert z[i] == np.float32(want + x + 1 + (x > 0))
        assert u[i] == 11


def test_matrices_structs_and_lists_of_vectors(device: Device) -> None:
    @kernel(threads=4)
    def run(x: Global[f32], n: Global[i32], y: GlobalMut[f32], bodies: GlobalMut[Body]) -> None:
        for i in range(4):
            m = [[1.0, x[i]], [0, 1]]
            m[n[i] % 2, 1] = 7.0
            y[i] = m[n[i] % 2, 1] + (m @ [1, 2])[0] + m[1, 0]
            w = [vec2(x[i], 1), vec2(2, 3)]
            w[n[i] % 2].x += 0.5
            y[i] += w[n[i] % 2].y + w[0].x
            t = [(1, 2.0), (3, 4.0)]
            f, g = t[n[i] % 2]
            k, j = CORNERS[n[i] % 4]
            y[i] += f + g + 10 * k + j + [5, 6, 7][n[i] % 3] + (10, 20)[n[i] % 2] + (x[i], 1)[n[i] % 2]
            b = Body([1, 2, x[i]], 3.0)
            b.position = (4, 1, x[i])
            bodies[i] = b

    x, n = Buffer.from_numpy(X, device), Buffer.from_numpy(N, device)
    y, bodies = Buffer.zeros(4, f32, device), StructBuffer.zeros(4, Body, device)
    run.with_groups(1).with_threads(1)(x, n, y, bodies)
    for i, (a, b) in enumerate(zip(X, N, strict=True)):
        m = np.array([[1, a], [0, 1]])
        m[b % 2, 1] = 7
        w = np.array([[a, 1], [2, 3]])
        w[b % 2, 0] += 0.5
        want = m[b % 2, 1] + m[0] @ [1, 2] + m[1, 0] + w[b % 2, 1] + w[0, 0] + sum([(1, 2), (3, 4)][b % 2])
        k, j = CORNERS[b % 4]
        assert y.numpy()[i] == want + 10 * k + j + [5, 6, 7][b % 3] + [10, 20][b % 2] + [a, 1][b % 2]
    np.testing.assert_array_equal(bodies.numpy()["position"], np.stack([[4, 1, a] for a in X]))


def test_types_of_lists(launch: Launcher) -> None:
    def run(k: Item[u32], y: ItemMut[u32], z: ItemMut[f32]) -> None:
        a = [1, 2, k]  # of u32: the literals take its type
        y = a[k % 3] + (a.dtype is u32)
        z = [1, 2, 0.5][k % 3] + [1, 2][k % 2]

    k = np.array([0, 1, 2, 5], np.uint32)
    _, y, z = launch(run, k, np.zeros(4, np.uint32), np.zeros(4, np.float32))
    np.testing.assert_array_equal(y, [[1, 2, v][v % 3] + 1 for v in k])
    np.testing.assert_array_equal(z, [[1, 2, 0.5][v % 3] + [1, 2][v % 2] for v in k])


def test_joined_and_repeated_as_in_python(launch: Launcher) -> None:
    def run(x: Item[f32], n: Item[i32], y: ItemMut[f32]) -> None:
        a = [x] + [1, 2] * 2 + [*WEIGHTS, *(7, 8)]
        t = (1,) * 2 + PAIR
        b = list(t) + [0] * 2
        y = a[n] + 100 * len(a) + t[2] + b[n % 6]

    _, _, y = launch(run, X, N, np.zeros(4, np.float32))
    for i, (x, n) in enumerate(zip(X.tolist(), N.tolist(), strict=True)):
        a = [x, 1, 2, 1, 2, 1, 2, 3, 7, 8]
        assert y[i] == a[n] + 1000 + 2 + [1, 1, 2, 3, 0, 0][n % 6]


def test_comprehensions(launch: Launcher) -> None:
    def run(x: Item[f32], n: Item[i32], y: ItemMut[f32]) -> None:
        i = 1000
        w = [x * i for i in range(5) if i != 2]
        m = [[i + j * x for j in range(2)] for i in range(3)]
        v = [2.0 * e for e in vec3(1, x, 2)]
        p = [a * b for a, b in zip((1, 2, 3), WEIGHTS, strict=True)]
        f = [k * e for k, e in enumerate(w)]
        y = w[n % 4] + m[n % 3][n % 2] + v[n % 3] + p[n % 3] + f[n % 4] + i
        y += (
            sum(e * e for e in w)
            + max(x * j for j in range(-1, 2))
            + min([e * 2.0 for e in p])
            + (n in [j + 0 for j in range(3)])
        )
        y += any(e > 10.0 for e in w) + all(e < 10.0 for e in w) + len([0 for a in range(2) for b in range(a + 1)])
        q, r = (s + x for s in range(2))
        y += q * 10.0 + r + sum(tuple(e for e in m[n % 3]))

    _, _, y = launch(run, X, N, np.zeros(4, np.float32))
    for i, (x, n) in enumerate(zip(X.tolist(), N.tolist(), strict=True)):
        w = [x * j for j in range(5) if j != 2]
        m = [[a + b * x for b in range(2)] for a in range(3)]
        want = w[n % 4] + m[n % 3][n % 2] + [2, 2 * x, 4][n % 3] + [1, 4, 9][n % 3] + (n % 4) * w[n % 4] + 1000
        want += sum(e * e for e in w) + abs(x) + 2 + (n in range(3))
        want += any(e > 10 for e in w) + all(e < 10 for e in w) + 3 + x * 10 + 1 + x + sum(m[n % 3])
        assert y[i] == np.float32(want)


def test_derivatives_of_functions_with_lists(launch: Launcher) -> None:
    @func
    def spline(x, n):
        w = [0.5 * (1.5 - x) ** 2, 0.75 - (x - 1.0) ** 2, 0.5 * (x - 0.5) ** 2]
        w[n] *= 2.0
        return w[0] + 3.0 * w[1] + w[n]

    def run(x: Item[f32], n: Item[i32], y: ItemMut[f32]) -> None:
        y = derivative(spline, "x")(x, n % 3)

    _, n, y = launch(run, X, N % 3, np.zeros(4, np.float32))
    for i, (x, k) in enumerate(zip(X, n, strict=True)):
        d = np.array([x - 1.5, -2 * (x - 1), x - 0.5])
        d[k] *= 2
        np.testing.assert_allclose(y[i], d[0] + 3 * d[1] + d[k], rtol=1e-6)


def test_lists_print_as_in_python(device: Device, capfd: pytest.CaptureFixture[str]) -> None:
    @kernel
    def run(x: Item[f32]) -> None:
        p = [x, 1, 2]
        print([[1, 2], [3, 4]], (1, [x]))
        print(p)

    run(Buffer.ones(1, f32, device))
    device.wait()
    assert capfd.readouterr().out == "[[1, 2], [3, 4]] (1, [1.0])\n[1.0, 1.0, 2.0]\n"

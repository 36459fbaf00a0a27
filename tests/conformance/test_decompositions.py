"""Eigenvalues, singular values and polar decompositions of small matrices, against NumPy and at degenerate ones."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy import Buffer, Device, func, kernel
from krnlpy.dsl import (
    Matrix,
    derivative,
    dot,
    global_id,
    mat2,
    mat3,
    polar,
    svd,
    symmetric_eigen,
    unroll,
    vec3,
)
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, f32, f64
from tests.support.devices import requires

T = TypeVar("T", f32, f64)
Array = np.ndarray[Any, Any]


@func
def put(out, i, row, matrix):
    for j in unroll(range(len(matrix))):
        for k in unroll(range(len(matrix))):
            out[i, row + j, k] = matrix[j, k]


@func
def decompose(m, symmetric, out, i):
    """Each result below the one before it: values, vectors, u, s, v, r and p."""
    values, vectors = symmetric_eigen(symmetric)
    u, s, v = svd(m)
    r, p = polar(m)
    n = len(m)
    for k in unroll(range(len(m))):
        out[i, 0, k], out[i, 1, k] = values[k], s[k]
    put(out, i, 2, vectors)
    put(out, i, 2 + n, u)
    put(out, i, 2 + 2 * n, v)
    put(out, i, 2 + 3 * n, r)
    put(out, i, 2 + 4 * n, p)


@kernel(threads=64)
def of_two(m: Global[T, 3], out: GlobalMut[T, 3]) -> None:
    i = global_id()
    if i < m.shape[0]:
        a = Matrix[T, 2, 2](m[i, 0, 0], m[i, 0, 1], m[i, 1, 0], m[i, 1, 1])
        decompose(a, (a + a.T) * 0.5, out, i)


@kernel(threads=64)
def of_three(m: Global[T, 3], out: GlobalMut[T, 3]) -> None:
    i = global_id()
    if i < m.shape[0]:
        a = Matrix[T, 3, 3](0)
        for j in unroll(range(3)):
            for k in unroll(range(3)):
                a[j, k] = m[i, j, k]
        decompose(a, (a + a.T) * 0.5, out, i)


def matrices(size: int, count: int = 300) -> Array:
    """Random matrices, and those at which decompositions go wrong."""
    rng = np.random.default_rng(size)
    shape = (count, size, size)
    found = [rng.normal(size=shape), rng.integers(-2, 3, shape) * 1.0, np.eye(size) + 1e-7 * rng.normal(size=shape)]
    of_rank_one = rng.normal(size=(count, size, 1)) * rng.normal(size=(count, 1, size))
    found += [of_rank_one, of_rank_one + 1e-6 * rng.normal(size=shape)]
    found += [rng.normal(size=shape) * 10.0 ** rng.integers(-6, 7, shape)]
    q = np.linalg.qr(rng.normal(size=shape))[0]  # rotations and reflections
    found += [q, q * (1, -1, 2)[:size], q @ (q * np.geomspace(1, 1e-5, size)).swapaxes(1, 2)]
    special = np.zeros((size**2 + 4, size, size))
    special[: size**2].reshape(-1)[:: size**2 + 1] = 1  # one element each
    special[-3:] = np.eye(size), -np.eye(size), np.ones((size, size))
    return np.concatenate([*found, special, special * 1e-30, special * 1e30])


def error(got: Array, want: Array, scale: Array, type: ScalarType) -> float:
    """The greatest error, in ulp of the scale of each matrix."""
    scale = np.where(scale > 0, scale, 1).reshape(-1, *(1,) * (got.ndim - 1))
    return float((abs(got - want) / scale).max() / np.finfo(type.dtype).eps)


@pytest.mark.one_vulkan_device
@pytest.mark.parametrize("type", [f32, f64], ids=str)
@pytest.mark.parametrize("size", [2, 3])
def test_against_numpy(device: Device, size: int, type: ScalarType) -> None:
    """Of 180,000 such matrices of each kind, the host's worst errors are 14 ulp of the greatest element for values, 15
    for what is put together again and for right angles, and 30 for polar decompositions, which are made of three."""
    requires(device, type.name)
    count = 300 if device.info.backend != "interpreter" else 4
    m = matrices(size, count).astype(type.dtype)
    out = Buffer.zeros((len(m), 2 + 5 * size, size), type, device)
    (of_two if size == 2 else of_three).with_global_threads(len(m))(Buffer.from_numpy(m, device), out)
    got = out.numpy().astype(np.longdouble)
    values, s = got[:, 0], got[:, 1]
    vectors, u, v, r, p = (got[:, 2 + k * size : 2 + (k + 1) * size] for k in range(5))
    symmetric, whole = ((m + m.swapaxes(1, 2)) / 2).astype(np.longdouble), m.astype(np.longdouble)
    greatest, of_symmetric, one = abs(whole).max((1, 2)), abs(symmetric).max((1, 2)), np.ones(len(m))

    def transposed(x: Array) -> Array:
        return x.swapaxes(1, 2)

    assert error(values, np.linalg.eigvalsh(symmetric.astype(np.float64)), of_symmetric, type) < 24
    assert error(s, np.linalg.svd(m.astype(np.float64))[1], greatest, type) < 24
    assert error(vectors * values[:, None] @ transposed(vectors), symmetric, of_symmetric, type) < 24
    assert error(u * s[:, None] @ transposed(v), whole, greatest, type) < 32
    for orthogonal in (vectors, u, v, r):
        assert error(transposed(orthogonal) @ orthogonal, np.eye(size), one, type) < 32
    assert error(r @ p, whole, greatest, type) < 48
    assert (p == transposed(p)).all()
    assert (np.diff(values) >= 0).all() and (np.diff(s) <= 0).all() and (s >= 0).all()


@func
def stretched(m: mat3, by: vec3) -> f32:
    """A function of the singular and the eigenvalues of a symmetric matrix, changed along three directions."""
    m += mat3(by.x, 2.0 * by.y, 0.0, 2.0 * by.y, -by.x, by.z, 0.0, by.z, by.y)
    _, s, _ = svd(m)
    values, _ = symmetric_eigen(m)
    return s.x + 2.0 * s.y + 3.0 * s.z + dot(values, vec3(1.0, 2.0, 4.0))


@func
def angle(m: mat2) -> f32:
    r, _ = polar(m)
    return r[1, 0]


def test_derivatives(device: Device) -> None:
    """The gradient by m of singular values is of u v', that of eigenvalues of v v'; at diagonal matrices, too, where
    rotations are by 0."""
    if device.info.backend == "vulkan":
        pytest.skip("the rules are the same, and drivers take long to compile them")

    @kernel
    def compute(m: Item[mat3], g: ItemMut[vec3], a: Item[mat2], h: ItemMut[mat2]) -> None:
        g = derivative(stretched, "by")(m, vec3(0.0))
        h = derivative(angle)(a)

    rng = np.random.default_rng(0)
    m = rng.normal(size=(4, 3, 3)).astype(np.float32)
    m = (m + m.swapaxes(1, 2)) / 2
    m[3] = np.diag([1, 3, 2])
    a = rng.normal(size=(4, 2, 2)).astype(np.float32)
    a[3] = np.diag([2, 1])
    g, h = Buffer.zeros((4, 3), f32, device), Buffer.zeros(a.shape, f32, device)
    compute(Buffer.from_numpy(m, device), g, Buffer.from_numpy(a, device), h)
    u, _, vh = np.linalg.svd(m.astype(np.float64))
    _, w = np.linalg.eigh(m.astype(np.float64))
    by_m = np.einsum("nik,k,nkj->nij", u, [1, 2, 3], vh) + np.einsum("nik,k,njk->nij", w, [1, 2, 4], w)
    directions = np.zeros((3, 3, 3))
    directions[0] = np.diag([1, -1, 0])
    directions[1] = [[0, 2, 0], [2, 0, 0], [0, 0, 1]]
    directions[2, [1, 2], [2, 1]] = 1
    # Errors of f32 grow by the values' distances, which are down to 0.2, and by the condition of a.
    close = {"rtol": 1e-3, "atol": 1e-3}
    np.testing.assert_allclose(g.numpy(), np.einsum("nij,dij->nd", by_m, directions), **close)

    def sine(x: Array) -> Array:
        u, _, vh = np.linalg.svd(x)
        return (u @ vh)[:, 1, 0]

    for i, j in np.ndindex(2, 2):
        step = np.zeros((2, 2))
        step[i, j] = 1e-5
        np.testing.assert_allclose(h.numpy()[:, i, j], (sine(a + step) - sine(a - step)) / 2e-5, **close)


def of_a_vector(x: ItemMut[vec3]) -> None:
    x = svd(x)


def of_four(x: ItemMut[f32]) -> None:
    values, _ = symmetric_eigen(Matrix[f32, 4, 4](1.0))
    x = values[0]


def test_what_is_refused() -> None:
    for wrong, message in (
        (of_a_vector, r"svd takes a matrix of 2 x 2 or 3 x 3 floats, not Vector\[f32, 3\]"),
        (of_four, r"symmetric_eigen takes a matrix of 2 x 2 or 3 x 3 floats, not Matrix\[f32, 4, 4\]"),
    ):
        with pytest.raises(KernelTypeError, match=message):
            kernel(wrong).inspect("ir")

"""Systems of linear equations, many small ones at once: LU factors with pivots, then two triangles solved.

A port of ``LUFactor`` and ``LUSolve`` of MFEM's batched linear algebra, which is C++ for CUDA and HIP (BSD 3-Clause):
https://github.com/mfem/mfem/blob/master/linalg/kernels.hpp
Matrices are in rows here, in columns there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from krnlpy import Buffer, Device, GlobalMut, f32, func, i32, kernel
from krnlpy.dsl import global_id

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from examples.kernels._common import Work, main

M = 6  # equations of a system


@func
def lu_factor(A: GlobalMut[f32, 2], m: i32, ipiv: GlobalMut[i32], tol: f32) -> bool:
    for i in range(m):
        # pivoting
        piv = i
        a = abs(A[piv][i])
        for j in range(i + 1, m):
            b = abs(A[j][i])
            if b > a:
                a = b
                piv = j
        ipiv[i] = piv
        if piv != i:
            # swap rows i and piv in both L and U parts
            for j in range(m):
                A[i][j], A[piv][j] = A[piv][j], A[i][j]

        if abs(A[i][i]) <= tol:
            return False

        a_ii_inv = 1.0 / A[i][i]
        for j in range(i + 1, m):
            A[j][i] *= a_ii_inv

        for k in range(i + 1, m):
            a_ik = A[i][k]
            for j in range(i + 1, m):
                A[j][k] -= a_ik * A[j][i]
    return True


@func
def lu_solve(A: GlobalMut[f32, 2], m: i32, ipiv: GlobalMut[i32], x: GlobalMut[f32]) -> None:
    # X <- P X
    for i in range(m):
        x[i], x[ipiv[i]] = x[ipiv[i]], x[i]

    # X <- L^{-1} X
    for j in range(m):
        x_j = x[j]
        for i in range(j + 1, m):
            x[i] -= A[i][j] * x_j

    # X <- U^{-1} X
    for j in range(m - 1, -1, -1):
        x[j] /= A[j][j]
        x_j = x[j]
        for i in range(j):
            x[i] -= A[i][j] * x_j


@kernel
def solve(A: GlobalMut[f32, 3], P: GlobalMut[i32, 2], X: GlobalMut[f32, 2], regular: GlobalMut[bool]) -> None:
    e = global_id()
    if e < len(A):
        m = A.shape[1]
        regular[e] = lu_factor(A[e], m, P[e], 1e-12)
        if regular[e]:
            lu_solve(A[e], m, P[e], X[e])


def example(device: Device, size: int) -> Iterator[Work]:
    """``size`` systems, some of them singular."""
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(size, M, M)).astype(np.float32)
    matrices[::2, range(M), range(M)] = 0  # nothing goes without pivots
    matrices[::5, :, M // 2] = 0
    right = rng.normal(size=(size, M)).astype(np.float32)
    A, X = Buffer.from_numpy(matrices.copy(), device), Buffer.from_numpy(right.copy(), device)
    P, regular = Buffer.zeros((size, M), i32, device), Buffer.zeros(size, bool, device)

    def check() -> None:
        expected = np.arange(size) % 5 != 0
        np.testing.assert_array_equal(regular.numpy(), expected)
        x, a = X.numpy()[expected].astype(np.float64), matrices[expected].astype(np.float64)
        left = np.abs(np.einsum("eij,ej->ei", a, x) - right[expected])
        # Backward stable: the residual is of the roundings of 2**-24, times the growth of factors with pivots.
        scale = np.abs(a).sum(2).max(1) * np.abs(x).max(1)
        assert (left.max(1) <= 4 * M**2 * 2**-24 * scale).all()

    run = solve.with_global_threads(size)
    yield Work("LU with pivots", lambda: run(A, P, X, regular), check, size / 1e6, "Msystems")


if __name__ == "__main__":
    main(example, size=10_000)

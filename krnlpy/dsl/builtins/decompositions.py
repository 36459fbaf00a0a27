"""Decompositions of matrices of 2 x 2 and 3 x 3, as simulations of solids and fluids need them for each particle.

They take the same steps for every matrix, so that threads stay together. Errors are a few ulp of the greatest value.
"""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "polar", "svd", "symmetric_eigen",
]  # fmt: skip


@builtin
def symmetric_eigen(m: Any) -> Any:
    """``values, vectors = symmetric_eigen(m)``: eigenvalues in ascending order, and eigenvectors as columns.

    The vectors have length 1 and are at right angles; ``m`` is ``vectors @ diagonal @ vectors.T``. If m is not
    symmetric, the mean of m and m.T is meant. As ``numpy.linalg.eigh``; by Jacobi's rotations.

    Raises:
        KernelTypeError: m is not a matrix of 2 x 2 or 3 x 3 floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import mat2, symmetric_eigen
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     values, vectors = symmetric_eigen(mat2(5, 0, 0, x))
    ...     print(values, abs(vectors))
    >>> show(Buffer.ones(1, f32))
    (1.0, 5.0) ((0.0, 1.0), (1.0, 0.0))
    """


@builtin
def svd(m: Any) -> Any:
    """``u, s, v = svd(m)``: singular values in descending order, none below 0; ``m`` is ``u @ diagonal(s) @ v.T``.

    The columns of u and v have length 1 and are at right angles, whatever the rank of m is; each may be a rotation or a
    reflection. As ``numpy.linalg.svd``, but v is not transposed; by one-sided Jacobi rotations (Hestenes).

    Raises:
        KernelTypeError: m is not a matrix of 2 x 2 or 3 x 3 floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import mat2, svd
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     u, s, v = svd(mat2(x, 0, 0, -3))
    ...     print(s)
    >>> show(Buffer.ones(1, f32))
    (3.0, 1.0)
    """


@builtin
def polar(m: Any) -> Any:
    """``r, s = polar(m)``: ``m`` is ``r @ s``, r orthogonal and s symmetric with no eigenvalue below 0.

    r is the orthogonal matrix that is nearest to m: a rotation where the determinant of m is above 0, a reflection
    where it is below.

    Raises:
        KernelTypeError: m is not a matrix of 2 x 2 or 3 x 3 floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import mat2, polar
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     r, s = polar(mat2(0, -2, x, 0))
    ...     print(r[1, 0], s)
    >>> show(Buffer.ones(1, f32))
    1.0 ((1.0, 0.0), (0.0, 2.0))
    """

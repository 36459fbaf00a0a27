"""The standard's extension for linear algebra: products and norms are autograph's, factorizations are NumPy's.

NumPy computes on the host: the matrices of a device travel there and back. Nothing of it is recorded for gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autograph import (
    Tensor,
    abs,
    concat,
    diagonal,
    eye,
    matmul,
    matrix_transpose,
    max,
    min,
    outer,
    sqrt,
    sum,
    tensordot,
    trace,
    vecdot,
    vector_norm,
)
from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.tensor.base import require_tensor
from krnlpy import f32, f64

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


class EighResult(NamedTuple):
    """What :func:`eigh` gives: ``eigenvalues`` in ascending order, and ``eigenvectors`` in columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QRResult(NamedTuple):
    """What :func:`qr` gives: ``Q`` of orthonormal columns, and ``R``, an upper triangle."""

    Q: Tensor
    R: Tensor


class SlogdetResult(NamedTuple):
    """What :func:`slogdet` gives: ``sign`` of the determinant, and ``logabsdet``, the logarithm of its magnitude."""

    sign: Tensor
    logabsdet: Tensor


class SVDResult(NamedTuple):
    """What :func:`svd` gives: ``U`` and ``Vh`` of orthonormal columns and rows, and ``S`` in descending order."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def _by_numpy(function: Callable[..., Any], *operands: Tensor, **keywords: Any) -> Any:
    """What NumPy gives of stacks of matrices, as tensors where the operands lie."""
    name, first = function.__name__, operands[0]
    for x in operands:
        require_tensor(name, x)
        if x.dtype not in (f32, f64):
            raise DtypeError(f"{name} takes f32 and f64, not {x.dtype}; convert with tensor.cast(dtype)")
        if x.tracked:
            raise AutographError(f"{name} has no gradient: take it of tensor.detach()")
    try:
        found = function(*(x.numpy() for x in operands), **keywords)
    except np.linalg.LinAlgError as error:
        raise ShapeError(f"{name} of shape {', '.join(str(x.shape) for x in operands)}: {error}") from None
    several = found if isinstance(found, tuple) else (found,)
    narrow = (part.astype(np.int32) if part.dtype == np.int64 else part for part in map(np.asarray, several))
    tensors = tuple(Tensor.from_numpy(part, first.device) for part in narrow)
    return tensors if isinstance(found, tuple) else tensors[0]


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """The triangle whose product with its transpose is each of a stack of symmetric positive matrices.

    Raises:
        ShapeError: the matrices are not square, or one is not positive definite.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.cholesky(xp.asarray([[4.0, 2.0], [2.0, 10.0]])).numpy().tolist()
    [[2.0, 0.0], [1.0, 3.0]]
    """
    result: Tensor = _by_numpy(np.linalg.cholesky, x, upper=upper)
    return result


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The cross products of vectors of three numbers along an axis.

    Raises:
        ShapeError: the axis has another length, or the shapes do not broadcast.
        DtypeError: an operand is not a tensor.

    >>> from autograph import array_api as xp
    >>> xp.linalg.cross(xp.asarray([1, 0, 0]), xp.asarray([0, 1, 0])).numpy().tolist()
    [0, 0, 1]
    """
    for x in (x1, x2):
        require_tensor("cross", x)
        if not -x.ndim <= axis < x.ndim or x.shape[axis] != 3:
            raise ShapeError(f"cross of shapes {x1.shape} and {x2.shape} along axis={axis}: expected a length of 3")
    back = axis if axis < 0 else axis - x1.ndim  # from the end, where shapes are aligned
    (a0, a1, a2), (b0, b1, b2) = ([_at(x, back, i) for i in range(3)] for x in (x1, x2))
    return concat([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=back)


def _at(x: Tensor, axis: int, place: int) -> Tensor:
    return x[(..., slice(place, place + 1), *[slice(None)] * (-axis - 1))]


def det(x: Tensor, /) -> Tensor:
    """The determinant of each of a stack of matrices.

    Raises:
        ShapeError: the matrices are not square.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> round(xp.linalg.det(xp.asarray([[1.0, 2.0], [3.0, 4.0]])).item(), 4)
    -2.0
    """
    result: Tensor = _by_numpy(np.linalg.det, x)
    return result


def eigh(x: Tensor, /) -> EighResult:
    """Eigenvalues and eigenvectors of each of a stack of symmetric matrices.

    Raises:
        ShapeError: the matrices are not square.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.eigh(xp.asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues.numpy().tolist()
    [1.0, 2.0]
    """
    return EighResult(*_by_numpy(np.linalg.eigh, x))


def eigvalsh(x: Tensor, /) -> Tensor:
    """The eigenvalues of each of a stack of symmetric matrices, in ascending order.

    Raises:
        ShapeError: the matrices are not square.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.eigvalsh(xp.asarray([[2.0, 0.0], [0.0, 1.0]])).numpy().tolist()
    [1.0, 2.0]
    """
    result: Tensor = _by_numpy(np.linalg.eigvalsh, x)
    return result


def inv(x: Tensor, /) -> Tensor:
    """The inverse of each of a stack of matrices.

    Raises:
        ShapeError: the matrices are not square, or one has no inverse.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.inv(xp.asarray([[2.0, 0.0], [0.0, 4.0]])).numpy().tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    result: Tensor = _by_numpy(np.linalg.inv, x)
    return result


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Tensor:
    """The norm of each of a stack of matrices.

    Args:
        x: of floats.
        keepdims: the last two axes stay, with length 1.
        ord: "fro" is Frobenius's; "nuc" the sum of singular values, 2 and -2 the greatest and the smallest of them; 1
            and -1 the greatest and the smallest sum of a column's magnitudes, inf and -inf of a row's.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        DtypeError: ``x`` is not a tensor.
        AutographError: there is no such norm.

    >>> from autograph import array_api as xp
    >>> xp.linalg.matrix_norm(xp.asarray([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0
    """
    require_tensor("matrix_norm", x)
    if x.ndim < 2:
        raise ShapeError(f"matrix_norm of shape {x.shape}: expected matrices")
    if ord in ("fro", None):
        return sqrt(sum(x * x, (-2, -1), keepdims=keepdims))  # type: ignore[no-any-return]
    if ord in ("nuc", 2, -2):
        values = svdvals(x)
        result = sum(values, -1) if ord == "nuc" else (max if ord == 2 else min)(values, -1)
        return result.reshape((*result.shape, 1, 1)) if keepdims else result
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise AutographError(f"matrix_norm(ord={ord!r}): expected 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    added, left = (-2, -1) if ord in (1, -1) else (-1, -2)
    sums = sum(abs(x), added, keepdims=True)
    result = (max if float(ord) > 0 else min)(sums, left, keepdims=True)
    return result if keepdims else result.reshape(result.shape[:-2])


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """The product of ``n`` times each of a stack of matrices; of its inverse below 0.

    Raises:
        ShapeError: the matrices are not square, or one has no inverse.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import array_api as xp
    >>> xp.linalg.matrix_power(xp.asarray([[1.0, 1.0], [0.0, 1.0]]), 3).numpy().tolist()
    [[1.0, 3.0], [0.0, 1.0]]
    """
    require_tensor("matrix_power", x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"matrix_power of shape {x.shape}: expected square matrices")
    result, factor = None, x if n >= 0 else inv(x)
    for bit in reversed(f"{n if n >= 0 else -n:b}") if n else "":
        if bit == "1":
            result = factor if result is None else matmul(result, factor)
        factor = matmul(factor, factor)
    if result is None:
        return eye(x.shape[-1], dtype=x.dtype, device=x.device).broadcast_to(x.shape).copy()
    return result


def matrix_rank(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """How many singular values of each of a stack of matrices are above a share of the greatest.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.matrix_rank(xp.asarray([[1.0, 2.0], [2.0, 4.0]])).item()
    1
    """
    require_tensor("matrix_rank", x)
    if x.ndim < 2:
        raise ShapeError(f"matrix_rank of shape {x.shape}: expected matrices")
    result: Tensor = _by_numpy(np.linalg.matrix_rank, x, rtol=_array(rtol))
    return result


def pinv(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """The Moore-Penrose inverse of each of a stack of matrices.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.pinv(xp.asarray([[2.0, 0.0], [0.0, 0.0]])).numpy().tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    result: Tensor = _by_numpy(np.linalg.pinv, x, rtol=_array(rtol))
    return result


def _array(number: Any) -> Any:
    return number.numpy() if isinstance(number, Tensor) else number


def qr(x: Tensor, /, *, mode: str = "reduced") -> QRResult:
    """The factors of each of a stack of matrices: orthonormal columns and an upper triangle.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        DtypeError: ``x`` is not a tensor of f32 or f64.
        AutographError: ``mode`` is neither "reduced" nor "complete".

    >>> from autograph import array_api as xp
    >>> xp.abs(xp.linalg.qr(xp.asarray([[2.0, 1.0], [0.0, 3.0]])).R).numpy().tolist()
    [[2.0, 1.0], [0.0, 3.0]]
    """
    if mode not in ("reduced", "complete"):
        raise AutographError(f"qr(mode={mode!r}): expected 'reduced' or 'complete'")
    return QRResult(*_by_numpy(np.linalg.qr, x, mode=mode))


def slogdet(x: Tensor, /) -> SlogdetResult:
    """Sign and logarithm of the determinant of each of a stack of matrices, which do not overflow.

    Raises:
        ShapeError: the matrices are not square.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.slogdet(xp.asarray([[0.0, 1.0], [1.0, 0.0]])).sign.item()
    -1.0
    """
    return SlogdetResult(*_by_numpy(np.linalg.slogdet, x))


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """What each of a stack of matrices must be multiplied by to give a vector, or each of a stack of matrices.

    Raises:
        ShapeError: the matrices are not square, one has no inverse, or the shapes do not fit.
        DtypeError: an operand is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.solve(xp.asarray([[2.0, 0.0], [0.0, 4.0]]), xp.asarray([2.0, 2.0])).numpy().tolist()
    [1.0, 0.5]
    """
    result: Tensor = _by_numpy(np.linalg.solve, x1, x2)
    return result


def svd(x: Tensor, /, *, full_matrices: bool = True) -> SVDResult:
    """Singular values and vectors of each of a stack of matrices.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.svd(xp.asarray([[0.0, 2.0], [1.0, 0.0]])).S.numpy().tolist()
    [2.0, 1.0]
    """
    return SVDResult(*_by_numpy(np.linalg.svd, x, full_matrices=full_matrices))


def svdvals(x: Tensor, /) -> Tensor:
    """The singular values of each of a stack of matrices, in descending order.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        DtypeError: ``x`` is not a tensor of f32 or f64.

    >>> from autograph import array_api as xp
    >>> xp.linalg.svdvals(xp.asarray([[0.0, 2.0], [1.0, 0.0]])).numpy().tolist()
    [2.0, 1.0]
    """
    result: Tensor = _by_numpy(np.linalg.svdvals, x)
    return result

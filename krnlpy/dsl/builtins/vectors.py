"""Vectors and matrices."""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "cross", "determinant", "distance", "dot", "inverse", "length", "normalize", "outer", "trace", "transpose",
]  # fmt: skip


@builtin
def dot(a: Any, b: Any) -> Any:
    """The inner product of two vectors.

    Raises:
        KernelTypeError: an operand is not a vector, or their lengths differ.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import dot, vec3
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(dot(vec3(1, 2, 3), vec3(4, 5, x)))
    >>> show(Buffer.ones(1, f32))
    17.0
    """


@builtin
def cross(a: Any, b: Any) -> Any:
    """The vector product of two vectors of three: right-angled to both.

    Raises:
        KernelTypeError: an operand is not a vector of three.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import cross, vec3
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(cross(vec3(x, 0, 0), vec3(0, 1, 0)))
    >>> show(Buffer.ones(1, f32))
    (0.0, 0.0, 1.0)
    """


@builtin
def length(v: Any) -> Any:
    """The Euclidean length of a vector.

    Raises:
        KernelTypeError: v is not a vector of floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import length, vec2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(length(vec2(3, 4) * x))
    >>> show(Buffer.ones(1, f32))
    5.0
    """


@builtin
def distance(a: Any, b: Any) -> Any:
    """The Euclidean length of ``a - b``.

    Raises:
        KernelTypeError: an operand is not a vector of floats, or their lengths differ.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import distance, vec2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(distance(vec2(x, 1), vec2(4, 5)))
    >>> show(Buffer.ones(1, f32))
    5.0
    """


@builtin
def normalize(v: Any) -> Any:
    """A vector divided by its length; of a vector of zeros, NaN.

    Raises:
        KernelTypeError: v is not a vector of floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import normalize, vec2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(normalize(vec2(0, 5) * x))
    >>> show(Buffer.ones(1, f32))
    (0.0, 1.0)
    """


@builtin
def outer(a: Any, b: Any) -> Any:
    """The matrix of the products of all elements of two vectors: ``a[i] * b[j]``.

    Raises:
        KernelTypeError: an operand is not a vector.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import outer, vec2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(outer(vec2(1, 2), vec2(x, 10)))
    >>> show(Buffer.ones(1, f32))
    ((1.0, 10.0), (2.0, 20.0))
    """


@builtin
def transpose(m: Any) -> Any:
    """A matrix with rows and columns exchanged, as ``m.T``.

    Raises:
        KernelTypeError: m is not a matrix.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import mat2, transpose
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(transpose(mat2(x, 2, 3, 4)))
    >>> show(Buffer.ones(1, f32))
    ((1.0, 3.0), (2.0, 4.0))
    """


@builtin
def determinant(m: Any) -> Any:
    """The determinant of a square matrix.

    Raises:
        KernelTypeError: m is not a square matrix of floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import determinant, mat2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(determinant(mat2(x, 2, 3, 4)))
    >>> show(Buffer.ones(1, f32))
    -2.0
    """


@builtin
def trace(m: Any) -> Any:
    """The sum of the elements on the diagonal of a matrix, of any scalar type and shape, as NumPy's.

    Raises:
        KernelTypeError: m is not a matrix.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import mat2, trace
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(trace(mat2(x, 2, 3, 4)))
    >>> show(Buffer.ones(1, f32))
    5.0
    """


@builtin
def inverse(m: Any) -> Any:
    """The inverse of a square matrix; of a singular one, infinities and NaN.

    Raises:
        KernelTypeError: m is not a square matrix of floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import inverse, mat2
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(inverse(mat2(2, 0, 0, 4) * x))
    >>> show(Buffer.ones(1, f32))
    ((0.5, -0.0), (-0.0, 0.25))
    """

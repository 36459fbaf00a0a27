"""Quaternions: vectors of four floats (x, y, z, w), of which w is the real part, as in Warp, glTF and most engines.

A rotation is a quaternion of length 1; that by no angle is ``vec4(0, 0, 0, 1)``. ``normalize(q)`` makes the length 1.
"""

from __future__ import annotations

from typing import Any

from .marker import builtin

__all__ = [
    "quat_conjugate", "quat_from_axis_angle", "quat_from_matrix", "quat_inverse", "quat_multiply", "quat_rotate",
    "quat_rotate_inverse", "quat_slerp", "quat_to_axis_angle", "quat_to_matrix",
]  # fmt: skip


@builtin
def quat_multiply(a: Any, b: Any) -> Any:
    """The product of two quaternions (Hamilton's): the rotation ``b``, then the rotation ``a``.

    Raises:
        KernelTypeError: an operand is not a vector of four floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_multiply, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(quat_multiply(vec4(x, 0, 0, 0), vec4(0, 1, 0, 0)))
    >>> show(Buffer.ones(1, f32))
    (0.0, 0.0, 1.0, 0.0)
    """


@builtin
def quat_conjugate(q: Any) -> Any:
    """The quaternion with the signs of x, y and z changed; of one of length 1 the rotation backwards.

    Raises:
        KernelTypeError: q is not a vector of four floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_conjugate, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(quat_conjugate(vec4(x, 2, 3, 4)))
    >>> show(Buffer.ones(1, f32))
    (-1.0, -2.0, -3.0, 4.0)
    """


@builtin
def quat_inverse(q: Any) -> Any:
    """The inverse of a quaternion of any length: the conjugate by the square of the length; of 0 NaN.

    Raises:
        KernelTypeError: q is not a vector of four floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_inverse, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(quat_inverse(vec4(x, -1, 1, -1)))
    >>> show(Buffer.ones(1, f32))
    (-0.25, 0.25, -0.25, -0.25)
    """


@builtin
def quat_rotate(q: Any, v: Any) -> Any:
    """A vector of three, rotated by a quaternion of length 1.

    Raises:
        KernelTypeError: q is not a vector of four floats, or v not one of three.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_rotate, vec3, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(quat_rotate(vec4(0, 0, x, 0), vec3(1, 2, 3)))
    >>> show(Buffer.ones(1, f32))
    (-1.0, -2.0, 3.0)
    """


@builtin
def quat_rotate_inverse(q: Any, v: Any) -> Any:
    """A vector of three, rotated backwards by a quaternion of length 1.

    Raises:
        KernelTypeError: q is not a vector of four floats, or v not one of three.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_rotate, quat_rotate_inverse, vec3, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     q = vec4(0, 0, x, 0)
    ...     print(quat_rotate_inverse(q, quat_rotate(q, vec3(1, 2, 3))))
    >>> show(Buffer.ones(1, f32))
    (1.0, 2.0, 3.0)
    """


@builtin
def quat_from_axis_angle(axis: Any, angle: Any) -> Any:
    """The quaternion of the rotation about an axis of length 1, by an angle in radians, counter-clockwise seen from its
    tip.

    Raises:
        KernelTypeError: the axis is not a vector of three floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_from_axis_angle, vec3
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(quat_from_axis_angle(vec3(0, 0, 1), 0.0 * x))
    >>> show(Buffer.ones(1, f32))
    (0.0, 0.0, 0.0, 1.0)
    """


@builtin
def quat_to_axis_angle(q: Any) -> Any:
    """The axis (of length 1) and the angle (0 to pi) of a rotation; where the angle is 0, the axis is that of x.

    Raises:
        KernelTypeError: q is not a vector of four floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_to_axis_angle, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     axis, angle = quat_to_axis_angle(vec4(0, x, 0, 0))
    ...     print(axis, f"{angle:.4f}")
    >>> show(Buffer.ones(1, f32))
    (0.0, 1.0, 0.0) 3.1416
    """


@builtin
def quat_to_matrix(q: Any) -> Any:
    """The matrix of three rows of a rotation: ``quat_to_matrix(q) @ v`` is ``quat_rotate(q, v)``.

    Raises:
        KernelTypeError: q is not a vector of four floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_to_matrix, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(quat_to_matrix(vec4(0, 0, 0, x)))
    >>> show(Buffer.ones(1, f32))
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    """


@builtin
def quat_from_matrix(m: Any) -> Any:
    """The quaternion of length 1 of a matrix of three rows that is a rotation (Shepperd's way, exact for all angles).

    Raises:
        KernelTypeError: m is not a matrix of 3 x 3 floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import mat3, quat_from_matrix
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     print(quat_from_matrix(mat3(x, 0, 0, 0, -1, 0, 0, 0, -1)))
    >>> show(Buffer.ones(1, f32))
    (1.0, 0.0, 0.0, 0.0)
    """


@builtin
def quat_slerp(a: Any, b: Any, t: Any) -> Any:
    """The rotation a part t of the way from ``a`` (t is 0) to ``b`` (t is 1), at constant speed along the shorter arc.

    Raises:
        KernelTypeError: a or b is not a vector of four floats.

    >>> from krnlpy import Buffer, Item, f32, kernel
    >>> from krnlpy.dsl import quat_slerp, vec4
    >>> @kernel
    ... def show(x: Item[f32]):
    ...     q = quat_slerp(vec4(0, 0, 0, 1), vec4(0, 0, x, 0), 0.5)
    ...     print(f"{q.z:.4f} {q.w:.4f}")
    >>> show(Buffer.ones(1, f32))
    0.7071 0.7071
    """

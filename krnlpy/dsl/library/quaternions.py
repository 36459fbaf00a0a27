"""Quaternions as vectors of four: (x, y, z, w), of which w is the real part."""

from __future__ import annotations

from typing import Any

from krnlpy.dsl.builtins import atan2, cos, cross, dot, length, normalize, sin
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.composites import Matrix, Vector


@func
def quat_multiply(a: Any, b: Any) -> Any:
    return Vector[type(a.x * b.x), 4](
        a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
        a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
        a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
        a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z,
    )


@func
def quat_conjugate(q: Any) -> Any:
    return Vector[type(q.x), 4](-q.x, -q.y, -q.z, q.w)


@func
def quat_inverse(q: Any) -> Any:
    return quat_conjugate(q) / dot(q, q)


@func
def quat_rotate(q: Any, v: Any) -> Any:
    # v' = q v q*, without the products that cancel out.
    t = 2.0 * cross(q.xyz, v)
    return v + q.w * t + cross(q.xyz, t)


@func
def quat_rotate_inverse(q: Any, v: Any) -> Any:
    return quat_rotate(quat_conjugate(q), v)


@func
def quat_from_axis_angle(axis: Any, angle: Any) -> Any:
    half = type(axis.x)(0.5) * angle
    return Vector[type(axis.x * half), 4](axis * sin(half), cos(half))


@func
def quat_to_axis_angle(q: Any) -> Any:
    # By the tangent: the arc cosine of w has no digits where w is near 1.
    size = length(q.xyz)
    angle = 2.0 * atan2(size, abs(q.w))
    if size == 0.0:
        return Vector[type(q.x), 3](1, 0, 0), angle
    return q.xyz / (size if q.w >= 0.0 else -size), angle


@func
def quat_to_matrix(q: Any) -> Any:
    x, y, z = 2.0 * q.x, 2.0 * q.y, 2.0 * q.z
    return Matrix[type(q.x), 3, 3](
        1.0 - q.y * y - q.z * z, q.x * y - q.w * z, q.x * z + q.w * y,
        q.x * y + q.w * z, 1.0 - q.x * x - q.z * z, q.y * z - q.w * x,
        q.x * z - q.w * y, q.y * z + q.w * x, 1.0 - q.x * x - q.y * y,
    )  # fmt: skip


@func
def quat_from_matrix(m: Any) -> Any:
    # S. W. Shepperd, "Quaternion from Rotation Matrix", J. Guidance and Control 1, 1978: the square root is of the
    # greatest of four sums, which is at least 1.
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    if trace >= 0.0:
        w = 1.0 + trace
        q = Vector[type(trace), 4](m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], w)
    elif m[0, 0] >= m[1, 1] and m[0, 0] >= m[2, 2]:
        x = 1.0 + m[0, 0] - m[1, 1] - m[2, 2]
        q = Vector[type(trace), 4](x, m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2])
    elif m[1, 1] >= m[2, 2]:
        y = 1.0 - m[0, 0] + m[1, 1] - m[2, 2]
        q = Vector[type(trace), 4](m[0, 1] + m[1, 0], y, m[1, 2] + m[2, 1], m[0, 2] - m[2, 0])
    else:
        z = 1.0 - m[0, 0] - m[1, 1] + m[2, 2]
        q = Vector[type(trace), 4](m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], z, m[1, 0] - m[0, 1])
    return normalize(q)


@func
def quat_slerp(a: Any, b: Any, t: Any) -> Any:
    # K. Shoemake, "Animating Rotation with Quaternion Curves", SIGGRAPH '85; the angle by the lengths of sum and
    # difference (W. Kahan), since the arc cosine has no digits where it is small.
    end = b if dot(a, b) >= 0.0 else -b
    apart = length(end - a)
    angle = 2.0 * atan2(apart, length(a + end))
    whole = sin(angle)
    if whole <= 1e-6:
        return normalize(a + (end - a) * t)  # the arc is a line, to within a third of its square
    return (a * sin((1.0 - t) * angle) + end * sin(t * angle)) / whole

"""Eigenvalues, singular values and polar decompositions of small matrices, by rotations of pairs (Jacobi).

C. G. J. Jacobi, 1846, for symmetric matrices; M. R. Hestenes, "Inversion of Matrices by Biorthogonalization and Related
Results", J. SIAM 6, 1958, for singular values: columns are rotated until they are at right angles. The angles are those
of G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th edition, 8.5.2. Convergence is quadratic; the passes over all
pairs are as many for each matrix, so that threads stay together. Matrices are scaled to elements of at most 1, which
keeps squares within what the type holds.
"""

from __future__ import annotations

from typing import Any

from krnlpy.dsl.builtins import cross, dot, length, outer, sqrt, transpose, unroll
from krnlpy.dsl.frontend.syntax.functions import func
from krnlpy.dsl.types.composites import Matrix, Vector
from krnlpy.scalar import f32

PASSES_F32, PASSES_F64 = 5, 6
"""One pass more than the worst of a million random and degenerate matrices needed."""


@func
def pair(a: Any, b: Any) -> Any:
    return Vector[type(a), 2](a, b)


@func
def triple(a: Any, b: Any, c: Any) -> Any:
    return Vector[type(a), 3](a, b, c)


@func
def of_columns_2(u: Any, v: Any) -> Any:
    return Matrix[type(u.x), 2, 2](u.x, v.x, u.y, v.y)


@func
def of_columns_3(u: Any, v: Any, w: Any) -> Any:
    return transpose(Matrix[type(u.x), 3, 3](u, v, w))


@func
def scale_of(m: Any) -> Any:
    """What the elements are divided by: the greatest size of one, or 1 where all are 0."""
    greatest = type(m[0, 0])(0)
    for i in unroll(range(len(m))):
        for j in unroll(range(len(m))):
            greatest = max(greatest, abs(m[i, j]))
    return greatest if greatest > 0.0 else type(greatest)(1)


@func
def rotation(alpha: Any, beta: Any, gamma: Any) -> Any:
    """Cosine and sine of the rotation by at most 45 degrees that makes ``[[alpha, gamma], [gamma, beta]]`` diagonal."""
    difference, twice = beta - alpha, 2.0 * gamma
    greater, smaller = max(abs(difference), abs(twice)), min(abs(difference), abs(twice))
    divisor = greater if greater > 0.0 else type(greater)(1)
    ratio = smaller / divisor
    tangent = twice / (abs(difference) + divisor * sqrt(1.0 + ratio * ratio))
    tangent = tangent if difference >= 0.0 else -tangent
    cosine = 1.0 / sqrt(1.0 + tangent * tangent)
    return cosine, tangent * cosine


@func
def turned(p: Any, q: Any, cosine: Any, sine: Any) -> Any:
    """Two vectors or numbers, rotated in the plane of both."""
    return cosine * p - sine * q, sine * p + cosine * q


@func
def diagonal(alpha: Any, beta: Any, gamma: Any, cosine: Any, sine: Any) -> Any:
    """The diagonal of ``[[alpha, gamma], [gamma, beta]]`` after the rotation that makes it diagonal."""
    change = sine / cosine * gamma
    return alpha - change, beta + change


@func
def right_angled(p: Any, q: Any, v: Any, w: Any) -> Any:
    """Two columns rotated to a right angle, and two others by the same angle."""
    cosine, sine = rotation(dot(p, p), dot(q, q), dot(p, q))
    p, q = turned(p, q, cosine, sine)
    v, w = turned(v, w, cosine, sine)
    return p, q, v, w


# ------------------------------------------------------------------------------------------------ symmetric matrices


@func
def symmetric_eigen_2(m: Any) -> Any:
    scale = scale_of(m)
    a, b, ab = m[0, 0] / scale, m[1, 1] / scale, 0.5 * (m[0, 1] / scale + m[1, 0] / scale)
    cosine, sine = rotation(a, b, ab)
    a, b = diagonal(a, b, ab, cosine, sine)
    u, v = pair(cosine, -sine), pair(sine, cosine)
    if b < a:
        a, b, u, v = b, a, v, u
    return pair(a, b) * scale, of_columns_2(u, v)


@func
def symmetric_eigen_3(m: Any) -> Any:
    scale = scale_of(m)
    one, zero = type(scale)(1), type(scale)(0)
    a, b, c = m[0, 0] / scale, m[1, 1] / scale, m[2, 2] / scale
    ab = 0.5 * (m[0, 1] / scale + m[1, 0] / scale)
    bc = 0.5 * (m[1, 2] / scale + m[2, 1] / scale)
    ca = 0.5 * (m[2, 0] / scale + m[0, 2] / scale)
    u, v, w = triple(one, zero, zero), triple(zero, one, zero), triple(zero, zero, one)
    for _ in range(PASSES_F32 if type(scale) is f32 else PASSES_F64):
        cosine, sine = rotation(a, b, ab)
        a, b = diagonal(a, b, ab, cosine, sine)
        ca, bc = turned(ca, bc, cosine, sine)
        u, v = turned(u, v, cosine, sine)
        cosine, sine = rotation(b, c, bc)
        b, c = diagonal(b, c, bc, cosine, sine)
        ab, ca = turned(zero, ca, cosine, sine)
        v, w = turned(v, w, cosine, sine)
        cosine, sine = rotation(c, a, ca)
        c, a = diagonal(c, a, ca, cosine, sine)
        bc, ab = turned(zero, ab, cosine, sine)
        w, u = turned(w, u, cosine, sine)
        ca = zero
    if b < a:
        a, b, u, v = b, a, v, u
    if c < b:
        b, c, v, w = c, b, w, v
    if b < a:
        a, b, u, v = b, a, v, u
    return triple(a, b, c) * scale, of_columns_3(u, v, w)


# -------------------------------------------------------------------------------------------------- singular values


@func
def svd_2(m: Any) -> Any:
    scale = scale_of(m)
    one, zero = type(scale)(1), type(scale)(0)
    p, q = pair(m[0, 0], m[1, 0]) / scale, pair(m[0, 1], m[1, 1]) / scale
    v, w = pair(one, zero), pair(zero, one)
    for _ in range(2):  # the second pass makes good what the first one rounded
        p, q, v, w = right_angled(p, q, v, w)
    if dot(p, p) < dot(q, q):
        p, q, v, w = q, p, w, v
    first = p / length(p) if dot(p, p) > 0.0 else pair(one, zero)
    second = pair(-first.y, first.x)
    second = second if dot(second, q) >= 0.0 else -second
    return of_columns_2(first, second), pair(length(p), length(q)) * scale, of_columns_2(v, w)


@func
def svd_3(m: Any) -> Any:
    scale = scale_of(m)
    one, zero = type(scale)(1), type(scale)(0)
    columns = transpose(m) / scale
    p, q, r = columns[0], columns[1], columns[2]
    u, v, w = triple(one, zero, zero), triple(zero, one, zero), triple(zero, zero, one)
    for _ in range(PASSES_F32 if type(scale) is f32 else PASSES_F64):
        p, q, u, v = right_angled(p, q, u, v)
        q, r, v, w = right_angled(q, r, v, w)
        r, p, w, u = right_angled(r, p, w, u)
    if dot(p, p) < dot(q, q):
        p, q, u, v = q, p, v, u
    if dot(q, q) < dot(r, r):
        q, r, v, w = r, q, w, v
    if dot(p, p) < dot(q, q):
        p, q, u, v = q, p, v, u
    # The left vectors are at right angles whatever the rank is: what has no direction of its own is given one.
    first = p / length(p) if dot(p, p) > 0.0 else triple(one, zero, zero)
    rest = q - first * dot(first, q)
    if dot(rest, rest) <= 0.25 * dot(q, q):
        rest = perpendicular(first)
    second = rest / length(rest)
    third = cross(first, second)
    third = third if dot(third, r) >= 0.0 else -third
    values = triple(length(p), length(q), length(r)) * scale
    return of_columns_3(first, second, third), values, of_columns_3(u, v, w)


@func
def perpendicular(v: Any) -> Any:
    """A vector at a right angle to one: with the axis that is the least part of it."""
    one, zero = type(v.x)(1), type(v.x)(0)
    size = abs(v)
    axis = triple(zero, zero, one)
    if size.x <= size.y and size.x <= size.z:
        axis = triple(one, zero, zero)
    elif size.y <= size.z:
        axis = triple(zero, one, zero)
    return cross(v, axis)


# ------------------------------------------------------------------------------------------------------------ polar


@func
def polar_2(m: Any) -> Any:
    u, s, v = svd_2(m)
    rows = transpose(v)
    stretch = outer(rows[0], rows[0]) * s.x + outer(rows[1], rows[1]) * s.y
    return u @ rows, stretch


@func
def polar_3(m: Any) -> Any:
    u, s, v = svd_3(m)
    rows = transpose(v)
    stretch = outer(rows[0], rows[0]) * s.x + outer(rows[1], rows[1]) * s.y + outer(rows[2], rows[2]) * s.z
    return u @ rows, stretch

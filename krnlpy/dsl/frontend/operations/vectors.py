"""The functions of vectors and matrices: products, lengths, determinants, quaternions, decompositions, ``any``."""

from __future__ import annotations

import ast
import builtins as python
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend import lists
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.conversions import composite, typed
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.sequences import entries, is_written_out
from krnlpy.dsl.frontend.values import Compound, Static, Value, describe, matrix, vector
from krnlpy.dsl.types.composites import MatrixType, VectorType
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import boolean, i32

from . import compounds
from .library import call_whole
from .operands import arguments, zero

Handler = Callable[[Lowering, Call], Value]


def _operands(lowering: Lowering, call: Call, *kinds: Any) -> list[Compound]:
    """The arguments, which are of these kinds; each scalar in them is evaluated once."""
    where = call.location
    values = arguments(call, len(kinds), call.name)
    operands = []
    for value, kind in zip(values, kinds, strict=True):
        value = composite(value, where) or value
        if not isinstance(value, Compound) or not isinstance(value.type, kind):
            wanted = "a matrix" if kind is MatrixType else "a vector"
            raise KernelTypeError(f"{call.name} takes {wanted}, not {describe(value)}", *where)
        parts = tuple(lowering.evaluate_once(typed(p)) for p in value.parts if isinstance(p, ir.Expr))
        operands.append(Compound(value.type, parts, value.location))
    return operands


def _floats(value: Compound, name: str, where: ir.Location) -> None:
    if not value.type.parts[0][1].is_float:
        raise KernelTypeError(f"{name} needs floats, not {value.type}; convert it, for example f32(...)", *where)


def _same_length(a: Compound, b: Compound, name: str, where: ir.Location) -> None:
    if len(a.parts) != len(b.parts):
        raise KernelTypeError(f"{name} of {a.type} and {b.type}: their lengths differ", *where)


def _dot(lowering: Lowering, call: Call) -> Value:
    where = call.location
    a, b = _operands(lowering, call, VectorType, VectorType)
    _same_length(a, b, "dot", where)
    return compounds.inner(lowering, a.parts, b.parts, where)


def _cross(lowering: Lowering, call: Call) -> Value:
    where = call.location
    a, b = _operands(lowering, call, VectorType, VectorType)
    if len(a.parts) != 3 or len(b.parts) != 3:
        raise KernelTypeError(f"cross needs vectors of three, not {a.type} and {b.type}", *where)
    return vector([_minor(lowering, a.parts, b.parts, (i + 1) % 3, (i + 2) % 3, where) for i in range(3)], where)


def _minor(lowering: Lowering, a: Sequence[Value], b: Sequence[Value], i: int, j: int, where: ir.Location) -> ir.Expr:
    """``a[i] * b[j] - a[j] * b[i]``"""
    left = lowering.binary(ast.Mult(), a[i], b[j], where)
    right = lowering.binary(ast.Mult(), a[j], b[i], where)
    return typed(lowering.binary(ast.Sub(), left, right, where))


def _sqrt(value: ir.Expr, where: ir.Location) -> ir.Expr:
    return ir.Math("sqrt", (value,), type=value.type, location=where)


def _length(lowering: Lowering, call: Call) -> Value:
    where = call.location
    (v,) = _operands(lowering, call, VectorType)
    _floats(v, "length", where)
    return _sqrt(compounds.inner(lowering, v.parts, v.parts, where), where)


def _distance(lowering: Lowering, call: Call) -> Value:
    where = call.location
    a, b = _operands(lowering, call, VectorType, VectorType)
    _same_length(a, b, "distance", where)
    difference = compounds.binary(lowering, ast.Sub(), a, b, where)
    _floats(difference, "distance", where)
    parts = [lowering.evaluate_once(typed(p)) for p in difference.parts if isinstance(p, ir.Expr)]
    return _sqrt(compounds.inner(lowering, parts, parts, where), where)


def _normalize(lowering: Lowering, call: Call) -> Value:
    where = call.location
    (v,) = _operands(lowering, call, VectorType)
    _floats(v, "normalize", where)
    length = lowering.assign_temporary(_sqrt(compounds.inner(lowering, v.parts, v.parts, where), where), "length")
    return compounds.binary(lowering, ast.Div(), v, length, where)


def _outer(lowering: Lowering, call: Call) -> Value:
    where = call.location
    a, b = _operands(lowering, call, VectorType, VectorType)
    parts = [typed(lowering.binary(ast.Mult(), x, y, where)) for x in a.parts for y in b.parts]
    return matrix(parts, len(a.parts), where)


def _transpose(lowering: Lowering, call: Call) -> Value:
    (m,) = _operands(lowering, call, MatrixType)
    return compounds.transpose(m, call.location)


def _square(lowering: Lowering, call: Call, name: str) -> list[list[ir.Expr]]:
    where = call.location
    (m,) = _operands(lowering, call, MatrixType)
    assert isinstance(m.type, MatrixType)
    if m.type.rows != m.type.columns:
        raise KernelTypeError(f"{name} needs as many rows as columns, not {m.type}", *where)
    _floats(m, name, where)
    parts = [typed(p) for p in m.parts if isinstance(p, ir.Expr)]
    return [parts[row * m.type.columns : (row + 1) * m.type.columns] for row in range(m.type.rows)]


def _expand(lowering: Lowering, rows: list[list[ir.Expr]], where: ir.Location) -> ir.Expr:
    """The determinant, by expansion along the first row (Laplace)."""
    if len(rows) == 1:
        return rows[0][0]
    total: Value | None = None
    for column, entry in enumerate(rows[0]):
        minor = [[e for c, e in enumerate(row) if c != column] for row in rows[1:]]
        term = lowering.binary(ast.Mult(), entry, _expand(lowering, minor, where), where)
        if total is None:
            total = term
        else:
            total = lowering.binary(ast.Sub() if column % 2 else ast.Add(), total, term, where)
    assert total is not None
    return lowering.assign_temporary(typed(total), "minor")


_WRITTEN_OUT = 4
"""Determinants and inverses of so many rows are formulas; those of more are loops over arrays."""


def _determinant(lowering: Lowering, call: Call) -> Value:
    where, rows = call.location, _square(lowering, call, "determinant")
    if len(rows) <= _WRITTEN_OUT:
        return _expand(lowering, rows, where)
    array = _as_array(lowering, "matrix", rows, where)
    return call_whole(lowering, "determinant_in_place", (array, Static(len(rows), where)), where)


def _as_array(lowering: Lowering, name: str, rows: list[list[ir.Expr]], where: ir.Location) -> Static:
    """A local array with the elements of a square matrix."""
    lengths = (ir.const(len(rows), i32, where),) * 2
    array = ir.LocalArray(name, rows[0][0].type, lengths)
    lowering.local_arrays.append(array)
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            index = ir.const(i, i32, where), ir.const(j, i32, where)
            lowering.emit(ir.Store(array, index, entry, location=where))
    return Static(array, where)


def _inverse_by_loops(lowering: Lowering, rows: list[list[ir.Expr]], where: ir.Location) -> Value:
    size, type = len(rows), rows[0][0].type
    array = _as_array(lowering, "matrix", rows, where)
    result = _as_array(lowering, "inverse", [[zero(type, where)] * size] * size, where)
    call_whole(lowering, "inverse_in_place", (array, result, Static(size, where)), where)
    parts: list[ir.Expr] = []
    for i in range(size):
        for j in range(size):
            index = ir.const(i, i32, where), ir.const(j, i32, where)
            parts.append(lowering.assign_temporary(ir.Load(result.value, index, type=type, location=where), "inverse"))
    return matrix(parts, size, where)


def _inverse(lowering: Lowering, call: Call) -> Value:
    """The adjugate over the determinant: exact in form, and short for up to four rows."""
    where = call.location
    rows = _square(lowering, call, "inverse")
    size = len(rows)
    if size > _WRITTEN_OUT:
        return _inverse_by_loops(lowering, rows, where)
    cofactors: list[list[ir.Expr]] = []
    for i in range(size):
        line = []
        for j in range(size):
            rest = [[e for c, e in enumerate(row) if c != j] for r, row in enumerate(rows) if r != i]
            minor = _expand(lowering, rest, where)
            line.append(ir.Unary("neg", minor, type=minor.type, location=where) if (i + j) % 2 else minor)
        cofactors.append([lowering.assign_temporary(entry, "cofactor") for entry in line])
    determinant = lowering.assign_temporary(compounds.inner(lowering, rows[0], cofactors[0], where), "determinant")
    transposed = [cofactors[j][i] for i in range(size) for j in range(size)]
    parts = [typed(lowering.binary(ast.Div(), entry, determinant, where)) for entry in transposed]
    return matrix(parts, size, where)


def _trace(lowering: Lowering, call: Call) -> Value:
    """The sum of the diagonal, from its first element on."""
    (m,) = _operands(lowering, call, MatrixType)
    assert isinstance(m.type, MatrixType)
    step = m.type.columns + 1
    total, *others = m.parts[: m.type.columns * min(m.type.rows, m.type.columns) : step]
    for part in others:
        total = typed(lowering.binary(ast.Add(), total, part, call.location))
    return total


def _truths(op: str) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        (value,) = arguments(call, 1, call.name)
        found = lists.numbers_in(value)
        if entries(value) is None or not found:
            raise KernelTypeError(f"{call.name} takes a vector, a tuple or a list, not {describe(value)}", *where)
        result, *rest = (lowering.truth(part, where) for part in found)
        for truth in rest:
            result = ir.Logical(op, result, truth, type=boolean, location=where)  # type: ignore[arg-type]
        return result

    return handler


def _total(name: str, operator: ast.operator) -> Handler:
    """All numbers of a vector or tuple, from left to right."""

    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        if len(call.positional) != 1:
            raise KernelTypeError(f"{name} takes one vector or tuple", *where)
        (value,) = call.values
        found = lists.numbers_in(value)
        if entries(value) is None or not found:
            raise KernelTypeError(f"{name} takes a vector or a tuple of numbers, not {describe(value)}", *where)
        total, *rest = found
        for part in rest:
            total = lowering.binary(operator, total, part, where)
        return total

    return handler


def _matmul(lowering: Lowering, call: Call) -> Value:
    a, b = arguments(call, 2, "matmul")
    return lowering.binary(ast.MatMult(), a, b, call.location)


def _len(lowering: Lowering, call: Call) -> Value:
    where = call.location
    (value,) = arguments(call, 1, "len")
    if isinstance(value, Compound):
        return Static(value.type.rows if isinstance(value.type, MatrixType) else len(value.parts), where)
    if is_written_out(value):
        return Static(len(entries(value) or ()), where)
    array = lowering.array(value, call.positional[0].location)
    extents = lowering.array_attribute(array, "shape", where)
    assert isinstance(extents, Static)
    first: Value = extents.value[0]
    return first


# ------------------------------------------------------------------------------------ quaternions, decompositions

_QUATERNIONS = {
    "quat_multiply": "qq",
    "quat_conjugate": "q",
    "quat_inverse": "q",
    "quat_rotate": "qv",
    "quat_rotate_inverse": "qv",
    "quat_from_axis_angle": "vn",
    "quat_to_axis_angle": "q",
    "quat_to_matrix": "q",
    "quat_from_matrix": "m",
    "quat_slerp": "qqn",
}
"""What each takes: a quaternion, a vector of three, a matrix of 3 x 3, a number."""
_SHAPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "q": ("a vector of four floats", (4,)),
    "v": ("a vector of three floats", (3,)),
    "m": ("a matrix of 3 x 3 floats", (3, 3)),
}


def _axes_of_floats(value: Value) -> tuple[int, ...]:
    """The axes of a vector or matrix of floats; none of anything else."""
    if not isinstance(value, Compound) or not isinstance(value.type, VectorType | MatrixType):
        return ()
    return value.type.axes if value.type.element.is_float else ()


def _quaternion(name: str, kinds: str) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        values = arguments(call, len(kinds), name)
        for value, kind in zip(values, kinds, strict=True):
            wanted, axes = _SHAPES.get(kind, ("", ()))
            if _axes_of_floats(value) != axes:
                raise KernelTypeError(
                    f"{name} takes {wanted or 'a number'} there, not {describe(value)}", *value.location
                )
        return call_whole(lowering, name, values, call.location)

    return handler


def _decomposition(name: str) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        (value,) = arguments(call, 1, name)
        axes = _axes_of_floats(value)
        if axes not in ((2, 2), (3, 3)):
            raise KernelTypeError(
                f"{name} takes a matrix of 2 x 2 or 3 x 3 floats, not {describe(value)}", *call.location
            )
        return call_whole(lowering, f"{name}_{axes[0]}", [value], call.location)

    return handler


VECTOR_FUNCTIONS: dict[Any, Handler] = {
    builtins.dot: _dot,
    np.dot: _dot,
    np.matmul: _matmul,
    builtins.cross: _cross,
    np.cross: _cross,
    builtins.length: _length,
    builtins.distance: _distance,
    math.dist: _distance,
    builtins.normalize: _normalize,
    builtins.outer: _outer,
    np.outer: _outer,
    builtins.transpose: _transpose,
    np.transpose: _transpose,
    builtins.determinant: _determinant,
    np.linalg.det: _determinant,
    builtins.inverse: _inverse,
    np.linalg.inv: _inverse,
    builtins.trace: _trace,
    np.trace: _trace,
    np.linalg.norm: _length,
    python.any: _truths("or"),
    python.all: _truths("and"),
    np.any: _truths("or"),
    np.all: _truths("and"),
    python.sum: _total("sum", ast.Add()),
    np.sum: _total("sum", ast.Add()),
    math.prod: _total("prod", ast.Mult()),
    np.prod: _total("prod", ast.Mult()),
    python.len: _len,
    **{getattr(builtins, name): _quaternion(name, kinds) for name, kinds in _QUATERNIONS.items()},
    **{getattr(builtins, name): _decomposition(name) for name in ("symmetric_eigen", "svd", "polar")},
    np.linalg.eigh: _decomposition("symmetric_eigen"),
}
"""What takes vectors and matrices whole; any other function is applied element by element."""

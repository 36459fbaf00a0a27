"""Cooperative matrices: matrices that the threads of a subgroup hold and multiply together, in kernels."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.conversions import coerce_scalar, typed
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.values import Compound, Static, Value, describe, is_number
from krnlpy.dsl.frontend.views import View
from krnlpy.dsl.types.cooperative import USES, CooperativeType
from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError


@dataclass(frozen=True)
class Method:
    """``load`` of a type, or ``store`` of a matrix, before it is called."""

    name: Literal["load", "store"]
    owner: CooperativeType | ir.CooperativeMatrix


@dataclass(frozen=True, eq=False)
class Matrices:
    """An array of matrices of one type. Which of them is meant is known while compiling: ``parts`` are row by row."""

    name: str
    type: CooperativeType
    shape: tuple[int, ...]
    parts: tuple[ir.CooperativeMatrix, ...]

    def at(self, index: Sequence[Value], where: ir.Location) -> Static:
        """A matrix of the array, or a row of them."""
        shape, parts = self.shape, self.parts
        if len(index) > len(shape):
            raise KernelTypeError(f"{self.name} has {len(shape)} dimensions, indexed with {len(index)}", *where)
        for i in index:
            number = i.value if isinstance(i, Static) else None
            if not isinstance(number, int):
                raise KernelTypeError(
                    f"which matrix of {self.name} is meant has to be known while compiling: index it with constants,"
                    " and loop over unroll(range(...))",
                    *where,
                )
            if not -shape[0] <= number < shape[0]:
                raise KernelTypeError(
                    f"index {number} is out of range: {self.name} has length {shape[0]} there", *where
                )
            count = len(parts) // shape[0]
            start = number % shape[0] * count
            shape, parts = shape[1:], parts[start : start + count]
        return Static(parts[0] if not shape else Matrices(self.name, self.type, shape, parts), where)


_MOST_MATRICES = 256
"""Of an array: each is a variable of its own."""


def declared(
    lowering: Lowering, known: object, name: str, type: CooperativeType, shape: tuple[ir.Expr, ...], where: ir.Location
) -> Matrices:
    """``name = local_array(type, shape)`` of matrices, which are zeros then; ``known`` is what the name meant before
    this."""
    lengths = tuple(int(n.value) for n in shape if isinstance(n, ir.Const))
    if len(lengths) < len(shape) or math.prod(lengths) > _MOST_MATRICES:
        raise KernelTypeError(
            f"the size of an array of matrices is made of constants, {_MOST_MATRICES} matrices at most", *where
        )
    if isinstance(known, Matrices):
        if (known.type, known.shape) != (type, lengths):
            raise KernelTypeError(f"{name} is an array of other matrices; use another name", *where)
        array = known
    else:
        array = Matrices(name, type, lengths, tuple(_new(lowering, type, name) for _ in range(math.prod(lengths))))
    for matrix in array.parts:
        kind = matrix.type.compute
        nothing = ir.const(0.0 if kind.is_float else 0, kind, where)
        lowering.emit_convergent(ir.CooperativeFill(matrix, nothing, location=where))
    return array


def matrix_of(value: Value) -> ir.CooperativeMatrix | None:
    """The matrix that a value is, or None."""
    found = value.value if isinstance(value, Static) else None
    return found if isinstance(found, ir.CooperativeMatrix) else None


def attribute(owner: CooperativeType | ir.CooperativeMatrix, name: str, where: ir.Location) -> Static:
    """``type.load`` and ``matrix.store``."""
    wanted = "load" if isinstance(owner, CooperativeType) else "store"
    if name == wanted:
        return Static(Method(wanted, owner), where)  # type: ignore[arg-type]
    raise KernelNameError(f"a cooperative matrix{' type' if wanted == 'load' else ''} has {wanted}, not {name}", *where)


def call(lowering: Lowering, callee: CooperativeType | Method, call: Call) -> Value | None:
    """A call of a matrix type or of a method; None where it has no value."""
    where, values = call.location, call.values
    if isinstance(callee, CooperativeType):
        if len(values) != 1 or call.named:
            raise KernelTypeError(f"{callee} takes one number; .load takes a matrix from a buffer", *where)
        matrix = _new(lowering, callee)
        value = coerce_scalar(values[0], matrix.type, f"an element of {callee}", where)
        lowering.emit_convergent(ir.CooperativeFill(matrix, value, location=where))
        return Static(matrix, where)
    transposed = _transposed(call)
    if len(values) != 3:
        raise KernelTypeError(f"write .{callee.name}(array, row, column)", *where)
    place: Any = values[0].value if isinstance(values[0], Static) else None
    checked = True
    if isinstance(place, View) and place.is_whole:
        checked = place.checked
        place = place.base
    rank = place.ndim if isinstance(place, ir.GlobalParameter) else len(getattr(place, "shape", ()))
    if not isinstance(place, ir.GlobalParameter | ir.GroupArray) or rank != 2:
        raise KernelTypeError(
            f"cooperative matrices are in buffers and group arrays of two dimensions; this is {describe(values[0])}",
            *call.positional[0].location,
        )
    index = tuple(_integer(argument.value, argument.location) for argument in call.positional[1:])
    if isinstance(callee.owner, CooperativeType):
        matrix = _new(lowering, callee.owner)
        _check_type(matrix, place, where)
        lowering.emit_convergent(ir.CooperativeLoad(matrix, place, index, transposed, checked, location=where))
        return Static(matrix, where)
    _check_type(callee.owner, place, where)
    if isinstance(place, ir.GlobalParameter) and not place.mutable:
        raise KernelTypeError(f"{place.name} is read only; declare it GlobalMut[{place.type}, 2] to write", *where)
    lowering.emit_convergent(ir.CooperativeStore(callee.owner, place, index, transposed, checked, location=where))
    return None


def _transposed(call: Call) -> bool:
    for name, (value, where) in call.named:
        if name != "transposed" or not isinstance(value, Static) or not isinstance(value.value, bool):
            raise KernelTypeError("the only keyword is transposed, which is True or False", *where)
        return value.value
    return False


def _integer(value: Value, where: ir.Location) -> ir.Expr:
    index = typed(value)
    if not index.type.is_integer:
        raise KernelTypeError(f"an index must be an integer, this is {index.type}; write i32(...)", *where)
    return index


def _check_type(matrix: ir.CooperativeMatrix, place: ir.Place, where: ir.Location) -> None:
    if place.type is not matrix.type:
        raise KernelTypeError(f"{place.name} holds {place.type}, the matrix {matrix.type}", *where)


def _new(lowering: Lowering, type: CooperativeType, name: str = "matrix") -> ir.CooperativeMatrix:
    if isinstance(type.type, TypeVar):
        type = replace(type, type=lowering.state.types[type.type])
    return ir.CooperativeMatrix(name, type.type, type.rows, type.columns, type.use)


def _like(matrix: ir.CooperativeMatrix, name: str = "matrix") -> ir.CooperativeMatrix:
    return replace(matrix, name=name)


def same_type(a: ir.CooperativeMatrix, b: ir.CooperativeMatrix) -> bool:
    return replace(a, name="").__dict__ == replace(b, name="").__dict__


def product(lowering: Lowering, call: Call) -> Value:
    """``cooperative_multiply_add(a, b, c)``"""
    where, values = call.location, call.values
    matrices = [matrix_of(value) for value in values]
    if len(matrices) != 3 or [m.use if m else None for m in matrices] != list(USES):
        raise KernelTypeError(
            'cooperative_multiply_add takes three cooperative matrices, of the uses "a", "b" and "accumulator"; here '
            + ", ".join(described(v) for v in values),
            *where,
        )
    a, b, c = matrices
    assert a is not None and b is not None and c is not None
    if a.columns != b.rows or (a.rows, b.columns) != (c.rows, c.columns):
        raise KernelTypeError(f"{shape(a)} @ {shape(b)} + {shape(c)}: the shapes do not fit", *where)
    if a.type is not b.type or (a.type.is_float != c.type.is_float) or c.type.size < a.type.size:
        raise KernelTypeError(f"a product of {a.type} and {b.type} cannot be added up in {c.type}", *where)
    result = _like(c)
    lowering.emit_convergent(ir.CooperativeProduct(result, a, b, c, location=where))
    return Static(result, where)


def shape(matrix: ir.CooperativeMatrix) -> str:
    return f"{matrix.rows}x{matrix.columns}"


def described(value: Value) -> str:
    matrix = matrix_of(value)
    return describe(value) if matrix is None else repr(_type_of(matrix))


def _type_of(matrix: ir.CooperativeMatrix) -> CooperativeType:
    return CooperativeType(matrix.type, matrix.rows, matrix.columns, matrix.use)


_OPERATORS: dict[type[ast.operator], Any] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}


def binary(lowering: Lowering, operator: ast.operator, left: Value, right: Value, where: ir.Location) -> Static:
    """``+ - *`` of two matrices of one type, ``*`` and ``/`` of a matrix and a number."""
    op: Any = _OPERATORS.get(type(operator))
    a, b = matrix_of(left), matrix_of(right)
    model = a or b
    assert model is not None
    operands: list[ir.CooperativeMatrix | ir.Expr] = []
    for value, matrix in ((left, a), (right, b)):
        if matrix is not None:
            operands.append(matrix)
        elif isinstance(value, Compound) or (isinstance(value, Static) and not is_number(value.value)):
            raise KernelTypeError(f"this operator does not take {described(left)} and {described(right)}", *where)
        else:
            operands.append(coerce_scalar(value, model.type, f"an element of {_type_of(model)}", where))
    both = a is not None and b is not None
    wrong = (
        op is None or (op == "div" and (not model.type.is_float or a is None)) or (not both and op in ("add", "sub"))
    )
    if wrong or (a is not None and b is not None and not same_type(a, b)):
        raise KernelTypeError(
            f"cooperative matrices of one type have + - * /, and * and / by a number; here {described(left)} and"
            f" {described(right)}",
            *where,
        )
    result = _like(model)
    lowering.emit_convergent(ir.CooperativeMap(result, op, tuple(operands), location=where))
    return Static(result, where)


def negated(lowering: Lowering, operator: ast.unaryop, matrix: ir.CooperativeMatrix, where: ir.Location) -> Static:
    """``-matrix``"""
    if not isinstance(operator, ast.USub):
        raise KernelSyntaxError("a cooperative matrix has no such operator", *where)
    result = _like(matrix)
    lowering.emit_convergent(ir.CooperativeMap(result, "neg", (matrix,), location=where))
    return Static(result, where)


def copied(
    lowering: Lowering,
    matrix: ir.CooperativeMatrix,
    to: ir.CooperativeMatrix | None,
    name: str,
    where: ir.Location,
) -> ir.CooperativeMatrix:
    """Assigns a matrix to a variable, which is new where it is None."""
    if to is not None and not same_type(matrix, to):
        raise KernelTypeError(f"{name} is a {_type_of(to)}; this is a {_type_of(matrix)}", *where)
    target = to or _like(matrix, name)
    lowering.emit_convergent(ir.CooperativeMap(target, "copy", (matrix,), location=where))
    return target

"""``in``, ``is`` and the equality of tuples."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Literal

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.conversions import typed
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.sequences import Members, Range, entries, is_array_value
from krnlpy.dsl.frontend.values import Compound, Static, Value, describe, is_number
from krnlpy.dsl.types.composites import MatrixType, VectorType
from krnlpy.errors import KernelSyntaxError, KernelTypeError
from krnlpy.scalar import boolean


def lower_container(lowering: Lowering, node: ast.expr) -> Value:
    """What stands after ``in``: a set or a range has a meaning there, and nowhere else."""
    where = lowering.at(node)
    if isinstance(node, ast.Set):
        return Static(Members(tuple(lowering.values(node.elts))), where)
    if isinstance(node, ast.Call):
        callee = lowering.value(node.func)
        if isinstance(callee, Static) and callee.value is range:
            bounds = lowering.call(node).values
            if not 1 <= len(bounds) <= 3 or node.keywords:
                raise KernelTypeError("range takes one to three numbers", *where)
            start: Value = bounds[0] if len(bounds) > 1 else Static(0, where)
            step: Value = bounds[2] if len(bounds) > 2 else Static(1, where)
            return Static(Range(start, bounds[len(bounds) > 1], step), where)
    return lowering.value(node)


def identical(left: Value, right: Value, where: ir.Location) -> bool:
    """``left is right``, of what is known while compiling; what is known while the kernel runs is not None."""
    if isinstance(left, Static) and isinstance(right, Static):
        return left.value is right.value or (isinstance(left.value, type) and left.value == right.value)  # bool
    if not any(isinstance(side, Static) and side.value is None for side in (left, right)):
        raise KernelSyntaxError("kernels have `is` between types and None only; numbers are compared by ==", *where)
    return False


def contains(lowering: Lowering, value: Value, container: Value, where: ir.Location) -> Value:
    """``value in container``: compared with one after another."""
    if isinstance(value, ir.Expr):
        value = lowering.evaluate_once(value)
    if isinstance(container, Static) and isinstance(container.value, Range):
        return _in_range(lowering, value, container.value, where)
    members = entries(container)
    if members is None:
        raise KernelTypeError(
            f"`in` takes a tuple, a list, a set, a range or a vector, not {describe(container)}; write a loop", *where
        )
    return join(lowering, "or", [equal(lowering, value, member, where) for member in members], where)


def equal(lowering: Lowering, left: Value, right: Value, where: ir.Location) -> Value:
    """``left == right`` as one truth value: sequences are equal if all that they consist of is."""
    a, b = entries(left), entries(right)
    if a is None and b is None:
        return lowering.compare(ast.Eq(), left, right, where)
    if a is None or b is None or len(a) != len(b):
        return Static(False, where)
    return join(lowering, "and", [equal(lowering, x, y, where) for x, y in zip(a, b, strict=True)], where)


def is_elementwise(value: Value) -> bool:
    """Whether a comparison with this is one of elements: it is a vector, a matrix or an array."""
    return is_array_value(value) or (isinstance(value, Compound) and isinstance(value.type, VectorType | MatrixType))


def join(lowering: Lowering, op: Literal["and", "or"], truths: Sequence[Value], where: ir.Location) -> Value:
    """All or any of several truth values, which have no effects."""
    decisive = op == "or"
    known = [truth for truth in truths if isinstance(truth, Static) and is_number(truth.value)]
    if any(bool(truth.value) == decisive for truth in known):
        return Static(decisive, where)
    result: ir.Expr | None = None
    for truth in truths:
        if truth in known:
            continue
        term = lowering.truth(truth, where)
        result = term if result is None else ir.Logical(op, result, term, type=boolean, location=where)
    return Static(not decisive, where) if result is None else result


def _in_range(lowering: Lowering, value: Value, numbers: Range, where: ir.Location) -> Value:
    step = numbers.step.value if isinstance(numbers.step, Static) else None
    if not isinstance(step, int) or isinstance(step, bool) or not step:
        raise KernelTypeError("the step of a range after `in` is a constant other than 0", *where)
    if not isinstance(value, Static) and not typed(value).type.is_integer:
        raise KernelTypeError(f"a range has integers, this is {describe(value)}", *where)
    first, last = (ast.LtE(), ast.Lt()) if step > 0 else (ast.GtE(), ast.Gt())
    inside = [lowering.compare(first, numbers.start, value, where), lowering.compare(last, value, numbers.stop, where)]
    if abs(step) != 1:
        distance = lowering.binary(ast.Sub(), value, numbers.start, where)
        rest = lowering.binary(ast.Mod(), distance, Static(abs(step), where), where)
        inside.append(lowering.compare(ast.Eq(), rest, Static(0, where), where))
    return join(lowering, "and", inside, where)

"""Atomic operations: ``old = atomic_add(a[i], value)``.

The first argument names the element that is changed, as the left side of an assignment does: ``a[i, j]``,
``particles[i].mass``, ``v[i].x``. A vector or a matrix, ``v[i]``, is changed one number after the other.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.conversions import coerce
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.targets import CompositeTarget, Element, SelectedTarget, Target
from krnlpy.dsl.frontend.values import Compound, Static, Value, assemble, is_static_number
from krnlpy.dsl.types.composites import MatrixType, VectorType
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import ScalarType, boolean

from . import compounds
from .operands import constant

_OPERATIONS: dict[Any, ir.AtomicOp] = {
    builtins.atomic_add: "add",
    builtins.atomic_sub: "sub",
    builtins.atomic_min: "min",
    builtins.atomic_max: "max",
    builtins.atomic_and: "and",
    builtins.atomic_or: "or",
    builtins.atomic_xor: "xor",
    builtins.atomic_exchange: "exchange",
    builtins.atomic_compare_exchange: "compare_exchange",
    builtins.atomic_load: "load",
    builtins.atomic_store: "store",
}


_BY_PARTS = ("add", "sub", "min", "max", "and", "or", "xor")
"""What may be done to the numbers of a vector one after the other: the order of threads does not matter."""


def _lower(op: ir.AtomicOp, lowering: Lowering, node: ast.Call) -> Value:
    where, name = lowering.at(node), f"atomic_{op}"
    count = {"compare_exchange": 3, "load": 1}.get(op, 2)
    form = f"{name}({', '.join(('a[i]', *(('expected', 'value') if count == 3 else ('value',) * (count - 1))))})"
    if not node.args or not isinstance(node.args[0], ast.Subscript | ast.Attribute):
        _refuse_place(lowering, node, form)
    if len(node.args) != count:
        arguments = "1 argument" if count == 1 else f"{count} arguments"
        raise KernelTypeError(f"write {form}: {name} takes {arguments}, {len(node.args)} given", *where)
    element = node.args[0]
    found: list[Target] = []

    def find() -> Value:
        found.append(lowering.target(element))
        return Static(None, where)

    _, *values = lowering.in_order([find, *(lambda a=a: lowering.value(a) for a in node.args[1:])])
    if op in _BY_PARTS and _is_vector(found[0]):
        return _lower_parts(op, lowering, found[0], values[0], form, node)
    places = _elements(found[0], form, lowering.at(element))
    type = places[0].type
    for place in places:
        _check(place.place, op, lowering.at(element))
    what = f"{places[0].place.name}, which holds {type}"
    operands = [
        coerce(value, type, what, lowering.at(argument))[0]
        for value, argument in zip(values, node.args[1:], strict=True)
    ]
    value = operands[-1] if operands else None
    if isinstance(value, ir.Round):
        value = value.operand  # rounded where it is written
    result = lowering.temporary(type.compute, "old")
    targets = () if op == "store" else (result,)

    def atomic(place: Element, value: ir.Expr | None, expected: ir.Expr | None) -> ir.Atomic:
        assert isinstance(place.place, ir.GlobalParameter | ir.GroupArray)
        return ir.Atomic(targets, op, place.place, place.index, value, expected, place.checked, location=where)

    expected = operands[0] if count == 3 else None
    if len(places) == 1:
        lowering.emit_effect(atomic(places[0], value, expected))
    else:
        # One of several elements, as in v[i][k]: which one is known only while the kernel runs.
        value = None if value is None else lowering.evaluate_once(value)
        expected = None if expected is None else lowering.evaluate_once(expected)
        if targets:
            lowering.emit(ir.Assign(result, constant(0, type.compute, where), location=where))
        assert isinstance(found[0], SelectedTarget)
        index = lowering.evaluate_once(found[0].index, "index")
        for number, place in enumerate(places):
            condition = compounds.is_equal(index, number, where)
            lowering.emit_effect(ir.If(condition, (atomic(place, value, expected),), (), location=where))
    if op == "store":
        return Static(None, where)
    return ir.Local(result, type=type.compute, location=where)


def _is_vector(target: Target) -> bool:
    return isinstance(target, CompositeTarget) and isinstance(target.type, VectorType | MatrixType)


def _lower_parts(
    op: ir.AtomicOp, lowering: Lowering, target: Target, value: Value, form: str, node: ast.Call
) -> Compound:
    """An atomic for each number of a vector or a matrix; a value that is a number goes with each."""
    where, of_element = lowering.at(node), lowering.at(node.args[0])
    parts: list[Target] = [target]
    while any(isinstance(part, CompositeTarget) for part in parts):
        parts = [p for part in parts for p in (part.parts if isinstance(part, CompositeTarget) else (part,))]
    places = [place for part in parts for place in _elements(part, form, of_element)]
    type, what = places[0].type, f"{places[0].place.name}, which holds {target.type}"
    _check(places[0].place, op, of_element)
    if isinstance(value, ir.Expr) or is_static_number(value):
        operands = coerce(value, type, what, lowering.at(node.args[1])) * len(places)
    else:
        operands = coerce(value, target.type, what, lowering.at(node.args[1]))
    # Before the first is changed: the value may be read from what is.
    once: dict[int, ir.Expr] = {}
    operands = [once.setdefault(id(operand), lowering.evaluate_once(operand)) for operand in operands]
    results = []
    for place, operand in zip(places, operands, strict=True):
        assert isinstance(place.place, ir.GlobalParameter | ir.GroupArray)
        result = lowering.temporary(type.compute, "old")
        rounded = operand.operand if isinstance(operand, ir.Round) else operand
        lowering.emit_effect(
            ir.Atomic((result,), op, place.place, place.index, rounded, None, place.checked, location=where)
        )
        results.append(ir.Local(result, type=type.compute, location=where))
    old = assemble(target.type, iter(results), where)
    assert isinstance(old, Compound)
    return old


def _refuse_place(lowering: Lowering, node: ast.Call, form: str) -> None:
    where = lowering.at(node.args[0] if node.args else node)
    if node.args and isinstance(node.args[0], ast.Name):
        value = lowering.value(node.args[0])
        if isinstance(value, ir.Load) and isinstance(value.place, ir.ItemParameter):
            _check(value.place, "add", where)
    raise KernelTypeError(f"write {form}: an atomic changes an element of a GlobalMut buffer or a group array", *where)


def _elements(target: Target, form: str, where: ir.Location) -> list[Element]:
    """The elements that the atomic may change: it changes one of them."""
    parts = target.parts if isinstance(target, SelectedTarget) else (target,)
    elements = [part for part in parts if isinstance(part, Element)]
    if len(elements) == len(parts):
        return elements
    if any(isinstance(part.type, ScalarType) for part in parts):
        raise KernelTypeError(
            f"write {form}: an atomic changes an element of a GlobalMut buffer or a group array, not a variable", *where
        )
    raise KernelTypeError(
        f"{form.partition('(')[0]} changes one number, this is {target.type}: name a part of it", *where
    )


def _check(place: ir.Place, op: ir.AtomicOp, where: ir.Location) -> None:
    """Refuses an element that has no atomics."""
    name = place.name
    match place:
        case ir.ItemParameter():
            raise KernelTypeError(
                f"{name} is an item, which only one thread accesses: assign it, or declare it GlobalMut", *where
            )
        case ir.GlobalParameter(once=True):
            raise KernelTypeError(f"each element of {name} is written once; declare it GlobalMut for atomics", *where)
        case ir.GlobalParameter(mutable=False):
            raise KernelTypeError(f"{name} is read only; declare it GlobalMut[{place.type}] to write", *where)
        case ir.LocalArray() if not isinstance(place, ir.GroupArray):
            raise KernelTypeError(f"{name} is private to the thread and needs no atomics: assign it", *where)
    if place.type is boolean and op in ("add", "sub", "min", "max"):
        raise KernelTypeError(
            f"atomic_{op} needs numbers; {name} holds bool: write atomic_or or atomic_and, or make it a u32", *where
        )
    if op in ("and", "or", "xor") and place.type.is_float:
        raise KernelTypeError(f"atomic_{op} needs integers or truth values; {name} holds {place.type}", *where)


def without_result(statement: ir.Stmt, unread: list[ir.Expr] | None = None) -> ir.Stmt:
    """An atomic without its result, which nobody reads; any other statement as it is.

    Args:
        unread: of several statements, the results that nobody reads.
    """
    if not isinstance(statement, ir.Atomic):
        return statement
    if unread is not None and not {e.variable for e in unread if isinstance(e, ir.Local)}.issuperset(statement.targets):
        return statement
    return replace(statement, targets=())


def _handler(op: ir.AtomicOp) -> Callable[[Lowering, ast.Call], Value]:
    return lambda lowering, node: _lower(op, lowering, node)


HANDLERS = {builtin: _handler(op) for builtin, op in _OPERATIONS.items()}

__all__ = ["HANDLERS", "without_result"]

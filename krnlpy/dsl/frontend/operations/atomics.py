"""Atomic operations: ``old = atomic_add(a[i], value)``.

The first argument names the element that is changed, as the left side of an assignment does: ``a[i, j]``,
``particles[i].mass``, ``v[i].x``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.conversions import coerce
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.targets import Element, SelectedTarget, Target
from krnlpy.dsl.frontend.values import Static, Value
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
        return ir.Atomic(targets, op, place.place, place.index, value, expected, location=where)

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
    raise KernelTypeError(f"an atomic changes one number, this is {target.type}: name a part of it", *where)


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


def without_result(statement: ir.Stmt) -> ir.Stmt:
    """An atomic without its result, which nobody reads; any other statement as it is."""
    return replace(statement, targets=()) if isinstance(statement, ir.Atomic) else statement


def _handler(op: ir.AtomicOp) -> Callable[[Lowering, ast.Call], Value]:
    return lambda lowering, node: _lower(op, lowering, node)


HANDLERS = {builtin: _handler(op) for builtin, op in _OPERATIONS.items()}

__all__ = ["HANDLERS", "without_result"]

"""What loops go over: ranges, arrays and their rows, vectors and tuples, and ``enumerate``, ``zip`` and the like of
these."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.conversions import cast, is_truth, typed, unify, widen, widens
from krnlpy.dsl.frontend.operations import compounds
from krnlpy.dsl.frontend.sequences import entries
from krnlpy.dsl.frontend.values import Compound, Static, Value, describe, is_number
from krnlpy.dsl.frontend.views import Array, as_view
from krnlpy.errors import KernelTypeError
from krnlpy.scalar import boolean, i32

from .assignments import AssignmentLowering

Range = tuple[ir.Expr, ir.Expr, ir.Expr]
"""Start, stop and step, of one integer type."""


@dataclass(frozen=True, eq=False)
class Items:
    """What a loop goes over.

    Attributes:
        length: how many items there are.
        at: the item of an index, which is a constant or known only while the kernel runs.
        apart: whether each has a type or a place of its own, so that the loop is unrolled where it can be.
        unrolled: whether the kernel says that it is unrolled.
    """

    length: Value
    at: Callable[[Value], Value]
    apart: bool = False
    unrolled: bool = False


class IterationLowering(AssignmentLowering):
    """Lowers what a loop goes over."""

    def items(self, node: ast.expr) -> Items:
        """What an expression after ``in`` means."""
        where = self.at(node)
        if isinstance(node, ast.Call):
            callee = self.value(node.func)
            kind = callee.value if isinstance(callee, Static) else None
            for known, make in _ITERABLES:
                if kind is known:
                    return make(self, node)
        return self._items_of(self.snapshot(self.value(node)), where)

    def _items_of(self, value: Value, where: ir.Location) -> Items:
        if isinstance(value, Static) and isinstance(value.value, Array):
            view = as_view(value.value)
            return Items(self.length_of(view, where), lambda index: self.item_of(view, index, where))
        parts = entries(value)
        if parts is not None:
            return self._apart(parts, where)
        raise KernelTypeError(
            f"a loop goes over range(...), arrays, vectors and tuples; this is {describe(value)}", *where
        )

    def _apart(self, parts: tuple[Value, ...], where: ir.Location) -> Items:
        def at(index: Value) -> Value:
            if isinstance(index, Static):
                part: Value = parts[index.value]
                return part
            assert isinstance(index, ir.Expr)
            return compounds.choose(self, self._of_one_type(parts, where), index, where)

        return Items(Static(len(parts), where), at, apart=True)

    @staticmethod
    def _of_one_type(parts: tuple[Value, ...], where: ir.Location) -> list[ir.Expr | Compound]:
        try:
            return compounds.entries_of_one_type(parts, where)
        except KernelTypeError:
            raise KernelTypeError(
                "a loop with break or continue goes over a tuple whose entries have one type; these differ", *where
            ) from None

    # --------------------------------------------------------------------------------------------------------- ranges

    def range_of(self, call: ast.Call) -> Range:
        """The numbers of a ``range(...)``."""
        return self._range(self.values(call.args), bool(call.keywords), self.at(call))

    def _range(self, arguments: list[Value], has_keywords: bool, where: ir.Location) -> Range:
        if has_keywords or not 1 <= len(arguments) <= 3:
            raise KernelTypeError("range takes one to three numbers", *where)
        zero, one = Static(0, where), Static(1, where)
        start: Value = arguments[0] if len(arguments) > 1 else zero
        stop = arguments[1] if len(arguments) > 1 else arguments[0]
        step: Value = arguments[2] if len(arguments) > 2 else one
        if isinstance(step, Static) and is_number(step.value) and step.value == 0:
            raise KernelTypeError("the step of a range must not be 0", *where)
        if any(map(is_truth, (start, stop, step))):
            raise KernelTypeError("range takes integers, not bool; write i32(...)", *where)
        first, last = unify(start, stop, "range", where)
        stride, _ = unify(step, first, "range", where)
        if stride.type is not first.type:
            first, last = widen(first, stride.type), widen(last, stride.type)
        if not first.type.is_integer:
            raise KernelTypeError(f"range takes integers, not {first.type}", *where)
        return first, last, stride

    def range_items(self, call: ast.Call) -> Items:
        """A ``range(...)`` of which single numbers are taken."""
        where = self.at(call)
        arguments = self.values(call.args)
        first, last, stride = (self._kept(n) for n in self._range(arguments, bool(call.keywords), where))
        return Items(self._count(first, last, stride, where), lambda index: self._reached(first, stride, index, where))

    def _reached(self, first: ir.Expr, stride: ir.Expr, index: Value, where: ir.Location) -> Value:
        """The number that a range reaches after so many steps."""
        if isinstance(first, ir.Const) and isinstance(stride, ir.Const) and isinstance(index, Static):
            return Static(first.value + index.value * stride.value, where)
        steps: ir.Expr = cast(typed(index, first.type), first.type)
        if not _is(stride, 1):
            steps = ir.Binary("mul", steps, stride, type=first.type, location=where)
        return steps if _is(first, 0) else ir.Binary("add", first, steps, type=first.type, location=where)

    @staticmethod
    def _count(first: ir.Expr, last: ir.Expr, stride: ir.Expr, where: ir.Location) -> Value:
        """How many numbers are in a range; not above 0 where there are none."""
        kind = first.type
        numbers = [int(n.value) for n in (first, last, stride) if isinstance(n, ir.Const)]
        if len(numbers) == 3:
            return Static(len(range(*numbers)), where)
        if _is(first, 0) and _is(stride, 1):
            return last
        zero = ir.const(0, kind, where)

        def steps(low: ir.Expr, high: ir.Expr, step: ir.Expr) -> ir.Expr:
            distance: ir.Expr = ir.Binary("sub", high, low, type=kind, location=where)
            if not _is(step, 1):
                rest = ir.Binary("sub", step, ir.const(1, kind, where), type=kind, location=where)
                distance = ir.Binary("add", distance, rest, type=kind, location=where)
                distance = ir.Binary("floordiv", distance, step, type=kind, location=where)
            is_any = ir.Compare("lt", low, high, type=boolean, location=where)
            return ir.Select(is_any, distance, zero, type=kind, location=where)

        up = steps(first, last, stride)
        if not kind.is_signed or (isinstance(stride, ir.Const) and stride.value > 0):
            return up
        negated = ir.Unary("neg", stride, type=kind, location=where)
        down = steps(last, first, ir.const(-stride.value, kind, where) if isinstance(stride, ir.Const) else negated)
        if isinstance(stride, ir.Const):
            return down
        is_up = ir.Compare("gt", stride, zero, type=boolean, location=where)
        return ir.Select(is_up, up, down, type=kind, location=where)

    def _kept(self, number: ir.Expr) -> ir.Expr:
        kept = self.snapshot(number)
        assert isinstance(kept, ir.Expr)
        return kept

    def grid_ranges(self, call: ast.Call) -> list[Range]:
        """The ranges of ``grid(n, range(1, m))``; of ``grid(a.shape)``, those of the lengths."""
        where = self.at(call)
        if call.keywords:
            raise KernelTypeError("grid takes lengths and ranges, or one shape", *where)
        ranges: list[Range] = []
        for argument in call.args:
            callee = self.value(argument.func) if isinstance(argument, ast.Call) else None
            if isinstance(argument, ast.Call) and isinstance(callee, Static) and callee.value is range:
                ranges.append(self.range_of(argument))
                continue
            value = self.value(argument)
            lengths: list[Value] = [value]
            if len(call.args) == 1 and isinstance(value, Static) and isinstance(value.value, tuple):
                lengths = [v if isinstance(v, Value) else Static(v, where) for v in value.value]
            ranges += [self._range([length], False, self.at(argument)) for length in lengths]
        if not ranges:
            raise KernelTypeError("grid takes lengths and ranges, or one shape", *where)
        return [(self._kept(a), self._kept(b), self._kept(c)) for a, b, c in ranges]

    def grid_items(self, call: ast.Call) -> Items:
        """A grid of which single places are taken."""
        where = self.at(call)
        ranges = self.grid_ranges(call)
        counts = [self.snapshot(self._count(*r, where)) for r in ranges]
        length = counts[0]
        for count in counts[1:]:
            length = self.binary(ast.Mult(), length, count, where)

        def at(index: Value) -> Value:
            rest: Value = index
            places: list[Value] = []
            for (first, _, stride), count in reversed(list(zip(ranges, counts, strict=True))):
                own = self.binary(ast.Mod(), rest, count, where) if len(places) + 1 < len(ranges) else rest
                places.append(self._reached(first, stride, own, where))
                rest = self.binary(ast.FloorDiv(), rest, count, where)
            return Static(tuple(reversed(places)), where) if len(places) > 1 else places[0]

        return Items(length, at)

    # ------------------------------------------------------------------------------------------- made of other items

    def enumerated(self, call: ast.Call) -> Items:
        """``enumerate(items, start)``."""
        where = self.at(call)
        named = {k.arg: k.value for k in call.keywords}
        arguments = [*call.args, *named.values()]
        if not call.args or len(arguments) > 2 or not set(named) <= {"start"}:
            raise KernelTypeError("write enumerate(items), or enumerate(items, start)", *where)
        items = self.items(arguments[0])
        start = self.snapshot(self.value(arguments[1])) if len(arguments) > 1 else None

        def at(index: Value) -> Value:
            number = index if start is None else self.binary(ast.Add(), start, index, where)
            return Static((number, items.at(index)), where)

        return replace(items, at=at)

    def zipped(self, call: ast.Call) -> Items:
        """``zip(a, b)``: as many items as the shortest has."""
        where = self.at(call)
        strict = bool(call.keywords) and self._strict(call)
        several = [self.items(argument) for argument in call.args]
        if not several:
            raise KernelTypeError("zip takes one or more things to go over", *where)
        lengths = [items.length for items in several]
        if strict and len({n.value if isinstance(n, Static) else None for n in lengths} | {None}) != 2:
            raise KernelTypeError("zip with strict=True takes things of one length, known while compiling", *where)
        length = reduce(lambda a, b: self._shorter(a, b, where), lengths)
        return Items(
            length,
            lambda index: Static(tuple(items.at(index) for items in several), where),
            any(items.apart for items in several),
            any(items.unrolled for items in several),
        )

    def _strict(self, call: ast.Call) -> bool:
        value = self.value(call.keywords[0].value)
        if len(call.keywords) > 1 or call.keywords[0].arg != "strict" or not isinstance(value, Static):
            raise KernelTypeError("the only keyword of zip is strict, which is True or False", *self.at(call))
        return bool(value.value)

    @staticmethod
    def _shorter(a: Value, b: Value, where: ir.Location) -> Value:
        if isinstance(a, Static) and isinstance(b, Static):
            return Static(min(a.value, b.value), where)
        left, right = typed(a, i32), typed(b, i32)
        if not widens(left.type, right.type) and not widens(right.type, left.type):
            left, right = cast(left, i32), cast(right, i32)
        left, right = unify(left, right, "zip", where)
        return ir.Binary("min", left, right, type=left.type, location=where)

    def turned(self, call: ast.Call) -> Items:
        """``reversed(items)``."""
        where = self.at(call)
        if len(call.args) != 1 or call.keywords:
            raise KernelTypeError("reversed takes one thing to go over", *where)
        items = self.items(call.args[0])
        last = self.binary(ast.Sub(), items.length, Static(1, where), where)
        last = self._kept(last) if isinstance(last, ir.Expr) else last
        return replace(items, at=lambda index: items.at(self.binary(ast.Sub(), last, index, where)))

    def unrolled_items(self, call: ast.Call) -> Items:
        """``unroll(items)``."""
        where = self.at(call)
        if len(call.args) != 1 or call.keywords:
            raise KernelTypeError("unroll takes a range, a tuple, or another thing of known length", *where)
        items = self.items(call.args[0])
        if not isinstance(items.length, Static):
            raise KernelTypeError("how often a loop is unrolled is known while compiling; leave out unroll", *where)
        return replace(items, apart=True, unrolled=True)


def _is(number: ir.Expr, value: int) -> bool:
    return isinstance(number, ir.Const) and number.value == value


_ITERABLES: list[tuple[Any, Callable[[Any, ast.Call], Items]]] = [
    (range, IterationLowering.range_items),
    (enumerate, IterationLowering.enumerated),
    (zip, IterationLowering.zipped),
    (reversed, IterationLowering.turned),
    (builtins.grid, IterationLowering.grid_items),
    (np.ndindex, IterationLowering.grid_items),
    (builtins.unroll, IterationLowering.unrolled_items),
]

__all__ = ["Items", "IterationLowering", "Range"]

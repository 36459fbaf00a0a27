"""Which indices are in range whatever happens: their accesses need no check.

The program is read once, forwards, with what is known at each place: what a variable was given, which range a loop's
variable has, which conditions hold. A number is in range if it is at least 0 and less than the length, and both follow
from that. So constants, ``x % 4`` of four elements, ``for i in range(len(a))``, and what stands behind
``if i < len(a)`` need no check. What follows only if a sum does not overflow does not follow.

Each rule here must be right: an access that is taken to be in range wrongly touches any memory. Nothing is concluded
from memory, which other threads change, nor from a variable that has changed since.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from krnlpy.dsl import ir
from krnlpy.scalar import boolean, i32

from .intervals import Interval, limits_of, operation

_MOST = (1 << 31) - 1
"""Of a length, and of the threads of a launch along an axis."""
_DEPTH = 12
"""Of an expression that is looked into."""
_FUEL = 1000
"""Expressions that are looked at for one access or one condition: names may stand for very much."""
_FACTS = 64
"""Conditions that are remembered at a time."""

Access = ir.Load | ir.Store | ir.Atomic
_Key = tuple[Any, ...]
"""What a value is computed of: equal keys are equal values, as long as no variable in them has changed."""


def proven_indices(
    program: ir.Program, threads: tuple[int, int, int] | None, static: Callable[[ir.Expr], int | None]
) -> Mapping[ir.Stmt | ir.Expr, tuple[bool, ...]]:
    """For each access of a program to arrays and buffers, and each axis, whether its index is surely in range.

    Args:
        threads: of a group, where they are known.
        static: the value of an integer expression that is known while compiling, or None.
    """
    reader = _Reader(None if program.items else threads, static)
    for body in (program.body, *(function.body for function in program.functions)):
        reader.block(body, _Known())
    return reader.proven


def nothing_static(e: ir.Expr) -> int | None:
    """The value of an expression where only literals are known while compiling."""
    return int(e.value) if isinstance(e, ir.Const) else None


@dataclass(frozen=True)
class _Fact:
    """``small + distance <= great``."""

    small: _Key
    distance: int
    great: ir.Expr
    variables: frozenset[ir.Variable]


@dataclass
class _Known:
    """What is known at a place of the program.

    Attributes:
        values: what a variable was given, with the variables in that.
        loops: for the variable of a loop, the distance and the expression of ``variable + distance <= expression``, if
            that has one value in the loop.
        ranges: what a number lies in, with the variables in it.
    """

    values: dict[ir.Variable, tuple[ir.Expr, frozenset[ir.Variable]]] = field(default_factory=dict)
    loops: dict[ir.Variable, tuple[tuple[int, ir.Expr], frozenset[ir.Variable]]] = field(default_factory=dict)
    ranges: dict[_Key, tuple[Interval, frozenset[ir.Variable]]] = field(default_factory=dict)
    facts: tuple[_Fact, ...] = ()

    def copy(self) -> _Known:
        return _Known(dict(self.values), dict(self.loops), dict(self.ranges), self.facts)

    def forget(self, variables: Iterable[ir.Variable]) -> None:
        """Variables change."""
        changed = frozenset(variables)
        if not changed:
            return
        tables: tuple[dict[ir.Variable, Any], ...] = (self.values, self.loops)
        for table in tables:
            for v in [v for v, (_, used) in table.items() if v in changed or not used.isdisjoint(changed)]:
                del table[v]
        for key in [key for key, (_, used) in self.ranges.items() if not used.isdisjoint(changed)]:
            del self.ranges[key]
        if any(not fact.variables.isdisjoint(changed) for fact in self.facts):
            self.facts = tuple(fact for fact in self.facts if fact.variables.isdisjoint(changed))


class _Reader:
    """Reads a program. Where an access stands at several places, it is in range only if it is at each."""

    def __init__(self, threads: tuple[int, int, int] | None, static: Callable[[ir.Expr], int | None]) -> None:
        self._threads, self._static = threads, static
        self._fuel = 0
        self.proven: dict[ir.Stmt | ir.Expr, tuple[bool, ...]] = {}

    # ---------------------------------------------------------------------------------------------------- statements

    def block(self, block: ir.Block, known: _Known) -> bool:
        """Reads statements; ``known`` becomes what is known after them. Returns whether control may come there."""
        return all(self._statement(statement, known) for statement in block)

    def _statement(self, s: ir.Stmt, known: _Known) -> bool:
        if isinstance(s, ir.While):
            self._while(s, known)
            return True
        for e in ir.expressions(s):
            self._visit(e, known)
        match s:
            case ir.Store() | ir.Atomic():
                self._access(s, known)
            case ir.If():
                return self._if(s, known)
            case ir.For():
                self._for(s, known)
                return True
            case ir.Break() | ir.Continue() | ir.Return():
                return False
        if isinstance(s, ir.Assign):
            self._assign(s, known)
        else:
            known.forget(ir.targets(s))
        return True

    def _assign(self, s: ir.Assign, known: _Known) -> None:
        used = _variables(s.value)
        if s.variable not in used and _is_repeatable(s.value):
            known.forget((s.variable,))
            known.values[s.variable] = s.value, used
            return
        self._fuel = _FUEL
        within = self._interval(s.value, known)
        known.forget((s.variable,))
        if within != limits_of(s.value.type):
            known.ranges["variable", s.variable] = within, frozenset((s.variable,))

    def _if(self, s: ir.If, known: _Known) -> bool:
        then, otherwise = known.copy(), known.copy()
        self._learn(s.condition, True, then)
        self._learn(s.condition, False, otherwise)
        ends = self.block(s.then, then), self.block(s.otherwise, otherwise)
        if all(ends):
            known.forget(ir.assigned_variables((s,)))
            return True
        only = then if ends[0] else otherwise
        known.values, known.loops, known.ranges, known.facts = only.values, only.loops, only.ranges, only.facts
        return any(ends)

    def _while(self, loop: ir.While, known: _Known) -> None:
        known.forget(ir.assigned_variables(loop.body))
        inside = known.copy()
        self._visit(loop.condition, inside)
        self._learn(loop.condition, True, inside)
        self.block(loop.body, inside)

    def _for(self, loop: ir.For, known: _Known) -> None:
        self._fuel = _FUEL
        start, stop, step = (self._interval(e, known) for e in (loop.start, loop.stop, loop.step))
        first, end = _resolved(loop.start, known), _resolved(loop.stop, known)
        changed = (loop.variable, *ir.assigned_variables(loop.body))
        known.forget(changed)
        inside = known.copy()
        # A loop whose step may be negative makes no pass downwards if it starts at or below its end.
        upwards = step[0] >= 1 or (step[1] >= 1 and start[1] <= stop[0])
        if loop.variable not in ir.assigned_variables(loop.body):
            low, high = (start[0], stop[1] - 1) if upwards else (stop[0] + 1, start[1])
            own = frozenset((loop.variable,))
            if (upwards or step[1] <= -1) and low <= high:
                inside.ranges[("variable", loop.variable)] = (low, high), own
                most = end if upwards else first
                used = _variables(most)
                if used.isdisjoint(changed) and _is_repeatable(most):
                    inside.loops[loop.variable] = (int(upwards), most), used
        self.block(loop.body, inside)

    # --------------------------------------------------------------------------------------------------- expressions

    def _visit(self, e: ir.Expr, known: _Known) -> None:
        """Finds the accesses in an expression, each with what is known when it is evaluated."""
        match e:
            case ir.Select():
                self._visit(e.condition, known)
                for part, truth in ((e.then, True), (e.otherwise, False)):
                    self._visit_if(part, e.condition, truth, known)
            case ir.Logical():
                self._visit(e.left, known)
                self._visit_if(e.right, e.left, e.op == "and", known)
            case _:
                for operand in ir.expressions(e):
                    self._visit(operand, known)
                if isinstance(e, ir.Load):
                    self._access(e, known)

    def _visit_if(self, e: ir.Expr, condition: ir.Expr, truth: bool, known: _Known) -> None:
        if any(isinstance(node, ir.Load) for node in ir.walk(e)):
            inside = known.copy()
            self._learn(condition, truth, inside)
            self._visit(e, inside)

    def _access(self, access: Access, known: _Known) -> None:
        place = access.place
        if isinstance(place, ir.ItemParameter):
            return
        own = tuple(self._is_within(i, _length(place, axis, i), known) for axis, i in enumerate(access.index))
        before = self.proven.get(access)
        self.proven[access] = own if before is None else tuple(a and b for a, b in zip(own, before, strict=True))

    def _is_within(self, index: ir.Expr, length: ir.Expr, known: _Known) -> bool:
        self._fuel = _FUEL
        return self._interval(index, known)[0] >= 0 and self._less(index, length, 0, known)

    # ------------------------------------------------------------------------------------------- what conditions say

    def _learn(self, condition: ir.Expr, truth: bool, known: _Known, depth: int = 0) -> None:
        """Adds what follows from a condition's being true, or false."""
        self._fuel = _FUEL
        if depth > _DEPTH:
            return
        match condition:
            case ir.Unary(op="not"):
                self._learn(condition.operand, not truth, known, depth + 1)
            case ir.Logical() | ir.Binary(op="and" | "or") if condition.type is boolean:
                if (condition.op == "and") == truth:
                    self._learn(condition.left, truth, known, depth + 1)
                    self._learn(condition.right, truth, known, depth + 1)
            case ir.Local() if condition.variable in known.values:
                self._learn(known.values[condition.variable][0], truth, known, depth + 1)
            case ir.Compare() if condition.left.type.is_integer and condition.left.type is not boolean:
                op, a, b = condition.op, condition.left, condition.right
                if not truth:
                    op = _OPPOSITES[op]
                if op in ("gt", "ge"):
                    a, b, op = b, a, "lt" if op == "gt" else "le"
                if op in ("lt", "le"):
                    self._add(a, b, int(op == "lt"), known)
                elif op == "eq":
                    self._add(a, b, 0, known)
                    self._add(b, a, 0, known)

    def _add(self, small: ir.Expr, great: ir.Expr, distance: int, known: _Known) -> None:
        """Adds that ``small + distance <= great``."""
        low, high = self._interval(small, known)[0], self._interval(great, known)[1]
        self._narrow(small, (limits_of(small.type)[0], high - distance), known)
        self._narrow(great, (low + distance, limits_of(great.type)[1]), known)
        # An unsigned number that is less than a positive signed one was none below 0.
        if isinstance(small, ir.Cast) and small.type.kind == "uint" and small.operand.type.is_integer:
            inner = small.operand
            if inner.type.is_signed and inner.type.bits == small.type.bits and high <= inner.type.max:
                self._narrow(inner, (0, high - distance), known)
                self._add(inner, great, distance, known)
        key = self._key(small, known)
        if key is not None and key[0] != "constant" and len(known.facts) < _FACTS and _is_repeatable(great):
            great = _resolved(great, known)
            used = _in_key(key) | _variables(great)
            known.facts = (*known.facts, _Fact(key, distance, great, used))

    def _narrow(self, e: ir.Expr, to: Interval, known: _Known) -> None:
        key = self._key(e, known)
        if key is None or key[0] == "constant":
            return
        now = self._interval(e, known)
        both = max(now[0], to[0]), min(now[1], to[1])
        if both[0] <= both[1] and both != now:
            known.ranges[key] = both, _in_key(key)

    # ------------------------------------------------------------------------------------------------- what is known

    def _key(self, e: ir.Expr, known: _Known, depth: int = 0) -> _Key | None:
        """What a value is computed of; None where it is not known or too much."""
        self._fuel -= 1
        if self._fuel < 0 or depth > _DEPTH or not e.type.is_integer or e.type is boolean:
            return None
        value = self._static(e)
        if value is not None:
            return "constant", value
        match e:
            case ir.Local():
                given = known.values.get(e.variable)
                inner = None if given is None else self._key(given[0], known, depth + 1)
                return ("variable", e.variable) if inner is None else inner
            case ir.Argument() | ir.SpecValue():
                return "parameter", e.parameter
            case ir.Id():
                return "id", e.name, e.axis
            case ir.Extent():
                if isinstance(e.place, ir.GlobalParameter):
                    return "length", e.place, e.axis
                return self._key(e.place.shape[e.axis], known, depth + 1)
            case ir.Cast() if e.operand.type.is_integer and e.operand.type is not boolean:
                inner = self._key(e.operand, known, depth + 1)
                if inner is None or self._keeps(e, known):
                    return inner
                return "cast", e.type, inner
            case ir.Binary():
                parts = self._key(e.left, known, depth + 1), self._key(e.right, known, depth + 1)
                return None if None in parts else (e.op, e.type, *parts)
        return None

    def _keeps(self, e: ir.Cast, known: _Known) -> bool:
        """Whether a conversion of whole numbers changes none that may occur."""
        low, high = self._interval(e.operand, known)
        limits = limits_of(e.type)
        return limits[0] <= low and high <= limits[1]

    def _interval(self, e: ir.Expr, known: _Known, depth: int = 0) -> Interval:
        """What a whole number lies in."""
        limits = limits_of(e.type)
        self._fuel -= 1
        if self._fuel < 0 or depth > _DEPTH or not e.type.is_integer or e.type is boolean:
            return limits
        found = self._computed(e, known, depth + 1)
        if found is None or found[0] < limits[0] or limits[1] < found[1]:
            found = limits
        key = self._key(e, known, depth) if known.ranges else None
        narrowed = None if key is None else known.ranges.get(key)
        if narrowed is None:
            return found
        both = max(found[0], narrowed[0][0]), min(found[1], narrowed[0][1])
        return both if both[0] <= both[1] else found

    def _computed(self, e: ir.Expr, known: _Known, depth: int) -> Interval | None:
        value = self._static(e)
        if value is not None:
            return value, value
        match e:
            case ir.Local():
                given = known.values.get(e.variable)
                return None if given is None else self._interval(given[0], known, depth)
            case ir.Extent():
                if isinstance(e.place, ir.GlobalParameter):
                    return 0, _MOST
                return self._interval(e.place.shape[e.axis], known, depth)
            case ir.Id():
                return self._id(e)
            case ir.Load():
                return limits_of(e.place.type) if e.place.type.is_integer else None
            case ir.Select():
                a, b = self._interval(e.then, known, depth), self._interval(e.otherwise, known, depth)
                return min(a[0], b[0]), max(a[1], b[1])
            case ir.Cast() if e.operand.type.is_integer:
                return self._interval(e.operand, known, depth)
            case ir.Binary():
                return operation(e.op, self._interval(e.left, known, depth), self._interval(e.right, known, depth))
        return None

    def _id(self, e: ir.Id) -> Interval:
        if self._threads is None:
            return 0, _MOST
        along = self._threads[e.axis]
        all_threads = math.prod(self._threads)
        if e.name == "threads":
            return along, along
        greatest = {"thread_id": along - 1, "group_id": _MOST // along - 1}
        greatest |= {"subgroup_id": all_threads - 1, "subgroups": all_threads, "subgroup_thread_id": all_threads - 1}
        return 0, greatest.get(e.name, _MOST - (e.name == "global_id"))

    # -------------------------------------------------------------------------------------------------- inequalities

    def _less(self, e: ir.Expr, bound: ir.Expr, more: int, known: _Known) -> bool:
        """Whether ``e + more < bound``, as whole numbers of any size."""
        if self._fuel < 0:
            return False
        own = self._interval(e, known)
        if own[1] + more < self._interval(bound, known)[0]:
            return True
        key = self._key(e, known)
        if key is not None:
            if more < 0 and key == self._key(bound, known):
                return True
            for fact in known.facts:
                if fact.small == key and self._less(fact.great, bound, more - fact.distance, known):
                    return True
        match bound:
            case ir.Binary(op="add", right=ir.Const() as rest) if rest.value > 0:  # a length, which does not overflow
                if self._less(e, bound.left, more - int(rest.value), known):
                    return True
        match e:
            case ir.Local():
                if e.variable in known.loops:
                    distance, most = known.loops[e.variable][0]
                    return self._less(most, bound, more - distance, known)
                return e.variable in known.values and self._less(known.values[e.variable][0], bound, more, known)
            case ir.Cast() if e.operand.type.is_integer and e.operand.type is not boolean:
                return self._keeps(e, known) and self._less(e.operand, bound, more, known)
            case ir.Select():
                return all(self._less(part, bound, more, known) for part in (e.then, e.otherwise))
            case ir.Binary():
                return self._binary_less(e, bound, more, known)
        return False

    def _binary_less(self, e: ir.Binary, bound: ir.Expr, more: int, known: _Known) -> bool:
        left, right = self._interval(e.left, known), self._interval(e.right, known)
        limits = limits_of(e.type)
        match e.op:
            case "add" | "sub":
                low, high = operation(e.op, left, right) or limits
                if limits[0] <= low and high <= limits[1]:  # it does not overflow
                    greatest = right[1] if e.op == "add" else -right[0]
                    if self._less(e.left, bound, more + greatest, known):
                        return True
                    return e.op == "add" and self._less(e.right, bound, more + left[1], known)
            case "min":
                return any(self._less(part, bound, more, known) for part in (e.left, e.right))
            case "max":
                return all(self._less(part, bound, more, known) for part in (e.left, e.right))
            case "floordiv" | "shr" if left[0] >= 0 and right[0] >= (e.op == "floordiv"):
                return self._less(e.left, bound, more, known)
            case "mod" if right[0] >= 1:
                if self._less(e.right, bound, more - 1, known):
                    return True
                return left[0] >= 0 and self._less(e.left, bound, more, known)
            case "and":
                parts = ((e.left, left), (e.right, right))
                return any(own[0] >= 0 and self._less(part, bound, more, known) for part, own in parts)
        return False


_OPPOSITES: dict[str, Any] = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}
_REPEATABLE = (
    *(ir.Const, ir.Local, ir.Argument, ir.SpecValue, ir.Extent, ir.Id),
    *(ir.Unary, ir.Binary, ir.Compare, ir.Logical, ir.Select, ir.Cast),
)


def _is_repeatable(e: ir.Expr) -> bool:
    """Whether an expression has the same value as long as no variable in it changes."""
    return all(isinstance(node, _REPEATABLE) for node in ir.walk(e))


def _resolved(e: ir.Expr, known: _Known) -> ir.Expr:
    """What a name was given, which may have another meaning soon."""
    while isinstance(e, ir.Local) and e.variable in known.values:
        e = known.values[e.variable][0]
    return e


def _variables(e: ir.Expr) -> frozenset[ir.Variable]:
    return frozenset(node.variable for node in ir.walk(e) if isinstance(node, ir.Local))


def _in_key(key: _Key) -> frozenset[ir.Variable]:
    if key[0] == "variable":
        return frozenset((key[1],))
    return frozenset(variable for part in key if isinstance(part, tuple) for variable in _in_key(part))


def _length(place: ir.GlobalParameter | ir.LocalArray, axis: int, index: ir.Expr) -> ir.Expr:
    if isinstance(place, ir.LocalArray):
        return place.shape[axis]
    return ir.Extent(place, axis, type=i32, location=index.location)

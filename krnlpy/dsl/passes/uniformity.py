"""Where the control flow of a group's threads may diverge.

A value is *uniform* if all threads of a group surely have the same one, *varying* if it is computed from something that
differs between them, such as their ids, and *unknown* otherwise, for example if it is loaded from memory. Control flow
is like its conditions. A condition is evaluated once for a group only if it is surely uniform; it is an error around a
barrier only if it is varying.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from krnlpy.dsl import ir
from krnlpy.errors import KernelSyntaxError


class Level(IntEnum):
    UNIFORM = 0
    UNKNOWN = 1
    VARYING = 2


@dataclass(frozen=True)
class Variance:
    """How a value, or the control flow to a place, differs between threads.

    Attributes:
        cause: what of it differs.
        where: of control flow, the condition.
        how: of control flow, what threads do there.
    """

    level: Level
    cause: str = ""
    where: ir.Location | None = None
    how: str = ""

    def __or__(self, other: Variance) -> Variance:
        return other if other.level > self.level else self


UNIFORM = Variance(Level.UNIFORM)
UNKNOWN = Variance(Level.UNKNOWN)

_VARYING_IDS = ("global_id", "thread_id", "subgroup_id", "subgroup_thread_id", "item_id")
_SAME_IN_SUBGROUP = ("all", "any", "all_equal", "ballot", "broadcast", "broadcast_first")


@dataclass
class _Loop:
    """What jumps do to a loop: ``left`` by break, for good; ``skipped`` by continue, for an iteration."""

    left: Variance = UNIFORM
    skipped: Variance = UNIFORM


@dataclass
class Uniformity:
    """What was found of a kernel's body.

    Attributes:
        conditions: how each condition and loop differs, including jumps out of it.
        divergent: the first barrier that some threads may skip, and why.
    """

    conditions: dict[ir.Stmt, Variance] = field(default_factory=dict)
    divergent: tuple[ir.Barrier, Variance] | None = None

    def is_uniform(self, statement: ir.Stmt) -> bool:
        """Whether all threads of the group that reach a condition or loop take the same branch there."""
        return self.conditions[statement].level is Level.UNIFORM


def analyse(body: ir.Block) -> Uniformity:
    """Finds where control flow of a kernel is uniform."""
    return _Analysis().run(body)


def check_barriers(body: ir.Block) -> None:
    """Raises KernelSyntaxError if some threads of a group provably may not reach a barrier."""
    found = analyse(body).divergent
    if found is None:
        return
    barrier, variance = found
    assert variance.where is not None
    advice = {
        "": "move the barrier out of it",
        "return": "threads for which it is true return; put what they skip under conditions that end before it",
        "break": "threads for which it is true leave the loop; let all threads make as many iterations",
        "continue": "threads for which it is true skip the rest; put that under conditions that end before it",
    }[variance.how]
    raise KernelSyntaxError(
        f"this depends on {variance.cause}, which differs between the threads of a group, but all of them must"
        f" reach the barrier in line {barrier.location.line}: {advice}",
        *variance.where,
    )


Values = dict[ir.Variable, Variance]


class _Analysis:
    def __init__(self) -> None:
        self._found = Uniformity()
        self._returned = UNIFORM
        self._loops: list[_Loop] = []

    def run(self, body: ir.Block) -> Uniformity:
        self._block(body, {}, UNIFORM)
        return self._found

    # ------------------------------------------------------------------------------------------------ expressions

    def _expr(self, e: ir.Expr, values: Values) -> Variance:
        match e:
            case ir.Id():
                return _id(e)
            case ir.Local():
                return values.get(e.variable, UNKNOWN)
            case ir.Load():
                fixed = isinstance(e.place, ir.ConstantArray) or (
                    isinstance(e.place, ir.GlobalParameter) and not e.place.mutable
                )
                uniform = fixed and all(self._expr(i, values).level is Level.UNIFORM for i in e.index)
                return UNIFORM if uniform else UNKNOWN
            case ir.Call():
                return self._all(e.arguments, values) | _ids_of(e.function)
        return self._all(ir.expressions(e), values)

    def _all(self, exprs: Iterable[ir.Expr], values: Values) -> Variance:
        result = UNIFORM
        for expr in exprs:
            result |= self._expr(expr, values)
        return result

    # -------------------------------------------------------------------------------------------------- statements

    def _block(self, block: ir.Block, values: Values, flow: Variance) -> None:
        for statement in block:
            here = flow
            if self._loops:
                here = here | self._loops[-1].left | self._loops[-1].skipped
            self._statement(statement, values, here)

    def _statement(self, s: ir.Stmt, values: Values, flow: Variance) -> None:
        match s:
            case ir.Assign():
                values[s.variable] = self._expr(s.value, values)
            case ir.If():
                self._if(s, values, flow)
            case ir.While():
                self._loop(s, (s.condition,), values, flow)
            case ir.For():
                self._loop(s, (s.start, s.stop, s.step), values, flow)
            case ir.Break():
                self._loops[-1].left |= _jump(flow, "break")
            case ir.Continue():
                self._loops[-1].skipped |= _jump(flow, "continue")
            case ir.Return():
                self._returned |= _jump(flow, "return")
            case ir.Barrier():
                self._barrier(s, flow)
            case ir.Collective():
                unknown = s.op in _SAME_IN_SUBGROUP or (s.op in ("add", "mul", "min", "max", "and", "or", "xor"))
                result = UNKNOWN if unknown and not s.cluster else Variance(Level.VARYING, f"subgroup_{s.op}()")
                values.update(dict.fromkeys(s.targets, result))
            case _:
                values.update(dict.fromkeys(ir.targets(s), UNKNOWN))

    def _barrier(self, s: ir.Barrier, flow: Variance) -> None:
        flow = flow | self._returned
        if flow.level is Level.VARYING and self._found.divergent is None:
            self._found.divergent = s, flow

    def _if(self, s: ir.If, values: Values, flow: Variance) -> None:
        condition = _at(self._expr(s.condition, values), s.condition)
        self._note(s, condition)
        assigned = ir.assigned_variables((s,))
        before = _of(assigned, values)
        self._block(s.then, values, flow | condition)
        then = _of(assigned, values)
        _restore(assigned, values, before)
        self._block(s.otherwise, values, flow | condition)
        for variable in assigned:
            values[variable] = then.get(variable, UNIFORM) | values.get(variable, UNIFORM) | condition

    def _loop(self, s: ir.While | ir.For, bounds: tuple[ir.Expr, ...], values: Values, flow: Variance) -> None:
        loop = _Loop()
        assigned = ir.assigned_variables((s,))
        while True:
            before = {v: values[v].level for v in assigned if v in values}, loop.left.level, self._returned.level
            condition = UNIFORM
            for bound in bounds:
                condition |= _at(self._expr(bound, values), bound)
            loop.skipped = UNIFORM
            self._loops.append(loop)
            around = _of(assigned, values)
            if isinstance(s, ir.For):
                values[s.variable] = self._expr(s.start, values) | self._expr(s.step, values)
            self._block(s.body, values, flow | condition)
            inside = _of(assigned, values)
            _restore(assigned, values, around)
            self._loops.pop()
            leaving = condition | loop.left | loop.skipped
            # The conditions around matter for what is decided inside, but are the same for all threads that arrive
            # here.
            self._note(s, leaving)
            for variable in assigned:
                values[variable] = values.get(variable, UNIFORM) | inside.get(variable, UNIFORM) | leaving
            if ({v: values[v].level for v in assigned if v in values}, loop.left.level, self._returned.level) == before:
                return

    def _note(self, s: ir.Stmt, variance: Variance) -> None:
        self._found.conditions[s] = self._found.conditions.get(s, UNIFORM) | variance


def _jump(flow: Variance, how: str) -> Variance:
    return Variance(flow.level, flow.cause, flow.where, how)


def _at(variance: Variance, condition: ir.Expr) -> Variance:
    return Variance(variance.level, variance.cause, condition.location)


def _of(variables: Iterable[ir.Variable], values: Values) -> Values:
    return {v: values[v] for v in variables if v in values}


def _restore(variables: Iterable[ir.Variable], values: Values, before: Values) -> None:
    """Undoes what a block did: copies of all values would take time with the square of a body's length."""
    for variable in variables:
        values.pop(variable, None)
    values.update(before)


def _id(e: ir.Id) -> Variance:
    return Variance(Level.VARYING, f"{e.name}()") if e.name in _VARYING_IDS else UNIFORM


def _ids_of(function: ir.Function) -> Variance:
    result = UNIFORM
    for node in ir.walk(function.body):
        if isinstance(node, ir.Id):
            result |= _id(node)
        elif isinstance(node, ir.Call):
            result |= _ids_of(node.function)
    return result

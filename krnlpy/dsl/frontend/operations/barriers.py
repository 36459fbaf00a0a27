"""Votes at barriers, and fences: ``barrier_count(condition)``, ``memory_fence()``.

A vote is a barrier and a counter in group memory, which is never set back: each thread remembers what it was at the
vote before. There are two counters, used in turn, so that one barrier is enough: who adds to a counter for the next but
one vote has passed the barrier of the next one, to which all come after they have read this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.callables import Call
from krnlpy.dsl.frontend.conversions import cast
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.values import Static, Value
from krnlpy.scalar import boolean, i32, u32

from .operands import arguments, constant

Handler = Callable[[Lowering, Call], Value]


@dataclass(frozen=True)
class VoteCounters:
    """The counters of a kernel's votes.

    Attributes:
        counters: one is for this vote, the other one for the next.
        turn: which is which: 0 or 1.
        before: what this vote's counter was at the last but one vote.
        next_before: what the next one's was at the last vote.
    """

    counters: ir.GroupArray
    turn: ir.Variable
    before: ir.Variable
    next_before: ir.Variable

    @classmethod
    def new(cls) -> VoteCounters:
        two = ir.const(2, i32, ir.Location("votes", 1, 0, 0))
        turn, before, next_before = (ir.Variable(name, u32) for name in ("vote_turn", "votes", "next_votes"))
        return cls(ir.GroupArray("vote_counts", u32, (two,)), turn, before, next_before)

    def start(self, where: ir.Location) -> list[ir.Stmt]:
        """What a kernel begins with that has votes."""
        zero = constant(0, u32, where)
        return [ir.Assign(v, zero, location=where) for v in (self.turn, self.before, self.next_before)]


def _count(lowering: Lowering, condition: ir.Expr, where: ir.Location) -> ir.Expr:
    """How many threads come with a true condition, as u32."""
    state = lowering.state
    if state.votes is None:
        state.votes = VoteCounters.new()
        state.group_arrays.append(state.votes.counters)
    votes = state.votes

    def read(variable: ir.Variable) -> ir.Expr:
        return ir.Local(variable, type=u32, location=where)

    one = constant(1, u32, where)
    index = (read(votes.turn),)
    add = ir.Atomic((), "add", votes.counters, index, one, location=where)
    vote = ir.If(condition, (add,), (), location=where)
    lowering.emit(vote)
    lowering.emit_convergent(ir.Barrier(location=where))
    after = lowering.assign_temporary(ir.Load(votes.counters, index, type=u32, location=where), "votes_after")
    count = ir.Binary("sub", after, read(votes.before), type=u32, location=where)
    result = lowering.assign_temporary(count, "count")
    turned = ir.Binary("sub", one, read(votes.turn), type=u32, location=where)
    changes = ((votes.turn, turned), (votes.before, read(votes.next_before)), (votes.next_before, after))
    for variable, value in changes:
        lowering.emit(ir.Assign(variable, value, location=where))
    return result


def _vote(kind: Literal["count", "any", "all"]) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        where = call.location
        condition = lowering.truth(arguments(call, 1, call.name)[0], where)
        if kind == "all":
            condition = ir.Unary("not", condition, type=boolean, location=where)
        count = _count(lowering, condition, where)
        if kind == "count":
            return cast(count, i32)
        op: Literal["eq", "ne"] = "eq" if kind == "all" else "ne"
        return ir.Compare(op, count, constant(0, u32, where), type=boolean, location=where)

    return handler


def _fence(scope: Literal["group", "device"]) -> Handler:
    def handler(lowering: Lowering, call: Call) -> Value:
        arguments(call, 0, call.name)
        lowering.emit_effect(ir.Fence(scope, location=call.location))
        return Static(None, call.location)

    return handler


BARRIER_FUNCTIONS: dict[Any, Handler] = {
    builtins.barrier_count: _vote("count"),
    builtins.barrier_any: _vote("any"),
    builtins.barrier_all: _vote("all"),
    builtins.memory_fence: _fence("device"),
    builtins.group_memory_fence: _fence("group"),
}

"""How much work loops do, for targets that poll from time to time whether a kernel is to stop.

Work is counted in nodes of the IR. Polling costs nothing as long as it is done far enough outside. A loop whose
greatest length is known at the launch counts as work of the loop around it, and does not poll. Where the surrounding
loop would take too long, which the launch finds out, the kernel is built again, with polls one level further in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from krnlpy.dsl import ir

from .cost_model import node_work
from .symbolic_bounds import SymbolicBounds

_SHORT = 1 << 14
"""Nodes of a loop of known length that is too short for polls."""

MOST = 1 << 30
"""Nodes; of what is more, it does not matter how much more."""


@dataclass(frozen=True, eq=False)
class TripCount:
    """The greatest length of a loop: from ``low`` to ``high``, in steps of the size ``step``. Each has one value in a
    launch."""

    low: ir.Expr
    high: ir.Expr
    step: int | ir.Expr


@dataclass(frozen=True, eq=False)
class WorkEstimate:
    """A count of nodes, and more nodes for each iteration of some loops."""

    nodes: int
    loops: tuple[tuple[TripCount, WorkEstimate], ...] = ()


@dataclass(frozen=True)
class LoopWork:
    """The work of a loop.

    Attributes:
        per_iteration: of one iteration, without loops in it that poll themselves.
        leaves: whether a break or return may end it early.
        polls: whether it polls.
    """

    per_iteration: WorkEstimate
    leaves: bool
    polls: bool


class Work:
    """The work of the loops of a program and its functions.

    Args:
        static: the value of an integer expression that is known while compiling, or None.
        levels: how many levels of loops poll though their length is known at the launch.
    """

    def __init__(self, program: ir.Program, static: Callable[[ir.Expr], int | None], levels: int) -> None:
        self.levels, self._static = levels, static
        self.deepest = 0
        """How many levels of loops there are."""
        self._functions: dict[ir.Function, int] = {}
        self._polling: set[ir.Function] = set()
        self.loops: dict[ir.Stmt, LoopWork] = {}
        self._bounds: SymbolicBounds | None = None  # none are known in functions
        for function in program.functions:
            self._function(function)
        self._bounds = SymbolicBounds(program.body, static)
        self.known = self._bounds.known
        """The variables that have one value in a launch."""
        self.body = self._block(program.body, 0)[0]
        """Of one thread, without loops that ask for themselves."""

    def polls(self, function: ir.Function) -> bool:
        """Whether a function, or one that it calls, has a loop that polls."""
        return function in self._polling

    def _function(self, function: ir.Function) -> int:
        """The work of a function. Of its loops, only bounds known while compiling count as known."""
        if function not in self._functions:
            self._functions[function] = self._block(function.body, 0)[0].nodes
            for node in ir.walk(function.body):
                loop = self.loops.get(node) if isinstance(node, ir.Stmt) else None
                called = node.function if isinstance(node, ir.Call | ir.Invoke) else None
                if (loop is not None and loop.polls) or called in self._polling:
                    self._polling.add(function)
        return self._functions[function]

    def _block(self, block: Iterable[ir.Stmt], level: int) -> tuple[WorkEstimate, bool, bool]:
        """The work of statements; whether a break of the loop around them, and a return, is among them."""
        nodes, loops, breaks, returns = 0, list[tuple[TripCount, WorkEstimate]](), False, False
        self.deepest = max(self.deepest, level)
        for statement in block:
            nodes += 1 + sum(map(self._expression, ir.expressions(statement)))
            if isinstance(statement, ir.For | ir.While):
                with self._inside(statement):
                    inner, leaves, inner_returns = self._block(statement.body, level + 1)
                returns |= inner_returns
                once = WorkEstimate(1 + inner.nodes, inner.loops)
                count = self._count(statement)
                total = None if count is None or once.loops else min(count * once.nodes, MOST)
                length = self._length(statement) if count is None or once.loops else None
                polls = (count is None and length is None) or (
                    level < self.levels and (total is None or total > _SHORT)
                )
                self.loops[statement] = LoopWork(once, leaves or inner_returns, polls)
                if polls:
                    continue
                if total is not None:
                    nodes += total
                elif length is not None:
                    loops.append((length, once))
                continue
            if isinstance(statement, ir.Invoke):
                nodes += self._function(statement.function)
            breaks |= isinstance(statement, ir.Break)
            returns |= isinstance(statement, ir.Return)
            for body in ir.blocks(statement):
                inner, inner_breaks, inner_returns = self._block(body, level)
                nodes += inner.nodes
                loops += inner.loops
                breaks, returns = breaks or inner_breaks, returns or inner_returns
        return WorkEstimate(nodes, tuple(loops)), breaks, returns

    def _expression(self, expression: ir.Expr) -> int:
        total = 0
        for node in ir.walk(expression):
            total += node_work(node)
            if isinstance(node, ir.Call):
                total += self._function(node.function)
        return total

    def _count(self, loop: ir.For | ir.While) -> int | None:
        if isinstance(loop, ir.While):
            return None
        start, stop, step = (self._static(e) for e in (loop.start, loop.stop, loop.step))
        return None if start is None or stop is None or not step else len(range(start, stop, step))

    def _length(self, loop: ir.For | ir.While) -> TripCount | None:
        """The greatest length of a loop of the kernel, if it is known at the launch."""
        if isinstance(loop, ir.While) or self._bounds is None:
            return None
        bounds, step = self._bounds, self._static(loop.step)
        if step is None and not (bounds.is_natural(loop.step) and bounds.is_invariant(loop.step)):
            return None
        rises = step is None or step > 0
        low, high = (loop.start, loop.stop) if rises else (loop.stop, loop.start)
        least, most = bounds.least(low), bounds.most(high)
        if least is None or most is None or step == 0:
            return None
        return TripCount(least, most, loop.step if step is None else abs(step))

    def _inside(self, loop: ir.For | ir.While) -> AbstractContextManager[None]:
        return self._bounds.inside(loop) if self._bounds and isinstance(loop, ir.For) else nullcontext()

"""How much work loops do, for targets that ask from time to time whether a kernel is to stop.

Work is counted in nodes of the IR. Asking costs nothing as long as it is done far enough outside: the work of a loop
whose length is known when a kernel is launched is part of what is around it. It asks for itself if what is around it
would take too long, which shows at the launch, and the kernel is built again with loops that ask one level further in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from . import ir
from .regions import recomputed_variables
from .work import node_work

_SHORT = 1 << 14
"""Nodes of a loop of known length that is not worth asking in."""

MOST = 1 << 30
"""Nodes; of what is more, it does not matter how much more."""

_INVARIANT = (
    *(ir.Const, ir.SpecValue, ir.Argument, ir.Extent, ir.Local),
    *(ir.Unary, ir.Binary, ir.Compare, ir.Logical, ir.Select, ir.Cast),
)


@dataclass(frozen=True, eq=False)
class Amount:
    """So many nodes, and for each of some loops so many for each of its iterations."""

    nodes: int
    loops: tuple[tuple[ir.For, Amount], ...] = ()


@dataclass(frozen=True)
class LoopWork:
    """The work of a loop.

    Attributes:
        once: of one iteration, without loops in it that ask for themselves.
        leaves: whether a break or return may end it early.
        asks: whether it asks for itself.
    """

    once: Amount
    leaves: bool
    asks: bool


class Work:
    """The work of the loops of a program and its functions.

    Args:
        static: the value of an integer expression that is known while compiling, or None.
        levels: how many levels of loops ask though their length is known at the launch.
    """

    def __init__(self, program: ir.Program, static: Callable[[ir.Expr], int | None], levels: int) -> None:
        self.levels, self._static = levels, static
        self.deepest = 0
        """How many levels of loops there are."""
        self._functions: dict[ir.Function, int] = {}
        self._asking: set[ir.Function] = set()
        self.loops: dict[ir.Stmt, LoopWork] = {}
        # Variables that have one value in a launch: the length of a loop is often given a name.
        self.known: dict[ir.Variable, ir.Expr] = {}
        self._is_kernel = False
        for function in program.functions:
            self._function(function)
        self._is_kernel = True
        for variable, value in recomputed_variables(program.body).items():
            if self._is_invariant(value):
                self.known[variable] = value
        self.body = self._block(program.body, 0)[0]
        """Of one thread, without loops that ask for themselves."""

    def asks(self, function: ir.Function) -> bool:
        """Whether a function, or one that it calls, has a loop that asks."""
        return function in self._asking

    def _function(self, function: ir.Function) -> int:
        """The work of a function; in its loops only what is known while compiling counts as known."""
        if function not in self._functions:
            self._functions[function] = self._block(function.body, 0)[0].nodes
            for node in ir.walk(function.body):
                loop = self.loops.get(node) if isinstance(node, ir.Stmt) else None
                called = node.function if isinstance(node, ir.Call | ir.Invoke) else None
                if (loop is not None and loop.asks) or called in self._asking:
                    self._asking.add(function)
        return self._functions[function]

    def _block(self, block: Iterable[ir.Stmt], level: int) -> tuple[Amount, bool, bool]:
        """The work of statements; whether a break of the loop around them, and a return, is among them."""
        nodes, loops, breaks, returns = 0, list[tuple[ir.For, Amount]](), False, False
        self.deepest = max(self.deepest, level)
        for statement in block:
            nodes += 1 + sum(map(self._expression, ir.expressions(statement)))
            if isinstance(statement, ir.For | ir.While):
                inner, leaves, inner_returns = self._block(statement.body, level + 1)
                returns |= inner_returns
                once = Amount(1 + inner.nodes, inner.loops)
                count = self._count(statement)
                total = None if count is None or once.loops else min(count * once.nodes, MOST)
                known = count is not None or (isinstance(statement, ir.For) and self._is_known(statement))
                asks = not known or (level < self.levels and (total is None or total > _SHORT))
                self.loops[statement] = LoopWork(once, leaves or inner_returns, asks)
                if asks:
                    continue
                if total is not None:
                    nodes += total
                elif isinstance(statement, ir.For):
                    loops.append((statement, once))
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
        return Amount(nodes, tuple(loops)), breaks, returns

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

    def _is_known(self, loop: ir.For) -> bool:
        """Whether it is known at the launch how long a loop of the kernel is."""
        return (
            self._is_kernel
            and bool(self._static(loop.step))
            and self._is_invariant(loop.start)
            and self._is_invariant(loop.stop)
        )

    def _is_invariant(self, expression: ir.Expr) -> bool:
        for node in ir.walk(expression):
            if not isinstance(node, _INVARIANT):
                return False
            if isinstance(node, ir.Extent) and not isinstance(node.place, ir.GlobalParameter):
                return False
            if isinstance(node, ir.Local) and node.variable not in self.known:
                return False
        return True

"""Splits a kernel's body at its barriers, for targets that run the threads of a group one after another.

Between two barriers every thread runs by itself: such a stretch is a region. A statement that holds a barrier is, by
the language's contract, entered by all threads of the group or by none; so is one that breaks out of such a loop. Its
decisions are taken once for the group.

A variable whose value is born in one region and read in another must be kept for each thread in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import ir


@dataclass(frozen=True, eq=False)
class Region:
    """Statements without barriers, run by all threads."""

    body: ir.Block


@dataclass(frozen=True, eq=False)
class UniformIf:
    condition: ir.Expr
    then: Nodes
    otherwise: Nodes


@dataclass(frozen=True, eq=False)
class UniformWhile:
    condition: ir.Expr
    body: Nodes


@dataclass(frozen=True, eq=False)
class UniformFor:
    statement: ir.For
    body: Nodes


@dataclass(frozen=True, eq=False)
class UniformJump:
    """Break or continue of the nearest uniform loop."""

    leave: bool


Node = Region | UniformIf | UniformWhile | UniformFor | UniformJump
Nodes = tuple[Node, ...]


@dataclass(frozen=True)
class Split:
    """A kernel's body, split.

    Attributes:
        uniform: variables that only uniform loops assign: one for the group.
        recomputed: variables that only ever have the value of one cheap expression of ids, arguments and constants
            (and of one another, in this order): computed anew in each region.
        crossing: variables that each thread keeps from region to region. All others live within a region.
        returns: whether a thread may return in a region that another one follows.
    """

    nodes: Nodes
    uniform: frozenset[ir.Variable]
    recomputed: Mapping[ir.Variable, ir.Expr]
    crossing: frozenset[ir.Variable]
    returns: bool


def split(body: ir.Block) -> Split:
    """Splits a kernel's body at its barriers."""
    nodes = _split(body, False)
    if len(nodes) == 1 and isinstance(nodes[0], Region):
        return Split(nodes, frozenset(), {}, frozenset(), False)
    assigned: set[ir.Variable] = set()
    exposed: set[ir.Variable] = set()
    loops: set[ir.Variable] = set()
    for node in _all_nodes(nodes):
        match node:
            case Region():
                assigned.update(ir.assigned_variables(node.body))
                _Exposure(exposed).block(node.body, frozenset())
            case UniformIf() | UniformWhile():
                exposed |= read_variables(node.condition)
            case UniformFor():
                loops.add(node.statement.variable)
                for bound in (node.statement.start, node.statement.stop, node.statement.step):
                    exposed |= read_variables(bound)
    uniform = loops - assigned
    recomputed = _recomputed(body)
    crossing = (exposed | loops) - uniform - recomputed.keys()
    last = nodes[-1] if nodes else None
    returns = any(isinstance(n, Region) and n is not last and _has_return(n.body) for n in _all_nodes(nodes))
    return Split(nodes, frozenset(uniform), recomputed, frozenset(crossing), returns)


def read_variables(expr: ir.Expr | ir.Block) -> set[ir.Variable]:
    """The variables that are read in an expression or statements."""
    return {n.variable for n in ir.walk(expr) if isinstance(n, ir.Local)}


_CHEAP = (
    *(ir.Const, ir.SpecValue, ir.Argument, ir.Extent, ir.Id, ir.Local),
    *(ir.Unary, ir.Binary, ir.Compare, ir.Logical, ir.Select, ir.Cast),
)


def _recomputed(body: ir.Block) -> dict[ir.Variable, ir.Expr]:
    assignments: dict[ir.Variable, list[ir.Expr | None]] = {}
    for node in ir.walk(body):
        if isinstance(node, ir.Assign):
            assignments.setdefault(node.variable, []).append(node.value)
        elif isinstance(node, ir.Stmt):
            for variable in ir.targets(node):
                assignments.setdefault(variable, []).append(None)
    found: dict[ir.Variable, ir.Expr] = {}
    for variable, values in assignments.items():
        value = values[0]
        if len(values) > 1 or value is None or not all(isinstance(n, _CHEAP) for n in ir.walk(value)):
            continue
        if read_variables(value) <= found.keys():
            found[variable] = value
    return found


def _has_return(body: ir.Block) -> bool:
    return any(isinstance(n, ir.Return) for n in ir.walk(body))


def _all_nodes(nodes: Nodes) -> Iterator[Node]:
    for node in nodes:
        yield node
        match node:
            case UniformIf():
                yield from _all_nodes(node.then)
                yield from _all_nodes(node.otherwise)
            case UniformWhile() | UniformFor():
                yield from _all_nodes(node.body)


def _split(block: ir.Block, in_loop: bool) -> Nodes:
    nodes: list[Node] = []
    run: list[ir.Stmt] = []

    def close() -> None:
        if run:
            nodes.append(Region(tuple(run)))
            run.clear()

    for statement in block:
        if not _is_uniform(statement, in_loop):
            run.append(statement)
            continue
        close()
        match statement:
            case ir.If():
                then, otherwise = _split(statement.then, in_loop), _split(statement.otherwise, in_loop)
                nodes.append(UniformIf(statement.condition, then, otherwise))
            case ir.While():
                nodes.append(UniformWhile(statement.condition, _split(statement.body, True)))
            case ir.For():
                nodes.append(UniformFor(statement, _split(statement.body, True)))
            case ir.Break() | ir.Continue():
                nodes.append(UniformJump(isinstance(statement, ir.Break)))
    close()
    return tuple(nodes)


def _is_uniform(statement: ir.Stmt, in_loop: bool) -> bool:
    """Whether a statement holds a barrier, or a jump of the enclosing uniform loop."""
    if any(isinstance(n, ir.Barrier) for n in ir.walk(statement)):
        return True
    return in_loop and _jumps(statement)


def _jumps(statement: ir.Stmt) -> bool:
    if isinstance(statement, ir.If):
        return any(_jumps(s) for s in statement.then + statement.otherwise)
    return isinstance(statement, ir.Break | ir.Continue)


class _Exposure:
    """Finds the variables of a region that may be read before the region itself assigns them.

    Methods return what is surely assigned afterwards; None where control never gets there.
    """

    def __init__(self, exposed: set[ir.Variable]) -> None:
        self._exposed = exposed

    def _read(self, node: ir.Expr, assigned: frozenset[ir.Variable]) -> None:
        self._exposed |= read_variables(node) - assigned

    def block(self, block: ir.Block, assigned: frozenset[ir.Variable]) -> frozenset[ir.Variable] | None:
        for statement in block:
            after = self._statement(statement, assigned)
            if after is None:
                return None  # what follows is never reached
            assigned = after
        return assigned

    def _statement(self, s: ir.Stmt, assigned: frozenset[ir.Variable]) -> frozenset[ir.Variable] | None:
        match s:
            case ir.If():
                self._read(s.condition, assigned)
                then, otherwise = self.block(s.then, assigned), self.block(s.otherwise, assigned)
                if then is None or otherwise is None:
                    return otherwise if then is None else then
                return then & otherwise
            case ir.While():
                self._read(s.condition, assigned)
                self.block(s.body, assigned)
            case ir.For():
                for expr in (s.start, s.stop, s.step):
                    self._read(expr, assigned)
                self.block(s.body, assigned | {s.variable})
            case _:
                for expr in ir.expressions(s):
                    self._read(expr, assigned)
                if isinstance(s, ir.Return | ir.Break | ir.Continue):
                    return None
                return assigned.union(ir.targets(s))
        return assigned

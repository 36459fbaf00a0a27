"""Splits a kernel's body where threads synchronize, for targets that run the threads of a group one after another.

Between two such places every thread runs by itself: this stretch is a parallel region.
A statement that holds a barrier is, by
the language's contract, entered by all threads of the group or by none; so is one that breaks out of such a loop. Its
conditions are evaluated once for the group. So are those of a statement that holds a subgroup operation, if they are
provably uniform. Otherwise the statement is masked: all threads go through it, but only those that take this branch
act. Where no thread synchronizes in the rest of an iteration, each decides for itself whether it skips that.

A variable that is assigned in one region and read in another is kept for each thread in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from krnlpy.dsl import ir
from krnlpy.errors import KernelSyntaxError

from .uniformity import Level, Uniformity, analyse


@dataclass(frozen=True, eq=False)
class Region:
    """Statements without synchronization, run by all threads, or by those of a mask.

    A ``continue`` of a loop around them ends them, for the thread that takes it.
    """

    body: ir.Block


@dataclass(frozen=True, eq=False)
class UniformIf:
    condition: ir.Expr
    then: Nodes
    otherwise: Nodes


@dataclass(frozen=True, eq=False)
class UniformWhile:
    statement: ir.While
    body: Nodes


@dataclass(frozen=True, eq=False)
class UniformFor:
    statement: ir.For
    body: Nodes


@dataclass(frozen=True, eq=False)
class UniformJump:
    """Break or continue of the nearest uniform loop."""

    leave: bool


@dataclass(frozen=True, eq=False)
class SyncPoint:
    """An operation of subgroups."""

    statement: ir.Collective


@dataclass(frozen=True, eq=False)
class MaskedIf:
    """Both branches run, each with its own threads."""

    condition: ir.Expr
    then: Nodes
    otherwise: Nodes


@dataclass(frozen=True, eq=False)
class MaskedWhile:
    """Runs until no thread is left; ``break`` and ``continue`` in regions below take threads out."""

    statement: ir.While
    body: Nodes


@dataclass(frozen=True, eq=False)
class MaskedFor:
    """Likewise; each thread keeps how many iterations are ``left``, its ``next`` value and its ``step``."""

    statement: ir.For
    left: ir.Variable
    next: ir.Variable
    step: ir.Variable
    body: Nodes


Masked = MaskedIf | MaskedWhile | MaskedFor
Node = Region | UniformIf | UniformWhile | UniformFor | UniformJump | SyncPoint | Masked
Nodes = tuple[Node, ...]


@dataclass(frozen=True)
class Split:
    """A kernel's body, split.

    Attributes:
        uniform: variables that only uniform loops assign: one for the group.
        recomputed: variables that only ever have the value of one cheap expression of ids, arguments and constants
            (and of one another, in this order): computed again in each region.
        crossing: variables that each thread keeps from region to region. All others live within a region.
        returns: whether a thread may return in a region that another one follows.
    """

    nodes: Nodes
    uniform: frozenset[ir.Variable]
    recomputed: Mapping[ir.Variable, ir.Expr]
    crossing: frozenset[ir.Variable]
    returns: bool


def split(body: ir.Block) -> Split:
    """Splits a kernel's body where threads synchronize."""
    nodes = _Splitter(body).split(body)
    if len(nodes) == 1 and isinstance(nodes[0], Region):
        return Split(nodes, frozenset(), {}, frozenset(), False)
    assigned: set[ir.Variable] = set()
    exposed: set[ir.Variable] = set()
    loops: set[ir.Variable] = set()
    shared: set[ir.Variable] = set()
    for node in all_nodes(nodes):
        match node:
            case Region():
                assigned.update(ir.assigned_variables(node.body))
                _Exposure(exposed).block(node.body, frozenset())
            case UniformIf() | MaskedIf():
                exposed |= read_variables(node.condition)
            case UniformWhile() | MaskedWhile():
                exposed |= read_variables(node.statement.condition)
            case UniformFor() | MaskedFor():
                for bound in (node.statement.start, node.statement.stop, node.statement.step):
                    exposed |= read_variables(bound)
                if isinstance(node, UniformFor):
                    loops.add(node.statement.variable)
                else:
                    shared.update((node.statement.variable, node.left, node.next, node.step))
            case SyncPoint():
                for operand in node.statement.operands:
                    exposed |= read_variables(operand)
                shared.update(node.statement.targets)
    uniform = loops - assigned - shared
    recomputed = recomputed_variables(body)
    crossing = (exposed | loops | shared) - uniform - recomputed.keys()
    last = nodes[-1] if nodes else None
    returns = any(isinstance(n, Region) and n is not last and has_return(n) for n in all_nodes(nodes))
    return Split(nodes, frozenset(uniform), recomputed, frozenset(crossing), returns)


def read_variables(expr: ir.Expr | ir.Block) -> set[ir.Variable]:
    """The variables that are read in an expression or statements."""
    return {n.variable for n in ir.walk(expr) if isinstance(n, ir.Local)}


_CHEAP = (
    *(ir.Const, ir.SpecValue, ir.Argument, ir.Extent, ir.Id, ir.Local),
    *(ir.Unary, ir.Binary, ir.Compare, ir.Logical, ir.Select, ir.Cast),
)


def recomputed_variables(body: ir.Block) -> dict[ir.Variable, ir.Expr]:
    """The variables that only ever have the value of one cheap expression of ids, arguments and constants, and of those
    before them."""
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


def has_return(node: Node) -> bool:
    """Whether a thread may return there."""
    regions = (n for n in all_nodes((node,)) if isinstance(n, Region))
    return any(isinstance(n, ir.Return) for region in regions for n in ir.walk(region.body))


def all_nodes(nodes: Nodes) -> Iterator[Node]:
    """The nodes and those in them."""
    for node in nodes:
        yield node
        match node:
            case UniformIf() | MaskedIf():
                yield from all_nodes(node.then)
                yield from all_nodes(node.otherwise)
            case UniformWhile() | UniformFor() | MaskedWhile() | MaskedFor():
                yield from all_nodes(node.body)


class _Splitter:
    def __init__(self, body: ir.Block) -> None:
        self._uniformity = analyse(body) if _has(body, ir.Collective | ir.Continue) else Uniformity()

    def split(
        self, block: ir.Block, in_uniform_loop: bool = False, masked: bool = False, is_iteration: bool = False
    ) -> Nodes:
        nodes: list[Node] = []
        run: list[ir.Stmt] = []

        def close() -> None:
            if run:
                nodes.append(Region(tuple(run)))
                run.clear()

        for place, statement in enumerate(block):
            if is_iteration and self._skips_apart(block[place:]):
                run.extend(block[place:])
                break
            synchronizes = _has((statement,), ir.Barrier | ir.Collective)
            if not synchronizes and not (in_uniform_loop and _jumps(statement)):
                run.append(statement)
                continue
            close()
            if isinstance(statement, ir.Collective):
                nodes.append(SyncPoint(statement))
            elif isinstance(statement, ir.Break | ir.Continue):
                nodes.append(UniformJump(isinstance(statement, ir.Break)))
            elif not isinstance(statement, ir.Barrier):
                jumps = in_uniform_loop and _jumps(statement)
                if jumps:
                    self._check_together(statement)
                if jumps or (not masked and self._is_uniform(statement)):
                    ends = is_iteration and place == len(block) - 1
                    nodes.append(self._uniform(statement, in_uniform_loop, ends))
                else:
                    nodes.append(self._masked(statement))
        close()
        return tuple(nodes)

    def _skips_apart(self, rest: ir.Block) -> bool:
        """Whether an iteration ends with statements of which the first may send some threads to the next one, and at
        which no threads synchronize."""
        first = rest[0]
        return (
            isinstance(first, ir.If)
            and _jumps(first, ir.Continue)
            and not any(_jumps(statement, ir.Break) for statement in rest)
            and not self._uniformity.is_uniform(first)
            and not _has(rest, ir.Barrier | ir.Collective)
        )

    def _is_uniform(self, statement: ir.Stmt) -> bool:
        return _has((statement,), ir.Barrier) or self._uniformity.is_uniform(statement)

    def _check_together(self, statement: ir.Stmt) -> None:
        """Raises KernelSyntaxError where threads surely don't all go on to the next iteration, but would here."""
        variance = self._uniformity.conditions.get(statement)
        if variance is not None and variance.level is Level.VARYING and _jumps(statement, ir.Continue):
            raise KernelSyntaxError(
                f"this depends on {variance.cause}, which differs between the threads of a group; on the host, threads"
                " go on to the next iteration apart only where none synchronize in the rest of it: put what they skip"
                " under a condition",
                *statement.location,
            )

    def _uniform(self, statement: ir.Stmt, in_loop: bool, ends_iteration: bool = False) -> Node:
        match statement:
            case ir.If():
                then, otherwise = (
                    self.split(way, in_loop, is_iteration=ends_iteration)
                    for way in (statement.then, statement.otherwise)
                )
                return UniformIf(statement.condition, then, otherwise)
            case ir.While():
                return UniformWhile(statement, self.split(statement.body, True, is_iteration=True))
            case ir.For():
                return UniformFor(statement, self.split(statement.body, True, is_iteration=True))
        raise TypeError(f"threads cannot meet in {type(statement).__name__}")

    def _masked(self, statement: ir.Stmt) -> Node:
        match statement:
            case ir.If():
                then, otherwise = (self.split(s, masked=True) for s in (statement.then, statement.otherwise))
                return MaskedIf(statement.condition, then, otherwise)
            case ir.While():
                return MaskedWhile(statement, self.split(statement.body, masked=True))
            case ir.For():
                variable = statement.variable
                left = ir.Variable(f"{variable.name}_left", variable.type)
                next_, step = (ir.Variable(f"{variable.name}_{what}", variable.type) for what in ("next", "step"))
                return MaskedFor(statement, left, next_, step, self.split(statement.body, masked=True))
        raise TypeError(f"threads cannot meet in {type(statement).__name__}")


def _has(block: ir.Block, kind: Any) -> bool:
    return any(isinstance(n, kind) for n in ir.walk(block))


def _jumps(statement: ir.Stmt, how: Any = ir.Break | ir.Continue) -> bool:
    if isinstance(statement, ir.If):
        return any(_jumps(s, how) for s in statement.then + statement.otherwise)
    return isinstance(statement, how)


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

"""Proof that each variable has a value where it is read.

On every path to a place the same variables have values, or a truth value tells the paths apart: a loop's ``else`` runs
if no ``break`` cleared a variable, and what was assigned before each ``break`` has a value after both. So facts are
also kept for either value of such a variable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import NoReturn

from krnlpy.scalar import boolean

from .nodes import (
    Assign,
    Block,
    Break,
    Const,
    Continue,
    CooperativeMap,
    CooperativeMatrix,
    CooperativeProduct,
    CooperativeStmt,
    CooperativeStore,
    Expr,
    For,
    If,
    Local,
    Return,
    Stmt,
    Unary,
    Variable,
    While,
)
from .program import expressions, targets, walk

_Name = Variable | CooperativeMatrix
_Names = frozenset[_Name]
Refuse = Callable[[Stmt | Expr, str], NoReturn]
"""Raises the error for a node that breaks a rule."""


@dataclass
class _Known:
    """What is known at a place in the control flow.

    Attributes:
        assigned: what has a value.
        more: for truth values that were set to constants: what else has a value if it is the one or the other; None
            where it can't be that.
    """

    assigned: set[_Name]
    more: dict[tuple[Variable, bool], _Names | None] = field(default_factory=dict)

    def copy(self) -> _Known:
        return _Known(set(self.assigned), dict(self.more))

    def assign(self, name: _Name, value: Expr | None = None) -> None:
        self.assigned.add(name)
        if isinstance(name, Variable) and name.type is boolean:
            for truth in (True, False):
                self.more.pop((name, truth), None)
                if isinstance(value, Const):
                    self.more[name, truth] = frozenset() if value.value == truth else None

    def where(self, variable: Variable, truth: bool) -> _Known | None:
        """What is known where a variable has a truth value; None where it can't have it."""
        names = self.more.get((variable, truth), frozenset[_Name]())
        if names is None:
            return None
        changed = {(variable, not truth): None} if (variable, truth) in self.more else {}
        return _Known(self.assigned | names, {**self.more, **changed})

    def meet(self, other: _Known) -> _Known:
        """What is known where one of two ways was taken."""
        both = self.assigned & other.assigned
        result = _Known(both)
        for key in {**self.more, **other.more}:
            ways = [known.assigned | more for known in (self, other) if (more := known.more.get(key, both)) is not None]
            result.more[key] = frozenset(set.intersection(*ways) - both) if ways else None
        return result


def _meet(a: _Known | None, b: _Known | None) -> _Known | None:
    """What is known where one of two ways was taken; None is one that nobody takes."""
    return b if a is None else a if b is None else a.meet(b)


@dataclass
class _Loop:
    """What is known at the jumps out of a loop's body."""

    breaks: list[_Known | None] = field(default_factory=list)
    continues: list[_Known | None] = field(default_factory=list)


def check_assigned(body: Block, given: tuple[Variable, ...], refuse: Refuse) -> bool:
    """Refuses what reads a variable that may have no value.

    Args:
        given: the variables that have values at the start.

    Returns:
        Whether control can reach the body's end.
    """
    return _Flow(refuse).block(body, _Known(set(given))) is not None


class _Flow:
    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._loops: list[_Loop] = []

    def block(self, block: Block, known: _Known | None) -> _Known | None:
        """What is known after a block; None where control does not get there. ``known`` is used up."""
        for statement in block:
            if known is None:
                return None
            known = self._statement(statement, known)
        return known

    def _statement(self, s: Stmt, known: _Known) -> _Known | None:
        if isinstance(s, While | For):
            return self._loop(s, known)
        self._reads(s, known)
        match s:
            case Assign():
                known.assign(s.variable, s.value)
            case If():
                then, otherwise = self._ways(s.condition, known)
                return _meet(self.block(s.then, then), self.block(s.otherwise, otherwise))
            case Break():
                self._loops[-1].breaks.append(known)
                return None
            case Continue():
                self._loops[-1].continues.append(known)
                return None
            case Return():
                return None
            case CooperativeStmt() if not isinstance(s, CooperativeStore):
                known.assign(s.matrix)
            case _:
                for variable in targets(s):
                    known.assign(variable)
        return known

    def _loop(self, s: While | For, known: _Known) -> _Known | None:
        if isinstance(s, For):
            self._reads(s, known)
        while True:
            start = known.copy()
            ways: tuple[_Known | None, _Known | None] = (start, known.copy())
            if isinstance(s, For):
                start.assign(s.variable)
            else:
                self._reads(s, known)
                ways = self._ways(s.condition, start)
            self._loops.append(_Loop())
            again = self.block(s.body, ways[0])
            loop = self._loops.pop()
            before = known
            for way in (again, *loop.continues):
                known = known if way is None else known.meet(way)
            if known == before:
                return reduce(_meet, (ways[1], *loop.breaks))

    def _ways(self, condition: Expr, known: _Known) -> tuple[_Known | None, _Known | None]:
        """What is known where a condition is true, and where it is false."""
        match condition:
            case Const():
                return (known, None) if condition.value else (None, known)
            case Unary(op="not"):
                return self._ways(condition.operand, known)[::-1]
            case Local():
                return known.where(condition.variable, True), known.where(condition.variable, False)
        return known, known.copy()

    def _reads(self, s: Stmt, known: _Known) -> None:
        """Refuses what a statement itself reads before it has a value."""
        for expression in expressions(s):
            for node in walk(expression):
                if isinstance(node, Local) and node.variable not in known.assigned:
                    self._refuse(node, f"the variable {node.variable.name} has a value where it is read")
        for matrix in _matrices(s):
            if matrix not in known.assigned:
                self._refuse(s, f"the matrix {matrix.name} has a value where it is read")


def _matrices(s: Stmt) -> tuple[CooperativeMatrix, ...]:
    """The matrices that a statement reads."""
    match s:
        case CooperativeStore():
            return (s.matrix,)
        case CooperativeProduct():
            return s.a, s.b, s.c
        case CooperativeMap():
            return tuple(operand for operand in s.operands if isinstance(operand, CooperativeMatrix))
    return ()

"""A program: a kernel with all types known, and ways through the statements and expressions in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

from krnlpy import config

from .node import dataclass
from .nodes import (
    Assign,
    Barrier,
    Block,
    BufferParameter,
    Call,
    ConstantArray,
    CooperativeStmt,
    Expr,
    Fence,
    For,
    Function,
    GlobalParameter,
    GroupArray,
    Id,
    If,
    Invoke,
    ItemParameter,
    LocalArray,
    Location,
    Parameter,
    ScalarParameter,
    SpecParameter,
    Stmt,
    Variable,
    While,
)


@dataclass(frozen=True, eq=False)
class Program:
    """A kernel with all types known: one for each choice of its type variables.

    Attributes:
        name: the kernel's Python name, with its types where it has type variables: ``axpy_f32``. An identifier.
        threads: default threads of a group along x, y, z; always three numbers.
        functions: every function called, callees first.
        subgroup_threads: the subgroup size that it needs; 0 for any.
    """

    name: str
    location: Location
    parameters: tuple[Parameter, ...]
    body: Block
    functions: tuple[Function, ...]
    group_arrays: tuple[GroupArray, ...]
    local_arrays: tuple[LocalArray, ...]
    threads: tuple[int, int, int]
    unchecked: bool = False
    subgroup_threads: int = 0

    def __post_init__(self) -> None:
        """In debug mode, every program is verified: what the frontend makes, and what passes make of it."""
        if config.debug:
            from .verify import verify  # only then

            verify(self)

    @property
    def file(self) -> str:
        return self.location.file

    @property
    def buffers(self) -> tuple[BufferParameter, ...]:
        """The parameters that are buffers, in order: their place here is their binding."""
        return tuple(p for p in self.parameters if isinstance(p, ItemParameter | GlobalParameter))

    @property
    def items(self) -> tuple[ItemParameter, ...]:
        return tuple(p for p in self.parameters if isinstance(p, ItemParameter))

    @property
    def scalars(self) -> tuple[ScalarParameter, ...]:
        return tuple(p for p in self.parameters if isinstance(p, ScalarParameter))

    @property
    def specs(self) -> tuple[SpecParameter, ...]:
        return tuple(p for p in self.parameters if isinstance(p, SpecParameter))

    @cached_property
    def constant_arrays(self) -> tuple[ConstantArray, ...]:
        """The tables that it reads, each once."""
        bodies = (*(function.body for function in self.functions), self.body)
        places = (getattr(node, "place", None) for body in bodies for node in walk(body))
        return tuple(dict.fromkeys(place for place in places if isinstance(place, ConstantArray)))

    @property
    def has_cooperative_matrices(self) -> bool:
        return any(isinstance(node, CooperativeStmt) for node in walk(self.body))

    @property
    def has_ids(self) -> bool:
        """Whether it reads the ids or counts of threads, groups or items."""
        bodies = (self.body, *(function.body for function in self.functions))
        return any(isinstance(node, Id) for body in bodies for node in walk(body))

    @property
    def has_barriers(self) -> bool:
        return any(isinstance(node, Barrier) for node in walk(self.body))

    @property
    def has_fences(self) -> bool:
        bodies = (self.body, *(function.body for function in self.functions))
        return any(isinstance(node, Fence) for body in bodies for node in walk(body))


def walk(node: Stmt | Expr | Block) -> Iterator[Stmt | Expr]:
    """The statements and expressions below and including a node, outermost first (not those of called functions)."""
    if isinstance(node, tuple):
        for child in node:
            if isinstance(child, Stmt | Expr):
                yield from walk(child)
        return
    yield node
    for f in fields(node):
        child = getattr(node, f.name)
        if isinstance(child, Stmt | Expr | tuple) and not isinstance(child, Location):
            yield from walk(child)


def substituted(node: Any, substitute: Callable[[Variable | LocalArray], Variable | LocalArray]) -> Any:
    """A node, or a tuple of nodes, with other variables and arrays; itself where all stay."""
    if isinstance(node, Variable | LocalArray):
        return substitute(node)
    if isinstance(node, tuple) and not isinstance(node, Location):
        parts = tuple(substituted(part, substitute) for part in node)
        return parts if any(a is not b for a, b in zip(parts, node, strict=True)) else node
    if not isinstance(node, Stmt | Expr):
        return node
    changed = {}
    for f in fields(node):
        before = getattr(node, f.name)
        after = substituted(before, substitute)
        if after is not before:
            changed[f.name] = after
    return replace(node, **changed) if changed else node


def targets(statement: Stmt) -> tuple[Variable, ...]:
    """The variables that a statement itself gives values, without those in it."""
    if isinstance(statement, Assign | For):
        return (statement.variable,)
    found: tuple[Variable, ...] = getattr(statement, "targets", ())
    return found


def expressions(statement: Stmt | Expr) -> tuple[Expr, ...]:
    """The expressions of a statement itself, not of the blocks in it; the operands of an expression."""
    found: list[Expr] = []
    for f in fields(statement):
        value = getattr(statement, f.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Expr):
                found.append(part)
    return tuple(found)


def blocks(statement: Stmt) -> tuple[Block, ...]:
    """The blocks in a statement."""
    match statement:
        case If():
            return (statement.then, statement.otherwise)
        case While() | For():
            return (statement.body,)
    return ()


def assigned_variables(body: Block) -> list[Variable]:
    """The variables that statements and those in them give values, each once, in order."""
    return list(dict.fromkeys(v for node in walk(body) if isinstance(node, Stmt) for v in targets(node)))


def captured_arrays(function: Function) -> tuple[LocalArray, ...]:
    """The arrays of its callers that a function, or one that it calls, touches."""
    touched: dict[LocalArray, None] = {}
    own: set[LocalArray] = set()
    seen: set[Function] = set()  # a function may be called on very many ways

    def look(function: Function) -> None:
        seen.add(function)
        own.update(function.local_arrays)
        for node in walk(function.body):
            if isinstance(node, Call | Invoke) and node.function not in seen:
                look(node.function)
            place = getattr(node, "place", None)
            if isinstance(place, LocalArray) and not isinstance(place, ConstantArray):
                touched[place] = None

    look(function)
    return tuple(array for array in touched if array not in own)

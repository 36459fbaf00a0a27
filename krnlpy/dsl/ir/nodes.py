"""The typed intermediate representation: what a kernel means, before any target.

The frontend makes it, the emitters (GLSL, LLVM, interpreter) read it; nobody changes it. Control flow stays
structured, as it was written. Every value has a type of computation: ``boolean`` or one of u8 i8 u16 i16 u32 i32 f32
u64 i64 f64. The storage types f16 and bf16 occur only as element types of places (buffers, local and group arrays);
loading from such a place gives an f32, storing rounds an f32 to the nearest, ties to even.

Semantics that each target must give:

- Integers wrap at their width (narrow ones too, though they are computed in 32 bits).
- ``floordiv`` and ``mod`` of integers round towards minus infinity, ``mod`` has the sign of the divisor; division by
  zero gives 0 for ``floordiv`` and ``mod``. The least integer divided by -1 wraps. Of floats, they are Python's
  ``math.floor(a / b)`` and ``a - b * floor(a / b)`` in the type's own arithmetic.
- ``div`` is of floats only and correctly rounded where the target can (GLSL grants 2.5 ulp).
- ``shl`` and ``shr``: a shift count outside 0..bits-1 gives 0 (or -1 for a negative ``shr``).
- ``min`` is ``b if b < a else a`` and ``max`` is ``b if b > a else a``, as Python's; hence NaN in ``a`` stays.
- Cast: integers wrap; float to integer truncates, saturates and turns NaN into 0; to boolean is ``!= 0``.
- No contraction and no reassociation of float operations, except what ``fma`` asks for.
- A load from an index out of range gives 0, a store there does nothing (never touches memory); in debug mode the
  first such access of a launch is recorded and raised on the host; the interpreter always raises. A kernel that is
  ``unchecked`` promises that it has none, and gets no checks except in debug mode and in the interpreter.
- Group arrays hold zeros when the kernel's body starts. Local arrays hold zeros where control first reaches the body.
- ``and``, ``or`` and ``Select`` evaluate only what Python would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from krnlpy.scalar import ScalarType, boolean, i32

from .expressions import (
    Argument,
    Binary,
    BinaryOp,
    Bitcast,
    Call,
    Cast,
    Compare,
    Const,
    Expr,
    Extent,
    Id,
    IdName,
    Load,
    Local,
    Logical,
    Math,
    MathName,
    Round,
    Select,
    SpecValue,
    Unary,
    UnaryOp,
)
from .node import dataclass
from .places import (
    BufferParameter,
    CooperativeMatrix,
    GlobalParameter,
    GroupArray,
    ItemParameter,
    LocalArray,
    Location,
    Parameter,
    Place,
    ScalarParameter,
    SpecParameter,
    Variable,
)
from .statements import (
    Assert,
    Assign,
    Atomic,
    AtomicOp,
    Barrier,
    Block,
    Break,
    Breakpoint,
    Collective,
    CollectiveOp,
    Continue,
    CooperativeFill,
    CooperativeLoad,
    CooperativeMap,
    CooperativeProduct,
    CooperativeStmt,
    CooperativeStore,
    For,
    If,
    Invoke,
    Print,
    Return,
    Stmt,
    Store,
    While,
)


@dataclass(frozen=True, eq=False)
class Function:
    """A ``@func`` for one choice of its arguments' types and of the places handed to it, which its body names. Its
    expressions may read SpecValue, Id and Argument. Where it has results, every path ends in a ``Return`` of them. It
    has no barriers and no operations of subgroups: the frontend writes those functions out where they are called.

    Attributes:
        pure: it has one result, and touches nothing but its own variables and local arrays.
    """

    name: str
    parameters: tuple[Variable, ...]
    results: tuple[ScalarType, ...]
    body: Block
    local_arrays: tuple[LocalArray, ...]
    location: Location
    pure: bool = True


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

    @property
    def has_cooperative_matrices(self) -> bool:
        return any(isinstance(node, CooperativeStmt) for node in walk(self.body))

    @property
    def has_ids(self) -> bool:
        """Whether it asks which thread, group or item it is, or how many there are."""
        bodies = (self.body, *(function.body for function in self.functions))
        return any(isinstance(node, Id) for body in bodies for node in walk(body))

    @property
    def has_barriers(self) -> bool:
        return any(isinstance(node, Barrier) for node in walk(self.body))


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
    found: dict[LocalArray, None] = {}
    for node in walk(function.body):
        if isinstance(node, Call | Invoke):
            found.update(dict.fromkeys(captured_arrays(node.function)))
        place = getattr(node, "place", None)
        if isinstance(place, LocalArray):
            found[place] = None
    return tuple(array for array in found if array not in function.local_arrays)


def const(value: int | float | bool, type: ScalarType, location: Location) -> Const:
    return Const(value, type=type, location=location)


__all__ = [
    "Argument", "Assert", "Assign", "Atomic", "AtomicOp", "Barrier", "Binary", "BinaryOp", "Bitcast", "Block", "Break",
    "Breakpoint", "BufferParameter", "Call", "Cast", "Collective", "CollectiveOp", "Compare", "Const", "Continue",
    "CooperativeFill", "CooperativeLoad", "CooperativeMap", "CooperativeMatrix", "CooperativeProduct",
    "CooperativeStmt", "CooperativeStore", "Expr", "Extent", "For", "Function", "GlobalParameter", "GroupArray", "Id",
    "IdName", "If", "Invoke", "ItemParameter", "Load", "Local", "LocalArray", "Location", "Logical", "Math",
    "MathName", "Parameter", "Place", "Print", "Program", "Return", "Round", "ScalarParameter", "Select",
    "SpecParameter", "SpecValue", "Stmt", "Store", "Unary", "UnaryOp", "Variable", "While", "assigned_variables",
    "blocks", "boolean", "captured_arrays", "const", "expressions", "i32", "targets", "walk",
]  # fmt: skip

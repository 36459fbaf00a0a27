"""Statements: what has effects, or decides where control goes. Part of :mod:`krnlpy.dsl.ir`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .expressions import Expr
from .formats import Format
from .node import dataclass
from .places import CooperativeMatrix, GlobalParameter, GroupArray, Location, Place, Variable

if TYPE_CHECKING:
    from .nodes import Function


@dataclass(frozen=True, eq=False, kw_only=True)
class Stmt:
    location: Location


Block = tuple[Stmt, ...]


@dataclass(frozen=True, eq=False)
class Assign(Stmt):
    """Gives a variable a value of the variable's type. The frontend has proved assignment before use."""

    variable: Variable
    value: Expr


@dataclass(frozen=True, eq=False)
class Store(Stmt):
    """Writes an element of a place; ``value`` has the place's type of computation."""

    place: Place
    index: tuple[Expr, ...]
    value: Expr


@dataclass(frozen=True, eq=False)
class If(Stmt):
    condition: Expr
    then: Block
    otherwise: Block


@dataclass(frozen=True, eq=False)
class While(Stmt):
    condition: Expr
    body: Block


@dataclass(frozen=True, eq=False)
class For(Stmt):
    """``for variable in range(start, stop, step)``, as Python's range: the three are evaluated once, before; the
    body may assign the variable without changing the iteration; after the loop it keeps its last value. ``start``,
    ``stop`` and ``step`` have the variable's type. A step of 0 runs no iteration."""

    variable: Variable
    start: Expr
    stop: Expr
    step: Expr
    body: Block


@dataclass(frozen=True, eq=False)
class Break(Stmt):
    pass


@dataclass(frozen=True, eq=False)
class Continue(Stmt):
    pass


@dataclass(frozen=True, eq=False)
class Return(Stmt):
    """Leaves the function with its results; in a kernel ends the thread (in an item kernel: the item)."""

    values: tuple[Expr, ...] = ()


@dataclass(frozen=True, eq=False)
class Invoke(Stmt):
    """Calls a function that has effects, reads or writes places, or has any number of results but one; ``targets``
    are the variables that take the results."""

    targets: tuple[Variable, ...]
    function: Function
    arguments: tuple[Expr, ...]


AtomicOp = Literal["add", "sub", "min", "max", "and", "or", "xor", "exchange", "compare_exchange"]


@dataclass(frozen=True, eq=False)
class Atomic(Stmt):
    """Reads an element, and writes what comes of it and ``value``, without another thread's coming in between. The
    target, if there is one, takes what was read. Orders no other accesses (relaxed).

    ``compare_exchange`` writes where the element has the bits of ``expected``, which only it has. An element of f16 or
    bf16 is computed with as an f32 and rounded where it is written. Out of range it reads 0 and writes nothing. The
    entries of ``index`` may be evaluated more than once.
    """

    targets: tuple[Variable, ...]
    op: AtomicOp
    place: GlobalParameter | GroupArray
    index: tuple[Expr, ...]
    value: Expr
    expected: Expr | None = None


@dataclass(frozen=True, eq=False)
class Barrier(Stmt):
    """Every thread of the group arrives before any goes on; writes to group arrays and buffers made before are
    seen by the group after. Stands only where all threads of the group arrive (kernel body, uniform flow)."""


CollectiveOp = Literal[
    "barrier",  # no operand, no target: what active threads wrote before is seen by them after
    "elect",  # -> boolean: true for the active thread of the lowest lane
    "all", "any",  # boolean -> boolean
    "all_equal",  # any type -> boolean; floats are compared by ==, so that a NaN makes it false
    "ballot",  # boolean -> four u32: a bit for each lane, 0 for inactive ones
    "add", "mul", "min", "max",  # numbers
    "and", "or", "xor",  # integers
    "inclusive_add", "inclusive_mul", "inclusive_min", "inclusive_max",
    "inclusive_and", "inclusive_or", "inclusive_xor",
    "exclusive_add", "exclusive_mul", "exclusive_min", "exclusive_max",
    "exclusive_and", "exclusive_or", "exclusive_xor",
    "broadcast_first",  # any type: the value of the active thread of the lowest lane
    "broadcast",  # any type, and a lane (u32, Const)
    "shuffle",  # any type, and the lane to read (u32)
    "shuffle_xor", "shuffle_up", "shuffle_down",  # any type, and what the lane is changed by (u32)
    "quad_broadcast",  # any type, and a place in the quad: 0 to 3 (u32, Const)
    "quad_swap_horizontal", "quad_swap_vertical", "quad_swap_diagonal",  # any type: lanes that differ by 1, 2, 3
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Collective(Stmt):
    """An operation of the threads of a subgroup that are active: that execute this statement together. A thread that
    took another way, has left the loop or has returned is not active. ``targets`` of the others stay as they are.

    - Reductions and scans are over the active threads; a scan goes by lane, and of an exclusive one the first active
      thread gets the operation's neutral element: 0, 1, the type's extremes (infinities of floats), all bits set. The
      order of float operations, the sign of a sum that is zero, and what ``min`` and ``max`` make of NaNs is the
      target's affair.
    - ``cluster``, of a reduction, is a power of two: it is then over each so many adjacent lanes apart. 0: over all.
    - Reading from a lane that is not active, or that the subgroup does not have, gives 0. An ``unchecked`` kernel
      promises that it reads from none; the interpreter reports it.
    """

    targets: tuple[Variable, ...]
    op: CollectiveOp
    operands: tuple[Expr, ...] = ()
    cluster: int = 0


@dataclass(frozen=True, eq=False)
class Print(Stmt):
    """Writes the text of a format for the values of its fields. Each execution is one record, never torn."""

    format: Format
    values: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Assert(Stmt):
    """Where the condition is false, raises KernelAssertionError with the text of a format; ``values`` are evaluated
    only then. Checked by the interpreter and in debug mode; without effect elsewhere."""

    condition: Expr
    format: Format
    values: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Breakpoint(Stmt):
    """Stops in the debugger. Only the interpreter has one."""


@dataclass(frozen=True, eq=False)
class CooperativeStmt(Stmt):
    """Something that all threads of a subgroup do together with ``matrix``."""

    matrix: CooperativeMatrix


@dataclass(frozen=True, eq=False)
class CooperativeFill(CooperativeStmt):
    """Gives each element of a matrix one value, which is the same for all threads of the subgroup."""

    value: Expr


@dataclass(frozen=True, eq=False)
class CooperativeLoad(CooperativeStmt):
    """Takes a matrix from a place of two dimensions, from ``index`` on; ``transposed``: its rows are the place's
    columns. Where not all of it lies within the place, it is out of range: all elements are 0."""

    place: GlobalParameter | GroupArray
    index: tuple[Expr, ...]
    transposed: bool


@dataclass(frozen=True, eq=False)
class CooperativeStore(CooperativeStmt):
    """Writes a matrix to a place of two dimensions, as ``CooperativeLoad`` takes it; out of range it does nothing."""

    place: GlobalParameter | GroupArray
    index: tuple[Expr, ...]
    transposed: bool


@dataclass(frozen=True, eq=False)
class CooperativeProduct(CooperativeStmt):
    """``matrix = a @ b + c``, the sums in the type of ``c`` and in any order."""

    a: CooperativeMatrix
    b: CooperativeMatrix
    c: CooperativeMatrix


@dataclass(frozen=True, eq=False)
class CooperativeMap(CooperativeStmt):
    """An operator on the elements of matrices of one type, or of one and a number; ``copy`` and ``neg`` have one
    operand."""

    op: Literal["copy", "neg", "add", "sub", "mul", "div"]
    operands: tuple[CooperativeMatrix | Expr, ...]

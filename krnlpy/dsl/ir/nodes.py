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
  ``unchecked``, and an access that is not ``checked``, promises that it has none, and gets no checks except in debug
  mode and in the interpreter. Nor does an access whose index is proved to be in range (:mod:`.passes.proven_indices`).
- Group arrays hold zeros when the kernel's body starts. Local arrays hold zeros where control first reaches the body.
- ``and``, ``or`` and ``Select`` evaluate only what Python would.

What holds of each node and of a program as a whole, :mod:`.verify` checks: in debug mode, and in all tests.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from krnlpy.scalar import ScalarType

from .formats import Format
from .node import dataclass


class Location(NamedTuple):
    """A place in the source: lines from 1, columns (UTF-8 bytes, as in Python's ast) from 0."""

    file: str
    line: int
    column: int
    end_column: int


# ---------------------------------------------------------------------------------------------------- parameters


@dataclass(frozen=True, eq=False)
class Parameter:
    """A kernel's parameter. ``type`` is the declared scalar type, which may be a storage type."""

    name: str
    type: ScalarType
    location: Location


@dataclass(frozen=True, eq=False)
class ScalarParameter(Parameter):
    """A number handed over with each launch; read through :class:`Argument`."""


@dataclass(frozen=True, eq=False)
class SpecParameter(Parameter):
    """A specialization constant: fixed when the kernel is built for a device; read through :class:`SpecValue`."""

    default: int | float | bool | None = None


@dataclass(frozen=True, eq=False)
class ItemParameter(Parameter):
    """One element a thread of a buffer; all items of a launch have one shape. Loaded and stored with index ()."""

    mutable: bool = False
    part_of: str = ""
    """The declared parameter, if this is one number of its elements: all parts of one lie in one memory."""


@dataclass(frozen=True, eq=False)
class GlobalParameter(Parameter):
    """A whole buffer of ``ndim`` dimensions. ``once``: declared ``Out``, each element is written exactly once.
    ``part_of``: as of items."""

    ndim: int = 1
    mutable: bool = False
    once: bool = False
    part_of: str = ""


BufferParameter = ItemParameter | GlobalParameter


# --------------------------------------------------------------------------------------------- variables, arrays


@dataclass(frozen=True, eq=False)
class Variable:
    """A local variable or a function's parameter. Compared by identity; names may repeat in other functions."""

    name: str
    type: ScalarType


@dataclass(frozen=True, eq=False)
class LocalArray:
    """An array of each thread's own. ``type`` may be a storage type."""

    name: str
    type: ScalarType
    shape: tuple[Expr, ...]
    """Const or SpecValue, or Cast, add, sub, mul, floordiv of those; each is an i32."""


@dataclass(frozen=True, eq=False)
class GroupArray(LocalArray):
    """An array that the threads of a group share."""


@dataclass(frozen=True, eq=False)
class ConstantArray(LocalArray):
    """An array that nothing changes: a table. It belongs to the program, and any function may read it; its lengths are
    constants. ``values``: the elements, row by row, in the type of computation of ``type``."""

    values: tuple[int | float | bool, ...]


@dataclass(frozen=True, eq=False)
class CooperativeMatrix:
    """A variable that holds a matrix which the threads of a subgroup hold together. ``type`` may be a storage type.
    ``use``: what it can be in a product ``a @ b + accumulator``."""

    name: str
    type: ScalarType
    rows: int
    columns: int
    use: Literal["a", "b", "accumulator"]


Place = ItemParameter | GlobalParameter | LocalArray | GroupArray


# ---------------------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True, eq=False, kw_only=True)
class Expr:
    """A value of a type of computation. Expressions have no effects and may be left out where nothing needs them;
    what has effects, or is a meeting of threads, is a statement that gives a variable its result."""

    type: ScalarType
    location: Location


@dataclass(frozen=True, eq=False)
class Const(Expr):
    """A literal or captured constant, already of ``type``."""

    value: int | float | bool


@dataclass(frozen=True, eq=False)
class Local(Expr):
    """The value of a variable."""

    variable: Variable


@dataclass(frozen=True, eq=False)
class Argument(Expr):
    """The value of a scalar parameter (in its type of computation)."""

    parameter: ScalarParameter


@dataclass(frozen=True, eq=False)
class SpecValue(Expr):
    """The value of a specialization constant (in its type of computation)."""

    parameter: SpecParameter


@dataclass(frozen=True, eq=False)
class Extent(Expr):
    """The length (i32) of a global parameter or array along one axis."""

    place: GlobalParameter | LocalArray
    axis: int


IdName = Literal[
    "global_id",  # id of the thread in the dispatch, along axis
    "global_threads",  # threads of the dispatch, along axis
    "group_id",  # id of the group, along axis
    "groups",  # groups of the dispatch, along axis
    "thread_id",  # id of the thread in its group, along axis
    "threads",  # threads of a group, along axis
    "subgroup_id",  # id of the subgroup in its group
    "subgroups",  # subgroups of a group, rounded up
    "subgroup_thread_id",  # lane
    "subgroup_threads",  # subgroup size
    "item_id",  # row-major index of the item
    "items",  # count of items
]


@dataclass(frozen=True, eq=False)
class Id(Expr):
    """A coordinate or size of the dispatch, as i32. ``axis`` 0 is the fastest (x)."""

    name: IdName
    axis: int = 0


@dataclass(frozen=True, eq=False)
class Load(Expr):
    """An element of a place, in its type of computation. ``index`` is () for items; entries are any integers.

    ``checked``: False where the kernel promises that the index is in range: then it is not looked at except in debug
    mode and by the interpreter. The same holds of stores, atomics and those of cooperative matrices.
    """

    place: Place
    index: tuple[Expr, ...]
    checked: bool = True


UnaryOp = Literal["neg", "invert", "not"]  # neg: numbers; invert: integers; not: boolean


@dataclass(frozen=True, eq=False)
class Unary(Expr):
    op: UnaryOp
    operand: Expr


BinaryOp = Literal["add", "sub", "mul", "div", "floordiv", "mod", "pow", "min", "max", "and", "or", "xor", "shl", "shr"]


@dataclass(frozen=True, eq=False)
class Binary(Expr):
    """Both operands have the type of the result. and, or, xor are bitwise (also of booleans). pow: float only; powers
    of integers are made of products."""

    op: BinaryOp
    left: Expr
    right: Expr


@dataclass(frozen=True, eq=False)
class Compare(Expr):
    """Boolean; both operands have one type."""

    op: Literal["lt", "le", "gt", "ge", "eq", "ne"]
    left: Expr
    right: Expr


@dataclass(frozen=True, eq=False)
class Logical(Expr):
    """Boolean, short-circuit."""

    op: Literal["and", "or"]
    left: Expr
    right: Expr


@dataclass(frozen=True, eq=False)
class Select(Expr):
    """``then if condition else otherwise``: only the chosen one is evaluated.

    ``weak`` is for the frontend: where both are literals, these, which take the type of what the value meets; for one
    that is such a choice itself, its ``weak``.
    """

    condition: Expr
    then: Expr
    otherwise: Expr
    weak: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Cast(Expr):
    """The operand converted to ``type``."""

    operand: Expr


@dataclass(frozen=True, eq=False)
class Bitcast(Expr):
    """The operand's bits read as ``to``, of the same size; one of the two is an integer type, the other a float type.
    Where ``source`` or ``to`` is f16 or bf16, the operand or the result is an f32: the operand is rounded to it, the
    result widened. Of a NaN only that it is one is kept."""

    operand: Expr
    source: ScalarType
    to: ScalarType


@dataclass(frozen=True, eq=False)
class Round(Expr):
    """An f32 rounded to what the storage type ``to`` (f16 or bf16) can hold; still an f32."""

    operand: Expr
    to: ScalarType


MathName = Literal[
    "abs",  # numbers (the least integer wraps)
    "sqrt", "exp", "exp2", "log", "log2", "sin", "cos", "tan", "tanh",  # f32, f64
    "floor", "ceil", "trunc", "rint",  # f32, f64, result of the same type; rint: halves to the even number
    "fma",  # f32, f64: three operands, may or may not be fused
    "isnan", "isinf",  # f32, f64 -> boolean
    "popcount", "clz", "reverse_bits",  # u32; clz of 0 is 32
    "mul_hi",  # u32: the high 32 bits of the product of two
    # f32, f64: what the target has, as quick and as imprecise as that is; the exact function where there is none.
    "fast_exp", "fast_exp2", "fast_log", "fast_log2", "fast_sin", "fast_cos", "fast_tan", "fast_tanh", "fast_rsqrt",
    "fast_pow", "fast_min", "fast_max",  # two operands
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Math(Expr):
    """An elementary function; operands have one type. What is not here is made of it: see :mod:`.library`."""

    name: MathName
    operands: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Call(Expr):
    """A call of a function that is pure and has one result; any other is called by the statement ``Invoke``."""

    function: Function
    arguments: tuple[Expr, ...]


def const(value: int | float | bool, type: ScalarType, location: Location) -> Const:
    return Const(value, type=type, location=location)


# ----------------------------------------------------------------------------------------------------------- statements


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
    """Writes an element of a place; ``value`` has the place's type of computation. ``checked``: as of loads."""

    place: Place
    index: tuple[Expr, ...]
    value: Expr
    checked: bool = True


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


AtomicOp = Literal["add", "sub", "min", "max", "and", "or", "xor", "exchange", "compare_exchange", "load", "store"]


@dataclass(frozen=True, eq=False)
class Atomic(Stmt):
    """Reads an element, and writes what comes of it and ``value``, without another thread's coming in between. The
    target, if there is one, takes what was read. ``load`` only reads, and has no value; ``store`` only writes, and has
    no target. Orders no other accesses (relaxed); those on both sides of a :class:`Fence` it does.

    ``compare_exchange`` writes where the element has the bits of ``expected``, which only it has. An element of f16 or
    bf16 is computed with as an f32 and rounded where it is written. Out of range it reads 0 and writes nothing. The
    entries of ``index`` may be evaluated more than once. ``checked``: as of loads.
    """

    targets: tuple[Variable, ...]
    op: AtomicOp
    place: GlobalParameter | GroupArray
    index: tuple[Expr, ...]
    value: Expr | None
    expected: Expr | None = None
    checked: bool = True


@dataclass(frozen=True, eq=False)
class Barrier(Stmt):
    """Every thread of the group arrives before any goes on; writes to group arrays and buffers made before are
    seen by the group after, those to a buffer through the parameter that they were made by. Stands only where all
    threads of the group arrive (kernel body, uniform flow)."""


@dataclass(frozen=True, eq=False)
class Fence(Stmt):
    """A thread's reads and writes of buffers and group arrays before it come before those after it, for all threads of
    the scope (acquire and release). So what a thread wrote before a fence and an atomic after it, another thread sees
    after an atomic that reads what that one wrote, and a fence after it."""

    scope: Literal["group", "device"]


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
    columns. Where not all of it lies within the place, it is out of range: all elements are 0. ``checked``: as of
    loads."""

    place: GlobalParameter | GroupArray
    index: tuple[Expr, ...]
    transposed: bool
    checked: bool = True


@dataclass(frozen=True, eq=False)
class CooperativeStore(CooperativeStmt):
    """Writes a matrix to a place of two dimensions, as ``CooperativeLoad`` takes it; out of range it does nothing."""

    place: GlobalParameter | GroupArray
    index: tuple[Expr, ...]
    transposed: bool
    checked: bool = True


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


# ------------------------------------------------------------------------------------------------------------ functions


@dataclass(frozen=True, eq=False)
class Function:
    """A ``@func`` for one choice of its arguments' types and of the places handed to it, which its body names. Its
    expressions may read SpecValue, Id and Argument. Where it has results, every path ends in a ``Return`` of them. It
    has no barriers and no operations of subgroups: the frontend writes those functions out where they are called.

    Attributes:
        pure: it has one result, and touches nothing but its own variables and local arrays.
        origin: the function of the language or of a user's that it was lowered from, if it was.
    """

    name: str
    parameters: tuple[Variable, ...]
    results: tuple[ScalarType, ...]
    body: Block
    local_arrays: tuple[LocalArray, ...]
    location: Location
    pure: bool = True
    origin: Any = None

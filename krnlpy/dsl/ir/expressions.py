"""Expressions: values of a type of computation. Part of :mod:`krnlpy.dsl.ir`, which says what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from krnlpy.scalar import ScalarType

from .node import dataclass
from .places import GlobalParameter, LocalArray, Location, Place, ScalarParameter, SpecParameter, Variable

if TYPE_CHECKING:
    from .nodes import Function


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
    """An element of a place, in its type of computation. ``index`` is () for items; entries are any integers."""

    place: Place
    index: tuple[Expr, ...]


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

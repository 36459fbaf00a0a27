"""What holds of each node of the IR by itself: the types of its operands and results, and what its fields may be.

Each rule is a truth value and a sentence. They are evaluated in order, so each may rely on those before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import get_args

from krnlpy.scalar import SCALAR_TYPES, ScalarType, bf16, boolean, convert, f16, f32, i32, u32

from .formats import Field, Format
from .nodes import (
    Argument,
    Assert,
    Assign,
    Atomic,
    AtomicOp,
    Barrier,
    Binary,
    BinaryOp,
    Bitcast,
    Break,
    Breakpoint,
    Call,
    Cast,
    Collective,
    CollectiveOp,
    Compare,
    Const,
    ConstantArray,
    Continue,
    CooperativeFill,
    CooperativeLoad,
    CooperativeMap,
    CooperativeMatrix,
    CooperativeProduct,
    CooperativeStore,
    Expr,
    Extent,
    Fence,
    For,
    GlobalParameter,
    GroupArray,
    Id,
    IdName,
    If,
    Invoke,
    ItemParameter,
    Load,
    Local,
    LocalArray,
    Logical,
    Math,
    MathName,
    Place,
    Print,
    Return,
    Round,
    Select,
    SpecValue,
    Stmt,
    Store,
    Unary,
    UnaryOp,
    While,
)

Rules = Iterator[tuple[bool, str]]
"""Whether each rule holds, and the rule."""

COMPUTED = frozenset(type.compute for type in SCALAR_TYPES)
"""The types of computation."""

_AXIS_IDS = ("global_id", "global_threads", "group_id", "groups", "thread_id", "threads")
_BITS = ("popcount", "clz", "reverse_bits", "mul_hi")
_PREDICATES = ("isnan", "isinf")
_OPERANDS = {"fma": 3, "mul_hi": 2, "fast_pow": 2, "fast_min": 2, "fast_max": 2}
_REDUCTIONS = ("add", "mul", "min", "max", "and", "or", "xor")
_LANE_OPS = ("broadcast", "shuffle", "shuffle_xor", "shuffle_up", "shuffle_down", "quad_broadcast")


def _is_number(type: ScalarType) -> bool:
    return type is not boolean


# ---------------------------------------------------------------------------------------------------------- expressions


def expression_rules(e: Expr) -> Rules:
    """The rules of an expression itself, without those of its operands."""
    yield e.type in COMPUTED, "a value has a type of computation"
    match e:
        case Const():
            yield _is_constant(e.value, e.type), f"a constant of {e.type} is one of its values, not {e.value!r}"
        case Local():
            yield e.type is e.variable.type, "a variable is read as the type that it has"
        case Argument() | SpecValue():
            yield e.type is e.parameter.type.compute, "a parameter is read in its type of computation"
        case Extent():
            yield e.type is i32, "a length is an i32"
            yield 0 <= e.axis < rank(e.place), "the axis is one of the place's"
        case Id():
            yield e.type is i32, "an id is an i32"
            yield e.name in get_args(IdName), "the id is one that there is"
            yield e.axis in (range(3) if e.name in _AXIS_IDS else (0,)), "the axis is 0, 1 or 2, of what has axes"
        case Load():
            yield from _element_rules(e.place, e.index)
            yield e.type is e.place.type.compute, "an element is loaded in its type of computation"
        case Unary():
            yield e.op in get_args(UnaryOp), "the operator is one that there is"
            yield e.operand.type is e.type, "the operand has the type of the result"
            domain = {"neg": _is_number(e.type), "invert": e.type.is_integer, "not": e.type is boolean}
            yield domain[e.op], "neg is of numbers, invert of integers, not of truth values"
        case Binary():
            yield from _binary_rules(e)
        case Compare():
            yield e.op in ("lt", "le", "gt", "ge", "eq", "ne"), "the operator is one that there is"
            yield e.type is boolean, "the result is a truth value"
            yield e.left.type is e.right.type, "both operands have one type"
            yield e.op in ("eq", "ne") or _is_number(e.left.type), "truth values are not ordered"
        case Logical():
            yield e.op in ("and", "or"), "the operator is one that there is"
            yield e.type is e.left.type is e.right.type is boolean, "operands and result are truth values"
        case Select():
            yield e.condition.type is boolean, "the condition is a truth value"
            yield e.then.type is e.otherwise.type is e.type, "both choices have the type of the result"
        case Cast():
            pass
        case Bitcast():
            yield e.source.size == e.to.size, "both types have one size"
            yield (
                {e.source.is_integer, e.source.is_float} == {e.to.is_float, e.to.is_integer} == {True, False}
                and (e.source.is_float is not e.to.is_float),
                "one of the types is of integers, the other of floats",
            )
            yield e.operand.type is e.source.compute, "the operand has the type whose bits are read"
            yield e.type is e.to.compute, "the result has the type as which they are read"
        case Round():
            yield e.to in (f16, bf16), "it is rounded to f16 or bf16"
            yield e.operand.type is e.type is f32, "operand and result are f32"
        case Math():
            yield from _math_rules(e)
        case Call():
            yield len(e.function.results) == 1 and e.type is e.function.results[0], "the result is the function's"
            yield from _argument_rules(e)
        case _:
            yield False, "the expression is one that the IR has"


def _is_constant(value: object, type: ScalarType) -> bool:
    if type is boolean:
        return isinstance(value, bool)
    if type.is_integer:
        return isinstance(value, int) and not isinstance(value, bool) and type.min <= value <= type.max
    return isinstance(value, float) and (value != value or float(convert(value, type)) == value)


def _binary_rules(e: Binary) -> Rules:
    yield e.op in get_args(BinaryOp), "the operator is one that there is"
    yield e.left.type is e.right.type is e.type, "both operands have the type of the result"
    if e.op in ("div", "pow"):
        yield e.type.is_float, "div and pow are of floats"
    elif e.op in ("shl", "shr"):
        yield e.type.is_integer, "shifts are of integers"
    elif e.op in ("and", "or", "xor"):
        yield not e.type.is_float, "and, or and xor are of integers and truth values"
    else:
        yield _is_number(e.type), "arithmetic is of numbers"


def _math_rules(e: Math) -> Rules:
    yield e.name in get_args(MathName), "the function is one that there is"
    yield len(e.operands) == _OPERANDS.get(e.name, 1), "the function has as many operands"
    type = e.operands[0].type
    yield all(operand.type is type for operand in e.operands), "the operands have one type"
    yield e.type is (boolean if e.name in _PREDICATES else type), "the result has the function's type"
    if e.name == "abs":
        yield _is_number(type), "abs is of numbers"
    elif e.name in _BITS:
        yield type is u32, "functions of bits are of u32"
    else:
        yield type.is_float, "the function is of floats"


def _argument_rules(node: Call | Invoke) -> Rules:
    given, taken = (e.type for e in node.arguments), (v.type for v in node.function.parameters)
    yield _same(given, taken), "the arguments are of the types of the function's parameters"


def _same(a: Iterator[ScalarType], b: Iterator[ScalarType]) -> bool:
    return all(one is other for one, other in zip_longest(a, b))


# -------------------------------------------------------------------------------------------------------------- places


def rank(place: Place) -> int:
    """How many indices an element has."""
    if isinstance(place, ItemParameter):
        return 0
    return place.ndim if isinstance(place, GlobalParameter) else len(place.shape)


def _element_rules(place: Place, index: Sequence[Expr]) -> Rules:
    yield len(index) == rank(place), "an element has an index along each axis"
    yield all(i.type.is_integer for i in index), "indices are integers"


def _is_writable(place: Place) -> bool:
    if isinstance(place, LocalArray):
        return not isinstance(place, ConstantArray)
    return place.mutable


def _matrix_place_rules(s: CooperativeLoad | CooperativeStore) -> Rules:
    yield isinstance(s.place, GlobalParameter | GroupArray), "matrices lie in buffers and group arrays"
    yield rank(s.place) == 2, "matrices lie in places of two dimensions"
    yield from _element_rules(s.place, s.index)
    yield s.place.type is s.matrix.type, "matrix and place hold one type"


def array_rules(array: LocalArray) -> Rules:
    """The rules of an array's declaration."""
    yield array.type in SCALAR_TYPES, "an array holds one of the scalar types"
    yield 1 <= len(array.shape) <= 8, "an array has one to eight dimensions"
    for extent in array.shape:
        yield extent.type is i32, "a length is an i32"
        yield not isinstance(extent, Const) or extent.value >= 1, "a length is at least 1"
        yield _is_fixed(extent), "a length is made of constants and specialization constants"


def table_rules(array: ConstantArray) -> Rules:
    """The rules of a table."""
    yield from array_rules(array)
    lengths = [extent.value for extent in array.shape if isinstance(extent, Const)]
    yield len(lengths) == len(array.shape), "the lengths of a table are constants"
    yield len(array.values) == math.prod(lengths), "a table has all of its elements"


def _is_fixed(e: Expr) -> bool:
    match e:
        case Const() | SpecValue():
            return True
        case Cast():
            return _is_fixed(e.operand)
        case Binary():
            return e.op in ("add", "sub", "mul", "floordiv") and _is_fixed(e.left) and _is_fixed(e.right)
    return False


# ---------------------------------------------------------------------------------------------------------- statements


def statement_rules(s: Stmt) -> Rules:
    """The rules of a statement itself, without those of its expressions and blocks."""
    match s:
        case Assign():
            yield s.value.type is s.variable.type, "the value has the variable's type"
        case Store():
            yield from _element_rules(s.place, s.index)
            yield _is_writable(s.place), "what is written is declared so"
            yield s.value.type is s.place.type.compute, "the value has the place's type of computation"
        case If() | While():
            yield s.condition.type is boolean, "the condition is a truth value"
        case For():
            yield s.variable.type.is_integer, "a range counts in integers"
            bounds = (s.start.type, s.stop.type, s.step.type)
            yield all(type is s.variable.type for type in bounds), "start, stop and step have the variable's type"
        case Invoke():
            yield _same((v.type for v in s.targets), iter(s.function.results)), "the targets take the results"
            yield from _argument_rules(s)
        case Atomic():
            yield from _atomic_rules(s)
        case Collective():
            yield from _collective_rules(s)
        case Print():
            yield from _format_rules(s.format, s.values)
        case Assert():
            yield s.condition.type is boolean, "the condition is a truth value"
            yield from _format_rules(s.format, s.values)
        case CooperativeFill():
            yield s.value.type is s.matrix.type.compute, "the value has the matrix's type of computation"
        case CooperativeLoad():
            yield from _matrix_place_rules(s)
        case CooperativeStore():
            yield from _matrix_place_rules(s)
            yield _is_writable(s.place), "what is written is declared so"
        case CooperativeProduct():
            yield from _product_rules(s)
        case CooperativeMap():
            yield from _map_rules(s)
        case Fence():
            yield s.scope in ("group", "device"), "a fence is for a group or the device"
        case Break() | Continue() | Return() | Barrier() | Breakpoint():
            pass
        case _:
            yield False, "the statement is one that the IR has"


def _format_rules(format: Format, values: Sequence[Expr]) -> Rules:
    fields = (part.type for part in format if isinstance(part, Field))
    yield _same(fields, (value.type for value in values)), "there is a value of its type for each field of the text"


def _atomic_rules(s: Atomic) -> Rules:
    place, type = s.place, s.place.type
    yield s.op in get_args(AtomicOp), "the operation is one that there is"
    yield (
        (isinstance(place, GroupArray) or (isinstance(place, GlobalParameter) and place.mutable and not place.once)),
        "an atomic changes an element of a GlobalMut buffer or a group array",
    )
    yield s.op not in ("add", "sub", "min", "max") or _is_number(type), "add, sub, min and max are of numbers"
    yield s.op not in ("and", "or", "xor") or not type.is_float, "and, or and xor are of integers and truth values"
    yield from _element_rules(place, s.index)
    yield (s.value is None) == (s.op == "load"), "load, and it alone, has no value"
    yield s.value is None or s.value.type is type.compute, "the value has the place's type of computation"
    yield s.op != "store" or not s.targets, "store reads nothing"
    yield (s.expected is not None) == (s.op == "compare_exchange"), "compare_exchange, and it alone, expects a value"
    yield s.expected is None or s.expected.type is type.compute, "what is expected has the type of the value"
    yield len(s.targets) <= 1 and all(v.type is type.compute for v in s.targets), "the target takes the element"


def _collective_rules(s: Collective) -> Rules:
    yield s.op in get_args(CollectiveOp), "the operation is one that there is"
    takes: tuple[ScalarType, ...] = ()
    gives: tuple[ScalarType, ...] = ()
    if s.op == "elect":
        gives = (boolean,)
    elif s.op in ("all", "any", "ballot"):
        takes, gives = (boolean,), (u32,) * 4 if s.op == "ballot" else (boolean,)
    elif s.op != "barrier":
        yield len(s.operands) >= 1, "the operation has an operand"
        takes = gives = (s.operands[0].type,)
        if s.op == "all_equal":
            gives = (boolean,)
        elif s.op in _LANE_OPS:
            takes = (*takes, u32)
    yield _same((e.type for e in s.operands), iter(takes)), "the operands have the operation's types"
    yield _same((v.type for v in s.targets), iter(gives)), "the targets take the results"
    if s.op in ("broadcast", "quad_broadcast"):
        lane = s.operands[1]
        yield isinstance(lane, Const), "a lane that all read is a constant"
        yield s.op == "broadcast" or (isinstance(lane, Const) and 0 <= lane.value < 4), "a quad has the places 0 to 3"
    operation = s.op.rpartition("_")[2]
    if s.op in _REDUCTIONS or s.op.startswith(("inclusive_", "exclusive_")):
        type = s.operands[0].type
        is_bitwise = operation in ("and", "or", "xor")
        yield type.is_integer if is_bitwise else _is_number(type), "sums are of numbers, and, or and xor of integers"
    yield s.cluster == 0 or s.op in _REDUCTIONS, "only reductions are over clusters"
    yield s.cluster == 0 or (s.cluster > 0 and s.cluster & (s.cluster - 1) == 0), "a cluster is a power of two"


# ------------------------------------------------------------------------------------------------------------ matrices


def _form(m: CooperativeMatrix) -> tuple[ScalarType, int, int, str]:
    return m.type, m.rows, m.columns, m.use


def _product_rules(s: CooperativeProduct) -> Rules:
    yield (s.a.use, s.b.use, s.c.use) == ("a", "b", "accumulator"), "a product is of an a, a b and an accumulator"
    shapes = (s.a.columns, s.a.rows, s.b.columns)
    yield shapes == (s.b.rows, s.c.rows, s.c.columns), "the shapes fit each other"
    fits = s.a.type.is_float is s.c.type.is_float and s.c.type.size >= s.a.type.size
    yield s.a.type is s.b.type and fits, "factors of one type are added up in one that holds their products"
    yield _form(s.matrix) == _form(s.c), "the result is what the accumulator is"


def _map_rules(s: CooperativeMap) -> Rules:
    yield s.op in ("copy", "neg", "add", "sub", "mul", "div"), "the operator is one that there is"
    yield len(s.operands) == (1 if s.op in ("copy", "neg") else 2), "the operator has as many operands"
    matrices = [operand for operand in s.operands if isinstance(operand, CooperativeMatrix)]
    numbers = [operand for operand in s.operands if isinstance(operand, Expr)]
    yield len(matrices) >= 1, "one of the operands is a matrix"
    yield all(_form(m) == _form(s.matrix) for m in matrices), "the matrices are what the result is"
    yield all(e.type is s.matrix.type.compute for e in numbers), "a number has the matrix's type of computation"
    yield not numbers or s.op in ("mul", "div"), "only mul and div are of a matrix and a number"

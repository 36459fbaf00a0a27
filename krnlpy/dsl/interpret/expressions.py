"""From IR expressions to Python's ast: the part of :mod:`krnlpy.dsl.interpret` that makes values.

Generated names start with ``_krnl_``; what a kernel's own variables are called stays, for debuggers.
"""

from __future__ import annotations

import ast
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from krnlpy.dsl import ir
from krnlpy.dsl.ir.formats import Format
from krnlpy.dsl.semantics import arithmetic
from krnlpy.dsl.semantics.fast import exact
from krnlpy.errors import CompileError
from krnlpy.scalar import ScalarType, boolean, f32, u16

PREFIX = "_krnl_"

RUNTIME: dict[str, Any] = {
    PREFIX + function.__name__: function
    for function in (
        arithmetic.bf16_bits,
        arithmetic.bitcast,
        arithmetic.divide,
        arithmetic.f16_bits,
        arithmetic.float_of_bf16,
        arithmetic.float_of_f16,
        arithmetic.float_to_integer,
        arithmetic.floordiv_f32,
        arithmetic.floordiv_f64,
        arithmetic.integer_floordiv,
        arithmetic.integer_mod,
        arithmetic.integer_to_f32,
        arithmetic.mod_f32,
        arithmetic.mod_f64,
        arithmetic.power,
        arithmetic.range_or_nothing,
        arithmetic.round_bf16,
        arithmetic.round_f16,
        arithmetic.shift_left,
        arithmetic.shift_right,
        float,
        int,
        range,
    )
}
RUNTIME |= {f"{PREFIX}math_{name}": function for name, function in arithmetic.FUNCTIONS.items()}
RUNTIME[PREFIX + "c_float"] = ctypes.c_float
"""What generated code calls."""

_OPERATORS: dict[str, type[ast.operator]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "and": ast.BitAnd, "or": ast.BitOr, "xor": ast.BitXor
}  # fmt: skip

_SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%", "shl": "<<"}

_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "lt": ast.Lt, "le": ast.LtE, "gt": ast.Gt, "ge": ast.GtE, "eq": ast.Eq, "ne": ast.NotEq
}  # fmt: skip

UNIFORM_IDS = frozenset(["global_threads", "groups", "threads", "subgroups", "subgroup_threads", "items"])
"""The ids that are the same for all threads of a launch."""


# ------------------------------------------------------------------------------------------------- ast, for short


def name(id: str) -> ast.Name:
    return ast.Name(id, ast.Load())


def target(id: str) -> ast.Name:
    return ast.Name(id, ast.Store())


def number(value: Any) -> ast.Constant:
    return ast.Constant(value)


def operation(op: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.BinOp(left, op, right)


def comparison(left: ast.expr, *rest: ast.cmpop | ast.expr) -> ast.expr:
    """``comparison(a, LtE(), b, Lt(), c)`` is ``a <= b < c``."""
    operators = [part for part in rest if isinstance(part, ast.cmpop)]
    return ast.Compare(left, operators, [part for part in rest if isinstance(part, ast.expr)])


def call(function: str, *arguments: ast.expr) -> ast.expr:
    """A call of one of our own functions."""
    return ast.Call(name(PREFIX + function), list(arguments), [])


def tuple_of(parts: Sequence[ast.expr]) -> ast.expr:
    return ast.Tuple(list(parts), ast.Load())


def is_simple(node: ast.expr) -> bool:
    """Whether a value may be written twice without being computed twice."""
    return isinstance(node, ast.Name | ast.Constant)


def locate(node: ast.AST, where: ir.Location) -> None:
    """Gives a new node, and the new nodes below it, a place in the user's source."""
    if isinstance(node, ast.expr | ast.stmt | ast.arg):
        if hasattr(node, "lineno"):
            return
        node.lineno = node.end_lineno = max(where.line, 1)
        node.col_offset = max(where.column, 0)
        node.end_col_offset = max(where.end_column, node.col_offset)
    for child in ast.iter_child_nodes(node):
        locate(child, where)


def wrap(value: ast.expr, type: ScalarType) -> ast.expr:
    """An integer of any size wrapped at the width of a type."""
    mask = number((1 << type.bits) - 1)
    if type.kind == "uint":
        return operation(ast.BitAnd(), value, mask)
    half = number(1 << (type.bits - 1))
    shifted = operation(ast.BitAnd(), operation(ast.Add(), value, half), mask)
    return operation(ast.Sub(), shifted, half)


def rounded(value: ast.expr, type: ScalarType) -> ast.expr:
    """A double rounded to f32 if that is its type. Not through a function of our own, which debuggers would enter."""
    return ast.Attribute(call("c_float", value), "value", ast.Load()) if type is f32 else value


def linear_index(parts: Sequence[ast.expr], shape: Sequence[int]) -> ast.expr:
    """The row-major index in an array of known shape."""
    result = parts[0]
    for part, length in zip(parts[1:], shape[1:], strict=True):
        result = operation(ast.Add(), operation(ast.Mult(), result, number(length)), part)
    return result


# ------------------------------------------------------------------------------------------- what has which name


@dataclass(frozen=True)
class Site:
    """A place in the source at which something can fail or wait."""

    location: ir.Location
    what: str
    """The name of the array, or what is waited for."""


@dataclass(frozen=True)
class BufferNames:
    """What generated code calls a buffer.

    Attributes:
        view: the name of the elements; ``array``: that for debuggers.
        write: the function that stores into an ``Out`` buffer.
        offset: of the first element.
        at: for items: where this thread's element is.
        lengths: along the axes; strides: along the axes, for items those of the items.
        contiguous: whether the last stride is known to be 1.
    """

    view: str
    array: str
    write: str
    offset: str
    at: str
    lengths: tuple[str, ...]
    strides: tuple[str, ...]
    contiguous: bool


@dataclass(frozen=True)
class Scope:
    """What the translation of a program knows everywhere.

    Attributes:
        ids: names of the per-thread ids that are used; every function is handed all of them.
        sites: all places that may fail or wait.
        collectives: the operations of subgroups, by their sites.
        specs: values of the spec parameters.
        arguments: names of the scalar parameters.
        uniform_ids: by name and axis, the value or the name of an id that all threads share.
        buffers: what buffers are called.
        functions: what functions are called.
        tables: what tables are called.
        check_overflow: whether whole numbers that wrap are faults.
        debugged: whether items and arrays get names for debuggers.
        formats: those of all prints and asserts.
        suspending: the functions that may wait: calls of them are ``yield from``.
    """

    ids: tuple[str, ...]
    specs: dict[ir.SpecParameter, int | float | bool]
    arguments: dict[ir.ScalarParameter, str]
    uniform_ids: dict[tuple[str, int], int | str]
    buffers: dict[ir.BufferParameter, BufferNames]
    functions: dict[ir.Function, str]
    tables: dict[ir.ConstantArray, str]
    check_overflow: bool
    debugged: bool
    formats: list[Format] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    collectives: dict[int, ir.Collective] = field(default_factory=dict)
    suspending: set[ir.Function] = field(default_factory=set)

    def site(self, location: ir.Location, what: str) -> ast.Constant:
        self.sites.append(Site(location, what))
        return number(len(self.sites) - 1)

    def format(self, format: Format) -> ast.Constant:
        self.formats.append(format)
        return number(len(self.formats) - 1)

    def shape(self, array: ir.LocalArray) -> tuple[int, ...]:
        return tuple(self._extent(extent) for extent in array.shape)

    def _extent(self, expr: ir.Expr) -> int:
        match expr:
            case ir.Const(value=value):
                return int(value)
            case ir.SpecValue(parameter=parameter):
                return int(self.specs[parameter])
            case ir.Cast(operand=operand):
                return self._extent(operand)
            case ir.Binary(op="add", left=left, right=right):
                return self._extent(left) + self._extent(right)
            case ir.Binary(op="sub", left=left, right=right):
                return self._extent(left) - self._extent(right)
            case ir.Binary(op="mul", left=left, right=right):
                return self._extent(left) * self._extent(right)
            case ir.Binary(op="floordiv", left=left, right=right):
                return arithmetic.integer_floordiv(self._extent(left), self._extent(right))
        raise CompileError(f"{type(expr).__name__} is not a constant extent of an array")


def strided_index(names: BufferNames, index: Sequence[ast.expr]) -> ast.expr:
    """Where an element lies in a buffer."""
    result: ast.expr = name(names.offset)
    for axis, (part, stride) in enumerate(zip(index, names.strides, strict=True)):
        is_unit = names.contiguous and axis == len(index) - 1
        term = part if is_unit else operation(ast.Mult(), part, name(stride))
        result = operation(ast.Add(), result, term)
    return result


def is_stored_only(type: ScalarType) -> bool:
    """f16 and bf16, which kernels compute in f32."""
    return type.compute is not type


# --------------------------------------------------------------------------------------------------- expressions


class Expressions:
    """Translates the expressions of one function or of the kernel's body."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.position: list[ast.expr] = []
        """Where the loop that is being translated is: see :mod:`krnlpy.dsl.interpret`."""
        self._temporaries = 0

    def variable(self, variable: ir.Variable | ir.LocalArray) -> str:
        """What a variable or array is called."""
        raise NotImplementedError

    def expr(self, node: ir.Expr) -> ast.expr:
        method: Callable[[Any], ast.expr] = getattr(self, f"visit_{type(node).__name__}")
        result = method(node)
        locate(result, node.location)
        return result

    def keep(self, value: ast.expr) -> tuple[ast.expr, ast.expr]:
        """A value to be used twice: how to write it the first and the second time."""
        if is_simple(value):
            return value, value
        self._temporaries += 1
        temporary = f"{PREFIX}{self._temporaries}"
        return ast.NamedExpr(target(temporary), value), name(temporary)

    # ------------------------------------------------------------------------------------------------- values

    def visit_Const(self, node: ir.Const) -> ast.expr:
        if node.type is boolean:
            return number(bool(node.value))
        if node.type is f32:
            return number(arithmetic.round_f32(float(node.value)))
        return number(float(node.value) if node.type.is_float else int(node.value))

    def visit_Local(self, node: ir.Local) -> ast.expr:
        return name(self.variable(node.variable))

    def visit_Argument(self, node: ir.Argument) -> ast.expr:
        return name(self.scope.arguments[node.parameter])

    def visit_SpecValue(self, node: ir.SpecValue) -> ast.expr:
        return number(self.scope.specs[node.parameter])

    def visit_Extent(self, node: ir.Extent) -> ast.expr:
        if isinstance(node.place, ir.GlobalParameter):
            return name(self.scope.buffers[node.place].lengths[node.axis])
        return number(self.scope.shape(node.place)[node.axis])

    def visit_Id(self, node: ir.Id) -> ast.expr:
        if node.name in UNIFORM_IDS:
            value = self.scope.uniform_ids[node.name, node.axis]
            return name(value) if isinstance(value, str) else number(value)
        return name(id_name(node))

    # ------------------------------------------------------------------------------------------------- places

    def visit_Load(self, node: ir.Load) -> ast.expr:
        view, index, _ = self.element(node.place, node.index, node.location)
        if isinstance(node.place, ir.BufferParameter) and is_stored_only(node.place.type):
            return ast.Call(ast.Attribute(view, "item", ast.Load()), [index], [])
        return ast.Subscript(view, index, ast.Load())

    def element(
        self, place: ir.Place, index: tuple[ir.Expr, ...], location: ir.Location
    ) -> tuple[ast.expr, ast.expr, list[ast.expr]]:
        """What holds a place's elements, the index into that, checked, and the index along each axis."""
        if isinstance(place, ir.ItemParameter):
            names = self.scope.buffers[place]
            return name(names.view), name(names.at), []
        parts = [self.keep(self.expr(i)) for i in index]
        again = [part for _, part in parts]
        if isinstance(place, ir.GlobalParameter):
            names = self.scope.buffers[place]
            view = name(names.view)
            lengths: list[ast.expr] = [name(length) for length in names.lengths]
            flat = strided_index(names, again)
        else:
            view = name(self.scope.tables[place] if isinstance(place, ir.ConstantArray) else self.variable(place))
            shape = self.scope.shape(place)
            lengths = [number(length) for length in shape]
            flat = linear_index(again, shape)
        site = self.scope.site(location, place.name)
        # The first axis is checked first, hence outermost.
        for axis in reversed(range(len(parts))):
            first, part = parts[axis]
            inside = comparison(number(0), ast.LtE(), first, ast.Lt(), lengths[axis])
            fail = call("out_of_range", site, number(axis), part, lengths[axis])
            flat = ast.IfExp(inside, flat, fail)
        return view, flat, again

    # ---------------------------------------------------------------------------------------------- operators

    def whole(self, node: ir.Expr, symbol: str, compute: Callable[..., ast.expr], *operands: ast.expr) -> ast.expr:
        """An integer of unlimited size, brought into its type: wrapped, or, with overflow checks, a fault if it does
        not fit."""
        if not self.scope.check_overflow:
            return wrap(compute(*operands), node.type)
        kept = [self.keep(operand) for operand in operands]
        limits = number(node.type.min), number(node.type.max)
        site = self.scope.site(node.location, node.type.name)
        value = compute(*(first for first, _ in kept))
        return call("fit", value, *limits, site, number(symbol), *(again for _, again in kept))

    def visit_Unary(self, node: ir.Unary) -> ast.expr:
        operand = self.expr(node.operand)
        if node.op == "not":
            return ast.UnaryOp(ast.Not(), operand)
        if node.op == "invert":
            return wrap(ast.UnaryOp(ast.Invert(), operand), node.type)
        if node.type.is_float:
            return ast.UnaryOp(ast.USub(), operand)
        return self.whole(node, "-", lambda a: ast.UnaryOp(ast.USub(), a), operand)

    def visit_Binary(self, node: ir.Binary) -> ast.expr:
        left, right = self.expr(node.left), self.expr(node.right)
        type, op = node.type, node.op
        if op in ("and", "or", "xor"):
            return operation(_OPERATORS[op](), left, right)
        if op in ("min", "max"):
            a, again_a = self.keep(left)
            b, again_b = self.keep(right)
            # `b < a` of the definition, turned round so that a is computed first.
            keep_b = comparison(a, ast.Gt() if op == "min" else ast.Lt(), b)
            return ast.IfExp(keep_b, again_b, again_a)
        if op in _OPERATORS:
            if type.is_float:
                return rounded(operation(_OPERATORS[op](), left, right), type)
            return self.whole(node, _SYMBOLS[op], lambda a, b: operation(_OPERATORS[op](), a, b), left, right)
        if type.is_float:
            if op in ("floordiv", "mod"):
                return call(f"{op}_{type.name}", left, right)
            return rounded(call({"div": "divide", "pow": "power"}[op], left, right), type)
        if op in ("floordiv", "mod"):
            return self.whole(node, _SYMBOLS[op], lambda a, b: call(f"integer_{op}", a, b), left, right)
        if op == "shr":
            return call("shift_right", left, right, number(type.bits))
        if op == "shl":
            return self.whole(node, _SYMBOLS[op], lambda a, b: call("shift_left", a, b, number(type.bits)), left, right)
        raise CompileError(f"the interpreter has no {op} of {type}")

    def visit_Compare(self, node: ir.Compare) -> ast.expr:
        return comparison(self.expr(node.left), _COMPARISONS[node.op](), self.expr(node.right))

    def visit_Logical(self, node: ir.Logical) -> ast.expr:
        op = ast.And() if node.op == "and" else ast.Or()
        return ast.BoolOp(op, [self.expr(node.left), self.expr(node.right)])

    def visit_Select(self, node: ir.Select) -> ast.expr:
        return ast.IfExp(self.expr(node.condition), self.expr(node.then), self.expr(node.otherwise))

    # ---------------------------------------------------------------------------------------- types, functions

    def visit_Cast(self, node: ir.Cast) -> ast.expr:
        value, source, to = self.expr(node.operand), node.operand.type, node.type
        if source is to:
            return value
        if to is boolean:
            return comparison(value, ast.NotEq(), number(0))
        if source is boolean:
            return call("float" if to.is_float else "int", value)
        if source.is_float:
            if to.is_float:
                return rounded(value, to)
            return call("float_to_integer", value, number(to.min), number(to.max))
        if to is f32:
            return call("integer_to_f32", value) if source.size == 8 else rounded(value, to)
        if to.is_float:
            return call("float", value)
        if to.min <= source.min and source.max <= to.max:
            return value
        return self.whole(node, to.name, lambda a: a, value)

    def visit_Bitcast(self, node: ir.Bitcast) -> ast.expr:
        value, source, to = self.expr(node.operand), node.source, node.to
        if source.is_float and source.size == 2:
            return wrap(call(f"{source.name}_bits", value), to)
        if to.is_float and to.size == 2:
            return call(f"float_of_{to.name}", wrap(value, u16))
        return call("bitcast", value, number(source.dtype.char), number(to.dtype.char))

    def visit_Round(self, node: ir.Round) -> ast.expr:
        return call(f"round_{node.to.name}", self.expr(node.operand))

    def visit_Math(self, node: ir.Math) -> ast.expr:
        if node.name.startswith("fast_"):
            return self.expr(exact(node))
        operands = [self.expr(operand) for operand in node.operands]
        if node.name == "abs" and node.type.is_integer:
            return self.whole(node, node.name, lambda a: call("math_abs", a), *operands)
        result = call(f"math_{node.name}", *operands)
        if node.type.is_integer:
            return wrap(result, node.type)
        return result if node.name in arithmetic.EXACT else rounded(result, node.type)

    def visit_Call(self, node: ir.Call) -> ast.expr:
        return self.invoke(node.function, node.arguments, node.location)

    def invoke(self, function: ir.Function, arguments: Sequence[ir.Expr], where: ir.Location) -> ast.expr:
        """A call of a function: it takes the ids, its arguments, and the arrays of its callers that it touches."""
        given: list[ast.expr] = [name(id) for id in self.scope.ids]
        given += [self.expr(argument) for argument in arguments]
        given += [name(self.variable(array)) for array in ir.captured_arrays(function)]
        callee = name(self.scope.functions[function])
        if function not in self.scope.suspending:
            return ast.Call(callee, given, [])
        here = self.here(self.scope.site(where, function.name))
        return ast.YieldFrom(ast.Call(callee, [here, *given], []))

    def here(self, site: ast.Constant) -> ast.expr:
        """The place of control now: sites count up in the order of the program."""
        return tuple_of([*self.position, site])


def id_name(node: ir.Id) -> str:
    """What generated code calls the id of a thread."""
    return f"{PREFIX}{node.name}" + (f"_{node.axis}" if node.name in _AXES else "")


_AXES = frozenset(["global_id", "group_id", "thread_id"])

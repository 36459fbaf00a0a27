"""Expressions: from Python's syntax tree to typed IR."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType, boolean, i32

from . import calls, ir
from .conversions import Static, Value, describe, is_number, typed, unify
from .source import Source

_BINARY: dict[type[ast.operator], tuple[ir.BinaryOp, str]] = {
    ast.Add: ("add", "+"),
    ast.Sub: ("sub", "-"),
    ast.Mult: ("mul", "*"),
    ast.Div: ("div", "/"),
    ast.FloorDiv: ("floordiv", "//"),
    ast.Mod: ("mod", "%"),
    ast.Pow: ("pow", "**"),
    ast.BitAnd: ("and", "&"),
    ast.BitOr: ("or", "|"),
    ast.BitXor: ("xor", "^"),
    ast.LShift: ("shl", "<<"),
    ast.RShift: ("shr", ">>"),
}
_COMPARE: dict[type[ast.cmpop], Any] = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}
_FOLD: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b,
    "shr": lambda a, b: a >> b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


@dataclass(eq=False)
class ProgramState:
    """What the functions of one program share while it is lowered."""

    types: dict[TypeVar, ScalarType]
    parameters: dict[str, ir.Parameter]
    functions: dict[tuple[object, tuple[ScalarType, ...]], ir.Function] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    group_arrays: list[ir.GroupArray] = field(default_factory=list)
    calling: list[object] = field(default_factory=list)

    @property
    def has_items(self) -> bool:
        return any(isinstance(p, ir.ItemParameter) for p in self.parameters.values())

    def unique(self, name: str) -> str:
        """A function name not yet taken in this program."""
        taken, count = name, 2
        while taken in self.names:
            taken, count = f"{name}_{count}", count + 1
        self.names.add(taken)
        return taken


@dataclass(eq=False)
class LocalName:
    """A local variable while a function is lowered. ``storage`` is its annotated type, which may be f16 or bf16."""

    variable: ir.Variable
    storage: ScalarType
    line: int


class ExpressionLowering:
    """Lowers the expressions of one function."""

    def __init__(self, source: Source, state: ProgramState, is_kernel: bool) -> None:
        self.source = source
        self.state = state
        self.is_kernel = is_kernel
        self.locals: dict[str, LocalName] = {}
        self.arrays: dict[str, ir.LocalArray] = {}
        self.assigned: set[str] = set()
        self.local_names: set[str] = _stored_names(source.tree)

    def at(self, node: ast.AST) -> ir.Location:
        return self.source.location(node)

    # ---------------------------------------------------------------------------------------------- entry points

    def value(self, node: ast.expr) -> Value:
        """Any value: typed, weak, or known only to the compiler."""
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            raise KernelSyntaxError(_unsupported(node), *self.at(node))
        result: Value = method(node)
        return result

    def typed(self, node: ast.expr, type: ScalarType | None = None) -> ir.Expr:
        value = self.value(node)
        if isinstance(value, Static) and not is_number(value.value):
            return typed(Static(value.value, self.at(node)), type)
        return typed(value, type)

    def condition(self, node: ast.expr) -> ir.Expr:
        """A truth value: numbers are true unless they are 0."""
        return self.truth(self.value(node), node)

    def truth(self, value: Value, node: ast.expr) -> ir.Expr:
        location = self.at(node)
        if isinstance(value, Static) and is_number(value.value):
            return ir.Const(bool(value.value), type=boolean, location=location)
        result = typed(value)
        if result.type is boolean:
            return result
        zero = ir.Const(0.0 if result.type.is_float else 0, type=result.type, location=location)
        return ir.Compare("ne", result, zero, type=boolean, location=location)

    def index(self, node: ast.expr) -> tuple[ir.Expr, ...]:
        """The integers of a subscript."""
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        result = []
        for part in parts:
            if isinstance(part, ast.Slice):
                raise KernelSyntaxError("kernels index single elements, not slices", *self.at(part))
            value = self.value(part)
            if isinstance(value, Static) and isinstance(value.value, tuple):
                raise KernelTypeError("write the indices out: a[i, j]", *self.at(part))
            expr = typed(value)
            if not expr.type.is_integer:
                raise KernelTypeError(
                    f"an index must be an integer, this is {describe(value)}; write i32(...)", *self.at(part)
                )
            if isinstance(expr, ir.Const) and expr.value < 0:
                raise KernelTypeError("indices count from 0; write a.shape[0] - 1 for the last", *self.at(part))
            result.append(expr)
        return tuple(result)

    # ------------------------------------------------------------------------------------------ names, constants

    def _Constant(self, node: ast.Constant) -> Value:  # noqa: N802
        if is_number(node.value) or node.value is None:
            return Static(node.value, self.at(node))
        raise KernelSyntaxError(f"kernels have no {type(node.value).__name__} values", *self.at(node))

    def _Name(self, node: ast.Name) -> Value:  # noqa: N802
        name, where = node.id, self.at(node)
        if name in self.arrays:
            return Static(self.arrays[name], where)
        if name in self.locals and name in self.assigned:
            variable = self.locals[name].variable
            return ir.Local(variable, type=variable.type, location=where)
        if self.is_kernel and name in self.state.parameters:
            return self._parameter(self.state.parameters[name], where)
        if name in self.local_names:
            raise KernelNameError(
                f"the variable {name} may not have a value here; assign it on every path before it is read",
                *where,
            )
        try:
            captured = self.source.captured(name)
        except KeyError:
            raise KernelNameError(f"the name {name} is not defined", *where) from None
        if isinstance(captured, TypeVar):
            if captured not in self.state.types:
                raise KernelTypeError(f"no parameter of the kernel says what the type {name} is", *where)
            captured = self.state.types[captured]
        return Static(captured, where)

    def _parameter(self, parameter: ir.Parameter, where: ir.Location) -> Value:
        kind = parameter.type.compute
        if isinstance(parameter, ir.ScalarParameter):
            return ir.Argument(parameter, type=kind, location=where)
        if isinstance(parameter, ir.SpecParameter):
            return ir.SpecValue(parameter, type=kind, location=where)
        if isinstance(parameter, ir.ItemParameter):
            return ir.Load(parameter, (), type=kind, location=where)
        return Static(parameter, where)

    def _Attribute(self, node: ast.Attribute) -> Value:  # noqa: N802
        where = self.at(node)
        owner = self.value(node.value)
        if isinstance(owner, Static):
            place = owner.value
            if isinstance(place, ir.GlobalParameter | ir.LocalArray):
                rank = place.ndim if isinstance(place, ir.GlobalParameter) else len(place.shape)
                extents = tuple(ir.Extent(place, axis, type=i32, location=where) for axis in range(rank))
                if node.attr == "shape":
                    return Static(extents, where)
                if node.attr == "ndim":
                    return Static(rank, where)
                if node.attr == "size":
                    size: ir.Expr = extents[0]
                    for extent in extents[1:]:
                        size = ir.Binary("mul", size, extent, type=i32, location=where)
                    return size
                raise KernelNameError(f"arrays have shape, ndim and size, not {node.attr}", *where)
            if isinstance(place, ModuleType | type) and hasattr(place, node.attr):
                return Static(getattr(place, node.attr), where)
            if isinstance(place, ModuleType | type):
                raise KernelNameError(f"{place.__name__} has no {node.attr}", *where)
        raise KernelTypeError(f"{describe(owner)} has no attributes in kernels", *where)

    def _Tuple(self, node: ast.Tuple) -> Value:  # noqa: N802
        return Static(tuple(self.value(e) for e in node.elts), self.at(node))

    def _Subscript(self, node: ast.Subscript) -> Value:  # noqa: N802
        where = self.at(node)
        owner = self.value(node.value)
        if isinstance(owner, Static) and isinstance(owner.value, tuple):
            at = self.value(node.slice)
            if not (isinstance(at, Static) and isinstance(at.value, int)):
                raise KernelTypeError("a tuple or shape is indexed by a constant", *self.at(node.slice))
            if not -len(owner.value) <= at.value < len(owner.value):
                raise KernelTypeError(
                    f"index {at.value} is out of range: there are {len(owner.value)} entries",
                    *self.at(node.slice),
                )
            entry = owner.value[at.value]
            return entry if isinstance(entry, Static | ir.Expr) else Static(entry, where)
        place = self.place(owner, node.value)
        index = self.index(node.slice)
        self.check_rank(place, index, where)
        return ir.Load(place, index, type=place.type.compute, location=where)

    def place(self, owner: Value, node: ast.expr) -> ir.GlobalParameter | ir.LocalArray:
        """The array that is indexed."""
        if isinstance(owner, Static) and isinstance(owner.value, ir.GlobalParameter | ir.LocalArray):
            return owner.value
        if isinstance(owner, ir.Load) and isinstance(owner.place, ir.ItemParameter):
            raise KernelTypeError(
                f"{owner.place.name} is an item, one element; declare it Global or GlobalMut to index it",
                *self.at(node),
            )
        raise KernelTypeError(f"{describe(owner)} cannot be indexed", *self.at(node))

    def check_rank(
        self, place: ir.GlobalParameter | ir.LocalArray, index: tuple[ir.Expr, ...], where: ir.Location
    ) -> None:
        rank = place.ndim if isinstance(place, ir.GlobalParameter) else len(place.shape)
        if len(index) != rank:
            raise KernelTypeError(f"{place.name} has {rank} dimensions, indexed with {len(index)}", *where)
        if isinstance(place, ir.LocalArray):
            for entry, extent in zip(index, place.shape, strict=True):
                if isinstance(entry, ir.Const) and isinstance(extent, ir.Const) and entry.value >= extent.value:
                    raise KernelTypeError(
                        f"index {entry.value} is out of range: {place.name} has length {extent.value} there",
                        *where,
                    )

    # ------------------------------------------------------------------------------------------------- operators

    def _BinOp(self, node: ast.BinOp) -> Value:  # noqa: N802
        if type(node.op) not in _BINARY:
            raise KernelSyntaxError("kernels have no @ operator; write the loops", *self.at(node))
        return self.binary(node.op, self.value(node.left), self.value(node.right), self.at(node))

    def binary(self, operator: ast.operator, left: Value, right: Value, where: ir.Location) -> Value:
        """``left operator right`` with Python's meaning."""
        op, symbol = _BINARY[type(operator)]
        if isinstance(left, Static) and isinstance(right, Static) and is_number(left.value) and is_number(right.value):
            return self._fold(op, left, right, where)
        if op == "pow":
            return calls.power(self, left, right, where)
        if op in ("shl", "shr"):
            return calls.shift(op, left, right, where)
        a, b = unify(left, right, symbol, where)
        if a.type is boolean and op not in ("and", "or", "xor"):
            raise KernelTypeError(f"{symbol} of truth values; convert them, for example i32(...)", *where)
        if op in ("and", "or", "xor") and a.type.is_float:
            raise KernelTypeError(f"{symbol} needs integers or truth values, not {a.type}", *where)
        if op == "div" and a.type.is_integer:
            raise KernelTypeError(
                f"/ of {a.type}: write // for a whole result, or convert first, for example f32(...)", *where
            )
        return ir.Binary(op, a, b, type=a.type, location=where)

    def _fold(self, op: str, left: Static, right: Static, where: ir.Location) -> Static:
        try:
            result = _FOLD[op](left.value, right.value)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise KernelTypeError(f"{left.value!r} and {right.value!r}: {error}", *where) from None
        if not is_number(result):
            raise KernelTypeError(f"the result {result!r} is no number that kernels have", *where)
        return Static(result, where)

    def _UnaryOp(self, node: ast.UnaryOp) -> Value:  # noqa: N802
        where = self.at(node)
        value = self.value(node.operand)
        if isinstance(value, Static) and is_number(value.value):
            if isinstance(node.op, ast.Invert) and isinstance(value.value, float):
                raise KernelTypeError("~ needs an integer or a truth value", *where)
            fold: dict[type[ast.unaryop], Callable[[Any], Any]] = {
                ast.USub: lambda a: -a, ast.UAdd: lambda a: +a, ast.Not: lambda a: not a, ast.Invert: lambda a: ~int(a)
            }  # fmt: skip
            return Static(fold[type(node.op)](value.value), where)
        if isinstance(node.op, ast.Not):
            return ir.Unary("not", self.truth(value, node.operand), type=boolean, location=where)
        operand = typed(value)
        if isinstance(node.op, ast.Invert):
            if operand.type is boolean:
                return ir.Unary("not", operand, type=boolean, location=where)
            if not operand.type.is_integer:
                raise KernelTypeError(f"~ needs an integer or a truth value, not {operand.type}", *where)
            return ir.Unary("invert", operand, type=operand.type, location=where)
        if operand.type is boolean:
            raise KernelTypeError("a truth value has no sign; convert it, for example i32(...)", *where)
        if isinstance(node.op, ast.UAdd):
            return operand
        return ir.Unary("neg", operand, type=operand.type, location=where)

    def _Compare(self, node: ast.Compare) -> Value:  # noqa: N802
        where = self.at(node)
        operands = [self.value(e) for e in (node.left, *node.comparators)]
        result: Value | None = None
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if type(operator) not in _COMPARE:
                raise KernelSyntaxError("kernels have no `is` and no `in`", *where)
            op = _COMPARE[type(operator)]
            if isinstance(left, Static) and isinstance(right, Static):
                if not (is_number(left.value) and is_number(right.value)):
                    if op not in ("eq", "ne"):
                        raise KernelTypeError(f"{describe(left)} and {describe(right)} cannot be ordered", *where)
                    one: Value = Static((left.value == right.value) == (op == "eq"), where)
                else:
                    one = self._fold(op, left, right, where)
            else:
                a, b = unify(left, right, "comparison", where)
                if a.type is boolean and op not in ("eq", "ne"):
                    raise KernelTypeError("truth values are not ordered; convert them, for example i32(...)", *where)
                one = ir.Compare(op, a, b, type=boolean, location=where)
            result = one if result is None else self._both(result, one, where)
        assert result is not None
        return result

    def _both(self, left: Value, right: Value, where: ir.Location) -> Value:
        if isinstance(left, Static):
            return right if left.value else left
        return ir.Logical("and", left, typed(right), type=boolean, location=where)

    def _BoolOp(self, node: ast.BoolOp) -> Value:  # noqa: N802
        where = self.at(node)
        op: Any = "and" if isinstance(node.op, ast.And) else "or"
        result: Value | None = None
        for operand in node.values:
            if isinstance(result, Static) and bool(result.value) == (op == "or"):
                return Static(op == "or", where)  # decided while compiling: the rest is never evaluated
            value = self.value(operand)
            if isinstance(value, Static) and is_number(value.value):
                value = Static(bool(value.value), where)
            else:
                value = self.truth(value, operand)
            if result is None or isinstance(result, Static):
                result = value
            else:
                result = ir.Logical(op, result, typed(value), type=boolean, location=where)
        assert result is not None
        return result

    def _IfExp(self, node: ast.IfExp) -> Value:  # noqa: N802
        where = self.at(node)
        test = self.value(node.test)
        if isinstance(test, Static) and is_number(test.value):
            return self.value(node.body if test.value else node.orelse)
        condition = self.truth(test, node.test)
        then, otherwise = unify(self.value(node.body), self.value(node.orelse), "if-else", where)
        return ir.Select(condition, then, otherwise, type=then.type, location=where)

    def _Call(self, node: ast.Call) -> Value:  # noqa: N802
        return calls.lower_call(self, node)

    def call_function(self, callee: calls.Func, node: ast.Call) -> Value:
        """The call of a ``@func``; made by the lowering of functions."""
        raise NotImplementedError

    def library_function(self, callee: calls.Func, types: tuple[ScalarType, ...]) -> ir.Function:
        """A function of the library for arguments of these types; made by the lowering of functions."""
        raise NotImplementedError


def _stored_names(tree: ast.FunctionDef) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


_WORDS: dict[type[ast.AST], str] = {
    ast.Lambda: "lambda; define a function with @func",
    ast.ListComp: "list comprehensions; write a loop over a local_array",
    ast.List: "lists; use local_array",
    ast.Dict: "dictionaries",
    ast.Set: "sets",
    ast.GeneratorExp: "generator expressions; write a loop",
    ast.NamedExpr: "the walrus operator yet; assign before",
    ast.JoinedStr: "strings",
    ast.Starred: "starred expressions; write the values out",
    ast.Await: "await",
    ast.Yield: "yield",
}


def _unsupported(node: ast.expr) -> str:
    return f"kernels have no {_WORDS.get(type(node), type(node).__name__)}"

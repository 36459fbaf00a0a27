"""Expressions: from Python's syntax tree to typed IR."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Literal, TypeVar

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.frontend import lists, tables
from krnlpy.dsl.frontend.callables import Func
from krnlpy.dsl.frontend.conversions import choice, composite, counted, is_truth, typed, unify
from krnlpy.dsl.frontend.operations import calls, compounds, cooperative, members
from krnlpy.dsl.frontend.receiver import Instance
from krnlpy.dsl.frontend.sequences import is_array_value, is_sequence
from krnlpy.dsl.frontend.targets import AnyName, LocalName
from krnlpy.dsl.frontend.values import (
    Compound,
    CompoundPlace,
    Static,
    Value,
    Weak,
    assemble,
    describe,
    is_number,
    scalars,
)
from krnlpy.dsl.frontend.views import View, is_array
from krnlpy.dsl.types.composites import FixedArray, Matrix, StructType, Vector
from krnlpy.dsl.types.cooperative import CooperativeType
from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType, boolean

from .indexing import IndexLowering
from .membership import contains, equal, identical, is_elementwise, lower_container
from .operators import ARITHMETIC, BINARY, COMPARE, FOLD

LONGEST_CHAIN = 64
"""So many terms of a sum, or of `and` and `or`, become one expression: what goes through it calls itself as often."""


class ExpressionLowering(IndexLowering):
    """Lowers the expressions of one function."""

    # ---------------------------------------------------------------------------------------------- entry points

    def typed(self, node: ast.expr, type: ScalarType | None = None) -> ir.Expr:
        value = self.value(node)
        if isinstance(value, Static) and not is_number(value.value):
            return typed(Static(value.value, self.at(node)), type)
        return typed(value, type)

    def condition(self, node: ast.expr) -> ir.Expr:
        """A truth value: numbers are true unless they are 0."""
        return self.truth(self.value(node), self.at(node))

    def truth(self, value: Value, location: ir.Location) -> ir.Expr:
        if isinstance(value, Compound):
            raise KernelTypeError(f"{describe(value)} is neither true nor false; write any(...) or all(...)", *location)
        if isinstance(value, Static) and is_number(value.value):
            return ir.Const(bool(value.value), type=boolean, location=location)
        result = typed(value)
        if result.type is boolean:
            return result
        zero = ir.Const(0.0 if result.type.is_float else 0, type=result.type, location=location)
        return ir.Compare("ne", result, zero, type=boolean, location=location)

    # ------------------------------------------------------------------------------------------ names, constants

    def visit_Constant(self, node: ast.Constant) -> Value:
        if is_number(node.value) or node.value is None:
            return Static(node.value, self.at(node))
        raise KernelSyntaxError(f"kernels have no {type(node.value).__name__} values", *self.at(node))

    def visit_Name(self, node: ast.Name) -> Value:
        name, where = node.id, self.at(node)
        if name in self.statics:
            known = self.statics[name]
            return Static(known.value, where) if isinstance(known, Static) else known
        if name in self.matrices and name in self.assigned:
            return Static(self.matrices[name], where)
        if name in self.arrays and name in self.assigned:
            return Static(self.arrays[name], where)
        if name in self.views and self.views[name] in self.assigned:
            return Static(self.views[name].view(where), where)
        if name in self.locals and name in self.assigned:
            return self.read(self.locals[name], where)
        if self.is_kernel and name in self.state.parameters:
            return self._parameter(self.state.parameters[name], where)
        if name in self.local_names:
            raise KernelNameError(
                f"the variable {name} may not have a value here; assign it on every path before it is read",
                *where,
            )
        try:
            captured = self.state.capture(self.source.function, name, lambda: self.source.captured(name))
        except KeyError:
            raise KernelNameError(f"the name {name} is not defined", *where) from None
        if isinstance(captured, TypeVar):
            if captured not in self.state.types:
                raise KernelTypeError(f"no parameter of the kernel says what the type {name} is", *where)
            captured = self.state.types[captured]
        return members.captured(self, captured, name, where)

    def read(self, name: AnyName, where: ir.Location) -> ir.Expr | Compound:
        """The value of a variable."""
        if isinstance(name, LocalName):
            return ir.Local(name.variable, type=name.variable.type, location=where)
        return Compound(name.type, tuple(self.read(part, where) for part in name.parts), where)

    def _parameter(self, parameter: ir.Parameter | CompoundPlace | Compound, where: ir.Location) -> Value:
        if isinstance(parameter, Compound):
            return parameter
        if isinstance(parameter, CompoundPlace):
            if isinstance(parameter.first, ir.ItemParameter):
                return self.element(parameter, (), where)
            return Static(parameter, where)
        kind = parameter.type.compute
        if isinstance(parameter, ir.ScalarParameter):
            return ir.Argument(parameter, type=kind, location=where)
        if isinstance(parameter, ir.SpecParameter):
            return ir.SpecValue(parameter, type=kind, location=where)
        if isinstance(parameter, ir.ItemParameter):
            return ir.Load(parameter, (), type=kind, location=where)
        return Static(parameter, where)

    def visit_Attribute(self, node: ast.Attribute) -> Value:
        where = self.at(node)
        owner = self.value(node.value)
        if isinstance(owner, Compound):
            if isinstance(owner.type, StructType) and isinstance(getattr(owner.type.cls, node.attr, None), Func):
                return Static(members.method_of(owner, node.attr), where)
            return compounds.attribute(owner, node.attr, where)
        if isinstance(owner, Static):
            place = owner.value
            if isinstance(place, Instance):
                return members.attribute(self, place, node.attr, where)
            if is_array(place):
                return self.array_attribute(place, node.attr, where)
            if isinstance(place, CooperativeType | ir.CooperativeMatrix):
                return cooperative.attribute(place, node.attr, where)
            if isinstance(place, ModuleType | type) and hasattr(place, node.attr):
                found = self.state.capture(place, node.attr, lambda: getattr(place, node.attr))
                return members.captured(self, found, node.attr, where)
            if isinstance(place, ModuleType | type):
                raise KernelNameError(f"{place.__name__} has no {node.attr}", *where)
        raise KernelTypeError(f"{describe(owner)} has no attributes in kernels", *where)

    def visit_Tuple(self, node: ast.Tuple) -> Value:
        return Static(self.entries_of(node.elts), self.at(node))

    def visit_List(self, node: ast.List) -> Value:
        return Static([*self.entries_of(node.elts)], self.at(node))

    def visit_Subscript(self, node: ast.Subscript) -> Value:
        where = self.at(node)
        owner = self.value(node.value)
        if isinstance(owner, Compound):
            return compounds.subscript(self, owner, node)
        if isinstance(owner, Static) and isinstance(owner.value, tuple | list):
            at = self.value(node.slice)
            if isinstance(at, ir.Expr):
                return self._chosen_entry(owner, at, node)
            if not (isinstance(at, Static) and isinstance(at.value, int)):
                raise KernelTypeError(f"an index must be an integer, this is {describe(at)}", *self.at(node.slice))
            if not -len(owner.value) <= at.value < len(owner.value):
                raise KernelTypeError(
                    f"index {at.value} is out of range: there are {len(owner.value)} entries",
                    *self.at(node.slice),
                )
            entry = owner.value[at.value]
            return entry if isinstance(entry, Value) else Static(entry, where)
        if isinstance(owner, Static) and isinstance(owner.value, cooperative.Matrices):
            nodes = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return owner.value.at(self.values(nodes), where)
        if isinstance(owner, Static) and any(owner.value is family for family in (Vector, Matrix, FixedArray)):
            return compounds.type_subscript(self, owner.value, node)
        return self.part_of(self.array(owner, self.at(node.value)), node)

    def _chosen_entry(self, owner: Static, at: ir.Expr, node: ast.Subscript) -> Value:
        """An entry of a tuple by an index that is known while the kernel runs: numbers are a table."""
        where = self.at(node)
        array = tables.as_array(tuple(owner.value), where)
        if array is not None:
            name = getattr(node.value, "attr", getattr(node.value, "id", "table"))
            return self.row_at(self.state.table(array, name, where), at, self.at(node.slice))
        index = compounds.index_entry(self, at, node)
        entries = [v if isinstance(v, Value) else Static(v, where) for v in owner.value]
        return compounds.choose(self, compounds.entries_of_one_type(entries, where), index, where)

    # ------------------------------------------------------------------------------------------------- operators

    def visit_BinOp(self, node: ast.BinOp) -> Value:
        # A long sum is as deep as it is long: it is gone through from the left, and kept in variables now and then.
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        result = self.value(chain[-1].left)
        for length, part in enumerate(reversed(chain), 1):
            left, right = self.in_order([partial(_same, result), partial(self.value, part.right)])
            result = self.binary(part.op, left, right, self.at(part))
            if length % LONGEST_CHAIN == 0:
                result = self.snapshot(result)
        return result

    def binary(self, operator: ast.operator, left: Value, right: Value, where: ir.Location) -> Value:
        """``left operator right`` with Python's meaning."""
        if is_sequence(left) or is_sequence(right):
            joined = lists.joined(operator, left, right, where)
            if joined is not None:
                return joined
            left, right = lists.operands(left, right, where)
        if isinstance(operator, ast.MatMult):
            return compounds.matmul(self, left, right, where)
        if isinstance(left, Compound) or isinstance(right, Compound):
            return compounds.binary(self, operator, left, right, where)
        if cooperative.matrix_of(left) or cooperative.matrix_of(right):
            return cooperative.binary(self, operator, left, right, where)
        op, symbol = BINARY[type(operator)]
        if isinstance(left, Static) and isinstance(right, Static) and is_number(left.value) and is_number(right.value):
            return self._fold(op, left, right, where)
        if (kept := members.arithmetic(self, operator, (left, right), where)) is not None:
            return kept
        if op in ARITHMETIC and (is_truth(left) or is_truth(right)):
            left, right = counted(left, right)
        if op == "pow":
            return calls.power(self, left, right, where)
        if op in ("shl", "shr"):
            return calls.shift(op, left, right, where)
        a, b = unify(left, right, symbol, where)
        if op in ("and", "or", "xor") and a.type.is_float:
            raise KernelTypeError(f"{symbol} needs integers or truth values, not {a.type}", *where)
        if op == "div" and a.type.is_integer:
            raise KernelTypeError(
                f"/ of {a.type}: write // for a whole result, or convert first: f{max(32, a.type.bits)}(...)", *where
            )
        return ir.Binary(op, a, b, type=a.type, location=where)

    def _fold(self, op: str, left: Static, right: Static, where: ir.Location) -> Static:
        try:
            result = FOLD[op](left.value, right.value)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise KernelTypeError(f"{left.value!r} and {right.value!r}: {error}", *where) from None
        if not is_number(result):
            raise KernelTypeError(f"the result {result!r} is not a number that kernels have", *where)
        return Static(result, where)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Value:
        return self.unary(node.op, self.value(node.operand), self.at(node))

    def unary(self, operator: ast.unaryop, value: Value, where: ir.Location) -> Value:
        """``operator value`` with Python's meaning."""
        if is_array_value(value) and not isinstance(operator, ast.Not):
            value = composite(value, where) or value
        if isinstance(value, Compound):
            return compounds.unary(self, operator, value, where)
        if matrix := cooperative.matrix_of(value):
            return cooperative.negated(self, operator, matrix, where)
        if isinstance(value, Static) and value.value is None and isinstance(operator, ast.Not):
            return Static(True, where)
        if isinstance(value, Static) and is_number(value.value):
            if isinstance(operator, ast.Invert) and isinstance(value.value, float):
                raise KernelTypeError("~ needs an integer or a truth value", *where)
            fold: dict[type[ast.unaryop], Callable[[Any], Any]] = {
                ast.USub: lambda a: -a, ast.UAdd: lambda a: +a, ast.Not: lambda a: not a, ast.Invert: lambda a: ~int(a)
            }  # fmt: skip
            return Static(fold[type(operator)](value.value), where)
        if isinstance(operator, ast.Not):
            return ir.Unary("not", self.truth(value, where), type=boolean, location=where)
        if (kept := members.arithmetic(self, operator, (value,), where)) is not None:
            return kept
        operand = typed(value)
        if isinstance(operator, ast.Invert):
            if operand.type is boolean:
                return ir.Unary("not", operand, type=boolean, location=where)
            if not operand.type.is_integer:
                raise KernelTypeError(f"~ needs an integer or a truth value, not {operand.type}", *where)
            return ir.Unary("invert", operand, type=operand.type, location=where)
        if operand.type is boolean:
            raise KernelTypeError("a truth value has no sign; convert it, for example i32(...)", *where)
        if isinstance(operator, ast.UAdd):
            return operand
        return ir.Unary("neg", operand, type=operand.type, location=where)

    def visit_Compare(self, node: ast.Compare) -> Value:
        terms: list[Callable[[], Value]] = [partial(self.value, node.left)]
        for operator, term in zip(node.ops, node.comparators, strict=True):
            is_container = isinstance(operator, ast.In | ast.NotIn)
            terms.append(partial(lower_container, self, term) if is_container else partial(self.value, term))
        return self.comparisons(node.ops, terms, self.at(node))

    def comparisons(
        self, operators: Sequence[ast.cmpop], terms: Sequence[Callable[[], Value]], where: ir.Location
    ) -> Value:
        """``a < b < c``: Python evaluates b once, and c only if a < b."""
        left, right = self.in_order(terms[:2])
        if len(operators) == 1:
            return self.compare(operators[0], left, right, where)
        if isinstance(right, ir.Expr):
            right = self.evaluate_once(right)
        first = self.compare(operators[0], left, right, where)
        rest = partial(self.comparisons, operators[1:], [lambda: right, *terms[2:]], where)
        return self._logical("and", [(lambda: first, where), (rest, where)], where)

    def compare(self, operator: ast.cmpop, left: Value, right: Value, where: ir.Location) -> Value:
        """``left operator right`` with Python's meaning."""
        if isinstance(operator, ast.Is | ast.IsNot):
            return Static(identical(left, right, where) == isinstance(operator, ast.Is), where)
        if isinstance(operator, ast.In | ast.NotIn):
            found = contains(self, left, right, where)
            return found if isinstance(operator, ast.In) else self.unary(ast.Not(), found, where)
        if (is_sequence(left) or is_sequence(right)) and type(operator) in COMPARE:
            if isinstance(operator, ast.Eq | ast.NotEq) and not any(map(is_elementwise, (left, right))):
                same = equal(self, left, right, where)
                return same if isinstance(operator, ast.Eq) else self.unary(ast.Not(), same, where)
            left, right = lists.operands(left, right, where)
        if isinstance(left, Compound) or isinstance(right, Compound):
            return compounds.compare(self, operator, left, right, where)
        op = COMPARE[type(operator)]
        typed_number = any(isinstance(v, Static) and isinstance(v.value, np.generic | Weak) for v in (left, right))
        if isinstance(left, Static) and isinstance(right, Static) and not typed_number:
            if is_number(left.value) and is_number(right.value):
                return self._fold(op, left, right, where)
            if op not in ("eq", "ne"):
                raise KernelTypeError(f"{describe(left)} and {describe(right)} cannot be ordered", *where)
            if not any(isinstance(v.value, ir.Expr | tuple) for v in (left, right)):
                return Static((left.value == right.value) == (op == "eq"), where)
        if is_truth(left) != is_truth(right):
            left, right = counted(left, right)
        a, b = unify(left, right, "comparison", where)
        if a.type is boolean and op not in ("eq", "ne"):
            raise KernelTypeError("truth values are not ordered; convert them, for example i32(...)", *where)
        return ir.Compare(op, a, b, type=boolean, location=where)

    def visit_BoolOp(self, node: ast.BoolOp) -> Value:
        operands = [(partial(self.value, operand), self.at(operand)) for operand in node.values]
        return self._logical("and" if isinstance(node.op, ast.And) else "or", operands, self.at(node))

    def _logical(
        self,
        op: Literal["and", "or"],
        operands: Sequence[tuple[Callable[[], Value], ir.Location]],
        where: ir.Location,
    ) -> Value:
        """``and`` and ``or``: an operand is evaluated only if those before it leave the result open."""
        left, length = self._truth_value(*operands[0]), 0
        for evaluate, here in operands[1:]:
            if isinstance(left, Static):
                if bool(left.value) == (op == "or"):
                    return left  # decided while compiling: the rest is never evaluated
                left = self._truth_value(evaluate, here)
                continue
            with self.branch() as effects:
                right = typed(self._truth_value(evaluate, here))
            if not effects:
                left = ir.Logical(op, left, right, type=boolean, location=where)
                length += 1
                if length % LONGEST_CHAIN == 0:
                    left = self.assign_temporary(left, op)
                continue
            result = self.temporary(boolean, op)
            chosen: ir.Expr = ir.Local(result, type=boolean, location=where)
            self.emit(ir.Assign(result, left, location=where))
            effects.append(ir.Assign(result, right, location=where))
            if op == "or":
                self.emit(ir.If(chosen, (), tuple(effects), location=where))
            else:
                self.emit(ir.If(chosen, tuple(effects), (), location=where))
            left = chosen
        return left

    def _truth_value(self, evaluate: Callable[[], Value], where: ir.Location) -> ir.Expr | Static:
        value = evaluate()
        if isinstance(value, Static) and (is_number(value.value) or value.value is None):
            return Static(bool(value.value), where)
        return self.truth(value, where)

    def visit_IfExp(self, node: ast.IfExp) -> Value:
        where = self.at(node)
        test = self.value(node.test)
        if isinstance(test, Static) and (is_number(test.value) or test.value is None):
            return self.value(node.body if test.value else node.orelse)
        condition = self.truth(test, self.at(node.test))
        with self.branch() as then_effects:
            then = self.value(node.body)
        with self.branch() as else_effects:
            otherwise = self.value(node.orelse)
        several = any(isinstance(v, Compound) or is_sequence(v) for v in (then, otherwise))
        if not (then_effects or else_effects or several):
            return choice(condition, then, otherwise, where)
        condition = self.evaluate_once(condition, "condition")
        view, other = _view(then), _view(otherwise)
        if view and other and view.form == other.form:
            pairs = list(zip(view.numbers, other.numbers, strict=True))
        else:
            left, right = compounds.unify_types(then, otherwise, where)
            pairs = list(zip(scalars(left), scalars(right), strict=True))
            view = None
        parts = []
        for a, b in pairs:
            if not (then_effects or else_effects):
                parts.append(ir.Select(condition, a, b, type=a.type, location=where))
                continue
            result = self.temporary(a.type, "chosen")
            then_effects.append(ir.Assign(result, a, location=where))
            else_effects.append(ir.Assign(result, b, location=where))
            parts.append(ir.Local(result, type=a.type, location=where))  # type: ignore[arg-type]
        if then_effects or else_effects:
            self.emit(ir.If(condition, tuple(then_effects), tuple(else_effects), location=where))
        return Static(view.of(iter(parts)), where) if view else assemble(left.type, iter(parts), where)

    def visit_Call(self, node: ast.Call) -> Value:
        return calls.lower_call(self, node)


def _same(value: Value) -> Value:
    return value


def _view(value: Value) -> View | None:
    return value.value if isinstance(value, Static) and isinstance(value.value, View) else None

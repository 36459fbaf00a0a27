"""Arrays of threads and groups: ``a = local_array(type, shape)``, and what they are cleared by."""

from __future__ import annotations

import ast
import math
from typing import Any, TypeVar

from krnlpy.dsl import builtins, ir
from krnlpy.dsl.frontend.conversions import common, concretized, typed, widen, widens
from krnlpy.dsl.frontend.operations import compounds, cooperative
from krnlpy.dsl.frontend.operations.operands import zero
from krnlpy.dsl.frontend.sequences import form_of, is_array_value, is_written_out
from krnlpy.dsl.frontend.targets import Target, whole
from krnlpy.dsl.frontend.values import ArrayPlace, Compound, CompoundPlace, Static, Value, describe, is_number
from krnlpy.dsl.frontend.views import rank_of
from krnlpy.dsl.types.annotations import element_type
from krnlpy.dsl.types.composites import AnyType, CompositeType, composite_type, is_spread
from krnlpy.dsl.types.cooperative import CooperativeType
from krnlpy.errors import DtypeError, KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import i32

from .expressions import ExpressionLowering

MAX_ENTRIES = 1024
"""Of a list: each is stored by a statement of its own."""


class ArrayLowering(ExpressionLowering):
    """Lowers the declarations of arrays.

    Attributes:
        loops: those around what is lowered now.
    """

    loops: list[Any]

    def write(self, target: Target, value: Value, where: ir.Location, value_where: ir.Location) -> None:
        """Gives a target a value."""
        raise NotImplementedError

    def type_named(self, node: ast.expr) -> AnyType:
        """The type that an annotation or an argument names."""
        where = self.at(node)
        annotation = self.value(node)
        if not isinstance(annotation, Static):
            raise KernelTypeError(f"expected a type such as f32, found {describe(annotation)}", *where)
        try:
            composite = composite_type(annotation.value)
            if composite is not None:
                return composite
            type = element_type(annotation.value)
        except DtypeError as error:
            raise KernelTypeError(str(error), *where) from None
        assert not isinstance(type, TypeVar)
        return type

    def array_declarations(self, node: ast.Assign) -> bool:
        """Declares the arrays of ``a = local_array(...)`` or of ``a, b = local_array(...), group_array(...)``; returns
        whether it is such a statement."""
        if len(node.targets) != 1:
            return False
        targets, values = [node.targets[0]], [node.value]
        if isinstance(node.targets[0], ast.Tuple | ast.List) and isinstance(node.value, ast.Tuple | ast.List):
            targets, values = node.targets[0].elts, node.value.elts
        makers = [self._array_maker(value) for value in values]
        if len(targets) != len(values) or None in makers:
            return False
        for target, value, maker in zip(targets, values, makers, strict=True):
            if not isinstance(target, ast.Name) or not isinstance(value, ast.Call):
                return False
            self._declare(target, value, maker is builtins.group_array)
        return True

    def _array_maker(self, node: ast.expr) -> Any:
        """The function that is called here, if it makes arrays."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            return None
        callee = self.value(node.func)
        made = (builtins.local_array, builtins.group_array)
        return next((m for m in made if isinstance(callee, Static) and callee.value is m), None)

    def _declare(self, target: ast.Name, call: ast.Call, group: bool) -> None:
        where, name = self.at(call), target.id
        what = "group_array" if group else "local_array"
        if group and self.depth:
            raise KernelSyntaxError("group_array must be at the top of the kernel, not inside an if or a loop", *where)
        if group and not self.is_kernel:
            raise KernelSyntaxError("group arrays are declared in kernels, not in functions", *where)
        if group and self.state.has_items:
            raise KernelSyntaxError("a kernel with items has no groups of its own, hence no group arrays", *where)
        arguments = dict(zip(("type", "shape"), call.args, strict=False))
        arguments.update({k.arg: k.value for k in call.keywords if k.arg})
        if set(arguments) != {"type", "shape"} or len(call.args) + len(call.keywords) != 2:
            raise KernelTypeError(f"write {what}(type, shape), for example {what}(f32, (16, 16))", *where)
        of = self.value(arguments["type"])
        if isinstance(of, Static) and isinstance(of.value, CooperativeType) and not group:
            self._declare_matrices(target, of.value, self._array_shape(arguments["shape"]), where)
            return
        type, shape = self.type_named(arguments["type"]), self._array_shape(arguments["shape"])
        known = self.arrays.get(name)
        taken = (self.locals, self.statics, self.matrices, self.state.parameters if self.is_kernel else {})
        is_own = name in self.array_lines and not group
        if any(name in names for names in taken) or (known is not None and not is_own):
            raise KernelNameError(f"the name {name} is taken; choose another", *self.at(target))
        if known is None:
            known = self.arrays[name] = self.new_array(name, type, shape, group)
            self.array_lines[name] = target.lineno
            used = any(not loop.unrolled for loop in self.loops)  # by the pass before
        elif known.type != type or not _is_of_shape(known, shape):
            raise KernelTypeError(
                f"{name} is an array of another type or shape since line {self.array_lines[name]}; use another name",
                *where,
            )
        else:
            used = True
        if used:
            self._clear(known, where)
        self.assigned.add(name)

    def _declare_matrices(
        self, target: ast.Name, type: CooperativeType, shape: tuple[ir.Expr, ...], where: ir.Location
    ) -> None:
        name, known = target.id, self.matrices.get(target.id)
        taken = (self.locals, self.statics, self.arrays, self.state.parameters if self.is_kernel else {})
        if any(name in names for names in taken) or isinstance(known, ir.CooperativeMatrix):
            raise KernelNameError(f"the name {name} is taken; choose another", *self.at(target))
        self.matrices[name] = cooperative.declared(self, known, name, type, shape, where)
        self.assigned.add(name)

    def _clear(self, place: Any, where: ir.Location) -> None:
        if isinstance(place, CompoundPlace):
            for part in place.parts:
                self._clear(part, where)
        else:
            self.emit(cleared(place, where))

    def new_array(self, name: str, type: AnyType, shape: tuple[ir.Expr, ...], group: bool) -> ArrayPlace:
        if is_spread(type):
            axes: tuple[int, ...] = type.axes  # type: ignore[union-attr]
            longer = (*shape, *(ir.const(n, i32, shape[0].location) for n in axes))
            part = self.new_array(name, type.element, longer, group)  # type: ignore[union-attr]
            return CompoundPlace(name, type, (part,), axes)  # type: ignore[arg-type]
        if isinstance(type, CompositeType):
            parts = (self.new_array(f"{name}_{part}", inner, shape, group) for part, inner in type.parts)
            return CompoundPlace(name, type, tuple(parts))
        if group:
            shared = ir.GroupArray(name, type, shape)
            self.state.group_arrays.append(shared)
            return shared
        own = ir.LocalArray(name, type, shape)
        self.local_arrays.append(own)
        return own

    def new_list(self, name: str, value: Static, where: ir.Location) -> ArrayPlace:
        """An array of the function's own with the entries of a list."""
        shape, found = form_of(value)
        if not shape or math.prod(shape) > MAX_ENTRIES or len(shape) > 3:
            raise KernelTypeError(
                f"a list has 1 to {MAX_ENTRIES} entries, and up to three axes; this has {len(found)} of shape {shape};"
                " write local_array(type, shape)",
                *where,
            )
        for entry in found:
            if is_array_value(entry):
                raise KernelTypeError(
                    f"{describe(entry)} in a list would be a second name for it; [*a] has its elements", *where
                )
        type = self._entry_type(found, where)
        place = self.new_array(name, type, tuple(ir.const(length, i32, where) for length in shape), False)
        target = whole(place, where)
        assert target is not None
        self.write(target, value, where, where)
        return place

    @staticmethod
    def _entry_type(found: list[Value], where: ir.Location) -> AnyType:
        try:
            if not any(isinstance(v, Compound) or is_written_out(v) for v in found):
                return common(found, "a list", where)[0].type
            return compounds.entries_of_one_type([concretized(v) for v in found], where)[0].type
        except KernelTypeError as error:
            if error.message.startswith(("if-else of", "a list of")):
                kinds = " and ".join(dict.fromkeys(map(describe, found)))
                raise KernelTypeError(
                    f"the entries of a list are of one type, and its rows of one length; these are {kinds}; a tuple"
                    " may mix types",
                    *where,
                ) from None
            raise

    def _array_shape(self, node: ast.expr) -> tuple[ir.Expr, ...]:
        value = self.value(node)
        parts = value.value if isinstance(value, Static) and isinstance(value.value, tuple) else (value,)
        nodes = node.elts if isinstance(node, ast.Tuple) else [node] * len(parts)
        if not 1 <= len(parts) <= 3:
            raise KernelTypeError("local and group arrays have one to three dimensions", *self.at(node))
        return tuple(
            self._extent(part if isinstance(part, Value) else Static(part, self.at(node)), self.at(where))
            for part, where in zip(parts, nodes, strict=True)
        )

    @staticmethod
    def _extent(part: Value, where: ir.Location) -> ir.Expr:
        if isinstance(part, Static) and not is_number(part.value):
            part = Static(part.value, where)
        extent = typed(part, i32)
        for inner in ir.walk(extent):
            fixed = isinstance(inner, ir.Const | ir.SpecValue | ir.Cast) or (
                isinstance(inner, ir.Binary) and inner.op in ("add", "sub", "mul", "floordiv")
            )
            if not fixed:
                raise KernelTypeError(
                    "the size of an array is made of constants and Spec values with + - * //; an attribute of self is"
                    " one if the class declares it Final",
                    *where,
                )
        if not extent.type.is_integer:
            raise KernelTypeError(f"the size of an array is an integer, not {extent.type}", *where)
        if extent.type is not i32 and not widens(extent.type, i32):
            extent = ir.Cast(extent, type=i32, location=extent.location)
        extent = widen(extent, i32)
        if isinstance(extent, ir.Const) and extent.value < 1:
            raise KernelTypeError("the size of an array must be at least 1", *where)
        return extent


def _is_of_shape(place: ArrayPlace, shape: tuple[ir.Expr, ...]) -> bool:
    first = place.first if isinstance(place, CompoundPlace) else place
    assert isinstance(first, ir.LocalArray)
    return rank_of(place) == len(shape) and all(map(_is_same, first.shape, shape))


def _is_same(a: ir.Expr, b: ir.Expr) -> bool:
    """Whether two lengths are written alike."""
    match a, b:
        case ir.Const(), ir.Const():
            return a.value == b.value
        case ir.SpecValue(), ir.SpecValue():
            return a.parameter is b.parameter
        case ir.Cast(), ir.Cast():
            return _is_same(a.operand, b.operand)
        case ir.Binary(), ir.Binary():
            return a.op == b.op and _is_same(a.left, b.left) and _is_same(a.right, b.right)
    return False


def cleared(array: ir.LocalArray, where: ir.Location) -> ir.Stmt:
    """Sets an array to zeros."""
    variables = [ir.Variable("slot", i32) for _ in array.shape]
    index = tuple(ir.Local(v, type=i32, location=where) for v in variables)
    statement: ir.Stmt = ir.Store(array, index, zero(array.type.compute, where), location=where)
    for variable, extent in reversed(list(zip(variables, array.shape, strict=True))):
        first, step = (ir.const(n, i32, where) for n in (0, 1))
        statement = ir.For(variable, first, extent, step, (statement,), location=where)
    return statement

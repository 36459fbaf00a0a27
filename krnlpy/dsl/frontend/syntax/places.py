"""What is written: elements, parts of composite values, and how these take a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.conversions import coerce
from krnlpy.dsl.frontend.operations import compounds, members
from krnlpy.dsl.frontend.targets import (
    CompositeTarget,
    CompoundName,
    Element,
    LocalName,
    SelectedTarget,
    Target,
    elements,
    whole,
)
from krnlpy.dsl.frontend.values import ArrayPlace, Compound, CompoundPlace, Static, Value, describe
from krnlpy.dsl.frontend.variables import check_fits
from krnlpy.dsl.frontend.views import Array, View, first_of
from krnlpy.dsl.types.composites import AnyType, ArrayType, CompositeType, MatrixType, StructType, TupleType, VectorType
from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError

from .arrays import ArrayLowering


class TargetLowering(ArrayLowering):
    """Lowers what stands on the left of an assignment."""

    def target(self, node: ast.expr) -> Target:
        """What an assignment to an expression writes."""
        where = self.at(node)
        if isinstance(node, ast.Name):
            if node.id in self.locals:
                return self.locals[node.id]
            if self.is_kernel and node.id in self.state.parameters:
                return self._parameter_target(node)
            if node.id in self.arrays:
                return self.whole_of(node)
            if node.id in self.views:
                what = describe(self.value(ast.copy_location(ast.Name(node.id, ast.Load()), node)))
                raise KernelTypeError(f"{what} cannot be assigned; index it: {node.id}[i] = ...", *where)
            raise KernelNameError(f"the variable {node.id} has no value to change; assign it before", *where)
        if isinstance(node, ast.Attribute) and members.is_attribute(self, node):
            raise KernelTypeError(members.why_not_assigned(self.value(node), node.attr), *where)
        owner = self._owner(node)
        if isinstance(owner, Array):
            raise KernelTypeError(
                f"{describe(Static(owner, where))} is changed one element at a time: name one, as in a[i, j]", *where
            )
        return owner

    def target_or_view(self, node: ast.Subscript | ast.Attribute) -> Target | View:
        """What an assignment writes, which may be a row or a slice."""
        if isinstance(node, ast.Attribute):
            return self.target(node)
        owner = self._owner(node)
        assert not isinstance(owner, ArrayPlace)
        return owner

    def whole_of(self, target: ast.Name, fits: bool = True) -> Target:
        """All of an array, as what is assigned: ``a = [...]`` after ``a`` was a list, ``a += v``."""
        where = self.at(target)
        place = self.arrays[target.id]
        found = whole(place, where) if first_of(place) in self.local_arrays else None
        if found is None or not fits:
            raise KernelTypeError(
                f"the array {target.id} cannot be assigned; index it, or assign a list of its length", *where
            )
        return found

    def _owner(self, node: ast.expr) -> Target | Array:
        """What an expression means on the left of an assignment: something to write, or an array to index."""
        where = self.at(node)
        if isinstance(node, ast.Name) and self._is_compound(node):
            return self.target(node)
        if isinstance(node, ast.Subscript):
            owner = self._owner(node.value)
            if not isinstance(owner, Array):
                return self._component(owner, node)
            view = self.subscript(owner, node)
            if view.axes:
                return view
            return elements(view.base, tuple(self.index_once(i) for i in view.numbers), view.checked)
        if isinstance(node, ast.Attribute) and members.is_attribute(self, node):
            return self.array(self.value(node), where)
        if isinstance(node, ast.Attribute) and self._is_part(node.value):
            owner = self.target(node.value) if isinstance(node.value, ast.Name) else self._owner(node.value)
            if not isinstance(owner, Array):
                return self._part(owner, node.attr, where)
            return self.array(self.array_attribute(owner, node.attr, where), where)
        if not isinstance(node, ast.Name | ast.Attribute | ast.Call):
            raise KernelSyntaxError("kernels assign to variables and to elements of arrays", *where)
        return self.array(self.value(node), where)

    def _is_part(self, node: ast.expr) -> bool:
        """Whether an expression means something that a kernel writes, and not an array or a module."""
        while isinstance(node, ast.Attribute):
            node = node.value
        if not isinstance(node, ast.Name):
            return isinstance(node, ast.Subscript)
        name = node.id
        if name in self.locals or self._is_compound(node):
            return True
        if self.is_kernel and name in self.state.parameters:
            return not isinstance(self.state.parameters[name], Array)
        if name in self.views or name in self.arrays or name in self.statics:
            return False
        try:
            self.source.captured(name)
        except KeyError:
            return True
        return name in self.local_names

    def _is_compound(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Name):
            return False
        if node.id in self.locals:
            return isinstance(self.locals[node.id], CompoundName)
        parameter = self.state.parameters.get(node.id) if self.is_kernel else None
        return isinstance(parameter, CompoundPlace) and isinstance(parameter.first, ir.ItemParameter)

    def _parameter_target(self, node: ast.Name) -> Target:
        parameter = self.state.parameters[node.id]
        first = parameter.first if isinstance(parameter, CompoundPlace) else parameter
        if isinstance(parameter, ir.ItemParameter | CompoundPlace) and isinstance(first, ir.ItemParameter):
            return elements(parameter, ())
        how = "index it: a[i] = ..." if isinstance(first, ir.GlobalParameter) else "use another name"
        raise KernelTypeError(f"the parameter {node.id} cannot be assigned; {how}", *self.at(node))

    def _part(self, owner: Target, name: str, where: ir.Location) -> Target:
        """``owner.name`` as a target."""
        type = owner.type
        if not isinstance(type, CompositeType):
            raise KernelTypeError(f"a value of type {type} has no parts to assign", *where)
        if isinstance(owner, SelectedTarget):
            selected = tuple(self._part(part, name, where) for part in owner.parts)
            return SelectedTarget(selected[0].type, selected, owner.index)
        parts = owner.parts  # type: ignore[union-attr]
        if isinstance(type, VectorType):
            components = compounds.swizzle(type, name)
            if components is None:
                raise KernelNameError(f"{type} has no component {name}", *where)
            if len(set(components)) != len(components):
                raise KernelTypeError(f"{name} names a component twice; it cannot be assigned", *where)
            chosen = tuple(parts[i] for i in components)
            return chosen[0] if len(chosen) == 1 else CompositeTarget(VectorType(type.element, len(chosen)), chosen)
        names = [part for part, _ in type.parts]
        if not isinstance(type, StructType) or name not in names:
            raise KernelNameError(f"{type} has no {name} to assign; it has {', '.join(names)}", *where)
        part: Target = parts[names.index(name)]
        return part

    def _component(self, owner: Target, node: ast.Subscript) -> Target:
        """``owner[i]`` of a vector, matrix or tuple as a target."""
        where, type = self.at(node), owner.type
        if (
            isinstance(owner, LocalName | Element)
            or not isinstance(type, CompositeType)
            or isinstance(type, StructType)
        ):
            raise KernelTypeError(f"a value of type {type} has no elements to assign", *where)
        if isinstance(node.slice, ast.Slice) and not isinstance(owner, SelectedTarget):
            sliced, chosen = compounds.slice_of(self, type, node)
            return CompositeTarget(sliced, tuple(owner.parts[i] for i in chosen))
        entries = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        index = [compounds.index_entry(self, value, node) for value in self.values(entries)]
        return self._at(owner, index, where)

    def _at(
        self, owner: CompoundName | CompositeTarget | SelectedTarget, index: Sequence[int | ir.Expr], where: ir.Location
    ) -> Target:
        type = owner.type
        if isinstance(owner, SelectedTarget):
            selected = tuple(self._at(part, index, where) for part in owner.parts)  # type: ignore[arg-type]
            return SelectedTarget(selected[0].type, selected, owner.index)
        parts: tuple[Target, ...] = owner.parts
        if isinstance(type, MatrixType):
            rows = [parts[row * type.columns : (row + 1) * type.columns] for row in range(type.rows)]
            if len(index) == 2:
                row_type = VectorType(type.element, type.columns)
                return self._pick(tuple(self._pick(row, index[1], where) for row in rows), index[0], where, row_type)
            whole = tuple(CompositeTarget(VectorType(type.element, type.columns), row) for row in rows)
            return self._pick(whole, index[0], where)
        if isinstance(type, ArrayType) and len(index) > 1:
            if not isinstance(type.element, CompositeType):
                raise KernelTypeError(f"{type} has fewer axes than {len(index)}", *where)
            inner = tuple(self._at(part, index[1:], where) for part in parts)  # type: ignore[arg-type]
            return self._pick(inner, index[0], where)
        if len(index) != 1:
            raise KernelTypeError(f"{type} takes one index", *where)
        if isinstance(type, TupleType) and not isinstance(index[0], int):
            raise KernelTypeError("a tuple is indexed by a constant", *where)
        return self._pick(parts, index[0], where)

    @staticmethod
    def _pick(
        parts: tuple[Target, ...], index: int | ir.Expr, where: ir.Location, type: AnyType | None = None
    ) -> Target:
        if isinstance(index, ir.Expr):
            return _neighbour(parts, index) or SelectedTarget(parts[0].type, parts, index)
        if not -len(parts) <= index < len(parts):
            raise KernelTypeError(f"index {index} is out of range: there are {len(parts)} elements", *where)
        return parts[index]

    # ------------------------------------------------------------------------------------------ reading and writing

    def _read(self, target: Target, where: ir.Location) -> ir.Expr | Compound:
        match target:
            case LocalName() | CompoundName():
                return self.read(target, where)
            case Element():
                return self.element(target.place, target.index, where, target.checked)
            case CompositeTarget():
                return Compound(target.type, tuple(self._read(part, where) for part in target.parts), where)
            case SelectedTarget():
                return compounds.choose(self, [self._read(p, where) for p in target.parts], target.index, where)

    def write(self, target: Target, value: Value, where: ir.Location, value_where: ir.Location) -> None:
        """Gives a target a value.

        Raises:
            KernelTypeError: the value does not fit.
        """
        if isinstance(target, LocalName):
            check_fits(target, value, value_where)
        parts = coerce(value, target.type, _described(target), value_where)
        written = set(variables_in(target))
        if len(parts) > 1 and any(
            isinstance(n, ir.Load) or (isinstance(n, ir.Local) and n.variable in written)
            for scalar in parts
            for n in ir.walk(scalar)
        ):
            parts = [self.assign_temporary(s) if not isinstance(s, ir.Const) else s for s in parts]
        self._write(target, iter(parts), where)

    def _write(self, target: Target, values: Iterator[ir.Expr], where: ir.Location) -> None:
        match target:
            case LocalName():
                self.emit(ir.Assign(target.variable, next(values), location=where))
            case Element():
                self._store(target, next(values), where)
            case CompoundName() | CompositeTarget():
                for part in target.parts:
                    self._write(part, values, where)
            case SelectedTarget():
                values_once = [self.evaluate_once(next(values)) for _ in range(_count(target.type))]
                for place, part in enumerate(target.parts):
                    with self.branch() as block:
                        self._write(part, iter(values_once), where)
                    condition = compounds.is_equal(target.index, place, where)
                    self.emit(ir.If(condition, tuple(block), (), location=where))

    def _store(self, target: Element, value: ir.Expr, where: ir.Location) -> None:
        place = target.place
        if isinstance(place, ir.ConstantArray):
            raise KernelTypeError(
                f"{place.name} is a table, compiled in as it was: nothing can be stored there; copy it to an array of"
                " the kernel's own, or hand it over as a buffer",
                *where,
            )
        if isinstance(place, ir.ItemParameter | ir.GlobalParameter) and not place.mutable:
            better = "ItemMut" if isinstance(place, ir.ItemParameter) else "GlobalMut"
            raise KernelTypeError(f"{place.name} is read only; declare it {better}[{place.type}] to write", *where)
        if isinstance(value, ir.Round) and value.to is place.type:
            value = value.operand  # the store rounds
        statement = ir.Store(place, target.index, value, target.checked, location=where)
        if isinstance(place, ir.LocalArray) and place in self.local_arrays:
            self.emit(statement)
        else:
            self.emit_effect(statement)


def _neighbour(parts: tuple[Target, ...], index: ir.Expr) -> Target | None:
    """One of several targets that are neighbours in an array or buffer, by its index there; None if they are not."""
    first = parts[0]
    if isinstance(first, CompositeTarget):
        rows = [part.parts for part in parts if isinstance(part, CompositeTarget)]
        inner = [_neighbour(column, index) for column in zip(*rows, strict=True)] if len(rows) == len(parts) else []
        found = tuple(part for part in inner if part is not None)
        return CompositeTarget(first.type, found) if found and len(found) == len(first.parts) else None
    elements = [part for part in parts if isinstance(part, Element)]
    if len(elements) < len(parts) or any(element.place is not elements[0].place for element in elements):
        return None
    at = compounds.index_of_neighbours([element.index for element in elements], index)
    return None if at is None else Element(elements[0].place, at, elements[0].checked)


def _described(target: Target) -> str:
    if isinstance(target, LocalName):
        return f"{target.variable.name}, which is {target.storage} since line {target.line}"
    if isinstance(target, Element):
        return f"{target.place.name}, which holds {target.place.type}"
    if isinstance(target, CompoundName):
        return f"this variable, which is {target.type} since line {target.line}"
    return f"a target of type {target.type}"


def variables_in(target: Target) -> Iterator[ir.Variable]:
    if isinstance(target, LocalName):
        yield target.variable
    elif not isinstance(target, Element):
        for part in target.parts:
            yield from variables_in(part)


def _count(type: AnyType) -> int:
    return sum(_count(part) for _, part in type.parts) if isinstance(type, CompositeType) else 1

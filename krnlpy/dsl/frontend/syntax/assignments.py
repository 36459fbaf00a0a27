"""Assignments: to variables, to elements of arrays and buffers, and to parts of composite values."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.conversions import coerce, concretized, default_type
from krnlpy.dsl.frontend.operations import compounds, cooperative, members
from krnlpy.dsl.frontend.targets import (
    AnyName,
    CompositeTarget,
    CompoundName,
    Element,
    LocalName,
    SelectedTarget,
    Target,
)
from krnlpy.dsl.frontend.values import (
    Compound,
    CompoundPlace,
    Static,
    Value,
    describe,
    is_number,
    is_strong,
)
from krnlpy.dsl.frontend.variables import check_fits
from krnlpy.dsl.types.composites import (
    AnyType,
    ArrayType,
    CompositeType,
    MatrixType,
    StructType,
    TupleType,
    VectorType,
)
from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError

from .arrays import ArrayLowering


class AssignmentLowering(ArrayLowering):
    """Lowers assignments."""

    def visit_Assign(self, node: ast.Assign) -> None:
        if self.array_declarations(node):
            return
        value = self.value(node.value)
        if len(node.targets) > 1:
            value = self.snapshot(value)
        for target in node.targets:
            self._assign(target, value, self.at(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        where = self.at(node.annotation)
        if not isinstance(node.target, ast.Name):
            raise KernelSyntaxError("only variables are annotated; leave the annotation out", *where)
        if node.value is None:
            raise KernelSyntaxError("a variable gets a value where it is annotated", *self.at(node))
        storage = self.type_named(node.annotation)
        name = node.target.id
        known = self.locals.get(name)
        if known is not None and known.type != storage:
            raise KernelTypeError(
                f"{name} is {known.type} since line {known.line}; use another name for the {storage}",
                *where,
            )
        value = self.value(node.value)
        if known is None:
            self._check_new_name(node.target)
            self.locals[name] = self.new_name(name, storage, node.lineno)
        self._assign(node.target, value, self.at(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        where = self.at(node)
        if isinstance(node.target, ast.Name) and node.target.id in self.matrices:
            old, operand = self.values(
                [ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target), node.value]
            )
            self._assign_name(node.target, self.binary(node.op, old, operand, where), where)
            return
        if isinstance(node.target, ast.Name):  # it must have a value, and be something that has one
            self.value(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target))
        target = self.target(node.target)
        old, operand = self.in_order([lambda: self._read(target, self.at(node.target)), lambda: self.value(node.value)])
        self.write(target, self.binary(node.op, old, operand, where), self.at(node.target), where)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self._assign(node.target, value, self.at(node.value))
        return self.value(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target))

    # --------------------------------------------------------------------------------------------------- targets

    def _assign(self, target: ast.expr, value: Value, where: ir.Location) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            self._assign_tuple(target, value, where)
        elif isinstance(target, ast.Name):
            self._assign_name(target, value, where)
        elif isinstance(target, ast.Subscript | ast.Attribute):
            found: list[Target] = []

            def find() -> Value:
                found.append(self.target(target))
                return value

            value, _ = self.in_order([lambda: value, find])
            self.write(found[0], value, self.at(target), where)
        else:
            raise KernelSyntaxError("kernels assign to variables and to elements of arrays", *self.at(target))

    def _assign_tuple(self, target: ast.Tuple | ast.List, value: Value, where: ir.Location) -> None:
        entries: tuple[Value, ...]
        if isinstance(value, Static) and isinstance(value.value, tuple):
            entries = tuple(v if isinstance(v, Value) else Static(v, where) for v in value.value)
        elif isinstance(value, Compound) and not isinstance(value.type, StructType | MatrixType):
            entries = value.parts
        else:
            raise KernelTypeError(f"{describe(value)} cannot be unpacked", *where)
        if any(isinstance(e, ast.Starred) for e in target.elts):
            raise KernelSyntaxError("kernels have no starred targets; write the targets out", *self.at(target))
        if len(entries) != len(target.elts):
            raise KernelTypeError(f"{len(entries)} values for {len(target.elts)} targets", *where)
        # A value that a target before it may change is taken first: a, b = b, a.
        values = [
            self.snapshot(v) if any(self._may_change(t, v) for t in target.elts[:n]) else v
            for n, v in enumerate(entries)
        ]
        for element, one in zip(target.elts, values, strict=True):
            self._assign(element, one, where)

    def _may_change(self, target: ast.expr, value: Value) -> bool:
        """Whether assigning a target may change a value."""
        if isinstance(value, Compound):
            return any(self._may_change(target, part) for part in value.parts)
        if isinstance(value, Static):
            parts = value.value if isinstance(value.value, tuple) else ()
            return any(self._may_change(target, part) for part in parts if isinstance(part, Value))
        whole = target  # of which a part may be assigned
        while isinstance(whole, ast.Attribute | ast.Subscript):
            whole = whole.value
        named = isinstance(whole, ast.Name) and not (self.is_kernel and whole.id in self.state.parameters)
        written = set(_variables(self.locals[whole.id])) if named and whole.id in self.locals else set()  # type: ignore[attr-defined]
        if any(isinstance(e, ir.Local) and e.variable in written for e in ir.walk(value)):
            return True
        if isinstance(target, ast.Name) and named:
            return False
        # An element is written; the index may have effects of its own.
        changed = (ir.Load, ir.Local) if any(isinstance(n, ast.NamedExpr) for n in ast.walk(target)) else ir.Load
        return any(isinstance(e, changed) for e in ir.walk(value))

    def _assign_name(self, target: ast.Name, value: Value, where: ir.Location) -> None:
        name = target.id
        if name in self.statics:
            raise KernelTypeError(f"{name} is known while compiling and cannot be assigned; use another name", *where)
        if self.is_kernel and name in self.state.parameters and name not in self.locals:
            self.write(self._parameter_target(target), value, self.at(target), where)
            return
        if name in self.arrays:
            raise KernelTypeError(f"the array {name} cannot be assigned; index it", *self.at(target))
        known = self.locals.get(name)
        matrix = cooperative.matrix_of(value)
        if matrix is not None or name in self.matrices:
            self._assign_matrix(target, matrix, value, where)
            return
        if known is None:
            self._check_new_name(target)
            weak = isinstance(value, Static) and is_number(value.value) and not is_strong(value)
            value = value if weak else concretized(value)
            kind = default_type(value.value) if isinstance(value, Static) else value.type
            known = self.locals[name] = self.new_name(name, kind, target.lineno)
            if isinstance(known, LocalName) and isinstance(value, Static):
                known.begun = value.value
        self.write(known, value, self.at(target), where)
        self.assigned.add(name)

    def _assign_matrix(
        self, target: ast.Name, matrix: ir.CooperativeMatrix | None, value: Value, where: ir.Location
    ) -> None:
        name = target.id
        known = self.matrices.get(name)
        if known is None:
            self._check_new_name(target)
        if matrix is None or name in self.locals:
            raise KernelTypeError(
                f"{name} is no longer free for {cooperative.described(value)}; use another name", *where
            )
        self.matrices[name] = cooperative.copied(self, matrix, known, name, where)
        self.assigned.add(name)

    def _check_new_name(self, target: ast.Name) -> None:
        if target.id in self.arrays or (self.is_kernel and target.id in self.state.parameters):
            raise KernelNameError(f"the name {target.id} is taken; choose another", *self.at(target))

    def new_name(self, name: str, type: AnyType, line: int) -> AnyName:
        """A variable of a type; of a composite one, a variable for each scalar."""
        if not isinstance(type, CompositeType):
            return LocalName(ir.Variable(name, type.compute), type, line)
        parts = tuple(self.new_name(f"{name}_{part}", inner, line) for part, inner in type.parts)
        return CompoundName(type, parts, line)

    def target(self, node: ast.expr) -> Target:
        """What an assignment to an expression writes."""
        where = self.at(node)
        if isinstance(node, ast.Name):
            if node.id in self.locals:
                return self.locals[node.id]
            if self.is_kernel and node.id in self.state.parameters:
                return self._parameter_target(node)
            if node.id in self.arrays:
                raise KernelTypeError(f"the array {node.id} cannot be assigned; index it", *where)
            raise KernelNameError(f"the variable {node.id} has no value to change; assign it before", *where)
        if isinstance(node, ast.Attribute):
            if members.is_attribute(self, node):
                raise KernelTypeError(members.why_not_assigned(self.value(node), node.attr), *where)
            owner = self.target(node.value)
            return self._part(owner, node.attr, where)
        if isinstance(node, ast.Subscript):
            is_part = isinstance(node.value, ast.Attribute | ast.Subscript)
            if members.is_attribute(self, node.value) or (not is_part and not self._is_compound(node.value)):
                place = self.place(self.value(node.value), self.at(node.value))
                index = tuple(self.evaluate_once(i, "index") for i in self.index(node, place))
                return _elements(place, index)
            return self._component(self.target(node.value), node)
        raise KernelSyntaxError("kernels assign to variables and to elements of arrays", *where)

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
            return _elements(parameter, ())
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
                return self.element(target.place, target.index, where)
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
        written = set(_variables(target))
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
        statement = ir.Store(place, target.index, value, location=where)
        if isinstance(place, ir.LocalArray) and place in self.local_arrays:
            self.emit(statement)
        else:
            self.emit_effect(statement)


def _elements(place: ir.Place | CompoundPlace, index: tuple[ir.Expr, ...]) -> Target:
    if isinstance(place, CompoundPlace) and place.axes:
        where = index[0].location if index else ir.Location("", 1, 0, 0)
        every = ((*index, *at) for at in place.indices(where))
        return CompositeTarget(place.type, tuple(_elements(place.parts[0], at) for at in every))
    if isinstance(place, CompoundPlace):
        return CompositeTarget(place.type, tuple(_elements(part, index) for part in place.parts))
    return Element(place, index)


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
    return None if at is None else Element(elements[0].place, at)


def _described(target: Target) -> str:
    if isinstance(target, LocalName):
        return f"{target.variable.name}, which is {target.storage} since line {target.line}"
    if isinstance(target, Element):
        return f"{target.place.name}, which holds {target.place.type}"
    if isinstance(target, CompoundName):
        return f"this variable, which is {target.type} since line {target.line}"
    return f"a target of type {target.type}"


def _variables(target: Target) -> Iterator[ir.Variable]:
    if isinstance(target, LocalName):
        yield target.variable
    elif not isinstance(target, Element):
        for part in target.parts:
            yield from _variables(part)


def _count(type: AnyType) -> int:
    return sum(_count(part) for _, part in type.parts) if isinstance(type, CompositeType) else 1

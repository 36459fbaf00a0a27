"""Assignments: to variables, to elements of arrays and buffers, and to parts of composite values."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.conversions import concretized, default_type, typed
from krnlpy.dsl.frontend.operations import cooperative
from krnlpy.dsl.frontend.sequences import entries, is_written_out
from krnlpy.dsl.frontend.targets import (
    AnyName,
    CompoundName,
    LocalName,
    Target,
    ViewName,
    elements,
)
from krnlpy.dsl.frontend.values import (
    Compound,
    Static,
    Value,
    describe,
    is_number,
    is_strong,
)
from krnlpy.dsl.frontend.views import Span, View, as_view, is_array, rank_of
from krnlpy.dsl.ir.formats import Field
from krnlpy.dsl.types.composites import (
    AnyType,
    CompositeType,
)
from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import boolean, i32

from .places import TargetLowering, variables_in


class AssignmentLowering(TargetLowering):
    """Lowers assignments."""

    def visit_Assign(self, node: ast.Assign) -> None:
        if self.array_declarations(node):
            return
        value = self.value(node.value)
        if len(node.targets) > 1 and isinstance(value, Static) and isinstance(value.value, list):
            raise KernelTypeError("each name would mean the same list; write a list for each", *self.at(node))
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
            old, operand = self.values([_read(node.target), node.value])
            self._assign_name(node.target, self.binary(node.op, old, operand, where), where)
            return
        if self._is_of_matrices(node.target):
            old, operand = self.values([node.target, node.value])
            self._assign_in_array(node.target, self.binary(node.op, old, operand, where), where)
            return
        if isinstance(node.target, ast.Name):  # it must have a value, and be something that has one
            self.value(_read(node.target))
        target = self.target(node.target)
        old, operand = self.in_order([lambda: self._read(target, self.at(node.target)), lambda: self.value(node.value)])
        self.write(target, self.binary(node.op, old, operand, where), self.at(node.target), where)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self._assign(node.target, value, self.at(node.value))
        return self.value(_read(node.target))

    # --------------------------------------------------------------------------------------------------- targets

    def _assign(self, target: ast.expr, value: Value, where: ir.Location) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            self._assign_tuple(target, value, where)
        elif isinstance(target, ast.Name):
            self._assign_name(target, value, where)
        elif self._is_of_matrices(target):
            self._assign_in_array(target, value, where)
        elif isinstance(target, ast.Subscript | ast.Attribute):
            found: list[Target | View] = []

            def find() -> Value:
                found.append(self.target_or_view(target))
                return value

            value, _ = self.in_order([lambda: value, find])
            if isinstance(found[0], View):
                self._assign_elements(found[0], value, self.at(target), where)
            else:
                self.write(found[0], value, self.at(target), where)
        else:
            raise KernelSyntaxError("kernels assign to variables and to elements of arrays", *self.at(target))

    def _assign_tuple(self, target: ast.Tuple | ast.List, value: Value, where: ir.Location) -> None:
        found = self.unpacked(target, value, where)
        # A value that a target before it may change is taken first: a, b = b, a.
        values = [
            self.snapshot(v) if any(self._may_change(t, v) for t in target.elts[:n]) else v for n, v in enumerate(found)
        ]
        for element, one in zip(target.elts, values, strict=True):
            self._assign(element, one, where)

    def unpacked(self, target: ast.Tuple | ast.List, value: Value, where: ir.Location) -> tuple[Value, ...]:
        """The parts of a value that several targets take.

        Raises:
            KernelTypeError: it has not as many.
        """
        found = entries(value)
        if found is None:
            raise KernelTypeError(f"{describe(value)} cannot be unpacked", *where)
        if any(isinstance(e, ast.Starred) for e in target.elts):
            raise KernelSyntaxError("kernels have no starred targets; write the targets out", *self.at(target))
        if len(found) != len(target.elts):
            raise KernelTypeError(f"{len(found)} values for {len(target.elts)} targets", *where)
        return found

    def _may_change(self, target: ast.expr, value: Value) -> bool:
        """Whether assigning a target may change a value."""
        if isinstance(value, Compound):
            return any(self._may_change(target, part) for part in value.parts)
        if isinstance(value, Static) and isinstance(value.value, ir.CooperativeMatrix):
            return self._is_of_matrices(target) or (isinstance(target, ast.Name) and target.id in self.matrices)
        if isinstance(value, Static):
            parts = value.value.numbers if isinstance(value.value, View) else value.value
            parts = parts if isinstance(parts, tuple | list) else ()
            return any(self._may_change(target, part) for part in parts if isinstance(part, Value))
        whole = target  # of which a part may be assigned
        while isinstance(whole, ast.Attribute | ast.Subscript):
            whole = whole.value
        name = whole.id if isinstance(whole, ast.Name) else None
        if self.is_kernel and name in self.state.parameters:
            name = None
        written = set(variables_in(self.locals[name])) if name in self.locals else set()
        if isinstance(target, ast.Name) and name in self.views:
            written |= set(self.views[name].variables)
        if any(isinstance(e, ir.Local) and e.variable in written for e in ir.walk(value)):
            return True
        if isinstance(target, ast.Name) and name is not None:  # an array takes all elements at once
            return name in self.arrays and any(isinstance(e, ir.Load) for e in ir.walk(value))
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
            fits = isinstance(value, Compound) or is_written_out(value)
            if fits and self.arrays[name] in self.aliased:  # to Python a new list, which the other name does not mean
                raise KernelTypeError(
                    f"{name} has another name, or a row of it has one, which would change too; use a new name", *where
                )
            self.write(self.whole_of(target, fits), value, self.at(target), where)
            self.assigned.add(name)
            return
        known = self.locals.get(name)
        if known is None and isinstance(value, Static) and isinstance(value.value, list):
            self._check_new_name(target)
            self.arrays[name] = self.new_list(name, value, where)
            self.array_lines[name] = target.lineno
            self.assigned.add(name)
            return
        matrix = cooperative.matrix_of(value)
        if matrix is not None or name in self.matrices:
            self._assign_matrix(target, matrix, value, where)
            return
        if isinstance(value, Static) and is_array(value.value):
            self._assign_view(target, as_view(value.value), where)
            return
        if name in self.views:
            if self.views[name] in self.assigned:
                raise KernelTypeError(
                    f"{name} is {describe(self.value(_read(target)))} since line {self.views[name].line}; use another"
                    f" name, or assign its elements: {name}[i] = ...",
                    *where,
                )
            del self.views[name]
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

    def _assign_view(self, target: ast.Name, view: View, where: ir.Location) -> None:
        """A name for part of an array. Where it may mean one or another, they differ in their numbers only."""
        name = target.id
        self.aliased.add(view.base)
        known = self.views.get(name)
        if name in self.locals and name in self.assigned:
            raise KernelTypeError(
                f"{name} is {self.locals[name].type} since line {self.locals[name].line}; use another name", *where
            )
        if known is None or known.form.form != view.form:
            if known is None:
                self._check_new_name(target)
            elif known in self.assigned and self.depth:
                raise KernelTypeError(
                    f"{name} is {describe(Static(known.form, where))} since line {known.line}, and may be that or this"
                    " here; use another name, or one array for both",
                    *where,
                )
            self.locals.pop(name, None)
            variables = tuple(ir.Variable(f"{name}_{n}", e.type) for n, e in enumerate(view.numbers))
            known = self.views[name] = ViewName(view, variables, target.lineno)
        values = view.numbers
        if any(self._may_change(target, n) for n in values[1:]):  # row = row[1:]
            values = [self.assign_temporary(n) for n in values]
        for variable, number in zip(known.variables, values, strict=True):
            self.emit(ir.Assign(variable, number, location=where))
        self.assigned.add(known)

    # ------------------------------------------------------------------------------------------------ rows and slices

    def _assign_elements(self, view: View, value: Value, where: ir.Location, value_where: ir.Location) -> None:
        """Gives all elements of a row or slice one value, or each that of another sequence of as many."""
        parts = entries(value)
        if isinstance(value, Static) and is_array(value.value):
            self._copy_elements(view, as_view(value.value), where, value_where)
        elif parts is None or (isinstance(value, Compound) and value.type == view.type):
            filling = self.snapshot(value)
            self._for_each(view, {}, where, lambda index: self._write_at(view, index, filling, where, value_where))
        else:
            length = self.axis_length(view, view.axes[0], where)
            if len(view.axes) > 1 or not isinstance(length, Static) or length.value != len(parts):
                known = length.value if isinstance(length, Static) else "a length that is not known while compiling"
                raise KernelTypeError(
                    f"{len(parts)} values for {view.described} of {known}; assign one element at a time", *value_where
                )
            for number, part in enumerate([self.snapshot(p) for p in parts]):
                self._write_at(view, [Static(number, where)], part, where, value_where)

    def _copy_elements(self, view: View, source: View, where: ir.Location, value_where: ir.Location) -> None:
        if rank_of(source) != rank_of(view):
            raise KernelTypeError(
                f"{describe(Static(source, value_where))} has {rank_of(source)} axes, {view.described} has"
                f" {rank_of(view)}",
                *value_where,
            )
        is_known = True
        for own, other in zip(view.axes, source.axes, strict=True):
            lengths = [self.axis_length(v, axis, where) for v, axis in ((view, own), (source, other))]
            counts = [n.value for n in lengths if isinstance(n, Static)]
            if len(counts) == 2:
                if counts[0] != counts[1]:
                    raise KernelTypeError(f"{counts[1]} values for {counts[0]} elements", *value_where)
                continue
            is_known = False
            room, given = (typed(n, i32) for n in lengths)
            format = (Field(i32), " values for ", Field(i32), " elements")
            fits = ir.Compare("eq", given, room, type=boolean, location=where)
            self.emit_effect(ir.Assert(fits, format, (given, room), location=where))

        def copy(index: list[Value]) -> None:
            item: Value = Static(source, value_where)
            for i in index:
                assert isinstance(item, Static)
                item = (self.item_of if is_known else self.row_at)(item.value, i, value_where)
            self._write_at(view, index, item, where, value_where)

        self._for_each(view, self._backwards(view, source, where), where, copy)

    def _backwards(self, view: View, source: View, where: ir.Location) -> dict[int, ir.Expr]:
        """For an axis along which two parts of one array may overlap, whether it is gone through from its end: then
        each element is read before it is written."""
        if source.base is not view.base:
            return {}
        shifted: dict[int, ir.Expr] = {}
        for axis, (to, of) in enumerate(zip(view.entries, source.entries, strict=True)):
            if (to is None and of is None) or (isinstance(to, ir.Expr) and isinstance(of, ir.Expr)):
                continue
            steps = [1 if entry is None else entry.step for entry in (to, of) if not isinstance(entry, ir.Expr)]
            if shifted or len(steps) < 2 or steps[0] != steps[1]:
                raise KernelTypeError(
                    f"what is read and what is written may overlap in {view.name}, and neither order is right; copy it"
                    " to a local_array first",
                    *where,
                )
            starts = [entry.start if isinstance(entry, Span) else ir.const(0, i32, where) for entry in (to, of)]
            later = ir.Compare("gt" if steps[0] > 0 else "lt", *starts, type=boolean, location=where)
            shifted[axis] = self.assign_temporary(later, "backwards")
        return shifted

    def _for_each(
        self, view: View, backwards: dict[int, ir.Expr], where: ir.Location, add: Callable[[list[Value]], None]
    ) -> None:
        """Loops over the indices of a view."""
        lengths = [typed(self.axis_length(view, axis, where), i32) for axis in view.axes]
        counters = [self.temporary(i32, "index") for _ in lengths]
        with self.branch() as block:
            index: list[Value] = []
            for axis, length, counter in zip(view.axes, lengths, counters, strict=True):
                number: ir.Expr = ir.Local(counter, type=i32, location=where)
                if axis in backwards:
                    last = ir.Binary("sub", length, ir.const(1, i32, where), type=i32, location=where)
                    mirrored = ir.Binary("sub", last, number, type=i32, location=where)
                    number = ir.Select(backwards[axis], mirrored, number, type=i32, location=where)
                index.append(self.evaluate_once(number, "index"))
            add(index)
        body = tuple(block)
        zero, one = (ir.const(n, i32, where) for n in (0, 1))
        for length, counter in reversed(list(zip(lengths, counters, strict=True))):
            body = (ir.For(counter, zero, length, one, body, location=where),)
        self.emit(body[0])

    def _write_at(
        self, view: View, index: list[Value], value: Value, where: ir.Location, value_where: ir.Location
    ) -> None:
        for i in index:
            view = self.view_at(view, i, where)
        self.write(elements(view.base, tuple(view.numbers), view.checked), value, where, value_where)

    def variables_named(self, names: set[str | ViewName]) -> Iterator[ir.Variable]:
        """The variables that names of ``assigned`` stand for, in one order in each process: the text of a kernel, by
        which cached and shipped ones are found, must be the same in all."""
        for name in sorted(names, key=_sort_key):
            if isinstance(name, ViewName):
                yield from name.variables
            elif name in self.locals:
                yield from variables_in(self.locals[name])

    def _assign_matrix(
        self, target: ast.Name, matrix: ir.CooperativeMatrix | None, value: Value, where: ir.Location
    ) -> None:
        name = target.id
        known = self.matrices.get(name)
        if known is None:
            self._check_new_name(target)
        if matrix is None or name in self.locals or isinstance(known, cooperative.Matrices):
            raise KernelTypeError(
                f"{name} is no longer free for {cooperative.described(value)}; use another name", *where
            )
        self.matrices[name] = cooperative.copied(self, matrix, known, name, where)
        self.assigned.add(name)

    def _is_of_matrices(self, target: ast.expr) -> bool:
        """Whether this names a matrix of an array of matrices."""
        whole = target
        while isinstance(whole, ast.Subscript):
            whole = whole.value
        known = self.matrices.get(whole.id) if isinstance(whole, ast.Name) and whole is not target else None
        return isinstance(known, cooperative.Matrices)

    def _assign_in_array(self, target: ast.expr, value: Value, where: ir.Location) -> None:
        place = self.value(target)
        to, matrix = cooperative.matrix_of(place), cooperative.matrix_of(value)
        if to is None or matrix is None:
            raise KernelTypeError(
                f"a matrix of an array takes a matrix; this is {cooperative.described(value)}", *where
            )
        cooperative.copied(self, matrix, to, ast.unparse(target), where)

    def _check_new_name(self, target: ast.Name) -> None:
        if target.id in self.arrays or (self.is_kernel and target.id in self.state.parameters):
            raise KernelNameError(f"the name {target.id} is taken; choose another", *self.at(target))

    def new_name(self, name: str, type: AnyType, line: int) -> AnyName:
        """A variable of a type; of a composite one, a variable for each scalar."""
        if not isinstance(type, CompositeType):
            return LocalName(ir.Variable(name, type.compute), type, line)
        parts = tuple(self.new_name(f"{name}_{part}", inner, line) for part, inner in type.parts)
        return CompoundName(type, parts, line)


def _sort_key(name: str | ViewName) -> str:
    return name if isinstance(name, str) else "".join(variable.name for variable in name.variables)


def _read(target: ast.Name) -> ast.Name:
    return ast.copy_location(ast.Name(target.id, ast.Load()), target)

"""Subscripts and attributes of arrays: elements, rows and slices, shapes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.conversions import cast, typed
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.sequences import element
from krnlpy.dsl.frontend.values import Compound, CompoundPlace, Static, Value, describe
from krnlpy.dsl.frontend.views import Array, Span, View, as_view, field_of, first_of, rank_of
from krnlpy.errors import KernelNameError, KernelSyntaxError, KernelTypeError
from krnlpy.scalar import boolean, i32, i64, u32, u64

_MESSAGE = "the step of a slice is a whole number known while compiling, and not 0"


class IndexLowering(Lowering):
    """Lowers what is taken of arrays."""

    def array(self, owner: Value, where: ir.Location) -> Array:
        """The array that is indexed."""
        if isinstance(owner, Static) and isinstance(owner.value, Array):
            array: Array = owner.value
            return array
        if isinstance(owner, ir.Load) and isinstance(owner.place, ir.ItemParameter):
            raise KernelTypeError(
                f"{owner.place.name} is an item, one element; declare it Global or GlobalMut to index it",
                *where,
            )
        if isinstance(owner, Static) and isinstance(owner.value, tuple):
            raise KernelTypeError(
                "a tuple, or a list from outside, is a constant: nothing can be stored there; copy it to a list of the"
                " kernel's own",
                *where,
            )
        raise KernelTypeError(f"{describe(owner)} cannot be indexed", *where)

    def element(
        self, place: ir.Place | CompoundPlace, index: tuple[ir.Expr, ...], where: ir.Location, checked: bool = True
    ) -> ir.Expr | Compound:
        """The value of an element of an array, buffer or item."""
        return element(place, index, where, checked)

    def value_of(self, view: View, where: ir.Location) -> Value:
        """A view as a value: the element where one is left, else itself."""
        if view.axes:
            return Static(view, where)
        index = tuple(entry for entry in view.entries if isinstance(entry, ir.Expr))
        if isinstance(view.base, CompoundPlace):
            index = tuple(self.index_once(i) for i in index)
        return self.element(view.base, index, where, view.checked)

    def part_of(self, array: Array, node: ast.Subscript) -> Value:
        """``array[...]``: an element, or a row or slice of it."""
        return self.value_of(self.subscript(array, node), self.at(node))

    def subscript(self, array: Array, node: ast.Subscript) -> View:
        """What a subscript takes of an array. Constants below 0 count from the end.

        A row or slice is what it was when it was taken: its indices are evaluated here, once.
        """
        nodes = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        bounds = [part for n in nodes for part in (_bounds(n) if isinstance(n, ast.Slice) else [n])]
        values = iter(self.values([b for b in bounds if b is not None and not _is_ellipsis(b)]))
        taken: list[tuple[Value | list[Value | None], ir.Location]] = []
        rest: int | None = None
        for n in nodes:
            where = self.at(n)
            if isinstance(n, ast.Slice):
                taken.append(([None if b is None else next(values) for b in _bounds(n)], where))
            elif _is_ellipsis(n):
                if rest is not None:
                    raise KernelSyntaxError("a subscript has one ... at most", *where)
                rest = len(taken)
            else:
                value = next(values)
                entries: tuple[Value, ...] = (value,)
                if len(nodes) == 1 and isinstance(value, Static) and isinstance(value.value, tuple):
                    entries = tuple(v if isinstance(v, Value) else Static(v, where) for v in value.value)
                elif len(nodes) == 1 and isinstance(value, Compound):
                    entries = value.parts
                taken += [(entry, where) for entry in entries]
        rank = rank_of(array)
        if len(taken) > rank:
            raise KernelTypeError(f"{array.name} has {rank} dimensions, indexed with {len(taken)}", *self.at(node))
        place = len(taken) if rest is None else rest
        taken[place:place] = [([None] * 3, self.at(node))] * (rank - len(taken))
        view = as_view(array)
        chosen = dict(zip(view.axes, taken, strict=True))
        entries_of = {axis: self._entry(view, axis, *chosen[axis]) for axis in chosen}
        result = replace(view, entries=tuple(entries_of.get(axis, old) for axis, old in enumerate(view.entries)))
        return result.of(iter([self.evaluate_once(n, "index") for n in result.numbers])) if result.axes else result

    def _entry(
        self, view: View, axis: int, taken: Value | list[Value | None], where: ir.Location
    ) -> ir.Expr | Span | None:
        old = view.entries[axis]
        assert not isinstance(old, ir.Expr)
        if not isinstance(taken, list):
            return self._position(view, axis, self._index(taken, where), where)
        span = self._span(self.axis_length(view, axis, where), taken, where)
        if old is None or span is None:
            return old if span is None else span
        start = self._at_span(old, span.start, where)
        return Span(start, span.length, old.step * span.step)

    # -------------------------------------------------------------------------------------------------------- indices

    def index_once(self, index: ir.Expr) -> ir.Expr:
        """An index in a form that may be repeated. One of a slice stays a choice: targets know these."""
        return index if index in self._positions else self.evaluate_once(index, "index")

    def _index(self, value: Value, where: ir.Location) -> ir.Expr:
        if not isinstance(value, Static) and not isinstance(value, ir.Expr):
            raise KernelTypeError(f"an index must be an integer, this is {describe(value)}", *where)
        index = typed(value)
        if not index.type.is_integer or index.type is boolean:
            raise KernelTypeError(f"an index must be an integer, this is {describe(value)}; write i32(...)", *where)
        if isinstance(index, ir.Const) and index.value < i32.min:
            raise KernelTypeError(f"index {index.value} is out of range", *where)
        return index

    def _position(self, view: View, axis: int, index: ir.Expr, where: ir.Location) -> ir.Expr:
        """The index of the array that an index of a view means; out of range of both if it is out of the view's."""
        old = view.entries[axis]
        assert not isinstance(old, ir.Expr)
        length = self.axis_length(view, axis, where)
        if isinstance(index, ir.Const):
            known = length.value if isinstance(length, Static) else None
            if known is not None and not -known <= index.value < known:
                raise KernelTypeError(
                    f"index {index.value} is out of range: {view.name} has length {known} there", *where
                )
            if index.value < 0:
                end = typed(self.binary(ast.Add(), length, Static(int(index.value), where), where), i32)
                if old is None:
                    return end
                index = self.evaluate_once(end, "index")
        if old is None:
            return index
        index = self.evaluate_once(index, "index")
        position = self._at_span(old, index, where)
        if isinstance(index, ir.Const) and isinstance(length, Static):
            return position
        wide = u64 if index.type.bits == 64 else u32  # below 0, an index is beyond every length
        signed = i64 if index.type.bits == 64 else i32
        compared = cast(cast(index, signed), wide) if index.type.is_signed else cast(index, wide)
        inside = ir.Compare("lt", compared, cast(typed(length, i32), wide), type=boolean, location=where)
        result = ir.Select(inside, position, ir.const(-1, i32, where), type=i32, location=where)
        self._positions.add(result)
        return result

    def _at_span(self, span: Span, index: ir.Expr, where: ir.Location) -> ir.Expr:
        """The index of the array at an index within a span."""
        offset = _folded(cast(index, i32, where))
        if span.step != 1:
            offset = self.binary(ast.Mult(), offset, Static(span.step, where), where)
        if isinstance(offset, Static) and offset.value == 0:
            return span.start
        if _is_zero(span.start):
            return typed(offset, i32)
        return typed(self.binary(ast.Add(), _folded(span.start), offset, where), i32)

    # --------------------------------------------------------------------------------------------------------- slices

    def _span(self, length: Value, bounds: list[Value | None], where: ir.Location) -> Span | None:
        """A slice of an axis, as Python's: what lies beyond the ends is left out. None: all of the axis."""
        start, stop, stride = bounds
        step = 1 if stride is None else stride.value if isinstance(stride, Static) else None
        if isinstance(step, bool) or not isinstance(step, int) or step == 0:
            raise KernelTypeError(_MESSAGE, *where)
        if step == 1 and start is None and stop is None:
            return None
        # Going down, an end may lie before the first element.
        lowest = 0 if step > 0 else -1
        first: Value = Static(0, where)
        last = length
        if step < 0:
            first, last = self._sum(length, -1, where), Static(-1, where)
        begin = first if start is None else self._within(start, length, lowest, where)
        end = last if stop is None else self._within(stop, length, lowest, where)
        distance = self.binary(ast.Sub(), *((end, begin) if step > 0 else (begin, end)), where)
        if not (isinstance(begin, Static) and begin.value == 0 and step == 1):
            distance = self._extremum("max", distance, Static(0, where), where)
        if abs(step) > 1:
            distance = self._sum(distance, abs(step) - 1, where)
            distance = self.binary(ast.FloorDiv(), distance, Static(abs(step), where), where)
        begin, distance = (self.evaluate_once(typed(n, i32), "slice") for n in (begin, distance))
        return Span(begin, distance, step)

    def _within(self, bound: Value, length: Value, lowest: int, where: ir.Location) -> Value:
        """A bound of a slice, kept within the axis; a constant below 0 counts from the end."""
        expr = self._index(bound, where)
        if isinstance(expr, ir.Const):
            number = int(expr.value)
            if number < 0:
                least = self._sum(length, number, where)
                return self._extremum("max", least, Static(lowest, where), where)
            return self._extremum("min", Static(min(number, i32.max), where), self._sum(length, lowest, where), where)
        if expr.type.bits < 32:
            expr = cast(expr, i32)
        greatest = cast(typed(self._sum(length, lowest, where), i32), expr.type)
        if expr.type.is_signed:
            expr = ir.Binary("max", expr, ir.const(lowest, expr.type, where), type=expr.type, location=where)
        return cast(ir.Binary("min", expr, greatest, type=expr.type, location=where), i32)

    def _sum(self, value: Value, number: int, where: ir.Location) -> Value:
        return value if number == 0 else self.binary(ast.Add(), value, Static(number, where), where)

    def _extremum(self, op: ir.BinaryOp, a: Value, b: Value, where: ir.Location) -> Value:
        if isinstance(a, Static) and isinstance(b, Static):
            choose: Callable[[int, int], int] = min if op == "min" else max
            return Static(choose(a.value, b.value), where)
        return ir.Binary(op, typed(a, i32), typed(b, i32), type=i32, location=where)

    def row_at(self, array: Array, index: Value, where: ir.Location) -> Value:
        """``array[index]``: a row or element of an index that may be out of range."""
        view = as_view(array)
        axis = view.axes[0]
        number = self._position(view, axis, self._index(index, where), where)
        entries = (*view.entries[:axis], number, *view.entries[axis + 1 :])
        return self.value_of(replace(view, entries=entries), where)

    # ---------------------------------------------------------------------------------------------------------- loops

    def length_of(self, view: View, where: ir.Location) -> Value:
        """How many rows, or elements, an array has."""
        return self.axis_length(view, view.axes[0], where)

    def item_of(self, view: View, index: Value, where: ir.Location) -> Value:
        """A row or element of an index that is within the array."""
        return self.value_of(self.view_at(view, index, where), where)

    def view_at(self, view: View, index: Value, where: ir.Location) -> View:
        """The same as a view, which has no axes if it is an element."""
        axis = view.axes[0]
        old = view.entries[axis]
        assert not isinstance(old, ir.Expr)
        number = typed(index, i32)
        number = number if old is None else self._at_span(old, number, where)
        entries = (*view.entries[:axis], self.evaluate_once(number, "index"), *view.entries[axis + 1 :])
        return replace(view, entries=entries)

    # ----------------------------------------------------------------------------------------------------- attributes

    def axis_length(self, view: View, axis: int, where: ir.Location) -> Value:
        """The length of one of a view's axes; a number where it is known while compiling."""
        entry, place = view.entries[axis], first_of(view)
        if isinstance(entry, Span):
            length = entry.length
        elif isinstance(place, ir.GlobalParameter):
            length = ir.Extent(place, axis, type=i32, location=where)
        else:
            length = place.shape[axis]
        return _folded(length)

    def array_attribute(self, array: Array, name: str, where: ir.Location) -> Value:
        view = as_view(array)
        extents = tuple(self.axis_length(view, axis, where) for axis in view.axes)
        match name:
            case "shape":
                return Static(extents, where)
            case "ndim":
                return Static(len(extents), where)
            case "dtype":
                return Static(array.type, where)
            case "size":
                size = extents[0]
                for extent in extents[1:]:
                    size = self.binary(ast.Mult(), size, extent, where)
                return size
        field = field_of(array, name)
        if field is not None:
            return Static(field, where)
        raise KernelNameError(f"arrays have shape, ndim, size and dtype, not {name}", *where)


def _bounds(node: ast.Slice) -> list[ast.expr | None]:
    return [node.lower, node.upper, node.step]


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_zero(value: ir.Expr) -> bool:
    return isinstance(value, ir.Const) and value.value == 0


def _folded(value: ir.Expr) -> Value:
    """A constant as a number known while compiling."""
    return Static(value.value, value.location) if isinstance(value, ir.Const) else value

"""Item kernels as loops over the items of a range, innermost axis last, so that LLVM can vectorise them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from krnlpy.dsl import ir
from krnlpy.dsl.llvm.builder import ACCESS_GROUP, Builder
from krnlpy.dsl.llvm.context import Array, Context, IdKey, Item
from krnlpy.dsl.llvm.expressions import Expressions
from krnlpy.dsl.llvm.polls import BudgetCharges
from krnlpy.dsl.llvm.statements import Statements, element_count

from .access_order import tolerates_reordering
from .strips import CountedLoop, Strips


@dataclass(frozen=True)
class ItemBuffer:
    """Where the items of a parameter lie: its first element, and strides in elements (i64) of the merged axes."""

    parameter: ir.ItemParameter
    base: str
    strides: tuple[str, ...]


class ItemLoop:
    """Writes the loop over the items of a range.

    Args:
        charges: what loops are charged.
        arguments: the values of the scalar parameters.
        globals: the buffers that are not items.
        items: the items, all with as many strides as ``shape`` has axes.
        sizes: ids that have one value in the launch.
        shape: of the merged axes, i32 values; () where all items are contiguous.
    """

    def __init__(
        self,
        context: Context,
        b: Builder,
        charges: BudgetCharges,
        arguments: Mapping[ir.ScalarParameter, str],
        globals: Mapping[ir.Place, Array],
        items: tuple[ItemBuffer, ...],
        sizes: Mapping[IdKey, str],
        shape: tuple[str, ...],
        threads: tuple[int, int, int],
    ) -> None:
        self._context, self._b, self._charges = context, b, charges
        self._arguments, self._globals = arguments, globals
        self._items, self._sizes, self._shape = items, sizes, shape
        self._threads = element_count(threads)
        self._parallel = tolerates_reordering(context.program.body)

    def write(self) -> None:
        """Writes the loop over items ``%begin`` to ``%end``."""
        if self._shape:
            self._write_rows()
            return
        with self._loop("%begin", "%end") as loop:
            self._body(loop.index, {i.parameter: Item(self._at(i, loop.index), ACCESS_GROUP) for i in self._items})

    @contextmanager
    def _loop(self, start: str, stop: str) -> Iterator[CountedLoop]:
        with (
            Strips(self._b, start, stop, *self._charges.of_body(self._b)) as strip,
            CountedLoop(self._b, "i64", strip.start, strip.stop, parallel=self._parallel) as loop,
        ):
            yield loop

    def _at(self, item: ItemBuffer, index: str) -> str:
        return self._b.element(item.base, index, item.parameter.type.size)

    def _write_rows(self) -> None:
        b = self._b
        length = b.op(f"zext i32 {self._shape[-1]} to i64")
        repeated = {i.parameter: b.op(f"icmp eq i64 {i.strides[-1]}, 0") for i in self._items}
        # Rows are worth vectorising if every item is adjacent or repeats one element, as in broadcasting.
        simple = "true"
        for item in self._items:
            fits = b.op(f"icmp eq i64 {item.strides[-1]}, 1")
            if not item.parameter.mutable:
                fits = b.op(f"or i1 {fits}, {repeated[item.parameter]}")
            simple = b.op(f"and i1 {simple}, {fits}")
        position = b.alloca("i64")
        b.store("i64", "%begin", position)
        head, row_label, leave = b.fresh("rows"), b.fresh("row"), b.fresh("leave")
        b.place(head)
        index = b.load("i64", position)
        b.branch_if(b.op(f"icmp slt i64 {index}, %end"), row_label, leave)
        b.place(row_label)
        number = b.op(f"trunc i64 {index} to i32")
        first = b.op(f"zext i32 {b.op(f'urem i32 {number}, {self._shape[-1]}')} to i64")
        row = b.op(f"udiv i32 {number}, {self._shape[-1]}")
        rest = b.op(f"sub i64 %end, {index}")
        stop = b.intrinsic("llvm.smin.i64", "i64", ("i64", length), ("i64", b.op(f"add i64 {first}, {rest}")))
        origin = b.op(f"sub i64 {index}, {first}")
        rows = self._row_starts(row)
        adjacent, strided, done = b.fresh("adjacent"), b.fresh("strided"), b.fresh("done")
        b.branch_if(simple, adjacent, strided)
        b.place(adjacent)
        values = {r.parameter: self._first_value(r) for r in rows if not r.parameter.mutable}
        with self._loop(first, stop) as loop:
            items = {}
            for r in rows:
                own = repeated[r.parameter] if r.parameter in values else None
                items[r.parameter] = Item(self._at(r, loop.index), ACCESS_GROUP, own, values.get(r.parameter, ""))
            self._body(b.op(f"add nsw i64 {origin}, {loop.index}"), items)
        b.branch(done)
        b.place(strided)
        with self._loop(first, stop) as loop:
            items = {}
            for r in rows:
                offset = b.op(f"mul nsw i64 {loop.index}, {r.strides[-1]}")
                items[r.parameter] = Item(self._at(r, offset), ACCESS_GROUP)
            self._body(b.op(f"add nsw i64 {origin}, {loop.index}"), items)
        b.place(done)
        b.store("i64", b.op(f"add nsw i64 {index}, {b.op(f'sub nsw i64 {stop}, {first}')}"), position)
        b.branch(head)
        b.place(leave)

    def _row_starts(self, row: str) -> list[ItemBuffer]:
        """The items of a row, based at its first element."""
        b = self._b
        coordinates: list[str] = []
        for length in reversed(self._shape[:-1]):
            coordinates.insert(0, b.op(f"zext i32 {b.op(f'urem i32 {row}, {length}')} to i64"))
            row = b.op(f"udiv i32 {row}, {length}")
        starts = []
        for item in self._items:
            base = item.base
            for coordinate, stride in zip(coordinates, item.strides, strict=False):
                base = b.element(base, b.op(f"mul nsw i64 {coordinate}, {stride}"), item.parameter.type.size)
            starts.append(ItemBuffer(item.parameter, base, item.strides))
        return starts

    def _first_value(self, item: ItemBuffer) -> str:
        return Expressions(self._context, self._b).read(item.parameter.type, item.base)

    def _body(self, index: str, items: Mapping[ir.ItemParameter, Item]) -> None:
        """Writes what is done for one item; ``index`` is its row-major index, an i64."""
        b, program = self._b, self._context.program
        writer = Statements(self._context, b, self._charges)
        writer.arguments.update(self._arguments)
        writer.arrays.update(self._globals)
        writer.items.update(items)
        self._name_ids(writer, b.op(f"trunc i64 {index} to i32"))
        writer.declare(ir.assigned_variables(program.body))
        writer.declare_arrays(program.local_arrays)
        writer.return_label = b.fresh("finish")
        writer.block(program.body)
        b.place(writer.return_label)

    def _name_ids(self, writer: Statements, item: str) -> None:
        """Groups are in a single row; if there are more items than threads, a thread takes several."""
        b, threads = self._b, self._threads
        writer.ids.update(self._sizes)
        thread = b.op(f"urem i32 {item}, {self._sizes['global_threads', 0]}")
        in_group = b.op(f"urem i32 {thread}, {threads}")
        along_x: dict[ir.IdName, str] = {
            "global_id": thread,
            "group_id": b.op(f"udiv i32 {thread}, {threads}"),
            "thread_id": in_group,
        }
        for name, value in along_x.items():
            writer.ids[name, 0], writer.ids[name, 1], writer.ids[name, 2] = value, "0", "0"
        lanes = self._sizes["subgroup_threads", 0]
        writer.ids["item_id", 0] = item
        writer.ids["subgroup_id", 0] = b.op(f"udiv i32 {in_group}, {lanes}")
        writer.ids["subgroup_thread_id", 0] = b.op(f"urem i32 {in_group}, {lanes}")

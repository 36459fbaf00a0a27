"""Entries of tuples and lists by an index that is known only while the kernel runs."""

from __future__ import annotations

import ast

from krnlpy.dsl import ir
from krnlpy.dsl.frontend import tables
from krnlpy.dsl.frontend.lowering import Lowering
from krnlpy.dsl.frontend.operations import compounds
from krnlpy.dsl.frontend.sequences import element, entries
from krnlpy.dsl.frontend.values import Static, Value, describe
from krnlpy.errors import KernelTypeError


def chosen_entry(lowering: Lowering, owner: Static, at: ir.Expr, node: ast.Subscript) -> Value:
    """An entry of a tuple or list: numbers that are known while compiling are a table, others are chosen from."""
    where = lowering.at(node)
    if not at.type.is_integer:
        raise KernelTypeError(
            f"an index must be an integer, this is {describe(at)}; write i32(...)", *lowering.at(node.slice)
        )
    array = tables.as_array(tuple(owner.value), where)
    if array is not None:
        name = getattr(node.value, "id", getattr(node.value, "attr", "table"))
        table = lowering.state.table(array, name, where)
        at = lowering.evaluate_once(at, "index") if array.ndim > 1 else at
        return _row(table, (at,), array.shape, where)
    index = compounds.index_entry(lowering, at, node)
    return compounds.choose(lowering, compounds.entries_of_one_type(entries(owner) or (), where), index, where)


def _row(
    table: ir.ConstantArray, index: tuple[ir.Expr, ...], shape: tuple[int, ...], where: ir.Location
) -> ir.Expr | Static:
    """A row of a table of tuples, as a tuple; an element where all indices are known."""
    if len(index) == len(shape):
        loaded = element(table, index, where)
        assert isinstance(loaded, ir.Expr)
        return loaded
    rest = (ir.const(i, tables.INDEX, where) for i in range(shape[len(index)]))
    return Static(tuple(_row(table, (*index, i), shape, where) for i in rest), where)

"""Atomics as the interpreter runs them: threads run one at a time, so reading, computing and writing is enough."""

from __future__ import annotations

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType, boolean, u32, u64


def as_load_and_store(node: ir.Atomic) -> tuple[ir.Block, ir.Block]:
    """An atomic as what is evaluated before, and the load and the store that it is made of."""
    type, where = node.place.type.compute, node.location
    before: list[ir.Stmt] = []

    def evaluated(value: ir.Expr, name: str) -> ir.Expr:
        if isinstance(value, ir.Const | ir.Local):
            return value
        variable = ir.Variable(name, value.type)
        before.append(ir.Assign(variable, value, location=where))
        return ir.Local(variable, type=value.type, location=where)

    index = tuple(evaluated(i, "index") for i in node.index)
    expected = None if node.expected is None else evaluated(node.expected, "expected")
    value = None if node.value is None else evaluated(node.value, "value")
    if node.op == "store":
        assert value is not None
        return tuple(before), (ir.Store(node.place, index, value, location=where),)
    variable = node.targets[0] if node.targets else ir.Variable("old", type)
    old = ir.Local(variable, type=type, location=where)
    load = ir.Assign(variable, ir.Load(node.place, index, type=type, location=where), location=where)
    if value is None:
        return tuple(before), (load,)
    new: ir.Expr
    if node.op == "exchange":
        new = value
    elif node.op != "compare_exchange":
        assert node.op != "load"
        new = ir.Binary(node.op, old, value, type=type, location=where)
    else:
        assert expected is not None
        same = ir.Compare("eq", _bits(old, type), _bits(expected, type), type=boolean, location=where)
        new = ir.Select(same, value, old, type=type, location=where)
    return tuple(before), (load, ir.Store(node.place, index, new, location=where))


def _bits(value: ir.Expr, type: ScalarType) -> ir.Expr:
    if not type.is_float:
        return value
    to = u64 if type.size == 8 else u32
    return ir.Bitcast(value, type, to, type=to, location=value.location)

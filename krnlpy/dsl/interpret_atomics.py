"""Atomics as the interpreter runs them: threads run one at a time, so reading, computing and writing is enough."""

from __future__ import annotations

from krnlpy.scalar import ScalarType, boolean, u32, u64

from . import ir


def in_steps(node: ir.Atomic) -> ir.Block:
    """An atomic as a load and a store."""
    type, where = node.place.type.compute, node.location
    variable = node.targets[0] if node.targets else ir.Variable("old", type)
    old = ir.Local(variable, type=type, location=where)
    load = ir.Assign(variable, ir.Load(node.place, node.index, type=type, location=where), location=where)

    def store(value: ir.Expr) -> ir.Stmt:
        return ir.Store(node.place, node.index, value, location=where)

    if node.op == "compare_exchange":
        assert node.expected is not None
        same = ir.Compare("eq", _bits(old, type), _bits(node.expected, type), type=boolean, location=where)
        return (load, ir.If(same, (store(node.value),), (), location=where))
    if node.op == "exchange":
        return (load, store(node.value))
    return (load, store(ir.Binary(node.op, old, node.value, type=type, location=where)))


def _bits(value: ir.Expr, type: ScalarType) -> ir.Expr:
    if type.is_integer:
        return value
    to = u64 if type.size == 8 else u32
    return ir.Bitcast(value, type, to, type=to, location=value.location)

"""Whether a program uses subgroups."""

from __future__ import annotations

from krnlpy.dsl import ir


def has_subgroups(program: ir.Program) -> bool:
    """Whether a program's results depend on which threads form a subgroup."""
    bodies = (program.body, *(function.body for function in program.functions))
    return any(
        isinstance(node, ir.Collective | ir.CooperativeStmt)
        or (isinstance(node, ir.Id) and node.name.startswith("subgroup"))
        for body in bodies
        for node in ir.walk(body)
    )

"""Which of its buffers a program reads, and which it writes."""

from __future__ import annotations

from krnlpy.dsl import ir

Accesses = tuple[tuple[bool, bool], ...]
"""For each of ``program.buffers``: whether it may be read, whether it may be written."""


def buffer_accesses(program: ir.Program) -> Accesses:
    """What a program may do with its buffers, on any path.

    >>> from krnlpy import Item, ItemMut, Out, f32, kernel
    >>> @kernel
    ... def double(x: Item[f32], y: ItemMut[f32]):
    ...     y = 2.0 * x
    >>> buffer_accesses(double.definition.program({}))
    ((True, False), (False, True))
    """
    read: set[ir.Place] = set()
    written: set[ir.Place] = set()
    for body in (program.body, *(function.body for function in program.functions)):
        for node in ir.walk(body):
            match node:
                case ir.Load() | ir.CooperativeLoad() | ir.Atomic(op="load"):
                    read.add(node.place)
                case ir.Store() | ir.CooperativeStore() | ir.Atomic(op="store"):
                    written.add(node.place)
                case ir.Atomic():
                    read.add(node.place)
                    written.add(node.place)
    return tuple((buffer in read, buffer in written) for buffer in program.buffers)

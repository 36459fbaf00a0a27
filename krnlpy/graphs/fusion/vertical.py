"""Two kernels of the same items as one: an element that both have stays in a variable."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from krnlpy.dsl import ir

from .elements import Elements, common_shape
from .parts import Shared, of_items, program_name, refuse_body, refuse_size, renamed, replacing
from .renaming import Names, Renamer
from .source import Refused, Source


def vertical(p: Source, r: Source, is_dead: Callable[[Elements], bool]) -> Source:
    """The work of p, then of r.

    Args:
        is_dead: whether nobody but these reads elements.

    Raises:
        Refused: they can't be one kernel.
    """
    refuse_body(p)
    refuse_body(r)
    shape = common_shape(p.item_shape, r.item_shape) if prod(p.item_shape) == prod(r.item_shape) else None
    if shape is None:
        raise Refused(f"{p.label} has items of shape {p.item_shape}, {r.label} of shape {r.item_shape}")
    names = Names()
    known: list[Shared] = []
    others: list[tuple[int, Elements, bool]] = []
    parameters: list[ir.Parameter] = []
    bodies: list[ir.Stmt] = []
    functions: list[ir.Function] = []
    scalars, specs, views = {}, {}, {}
    for kernel, source in enumerate((p, r)):
        slots = of_items(kernel, source, shape, known, names)
        mapping: dict[Any, Any] = {}
        for buffer, view, _, writes in source.accesses:
            if isinstance(buffer, ir.GlobalParameter):
                mapping[buffer] = renamed(buffer, names)
                views[mapping[buffer].name] = view
                others.append((kernel, view, writes))
        for parameter in (*source.program.scalars, *source.program.specs):
            mapping[parameter] = renamed(parameter, names)
            if isinstance(parameter, ir.ScalarParameter):
                scalars[mapping[parameter].name] = source.scalars[parameter.name]
            else:
                specs[mapping[parameter].name] = source.specs[parameter.name]
        parameters += mapping.values()
        renamer: Renamer
        load, store = replacing(slots, lambda node: renamer(node))  # noqa: B023  (used before the next turn)
        renamer = Renamer(names, mapping, load, store)
        functions += [renamer(function) for function in source.program.functions]
        bodies += renamer(source.program.body)
    _refuse_conflicts(known, others)
    before, after, items = [], [], []
    for shared in known:
        is_loaded, is_stored = shared.is_loaded(), shared.is_written and not is_dead(shared.view)
        if not is_loaded and not is_stored:
            continue
        item = ir.ItemParameter(shared.name, shared.type, shared.location, is_stored)
        items.append(item)
        views[item.name] = shared.view
        if is_loaded:
            value = ir.Load(item, (), type=shared.type.compute, location=shared.location)
            before.append(ir.Assign(shared.variable, value, location=shared.location))
        if is_stored:
            after.append(ir.Store(item, (), shared.value(shared.location), location=shared.location))
    if not after and not any(writes for _, _, writes in others):
        raise Refused("nobody reads what they write")
    program = ir.Program(
        program_name(p, r),
        r.program.location,
        (*items, *parameters),
        (*before, *bodies, *after),
        tuple(functions),
        (),
        (),
        r.program.threads,
        all(s.program.unchecked or len(s.program.items) == len(s.program.buffers) for s in (p, r)),
    )
    refuse_size(program)
    return Source(program, specs, r.threads, None, scalars, views, (*p.names, *r.names))


def _refuse_conflicts(known: list[Shared], others: list[tuple[int, Elements, bool]]) -> None:
    """Raises Refused where both touch something, one writes it, and it is no item that both have at the same index."""
    for i, a in enumerate(known):
        for b in known[:i]:
            if (a.is_written or b.is_written) and a.view.overlaps(b.view):
                raise Refused(f"{a.name} and {b.name} share elements at other indices")
        for _, view, writes in others:
            if (a.is_written or writes) and a.view.overlaps(view):
                raise Refused(f"one reads or writes anywhere what the other has as an item, {a.name}")
    for i, (kernel, a_view, writes) in enumerate(others):
        for also, b_view, is_written in others[:i]:
            if kernel != also and (writes or is_written) and a_view.overlaps(b_view):
                raise Refused("one reads anywhere what the other writes anywhere")

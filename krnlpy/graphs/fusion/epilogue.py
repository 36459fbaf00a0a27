"""An item kernel as the epilogue of another kernel: its body stands where that one stores an element of an ``Out``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from krnlpy.dsl import ir
from krnlpy.scalar import i32

from .elements import Elements
from .parts import (
    Shared,
    Use,
    local,
    of_items,
    program_name,
    refuse_body,
    refuse_reports,
    refuse_size,
    renamed,
    replacing,
    stored,
)
from .renaming import Names, Renamer
from .source import Refused, Source


def epilogue(p: Source, r: Source, read: Elements, is_dead: Callable[[Elements], bool]) -> Source:
    """The work of p, then of r, which reads what p stores.

    Args:
        read: the elements.
        is_dead: whether nobody but these reads elements.

    Raises:
        Refused: they can't be one kernel.
    """
    refuse_reports(p)
    refuse_body(r)
    if len(r.program.items) < len(r.program.buffers):
        raise Refused(f"{r.label} reads more than items")
    out, at = _store_of(p, read)
    shape, location = p.views[out.name].shape, at.location
    names = Names(parameter.name for parameter in p.program.parameters)
    for node in ir.walk(p.program.body):
        if isinstance(node, ir.Assign):
            names.new(node.variable.name)
    index = tuple(ir.Variable(names.new("at"), i32) for _ in at.index)
    indices = tuple(local(variable, location) for variable in index)
    value = ir.Variable(names.new(out.name), out.type.compute)
    stands = Shared(out.type, p.views[out.name], out.name, out.location, value, out, [Use(0, True, "writes")])
    known = [stands]
    slots = of_items(1, r, shape, known, names)
    _refuse_conflicts(p, out, known)

    mapping: dict[Any, Any] = {q: renamed(q, names) for q in (*r.program.scalars, *r.program.specs)}
    scalars = p.scalars | {mapping[q].name: r.scalars[q.name] for q in r.program.scalars}
    specs = {**p.specs, **{mapping[q].name: r.specs[q.name] for q in r.program.specs}}
    views = dict(p.views)
    parameters = [*p.program.parameters, *mapping.values()]
    before: list[ir.Stmt] = [
        ir.Assign(variable, _as_i32(i), location=location) for variable, i in zip(index, at.index, strict=True)
    ]
    before.append(ir.Assign(value, stored(at.value, out.type), location=location))
    after: list[ir.Stmt] = []
    beside: list[ir.GlobalParameter] = []  # of the shape of the Out
    for shared in known:
        is_stored = shared.is_written and not is_dead(shared.view)
        is_loaded = shared is not stands and shared.is_loaded()
        if shared is stands:
            if is_stored:
                after.append(replace(at, index=indices, value=local(value, location)))
            else:
                parameters.remove(out)
                del views[out.name]
        elif is_loaded or is_stored:
            promise = is_stored and not is_loaded
            g = ir.GlobalParameter(shared.name, shared.type, shared.location, len(shape), is_stored, promise)
            beside.append(g)
            views[g.name] = shared.view
            if is_loaded:
                loaded = ir.Load(g, indices, at.checked, type=shared.type.compute, location=location)
                before.append(ir.Assign(shared.variable, loaded, location=location))
            if is_stored:
                after.append(ir.Store(g, indices, shared.value(location), at.checked, location=location))
    if not after:
        raise Refused("nobody reads what they write")
    # Where the Out is gone, its lengths are those of another parameter of its shape.
    shape_of = out if out.name in views else next(iter(beside), None)
    if shape_of is None:
        raise Refused(f"nothing is left that has the shape of {out.name}")
    places: dict[Any, Any] = {} if shape_of is out else {out: shape_of}
    renamer: Renamer
    load, store = replacing(slots, lambda node: renamer(node))
    renamer = Renamer(names, mapping, load, store, _ids(shape_of, indices, location))
    tail = (*before, *renamer(r.program.body), *after)
    functions = tuple(renamer(function) for function in r.program.functions)
    keep = Renamer(None, places)
    insert = list(keep(tail))
    host = Renamer(None, places, store=lambda node: insert if node.place is out else None)
    program = replace(
        p.program,
        name=program_name(p, r),
        parameters=(*parameters, *beside),
        body=host(p.program.body),
        functions=(*p.program.functions, *functions),
    )
    refuse_size(program)
    return Source(program, specs, p.threads, p.groups, scalars, views, (*p.names, *r.names))


def _store_of(p: Source, read: Elements) -> tuple[ir.GlobalParameter, ir.Store]:
    """The Out that is these elements, and the one store to it."""
    outs = [q for q in p.program.buffers if isinstance(q, ir.GlobalParameter) and q.once]
    out = next((q for q in outs if p.views[q.name].is_same(read)), None)
    if out is None:
        raise Refused(f"{p.label} has no Out that is just what is read")
    if not p.views[out.name].is_contiguous:
        raise Refused(f"{out.name} of {p.label} is strided")
    touching = [n for n in ir.walk(p.program.body) if getattr(n, "place", None) is out and not isinstance(n, ir.Extent)]
    if len(touching) != 1 or not isinstance(touching[0], ir.Store):
        raise Refused(f"{p.label} touches {out.name} at {len(touching)} places")
    if any(getattr(node, "place", None) is out for f in p.program.functions for node in ir.walk(f.body)):
        raise Refused(f"a function of {p.label} touches {out.name}")
    return out, touching[0]


def _refuse_conflicts(p: Source, out: ir.GlobalParameter, known: list[Shared]) -> None:
    for shared in known:
        for q, view, _, writes in p.accesses:
            if q is not out and (shared.is_written or writes) and shared.view.overlaps(view):
                raise Refused(f"{p.label} touches {q.name}, which the epilogue touches at other indices")
        for other in known:
            if other is not shared and shared.is_written and shared.view.overlaps(other.view):
                raise Refused(f"{shared.name} and {other.name} share elements at other indices")


def _as_i32(e: ir.Expr) -> ir.Expr:
    return e if e.type is i32 else ir.Cast(e, type=i32, location=e.location)


def _ids(
    shape_of: ir.GlobalParameter, indices: tuple[ir.Expr, ...], location: ir.Location
) -> Callable[[ir.Id], ir.Expr | None]:
    """What takes the place of ``item_id()`` and ``items()``: computed of the store's index and the lengths."""

    def id(node: ir.Id) -> ir.Expr | None:
        is_count = node.name == "items"
        total: ir.Expr = ir.const(1 if is_count else 0, i32, location)
        for axis, at in enumerate(indices):
            length = ir.Extent(shape_of, axis, type=i32, location=location)
            total = ir.Binary("mul", total, length, type=i32, location=location)
            if not is_count:
                total = ir.Binary("add", total, at, type=i32, location=location)
        return total

    return id

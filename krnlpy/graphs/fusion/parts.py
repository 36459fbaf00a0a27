"""What the two ways to make one kernel of two have in common: elements as variables, and what can't be a part."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType

from .elements import Elements
from .renaming import Names
from .source import Refused, Source

MAX_NODES = 2000
"""Nodes of the IR that a kernel made of others has at most: compilers take longer than in proportion."""
MAX_BUFFERS = 16
"""Buffers that such a kernel has at most."""


@dataclass(frozen=True)
class Use:
    """What one of the two kernels does with an element.

    Attributes:
        kernel: 0 or 1, in their order.
        begins: whether it ``reads`` it first, ``writes`` it always before it reads, ``may write`` it, or does nothing
            with it (``""``).
    """

    kernel: int
    writes: bool
    begins: str


@dataclass(eq=False)
class Shared:
    """An element that a thread has in a variable. Both kernels may have it.

    Attributes:
        name: of the parameter, if it is one.
        out: the parameter whose store it is, in an epilogue.
    """

    type: ScalarType
    view: Elements
    name: str
    location: ir.Location
    variable: ir.Variable
    out: ir.GlobalParameter | None = None
    uses: list[Use] = field(default_factory=list)

    @property
    def is_written(self) -> bool:
        """Whether one of the kernels writes it."""
        return any(use.writes for use in self.uses)

    def is_loaded(self) -> bool:
        """Whether it must be read before the kernels' work.

        Raises:
            Refused: it may stay as it was: then what nobody wrote would be read, and written back.
        """
        uses = [use for use in self.uses if use.begins]
        first = [use.begins for use in uses if use.kernel == uses[0].kernel]
        if "reads" in first:
            return True
        if "may write" in first or len(first) > 1:
            raise Refused(f"{self.name} may be left as it was")
        return False

    def value(self, location: ir.Location) -> ir.Expr:
        """The variable's value."""
        return local(self.variable, location)

    def assigned(self, value: ir.Expr, location: ir.Location) -> ir.Stmt:
        """Takes the place of a store of a value."""
        return ir.Assign(self.variable, stored(value, self.type), location=location)


def of_items(
    kernel: int, source: Source, shape: tuple[int, ...], known: list[Shared], names: Names
) -> dict[ir.ItemParameter, Shared]:
    """The elements of the items of a kernel; those that are not among the known ones are added to them.

    Raises:
        Refused: an item can't be seen in the shape.
    """
    result, new = {}, []
    for p, view, _, writes in source.accesses:
        if not isinstance(p, ir.ItemParameter):
            continue
        seen = view.seen_in(shape)
        if seen is None:
            raise Refused(f"{p.name} of {source.label} can't be seen in the shape {shape}")
        shared = next((s for s in known if s.type is p.type and s.view.is_same(seen)), None)
        if shared is None:
            name = names.new(p.name)
            shared = Shared(p.type, seen, name, p.location, ir.Variable(names.new(p.name), p.type.compute))
            new.append(shared)
        shared.uses.append(Use(kernel, writes, beginning(source.program.body, p)))
        result[p] = shared
    known += new
    return result


def replacing(
    slots: dict[ir.ItemParameter, Shared], renamed: Callable[[Any], Any]
) -> tuple[Callable[[ir.Load], ir.Expr | None], Callable[[ir.Store], list[ir.Stmt] | None]]:
    """What takes the place of loads and stores of items that are variables."""

    def load(node: ir.Load) -> ir.Expr | None:
        shared = slots.get(node.place)  # type: ignore[arg-type]
        return None if shared is None else shared.value(node.location)

    def store(node: ir.Store) -> list[ir.Stmt] | None:
        shared = slots.get(node.place)  # type: ignore[arg-type]
        return None if shared is None else [shared.assigned(renamed(node.value), node.location)]

    return load, store


def local(variable: ir.Variable, location: ir.Location) -> ir.Expr:
    """The value of a variable."""
    return ir.Local(variable, type=variable.type, location=location)


def stored(value: ir.Expr, type: ScalarType) -> ir.Expr:
    """What a store to an element of a type, and a load of it, make of a value."""
    if type.is_float and type.size < 4:
        return ir.Round(value, type, type=value.type, location=value.location)
    return value


def beginning(body: ir.Block, place: ir.Place) -> str:
    """How a body begins with an item; see :class:`Use`."""
    may_write = False
    for statement in body:
        if any(isinstance(node, ir.Load) and node.place is place for node in ir.walk(statement)):
            return "reads"
        if _always_stores((statement,), place):
            return "writes"
        may_write |= any(isinstance(node, ir.Store) and node.place is place for node in ir.walk(statement))
    return "may write" if may_write else ""


def _always_stores(body: ir.Block, place: ir.Place) -> bool:
    for s in body:
        if isinstance(s, ir.Store) and s.place is place:
            return True
        if isinstance(s, ir.If) and _always_stores(s.then, place) and _always_stores(s.otherwise, place):
            return True
    return False


def writes_whole(source: Source) -> Iterable[Elements]:
    """The contiguous elements that a launch surely writes all of, and does not read."""
    if isinstance(source, Source):
        returns = any(isinstance(node, ir.Return) for node in ir.walk(source.program.body))
        for p, view, reads, writes in source.accesses:
            if reads or not writes or not view.is_contiguous:
                continue
            if isinstance(p, ir.GlobalParameter):
                if p.once:
                    yield view
            elif not returns and beginning(source.program.body, p) == "writes":
                yield view


def program_name(p: Source, r: Source) -> str:
    """A name for the program of both, by those of the first and the last kernel."""
    names = [*p.names, *r.names]
    first, last = (re.sub(r"\W", "_", name.split("[")[0])[:40] for name in (names[0], names[-1]))
    between = f"{len(names) - 2}_more_then_" if len(names) > 2 else ""
    return f"{first}_then_{between}{last}"


def refuse_body(source: Source) -> None:
    """Raises Refused where the body of an item kernel can't be a part of another."""
    program, name = source.program, source.label
    bodies = (program.body, *(function.body for function in program.functions))
    if program.group_arrays or program.local_arrays:
        raise Refused(f"{name} has arrays of its own")
    for node in (node for body in bodies for node in ir.walk(body)):
        if isinstance(node, ir.Barrier | ir.Fence | ir.Collective | ir.CooperativeStmt):
            raise Refused(f"threads meet in {name}")
        if isinstance(node, ir.Print | ir.Assert | ir.Breakpoint):
            raise Refused(f"{name} prints or checks")
        if isinstance(node, ir.Id) and node.name not in ("item_id", "items"):
            raise Refused(f"{name} asks for ids of threads")
    if any(isinstance(node, ir.Return) for node in ir.walk(program.body)):
        raise Refused(f"{name} returns early")
    if any(isinstance(p, ir.ItemParameter) for f in program.functions for p in _places(f.body)):
        raise Refused(f"a function touches an item of {name}")


def refuse_reports(source: Source) -> None:
    """Raises Refused where a kernel has something to tell."""
    bodies = (source.program.body, *(function.body for function in source.program.functions))
    if any(isinstance(node, ir.Print | ir.Assert | ir.Breakpoint) for body in bodies for node in ir.walk(body)):
        raise Refused(f"{source.label} prints or checks")


def refuse_size(program: ir.Program) -> None:
    """Raises Refused where a kernel made of others is too large."""
    if len(program.buffers) > MAX_BUFFERS:
        raise Refused(f"together they have {len(program.buffers)} buffers; a kernel made of others has {MAX_BUFFERS}")
    if sum(1 for _ in ir.walk(program.body)) > MAX_NODES:
        raise Refused(f"together they are longer than {MAX_NODES} nodes")


def _places(body: ir.Block) -> Iterable[Any]:
    return (getattr(node, "place", None) for node in ir.walk(body))


def renamed(parameter: Any, names: Names) -> Any:
    """A parameter under a new name."""
    return replace(parameter, name=names.new(parameter.name))

"""What a launch was made of: read from the executable's request and the launch's bytes, and made a launch again."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from math import prod
from time import perf_counter
from typing import Any
from weakref import WeakValueDictionary

from krnlpy.backend.commands import Launch
from krnlpy.backend.protocol import Backend, BuildRequest
from krnlpy.dsl import ir
from krnlpy.dsl.ir.layout import Layout, Variant, layout_of
from krnlpy.dsl.passes.accesses import buffer_accesses
from krnlpy.dsl.types.annotations import MAX_NDIM
from krnlpy.errors import LimitExceeded, MissingFeatures
from krnlpy.log import logger
from krnlpy.views import strides as views
from krnlpy.views.strides import Shape, contiguous_strides

from .elements import Elements

_SHOWN = 4
"""Kernels that are named."""

Place = tuple[int, int]
"""Where the bytes of a number are: the number of a captured command, and the first byte in its parameters."""


class Refused(Exception):
    """Why two commands are not made one."""


@dataclass(frozen=True, eq=False)
class Source:
    """What a launch is made of.

    Attributes:
        groups: None where the number of items decides.
        scalars: where each number's bytes are, by the parameter's name.
        views: the elements of each buffer parameter, by name.
        names: of the kernels that it does the work of, in order, for people.
        executable: what was captured, where that is the program's.
    """

    program: ir.Program
    specs: Mapping[str, Any]
    threads: tuple[int, int, int]
    groups: tuple[int, int, int] | None
    scalars: dict[str, Place]
    views: dict[str, Elements]
    names: tuple[str, ...]
    executable: Any = None

    @property
    def label(self) -> str:
        """How people call it."""
        if len(self.names) > _SHOWN:
            return f"{self.names[0]} + {len(self.names) - 2} more + {self.names[-1]}"
        return " + ".join(self.names)

    @property
    def is_of_items(self) -> bool:
        """Whether each thread has an item."""
        return bool(self.program.items)

    @property
    def item_shape(self) -> Shape:
        """The shape of all items."""
        return self.views[self.program.items[0].name].shape

    @cached_property
    def accesses(self) -> list[tuple[ir.BufferParameter, Elements, bool, bool]]:
        """Each buffer parameter, its elements, whether they may be read, whether they may be written."""
        both = buffer_accesses(self.program)
        return [(p, self.views[p.name], *access) for p, access in zip(self.program.buffers, both, strict=True)]


def source_of(launch: Launch, number: int) -> Source:
    """What a captured launch was made of.

    Args:
        number: that of the command.

    Raises:
        Refused: it can't be told.
    """
    request: BuildRequest | None = getattr(launch.executable, "request", None)
    if request is None:
        raise Refused("it was not built from a kernel")
    program, variant = request.program, request.variant
    if request.debug:
        raise Refused("it was built for debugging")
    if any(p.part_of for p in program.buffers):
        raise Refused("its buffers are parts of one")
    layout = layout_of(program, variant)
    values = _unpacked(layout, launch.parameters)
    shape: Shape = ()
    if program.items:
        shape = tuple(values["item_shape"]) if variant.item_rank else (values["items"][0],)
    found = {}
    for p, (memory, _, _), is_contiguous in zip(program.buffers, launch.bindings, variant.contiguous, strict=True):
        if isinstance(p, ir.ItemParameter):
            seen, strides = shape, tuple(values[f"{p.name}_strides"]) if variant.item_rank else (1,)
        else:
            seen = tuple(values[f"{p.name}_shape"]) if p.ndim else ()
            strides = contiguous_strides(seen) if is_contiguous else tuple(values[f"{p.name}_strides"])
        found[p.name] = Elements(memory, p.type.size, seen, strides, values[f"{p.name}_offset"][0])
    scalars = {p.name: (number, layout[p.name].offset) for p in program.scalars}
    groups = None if program.items else launch.groups
    names, executable = (launch.executable.name,), launch.executable
    return Source(program, request.specs, request.threads, groups, scalars, found, names, executable)


def _unpacked(layout: Layout, parameters: bytes) -> dict[str, tuple[Any, ...]]:
    flat = layout.format.unpack(parameters[: layout.size])
    values, at = {}, 0
    for field in layout.fields:
        values[field.name] = flat[at : at + max(field.count, 1)]
        at += max(field.count, 1)
    return values


# ------------------------------------------------------------------------------------------------------ to a launch


def launch_of(backend: Backend, source: Source, captured: Sequence[Any]) -> Launch:
    """The launch of what a rewrite has made.

    Args:
        captured: the commands whose parameters have the numbers.

    Raises:
        Refused: the device can't run it.
    """
    variant, values, groups = _geometry(backend, source)
    executable = _built(backend, source, variant)
    bindings = tuple(source.views[p.name].binding for p in source.program.buffers)
    layout = layout_of(source.program, variant)
    return Launch(executable, groups, bindings, _packed(layout, source, values, captured))


def with_numbers(launch: Launch, source: Source, captured: Sequence[Any]) -> Launch:
    """A launch of a source with the numbers that captured commands have now."""
    layout = layout_of(source.program, launch.executable.request.variant)
    block = bytearray(launch.parameters)
    _put_numbers(block, layout, source, captured)
    return launch._replace(parameters=bytes(block))


def _geometry(backend: Backend, source: Source) -> tuple[Variant, dict[str, Any], tuple[int, int, int]]:
    """The variant, the values of the parameter block that are no scalars, and the groups."""
    program, rank, groups = source.program, 0, source.groups
    values: dict[str, Any] = {}
    if source.is_of_items:
        items = [source.views[p.name] for p in program.items]
        count = prod(items[0].shape)
        values["items"] = count
        groups = min(-(-count // source.threads[0]), backend.info.max_groups_xyz[0]), 1, 1
        if not all(view.is_contiguous for view in items):
            shape, strides = views.collapse(items[0].shape, tuple(view.strides for view in items))
            rank = len(shape)
            if rank > MAX_NDIM:
                raise Refused(f"its items are strided along {rank} axes; kernels take {MAX_NDIM}")
            values["item_shape"] = shape
            values |= {f"{p.name}_strides": s for p, s in zip(program.items, strides, strict=True)}
    assert groups is not None
    contiguous = []
    for p in program.buffers:
        view = source.views[p.name]
        values[f"{p.name}_offset"] = view.offset
        if isinstance(p, ir.ItemParameter):
            contiguous.append(not rank)
        else:
            contiguous.append(view.is_contiguous)
            values[f"{p.name}_shape"], values[f"{p.name}_strides"] = view.shape, view.strides
    return Variant(rank, tuple(contiguous)), values, groups


def _packed(layout: Layout, source: Source, values: Mapping[str, Any], captured: Sequence[Any]) -> bytes:
    flat: list[Any] = []
    for field in layout.fields:
        value = values.get(field.name, 0)  # numbers follow as bytes
        flat += value if field.count else [value]
    block = bytearray(layout.format.pack(*flat))
    _put_numbers(block, layout, source, captured)
    return bytes(block)


def _put_numbers(block: bytearray, layout: Layout, source: Source, captured: Sequence[Any]) -> None:
    for name, (number, place) in source.scalars.items():
        field = layout[name]
        size = field.type.size
        block[field.offset : field.offset + size] = captured[number].parameters[place : place + size]


_executables: WeakValueDictionary[Any, Any] = WeakValueDictionary()
"""What was built of rewritten programs, as long as graphs use it. The key is the whole text of the program."""


def _built(backend: Backend, source: Source, variant: Variant) -> Any:
    if source.executable is not None and source.executable.request.variant == variant:
        return source.executable
    specs = tuple(sorted((name, repr(value)) for name, value in source.specs.items()))
    key = backend, text_of(source.program), variant, specs, source.threads
    executable = _executables.get(key)
    if executable is None:
        request = BuildRequest(source.program, variant, source.specs, source.threads)
        begin = perf_counter()
        try:
            executable = backend.build(request)
        except (LimitExceeded, MissingFeatures) as error:
            raise Refused(str(error)) from None
        executable.name, executable.request = source.label, request
        logger.info("built %s for a graph in %.1f ms", executable.name, 1e3 * (perf_counter() - begin))
        _executables[key] = executable
    return executable


def text_of(program: ir.Program) -> str:
    """All of a program, as text that is equal for equal programs only: what is told by identity has a number."""
    parts: list[str] = []
    numbers: dict[int, int] = {}

    def write(node: Any) -> None:
        if isinstance(node, ir.Location):
            parts.append(f"@{node.line}:{node.column};")
        elif isinstance(node, tuple):
            parts.append("(")
            for part in node:
                write(part)
            parts.append(")")
        elif isinstance(node, ir.Expr | ir.Stmt):
            write_fields(node)
        elif isinstance(node, ir.Parameter | ir.Variable | ir.LocalArray | ir.CooperativeMatrix | ir.Function):
            is_new = id(node) not in numbers
            parts.append(f"#{numbers.setdefault(id(node), len(numbers))};")
            if is_new:
                write_fields(node)
        elif isinstance(node, float):
            parts.append(f"{struct.pack('d', node).hex()};")
        else:
            parts.append(f"{node!r};")

    def write_fields(node: Any) -> None:
        parts.append(f"{type(node).__name__}(")
        for field in fields(node):
            if field.name != "origin":
                write(getattr(node, field.name))
        parts.append(")")

    for field in fields(program):
        write(getattr(program, field.name))
    return "".join(parts)

"""From a Program to plain Python functions: the executable definition of the language.

The functions' code has the lines and columns of the kernel's source, so that debuggers and tracebacks show it. One
call of the kernel's function is one thread (in kernels with items: one item). A kernel with barriers or subgroup
operations becomes a generator function; it yields where it waits:

- ``(position, site)`` at a barrier,
- ``(position, site, values)`` at an operation of a subgroup, with the operands, and is sent the results.

``site`` is an index into ``Interpretation.sites``. ``position`` is a tuple that grows as control goes on: the place in
the program, with the count of the iteration after each loop's place. Two threads wait together where their positions
are equal, and the thread with the lesser position is behind.
"""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.ir.layout import Variant, layout_of
from krnlpy.dsl.semantics.collectives import SUBGROUP_THREADS
from krnlpy.scalar import boolean, convert

from .expressions import PREFIX, RUNTIME, UNIFORM_IDS, BufferNames, Scope, Site, id_name
from .runtime import ExecutionState, Fault, Storage, functions
from .statements import PER_THREAD_IDS, Statements, new_name, suspends, zero

__all__ = ["ExecutionState", "Fault", "Interpretation", "Placement", "Site", "Storage", "translate"]


@dataclass(frozen=True)
class Interpretation:
    """A translated program.

    Attributes:
        suspends: whether the kernel is a generator function.
        group_arrays: for each group array, what an element is at first, and the shape.
        sites: the places that may fail or wait.
        collectives: the operations of subgroups, by their sites.
        subgroup_threads: threads of a subgroup.
    """

    program: ir.Program
    variant: Variant
    threads: tuple[int, int, int]
    suspends: bool
    group_arrays: tuple[tuple[float, tuple[int, ...]], ...]
    sites: tuple[Site, ...]
    collectives: Mapping[int, ir.Collective]
    subgroup_threads: int
    _scope: Scope
    _codes: tuple[tuple[str, CodeType], ...]

    def unpack(self, parameters: bytes) -> Mapping[str, Any]:
        """The values of the parameter block by name."""
        layout = layout_of(self.program, self.variant)
        flat = iter(layout.format.unpack(parameters[: layout.size]))
        return {
            field.name: tuple(itertools.islice(flat, field.count)) if field.count else next(flat)
            for field in layout.fields
        }

    def placement(self, parameter: ir.BufferParameter, values: Mapping[str, Any]) -> Placement:
        """Where the elements of a buffer lie in a launch with these values."""
        shape = values.get(f"{parameter.name}_shape", ())
        if isinstance(parameter, ir.ItemParameter):
            shape = values.get("item_shape") or (values["items"],)
        strides = values.get(f"{parameter.name}_strides") or contiguous_strides(shape)
        return Placement(shape, strides, values[f"{parameter.name}_offset"])

    def bind(self, values: Mapping[str, Any], buffers: Iterable[Storage], now: ExecutionState) -> Callable[..., Any]:
        """The kernel's function for one launch.

        The function takes the group's ids x, y, z, the thread's ids in the group x, y, z, then if the kernel suspends
        a position to count from, then if it has items the item's index, then the group arrays: what is indexed by one
        number. ``now`` is kept up to date by whoever calls it.
        """
        scope, program = self._scope, self.program
        # What Python's own `breakpoint` imports by the name that PYTHONBREAKPOINT has needs `__builtins__`.
        namespace = {"__builtins__": builtins, **functions(self.sites, scope.formats, now), **RUNTIME}
        for table, id in scope.tables.items():
            namespace[id] = table.values
        for argument, id in scope.arguments.items():
            value = values[argument.name]
            namespace[id] = bool(value) if argument.type is boolean else value
        for axis in range(3):
            namespace[f"{PREFIX}groups_{axis}"] = now.groups[axis]
            namespace[f"{PREFIX}global_threads_{axis}"] = now.groups[axis] * self.threads[axis]
        namespace[PREFIX + "items"] = values.get("items", 0)
        for axis, length in enumerate(values.get("item_shape", ())):
            namespace[f"{PREFIX}item_shape_{axis}"] = length
        for parameter, storage in zip(program.buffers, buffers, strict=True):
            names, place = scope.buffers[parameter], self.placement(parameter, values)
            namespace[names.view] = storage.view
            namespace[names.array] = storage.array
            namespace[names.write] = storage.write
            namespace[names.offset] = place.offset
            namespace.update(zip(names.lengths, place.shape, strict=False))
            namespace.update(zip(names.strides, place.strides, strict=False))
            namespace.setdefault(parameter.name, place.of(storage.array))
        function = None
        for id, code in self._codes:  # functions first, the kernel last
            namespace[id] = function = FunctionType(code, namespace)
        assert function is not None
        return function


@dataclass(frozen=True)
class Placement:
    """A strided view of a memory, in elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def of(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The view of all elements of the memory."""
        strides = tuple(stride * array.itemsize for stride in self.strides)
        return np.ndarray(self.shape, array.dtype, array, self.offset * array.itemsize, strides)

    def index(self, at: int) -> tuple[int, ...]:
        """The index along each axis of an element of the memory; 0 along axes that repeat it."""
        # Axes of negative strides are counted from their other ends.
        rest = at - self.offset - sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True) if s < 0)
        found = dict.fromkeys(range(len(self.shape)), 0)
        for axis in sorted(found, key=lambda axis: -abs(self.strides[axis])):
            stride, length = self.strides[axis], self.shape[axis]
            if stride and length > 1:
                found[axis], rest = divmod(rest, abs(stride))
                if stride < 0:
                    found[axis] = length - 1 - found[axis]
        return tuple(found[axis] for axis in range(len(self.shape)))


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of a row-major array."""
    products = itertools.accumulate(reversed(shape[1:]), lambda a, b: a * b, initial=1)
    return tuple(products)[::-1] if shape else ()


def translate(
    program: ir.Program,
    variant: Variant,
    specs: Mapping[str, int | float | bool],
    threads: tuple[int, int, int],
    check_overflow: bool = False,
    debugged: bool = False,
) -> Interpretation:
    """Translates a program for known values of its spec parameters and threads of a group.

    With ``check_overflow`` whole numbers that do not fit their types are faults; ``debugged`` gives items and arrays
    names for debuggers, at some cost for each thread.
    """
    scope = _scope(program, variant, specs, threads, check_overflow, debugged)
    codes = []
    for function in program.functions:  # callees first
        if suspends(function.body, scope.suspending):
            scope.suspending.add(function)
        codes.append((scope.functions[function], Statements(scope).function(function)))
    kernel = Statements(scope).kernel(program, variant, threads)
    return Interpretation(
        program,
        variant,
        threads,
        suspends(program.body, scope.suspending),
        tuple((zero(array.type), scope.shape(array)) for array in program.group_arrays),
        tuple(scope.sites),
        scope.collectives,
        program.subgroup_threads or SUBGROUP_THREADS,
        scope,
        (*codes, (f"{PREFIX}kernel", kernel)),
    )


def _scope(
    program: ir.Program,
    variant: Variant,
    specs: Mapping[str, int | float | bool],
    threads: tuple[int, int, int],
    check_overflow: bool,
    debugged: bool,
) -> Scope:
    bodies = [program.body, *(function.body for function in program.functions)]
    used = {id_name(n) for body in bodies for n in ir.walk(body) if isinstance(n, ir.Id) and n.name not in UNIFORM_IDS}
    taken = _local_names(program)
    size = program.subgroup_threads or SUBGROUP_THREADS
    uniform: dict[tuple[str, int], int | str] = {
        ("subgroup_threads", 0): size,
        ("subgroups", 0): -(-math.prod(threads) // size),
        ("items", 0): f"{PREFIX}items",
    }
    for axis in range(3):
        uniform["threads", axis] = threads[axis]
        uniform["groups", axis] = f"{PREFIX}groups_{axis}"
        uniform["global_threads", axis] = f"{PREFIX}global_threads_{axis}"
    return Scope(
        ids=tuple(id for id in PER_THREAD_IDS if id in used),
        specs={p: convert(specs[p.name], p.type).item() for p in program.specs},
        arguments={p: new_name(p.name, taken) for p in program.scalars},
        uniform_ids=uniform,
        buffers={
            parameter: _buffer_names(f"{PREFIX}buffer_{i}", parameter, variant.item_rank, contiguous)
            for i, (parameter, contiguous) in enumerate(zip(program.buffers, variant.contiguous, strict=True))
        },
        functions={function: f"{PREFIX}function_{i}" for i, function in enumerate(program.functions)},
        tables={table: f"{PREFIX}table_{i}" for i, table in enumerate(program.constant_arrays)},
        check_overflow=check_overflow,
        debugged=debugged,
    )


def _buffer_names(prefix: str, parameter: ir.BufferParameter, item_rank: int, contiguous: bool) -> BufferNames:
    is_item = isinstance(parameter, ir.ItemParameter)
    axes = range(item_rank if isinstance(parameter, ir.ItemParameter) else parameter.ndim)
    return BufferNames(
        view=prefix,
        array=f"{prefix}_array",
        write=f"{prefix}_write",
        offset=f"{prefix}_offset",
        at=f"{prefix}_at",
        lengths=() if is_item else tuple(f"{prefix}_length_{axis}" for axis in axes),
        strides=tuple(f"{prefix}_stride_{axis}" for axis in axes),
        contiguous=contiguous and not is_item,
    )


def _local_names(program: ir.Program) -> set[str]:
    """What variables and arrays of any function are called: globals must not be called so."""
    found = {array.name for array in (*program.group_arrays, *program.local_arrays)}
    for body in (program.body, *(function.body for function in program.functions)):
        found |= {variable.name for variable in ir.assigned_variables(body)}
    for function in program.functions:
        found |= {variable.name for variable in function.parameters}
        found |= {array.name for array in function.local_arrays}
    return found

"""Launches a Python function as a kernel on the host backend, without devices, buffers and kernels' own checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.ir.layout import Layout, Variant, layout_of
from krnlpy.host import open_host
from krnlpy.scalar import ScalarType

Array = np.ndarray[Any, Any]


def program_of(
    function: Callable[..., Any],
    types: dict[TypeVar, ScalarType] | None = None,
    threads: tuple[int, int, int] = (64, 1, 1),
    unchecked: bool = False,
) -> ir.Program:
    signature = frontend.read_signature(function)
    return frontend.lower(signature, types or {}, threads, unchecked)


def launch(
    function: Callable[..., Any],
    *arguments: Any,
    types: dict[TypeVar, ScalarType] | None = None,
    threads: tuple[int, int, int] = (64, 1, 1),
    groups: tuple[int, int, int] = (1, 1, 1),
    unchecked: bool = False,
    debug: bool = False,
    strided: bool = False,
    **specs: Any,
) -> None:
    """Runs a kernel: arrays (or views of arrays) for buffers, numbers for scalars, in the order of the parameters.

    ``strided`` takes the strided variant also where the arrays are contiguous.
    """
    program = program_of(function, types, threads, unchecked)
    given = dict(zip([p.name for p in program.parameters if not isinstance(p, ir.SpecParameter)], arguments))  # noqa: B905
    arrays = [given[p.name] for p in program.buffers]
    whole = not strided and all(a.flags.c_contiguous for a in arrays)
    items = [given[p.name] for p in program.items]
    rank = 0 if whole or not items else max(1, items[0].ndim)
    contiguous = tuple(
        rank == 0 if isinstance(p, ir.ItemParameter) else not strided and a.flags.c_contiguous
        for p, a in zip(program.buffers, arrays, strict=True)
    )
    variant = Variant(rank, contiguous)
    backend = open_host()
    chosen = {p.name: specs.get(p.name, p.default) for p in program.specs}
    executable = backend.build(program, variant, chosen, threads, debug)
    bindings, offsets = [], []
    for array in arrays:
        bytes = _root(array).reshape(-1).view(np.uint8)
        memory = backend.adopt(bytes)[0] if bytes.size else backend.allocate(64)
        bindings.append((memory, 0, memory.nbytes))
        offsets.append((array.ctypes.data - memory.address) // array.itemsize if array.size else 0)
    block = _pack(layout_of(program, variant), program, given, offsets)
    backend.launch(executable, groups, bindings, block)


def _root(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _pack(layout: Layout, program: ir.Program, given: dict[str, Any], offsets: list[int]) -> bytes:
    values: dict[str, Any] = {p.name: given[p.name] for p in program.scalars}
    for parameter, offset in zip(program.buffers, offsets, strict=True):
        array = given[parameter.name]
        values[f"{parameter.name}_offset"] = offset
        values[f"{parameter.name}_shape"] = array.shape
        values[f"{parameter.name}_strides"] = [s // array.itemsize for s in array.strides]
        if isinstance(parameter, ir.ItemParameter):
            values["items"], values["item_shape"] = array.size, array.shape
    flat: list[Any] = []
    for field in layout.fields:
        value = values[field.name]
        flat += [value] if field.count == 0 else list(value)
    return layout.format.pack(*flat)

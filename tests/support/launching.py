"""Runs kernels straight through the backend protocol: no devices, buffers, or checks of arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest

from krnlpy.backend.protocol import Backend, BuildRequest
from krnlpy.dsl import ir
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.ir.layout import Variant, layout_of
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType, convert, scalar_type

Array = np.ndarray[Any, Any]
Dimensions = tuple[int, int, int]


def lower(
    function: Callable[..., Any], threads: Dimensions = (64, 1, 1), unchecked: bool = False, **types: ScalarType
) -> ir.Program:
    """The program of a kernel, with types for its type variables by their names."""
    signature = frontend.read_signature(function)
    return frontend.lower(signature, {v: types[v.__name__] for v in signature.type_variables}, threads, unchecked)


class BuiltKernel:
    """A program built by a backend.

    Args:
        backend: what builds and launches it.
        program: from :func:`lower`.
        threads: of a group.
        variant: how its buffers are bound; contiguous, unless given.
        specs: values of spec parameters that have no default, or another value.
        debug: build it with checks.
    """

    def __init__(
        self,
        backend: Backend,
        program: ir.Program,
        threads: Dimensions,
        variant: Variant | None = None,
        specs: Mapping[str, Any] | None = None,
        debug: bool = False,
    ) -> None:
        self.backend = backend
        self.program = program
        self.threads = threads
        variant = variant or Variant(0, (True,) * len(program.buffers))
        self.layout = layout_of(program, variant)
        values = {p.name: p.default for p in program.specs} | dict(specs or {})
        self.executable = backend.build(BuildRequest(program, variant, values, threads, debug))

    def launch(self, groups: Dimensions, bindings: Sequence[tuple[Any, int, int]], values: Mapping[str, Any]) -> None:
        """Queues the kernel on ranges ``(memory, start, end)`` in bytes, with the parameter block's fields by name."""
        block: list[Any] = []
        for field in self.layout.fields:
            block += values[field.name] if field.count else [values[field.name]]
        self.backend.launch(self.executable, groups, bindings, self.layout.format.pack(*block))

    def __call__(self, *arguments: Any, groups: int | None = None) -> None:
        """Queues the kernel on numbers, and on ``(memory, first element, count)`` for one-dimensional buffers."""
        values = by_name(self.program, arguments)
        bindings = []
        for parameter in self.program.buffers:
            memory, first, count = values[parameter.name]
            size = parameter.type.size
            bindings.append((memory, first * size, (first + count) * size))
            values[f"{parameter.name}_offset"] = first
            values[f"{parameter.name}_shape"] = [count]
            if isinstance(parameter, ir.ItemParameter):
                values["items"] = count
        if groups is None:
            groups = -(-values["items"] // self.threads[0])
        self.launch((groups, 1, 1), bindings, values)


class Launcher:
    """Runs kernels on NumPy arrays."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def needs(self, *types: ScalarType) -> None:
        """Skips the test if the device cannot compute with one of the types."""
        for type in types:
            feature = Feature.FLOAT64 if type.name == "f64" else Feature.INT64
            if type.size == 8 and feature not in self.backend.info.features:
                pytest.skip(f"the device has no {feature}")

    def __call__(self, kernel: Callable[..., Any], *arguments: Any, **options: Any) -> list[Array]:
        """Runs a kernel on copies of the arrays, and returns the copies as they are after; see :meth:`run`.

        Each array is copied, also where it is given twice, or shares memory with another.
        """
        copies = self.run(kernel, *arguments, **options)
        arrays = [value for value in arguments if isinstance(value, np.ndarray)]
        return [
            np.lib.stride_tricks.as_strided(copy.reshape(-1)[_offset(array) :], array.shape, array.strides)
            for array, copy in zip(arrays, copies, strict=True)
        ]

    def in_place(self, kernel: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Runs a kernel, and changes the arrays as it does; see :meth:`run`."""
        copies = self.run(kernel, *arguments, shared=True, **options)
        bases = [_base(value) for value in arguments if isinstance(value, np.ndarray)]
        for base, copy in zip(bases, copies, strict=True):
            if base.flags.writeable:
                np.copyto(base, copy)

    def run(
        self,
        kernel: Callable[..., Any],
        *arguments: Any,
        types: Mapping[TypeVar, ScalarType] | None = None,
        threads: Dimensions = (16, 1, 1),
        groups: Dimensions | None = None,
        specs: Mapping[str, int | float | bool] | None = None,
        debug: bool = False,
        unchecked: bool = False,
        strided: bool = False,
        shared: bool = False,
    ) -> list[Array]:
        """Runs a kernel on copies of what the arrays are views of; returns the copies as they are after.

        Args:
            kernel: a function in the language.
            arguments: arrays, or views, for buffers, and numbers for scalars; views are bound with their strides.
            types: of type variables that no array tells.
            threads: of a group.
            groups: as many as the items need, unless given.
            specs: values of spec parameters.
            debug: with checks.
            unchecked: without checks of indices.
            strided: bind contiguous arrays as views, too.
            shared: views of one array are views of one copy.
        """
        signature = frontend.read_signature(kernel)
        names = [p.name for p in signature.parameters if p.kind != "spec"]
        given = dict(zip(names, arguments, strict=True))
        found: dict[Any, ScalarType] = dict(types or {})
        for parameter in signature.parameters:
            if isinstance(value := given.get(parameter.name), np.ndarray):
                found.setdefault(parameter.type, scalar_type(value.dtype))
                self.needs(scalar_type(value.dtype))
        program = frontend.lower(signature, {v: found[v] for v in signature.type_variables}, threads, unchecked)
        arrays: dict[str, Array] = {p.name: given[p.name] for p in program.buffers}
        items = [arrays[p.name] for p in program.items]
        assert len({item.shape for item in items}) <= 1
        strided_items = bool(items) and (strided or not all(item.flags.c_contiguous for item in items))
        contiguous = tuple(
            not strided_items if isinstance(p, ir.ItemParameter) else not strided and arrays[p.name].flags.c_contiguous
            for p in program.buffers
        )
        variant = Variant(max(items[0].ndim, 1) if strided_items else 0, contiguous)
        built = BuiltKernel(self.backend, program, threads, variant, specs, debug)

        keys = {name: id(_base(array)) if shared else name for name, array in arrays.items()}
        bases = {keys[name]: _base(array) for name, array in arrays.items()}
        copies = {key: np.ascontiguousarray(base) for key, base in bases.items()}
        memories = {key: self.backend.allocate(max(base.nbytes, 4)) for key, base in bases.items()}
        for key, copy in copies.items():
            self.backend.upload(memories[key], 0, copy.reshape(-1).view(np.uint8))
        values = {p.name: _packed(p, given[p.name]) for p in program.scalars}
        for name, array in arrays.items():
            values[f"{name}_offset"] = _offset(array)
            values[f"{name}_shape"] = list(array.shape)
            values[f"{name}_strides"] = [stride // array.itemsize for stride in array.strides]
        if items:
            values["items"], values["item_shape"] = items[0].size, list(items[0].shape)
        bindings = [(memories[key], 0, bases[key].nbytes) for key in keys.values()]
        if groups is None:
            groups = (-(-items[0].size // math.prod(threads)), 1, 1)
        built.launch(groups, bindings, values)
        self.backend.wait()
        after = {key: np.empty_like(copy) for key, copy in copies.items()}
        for key, copy in after.items():
            self.backend.download(memories[key], 0, copy.reshape(-1).view(np.uint8))
        return [after[key] for key in keys.values()]


def by_name(program: ir.Program, arguments: Sequence[Any]) -> dict[str, Any]:
    """Arguments by the names of the parameters that launches give."""
    names = [p.name for p in program.parameters if not isinstance(p, ir.SpecParameter)]
    return dict(zip(names, arguments, strict=True))


def _packed(parameter: ir.ScalarParameter, value: Any) -> Any:
    return int(value) if parameter.type.kind == "bool" else convert(value, parameter.type).item()


def _base(array: Array) -> Array:
    base = array
    while isinstance(base.base, np.ndarray) and base.base.dtype == array.dtype:
        base = base.base
    return base


def _offset(array: Array) -> int:
    start = array.__array_interface__["data"][0] - _base(array).__array_interface__["data"][0]
    return int(start // array.itemsize)

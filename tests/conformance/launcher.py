"""Launches kernels on NumPy arrays, straight through the backend protocol: no devices, buffers or launch binder."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krnlpy.backend.protocol import Backend
from krnlpy.dsl import ir
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.ir.layout import Variant, layout_of
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType, convert, scalar_type


class Launcher:
    """Launches kernels on NumPy arrays."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def needs(self, *types: ScalarType) -> None:
        """Skips the test if the device cannot compute with one of the types."""
        for type in types:
            feature = Feature.FLOAT64 if type.name == "f64" else Feature.INT64
            if type.size == 8 and feature not in self.backend.info.features:
                pytest.skip(f"the device has no {feature}")

    def __call__(
        self,
        kernel: Callable[..., Any],
        *arguments: Any,
        threads: tuple[int, int, int] = (16, 1, 1),
        groups: tuple[int, int, int] | None = None,
        specs: dict[str, int | float | bool] | None = None,
        debug: bool = False,
        unchecked: bool = False,
    ) -> list[np.ndarray[Any, Any]]:
        """Runs a kernel on copies of the arrays, and returns the copies as they are after.

        Arrays may be strided views; they are bound with the strides they have.
        """
        signature = frontend.read_signature(kernel)
        parameters = [p for p in signature.parameters if p.kind != "spec"]
        bound = dict(zip([p.name for p in parameters], arguments, strict=True))
        types = {}
        for parameter in parameters:
            value = bound[parameter.name]
            if isinstance(value, np.ndarray):
                types.setdefault(parameter.type, scalar_type(value.dtype))
                self.needs(scalar_type(value.dtype))
        program = frontend.lower(signature, {v: types[v] for v in signature.type_variables}, threads, unchecked)
        values = {p.name: p.default for p in program.specs} | (specs or {})
        arrays = {p.name: bound[p.name] for p in program.buffers}
        items = [arrays[p.name] for p in program.items]
        assert len({item.shape for item in items}) <= 1
        strided = any(not item.flags.c_contiguous for item in items)
        variant = Variant(
            max(items[0].ndim, 1) if items and strided else 0,
            tuple((isinstance(p, ir.ItemParameter) and not strided) or _contiguous(p, arrays) for p in program.buffers),
        )
        executable = self.backend.build(program, variant, values, threads, debug)
        whole = {name: np.ascontiguousarray(_base(array)) for name, array in arrays.items()}
        memories = {name: self.backend.allocate(max(base.nbytes, 4)) for name, base in whole.items()}
        for name, base in whole.items():
            self.backend.upload(memories[name], 0, base.reshape(-1).view(np.uint8))
        layout = layout_of(program, variant)
        block: list[Any] = []
        for field in layout.fields:
            value = self._field(field.name, program, bound, items)
            block += value if field.count else [value]
        if groups is None:
            groups = (-(-items[0].size // math.prod(threads)), 1, 1)
        bindings = [(memories[p.name], 0, whole[p.name].nbytes) for p in program.buffers]
        self.backend.launch(executable, groups, bindings, layout.format.pack(*block))
        self.backend.wait()
        results = []
        for name, array in arrays.items():
            copy = np.empty_like(whole[name])
            self.backend.download(memories[name], 0, copy.reshape(-1).view(np.uint8))
            results.append(
                np.lib.stride_tricks.as_strided(copy.reshape(-1)[_offset(array) :], array.shape, array.strides)
            )
        return results

    def _field(self, name: str, program: ir.Program, bound: dict[str, Any], items: list[Any]) -> Any:
        if name == "items":
            return items[0].size
        if name == "item_shape":
            return list(items[0].shape)
        if name in bound:
            parameter = next(p for p in program.scalars if p.name == name)
            value = bound[name]
            return int(value) if parameter.type.kind == "bool" else convert(value, parameter.type).item()
        buffer, _, what = name.rpartition("_")
        array = bound[buffer]
        if what == "offset":
            return _offset(array)
        return list(array.shape) if what == "shape" else [s // array.itemsize for s in array.strides]


def _contiguous(parameter: ir.BufferParameter, arrays: dict[str, np.ndarray[Any, Any]]) -> bool:
    return isinstance(parameter, ir.GlobalParameter) and arrays[parameter.name].flags.c_contiguous


def _base(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    base = array
    while isinstance(base.base, np.ndarray) and base.base.dtype == array.dtype:
        base = base.base
    return base


def _offset(array: np.ndarray[Any, Any]) -> int:
    start = array.__array_interface__["data"][0] - _base(array).__array_interface__["data"][0]
    return start // array.itemsize

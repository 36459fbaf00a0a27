"""The backend of the interpreter: memory is NumPy's, a launch runs at once."""

from __future__ import annotations

import itertools
import os
import platform
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np

from krnlpy.backend import Backend, Binding, DeviceInfo, check_subgroups
from krnlpy.dsl import ir
from krnlpy.dsl.collectives import SUBGROUP_SIZES, SUBGROUP_THREADS
from krnlpy.dsl.cooperative_expansion import expanded
from krnlpy.dsl.interpret import (
    Fault,
    Interpretation,
    Storage,
    contiguous_strides,
    translate,
)
from krnlpy.dsl.layout import Variant
from krnlpy.errors import KernelError, LimitExceeded, OutOfMemory
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType

from .schedule import run

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

UNDEFINED = 0xA5
"""What fills new memory, so that a kernel that reads what nobody wrote is seen to."""


@dataclass(frozen=True, eq=False)
class InterpreterMemory:
    """Bytes of the process."""

    bytes: Bytes

    @property
    def nbytes(self) -> int:
        return self.bytes.nbytes


class InterpreterBackend:
    """Runs kernels as Python functions."""

    def __init__(self) -> None:
        self.info = _info()
        self._lock = threading.RLock()

    @property
    def lost(self) -> bool:
        return False

    # ---------------------------------------------------------------------------------------------------- memory

    def allocate(self, nbytes: int) -> InterpreterMemory:
        try:
            return InterpreterMemory(np.full(nbytes, UNDEFINED, np.uint8))
        except MemoryError:
            raise OutOfMemory(f"no {nbytes} bytes of memory are free") from None

    def adopt(self, array: np.ndarray[Any, Any]) -> InterpreterMemory | None:
        if not array.flags.c_contiguous or not array.flags.writeable:
            return None
        return InterpreterMemory(array.reshape(-1).view(np.uint8))

    def view(self, memory: InterpreterMemory) -> Bytes:
        return memory.bytes

    def upload(self, memory: InterpreterMemory, offset: int, data: Bytes) -> None:
        with self._lock:
            memory.bytes[offset : offset + data.nbytes] = data

    def download(self, memory: InterpreterMemory, offset: int, out: Bytes) -> None:
        with self._lock:
            out[:] = memory.bytes[offset : offset + out.nbytes]

    def copy(
        self,
        source: InterpreterMemory,
        source_offset: int,
        to: InterpreterMemory,
        to_offset: int,
        nbytes: int,
    ) -> None:
        with self._lock:
            to.bytes[to_offset : to_offset + nbytes] = source.bytes[source_offset : source_offset + nbytes]

    def fill(self, memory: InterpreterMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        with self._lock:
            rows = memory.bytes[offset : offset + nbytes].reshape(-1, len(pattern))
            rows[:] = np.frombuffer(pattern, np.uint8)

    # ------------------------------------------------------------------------------------------------ launches

    def build(
        self,
        program: ir.Program,
        variant: Variant,
        specs: Mapping[str, int | float | bool],
        threads: tuple[int, int, int],
        debug: bool,
    ) -> Interpretation:
        """Translates the program; every access is checked whether ``debug`` is asked for or not."""
        if prod(threads) > self.info.max_threads:
            raise LimitExceeded(
                f"{program.name}: {threads} is {prod(threads)} threads a group; at most {self.info.max_threads} fit"
            )
        check_subgroups(program, threads, self.info)
        program = expanded(program, SUBGROUP_THREADS)
        interpretation = translate(program, variant, specs, threads)
        sizes = zip(program.group_arrays, interpretation.group_arrays, strict=True)
        nbytes = sum(array.type.size * count for array, (_, count) in sizes)
        if nbytes > self.info.max_group_memory:
            raise LimitExceeded(
                f"{program.name}: its group arrays take {nbytes} bytes; at most {self.info.max_group_memory} fit"
            )
        return interpretation

    def launch(
        self,
        executable: Interpretation,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        """Runs a kernel to its end.

        Raises:
            KernelIndexError: an index was out of range.
            KernelError: a barrier was not reached by all, or an ``Out`` buffer was not written as it must be.
        """
        outs: dict[ir.BufferParameter, _Out] = {}
        storages = []
        for parameter, (memory, _, _) in zip(executable.program.buffers, bindings, strict=True):
            view = _view(memory.bytes, parameter.type)
            if isinstance(parameter, ir.GlobalParameter) and parameter.once:
                outs[parameter] = _Out(executable, parameter, view)
                storages.append(Storage(view, outs[parameter].write))
            else:
                storages.append(Storage(view))
        kernel, values = executable.bind(groups, parameters, storages)
        with self._lock, np.errstate(all="ignore"):
            run(executable, kernel, groups, values.get("items", 0))
        for out in outs.values():
            out.check_complete(values)

    def wait(self) -> None:
        """Nothing is ever under way."""

    def close(self) -> None:
        """Memory goes with its last reference."""


def _view(memory: Bytes, type: ScalarType) -> Any:
    """Memory as elements. A memoryview's elements are Python's numbers; it knows no f16 and bf16, NumPy does."""
    whole = memory[: memory.nbytes // type.size * type.size]
    if type.compute is not type:
        return whole.view(type.dtype)
    elements: Any = whole  # an array has the buffer protocol; NumPy's stubs say so from Python 3.12 on
    view: Any = memoryview(elements)
    return view.cast(type.dtype.char)


class _Out:
    """A buffer of which each element must be written exactly once."""

    def __init__(self, executable: Interpretation, parameter: ir.GlobalParameter, view: Any) -> None:
        self._executable = executable
        self._parameter = parameter
        self._view = view
        self._written: set[int] = set()

    def write(self, value: float, at: int, site: int, index: tuple[int, ...]) -> None:
        if at in self._written:
            what = f"element {index} of {self._parameter.name} is written a second time"
            raise Fault(KernelError, f"{what}; it is declared Out", self._executable.sites[site])
        self._written.add(at)
        self._view[at] = value

    def check_complete(self, values: Mapping[str, Any]) -> None:
        name = self._parameter.name
        shape = values.get(f"{name}_shape", ())
        missing = prod(shape) - len(self._written)
        if not missing:
            return
        strides = values.get(f"{name}_strides") or contiguous_strides(shape)
        offset = values[f"{name}_offset"]
        for index in itertools.product(*(range(length) for length in shape)):
            at = offset + sum(i * stride for i, stride in zip(index, strides, strict=True))
            if at not in self._written:
                break
        raise KernelError(
            f"{missing} of the {prod(shape)} elements of {name} were not written, the first at {index}; it is "
            "declared Out: each element is written exactly once",
            *self._parameter.location,
        )


@cache
def _info() -> DeviceInfo:
    limit = 2**31 - 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else limit
    return DeviceInfo(
        index=None,
        name="interpreter",
        kind="interpreter",
        backend="interpreter",
        vendor="krnlpy",
        driver=f"{platform.python_implementation()} {platform.python_version()}",
        api_version="",
        features=frozenset(Feature),
        max_threads=1024,
        max_threads_xyz=(1024, 1024, 1024),
        max_groups_xyz=(limit, limit, limit),
        max_group_memory=64 * 1024,
        max_buffer_bytes=memory,
        max_parameter_bytes=64 * 1024,
        subgroup_threads=SUBGROUP_THREADS,
        subgroup_sizes=SUBGROUP_SIZES,
        memory_bytes=memory,
    )


def open_interpreter() -> Backend:
    """The interpreter's backend."""
    return InterpreterBackend()

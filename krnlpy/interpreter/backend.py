"""The backend of the interpreter: memory is NumPy's, a launch runs at once."""

from __future__ import annotations

import itertools
import os
import platform
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from krnlpy import config
from krnlpy.backend.commands import Command
from krnlpy.backend.memory_stats import MemoryStats, Usage
from krnlpy.backend.postponed import Launches, accesses_of
from krnlpy.backend.protocol import Backend, BackendOf, Binding, BuildRequest, check_groups, check_subgroups
from krnlpy.backend.timing import HostTimer
from krnlpy.device_info import DeviceInfo
from krnlpy.dsl import ir
from krnlpy.dsl.interpret.translate import ExecutionState, Fault, Interpretation, Storage, translate
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.passes.accesses import buffer_accesses
from krnlpy.dsl.passes.cooperative_expansion import expanded
from krnlpy.dsl.semantics.breakpoints import is_debugged
from krnlpy.dsl.semantics.collectives import SUBGROUP_SIZES, SUBGROUP_THREADS
from krnlpy.errors import KernelError, KernelUninitializedError, LimitExceeded, OutOfMemory
from krnlpy.features import Feature
from krnlpy.locks import renew_after_fork
from krnlpy.scalar import ScalarType

from .memory import Bytes, InterpreterMemory
from .schedule import run
from .watch import Watched, watch_buffers


class InterpreterBackend:
    """Runs kernels as Python functions.

    Args:
        index: of the Vulkan device that it stands in for: it keeps memory to itself then, as that device would. None
            for the interpreter itself.
    """

    def __init__(self, index: int | None = None) -> None:
        self.info = replace(_info(), index=index)
        self._lock = threading.RLock()
        renew_after_fork(self, "_lock")
        self._usage = Usage()
        self._launches = Launches()

    def defects(self) -> tuple[()]:
        return ()

    @property
    def lost(self) -> bool:
        return False

    # ---------------------------------------------------------------------------------------------------- memory

    def allocate(self, nbytes: int) -> InterpreterMemory:
        try:
            return InterpreterMemory.new(nbytes, self._usage)
        except MemoryError:
            raise OutOfMemory(f"no {nbytes} bytes of memory are free") from None

    def adopt(self, array: Bytes) -> tuple[InterpreterMemory, int]:
        """The memory of the array, which counts as written."""
        return InterpreterMemory(array), 0

    def window(self, memory: InterpreterMemory, first: int, end: int) -> tuple[InterpreterMemory, int]:
        """A part of the memory. Races are looked for in each part by itself, so parts that a launch uses must have no
        bytes in common."""
        return memory.part(first, end), first

    def memory_stats(self) -> MemoryStats:
        return self._usage.stats()

    def trim(self) -> None:
        """Nothing is kept."""

    def view(self, memory: InterpreterMemory) -> Bytes | None:
        """The memory itself. From now on it counts as written: nothing sees what is written through arrays."""
        if self.info.index is not None:
            return None
        if self._launches.running:
            self._launches.check_read(memory, 0, memory.nbytes)
        memory.count_as_written()
        return memory.bytes

    def planes(self, memory: InterpreterMemory, is_written: bool = False) -> tuple[Bytes, ...]:
        if self._launches.running and not self._launches.lend(memory, is_written):
            return ()
        return memory.planes()

    def upload(self, memory: InterpreterMemory, offset: int, data: Bytes) -> None:
        if self._launches.running:
            span = (memory, offset, data.nbytes)
            if self._launches.postpone_transfer(self._upload, memory, offset, data.copy(), spans=[span]):
                return
        self._upload(memory, offset, data)

    def _upload(self, memory: InterpreterMemory, offset: int, data: Bytes) -> None:
        with self._lock:
            memory.bytes[offset : offset + data.nbytes] = data
            memory.mark(offset, offset + data.nbytes)

    def download(self, memory: InterpreterMemory, offset: int, out: Bytes) -> None:
        """Copies memory into an array. What was never written is no mistake here: a program may take a whole buffer
        and use what it knows to be written."""
        if self._launches.running:
            self._launches.check_read(memory, offset, out.nbytes)
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
        if self._launches.running:
            spans = [(source, source_offset, nbytes), (to, to_offset, nbytes)]
            arguments = source, source_offset, to, to_offset, nbytes
            if self._launches.postpone_transfer(self._copy, *arguments, spans=spans):
                return
        self._copy(source, source_offset, to, to_offset, nbytes)

    def _copy(
        self, source: InterpreterMemory, source_offset: int, to: InterpreterMemory, to_offset: int, nbytes: int
    ) -> None:
        with self._lock:
            to.copy_from(source, source_offset, to_offset, nbytes)

    def fill(self, memory: InterpreterMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        if self._launches.running:
            arguments = memory, offset, nbytes, pattern
            if self._launches.postpone_transfer(self._fill, *arguments, spans=[(memory, offset, nbytes)]):
                return
        self._fill(memory, offset, nbytes, pattern)

    def _fill(self, memory: InterpreterMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        with self._lock:
            rows = memory.bytes[offset : offset + nbytes].reshape(-1, len(pattern))
            rows[:] = np.frombuffer(pattern, np.uint8)
            memory.mark(offset, offset + nbytes)

    # ------------------------------------------------------------------------------------------------ launches

    def build(self, request: BuildRequest) -> InterpreterExecutable:
        """Translates the program; every access is checked whether ``debug`` is asked for or not."""
        program, variant, specs, threads, _ = request
        if prod(threads) > self.info.max_threads:
            raise LimitExceeded(
                f"{program.name}: {threads} is {prod(threads)} threads a group; at most {self.info.max_threads} fit"
            )
        check_subgroups(program, threads, self.info)
        program = expanded(program, program.subgroup_threads or SUBGROUP_THREADS)
        executable = InterpreterExecutable(program, variant, dict(specs), threads)
        sizes = zip(program.group_arrays, executable.interpretation(False, False).group_arrays, strict=True)
        nbytes = sum(array.type.size * prod(shape) for array, (_, shape) in sizes)
        if nbytes > self.info.max_group_memory:
            raise LimitExceeded(
                f"{program.name}: its group arrays take {nbytes} bytes; at most {self.info.max_group_memory} fit"
            )
        return executable

    def launch(
        self,
        executable: InterpreterExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        """Runs a kernel to its end.

        Raises:
            KernelIndexError: an index was out of range.
            KernelError: something else that a thread must not do: a race, a read of what was never written, a barrier
                that not all reach, an assert that fails, an ``Out`` buffer not written as it must be.
        """
        arguments = executable, groups, tuple(bindings), parameters
        if not (
            self._launches.running
            and self._launches.postpone(accesses_of(executable, bindings), partial(self._launch, *arguments))
        ):
            self._launch(*arguments)

    def _launch(
        self,
        executable: InterpreterExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        self._launches.run(executable, bindings, self._run, executable, groups, bindings, parameters)

    def _run(
        self,
        executable: InterpreterExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        interpretation = executable.interpretation(config.check_overflow, is_debugged(executable.program))
        values = interpretation.unpack(parameters)
        now = ExecutionState(
            groups, interpretation.threads, values.get("items", 0), subgroup_threads=interpretation.subgroup_threads
        )
        buffers = interpretation.program.buffers
        memories = [memory for memory, _, _ in bindings]
        with self._lock:
            arrays = [_elements(memory.bytes, p.type) for p, memory in zip(buffers, memories, strict=True)]
            views = [_view(array, p.type) for p, array in zip(buffers, arrays, strict=True)]
            ranges = [(start, end) for _, start, end in bindings]
            views = watch_buffers(interpretation, memories, ranges, views, values, now)
            outs: list[_Out] = []
            storages = []
            for parameter, view, array in zip(buffers, views, arrays, strict=True):
                if isinstance(parameter, ir.GlobalParameter) and parameter.once:
                    outs.append(_Out(interpretation, parameter, view))
                    storages.append(Storage(view, array, outs[-1].write))
                else:
                    storages.append(Storage(view, array))
            kernel = interpretation.bind(values, storages, now)
            try:
                with np.errstate(all="ignore"):
                    run(interpretation, kernel, now)
            finally:
                for memory in memories:
                    memory.settle()
        for out in outs:
            out.check_complete(values)

    def record(self, pieces: Sequence[tuple[Command, ...]], previous: Recording | None) -> Recording:
        """The commands themselves: each is interpreted anew, and checked."""
        return Recording(tuple(command for piece in pieces for command in piece))

    def replay(self, recording: Recording) -> None:
        """Runs all commands. Raises what :meth:`launch` raises, after the commands before."""
        with self._lock:
            self._launches.perform(self, recording.commands)

    def launch_indirect(
        self, executable: InterpreterExecutable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        """Runs a kernel in as many groups as three u32 in memory say.

        Raises:
            KernelUninitializedError: they were never written. LimitExceeded: more than ids can count. Else as
                :meth:`launch`.
        """
        arguments = executable, counts, tuple(bindings), parameters
        if not (
            self._launches.running
            and self._launches.postpone(
                accesses_of(executable, bindings, counts), partial(self._launch_indirect, *arguments)
            )
        ):
            self._launch_indirect(*arguments)

    def _launch_indirect(
        self, executable: InterpreterExecutable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        memory, first, end = counts
        name, location = executable.program.name, executable.program.location
        with self._lock:
            if not memory.is_written(first, end):
                raise KernelUninitializedError(
                    f"the counts of groups of {name} are read, but nothing was ever written to them;"
                    " Buffer.from_numpy, .fill or a kernel before this one gives them values",
                    location.file,
                    location.line,
                )
            x, y, z = memory.bytes[first:end].view(np.uint32).tolist()
            if x and y and z:
                check_groups(name, (x, y, z), executable.threads)
                self._launch(executable, (x, y, z), bindings, parameters)

    def timer(self) -> HostTimer:
        """By the process's own clock, which says nothing about a device's."""
        return HostTimer()

    def wait(self) -> None:
        """Nothing is ever under way."""

    def close(self) -> None:
        """Memory goes with its last reference."""


class Recording(NamedTuple):
    """What a graph does."""

    commands: tuple[Command, ...]


class InterpreterExecutable:
    """A program for known values of its spec parameters and threads of a group."""

    request: BuildRequest

    def __init__(
        self,
        program: ir.Program,
        variant: Variant,
        specs: Mapping[str, int | float | bool],
        threads: tuple[int, int, int],
    ) -> None:
        self.name = program.name
        self.accesses = buffer_accesses(program)
        self.threads = threads
        self.program = program
        self._parts = variant, specs, threads
        self._translated: dict[tuple[bool, bool], Interpretation] = {}

    def needs_wait(self, groups: object, parameters: bytes) -> bool:
        """False: nothing waits longer for what it prints or raises, since a launch is over when it returns."""
        return False

    def interpretation(self, check_overflow: bool, debugged: bool) -> Interpretation:
        """The program as Python functions, which look for overflow or do not, and have names for debuggers or not."""
        key = check_overflow, debugged
        if key not in self._translated:
            self._translated[key] = translate(self.program, *self._parts, *key)
        return self._translated[key]


def _elements(memory: Bytes, type: ScalarType) -> np.ndarray[Any, Any]:
    return memory[: memory.nbytes // type.size * type.size].view(type.dtype)


def _view(elements: np.ndarray[Any, Any], type: ScalarType) -> Any:
    """What kernels index. A memoryview's elements are Python's numbers; it knows no f16 and bf16, NumPy does."""
    if type.compute is not type:
        return elements
    whole: Any = elements.view(np.uint8)  # an array has the buffer protocol; NumPy's stubs say so from Python 3.12 on
    view: Any = memoryview(whole)
    return view.cast(type.dtype.char)


class _Out:
    """A buffer whose elements must each be written exactly once."""

    def __init__(self, executable: Interpretation, parameter: ir.GlobalParameter, view: Any) -> None:
        self._executable = executable
        self._parameter = parameter
        self._view = view
        self._written: set[int] = set()

    def write(self, value: float, at: int, site: int, index: tuple[int, ...]) -> None:
        if at in self._written:
            what = f"element {index} of {self._parameter.name} is written a second time"
            raise Fault(KernelError, f"{what}; it is declared Out", self._executable.sites[site].location)
        self._written.add(at)
        if isinstance(self._view, Watched):
            self._view.store(at, value, sys._getframe(1))
        else:
            self._view[at] = value

    def check_complete(self, values: Mapping[str, Any]) -> None:
        name = self._parameter.name
        place = self._executable.placement(self._parameter, values)
        shape = place.shape
        missing = prod(shape) - len(self._written)
        if not missing:
            return
        for index in itertools.product(*(range(length) for length in shape)):
            if (
                place.offset + sum(i * stride for i, stride in zip(index, place.strides, strict=True))
                not in self._written
            ):
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
        max_binding_bytes=memory,
        max_parameter_bytes=64 * 1024,
        subgroup_threads=SUBGROUP_THREADS,
        subgroup_sizes=SUBGROUP_SIZES,
        memory_bytes=memory,
    )


def open_interpreter(index: int | None = None) -> Backend:
    """The interpreter's backend, or one that stands in for the Vulkan device of an index."""
    return InterpreterBackend(index)


if TYPE_CHECKING:

    def _is_backend(
        backend: InterpreterBackend,
    ) -> BackendOf[InterpreterMemory, InterpreterExecutable, Recording, Command]:
        return backend

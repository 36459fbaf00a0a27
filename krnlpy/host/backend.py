"""The host as a device: memory is NumPy's, kernels are machine code, and a launch returns when it is done."""

from __future__ import annotations

import functools
import os
import platform
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from krnlpy import config
from krnlpy.backend.commands import Command
from krnlpy.backend.foreign import ForeignCalls
from krnlpy.backend.memory_stats import MemoryStats, Usage
from krnlpy.backend.postponed import Access, Launches, accesses_of
from krnlpy.backend.protocol import BackendOf, Binding, BuildRequest, check_groups
from krnlpy.backend.timing import HostTimer
from krnlpy.device_info import MAX_INDEX, DeviceInfo
from krnlpy.dsl.llvm.emit import LAUNCH
from krnlpy.dsl.semantics.collectives import SUBGROUP_SIZES, SUBGROUP_THREADS
from krnlpy.features import FLOAT_ATOMICS, Feature

from .compiler import Compiler, MachineCode
from .executable import CHUNKS, HostExecutable
from .foreign import ADDRESS, ENTRY, emit
from .graphs import Recording
from .interrupts import uninterrupted
from .memory import (
    ALIGNMENT,
    Array,
    ArrayMemory,
    BlockMemory,
    HostMemory,
    MemoryWindow,
    address_of,
    give_back,
    kept_bytes,
)
from .pool import ThreadPool

_FEATURES = frozenset(
    (
        *(Feature.INT64, Feature.FLOAT64, Feature.STORAGE8, Feature.STORAGE16),
        *(feature for feature in Feature if feature.startswith("subgroup")),
        *(Feature.INT64_ATOMICS, Feature.GROUP_INT64_ATOMICS, Feature.SHARED_HOST_MEMORY),
        *FLOAT_ATOMICS,
    )
)


class HostBackend:
    """Runs kernels on the CPU. Every call is complete when it returns, hence there are no hazards.

    May be used from several threads at once, each call taking effect at once.
    """

    def __init__(self) -> None:
        self._compiler: Compiler = uninterrupted(Compiler)
        self.pool = ThreadPool(self._compiler)
        self._callers: dict[np.dtype[Any], MachineCode] = {}
        self._info = _describe(self._compiler)
        self._scratch = threading.local()
        self._usage = Usage()
        self._launches = Launches()

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def defects(self) -> tuple[()]:
        return ()

    @property
    def lost(self) -> bool:
        return False

    # -- memory

    def allocate(self, nbytes: int) -> HostMemory:
        """Memory aligned to 64 bytes. Raises OutOfMemory."""
        return BlockMemory(nbytes, self._usage)

    def adopt(self, array: Array) -> tuple[HostMemory, int]:
        """The memory of the array."""
        return ArrayMemory(array, address_of(array)), 0

    def window(self, memory: HostMemory, first: int, end: int) -> tuple[MemoryWindow, int]:
        """The part of the memory."""
        return MemoryWindow(memory, first, end), first

    def memory_stats(self) -> MemoryStats:
        """What the buffers take that were allocated here; memory of arrays is not counted."""
        stats = self._usage.stats()
        return replace(stats, reserved=stats.in_use + kept_bytes())

    def trim(self) -> None:
        """Gives kept blocks back to the system."""
        give_back()

    def view(self, memory: HostMemory) -> Array:
        """The memory itself."""
        if self._launches.running:
            self._launches.check_read(memory, 0, memory.nbytes)
        return memory.array

    def planes(self, memory: HostMemory, is_written: bool = False) -> tuple[Array, ...]:
        """The memory itself."""
        if self._launches.running and not self._launches.lend(memory, is_written):
            return ()
        return (memory.array,)

    def upload(self, memory: HostMemory, offset: int, data: Array) -> None:
        """Copies bytes into memory."""
        if self._launches.running:
            span = (memory, offset, data.nbytes)
            if self._launches.postpone_transfer(_upload, memory, offset, data.copy(), spans=[span]):
                return
        _upload(memory, offset, data)

    def download(self, memory: HostMemory, offset: int, out: Array) -> None:
        """Copies memory into an array of bytes."""
        if self._launches.running:
            self._launches.check_read(memory, offset, out.nbytes)
        out[...] = memory.array[offset : offset + out.nbytes]

    def copy(self, source: HostMemory, source_offset: int, to: HostMemory, to_offset: int, nbytes: int) -> None:
        """Copies bytes from memory to memory."""
        if self._launches.running:
            spans = [(source, source_offset, nbytes), (to, to_offset, nbytes)]
            arguments = source, source_offset, to, to_offset, nbytes
            if self._launches.postpone_transfer(_copy, *arguments, spans=spans):
                return
        _copy(source, source_offset, to, to_offset, nbytes)

    def fill(self, memory: HostMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        """Repeats a pattern."""
        if self._launches.running:
            arguments = memory, offset, nbytes, pattern
            if self._launches.postpone_transfer(_fill, *arguments, spans=[(memory, offset, nbytes)]):
                return
        _fill(memory, offset, nbytes, pattern)

    # -- kernels

    def build(self, request: BuildRequest) -> HostExecutable:
        """Compiles a program. Raises LimitExceeded."""
        return HostExecutable(self._compiler, self._info, request)

    def launch(
        self,
        executable: HostExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
        is_due: bool = False,
    ) -> None:
        """Runs a kernel, on all cores where it is worth it; what it prints is written at the end.

        Args:
            is_due: it was postponed, and is not again.

        Raises:
            LimitExceeded: more threads along an axis than ids can count.
            KernelIndexError, KernelAssertionError: in an executable built for debugging, a thread failed.
        """
        if self._launches.running and not is_due:
            work = partial(HostBackend.launch, self, executable, groups, tuple(bindings), parameters, is_due=True)
            if self._launches.postpone(accesses_of(executable, bindings), work):
                return
        count = self.count(executable, groups, parameters)
        if not count:
            return
        buffers = executable.buffers.pack(*[memory.address for memory, _, _ in bindings])
        if count <= executable.uninterrupted and executable.is_plain:  # what most launches are
            self._run(executable, parameters, buffers, LAUNCH.pack(0, *groups), count, count)
            return
        report = None if executable.reports is None else executable.reports.new(config.print_bytes)
        launch = LAUNCH.pack(0 if report is None else report.ctypes.data, *groups)
        chunk = executable.chunk(count, config.host_threads)
        self.run(executable, parameters, buffers, launch, count, chunk, bindings)
        if executable.reports is not None and report is not None:
            executable.reports.deliver(executable.name, executable.threads, report)

    def count(self, executable: HostExecutable, groups: tuple[int, int, int], parameters: bytes) -> int:
        """The items or groups of a launch. Raises LimitExceeded where ids can't count the threads."""
        if executable.is_items:
            count: int = executable.items.unpack_from(parameters, executable.items_offset)[0]
            return count
        for axis in range(3):
            if groups[axis] * executable.threads[axis] > MAX_INDEX:
                check_groups(executable.name, groups, executable.threads)
        return groups[0] * groups[1] * groups[2]

    def run(
        self,
        executable: HostExecutable,
        parameters: bytes,
        buffers: bytes,
        launch: bytes,
        count: int,
        chunk: int,
        bindings: Sequence[Binding],
    ) -> None:
        """Runs so many items or groups, on several cores where they are more than a chunk. Raises what the handler of a
        signal raises meanwhile, KeyboardInterrupt say; the kernel has stopped then."""
        work = self._share if chunk < count or executable.scratch_bytes else self._run
        if count > executable.uninterrupted:
            self._launches.run(executable, bindings, work, executable, parameters, buffers, launch, count, chunk)
        else:
            work(executable, parameters, buffers, launch, count, chunk)

    def call(self, calls: ForeignCalls) -> None:
        """Calls a function of C's. Raises what the handler of a signal raises meanwhile, when they have ended that were
        begun."""
        count, workers = len(calls.table), config.host_threads
        if not count:
            return
        function = ADDRESS.pack(calls.function)
        arguments = calls.table.tobytes(), function, None, b"", count, self.rows(calls), 0, workers
        share = partial(self.pool.share, self.caller(calls.table.dtype), *arguments)
        if calls.within is None:
            share()
        else:
            calls.within(share)

    def rows(self, calls: ForeignCalls) -> int:
        """How many rows a worker takes at a time."""
        count, workers = len(calls.table), config.host_threads
        return max(calls.chunk, -(-count // (CHUNKS * workers))) if workers > 1 else max(1, count)

    def caller(self, dtype: np.dtype[Any]) -> int:
        """The address of :func:`krnlpy.host.foreign.emit`'s function for rows of a type."""
        code = self._callers.get(dtype)
        if code is None:
            code = self._callers[dtype] = self._compiler.load(emit(dtype), ENTRY, name="calls of C functions")
        (address,) = code.addresses
        return address

    def record(self, pieces: Sequence[tuple[Command, ...]], previous: Recording | None) -> Recording:
        """A recording of commands."""
        return Recording(self, pieces, previous)

    def replay(self, recording: Recording) -> None:
        """Runs all commands of a recording."""
        if self._launches.running and self._launches.is_within:
            self._launches.perform(self, recording.commands)
        else:
            recording.replay()

    def run_all(self, accesses: Callable[[], Sequence[Access]], work: Callable[..., object], *arguments: Any) -> None:
        """Does work that accesses bytes; what the handler of a signal asks of them meanwhile is done after it."""
        self._launches.run_all(accesses, work, *arguments)

    def launch_indirect(
        self,
        executable: HostExecutable,
        counts: Binding,
        bindings: Sequence[Binding],
        parameters: bytes,
        is_due: bool = False,
    ) -> None:
        """Runs a kernel in as many groups as three u32 in memory say. Raises LimitExceeded for more than ids can count,
        else as :meth:`launch`."""
        if self._launches.running and not is_due:
            work = partial(HostBackend.launch_indirect, self, executable, counts, tuple(bindings), parameters, True)
            if self._launches.postpone(accesses_of(executable, bindings, counts), work):
                return
        memory, first, end = counts
        x, y, z = memory.array[first:end].view(np.uint32).tolist()
        check_groups(executable.name, (x, y, z), executable.threads)
        HostBackend.launch(self, executable, (x, y, z), bindings, parameters, is_due)

    def _run(
        self, executable: HostExecutable, parameters: bytes, buffers: bytes, launch: bytes, count: int, chunk: int
    ) -> None:
        """In this thread."""
        while self.pool.run(function := executable.function, parameters, buffers, None, launch, count):
            executable.ask_more(function)

    def _share(
        self, executable: HostExecutable, parameters: bytes, buffers: bytes, launch: bytes, count: int, chunk: int
    ) -> None:
        """In as many threads as there are chunks, each of which has scratch."""
        workers, stride = config.host_threads if chunk < count else 1, self.stride(executable)

        def work(scratch: int) -> None:
            arguments = parameters, buffers, scratch, launch, count, chunk, stride, workers
            while self.pool.share(function := executable.function, *arguments):
                executable.ask_more(function)

        self.with_scratch(workers * stride, work)

    def stride(self, executable: HostExecutable) -> int:
        """Bytes from the scratch of a worker to that of the next."""
        return -(-executable.scratch_bytes // ALIGNMENT) * ALIGNMENT

    def try_out(self, executable: HostExecutable, parameters: bytes, buffers: bytes, launch: bytes) -> None:
        """Sees to it that a launch is not refused, by one of no items or groups."""
        self._share(executable, parameters, buffers, launch, 0, 1)

    def with_scratch(self, nbytes: int, work: Callable[[int], None]) -> None:
        """Calls ``work(address)`` with the address of so much memory, which this thread keeps."""
        free: list[HostMemory] = self._scratch.__dict__.setdefault("free", [])
        # Taken out of the list: a signal's handler may launch on the same thread while the kernel runs.
        memory = free.pop() if free else None
        if memory is None or memory.nbytes < nbytes:
            memory = BlockMemory(nbytes)
        work(memory.address)
        free.append(memory)

    def timer(self) -> HostTimer:
        """By the process's own clock."""
        return HostTimer()

    def wait(self) -> None:
        """Returns at once: nothing is ever queued."""

    def close(self) -> None:
        """Ends the threads of the pool."""
        self.pool.close()


def _upload(memory: HostMemory, offset: int, data: Array) -> None:
    memory.array[offset : offset + data.nbytes] = data


def _copy(source: HostMemory, source_offset: int, to: HostMemory, to_offset: int, nbytes: int) -> None:
    to.array[to_offset : to_offset + nbytes] = source.array[source_offset : source_offset + nbytes]


def _fill(memory: HostMemory, offset: int, nbytes: int, pattern: bytes) -> None:
    word = np.frombuffer(pattern, f"u{len(pattern)}")
    memory.array[offset : offset + nbytes].view(word.dtype)[...] = word


@functools.cache
def open_host() -> HostBackend:
    """The host backend of this process."""
    return HostBackend()


def _describe(compiler: Compiler) -> DeviceInfo:
    name, vendor = _cpu_name()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 1 << 40
    version = ".".join(map(str, llvm.llvm_version_info))
    return DeviceInfo(
        index=None,
        name=name,
        kind="host",
        backend="host",
        vendor=vendor,
        driver=f"LLVM {version} (llvmlite {llvmlite.__version__})",
        api_version="",
        features=_FEATURES,
        max_threads=1024,
        max_threads_xyz=(1024, 1024, 1024),
        max_groups_xyz=(MAX_INDEX, MAX_INDEX, MAX_INDEX),
        max_group_memory=64 << 10,
        max_buffer_bytes=memory,
        max_binding_bytes=memory,
        max_parameter_bytes=1 << 16,
        subgroup_threads=SUBGROUP_THREADS,
        subgroup_sizes=SUBGROUP_SIZES,
        vector_bytes=compiler.vector_bytes,
        memory_bytes=memory,
        extra={"cpu": compiler.cpu, "host_threads": config.host_threads},
    )


def _cpu_name() -> tuple[str, str]:
    """The CPU's model and vendor."""
    found: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    name = found.get("model name") or platform.processor() or platform.machine() or "CPU"
    return name, found.get("vendor_id", "")


if TYPE_CHECKING:

    def _is_backend(backend: HostBackend) -> BackendOf[HostMemory, HostExecutable, Recording, Command]:
        return backend

"""The least that a backend is: it keeps nothing and runs nothing, and checks what it is asked for.

What it checks, callers promise to every backend (protocol.py). A backend of one's own may start as a copy of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.device_info import MAX_INDEX, DeviceInfo, DeviceKind
from krnlpy.dsl.ir.layout import layout_of
from krnlpy.dsl.ir.verify import verify
from krnlpy.dsl.passes.accesses import buffer_accesses
from krnlpy.features import Feature

from .commands import Command, perform
from .memory_stats import MemoryStats
from .protocol import BackendOf, BindingOf, BuildRequest, check_groups, check_subgroups
from .timing import HostTimer

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class NullMemory:
    """Memory that is not there."""

    nbytes: int
    address: int = 0
    is_shared: bool = False


@dataclass
class NullExecutable:
    """A kernel that will not run."""

    name: str
    threads: tuple[int, int, int]
    accesses: Sequence[tuple[bool, bool]]
    parameter_bytes: int
    request: BuildRequest = field(init=False)

    def needs_wait(self, groups: tuple[int, int, int] | None, parameters: bytes) -> bool:
        """False: nothing runs."""
        return False


@dataclass(frozen=True)
class NullRecording:
    """Commands that will be checked again."""

    commands: tuple[Command, ...]


class NullBackend:
    """A device that has every feature, and does nothing. Memory read back is zeros.

    Args:
        kind: of the device that it passes for.

    >>> backend = NullBackend()
    >>> memory = backend.allocate(16)
    >>> backend.fill(memory, 8, 16, bytes(4))
    Traceback (most recent call last):
    AssertionError: bytes 8 to 24 of a memory of 16
    """

    def __init__(self, kind: DeviceKind = "other") -> None:
        self.info = _describe(kind)
        self.lost = False

    def defects(self) -> tuple[str, ...]:
        return ()

    # ---------------------------------------------------------------------------------------------------- memory

    def allocate(self, nbytes: int) -> NullMemory:
        assert nbytes > 0, f"memory of {nbytes} bytes"
        return NullMemory(nbytes)

    def adopt(self, array: _Array) -> tuple[NullMemory, int]:
        _check_array(array)
        return NullMemory(array.nbytes, is_shared=True), 0

    def window(self, memory: NullMemory, first: int, end: int) -> tuple[NullMemory, int] | None:
        _check_range(memory, first, end)
        return memory, 0

    def memory_stats(self) -> MemoryStats:
        return MemoryStats(0, 0, 0)

    def trim(self) -> None:
        pass

    def view(self, memory: NullMemory) -> None:
        return None

    def planes(self, memory: NullMemory, is_written: bool = False) -> tuple[()]:
        return ()

    def upload(self, memory: NullMemory, offset: int, data: _Array) -> None:
        _check_array(data)
        _check_range(memory, offset, offset + data.nbytes)

    def download(self, memory: NullMemory, offset: int, out: _Array) -> None:
        _check_array(out)
        _check_range(memory, offset, offset + out.nbytes)
        out[...] = 0

    def copy(self, source: NullMemory, source_offset: int, to: NullMemory, to_offset: int, nbytes: int) -> None:
        _check_range(source, source_offset, source_offset + nbytes)
        _check_range(to, to_offset, to_offset + nbytes)
        apart = source is not to or source_offset == to_offset or abs(source_offset - to_offset) >= nbytes
        assert apart, "a copy between ranges that overlap"

    def fill(self, memory: NullMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        _check_range(memory, offset, offset + nbytes)
        assert len(pattern) in (1, 2, 4, 8), f"a pattern of {len(pattern)} bytes"
        assert offset % len(pattern) == nbytes % len(pattern) == 0, f"a part of a pattern of {len(pattern)} bytes"

    # --------------------------------------------------------------------------------------------------- kernels

    def build(self, request: BuildRequest) -> NullExecutable:
        program, variant, specs, threads, _ = request
        verify(program)
        assert set(specs) == {p.name for p in program.specs}, f"{program.name}: values of {sorted(specs)}"
        check_subgroups(program, threads, self.info)
        return NullExecutable(program.name, threads, buffer_accesses(program), layout_of(program, variant).size)

    def launch(
        self,
        executable: NullExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[BindingOf[NullMemory]],
        parameters: bytes,
    ) -> None:
        check_groups(executable.name, groups, executable.threads)
        _check_launch(executable, bindings, parameters)

    def launch_indirect(
        self,
        executable: NullExecutable,
        counts: BindingOf[NullMemory],
        bindings: Sequence[BindingOf[NullMemory]],
        parameters: bytes,
    ) -> None:
        _check_range(*counts)
        assert counts[2] - counts[1] == 12, "the counts of groups are three u32"
        _check_launch(executable, bindings, parameters)

    # ----------------------------------------------------------------------------------------------------- order

    def timer(self) -> HostTimer:
        return HostTimer()

    def record(self, pieces: Sequence[tuple[Command, ...]], previous: NullRecording | None) -> NullRecording | None:
        return NullRecording(tuple(command for piece in pieces for command in piece))

    def replay(self, recording: NullRecording) -> None:
        perform(self, recording.commands)

    def wait(self) -> None:
        pass

    def close(self) -> None:
        pass


if TYPE_CHECKING:

    def _is_backend(backend: NullBackend) -> BackendOf[NullMemory, NullExecutable, NullRecording, Command]:
        return backend


def _check_array(array: _Array) -> None:
    assert array.dtype == np.uint8 and array.flags.c_contiguous, f"an array of {array.dtype}, which may have gaps"


def _check_range(memory: NullMemory, first: int, end: int) -> None:
    assert 0 <= first <= end <= memory.nbytes, f"bytes {first} to {end} of a memory of {memory.nbytes}"


def _check_launch(executable: NullExecutable, bindings: Sequence[BindingOf[NullMemory]], parameters: bytes) -> None:
    name, count = executable.name, len(executable.accesses)
    assert len(bindings) == count, f"{name}: {len(bindings)} bindings for {count} buffers"
    for binding in bindings:
        _check_range(*binding)
    size = executable.parameter_bytes
    assert len(parameters) == size, f"{name}: {len(parameters)} bytes of parameters, its block has {size}"


def _describe(kind: DeviceKind) -> DeviceInfo:
    return DeviceInfo(
        index=None,
        name=f"nothing, as a device of kind {kind}",
        kind=kind,
        backend="null",
        vendor="",
        driver="",
        api_version="",
        features=frozenset(Feature),
        max_threads=1024,
        max_threads_xyz=(1024, 1024, 1024),
        max_groups_xyz=(MAX_INDEX, MAX_INDEX, MAX_INDEX),
        max_group_memory=MAX_INDEX,
        max_buffer_bytes=MAX_INDEX,
        max_binding_bytes=MAX_INDEX,
        max_parameter_bytes=256,
        subgroup_threads=32,
        subgroup_sizes=(4, 8, 16, 32, 64, 128),
        memory_bytes=MAX_INDEX,
    )

"""The protocol that a kind of device implements; devices, buffers and kernels know nothing else of it.

A backend owns memory and runs programs on it. All calls of one backend take effect in the order in which they are
made, whatever they queue: hazards are the backend's affair. Sizes and ranges were checked by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from krnlpy.device_info import MAX_INDEX, DeviceInfo
from krnlpy.errors import LimitExceeded

from .commands import Command

if TYPE_CHECKING:
    from krnlpy.dsl.ir import Program
    from krnlpy.dsl.ir.layout import Variant

    from .memory_stats import MemoryStats
    from .timing import Timer


def check_subgroups(program: Program, threads: tuple[int, int, int], info: DeviceInfo) -> None:
    """Raises LimitExceeded if the device lacks the subgroup size that a program requires, or if a program with
    cooperative matrices would have a subgroup that is not full."""
    if program.subgroup_threads and program.subgroup_threads not in info.subgroup_sizes:
        raise LimitExceeded(
            f"{program.name} requires subgroups of {program.subgroup_threads} threads; {info.name} has them of"
            f" {', '.join(map(str, info.subgroup_sizes))}"
        )
    count, size = prod(threads), program.subgroup_threads or info.subgroup_threads
    if program.has_cooperative_matrices and count % size:
        raise LimitExceeded(
            f"{program.name}: a group of {count} threads is not a multiple of a subgroup of {size} threads on"
            f" {info.name}; kernels with cooperative matrices need whole subgroups"
        )


def check_groups(kernel: str, groups: tuple[int, int, int], threads: tuple[int, int, int]) -> None:
    """Raises LimitExceeded where a launch has more threads along an axis than ids, which are i32, can count."""
    if any(n * m > MAX_INDEX for n, m in zip(groups, threads, strict=True)):
        raise LimitExceeded(f"{kernel}: {groups} groups of {threads} threads are more than {MAX_INDEX} along an axis")


class Memory(Protocol):
    """Bytes on a device. Freed when the last reference is gone and no queued work uses it."""

    @property
    def nbytes(self) -> int: ...

    @property
    def address(self) -> int:
        """Where the first byte lies: two memories of a device that overlap are known by it."""

    @property
    def is_shared(self) -> bool:
        """Whether it is an array's memory, which may be another memory's too."""


class Recording(Protocol):
    """Commands that were recorded, to be replayed."""

    @property
    def commands(self) -> Iterable[Command]: ...


class Executable(Protocol):
    """A program built for a device, ready to launch.

    Attributes:
        name: how logs, profiles and errors call it: the program's name, and the constants that were given.
        request: what it was built from, which graphs make other executables of.
    """

    name: str
    request: BuildRequest

    @property
    def threads(self) -> tuple[int, int, int]: ...

    @property
    def accesses(self) -> Sequence[tuple[bool, bool]]:
        """For each of the program's buffers: whether it may be read, whether it may be written."""

    def needs_wait(self, groups: tuple[int, int, int] | None, parameters: bytes) -> bool:
        """Whether a launch is waited for, because it may print, or because a check in it may fail.

        Args:
            groups: None where memory says how many when the launch runs.

        Raises:
            DriverDefect: the driver would compute it wrongly.
        """


class BuildRequest(NamedTuple):
    """What an executable is built from.

    Attributes:
        variant: what is known of the layout of the buffers.
        specs: a value for each ``Spec`` parameter.
        threads: of a group.
        debug: with checks of every index and assert.
    """

    program: Program
    variant: Variant
    specs: Mapping[str, int | float | bool]
    threads: tuple[int, int, int]
    debug: bool = False


M = TypeVar("M", bound=Memory)
E = TypeVar("E", bound=Executable)
R = TypeVar("R", bound=Recording)
C = TypeVar("C", bound=Command, contravariant=True)

BindingOf = tuple[M, int, int]
"""What a buffer parameter is bound to: its Memory, and the first and past-the-last byte that the launch may touch.
Element offsets of the parameter block count from the start of the Memory, not from the first byte."""
Binding = BindingOf[Any]


class BackendOf(Protocol[M, E, R, C]):
    """A kind of device, with its own types of memory, of executables and of recordings, and the commands that it
    records. It is never given those of another backend.

    Callers look a method up on the backend at each call: others may stand in its place (interposition.py).
    """

    def __hash__(self) -> int:
        """By identity: layouts, plans and executables are looked up by it."""

    @property
    def info(self) -> DeviceInfo: ...

    def defects(self) -> tuple[str, ...]:
        """A sentence for each thing that the device is known to compute wrongly, and what is done about it."""

    @property
    def lost(self) -> bool:
        """Whether the device stopped answering: DeviceLost was raised, and everything but close raises it again."""

    def allocate(self, nbytes: int) -> M:
        """Memory of at least ``nbytes`` > 0, its content undefined. Raises OutOfMemory."""

    def adopt(self, array: np.ndarray[Any, Any]) -> tuple[M, int]:
        """Memory in which the bytes of a contiguous, writable uint8 array lie, and the place of the first. The array
        is kept alive. Raises SharingError where the device can't use it."""

    def window(self, memory: M, first: int, end: int) -> tuple[Memory, int] | None:
        """Memory that is the part of another from byte ``first`` or somewhat before to ``end``, and the byte of the
        other with which it begins, a multiple of 8 (``first`` where that is a multiple of 256): for kernels, which
        reach ``max_binding_bytes`` of a memory at most, and for graphs, whose temporaries share a memory. None where
        kernels can't reach so much, or the backend has no parts."""

    def memory_stats(self) -> MemoryStats:
        """How much memory is taken."""

    def trim(self) -> None:
        """Gives back to the driver or the system what is kept for the next buffers."""

    def view(self, memory: M) -> np.ndarray[Any, Any] | None:
        """The memory as a uint8 array sharing it, after waiting for work on it; None where the host can't see it
        or where it must not be touched directly (all but the host and the interpreter)."""

    def planes(self, memory: M, is_written: bool = False) -> tuple[np.ndarray[Any, Any], ...]:
        """What a copy of the memory's bytes by NumPy has to copy, each an array as long as the memory: first the bytes,
        then what is known of each byte (the interpreter's: 1 where it was written). () where the host can't see them,
        or must not write them now (``is_written``): then kernels move the elements.
        """

    def upload(self, memory: M, offset: int, data: np.ndarray[Any, Any]) -> None:
        """Copies a contiguous uint8 array into memory. ``data`` may be changed when this returns."""

    def download(self, memory: M, offset: int, out: np.ndarray[Any, Any]) -> None:
        """Copies memory into a contiguous uint8 array, after all work queued before."""

    def copy(self, source: M, source_offset: int, to: M, to_offset: int, nbytes: int) -> None:
        """Copies bytes within this device. The ranges don't overlap, unless they are the same."""

    def fill(self, memory: M, offset: int, nbytes: int, pattern: bytes) -> None:
        """Repeats a pattern of 1, 2, 4 or 8 bytes; offset and nbytes are multiples of its length."""

    def build(self, request: BuildRequest) -> E:
        """An Executable. Raises MissingFeatures, LimitExceeded."""

    def launch(
        self, executable: E, groups: tuple[int, int, int], bindings: Sequence[BindingOf[M]], parameters: bytes
    ) -> None:
        """Queues a dispatch of any number of groups. ``bindings`` follow ``program.buffers``, ``parameters`` is the
        block of layout_of. One that ``needs_wait`` is waited for, and what it prints goes to ``sys.stdout``. Of an
        executable built for debugging, raises KernelIndexError or KernelAssertionError if a thread failed."""

    def launch_indirect(
        self, executable: E, counts: BindingOf[M], bindings: Sequence[BindingOf[M]], parameters: bytes
    ) -> None:
        """Queues a dispatch of as many groups along x, y and z as three u32 at ``counts`` say when it runs: not more
        than the device has. Otherwise as :meth:`launch`."""

    def timer(self) -> Timer:
        """What measures this backend's work."""

    def record(self, pieces: Sequence[tuple[C, ...]], previous: R | None) -> R | None:
        """A recording of commands, which can be replayed while it lives; it keeps what they use alive, and has the
        commands as ``commands``. None within another call of the same thread that was interrupted: then the commands
        are to be performed one by one.

        Args:
            pieces: the commands (commands.py), in pieces that may change by themselves. No launch among them
                ``needs_wait``, and there are calls only if the backend has views.
            previous: the recording whose place it takes, or None: pieces of the same commands are not recorded anew.
        """

    def replay(self, recording: R) -> None:
        """Queues all commands of a recording, in their order."""

    def wait(self) -> None:
        """Returns when all that was queued before is done."""

    def close(self) -> None:
        """Waits, then gives everything back. Called at interpreter exit."""


Backend = BackendOf[Any, Any, Any, Any]
"""A backend of any kind, for code that only hands on what it was given."""

"""A Vulkan device as a backend."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy import config
from krnlpy.backend.commands import DeviceCommand
from krnlpy.backend.memory_stats import MemoryStats
from krnlpy.backend.protocol import BackendOf, Binding, BuildRequest
from krnlpy.backend.timing import HostTimer, Span, Timer
from krnlpy.device_info import DeviceInfo
from krnlpy.dsl.ir.reports import Reports, Words
from krnlpy.errors import DeviceBusy, DeviceError, DeviceLost, DeviceUnavailable, KrnlpyError
from krnlpy.locks import is_mine, renew_after_fork

from .graphs import Graphs, Recording
from .loading.description import PhysicalDevice
from .loading.device import LogicalDevice
from .loading.instance import FORKED, Instance
from .memory.blocks import MemoryPool, MemoryWindow, VulkanMemory
from .memory.transfers import Transfers
from .pipelines.descriptors import Descriptors
from .pipelines.driver_defects import Defects, defects_of
from .pipelines.launches import Launches, launch_counted
from .pipelines.pipeline import PipelineBuilder, VulkanExecutable
from .pipelines.reports import new_report, used_words, words_of
from .queue.commands import Queue
from .queue.timestamps import DeviceTimer, QueryPools
from .queue.waiting import Unlocked
from .reentry import Reentry

Array = np.ndarray[Any, Any]

_COPIED_UNDER_LOCK = 1 << 20
"""Bytes of a download that other threads may have to wait for: about 50 us, for 2 us that it takes to let them in."""

_backends: weakref.WeakSet[VulkanBackend] = weakref.WeakSet()


def _repaired(method: Callable[..., Any]) -> Any:
    """A method that holds the lock, and leaves everything consistent even if it is broken off."""

    @wraps(method)
    def call(self: VulkanBackend, *arguments: Any) -> Any:
        with self._lock:
            try:
                return method(self, *arguments)
            except BaseException as error:
                self._repair(error)
                raise

    return call


def _public(method: Callable[..., Any]) -> Any:
    """As :func:`_repaired`, for methods that are only called without the lock. If this thread holds it, the call comes
    from an interruption."""
    repaired = _repaired(method)
    name = method.__name__

    @wraps(method)
    def call(self: VulkanBackend, *arguments: Any) -> Any:
        if is_mine(self._lock):
            return getattr(self._reentry, name)(*arguments)
        return repaired(self, *arguments)

    return call


class VulkanBackend:
    """One opened device. May be used from several threads.

    Calls only record. Work is submitted in batches, at the latest when a thread waits for it.

    Raises:
        DeviceUnavailable: the driver refuses to open the device.
    """

    def __init__(self, instance: Instance, physical: PhysicalDevice, defects: Defects | None = None) -> None:
        self._instance = instance
        self._defects = defects
        self._lock = threading.RLock()
        renew_after_fork(self, "_lock")
        self._timing = threading.RLock()
        renew_after_fork(self, "_timing")
        device = self._device = LogicalDevice(instance, physical)
        try:
            self._queue = Queue(device)
        except BaseException:
            device.close()
            raise
        self._unlocked = Unlocked(self._queue, self._lock)
        self._memory = MemoryPool(device, self._queue)
        self._transfers = Transfers(device, self._queue)
        self._descriptors = Descriptors(device, self._queue)
        self._launches = Launches(device, self._queue, self._transfers, self._descriptors)
        self._builder = PipelineBuilder(device, self._descriptors, self._known_defects)
        self._graphs = Graphs(device, self._queue, self._memory.allocate, self._transfers)
        self._reentry = Reentry(device, self._queue, self._memory, self._builder)
        self._report: VulkanMemory | None = None
        self._query_pools: QueryPools | None = None
        self._is_closed = False
        self._is_held = False
        if device.labels is not None:
            device.labels.follow(self)
        instance.open_backends.append(self)
        _backends.add(self)

    @property
    def info(self) -> DeviceInfo:
        return self._device.info

    def defects(self) -> tuple[str, ...]:
        """What the driver computes wrongly, as probes found out."""
        with self._lock:
            return self._known_defects().sentences()

    def _known_defects(self) -> Defects:
        if self._defects is None:
            # A device of its own, so that this one's memory and queue stay what they are.
            physical = self._device.physical
            self._defects = defects_of(self.info, lambda: VulkanBackend(self._instance, physical, Defects()))
        return self._defects

    @property
    def lost(self) -> bool:
        return isinstance(self._queue.failure, DeviceLost)

    def _check(self) -> None:
        if self._queue.failure is not None:
            raise self._queue.failure

    # -- memory

    @_public
    def allocate(self, nbytes: int) -> VulkanMemory:
        """Memory, its size rounded up to 16 bytes. Raises OutOfMemory, LimitExceeded."""
        self._check()
        return self._memory.allocate(nbytes)

    @_public
    def adopt(self, array: Array) -> tuple[VulkanMemory, int]:
        """Memory of the process, where the device can use it. Raises SharingError, OutOfMemory."""
        self._check()
        return self._memory.adopt(array)

    def window(self, memory: VulkanMemory, first: int, end: int) -> tuple[MemoryWindow, int] | None:
        """A part of memory, not longer than kernels reach."""
        return self._memory.window(memory, first, end)

    @_public
    def memory_stats(self) -> MemoryStats:
        """How much memory is taken."""
        self._check()
        return self._memory.stats()

    @_public
    def trim(self) -> None:
        """Gives blocks back to the driver that no buffer is in."""
        self._check()
        self._memory.trim()

    def view(self, memory: VulkanMemory) -> None:
        """Nothing: a device's memory is only used through the device."""

    def planes(self, memory: VulkanMemory, is_written: bool = False) -> tuple[()]:
        """None, as for :meth:`view`."""
        return ()

    def upload(self, memory: VulkanMemory, offset: int, data: Array) -> None:
        """Copies bytes into memory."""
        if self._lock._is_owned():  # type: ignore[attr-defined]  # as is_mine
            self._reentry.upload(memory, offset, data)
            return
        with self._lock:  # as _public, without its cost
            try:
                self._check()
                self._transfers.upload(memory, offset, data)
            except BaseException as error:
                self._repair(error)
                raise

    def download(self, memory: VulkanMemory, offset: int, out: Array) -> None:
        """Copies memory into an array, when the last work that writes these bytes is done."""
        if self._lock._is_owned():  # type: ignore[attr-defined]  # as is_mine
            self._reentry.download(memory, offset, out)
        else:
            self._download(memory, offset, out)

    def _download(self, memory: VulkanMemory, offset: int, out: Array) -> None:
        mapped, queue = memory.block.mapped, self._queue
        if mapped is None:
            self._download_staged(memory, offset, out)
            return
        content = mapped[memory.offset + offset : memory.offset + offset + out.nbytes]
        with self._lock:
            if queue.failure is not None:
                raise queue.failure
            batch = 0
            if memory.last_write > queue.completed:
                first = memory.address + offset
                batch = queue.last_access(first, first + out.nbytes, only_writes=True)
            if not batch and out.nbytes <= _COPIED_UNDER_LOCK:
                out[...] = content
                return
        if batch:
            self._wait(batch)
        self._unlocked.call(out.__setitem__, ..., content)

    @_repaired
    def _download_staged(self, memory: VulkanMemory, offset: int, out: Array) -> None:
        self._check()
        self._transfers.download(memory, offset, out)

    @_public
    def copy(self, source: VulkanMemory, source_offset: int, to: VulkanMemory, to_offset: int, nbytes: int) -> None:
        """Copies bytes within the device."""
        self._check()
        self._transfers.copy(source, source_offset, to, to_offset, nbytes)

    @_public
    def fill(self, memory: VulkanMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        """Repeats a pattern."""
        self._check()
        self._transfers.fill(memory, offset, nbytes, pattern)

    # -- kernels

    @_public
    def build(self, request: BuildRequest) -> VulkanExecutable:
        """A program built for the device. Raises MissingFeatures, LimitExceeded."""
        self._check()
        executable = self._builder.build(request)
        if executable.tables is not None:
            executable.tables.place(self._memory.allocate, self._transfers.upload)
        return executable

    def launch(
        self,
        executable: VulkanExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        """Queues a dispatch. One that prints or is checked is waited for; what it prints is written here.

        Raises:
            KernelIndexError, KernelAssertionError: in an executable built for debugging, a thread failed.
            DriverDefect: the driver ends a loop of it too early.
        """
        lock = self._lock
        if lock._is_owned():  # type: ignore[attr-defined]  # as is_mine
            self._reentry.launch(executable, groups, bindings, parameters)
            return
        with lock:
            if self._queue.failure is not None:
                raise self._queue.failure
            try:
                if executable.guard is not None:
                    executable = executable.guard.checked(executable, groups, parameters)
                if executable.reports is None:
                    self._launches.record(executable, groups, bindings, parameters)
                    return
            except BaseException as error:
                self._repair(error)
                raise
            report = self._launch_reporting(executable, executable.reports, groups, bindings, parameters)
        executable.reports.deliver(executable.name, executable.threads, report)

    def launch_indirect(
        self, executable: VulkanExecutable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        """Queues a dispatch of as many groups as three u32 in memory say when it runs. Raises as :meth:`launch`.

        In debug mode the counts are read first. Raises LimitExceeded then for more threads than ids can count.
        """
        if is_mine(self._lock):
            self._reentry.launch_indirect(executable, counts, bindings, parameters)
            return
        with self._lock:
            self._check()
            if not executable.needs_wait(None, parameters) and not config.debug:
                self._record_indirect(executable, counts, bindings, parameters)
                return
        launch_counted(self, executable, counts, bindings, parameters)

    @_repaired
    def _record_indirect(self, *arguments: Any) -> None:
        self._launches.record_indirect(*arguments)

    @_repaired
    def _launch_reporting(
        self,
        executable: VulkanExecutable,
        reports: Reports,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> Words:
        """Runs a kernel to its end; returns the words of its report that are used."""
        header, nbytes = new_report(reports)
        memory = self._report
        if memory is None or memory.nbytes < nbytes:
            memory = self._report = self._memory.allocate(nbytes)
        self._transfers.upload(memory, 0, header)
        self._launches.record(executable, groups, [*bindings, (memory, 0, memory.nbytes)], parameters)
        return used_words(reports, lambda count: words_of(count, lambda out: self._download(memory, 0, out)))

    # -- measuring

    @_public
    def timer(self) -> Timer:
        """By timestamps; by the host's clock, waiting before and after, where the device writes none."""
        self._check()
        pools = self._query_pools = self._query_pools or QueryPools(self._instance, self._device)
        if not pools.valid_bits:
            return HostTimer(self.wait)
        return DeviceTimer(self._device, self._queue, pools, lock=self._lock, wait=self._wait, timed=self.timed)

    def timed(self, timer: DeviceTimer, work: Callable[[], None]) -> Span:
        """Does some work between two timestamps. For timers."""
        if is_mine(self._lock):
            return self._reentry.timed(timer, work)
        with self._timing:  # else others' measured work would be between the two
            open = self._call(timer.begin)
            work()
            span: Span = self._call(timer.end, open)
            return span

    @_repaired
    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self._check()
        return function(*arguments)

    # -- graphs

    @_public
    def record(self, pieces: Sequence[tuple[DeviceCommand, ...]], previous: Recording | None) -> Recording | None:
        """Command buffers of commands; None within another call, whose memory they might need. Raises OutOfMemory."""
        self._check()
        return self._graphs.record(pieces, previous)

    @_public
    def replay(self, recording: Recording) -> None:
        """Submits command buffers."""
        self._check()
        self._graphs.replay(recording)

    # -- waiting and closing

    def wait(self) -> None:
        """Returns when all that was queued before is done."""
        if is_mine(self._lock):
            self._reentry.wait()
            return
        with self._lock:
            batch = self._queue.open_value
        self._wait(batch)

    def _wait(self, batch: int) -> None:
        """Returns when a batch is done. Other threads may go on recording meanwhile."""
        batch = self._submitted(batch)
        if batch:
            self._unlocked.wait(batch)
            self._poll()

    @_repaired
    def _submitted(self, batch: int) -> int:
        """The number of the last batch submitted, if this one was not; 0 if it is done."""
        self._check()
        self._collect()
        if batch > self._queue.submitted:
            batch = self._queue.submit()
        return 0 if batch <= self._queue.completed else batch

    @_repaired
    def _poll(self) -> None:
        self._check()
        self._queue.poll()

    def _repair(self, error: BaseException) -> None:
        """Makes all consistent after something was broken off, by Ctrl-C say. Our own errors come where all is."""
        if not isinstance(error, KrnlpyError) and not self._is_closed:
            self._queue.repair()
            self._memory.repair()
            self._launches.forget()

    def _collect(self) -> None:
        """Takes back memory and pipelines whose last references are gone."""
        self._graphs.collect()
        self._memory.collect()
        retired = self._builder.retired
        while retired:
            pipeline = retired.popleft()
            self._queue.retire(self._queue.open_value, partial(self._builder.destroy, pipeline))

    def hold(self) -> None:
        """Keeps all other threads out for good."""
        self._lock.acquire()
        self._is_held = True

    def abandon(self, reason: DeviceError) -> None:
        """Calls nothing of Vulkan's any more, not even to close; whatever is asked for raises the reason."""
        self._queue.failure = reason
        self._is_closed = True

    def close(self) -> None:
        """Waits, then gives everything back; the device's memory and executables are of no use afterwards."""
        if is_mine(self._lock) and not self._is_held:
            raise DeviceBusy(f"{self.info.name} can't be closed within the call that was interrupted")
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self._queue.failure is None:
                self._queue.failure = DeviceUnavailable(f"{self.info.name} was closed")
            self._instance.open_backends.remove(self)
            device = self._device
            device.functions.vkDeviceWaitIdle(device.handle)
            self._unlocked.end()
            self._queue.close()  # the first, because it destroys what is retired
            if self._query_pools is not None:
                self._query_pools.close()
            self._graphs.close()
            self._reentry.close()
            self._builder.close()
            self._descriptors.close()
            self._transfers.close()
            self._memory.close()
            device.close()


def _after_fork() -> None:
    for backend in _backends:
        backend.abandon(DeviceUnavailable(FORKED))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


if TYPE_CHECKING:

    def _is_backend(backend: VulkanBackend) -> BackendOf[VulkanMemory, VulkanExecutable, Recording, DeviceCommand]:
        return backend

"""A Vulkan device as a backend."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from krnlpy import config
from krnlpy.backend import Binding, DeviceInfo
from krnlpy.commands import DeviceCommand
from krnlpy.dsl.ir import Program
from krnlpy.dsl.layout import Variant
from krnlpy.dsl.reports import HEADER, Reports, Words
from krnlpy.errors import DeviceLost, DeviceUnavailable

from .commands import Queue
from .description import PhysicalDevice
from .descriptors import Descriptors
from .device import LogicalDevice
from .graphs import Graphs, Recording
from .instance import FORKED, Instance
from .launches import Launches
from .memory import MemoryPool, VulkanMemory
from .pipeline import PipelineBuilder, VulkanExecutable
from .transfers import Transfers

Array = np.ndarray[Any, Any]

_backends: weakref.WeakSet[VulkanBackend] = weakref.WeakSet()


class VulkanBackend:
    """One opened device. May be used from several threads.

    Calls only record; work is submitted in batches, and at the latest when somebody waits for it.

    Raises:
        DeviceUnavailable: the driver refuses to open the device.
    """

    def __init__(self, instance: Instance, physical: PhysicalDevice) -> None:
        self._instance = instance
        self._lock = threading.RLock()
        device = self._device = LogicalDevice(instance, physical)
        self._queue = Queue(device)
        self._memory = MemoryPool(device, self._queue)
        self._transfers = Transfers(device, self._queue)
        self._descriptors = Descriptors(device, self._queue)
        self._launches = Launches(device, self._queue, self._transfers, self._descriptors)
        self._builder = PipelineBuilder(device, self._descriptors)
        self._graphs = Graphs(device, self._queue, self._memory, self._transfers)
        self._report: VulkanMemory | None = None
        instance.open_backends.append(self)
        _backends.add(self)

    @property
    def info(self) -> DeviceInfo:
        return self._device.info

    @property
    def lost(self) -> bool:
        return isinstance(self._queue.failure, DeviceLost)

    def _check(self) -> None:
        if self._queue.failure is not None:
            raise self._queue.failure

    # -- memory

    def allocate(self, nbytes: int) -> VulkanMemory:
        """Memory, its size rounded up to 16 bytes. Raises OutOfMemory, LimitExceeded."""
        with self._lock:
            self._check()
            return self._memory.allocate(nbytes)

    def adopt(self, array: Array) -> None:
        """Nothing: the device cannot use the memory of an array."""

    def view(self, memory: VulkanMemory) -> None:
        """Nothing: a device's memory is only used through the device."""

    def planes(self, memory: VulkanMemory) -> tuple[()]:
        """None, as for :meth:`view`."""
        return ()

    def upload(self, memory: VulkanMemory, offset: int, data: Array) -> None:
        """Copies bytes into memory."""
        with self._lock:
            self._check()
            self._transfers.upload(memory, offset, data)

    def download(self, memory: VulkanMemory, offset: int, out: Array) -> None:
        """Copies memory into an array, when the last work that writes these bytes is done."""
        mapped = memory.block.mapped
        with self._lock:
            self._check()
            if mapped is None:
                self._transfers.download(memory, offset, out)
                return
            batch = 0
            if memory.last_write > self._queue.completed:
                first = memory.address + offset
                batch = self._queue.last_access(first, first + out.nbytes, only_writes=True)
        self._wait(batch)
        start = memory.offset + offset
        out[...] = mapped[start : start + out.nbytes]

    def copy(self, source: VulkanMemory, source_offset: int, to: VulkanMemory, to_offset: int, nbytes: int) -> None:
        """Copies bytes within the device."""
        with self._lock:
            self._check()
            self._transfers.copy(source, source_offset, to, to_offset, nbytes)

    def fill(self, memory: VulkanMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        """Repeats a pattern."""
        with self._lock:
            self._check()
            self._transfers.fill(memory, offset, nbytes, pattern)

    # -- kernels

    def build(
        self,
        program: Program,
        variant: Variant,
        specs: Mapping[str, int | float | bool],
        threads: tuple[int, int, int],
        debug: bool,
    ) -> VulkanExecutable:
        """A program built for the device. Raises MissingFeatures, LimitExceeded."""
        with self._lock:
            self._check()
            return self._builder.build(program, variant, specs, threads, debug)

    def launch(
        self,
        executable: VulkanExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        """Queues a dispatch. One that has something to tell is waited for; what it prints is written here.

        Raises:
            KernelIndexError, KernelAssertionError: in an executable built for debugging, a thread failed.
        """
        with self._lock:
            self._check()
            if executable.reports is None:
                self._launches.record(executable, groups, bindings, parameters)
                return
            report = self._launch_reporting(executable, executable.reports, groups, bindings, parameters)
        executable.reports.tell(executable.name, executable.threads, report)

    def launch_indirect(
        self, executable: VulkanExecutable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        """Queues a dispatch of as many groups as three u32 in memory say when it runs. Raises as :meth:`launch`."""
        with self._lock:
            self._check()
            if executable.reports is None:
                self._launches.record_indirect(executable, counts, bindings, parameters)
                return
        words = np.empty(3, "<u4")
        self.download(counts[0], counts[1], words.view(np.uint8))
        x, y, z = words.tolist()
        if x and y and z:
            self.launch(executable, (x, y, z), bindings, parameters)

    def _launch_reporting(
        self,
        executable: VulkanExecutable,
        reports: Reports,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> Words:
        """Runs a kernel to its end; returns the words of its report that are used."""
        capacity = reports.capacity(config.print_bytes)
        header = np.frombuffer(reports.header(capacity), np.uint8)
        nbytes = header.nbytes + 4 * capacity
        memory = self._report
        if memory is None or memory.nbytes < nbytes:
            memory = self._report = self._memory.allocate(nbytes)
        self._transfers.upload(memory, 0, header)
        self._launches.record(executable, groups, [*bindings, (memory, 0, memory.nbytes)], parameters)
        words = self._read_words(memory, len(HEADER) + reports.failure_words)
        used = len(HEADER) + int(words[HEADER.index("used")])
        return words if len(words) == used else self._read_words(memory, used)

    def _read_words(self, memory: VulkanMemory, count: int) -> Words:
        words = np.empty(count, "<u4")
        self.download(memory, 0, words.view(np.uint8))
        return words

    # -- graphs

    def record(self, pieces: Sequence[tuple[DeviceCommand, ...]], previous: Recording | None) -> Recording:
        """DeviceCommand buffers of commands. Raises OutOfMemory."""
        with self._lock:
            self._check()
            return self._graphs.record(pieces, previous)

    def replay(self, recording: Recording) -> None:
        """Submits command buffers."""
        with self._lock:
            self._check()
            self._graphs.replay(recording)

    # -- waiting and closing

    def wait(self) -> None:
        """Returns when all that was queued before is done."""
        with self._lock:
            batch = self._queue.open_value
        self._wait(batch)

    def _wait(self, batch: int) -> None:
        """Returns when a batch is done. Other threads may go on recording meanwhile."""
        with self._lock:
            self._check()
            self._collect()
            if batch >= self._queue.open_value:
                batch = self._queue.submit()
            if batch <= self._queue.completed:
                return
        self._queue.block(batch)
        with self._lock:
            self._queue.poll()

    def _collect(self) -> None:
        """Takes back memory and pipelines whose last references are gone."""
        self._graphs.collect()
        self._memory.collect()
        retired = self._builder.retired
        while retired:
            pipeline = retired.popleft()
            self._queue.retire(self._queue.open_value, partial(self._builder.destroy, pipeline))

    def close(self) -> None:
        """Waits, then gives everything back; the device's memory and executables are of no use afterwards."""
        with self._lock:
            if isinstance(self._queue.failure, DeviceUnavailable):  # closed before, or in a forked process
                return
            self._queue.failure = DeviceUnavailable(f"{self.info.name} was closed")
            self._instance.open_backends.remove(self)
            device = self._device
            device.functions.vkDeviceWaitIdle(device.handle)
            self._queue.close()  # the first, because it destroys what is retired
            self._graphs.close()
            self._builder.close()
            self._descriptors.close()
            self._transfers.close()
            self._memory.close()
            device.close()


def _after_fork() -> None:
    for backend in _backends:
        backend._lock = threading.RLock()  # another thread may have held it
        backend._queue.failure = DeviceUnavailable(FORKED)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

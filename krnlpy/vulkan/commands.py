"""The queue: work is recorded into an open command buffer, ordered by barriers where it must be, submitted in batches.

Each submission signals the next value of a timeline semaphore; waiting blocks on it. A barrier orders all work before
it against all work after it, so only one is recorded where a byte range is used again in a way that conflicts: read
after write, write after write, write after read. Ranges used since the last barrier are kept with the memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from . import api
from .memory import DeviceMemory

MAX_BATCH = 64
"""Dispatches and copies of a submission: enough to amortise it, few enough for drivers that stop long ones."""

_COMPUTE_STAGE, _TRANSFER_STAGE, _HOST_STAGE = 0x800, 0x1000, 0x4000
_SHADER_READ, _SHADER_WRITE, _TRANSFER_READ, _TRANSFER_WRITE, _HOST_READ = 0x20, 0x40, 0x800, 0x1000, 0x2000
_WORK = _COMPUTE_STAGE | _TRANSFER_STAGE
_READS, _WRITES = _SHADER_READ | _TRANSFER_READ, _SHADER_WRITE | _TRANSFER_WRITE

Use = tuple[DeviceMemory, int, int, bool, bool]
"""A memory, the first and past-the-last byte used, and whether they are read and written."""


def conflicts(memory: DeviceMemory, epoch: int, start: int, stop: int, writes: bool) -> bool:
    """Whether a use must wait for one since the last barrier."""
    if memory.epoch != epoch:
        return False
    for first, last in memory.writes:
        if first < stop and start < last:
            return True
    if writes:
        for first, last in memory.reads:
            if first < stop and start < last:
                return True
    return False


def note(memory: DeviceMemory, epoch: int, start: int, stop: int, reads: bool, writes: bool) -> None:
    """Remembers a use."""
    if memory.epoch != epoch:
        memory.epoch = epoch
        memory.reads.clear()
        memory.writes.clear()
    if reads and (start, stop) not in memory.reads:
        memory.reads.append((start, stop))
    if writes and (start, stop) not in memory.writes:
        memory.writes.append((start, stop))


class Queue:
    """One queue of a device. Not safe for threads; its backend has the lock."""

    def __init__(self, device: Any, family: int) -> None:
        ffi, lib = api.ffi(), api.lib()
        self._device = device
        queue = ffi.new("VkQueue *")
        lib.vkGetDeviceQueue(device, family, 0, queue)
        self._queue = queue[0]
        pool = api.struct("VkCommandPoolCreateInfo", flags=0x2, queueFamilyIndex=family)  # buffers reset one by one
        self._pool = api.create(lib.vkCreateCommandPool, device, pool, "VkCommandPool", "vkCreateCommandPool")
        kind = api.struct("VkSemaphoreTypeCreateInfo", semaphoreType=1, initialValue=0)  # timeline
        info = api.struct("VkSemaphoreCreateInfo", pNext=kind)
        self._timeline = api.create(lib.vkCreateSemaphore, device, info, "VkSemaphore", "vkCreateSemaphore")
        self._idle: list[Any] = []
        self._busy: deque[tuple[int, Any]] = deque()
        self.submitted = 0
        """Value that the last submission signals."""
        self._completed = 0
        self._epoch = 0
        self.barriers = 0
        """Count of barriers recorded between uses; tests look at it."""
        self._count = 0
        self.commands: Any = None
        """The open command buffer, or None."""
        self._prepare_structs()

    def _prepare_structs(self) -> None:
        # Structs of the hot calls are made once; cffi's allocations would cost more than the calls.
        ffi, lib = api.ffi(), api.lib()
        self._begin = api.struct("VkCommandBufferBeginInfo", flags=1)  # one submission
        self._barrier = api.struct("VkMemoryBarrier", srcAccessMask=_WRITES, dstAccessMask=_READS | _WRITES)
        self._to_host = api.struct("VkMemoryBarrier", srcAccessMask=_WRITES, dstAccessMask=_HOST_READ)
        self._signal_value = ffi.new("uint64_t *")
        self._signal = ffi.new("VkSemaphore *", self._timeline)
        self._buffers = ffi.new("VkCommandBuffer *")
        self._timeline_info = api.struct(
            "VkTimelineSemaphoreSubmitInfo", signalSemaphoreValueCount=1, pSignalSemaphoreValues=self._signal_value
        )
        self._submit_info = api.struct(
            "VkSubmitInfo",
            pNext=self._timeline_info,
            commandBufferCount=1,
            pCommandBuffers=self._buffers,
            signalSemaphoreCount=1,
            pSignalSemaphores=self._signal,
        )
        self._wait_value = ffi.new("uint64_t *")
        self._wait_info = api.struct(
            "VkSemaphoreWaitInfo", semaphoreCount=1, pSemaphores=self._signal, pValues=self._wait_value
        )
        self._counter = ffi.new("uint64_t *")
        self._vk_barrier = api.device_function(self._device, "vkCmdPipelineBarrier")
        self._null = ffi.NULL
        self._lib = lib

    # -------------------------------------------------------------------------------------------------- recording

    def use(self, uses: Sequence[Use]) -> Any:
        """The open command buffer, ready for a command that uses these ranges."""
        commands = self.commands
        if commands is None:
            commands = self._open()
        epoch = self._epoch
        for memory, start, stop, _, writes in uses:
            if conflicts(memory, epoch, start, stop, writes):
                self._vk_barrier(commands, _WORK, _WORK, 0, 1, self._barrier, 0, self._null, 0, self._null)
                self.barriers += 1
                epoch = self._epoch = epoch + 1
                break
        value = self.submitted + 1
        for memory, start, stop, reads, writes in uses:
            note(memory, epoch, start, stop, reads, writes)
            memory.last_use = value
            if writes:
                memory.last_write = value
        return commands

    def recorded(self) -> None:
        """Counts a command just recorded, and submits when there are enough."""
        self._count += 1
        if self._count >= MAX_BATCH:
            self.submit()

    def _open(self) -> Any:
        completed = self.completed() if self._busy else self._completed
        while self._busy and self._busy[0][0] <= completed:
            self._idle.append(self._busy.popleft()[1])
        if not self._idle:
            info = api.struct("VkCommandBufferAllocateInfo", commandPool=self._pool, level=0, commandBufferCount=1)
            fresh = api.ffi().new("VkCommandBuffer *")
            api.check(self._lib.vkAllocateCommandBuffers(self._device, info, fresh), "vkAllocateCommandBuffers")
            self._idle.append(fresh[0])
        commands = self._idle.pop()
        api.check(self._lib.vkBeginCommandBuffer(commands, self._begin), "vkBeginCommandBuffer")
        self.commands = commands
        return commands

    # ------------------------------------------------------------------------------------------------- submitting

    def submit(self) -> int:
        """Submits what is recorded; the value that tells when all submitted work is done."""
        commands = self.commands
        if commands is None:
            return self.submitted
        # What the work wrote is made visible to the host, which may look once the timeline says so.
        self._vk_barrier(commands, _WORK, _HOST_STAGE, 0, 1, self._to_host, 0, self._null, 0, self._null)
        api.check(self._lib.vkEndCommandBuffer(commands), "vkEndCommandBuffer")
        self.commands = None
        self._count = 0
        self._buffers[0] = commands
        self._signal_value[0] = self.submitted + 1
        api.check(self._lib.vkQueueSubmit(self._queue, 1, self._submit_info, self._null), "vkQueueSubmit")
        self.submitted += 1
        self._busy.append((self.submitted, commands))
        return self.submitted

    def completed(self) -> int:
        """The value up to which work is done."""
        if self._completed < self.submitted:
            api.check(
                self._lib.vkGetSemaphoreCounterValue(self._device, self._timeline, self._counter),
                "vkGetSemaphoreCounterValue",
            )
            self._completed = self._counter[0]
        return self._completed

    def wait(self, value: int) -> None:
        """Returns when the work up to a value is done, submitting it if it is not yet."""
        if value <= self._completed:
            return
        if value > self.submitted:
            self.submit()
        self._wait_value[0] = value
        api.check(self._lib.vkWaitSemaphores(self._device, self._wait_info, api.FOREVER), "waiting for the device")
        self._completed = max(self._completed, value)

    def close(self) -> None:
        """Waits, and destroys what the queue has."""
        self.wait(self.submit())
        self._lib.vkQueueWaitIdle(self._queue)
        self._lib.vkDestroySemaphore(self._device, self._timeline, self._null)
        self._lib.vkDestroyCommandPool(self._device, self._pool, self._null)

"""Timestamps that the device writes before and after work: in query pools, which are used again and again.

Before measured work stands a barrier, so that its time is its own: kernels that would overlap don't while they are
measured. Both timestamps are written when all work before them is complete (bottom of the pipe).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from time import perf_counter_ns, sleep
from typing import Any, NamedTuple

from krnlpy.backend.timing import Clock, Span
from krnlpy.errors import DeviceBusy, DeviceUnavailable
from krnlpy.locks import is_mine
from krnlpy.vulkan.loading.device import LogicalDevice
from krnlpy.vulkan.loading.instance import Instance

from .commands import Queue

_POOL_SPANS = 128
_LOOKS = 3
_READS = 1000
"""Of timestamps of work that is done, which should be there at once."""


class _Pool:
    """A query pool. ``open``: spans in it that are not read yet."""

    __slots__ = ("handle", "open", "used")

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.used = self.open = 0


class QueryPools:
    """The timestamps of a device. The caller holds the backend's lock.

    Attributes:
        valid_bits: of a timestamp; 0 where the device's queue writes none.
        period: nanoseconds of a tick.
    """

    def __init__(self, instance: Instance, device: LogicalDevice) -> None:
        self._device = device
        self._pools: list[_Pool] = []
        self._spare: list[_Pool] = []
        api, functions, physical = device.api, instance.functions, device.physical
        count = api.new("uint32_t *")
        functions.vkGetPhysicalDeviceQueueFamilyProperties(physical.handle, count, api.ffi.NULL)
        families = api.new("VkQueueFamilyProperties[]", count[0])
        functions.vkGetPhysicalDeviceQueueFamilyProperties(physical.handle, count, families)
        properties = api.new("VkPhysicalDeviceProperties *")
        functions.vkGetPhysicalDeviceProperties(physical.handle, properties)
        self.valid_bits = int(families[physical.queue_family].timestampValidBits)
        self.period = float(properties.limits.timestampPeriod)

    def take(self) -> _Pool:
        """An unused pool; a command must reset it before it is used."""
        if self._spare:
            return self._spare.pop()
        api, device = self._device.api, self._device
        info = api.struct("VkQueryPoolCreateInfo", queryType=api.VK_QUERY_TYPE_TIMESTAMP, queryCount=2 * _POOL_SPANS)
        self._pools.append(_Pool(device.create("vkCreateQueryPool", "VkQueryPool", info)))
        return self._pools[-1]

    def put_back(self, pool: _Pool) -> None:
        """Takes a pool back that no queued work uses."""
        pool.used = pool.open = 0
        self._spare.append(pool)

    def close(self) -> None:
        """Destroys the pools. The device is idle."""
        for pool in self._pools:
            self._device.destroy("vkDestroyQueryPool", pool.handle)


class _Open(NamedTuple):
    span: Span
    pool: _Pool
    first: int
    batch: int


class _Begun(NamedTuple):
    pool: _Pool
    first: int
    recorded: tuple[int, int]
    time: int


class DeviceTimer:
    """Measures by the device's timestamps; see :class:`krnlpy.backend.timing.Timer`.

    Times are put on the host's clock by a look at both when the timer is made: they are exact among themselves, and off
    by about what a submission takes, a tenth of a millisecond, against what the host did.
    """

    clock: Clock = "device"

    def __init__(
        self,
        device: LogicalDevice,
        queue: Queue,
        pools: QueryPools,
        *,
        lock: AbstractContextManager[bool],
        wait: Callable[[int], None],
        timed: Callable[[DeviceTimer, Callable[[], None]], Span],
    ) -> None:
        """Of a backend: its lock; what waits for a batch; what does some work between :meth:`begin` and :meth:`end`."""
        self._lock = lock
        self._wait = wait
        self._device = device
        self._timed = timed
        self._pools = pools
        self._queue = queue
        self._write = device.functions.vkCmdWriteTimestamp
        self._stage = device.api.VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT
        self._flags = device.api.VK_QUERY_RESULT_64_BIT
        self._ticks = device.api.new("uint64_t[2]")
        self._mask = (1 << pools.valid_bits) - 1
        self._open: deque[_Open] = deque()
        self._full: list[_Pool] = []
        self._pool = pools.take()
        try:
            # The host's time when the device's counter was at ``_last``: of several looks the one that took least.
            _, self._time, self._last = min(self._look() for _ in range(_LOOKS))
        except BaseException:
            self.close()
            raise

    def _look(self) -> tuple[int, float, int]:
        """How long it took to look at both clocks, and what they showed."""
        queue = self._queue
        queue.wait(queue.open_value)
        before = perf_counter_ns()
        pool, first = self._begin()
        queue.record(self._write, self._stage, pool.handle, first + 1)
        queue.wait(queue.open_value)
        after = perf_counter_ns()
        return after - before, (before + after) / 2, self._read(pool, first)[0]

    def time(self, work: Callable[[], None]) -> Span:
        """Records work between two timestamps. What queues nothing, as copies by the host, is measured by its clock."""
        return self._timed(self, work)

    def begin(self) -> _Begun:
        """The first half of :meth:`time`, for who holds the backend's lock."""
        pool, first = self._begin()
        return _Begun(pool, first, self._queue.recorded, perf_counter_ns())

    def end(self, begun: _Begun) -> Span:
        """The second half."""
        queue, span = self._queue, Span()
        pool, first, recorded, begin = begun
        if queue.recorded == recorded:
            span.begin, span.end, span.is_measured = begin, perf_counter_ns(), True
            return span
        queue.record(self._write, self._stage, pool.handle, first + 1)
        pool.open += 1
        self._open.append(_Open(span, pool, first, queue.open_value))
        return span

    def _begin(self) -> tuple[_Pool, int]:
        """Writes the first timestamp of a pair: its pool, and its place in it."""
        queue, functions = self._queue, self._device.functions
        queue.order()
        if self._pool.used == _POOL_SPANS:
            full, self._pool = self._pool, self._pools.take()
            self._full.append(full)
            self._collect()
        pool = self._pool
        if not pool.used:
            queue.record(functions.vkCmdResetQueryPool, pool.handle, 0, 2 * _POOL_SPANS)
        first = 2 * pool.used
        pool.used += 1
        queue.record(self._write, self._stage, pool.handle, first)
        return pool, first

    def _read(self, pool: _Pool, first: int) -> tuple[int, int]:
        device, ticks = self._device, self._ticks
        read = device.functions.vkGetQueryPoolResults
        for _ in range(_READS):
            result = read(device.handle, pool.handle, first, 2, 16, ticks, 8, self._flags)
            if result != device.api.VK_NOT_READY:
                self._queue.check(result, "read timestamps")
                return int(ticks[0]) & self._mask, int(ticks[1]) & self._mask
            sleep(0.001)
        raise DeviceUnavailable(f"{device.info.name} did not write its timestamps")

    def _collect(self) -> None:
        """Reads what is done."""
        spans, completed = self._open, self._queue.completed
        while spans and spans[0].batch <= completed:
            span, pool, first, _ = spans.popleft()
            begin, end = self._read(pool, first)
            span.begin, span.end, span.is_measured = self._host_time(begin), self._host_time(end), True
            pool.open -= 1
        for pool in [pool for pool in self._full if not pool.open]:
            self._full.remove(pool)
            self._pools.put_back(pool)

    def _host_time(self, ticks: int) -> int:
        # Counters of fewer than 64 bits wrap; spans come almost in order, the inner ones of nested ones first.
        half = (self._mask >> 1) + 1
        self._time += (((ticks - self._last + half) & self._mask) - half) * self._pools.period
        self._last = ticks
        return round(self._time)

    def finish(self) -> None:
        """Waits for what is measured and reads it. Raises DeviceBusy within the call that is measured."""
        if is_mine(self._lock):
            raise DeviceBusy(f"what was measured on {self._device.info.name} can't be read within an interrupted call")
        with self._lock:
            batch = self._open[-1].batch if self._open else 0
        self._wait(batch)  # others may queue work meanwhile
        with self._lock:
            self._collect()

    def close(self) -> None:
        """Gives the pools back when no queued work uses them."""
        with self._lock:
            queue, pools = self._queue, [*self._full, self._pool]
            self._full, self._open = [], deque()
            for pool in pools:
                queue.retire(queue.open_value, partial(self._pools.put_back, pool))

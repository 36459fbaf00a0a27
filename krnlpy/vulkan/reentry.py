"""What a signal handler or a finalizer asks of a device within a call of the same thread, which it interrupted.

The call stands still wherever it is, has changed some of what it changes, and goes on afterwards. So nothing of it is
touched here. What is asked is done at once and to its end, by a queue and memory apart; before it runs what was
recorded and not submitted, by the log that the call's queue keeps of it (batches.py). What the call was about to do
comes after. Another handler that interrupts this is on a level of its own, and finds the logs of this one too.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

import numpy as np

from krnlpy.backend.commands import Fill, Launch, perform
from krnlpy.backend.memory_stats import MemoryStats
from krnlpy.backend.protocol import Binding, BuildRequest
from krnlpy.backend.timing import HostTimer, Span
from krnlpy.errors import DeviceLost

from .graphs import Graphs, Recording
from .loading.device import LogicalDevice
from .memory.blocks import MemoryPool, VulkanMemory
from .memory.transfers import Transfers
from .pipelines.launches import launch_counted
from .pipelines.pipeline import PipelineBuilder, VulkanExecutable
from .pipelines.reports import new_report, used_words, words_of
from .queue.batches import Log
from .queue.commands import Queue

Array = np.ndarray[Any, Any]


class _Apart:
    """A memory, with uses of its own: the batches that others note in it are those of another queue."""

    __slots__ = ("address", "block", "buffer", "key", "last_use", "last_write", "nbytes", "offset")

    def __init__(self, memory: Any) -> None:
        self.address, self.block, self.buffer = memory.address, memory.block, memory.buffer
        self.key, self.nbytes, self.offset = memory.key, memory.nbytes, memory.offset
        self.last_use = self.last_write = 0


def _apart(memory: Any) -> Any:
    return _Apart(memory)


class _Level:
    """What a handler works by: a queue, and what goes with it."""

    def __init__(self, device: LogicalDevice, memory: MemoryPool) -> None:
        self.queue = Queue(device)
        self.transfers = Transfers(device, self.queue)
        self.graphs = Graphs(device, self.queue, memory.allocate_apart, self.transfers)
        self._logs: list[Log] = []
        self._number = 0

    def settle(self, logs: Sequence[Log]) -> None:
        """Does what others recorded and did not submit, and waits for all that the device was given."""
        queue = self.queue
        self._logs = []
        self._number = number = queue.open_value
        self._logs = list(logs)
        if number == 1:
            queue.order_indirect()
        queue.order()
        # Before it is submitted here: whoever recorded it looks, and records what is left anew. So does this queue,
        # whose handler may be interrupted too: what is done meanwhile is gone from the logs.
        queue.log.others = self._logs
        for log in (queue.log, *logs):
            log.valid.clear()
        try:
            queue.submit()
        finally:
            if queue.is_sent(number):  # whatever broke this off: nothing is done twice
                for log in logs:
                    log.clear()
        queue.wait(queue.submitted)

    def has_done(self, log: Log) -> bool:
        """Whether it has submitted what a log says, which may not be cleared yet."""
        return self.queue.is_sent(self._number) and any(log is mine for mine in self._logs)

    def close(self) -> None:
        self.queue.close()
        self.graphs.close()
        self.transfers.close()


class Reentry:
    """Stands for a device's backend within its own calls, whose methods it has. The caller holds the backend's lock.

    Args:
        queue: of the calls that are interrupted; ``memory`` and ``builder`` too.
    """

    def __init__(self, device: LogicalDevice, queue: Queue, memory: MemoryPool, builder: PipelineBuilder) -> None:
        self._device = device
        self._interrupted = queue
        self._memory = memory
        self._builder = builder
        self._levels: list[_Level] = []
        self._spare: list[_Level] = []
        self._used: list[_Level] = []

    @contextmanager
    def _alone(self) -> Iterator[_Level]:
        """With a queue apart, when all that was recorded and queued before is done: by the interrupted call, and by
        handlers that were interrupted in their turn. No finalizer gets here meanwhile, as garbage waits."""
        if self._interrupted.failure is not None:
            raise self._interrupted.failure
        collects = gc.isenabled()
        level = None
        try:
            gc.disable()
            level = self._spare.pop() if self._spare else self._new_level()
            logs = [log for queue in (self._interrupted, *(u.queue for u in self._used)) for log in queue.unsubmitted()]
            logs = [log for log in logs if not any(used.has_done(log) for used in self._used)]
            self._used.append(level)
            level.settle(logs)
            yield level
            self._spare.append(level)  # not one that was broken off
        except DeviceLost as error:
            self._interrupted.failure = error
            raise
        finally:
            if level in self._used:
                self._used.remove(level)
            if collects:
                gc.enable()

    def _new_level(self) -> _Level:
        self._levels.append(_Level(self._device, self._memory))
        return self._levels[-1]

    # ---------------------------------------------------------------------------------------------------- memory

    def allocate(self, nbytes: int) -> VulkanMemory:
        with self._alone():
            return self._memory.allocate_apart(nbytes)

    def adopt(self, array: Array) -> tuple[VulkanMemory, int]:
        with self._alone():
            return self._memory.adopt(array, apart=True)

    def memory_stats(self) -> MemoryStats:
        return self._memory.counted()

    def trim(self) -> None:
        """Nothing: the pool may be about to hand out a block."""

    def upload(self, memory: Any, offset: int, data: Array) -> None:
        with self._alone() as level:
            level.transfers.upload(_apart(memory), offset, data)
            level.queue.wait(level.queue.open_value)

    def download(self, memory: Any, offset: int, out: Array) -> None:
        with self._alone() as level:
            self._read(level, memory, offset, out)

    def _read(self, level: _Level, memory: Any, offset: int, out: Array) -> None:
        mapped = memory.block.mapped
        if mapped is None:
            level.transfers.download(_apart(memory), offset, out)
        else:
            start = memory.offset + offset
            out[...] = mapped[start : start + out.nbytes]

    def copy(self, source: Any, source_offset: int, to: Any, to_offset: int, nbytes: int) -> None:
        with self._alone() as level:
            level.transfers.copy(_apart(source), source_offset, _apart(to), to_offset, nbytes)
            level.queue.wait(level.queue.open_value)

    def fill(self, memory: Any, offset: int, nbytes: int, pattern: bytes) -> None:
        with self._alone() as level:
            self._run(level, Fill(memory, offset, nbytes, pattern))

    # --------------------------------------------------------------------------------------------------- kernels

    def build(self, request: BuildRequest) -> VulkanExecutable:
        executable = self._builder.build(request)
        if executable.tables is not None:
            executable.tables.place(self.allocate, self.upload)
        return executable

    def launch(
        self,
        executable: VulkanExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        if executable.guard is not None:
            executable = executable.guard.checked(executable, groups, parameters)
        reports = executable.reports
        if reports is None:
            with self._alone() as level:
                self._run(level, Launch(executable, groups, bindings, parameters))
            return
        header, nbytes = new_report(reports)
        with self._alone() as level:
            memory = self._memory.allocate_apart(nbytes)
            level.transfers.upload(_apart(memory), 0, header)
            self._run(level, Launch(executable, groups, [*bindings, (memory, 0, memory.nbytes)], parameters))
            words = used_words(reports, lambda count: words_of(count, lambda out: self._read(level, memory, 0, out)))
        reports.deliver(executable.name, executable.threads, words)

    def launch_indirect(
        self, executable: VulkanExecutable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        launch_counted(self, executable, counts, bindings, parameters)

    def _run(self, level: _Level, command: Launch | Fill) -> None:
        recording = level.graphs.record([(command,)], None)
        for batch in recording.batches:
            batch.used, batch.written = [], []  # it is done when this returns
        level.graphs.replay(recording)
        level.queue.wait(level.queue.submitted)

    # ------------------------------------------------------------------------------------- graphs and measuring

    def record(self, pieces: Sequence[Any], previous: Recording | None) -> None:
        """None: a graph without a recording performs its commands one by one."""

    def replay(self, recording: Recording) -> None:
        perform(self, recording.commands)  # type: ignore[arg-type]  # of a backend it needs what queues work

    def timer(self) -> HostTimer:
        return HostTimer(self.wait)

    def timed(self, timer: Any, work: Callable[[], None]) -> Span:
        begin = perf_counter_ns()
        work()
        return Span(begin, perf_counter_ns(), True)

    def wait(self) -> None:
        with self._alone():
            pass

    def close(self) -> None:
        """Destroys what it has. The device is idle."""
        for level in self._levels:
            level.close()

"""What a signal handler or a finalizer asks of a device within a call of the same thread, which it interrupted.

The call stands still wherever it is, has changed some of what it changes, and goes on afterwards. So nothing of it is
touched here. What is asked is done at once and to its end, by a queue and memory apart; before it runs what was
recorded and not submitted, by the log that the call's queue keeps of it (batches.py). What the call was about to do
comes after.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

import numpy as np

from krnlpy.backend import Binding, check_groups
from krnlpy.commands import Fill, Launch, perform
from krnlpy.dsl.ir import Program
from krnlpy.dsl.layout import Variant
from krnlpy.errors import DeviceBusy, DeviceLost
from krnlpy.memory_stats import MemoryStats
from krnlpy.timing import HostTimer, Span

from .commands import Queue
from .device import LogicalDevice
from .graphs import Graphs, Recording
from .memory import MemoryPool, VulkanMemory
from .pipeline import PipelineBuilder, VulkanExecutable
from .reports import new_report, used_words, words_of
from .transfers import Transfers

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
        self._queue: Queue | None = None
        self._is_busy = False

    @contextmanager
    def _alone(self) -> Iterator[Queue]:
        """With the queue apart, when all that was recorded and queued before is done. Nothing else gets here meanwhile:
        no finalizer, as garbage waits, and no other signal handler, which is refused."""
        if self._interrupted.failure is not None:
            raise self._interrupted.failure
        if self._is_busy:
            raise DeviceBusy(
                f"{self._device.info.name} is used by a signal handler that interrupted a call of it; a second handler"
                " that interrupts the first can't use it: let handlers set a flag, and act on it in the program"
            )
        collects = gc.isenabled()
        try:
            self._is_busy = True
            gc.disable()
            yield self._settled()
        except BaseException as error:
            if isinstance(error, DeviceLost):
                self._interrupted.failure = error
            elif self._queue is not None:
                self._queue.repair()
            raise
        finally:
            if collects:
                gc.enable()
            self._is_busy = False

    def _settled(self) -> Queue:
        if self._queue is None:
            queue = Queue(self._device)
            self._transfers = Transfers(self._device, queue)
            self._graphs = Graphs(self._device, queue, self._memory.allocate_apart, self._transfers)
            self._queue = queue
        queue = self._queue
        if queue.open_value == 1:
            queue.order_indirect()
        queue.order()
        logs = self._interrupted.unsubmitted()
        for log in logs:
            queue.write(queue.commands(), log)
        for log in logs:
            log.valid.clear()  # before it is submitted here: whoever recorded it looks, and records what is left anew
        number = queue.open_value
        try:
            queue.submit()
        finally:
            if queue.is_sent(number):  # whatever broke this off: nothing is done twice
                for log in logs:
                    log.clear()
        queue.wait(queue.submitted)  # and with it for all that the device was given before
        return queue

    # ---------------------------------------------------------------------------------------------------- memory

    def allocate(self, nbytes: int) -> VulkanMemory:
        with self._alone():
            return self._memory.allocate_apart(nbytes)

    def adopt(self, array: Array) -> tuple[VulkanMemory, int]:
        with self._alone():
            return self._memory.adopt(array, apart=True)

    def memory_stats(self) -> MemoryStats:
        return self._memory.counted()

    def upload(self, memory: Any, offset: int, data: Array) -> None:
        with self._alone() as queue:
            self._transfers.upload(_apart(memory), offset, data)
            queue.wait(queue.open_value)

    def download(self, memory: Any, offset: int, out: Array) -> None:
        with self._alone():
            self._read(memory, offset, out)

    def _read(self, memory: Any, offset: int, out: Array) -> None:
        mapped = memory.block.mapped
        if mapped is None:
            self._transfers.download(_apart(memory), offset, out)
        else:
            start = memory.offset + offset
            out[...] = mapped[start : start + out.nbytes]

    def copy(self, source: Any, source_offset: int, to: Any, to_offset: int, nbytes: int) -> None:
        with self._alone() as queue:
            self._transfers.copy(_apart(source), source_offset, _apart(to), to_offset, nbytes)
            queue.wait(queue.open_value)

    def fill(self, memory: Any, offset: int, nbytes: int, pattern: bytes) -> None:
        with self._alone():
            self._run(Fill(memory, offset, nbytes, pattern))

    # --------------------------------------------------------------------------------------------------- kernels

    def build(
        self,
        program: Program,
        variant: Variant,
        specs: Mapping[str, int | float | bool],
        threads: tuple[int, int, int],
        debug: bool,
    ) -> VulkanExecutable:
        return self._builder.build(program, variant, specs, threads, debug)

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
            with self._alone():
                self._run(Launch(executable, groups, bindings, parameters))
            return
        header, nbytes = new_report(reports)
        with self._alone():
            memory = self._memory.allocate_apart(nbytes)
            self._transfers.upload(_apart(memory), 0, header)
            self._run(Launch(executable, groups, [*bindings, (memory, 0, memory.nbytes)], parameters))
            words = used_words(reports, lambda count: words_of(count, lambda out: self._read(memory, 0, out)))
        reports.tell(executable.name, executable.threads, words)

    def launch_indirect(
        self, executable: VulkanExecutable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        x, y, z = words_of(3, lambda out: self.download(counts[0], counts[1], out)).tolist()
        check_groups(executable.name, (x, y, z), executable.threads)
        if x and y and z:
            self.launch(executable, (x, y, z), bindings, parameters)

    def _run(self, command: Launch | Fill) -> None:
        recording = self._graphs.record([(command,)], None)
        for batch in recording.batches:
            batch.used, batch.written = [], []  # it is done when this returns
        self._graphs.replay(recording)
        assert self._queue is not None
        self._queue.wait(self._queue.submitted)

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
        if self._queue is not None:
            self._queue.close()
            self._graphs.close()
            self._transfers.close()

"""Recording of commands, and their submission in batches.

Batches are numbered from 1; the number is the value that the queue's timeline semaphore has when the batch is done.
"""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from krnlpy.errors import DeviceError, DeviceLost, OutOfMemory
from krnlpy.log import logger
from krnlpy.vulkan.loading.device import LogicalDevice

from .barriers import barriers
from .batches import Log, QueuedBatch
from .hazards import Access, HazardTracker, touches

_MAX_COMMANDS = 64
"""Of a batch. A submission takes the host some 20 us on the drivers measured, so that it adds 0.3 us to a command."""
_FIRST_COMMANDS = 8
"""Of the first batch after a wait, when the device idles until it is submitted: recording 8 commands takes some
60 us. Each full batch after it may have twice as many."""
_MAX_WORK = 1 << 28
"""Operations of a batch, roughly, after which it is submitted. Slow devices do 1e10 a second, so that a batch of small
commands takes 30 ms there (systems take a device away from who keeps it for some seconds: Windows after 2); fast ones
do 1e13, and still have 30 us to do while the host submits the next."""
_MAX_PENDING = 16
"""Batches that may be queued; a thread that is further ahead waits."""
_WAIT_NS = 100_000_000
"""How long a wait blocks before it looks for Ctrl-C."""
_NAMED_KERNELS = 4


class Queue:
    """The queue of a device: one batch is open and takes commands, those before are submitted.

    The caller holds the backend's lock, except for :meth:`block`.

    Attributes:
        open_value: number of the open batch.
        submitted: number of the last batch submitted.
        completed: number of the last batch known to be done.
        failure: why the queue is of no use any more, if so.
        log: the commands of the open batch. Recording one ends with adding it here.
    """

    def __init__(self, device: LogicalDevice) -> None:
        api = device.api
        self._device = device
        self._api = api
        self.open_value = 1
        self.submitted = 0
        self.completed = 0
        self._hazards = HazardTracker()
        self._sealed: QueuedBatch | None = None  # ended, but not submitted
        # Results that are not yet taken note of. Python looks for Ctrl-C after a call, before it assigns the result;
        # but not within one of list's own methods, so that call and note are one.
        self._ended: list[int] = []
        self._sent: list[int] = []
        self._accesses: list[Sequence[Access]] = []
        self._pending: deque[QueuedBatch] = deque()
        self._spare: list[tuple[Any, Any]] = []
        self._lent: dict[Any, Any] = {}
        self._replayed: list[QueuedBatch] = []
        self._retired: list[tuple[int, Callable[[], None]]] = []
        self._pool: Any = None
        self._buffer: Any = None
        self._count = self._work = 0
        self._limit = _FIRST_COMMANDS
        self.failure: DeviceError | None = None

        functions = device.functions
        self._cmd_barrier = functions.vkCmdPipelineBarrier
        self._barrier_arguments, self._end_arguments = barriers(api, 0, 0)
        self._is_indirect = False

        timeline = api.struct("VkSemaphoreTypeCreateInfo", semaphoreType=api.VK_SEMAPHORE_TYPE_TIMELINE, initialValue=0)
        info = api.struct("VkSemaphoreCreateInfo", pNext=timeline)
        self._semaphore = device.create("vkCreateSemaphore", "VkSemaphore", info)
        self._begin_info = api.struct("VkCommandBufferBeginInfo", flags=api.VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT)
        self._semaphores = api.new("VkSemaphore[1]", [self._semaphore])
        self._signal_value = api.new("uint64_t[1]")
        self._submitted_buffer = api.new("VkCommandBuffer[1]")
        self._submit_info = api.struct(
            "VkSubmitInfo",
            pNext=api.struct(
                "VkTimelineSemaphoreSubmitInfo",
                signalSemaphoreValueCount=1,
                pSignalSemaphoreValues=self._signal_value,
            ),
            commandBufferCount=1,
            pCommandBuffers=self._submitted_buffer,
            signalSemaphoreCount=1,
            pSignalSemaphores=self._semaphores,
        )
        self._wait_info = api.struct("VkSemaphoreWaitInfo", semaphoreCount=1, pSemaphores=self._semaphores)
        self._counter = api.new("uint64_t *")
        self.log = Log(self._submit_info)
        self._no_log = Log(None)

    # -- recording

    def begin(self, accesses: Sequence[Access], is_indirect: bool = False) -> Any:
        """The command buffer for a command that makes these accesses; a barrier is in it if one is needed.

        Args:
            accesses: of the command.
            is_indirect: whether one of them is that of a dispatch that reads its groups from memory.
        """
        if self._buffer is None:
            self._open()
        if is_indirect and not self._is_indirect:
            self.order_indirect()
        self._accesses.append(accesses)
        if self._hazards.record(accesses):
            self._cmd_barrier(self._buffer, *self._barrier_arguments)
        return self._buffer

    def commands(self) -> Any:
        """The open command buffer, for what accesses no memory."""
        if self._buffer is None:
            self._open()
        return self._buffer

    def order(self) -> None:
        """Puts a barrier between all commands so far and those to come."""
        self._cmd_barrier(self.commands(), *self._barrier_arguments)
        self._hazards.clear()

    def record(self, command: Callable[..., Any], *arguments: Any) -> None:
        """Records a command that accesses no memory."""
        command(self.commands(), *arguments)
        self.log.append((command, *arguments))

    def _write(self, buffer: Any, log: Log) -> None:
        for command, *arguments in log:
            self._cmd_barrier(buffer, *self._barrier_arguments)
            command(buffer, *arguments)

    @property
    def recorded(self) -> tuple[int, int]:
        """What changes whenever a command is recorded."""
        return self.open_value, self._count

    def end(self, work: int) -> None:
        """After the command, of roughly so many operations: submits the batch if it is full."""
        self._count += 1
        self._work += work
        if self._count >= self._limit or self._work >= _MAX_WORK:
            limit = min(2 * self._limit, _MAX_COMMANDS)
            with suppress(OutOfMemory):  # the command stays queued: who calls next tries again, or fails
                self.submit()
            self._limit = limit

    def is_too_much(self, commands: int, work: int) -> bool:
        """Whether so many commands, of roughly so many operations, are more than a batch should have."""
        return commands > _MAX_COMMANDS or work > _MAX_WORK

    def order_indirect(self) -> None:
        """Lets barriers order indirect dispatches too, from now on: GPUs stop their front ends for it, which
        only programs with indirect dispatches shall pay for. A barrier here makes visible what was written before."""
        api = self._api
        self._is_indirect = True
        self._barrier_arguments, self._end_arguments = barriers(
            api, api.VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT, api.VK_ACCESS_INDIRECT_COMMAND_READ_BIT
        )
        self.order()

    def _open(self) -> None:
        self._make_room()
        if self._sealed is not None:
            self._send(self._sealed)
        if not self._spare:
            self._spare.append(self._new_pool())
        pool, buffer = self._spare[-1]
        functions = self._device.functions
        self._api.check(functions.vkResetCommandPool(self._device.handle, pool, 0), "reset a command pool")
        self._api.check(functions.vkBeginCommandBuffer(buffer, self._begin_info), "begin a command buffer")
        self._pool, self._buffer = pool, buffer
        self._spare.pop()

    def _make_room(self) -> None:
        self.poll()
        ahead = len(self._pending) - _MAX_PENDING
        if ahead >= 0:
            self.wait(self._pending[ahead].value)

    def lend_pool(self) -> tuple[Any, Any]:
        """A command pool, and the one command buffer in it, to be recorded later."""
        if not self._spare:
            self._spare.append(self._new_pool())
        pool, buffer = self._spare[-1]
        result = self._device.functions.vkResetCommandPool(self._device.handle, pool, 0)
        self._api.check(result, "reset a command pool")
        self._lent[pool] = buffer
        self._spare.pop()
        return pool, buffer

    def take_pool_back(self, pool: Any) -> None:
        """Takes what :meth:`lend_pool` gave; no batch uses it any more."""
        if pool in self._lent:
            self._spare.append((pool, self._lent[pool]))
            del self._lent[pool]

    def _new_pool(self) -> tuple[Any, Any]:
        api, device = self._api, self._device
        info = api.struct("VkCommandPoolCreateInfo", queueFamilyIndex=device.physical.queue_family)
        pool = device.create("vkCreateCommandPool", "VkCommandPool", info)
        info = api.struct(
            "VkCommandBufferAllocateInfo",
            commandPool=pool,
            level=api.VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            commandBufferCount=1,
        )
        buffer = api.new("VkCommandBuffer *")
        result = device.functions.vkAllocateCommandBuffers(device.handle, info, buffer)
        try:
            api.check(result, "allocate a command buffer")
        except DeviceError:
            device.destroy("vkDestroyCommandPool", pool)
            raise
        return pool, buffer[0]

    def last_access(self, first: int, end: int, only_writes: bool = False) -> int:
        """The number of the last batch that may access these bytes (or write them); 0 if all that do are done."""
        if touches(self._accesses, first, end, only_writes):
            return self.open_value
        if self._sealed is not None and touches(self._sealed.accesses, first, end, only_writes):
            return self._sealed.value
        pending = (batch for batch in self._pending if batch.value > self.completed)
        return max((b.value for b in pending if touches(b.accesses, first, end, only_writes)), default=0)

    # -- submission

    def submit(self) -> int:
        """Submits the open batch if anything is in it; returns the number of the last batch submitted.

        Raises:
            DeviceLost: the device stopped answering, or what was recorded is lost.
            OutOfMemory: no memory is left. The batch stays, and the next call tries again.
        """
        if self._buffer is not None:
            self._seal()
        if self._sealed is not None:
            self._send(self._sealed)
        return self.submitted

    def _seal(self) -> None:
        """Ends the open batch, which takes no more commands then."""
        if self._sealed is not None:
            self._send(self._sealed)
        # Makes everything visible to the batches after, and to the host.
        self._cmd_barrier(self._buffer, *self._end_arguments)
        self._hazards.clear()
        self._ended.extend(map(self._device.functions.vkEndCommandBuffer, (self._buffer,)))
        self._note_ended()

    def _note_ended(self) -> None:
        if self._sealed is None:
            self._sealed = QueuedBatch(self.open_value, self._pool, self._buffer, self._accesses, self.log)
        self._pool = self._buffer = None
        self._count = self._work = 0
        self._limit = _FIRST_COMMANDS  # unless the batch was full, a thread is about to wait
        self.log = Log(self._submit_info)
        self._accesses = []
        self.open_value = self._sealed.value + 1
        result = self._ended[-1]
        self._ended.clear()
        if result:
            # Commands that did not fit in memory are gone, and with them what buffers should hold.
            self._lose(f"lost what was recorded for it ({self._api.result_name(result)})")

    def _send(self, batch: QueuedBatch) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("submit batch %d: %d commands, kernels %s", batch.value, len(batch.accesses), batch.kernels)
        while not self._sent:
            if not batch.log.valid:
                batch.log.valid.append(self._submit_info)  # before it is true: it may cease to be at any time
                self._record_anew(batch)
            self._signal_value[0] = batch.value
            self._submitted_buffer[0] = batch.buffer
            self._try_submit(1, batch.log.valid)
        self._note_sent(batch)

    def _record_anew(self, batch: QueuedBatch) -> None:
        """Makes the command buffer of a batch what its log says."""
        api, functions, buffer = self._api, self._device.functions, batch.buffer
        try:
            api.check(functions.vkResetCommandPool(self._device.handle, batch.pool, 0), "reset a command pool")
            api.check(functions.vkBeginCommandBuffer(buffer, self._begin_info), "begin a command buffer")
            for log in (*batch.log.others, batch.log):
                self._write(buffer, log)
            self._cmd_barrier(buffer, *self._end_arguments)
            api.check(functions.vkEndCommandBuffer(buffer), "end a command buffer")
        except BaseException:
            batch.log.valid.clear()
            raise

    def _try_submit(self, count: int, infos: Sequence[Any]) -> None:
        if self._call_submit(count, infos) not in (0, self._api.VK_ERROR_DEVICE_LOST) and self._pending:
            # A call that fails changes nothing. Work that is done may have left some memory.
            self.block(self.submitted)
            self._call_submit(count, infos)

    def _call_submit(self, count: int, infos: Sequence[Any]) -> int:
        """Submits the item of ``infos`` if there is one, and notes the result, in one step, which nothing interrupts:
        signals are handled between steps, finalizers by the garbage collector."""
        arguments = (self._device.queue,), (count,), infos, (self._api.ffi.NULL,)
        collects = gc.isenabled()
        try:
            gc.disable()
            self._sent[:] = map(self._device.functions.vkQueueSubmit, *arguments)
        finally:
            if collects:
                gc.enable()
        return self._sent[0] if self._sent else 0

    def _note_sent(self, batch: QueuedBatch) -> None:
        if not self._sent[0]:
            if not self._pending or self._pending[-1] is not batch:
                self._pending.append(batch)
            self.submitted = batch.value
            self._sealed = None
        result = self._sent[0]
        self._sent.clear()
        if result:
            self.check(result, "submit work")

    # -- what is submitted again and again

    def submission_of(self, batches: Sequence[Any]) -> tuple[Any, Any, list[Any]]:
        """What :meth:`submit_recorded` takes to submit arrays of command buffers, each as a batch: an array of
        VkSubmitInfo, the numbers of the batches that go there, and what the array points to."""
        api = self._api
        values = api.new("uint64_t[]", len(batches))
        infos = api.new("VkSubmitInfo[]", len(batches))
        referenced = []
        for i, buffers in enumerate(batches):
            timeline = api.struct(
                "VkTimelineSemaphoreSubmitInfo", signalSemaphoreValueCount=1, pSignalSemaphoreValues=values + i
            )
            infos[i] = self._submit_info[0]
            infos[i].pNext = timeline
            infos[i].commandBufferCount, infos[i].pCommandBuffers = len(buffers), buffers
            referenced += [timeline, buffers]
        return infos, values, referenced

    def next_recorded(self) -> int:
        """Submits the open batch; returns the number of the first batch of :meth:`submit_recorded`, which must be the
        next call. Raises as :meth:`submit`."""
        self.submit()
        self._make_room()
        return self.open_value

    def submit_recorded(
        self, infos: Any, values: Any, kernels: Sequence[list[str]], accesses: Sequence[list[Sequence[Access]]]
    ) -> None:
        """Submits all batches of a submission at once, whose kernels and accesses these are. Raises as
        :meth:`submit`."""
        first = self.open_value
        self._replayed = [
            QueuedBatch(number, None, None, of_batch, self._no_log, names)
            for number, (names, of_batch) in enumerate(zip(kernels, accesses, strict=True), first)
        ]
        for i in range(len(infos)):
            values[i] = first + i
        self._try_submit(len(infos), (infos,))
        self._note_replayed()

    def _note_replayed(self) -> None:
        batches, result = self._replayed, self._sent[0]
        if not result:
            if not self._pending or self._pending[-1] is not batches[-1]:
                self._pending += batches
            self.submitted = batches[-1].value
            self.open_value = self.submitted + 1
        elif result == self._api.VK_ERROR_DEVICE_LOST:
            self._pending += batches  # for the names of their kernels
        self._replayed = []
        self._sent.clear()
        self.check(result, "submit a graph")

    def repair(self) -> None:
        """Makes the queue consistent after any method was broken off, by Ctrl-C say; work that was under way may be
        queued or not."""
        if self._ended:
            self._note_ended()
        if self._sent and self._sealed is not None:
            self._note_sent(self._sealed)
        if self._sent and self._replayed:
            self._note_replayed()
        self._sent.clear()
        self._replayed = []
        taken = [self._pool, *(batch.pool for batch in self._pending), *self._lent]
        self._spare = [spare for spare in self._spare if spare[0] not in taken]
        if self._buffer is not None:  # a barrier may be missing
            self._cmd_barrier(self._buffer, *self._barrier_arguments)
        self._hazards.clear()

    def poll(self) -> int:
        """Looks which batches are done, without waiting; returns the number of the last."""
        if self._pending:
            result = self._device.functions.vkGetSemaphoreCounterValue(
                self._device.handle, self._semaphore, self._counter
            )
            if result:
                self.check(result, "look whether work is done")
            self.completed = max(self.completed, self._counter[0])
            while self._pending and self._pending[0].value <= self.completed:
                batch = self._pending[0]
                if batch.pool is not None:  # those of graphs stay theirs
                    self._spare.append((batch.pool, batch.buffer))
                self._pending.popleft()
        if self._retired:
            for entry in [entry for entry in self._retired if entry[0] <= self.completed]:
                self._retired.remove(entry)
                entry[1]()
        return self.completed

    def wait(self, value: int) -> None:
        """Returns when a batch is done; submits it first if it is the open one."""
        if value > self.submitted:
            value = self.submit()
        self.block(value)
        self.poll()

    def block(self, value: int) -> None:
        """Returns when a submitted batch is done. Needs no lock."""
        if value <= self.completed:
            return
        ffi, timeout = self._api.ffi, self._api.VK_TIMEOUT
        # Of its own for each wait, since several threads may wait.
        info = ffi.new("VkSemaphoreWaitInfo *", self._wait_info[0])
        info.pValues = values = ffi.new("uint64_t[1]", [value])
        result = timeout
        while result == timeout:
            if self.failure is not None:
                raise self.failure
            result = self._device.functions.vkWaitSemaphores(self._device.handle, info, _WAIT_NS)
        del values
        if result:
            self.check(result, "wait for work")

    def check(self, result: int, doing: str) -> None:
        """Raises the error that a result stands for; a device that is lost is of no use from then on."""
        try:
            self._api.check(result, doing)
        except DeviceLost:
            self._lose(f"stopped answering ({doing})")

    def _lose(self, what: str) -> NoReturn:
        batches = [*self._pending.copy(), *([self._sealed] if self._sealed else [])]
        kernels = [*(name for batch in batches for name in batch.kernels), *self.log.kernels][-_NAMED_KERNELS:]
        last = f"; the last kernels were {', '.join(kernels)}" if kernels else ""
        self.failure = DeviceLost(f"{self._device.info.name} {what}, its buffers are gone{last}")
        raise self.failure from None

    def is_sent(self, value: int) -> bool:
        """Whether the sealed batch, or one before, was submitted. As the next method, may be asked within any other."""
        return value <= self.submitted or self._sent == [0]

    def unsubmitted(self) -> list[Log]:
        """The logs of what was recorded and not submitted, in order."""
        logs = [] if self._sealed is None or self.is_sent(self._sealed.value) else [self._sealed.log]
        return logs if self._sealed is not None and self.log is self._sealed.log else [*logs, self.log]

    def retire(self, value: int, destroy: Callable[[], None]) -> None:
        """Calls ``destroy`` when a batch is done."""
        if self._buffer is None:  # nothing is in the open batch yet
            value = min(value, self.open_value - 1)
        if value <= self.completed:
            destroy()
        else:
            self._retired.append((value, destroy))

    def close(self) -> None:
        """Destroys the pools and the semaphore. The device is idle."""
        for _, destroy in self._retired:
            destroy()
        self._retired.clear()
        sealed = [self._sealed] if self._sealed else []
        pools = [*(b.pool for b in (*self._pending, *sealed)), *(pool for pool, _ in self._spare), self._pool]
        for pool in (*pools, *self._lent):
            if pool is not None:
                self._device.destroy("vkDestroyCommandPool", pool)
        self._device.destroy("vkDestroySemaphore", self._semaphore)

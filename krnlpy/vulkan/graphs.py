"""Graphs: command buffers that are recorded once and submitted any number of times.

A recording is cut into segments, each a command buffer that is submitted as a batch of its own, so that none keeps the
device for long. To the queue a segment is a batch like any other, which accesses what all its commands access. A
segment has all that its commands refer to for itself: descriptor sets, and in one piece of memory the parameter blocks
that are no push constants and the patterns of fills. Where a graph changes, the segments that are equal stay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from krnlpy import config
from krnlpy.commands import Command, Copy, Fill, Launch, memories

from .commands import Queue
from .descriptors import Place, SetLayout, new_sets
from .device import LogicalDevice
from .hazards import Access, HazardTracker
from .memory import MemoryPool, VulkanMemory
from .pipeline import VulkanExecutable
from .transfers import Transfers

_MAX_COMMANDS = 64
"""Of a segment."""
_PATTERN_BYTES = 1 << 16
"""Of what is copied by a fill that no word repeats."""

_Region = tuple[int, int, int]


class Segment:
    """Commands in a command buffer.

    Attributes:
        commands: what was recorded; keeps memory and executables alive.
        buffer: the command buffer.
        kernels: names of the kernels.
        accesses: of each command.
        used: all memory that it uses; ``written``: that it writes.
        last_use: the batch in which it was last submitted.
    """

    __slots__ = ("accesses", "buffer", "commands", "handles", "kernels", "last_use", "retired", "used", "written")

    def __init__(self, commands: tuple[Command, ...], retired: deque[tuple[int, tuple[Any, ...]]]) -> None:
        self.commands = commands
        self.kernels = [command.executable.name for command in commands if isinstance(command, Launch)]
        self.accesses: list[Sequence[Access]] = []
        self.used: list[VulkanMemory] = []
        self.written: list[VulkanMemory] = []
        self.buffer: Any = None
        self.handles: tuple[Any, ...] = ()
        self.last_use = 0
        self.retired = retired

    def __del__(self) -> None:
        # May run at any time in any thread; see VulkanMemory.
        self.retired.append((self.last_use, self.handles))


class Graphs:
    """Makes and submits recordings. The caller holds the backend's lock."""

    def __init__(self, device: LogicalDevice, queue: Queue, memory: MemoryPool, transfers: Transfers) -> None:
        self._device = device
        self._queue = queue
        self._memory = memory
        self._transfers = transfers
        self._retired: deque[tuple[int, tuple[Any, ...]]] = deque()
        self._live: set[tuple[Any, ...]] = set()
        self._set = device.api.new("VkDescriptorSet[1]")
        self._offset = device.api.new("uint32_t[1]")
        self._alignment = max(16, device.physical.storage_alignment)

    def record(self, commands: Sequence[Command], previous: Sequence[Segment] | None) -> list[Segment]:
        """The segments of commands, those of the previous recording where they are equal.

        Raises:
            OutOfMemory: no memory is left.
        """
        old = {_identity(segment.commands): segment for segment in previous or ()}
        segments = []
        for part in _parts(commands):
            segments.append(old.get(_identity(part)) or self._segment(part))
        return segments

    def replay(self, segments: Sequence[Segment]) -> None:
        """Submits segments, after what was recorded before."""
        for segment in segments:
            batch = segment.last_use = self._queue.submit_recorded(segment.buffer, segment.kernels)
            for memory in segment.used:
                memory.last_use = batch
            for memory in segment.written:
                memory.last_write = batch

    def collect(self) -> None:
        """Takes back what segments had that are gone."""
        while self._retired:
            last_use, handles = self._retired.popleft()
            self._queue.retire(last_use, partial(self._destroy, handles))

    def _destroy(self, handles: tuple[Any, ...]) -> None:
        if handles in self._live:
            self._live.remove(handles)
            command_pool, descriptor_pool = handles
            self._device.destroy("vkDestroyCommandPool", command_pool)
            if descriptor_pool is not None:
                self._device.destroy("vkDestroyDescriptorPool", descriptor_pool)

    def close(self) -> None:
        """Destroys all. The queue is idle."""
        for handles in list(self._live):
            self._destroy(handles)

    # ----------------------------------------------------------------------------------------------------- recording

    def _segment(self, commands: tuple[Command, ...]) -> Segment:
        segment = Segment(commands, self._retired)
        api, functions = self._device.api, self._device.functions
        constants = _Constants(self._alignment)
        for command in commands:
            if isinstance(command, Launch) and command.executable.parameter_binding is not None:
                constants.add(command.parameters)
            elif isinstance(command, Fill):
                for data, _ in _copies_of_fill(command):
                    constants.add(data)
        memory = self._upload(constants)
        pool, buffer = self._queue.new_pool()
        try:
            sets, descriptor_pool = self._sets(commands, memory)
        except BaseException:
            self._device.destroy("vkDestroyCommandPool", pool)
            raise
        segment.buffer, segment.handles = buffer, (pool, descriptor_pool)
        self._live.add(segment.handles)

        # May be submitted again before it is done.
        begin = api.struct("VkCommandBufferBeginInfo", flags=api.VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT)
        api.check(functions.vkBeginCommandBuffer(buffer, begin), "begin a command buffer of a graph")
        self._write(segment, buffer, constants, memory, sets)
        self._queue.end_recorded(buffer)
        segment.used = list({id(m): m for command in commands for m in memories(command)}.values())
        segment.written = list({id(m): m for command in commands for m in _written(command)}.values())
        if memory is not None:
            segment.used.append(memory)
        return segment

    def _upload(self, constants: _Constants) -> VulkanMemory | None:
        if not constants.bytes:
            return None
        memory = self._memory.allocate(len(constants.bytes))
        self._transfers.upload(memory, 0, np.frombuffer(bytes(constants.bytes), np.uint8))
        return memory

    def _sets(
        self, commands: Sequence[Command], constants: VulkanMemory | None
    ) -> tuple[dict[tuple[Any, ...], Any], Any]:
        """A descriptor set for each combination of a layout and memory, and the pool that they are in."""
        wanted: dict[tuple[Any, ...], tuple[SetLayout, list[Place]]] = {}
        for command in commands:
            if isinstance(command, Launch) and command.executable.set_layout.count:
                key = _set_key(command)
                if key not in wanted:
                    executable = command.executable
                    places = [(memory.buffer, memory.offset, memory.nbytes) for memory, _, _ in command.bindings]
                    if executable.parameter_binding is not None:
                        assert constants is not None
                        block = constants.buffer, constants.offset, executable.parameter_bytes
                        places.insert(executable.parameter_binding, block)
                    wanted[key] = executable.set_layout, places
        if not wanted:
            return {}, None
        pool, sets = new_sets(self._device, list(wanted.values()))
        return dict(zip(wanted, sets, strict=True)), pool

    def _write(
        self,
        segment: Segment,
        buffer: Any,
        constants: _Constants,
        memory: VulkanMemory | None,
        sets: dict[tuple[Any, ...], Any],
    ) -> None:
        hazards = HazardTracker()

        def access(accesses: list[Access]) -> None:
            segment.accesses.append(accesses)
            if hazards.record(accesses):
                self._queue.barrier(buffer)

        for command in segment.commands:
            if isinstance(command, Launch):
                access(_accesses(command))
                self._write_launch(buffer, command, constants, sets)
            elif isinstance(command, Copy):
                source, to, nbytes = command.source, command.to, command.nbytes
                first, second = source.address + command.source_offset, to.address + command.to_offset
                if nbytes and first != second:
                    access([(first, first + nbytes, False), (second, second + nbytes, True)])
                    region = (source.offset + command.source_offset, to.offset + command.to_offset, nbytes)
                    self._write_copies(buffer, source.buffer, to.buffer, [region])
            elif command.nbytes:
                first = command.memory.address + command.offset
                access([(first, first + command.nbytes, True)])
                self._write_fill(buffer, command, constants, memory)

    def _write_launch(
        self, buffer: Any, command: Launch, constants: _Constants, sets: dict[tuple[Any, ...], Any]
    ) -> None:
        executable: VulkanExecutable = command.executable
        api, functions = self._device.api, self._device.functions
        point, layout = api.VK_PIPELINE_BIND_POINT_COMPUTE, executable.layout
        functions.vkCmdBindPipeline(buffer, point, executable.pipeline)
        has_block = executable.parameter_binding is not None
        if executable.set_layout.count:
            self._set[0] = sets[_set_key(command)]
            if has_block:
                self._offset[0] = constants.place(command.parameters)
            functions.vkCmdBindDescriptorSets(buffer, point, layout, 0, 1, self._set, int(has_block), self._offset)
        if executable.parameter_bytes and not has_block:
            stage = api.VK_SHADER_STAGE_COMPUTE_BIT
            functions.vkCmdPushConstants(buffer, layout, stage, 0, executable.parameter_bytes, command.parameters)
        functions.vkCmdDispatch(buffer, *command.groups)

    def _write_fill(self, buffer: Any, command: Fill, constants: _Constants, memory: VulkanMemory | None) -> None:
        to, start = command.memory, command.memory.offset
        first, last = _whole_words(command)
        if first < last:
            value = int.from_bytes((command.pattern * 4)[:4], "little")
            self._device.functions.vkCmdFillBuffer(buffer, to.buffer, start + first, last - first, value)
        for data, places in _copies_of_fill(command):
            assert memory is not None
            source = memory.offset + constants.place(data)
            regions = [(source, start + place, nbytes) for place, nbytes in places]
            self._write_copies(buffer, memory.buffer, to.buffer, regions)

    def _write_copies(self, buffer: Any, source: Any, to: Any, regions: Sequence[_Region]) -> None:
        array = self._device.api.new("VkBufferCopy[]", regions)
        self._device.functions.vkCmdCopyBuffer(buffer, source, to, len(regions), array)


class _Constants:
    """Bytes that the commands of a segment refer to, each sequence of them once, at aligned places."""

    def __init__(self, alignment: int) -> None:
        self._alignment = alignment
        self._places: dict[bytes, int] = {}
        self.bytes = bytearray()

    def add(self, data: bytes) -> None:
        if data not in self._places:
            self.bytes += bytes(-len(self.bytes) % self._alignment)
            self._places[data] = len(self.bytes)
            self.bytes += data

    def place(self, data: bytes) -> int:
        return self._places[data]


def _parts(commands: Sequence[Command]) -> Iterator[tuple[Command, ...]]:
    for first in range(0, len(commands), _MAX_COMMANDS):
        yield tuple(commands[first : first + _MAX_COMMANDS])


def _identity(commands: Sequence[Command]) -> tuple[int, ...]:
    # Commands are kept by who keeps segments, so that none takes another one's place in memory meanwhile.
    return tuple(map(id, commands))


def _set_key(command: Launch) -> tuple[Any, ...]:
    executable = command.executable
    return executable.set_layout, executable.key_end, *(memory.key for memory, _, _ in command.bindings)


def _accesses(command: Launch) -> list[Access]:
    # The validation layer takes all that a descriptor covers for accessed.
    by_memory = config.validate
    return [
        (memory.address, memory.address + memory.nbytes, writes)
        if by_memory
        else (memory.address + first, memory.address + end, writes)
        for (memory, first, end), writes in zip(command.bindings, command.executable.writes, strict=True)
        if first < end or by_memory
    ]


def _written(command: Command) -> Iterator[VulkanMemory]:
    if isinstance(command, Launch):
        for (memory, _, _), writes in zip(command.bindings, command.executable.writes, strict=True):
            if writes:
                yield memory
    else:
        yield command.to if isinstance(command, Copy) else command.memory


def _whole_words(command: Fill) -> tuple[int, int]:
    """The bytes from the first to the last whole word, which vkCmdFillBuffer fills with one word; none if the pattern
    has two."""
    offset, end, pattern = command.offset, command.offset + command.nbytes, command.pattern
    if len(pattern) == 8 and pattern[:4] != pattern[4:]:
        return offset, offset
    first = min(-(-offset // 4) * 4, end)
    return first, max(end // 4 * 4, first)


def _copies_of_fill(command: Fill) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
    """What of a fill is copied: the bytes, and the places that begin with them, each with its length."""
    first, last = _whole_words(command)
    pattern, offset, end = command.pattern, command.offset, command.offset + command.nbytes
    for begin, stop in ((offset, first), (last, end)):
        if begin < stop:
            data = (pattern * (_PATTERN_BYTES // len(pattern)))[: stop - begin]
            yield data, [(place, min(len(data), stop - place)) for place in range(begin, stop, len(data))]

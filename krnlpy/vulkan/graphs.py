"""Graphs: command buffers that are recorded once and submitted any number of times.

A recording is cut into segments, each a command buffer, which ends with a barrier, so that each can be recorded anew
where the others stay. Segments are submitted together, but no more work at once than a batch has. To the queue a
submission is a batch like any other. A segment owns what its commands refer to: descriptor sets, and one piece of
memory with the parameter blocks that are not push constants and the patterns of fills.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from krnlpy import config
from krnlpy.backend.commands import Copy, DeviceCommand, Fill, Launch, LaunchIndirect, identity, memories

from .loading.device import LogicalDevice
from .memory.blocks import VulkanMemory
from .memory.transfers import Transfers
from .pipelines.descriptors import Place, SetLayout, new_sets
from .pipelines.launches import TAKEN_GROUPS, parts_of
from .pipelines.pipeline import VulkanExecutable
from .queue.barriers import barriers
from .queue.commands import Queue
from .queue.hazards import Access, HazardTracker

_PATTERN_BYTES = 1 << 16
"""Bytes copied at a time by a fill whose pattern is longer than a word."""

_Region = tuple[int, int, int]


class _Handle:
    """A driver's object that batches use; it is destroyed when the last of them is done.

    Attributes:
        last_use: the batch that last used it.
    """

    __slots__ = ("_destroy", "_retired", "last_use")

    def __init__(self, retired: deque[tuple[int, Callable[[], None]]], destroy: Callable[[], None]) -> None:
        self._destroy = destroy
        self._retired = retired
        self.last_use = 0

    def __del__(self) -> None:
        # May run at any time in any thread; see VulkanMemory.
        self._retired.append((self.last_use, self._destroy))


class _Sets:
    """Descriptor sets in a pool of theirs, by what they bind."""

    def __init__(self, handle: _Handle, sets: dict[tuple[Any, ...], Any]) -> None:
        self.handle = handle
        self.sets = sets


class Segment:
    """Commands in a command buffer.

    Attributes:
        commands: what was recorded; keeps memory and executables alive.
        kernels: names of the kernels.
        accesses: of each command.
        used: all memory that it uses; ``written``: that it writes.
    """

    def __init__(self, commands: tuple[DeviceCommand, ...]) -> None:
        self.commands = commands
        launches = [command for command in commands if isinstance(command, Launch | LaunchIndirect)]
        self.kernels = [command.executable.name for command in launches]
        self.is_indirect = any(isinstance(command, LaunchIndirect) for command in launches)
        self.work = sum(map(_work, commands))
        self.accesses: list[Sequence[Access]] = []
        self.used = list({id(m): m for command in commands for m in memories(command)}.values())
        self.written = list({id(m): m for command in commands for m in _written(command)}.values())
        self.sets: _Sets | None = None
        self.buffer: Any = None
        self.handles: list[_Handle] = []


class Batch:
    """Segments that make up a batch of the queue."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.kernels = [name for segment in segments for name in segment.kernels]
        self.handles = [handle for segment in segments for handle in segment.handles]
        self.accesses = [accesses for segment in segments for accesses in segment.accesses]
        self.used = list({id(m): m for segment in segments for m in segment.used}.values())
        self.written = list({id(m): m for segment in segments for m in segment.written}.values())


class Recording:
    """The segments of each piece of a graph, and the batches that are submitted at a replay."""

    def __init__(
        self, pieces: list[tuple[tuple[DeviceCommand, ...], list[Segment]]], batches: list[Batch], submission: Any
    ) -> None:
        self.pieces = pieces
        self.batches = batches
        self.infos, self.values, self.referenced = submission
        self.kernels = [batch.kernels for batch in batches]
        self.accesses = [batch.accesses for batch in batches]

    @property
    def commands(self) -> list[DeviceCommand]:
        """All of them, in order."""
        return [command for piece, _ in self.pieces for command in piece]


class Graphs:
    """Makes and submits recordings. The caller holds the backend's lock."""

    def __init__(
        self,
        device: LogicalDevice,
        queue: Queue,
        allocate: Callable[[int], VulkanMemory],
        transfers: Transfers,
    ) -> None:
        self._device = device
        self._queue = queue
        self._allocate = allocate
        self._transfers = transfers
        self._retired: deque[tuple[int, Callable[[], None]]] = deque()
        self._descriptor_pools: set[Any] = set()
        self._set = device.api.new("VkDescriptorSet[1]")
        self._offset = device.api.new("uint32_t[1]")
        self._barrier = barriers(device.api, 0, 0)[0]
        api = device.api
        # Of indirect dispatches: a barrier, and one that ends a command buffer.
        self._indirect = barriers(api, api.VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT, api.VK_ACCESS_INDIRECT_COMMAND_READ_BIT)
        self._alignment = max(16, device.physical.storage_alignment)

    def record(self, pieces: Sequence[tuple[DeviceCommand, ...]], previous: Recording | None) -> Recording:
        """The command buffers of commands, those of the previous recording where they are equal.

        Raises:
            OutOfMemory: no memory is left.
        """
        self.collect()
        self._queue.poll()  # what is done with gives its command pools back
        old = [] if previous is None else previous.pieces
        found = {identity(piece): segments for piece, segments in old}
        recorded = []
        for i, piece in enumerate(pieces):
            before = old[i][1] if len(old) == len(pieces) else []
            recorded.append((piece, found.get(identity(piece)) or self._segments(piece, before)))
        together = list(self._batches([segment for _, part in recorded for segment in part]))
        new = self._device.api.new
        buffers = [new("VkCommandBuffer[]", [segment.buffer for segment in segments]) for segments in together]
        return Recording(recorded, list(map(Batch, together)), self._queue.submission_of(buffers))

    def replay(self, recording: Recording) -> None:
        """Submits all, after what was recorded before."""
        if not recording.batches:
            return
        # Before the submission: if that is broken off, the memory does not count as idle.
        first = self._queue.next_recorded()
        for number, batch in enumerate(recording.batches, first):
            for user in (*batch.handles, *batch.used):
                user.last_use = number
            for memory in batch.written:
                memory.last_write = number
        self._queue.submit_recorded(recording.infos, recording.values, recording.kernels, recording.accesses)

    def _segments(self, piece: Sequence[DeviceCommand], before: Sequence[Segment]) -> list[Segment]:
        """The segments of a piece, which take over the descriptor sets of those that were at their places before."""
        parts: list[list[DeviceCommand]] = []
        work = 0
        for command in chain.from_iterable(map(self._split, piece)):
            work += _work(command)
            if not parts or self._queue.is_too_much(len(parts[-1]) + 1, work):
                parts.append([])
                work = _work(command)
            parts[-1].append(command)
        olds = [segment.sets for segment in before] if len(before) == len(parts) else [None] * len(parts)
        return [self._segment(tuple(part), sets) for part, sets in zip(parts, olds, strict=True)]

    def _split(self, command: DeviceCommand) -> Iterator[DeviceCommand]:
        """The parts of a launch of more groups than the device has along an axis; any other command itself."""
        most = self._device.info.max_groups_xyz
        if isinstance(command, Launch | LaunchIndirect) and command.executable.tables is not None:
            command = command._replace(bindings=(*command.bindings, command.executable.tables.binding))
        if isinstance(command, Launch) and any(n > limit for n, limit in zip(command.groups, most, strict=True)):
            executable, kind = command.executable.split(), Launch
            for groups, end in parts_of(command.groups, most):
                yield kind(executable, groups, command.bindings, command.parameters + end)
                kind = _Continued
        else:
            yield command

    def _batches(self, segments: Sequence[Segment]) -> Iterator[list[Segment]]:
        """Segments that are submitted together: as many as a batch should have, at least one."""
        together: list[Segment] = []
        count = work = 0
        for segment in segments:
            count, work = count + len(segment.commands), work + segment.work
            if together and self._queue.is_too_much(count, work):
                yield together
                together, count, work = [], len(segment.commands), segment.work
            together.append(segment)
        if together:
            yield together

    def collect(self) -> None:
        """Takes back what segments had that are gone."""
        while self._retired:
            self._queue.retire(*self._retired[0])
            self._retired.popleft()

    def _handle(self, end: Callable[[], None]) -> _Handle:
        return _Handle(self._retired, end)

    def _destroy(self, descriptor_pool: Any) -> None:
        if descriptor_pool in self._descriptor_pools:
            self._descriptor_pools.remove(descriptor_pool)
            self._device.destroy("vkDestroyDescriptorPool", descriptor_pool)

    def close(self) -> None:
        """Destroys all. The queue is idle."""
        for pool in list(self._descriptor_pools):
            self._destroy(pool)

    # ----------------------------------------------------------------------------------------------------- recording

    def _segment(self, commands: tuple[DeviceCommand, ...], old_sets: _Sets | None) -> Segment:
        segment = Segment(commands)
        constants = _Constants(self._alignment)
        for command in commands:
            if isinstance(command, Launch | LaunchIndirect) and command.executable.parameter_binding is not None:
                constants.add(command.parameters)
            elif isinstance(command, Fill):
                for data, _ in _copies_of_fill(command):
                    constants.add(data)
        memory = self._upload(constants)
        if memory is not None:
            segment.used.append(memory)
        segment.sets = self._sets(commands, memory, old_sets)
        pool, buffer = self._queue.lend_pool()
        segment.handles = [segment.sets.handle, self._handle(partial(self._queue.take_pool_back, pool))]
        segment.buffer = buffer
        api, functions = self._device.api, self._device.functions
        # May be submitted again before it is done.
        begin = api.struct("VkCommandBufferBeginInfo", flags=api.VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT)
        api.check(functions.vkBeginCommandBuffer(buffer, begin), "begin a command buffer of a graph")
        if segment.is_indirect:
            # Other batches' barriers need not order what counts groups.
            functions.vkCmdPipelineBarrier(buffer, *self._indirect[0])
        self._write(segment, constants, memory)
        functions.vkCmdPipelineBarrier(buffer, *self._indirect[1])
        api.check(functions.vkEndCommandBuffer(buffer), "end a command buffer of a graph")
        return segment

    def _upload(self, constants: _Constants) -> VulkanMemory | None:
        if not constants.bytes:
            return None
        memory = self._allocate(len(constants.bytes))
        self._transfers.upload(memory, 0, np.frombuffer(bytes(constants.bytes), np.uint8))
        return memory

    def _sets(self, commands: Sequence[DeviceCommand], constants: VulkanMemory | None, old: _Sets | None) -> _Sets:
        """A descriptor set for each combination of a layout and memory; the old ones where they have them all."""
        wanted: dict[tuple[Any, ...], tuple[SetLayout, list[Place]]] = {}
        for command in commands:
            if isinstance(command, Launch | LaunchIndirect) and command.executable.set_layout.count:
                key = _set_key(command, constants)
                if key not in wanted:
                    executable = command.executable
                    places = [(memory.buffer, memory.offset, memory.nbytes) for memory, _, _ in command.bindings]
                    if executable.parameter_binding is not None:
                        assert constants is not None
                        block = constants.buffer, constants.offset, executable.parameter_bytes
                        places.insert(executable.parameter_binding, block)
                    wanted[key] = executable.set_layout, places
        if old is not None and wanted.keys() <= old.sets.keys():
            return old
        if not wanted:
            return _Sets(self._handle(lambda: None), {})
        pool, sets = new_sets(self._device, list(wanted.values()))
        self._descriptor_pools.add(pool)
        return _Sets(self._handle(partial(self._destroy, pool)), dict(zip(wanted, sets, strict=True)))

    def _write(self, segment: Segment, constants: _Constants, memory: VulkanMemory | None) -> None:
        hazards, buffer = HazardTracker(), segment.buffer
        barrier = self._indirect[0] if segment.is_indirect else self._barrier

        def access(accesses: list[Access]) -> None:
            segment.accesses.append(accesses)
            if hazards.record(accesses):
                self._device.functions.vkCmdPipelineBarrier(buffer, *barrier)

        for command in segment.commands:
            if isinstance(command, Launch | LaunchIndirect):
                if not isinstance(command, _Continued) or config.validate:
                    access(_accesses(command))
                self._write_launch(segment, command, constants, memory)
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
        self, segment: Segment, command: Launch | LaunchIndirect, constants: _Constants, memory: VulkanMemory | None
    ) -> None:
        executable: VulkanExecutable = command.executable
        buffer = segment.buffer
        api, functions = self._device.api, self._device.functions
        point, layout = api.VK_PIPELINE_BIND_POINT_COMPUTE, executable.layout
        functions.vkCmdBindPipeline(buffer, point, executable.pipeline)
        has_block = executable.parameter_binding is not None
        if executable.set_layout.count:
            assert segment.sets is not None
            self._set[0] = segment.sets.sets[_set_key(command, memory)]
            if has_block:
                self._offset[0] = constants.place(command.parameters)
            functions.vkCmdBindDescriptorSets(buffer, point, layout, 0, 1, self._set, int(has_block), self._offset)
        if executable.parameter_bytes and not has_block:
            stage = api.VK_SHADER_STAGE_COMPUTE_BIT
            functions.vkCmdPushConstants(buffer, layout, stage, 0, executable.parameter_bytes, command.parameters)
        labels = self._device.labels
        with nullcontext() if labels is None else labels.labelled(buffer, executable.name):
            if isinstance(command, Launch):
                functions.vkCmdDispatch(buffer, *command.groups)
            else:
                counts, first, _ = command.counts
                functions.vkCmdDispatchIndirect(buffer, counts.buffer, counts.offset + first)

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


class _Continued(Launch):
    """Another part of the launch before it, for which nothing must wait."""


def _work(command: DeviceCommand) -> int:
    """Roughly how many operations a command takes."""
    if isinstance(command, Launch):
        x, y, z = command.groups
        return int(x * y * z * command.executable.group_work)
    if isinstance(command, LaunchIndirect):
        return int(TAKEN_GROUPS * command.executable.group_work)
    return command.nbytes // 4


def _set_key(command: Launch | LaunchIndirect, constants: VulkanMemory | None) -> tuple[Any, ...]:
    executable = command.executable
    block = 0 if executable.parameter_binding is None or constants is None else constants.key
    return executable.set_layout, executable.key_end, block, *(memory.key for memory, _, _ in command.bindings)


def _accesses(command: Launch | LaunchIndirect) -> list[Access]:
    bindings = [(*binding, writes) for binding, writes in zip(command.bindings, command.executable.writes, strict=True)]
    if config.validate:  # the validation layer takes all that a descriptor covers for accessed
        bindings = [(memory, 0, memory.nbytes, writes) for memory, _, _, writes in bindings]
    if isinstance(command, LaunchIndirect):
        bindings.append((*command.counts, False))
    return [
        (memory.address + first, memory.address + end, writes) for memory, first, end, writes in bindings if first < end
    ]


def _written(command: DeviceCommand) -> Iterator[VulkanMemory]:
    if isinstance(command, Launch | LaunchIndirect):
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

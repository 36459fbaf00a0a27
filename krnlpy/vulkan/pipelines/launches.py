"""Recording of kernels' launches: what is bound, and the dispatch."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from krnlpy import config
from krnlpy.backend.protocol import Binding, check_groups
from krnlpy.vulkan.loading.device import LogicalDevice
from krnlpy.vulkan.memory.transfers import Transfers
from krnlpy.vulkan.queue.commands import Queue

from .descriptors import Descriptors
from .pipeline import VulkanExecutable
from .reports import words_of

Groups = tuple[int, int, int]

TAKEN_GROUPS = 1 << 10
"""What a dispatch counts for whose groups the host does not know."""
_SPLIT = struct.Struct("<6I")  # see dsl/glsl/context.py's SPLIT_BYTES


def parts_of(groups: Groups, most: Groups) -> Iterator[tuple[Groups, bytes]]:
    """The parts of a dispatch of more groups than a device has along an axis: the groups of each, and what its
    parameter block ends with."""
    for x, y, z in itertools.product(*map(range, (0, 0, 0), groups, most)):
        part = min(groups[0] - x, most[0]), min(groups[1] - y, most[1]), min(groups[2] - z, most[2])
        yield part, _SPLIT.pack(x, y, z, *groups)


def launch_counted(
    backend: Any, executable: VulkanExecutable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
) -> None:
    """Launches as many groups as three u32 in memory say, which are read before. Raises LimitExceeded for more threads
    than ids can count."""
    x, y, z = words_of(3, lambda out: backend.download(counts[0], counts[1], out)).tolist()
    check_groups(executable.name, (x, y, z), executable.threads)
    if x and y and z:
        backend.launch(executable, (x, y, z), bindings, parameters)


class Launches:
    """Records launches into the queue's open batch. The caller holds the backend's lock.

    A call of Vulkan takes half a microsecond, so that what a batch has bound is not bound again.

    Attributes:
        bind_pipeline, bind_sets, push, dispatch, dispatch_indirect: Vulkan's functions.
        point, stage, null: what they are given.
    """

    def __init__(self, device: LogicalDevice, queue: Queue, transfers: Transfers, descriptors: Descriptors) -> None:
        self._queue = queue
        self._transfers = transfers
        self._descriptors = descriptors
        functions, api = device.functions, device.api
        self.bind_pipeline = functions.vkCmdBindPipeline
        self.bind_sets = functions.vkCmdBindDescriptorSets
        self.push = functions.vkCmdPushConstants
        self.dispatch = functions.vkCmdDispatch
        self.dispatch_indirect = functions.vkCmdDispatchIndirect
        if device.labels is not None:
            self.dispatch = device.labels.around(self.dispatch)
            self.dispatch_indirect = device.labels.around(self.dispatch_indirect)
        self._max_groups = device.info.max_groups_xyz
        self._taken_groups = min(TAKEN_GROUPS, self._max_groups[0]), 1, 1
        self.point = api.VK_PIPELINE_BIND_POINT_COMPUTE
        self.stage = api.VK_SHADER_STAGE_COMPUTE_BIT
        self.null = api.ffi.NULL
        self._dynamic_offset = api.new("uint32_t[1]")
        # The layer takes all that a descriptor covers for accessed, and misses barriers where kernels keep apart.
        self._hazards_by_memory = config.validate
        self._batch = 0
        self.forget()

    def forget(self) -> None:
        """Forgets what is bound: another command buffer is recorded, or something else was bound."""
        self._pipeline: Any = None
        self._layout: Any = None
        self._set: Any = None
        self._pushed = b""

    def record(
        self,
        executable: VulkanExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
        counts: Binding | None = None,
        continues: bool = False,
    ) -> None:
        """Records a dispatch, after a barrier where it needs one; in parts, if the groups are more than the device
        has along an axis.

        Args:
            counts: where the groups are, as three u32, if not known here.
            continues: this is another part of the launch that was recorded last, for which nothing must wait.
        """
        # The hot path: every line here costs each launch.
        x, y, z = groups
        most = self._max_groups
        if x > most[0] or y > most[1] or z > most[2]:
            self._record_parts(executable.split(), groups, bindings, parameters)
            return
        if executable.tables is not None:
            bindings = [*bindings, executable.tables.binding]
        queue = self._queue
        offset = None
        if executable.parameter_binding is not None:
            offset = self._transfers.ring.put(parameters)
        batch = queue.open_value
        if batch != self._batch:
            self._batch = batch
            self.forget()
            continues = False
        if self._hazards_by_memory:
            bindings = [(memory, 0, memory.nbytes) for memory, _, _ in bindings]
        accesses = []
        key = []
        for (memory, first, end), writes in zip(bindings, executable.writes):  # noqa: B905  # which takes longer
            # A descriptor covers the whole memory, so that views of it share sets; kernels keep to the range.
            address = memory.address
            if first < end:
                accesses.append((address + first, address + end, writes))
            key.append(memory.key)
            memory.last_use = batch
            if writes:
                memory.last_write = batch
        if counts is not None:
            memory, first, end = counts
            accesses.append((memory.address + first, memory.address + end, False))
            memory.last_use = batch
        if continues and not self._hazards_by_memory:
            accesses = []
        commands = queue.begin(accesses, counts is not None)

        pipeline, layout, set_layout = executable.pipeline, executable.layout, executable.set_layout
        if pipeline is not self._pipeline:
            self.bind_pipeline(commands, self.point, pipeline)
            self._pipeline = pipeline
            if layout is not self._layout:  # sets and push constants stay what they were under one layout only
                self._layout, self._set, self._pushed = layout, None, b""
        descriptor_set = None
        if set_layout.count:
            if executable.bound:
                key = [key[number] for number in executable.bound]
            key.append(executable.key_end)
            found = tuple(key)
            descriptor_set = set_layout.sets.get(found)
            if descriptor_set is None:
                descriptor_set = self._write_set(executable, found, bindings)
            if offset is not None:
                self._dynamic_offset[0] = offset
                self.bind_sets(commands, self.point, layout, 0, 1, descriptor_set, 1, self._dynamic_offset)
            elif descriptor_set is not self._set:
                self.bind_sets(commands, self.point, layout, 0, 1, descriptor_set, 0, self.null)
                self._set = descriptor_set
        if offset is None and parameters != self._pushed:
            self.push(commands, layout, self.stage, 0, executable.parameter_bytes, parameters)
            self._pushed = parameters
        if counts is None:
            self.dispatch(commands, x, y, z)
            queue.log.append((_record_anew, executable, self, descriptor_set, offset, parameters, groups, None))
        else:
            place = counts[0].buffer, counts[0].offset + counts[1]
            self.dispatch_indirect(commands, *place)
            queue.log.append((_record_anew, executable, self, descriptor_set, offset, parameters, groups, place))
        queue.end(x * y * z * executable.group_work)

    def record_indirect(
        self, executable: VulkanExecutable, counts: Binding, bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        """Records a dispatch of as many groups as three u32 in memory say."""
        self.record(executable, self._taken_groups, bindings, parameters, counts)

    def _record_parts(
        self,
        executable: VulkanExecutable,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        for place, (part, end) in enumerate(parts_of(groups, self._max_groups)):
            self.record(executable, part, bindings, parameters + end, continues=place > 0)

    def _write_set(self, executable: VulkanExecutable, key: tuple[int, ...], bindings: Sequence[Binding]) -> Any:
        places = [(memory.buffer, memory.offset, memory.nbytes) for memory, _, _ in bindings]
        if executable.bound:
            places = [places[number] for number in executable.bound]
        if executable.parameter_binding is not None:
            block = (self._transfers.ring.handle, 0, executable.parameter_bytes)
            places.insert(executable.parameter_binding, block)
        return self._descriptors.write(executable.set_layout, key, places)


def _record_anew(
    commands: Any,
    executable: VulkanExecutable,
    launches: Launches,
    descriptor_set: Any,
    offset: int | None,
    parameters: bytes,
    groups: Groups,
    counts: tuple[Any, int] | None,
) -> None:
    """Records a launch whatever else is bound, with what it was recorded with at first."""
    point, layout = launches.point, executable.layout
    launches.bind_pipeline(commands, point, executable.pipeline)
    if descriptor_set is not None:
        offsets = [] if offset is None else [offset]
        launches.bind_sets(commands, point, layout, 0, 1, descriptor_set, len(offsets), offsets or launches.null)
    if offset is None and executable.parameter_bytes:
        launches.push(commands, layout, launches.stage, 0, executable.parameter_bytes, parameters)
    if counts is None:
        launches.dispatch(commands, *groups)
    else:
        launches.dispatch_indirect(commands, *counts)

"""The backend of a Vulkan device: memory, transfers and launches, all in order, none waiting but where data is read."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from krnlpy.backend import Backend, Binding, DeviceInfo
from krnlpy.dsl.ir import Program
from krnlpy.dsl.layout import DEBUG_WORDS, Variant
from krnlpy.errors import DeviceUnavailable, KernelIndexError
from krnlpy.features import Feature

from . import api, pipeline
from .commands import Queue, Use
from .instance import PhysicalDevice, explain_unavailable, physical_devices
from .memory import Allocator, DeviceMemory
from .staging import CHUNK_BYTES, StagingRing

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
P = ParamSpec("P")
R = TypeVar("R")

_COMPUTE = 1  # VK_PIPELINE_BIND_POINT_COMPUTE
_STAGE = 0x20


def _locked(
    method: Callable[Concatenate[VulkanBackend, P], R],
) -> Callable[Concatenate[VulkanBackend, P], R]:
    @wraps(method)
    def inner(self: VulkanBackend, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            if os.getpid() != self._pid:
                raise DeviceUnavailable(
                    f"{self.info.name} was opened before a fork; Vulkan devices do not survive it: open it in the child"
                    " only, or start processes by spawn"
                )
            return method(self, *args, **kwargs)

    return inner


class VulkanBackend:
    """One Vulkan device."""

    def __init__(self, physical: PhysicalDevice) -> None:
        self.info: DeviceInfo = physical.info
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._closed = False
        self._device = _create_device(physical)
        self._queue = Queue(self._device, physical.queue_family)
        self._allocator = Allocator(physical.handle, self._device, physical.info.max_buffer_bytes)
        self._staging = StagingRing(self._allocator, self._queue)
        self._sets = pipeline.DescriptorSets(self._device)
        self._destroyed_blocks = 0
        self._pipelines: list[pipeline.Pipeline] = []
        for name in (
            "vkCmdBindPipeline", "vkCmdBindDescriptorSets", "vkCmdPushConstants", "vkCmdDispatch", "vkCmdCopyBuffer",
            "vkCmdFillBuffer",
        ):  # fmt: skip
            setattr(self, f"_{name}", api.device_function(self._device, name))
        self._set = api.ffi().new("VkDescriptorSet *")
        self._region = api.ffi().new("VkBufferCopy *")
        self._null = api.ffi().NULL

    _vkCmdBindPipeline: Any  # noqa: N815
    _vkCmdBindDescriptorSets: Any  # noqa: N815
    _vkCmdPushConstants: Any  # noqa: N815
    _vkCmdDispatch: Any  # noqa: N815
    _vkCmdCopyBuffer: Any  # noqa: N815
    _vkCmdFillBuffer: Any  # noqa: N815

    # ---------------------------------------------------------------------------------------------------- memory

    @_locked
    def allocate(self, nbytes: int) -> DeviceMemory:
        memory = self._allocator.allocate(self, nbytes, self._queue.completed())
        if self._allocator.destroyed != self._destroyed_blocks:
            self._destroyed_blocks = self._allocator.destroyed
            self._sets.tidy(self._queue.submitted + 1, self._queue.completed(), force=True)
        return memory

    def release(self, memory: DeviceMemory) -> None:
        """Takes memory back that the host no longer holds. Called by the garbage collector, in any thread."""
        if not self._closed:
            self._allocator.give_back(memory)

    def adopt(self, array: np.ndarray[Any, Any]) -> None:
        """Vulkan memory is never an array's."""
        return

    def view(self, memory: DeviceMemory) -> None:
        """Work may be using the memory at any time, so nobody may look at it directly."""
        return

    # -------------------------------------------------------------------------------------------------- transfers

    @_locked
    def upload(self, memory: DeviceMemory, offset: int, data: Bytes) -> None:
        mapped = memory.mapped
        if mapped is not None and memory.last_use <= self._queue.completed():
            mapped[offset : offset + data.nbytes] = data
            return
        for start in range(0, data.nbytes, CHUNK_BYTES):
            chunk = data[start : start + CHUNK_BYTES]
            block, at, staged = self._staging.take(chunk.nbytes)
            staged[:] = chunk
            first = offset + start
            commands = self._queue.use([(memory, first, first + chunk.nbytes, False, True)])
            self._copy_region(commands, block.buffer, at, memory.block.buffer, memory.offset + first, chunk.nbytes)

    @_locked
    def download(self, memory: DeviceMemory, offset: int, out: Bytes) -> None:
        mapped = memory.mapped
        if mapped is not None:
            self._queue.wait(memory.last_write)
            out[:] = mapped[offset : offset + out.nbytes]
            return
        pending: list[tuple[int, int, Bytes]] = []
        for start in range(0, out.nbytes, CHUNK_BYTES):
            size = min(CHUNK_BYTES, out.nbytes - start)
            first = offset + start
            if len(pending) == 2:  # one chunk travels while the one before is taken out
                self._take_out(out, *pending.pop(0))
            block, at, staged = self._staging.take(size)
            commands = self._queue.use([(memory, first, first + size, True, False)])
            self._copy_region(commands, memory.block.buffer, memory.offset + first, block.buffer, at, size)
            pending.append((self._queue.submit(), start, staged))
        for entry in pending:
            self._take_out(out, *entry)

    def _take_out(self, out: Bytes, value: int, start: int, staged: Bytes) -> None:
        self._queue.wait(value)
        out[start : start + staged.nbytes] = staged

    @_locked
    def copy(self, source: DeviceMemory, source_offset: int, to: DeviceMemory, to_offset: int, nbytes: int) -> None:
        if source is to and source_offset == to_offset:
            return
        uses: list[Use] = [
            (source, source_offset, source_offset + nbytes, True, False),
            (to, to_offset, to_offset + nbytes, False, True),
        ]
        commands = self._queue.use(uses)
        self._copy_region(
            commands,
            source.block.buffer,
            source.offset + source_offset,
            to.block.buffer,
            to.offset + to_offset,
            nbytes,
        )

    def _copy_region(self, commands: Any, source: Any, start: int, to: Any, at: int, nbytes: int) -> None:
        self._region.srcOffset, self._region.dstOffset, self._region.size = start, at, nbytes
        self._vkCmdCopyBuffer(commands, source, to, 1, self._region)
        self._queue.recorded()

    @_locked
    def fill(self, memory: DeviceMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        word = (
            pattern * (4 // len(pattern)) if len(pattern) <= 4 else pattern[:4] if pattern[:4] == pattern[4:] else b""
        )
        if not word or offset % 4:
            self._fill_by_copies(memory, offset, nbytes, pattern)
            return
        whole = nbytes // 4 * 4
        if whole:
            commands = self._queue.use([(memory, offset, offset + whole, False, True)])
            self._vkCmdFillBuffer(
                commands, memory.block.buffer, memory.offset + offset, whole, int.from_bytes(word, "little")
            )
            self._queue.recorded()
        if whole < nbytes:
            self._fill_by_copies(memory, offset + whole, nbytes - whole, pattern)

    def _fill_by_copies(self, memory: DeviceMemory, offset: int, nbytes: int, pattern: bytes) -> None:
        repeated = np.frombuffer(pattern * (min(nbytes, CHUNK_BYTES) // len(pattern)), np.uint8)
        for start in range(0, nbytes, repeated.nbytes):
            self.upload(memory, offset + start, repeated[: nbytes - start])

    # --------------------------------------------------------------------------------------------------- launches

    @_locked
    def build(
        self,
        program: Program,
        variant: Variant,
        specs: Mapping[str, int | float | bool],
        threads: tuple[int, int, int],
        debug: bool,
    ) -> pipeline.Pipeline:
        built = pipeline.build(self._device, self.info, program, variant, specs, threads, debug)
        self._pipelines.append(built)
        return built

    @_locked
    def launch(
        self,
        executable: pipeline.Pipeline,
        groups: tuple[int, int, int],
        bindings: Sequence[Binding],
        parameters: bytes,
    ) -> None:
        shader = executable.shader
        uses: list[Use] = [
            (memory, start, stop, reads, writes)
            for (memory, start, stop), reads, writes in zip(bindings, shader.reads, shader.writes, strict=True)
        ]
        if shader.parameters == "buffer":
            uses.append(self._parameter_buffer(parameters))
        record: DeviceMemory | None = None
        if executable.debug:
            record = self.allocate(4 * len(DEBUG_WORDS))
            self.fill(record, 0, 4 * len(DEBUG_WORDS), b"\0")
            uses.append((record, 0, record.nbytes, True, True))
        ranges = tuple([(use[0].block.buffer, use[0].offset, use[0].size) for use in uses])
        # A set is looked up before a command buffer is opened: making one may fail, and nothing is half recorded.
        descriptor_set = self._sets.get(executable, ranges)
        commands = self._queue.use(uses)
        self._vkCmdBindPipeline(commands, _COMPUTE, executable.handle)
        self._set[0] = descriptor_set
        self._vkCmdBindDescriptorSets(commands, _COMPUTE, executable.layout, 0, 1, self._set, 0, self._null)
        if shader.parameters == "push":
            self._vkCmdPushConstants(
                commands, executable.layout, _STAGE, 0, len(parameters), api.ffi().from_buffer(parameters)
            )
        self._vkCmdDispatch(commands, *groups)
        self._queue.recorded()
        if record is not None:
            self._raise_failure(executable, record)

    def _parameter_buffer(self, parameters: bytes) -> Use:
        # The memory is given back at once; it stays untouched until this launch is done.
        memory = self.allocate(len(parameters))
        self.upload(memory, 0, np.frombuffer(parameters, np.uint8))
        return memory, 0, len(parameters), True, False

    def _raise_failure(self, executable: pipeline.Pipeline, record: DeviceMemory) -> None:
        words = np.zeros(len(DEBUG_WORDS), np.uint32)
        self.download(record, 0, words.view(np.uint8))
        found = dict(zip(DEBUG_WORDS, words.tolist(), strict=True))
        if not found["failed"]:
            return
        index = int(words[DEBUG_WORDS.index("index")].view(np.int32))
        thread = (found["global_x"], found["global_y"], found["global_z"])
        raise KernelIndexError(
            f"index {index} is out of range for a length of {found['length']} in the kernel {executable.program.name},"
            f" thread {thread}",
            executable.program.file,
            found["line"],
            found["column"],
        )

    @_locked
    def wait(self) -> None:
        self._queue.wait(self._queue.submit())
        self._allocator.collect(self._queue.completed())
        self._sets.tidy(self._queue.submitted, self._queue.completed())

    @property
    def barriers(self) -> int:
        """Barriers recorded so far, for tests."""
        return self._queue.barriers

    def close(self) -> None:
        if self._closed or os.getpid() != self._pid:
            return
        with self._lock:
            self._queue.close()
            self._closed = True
            self._sets.close()
            for built in self._pipelines:
                pipeline.destroy(self._device, built)
            self._staging.close()
            self._allocator.close()
            api.lib().vkDestroyDevice(self._device, self._null)


def _create_device(physical: PhysicalDevice) -> Any:
    ffi, lib = api.ffi(), api.lib()
    features = physical.info.features
    priority = ffi.new("float *", 1.0)
    queues = api.struct(
        "VkDeviceQueueCreateInfo", queueFamilyIndex=physical.queue_family, queueCount=1, pQueuePriorities=priority
    )
    f12 = api.struct("VkPhysicalDeviceVulkan12Features", timelineSemaphore=1)
    f12.storageBuffer8BitAccess = Feature.STORAGE8 in features
    f11 = api.struct("VkPhysicalDeviceVulkan11Features", pNext=f12)
    f11.storageBuffer16BitAccess = Feature.STORAGE16 in features
    core = api.struct("VkPhysicalDeviceFeatures2", pNext=f11)
    core.features.shaderInt64 = Feature.INT64 in features
    core.features.shaderFloat64 = Feature.FLOAT64 in features
    core.features.robustBufferAccess = 0
    wanted = [name for name in ("VK_KHR_portability_subset",) if name in physical.extensions]
    texts = [ffi.new("char[]", name.encode()) for name in wanted]
    names = ffi.new("char *[]", texts)
    info = api.struct(
        "VkDeviceCreateInfo",
        pNext=core,
        queueCreateInfoCount=1,
        pQueueCreateInfos=queues,
        enabledExtensionCount=len(wanted),
        ppEnabledExtensionNames=names,
    )
    return api.create(lib.vkCreateDevice, physical.handle, info, "VkDevice", f"opening {physical.info.name}")


def open_device(index: int) -> Backend:
    """The backend of a device of :func:`enumerate_devices`.

    Raises:
        DeviceUnavailable: there is no such device, or it does not open.
    """
    usable, _ = physical_devices()
    if not 0 <= index < len(usable):
        raise DeviceUnavailable(f"Vulkan device {index}: {explain_unavailable()}")
    return VulkanBackend(usable[index])

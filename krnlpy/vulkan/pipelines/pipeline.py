"""From a program to what the device runs: GLSL, SPIR-V, a compute pipeline."""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from time import perf_counter
from typing import Any

from krnlpy.backend.protocol import BuildRequest, check_subgroups
from krnlpy.dsl import ir
from krnlpy.dsl.glsl import emit as glsl
from krnlpy.dsl.glsl.devices import Capabilities, shader_for
from krnlpy.dsl.passes.accesses import buffer_accesses
from krnlpy.dsl.passes.array_sizes import array_bytes, local_arrays
from krnlpy.dsl.passes.cost_model import estimated_work
from krnlpy.dsl.passes.loop_bounds import KnownLaunch, has_loops
from krnlpy.dsl.passes.subgroup_uses import has_subgroups
from krnlpy.dsl.spirv import module as spirv
from krnlpy.errors import LimitExceeded, MissingFeatures
from krnlpy.log import logger
from krnlpy.scalar import ScalarType
from krnlpy.vulkan.loading.device import LogicalDevice

from .descriptors import Descriptors, SetLayout
from .driver_defects import Defects
from .loop_guard import LoopGuard, loop_guard
from .tables import Tables

_CODES = {"u32": "I", "i32": "i", "f32": "f", "u64": "Q", "i64": "q", "f64": "d"}
_MAX_LOCAL_BYTES = 64 << 10
"""Of a thread's local arrays. Vulkan states no limit; beyond it lavapipe ends the process while it compiles."""
_MAX_THREAD_WORK = 1 << 12
"""Operations that a thread is assumed to do at most: of loops within loops of unknown lengths, the estimate
gets out of hand, and kernels that do little would be submitted one by one."""


class VulkanExecutable:
    """A program built for a device.

    Attributes:
        reports: what the kernel reports to the host while it runs, or None.
        writes: for each buffer, whether the kernel may write it; then, where it has them, for report and tables.
        tables: the constant arrays, if it has any.
        bound: which of these the descriptors bind, where some share one; empty where each has its own.
        parameter_bytes: of the parameter block.
        parameter_binding: where the block is bound, if it does not travel as push constants.
        key_end: what distinguishes descriptor sets of the same buffers and layout.
        group_work: roughly the operations of a group.
        split: makes the executable that is dispatched in parts; see Launches.
        guard: knows whether a launch may be too long for the driver; None if none can be.
    """

    __slots__ = (
        "__weakref__",
        *(
            "accesses",
            "bound",
            "group_work",
            "guard",
            "key_end",
            "layout",
            "name",
            "parameter_binding",
            "parameter_bytes",
            "pipeline",
        ),
        *("reports", "request", "retired", "set_layout", "split", "tables", "threads", "writes"),
    )

    request: BuildRequest

    def __init__(
        self,
        program: ir.Program,
        shader: glsl.Shader,
        threads: tuple[int, int, int],
        pipeline: Any,
        layout: Any,
        set_layout: SetLayout,
        retired: deque[Any],
        split: Callable[[], VulkanExecutable],
        guard: LoopGuard | None,
        tables: Tables | None,
    ) -> None:
        self.name = program.name
        self.accesses = buffer_accesses(program)
        self.threads = threads
        self.pipeline = pipeline
        self.layout = layout
        self.set_layout = set_layout
        self.reports = shader.reports
        self.writes = (*shader.writes, *[True] * bool(shader.reports), *[False] * bool(tables))
        self.tables = tables
        self.bound = _bound(shader.buffer_bindings, len(self.writes))
        self.parameter_bytes = shader.parameter_bytes
        self.parameter_binding = shader.parameter_binding
        self.key_end = self.parameter_bytes if self.parameter_binding is not None else 0
        self.split = cache(split)
        self.guard = guard
        self.group_work = math.prod(threads) * min(estimated_work(program.body), _MAX_THREAD_WORK)
        self.retired = retired

    def needs_wait(self, groups: tuple[int, int, int] | None, parameters: bytes) -> bool:
        return self.reports is not None or (self.guard is not None and self.guard.may_end(groups, parameters))

    def __del__(self) -> None:
        if hasattr(self, "retired"):  # Ctrl-C may have come before there was anything
            self.retired.append(self.pipeline)


def _bound(bindings: tuple[int, ...], count: int) -> tuple[int, ...]:
    """For each binding the first that has it of so many buffers, the last of which have their own."""
    first = tuple(n for n, binding in enumerate(bindings) if binding not in bindings[:n])
    return (*first, *range(len(bindings), count)) if len(first) < len(bindings) else ()


class PipelineBuilder:
    """Builds programs for a device. The caller holds the backend's lock.

    Attributes:
        retired: pipelines of executables that are gone.
    """

    def __init__(self, device: LogicalDevice, descriptors: Descriptors, defects: Callable[[], Defects]) -> None:
        self._device = device
        self._defects = defects
        self._descriptors = descriptors
        self._layouts: dict[tuple[SetLayout, int], Any] = {}
        self._pipelines: set[Any] = set()
        self.retired: deque[Any] = deque()

    def build(
        self, request: BuildRequest, split: bool = False, watch: int = 0, tables: Tables | None = None
    ) -> VulkanExecutable:
        """A program as a pipeline.

        Args:
            split: to be dispatched in parts.
            watch: to find out where the driver ended a loop, which it does after so many passes.
            tables: the constant arrays, where they are in memory already.

        Raises:
            MissingFeatures: the device lacks what the program needs.
            LimitExceeded: threads, group arrays or buffers are more than the device grants.
        """
        program, variant, specs, threads, debug = request
        self._check_limits(program, specs, threads)
        info = self._device.info
        check_subgroups(program, threads, info)
        defects = self._defects() if has_loops(program) or has_subgroups(program) else Defects()
        flat = defects.shared_subgroup_ids and max(threads[1:]) > 1 and has_subgroups(program)
        ways = {
            "flat": flat,
            "broken_subgroup_barriers": defects.broken_subgroup_barriers,
            "watch": watch,
            "threads": threads,
            "idle_lanes": defects.idle_lanes and math.prod(threads) % info.subgroup_threads > 0,
        }
        capabilities = replace(Capabilities.of(info), forgets=defects.forgotten_loads, strays=defects.stray_loops)
        program, shader = shader_for(program, variant, capabilities, debug, split=split, **ways)
        self._check_shader(program, shader)
        lanes = program.subgroup_threads or info.subgroup_threads
        slots = -(-math.prod(threads) // lanes) * lanes
        self._check_group_memory(program, specs, 4 * shader.subgroup_words * slots)
        code = spirv.compile_shader(shader.source, program.name)
        set_layout = self._descriptors.layout(shader.binding_count, shader.parameter_binding)
        layout = self._layout(set_layout, shader.parameter_bytes if shader.parameters == "push" else 0)
        pipeline = self._pipeline(code, shader, specs, threads, layout, program)
        self._pipelines.add(pipeline)
        if shader.tables and tables is None:
            tables = Tables(shader.tables)
        again = partial(self.build, request._replace(specs=dict(specs)), tables=tables)
        in_parts = partial(again, split=True, watch=watch)
        guard = None
        if defects.loop_passes and not watch:
            known = KnownLaunch(threads, dict(specs), lanes)
            watched = partial(again, split=split, watch=defects.loop_passes)
            guard = loop_guard(program, shader, known, defects.loop_passes, watched)
        return VulkanExecutable(
            program, shader, threads, pipeline, layout, set_layout, self.retired, in_parts, guard, tables
        )

    def _check_limits(
        self, program: ir.Program, specs: Mapping[str, int | float | bool], threads: tuple[int, int, int]
    ) -> None:
        info = self._device.info
        fits = all(1 <= t <= most for t, most in zip(threads, info.max_threads_xyz, strict=True))
        if not fits or math.prod(threads) > info.max_threads:
            raise LimitExceeded(
                f"{program.name}: groups of {threads} threads; {info.name} grants {info.max_threads_xyz} along the "
                f"axes and {info.max_threads} in all"
            )
        self._check_group_memory(program, specs, 0)
        local_bytes = sum(array_bytes(array, specs) for array in local_arrays(program))
        if local_bytes > _MAX_LOCAL_BYTES:
            raise LimitExceeded(
                f"{program.name}: its local arrays take {local_bytes} bytes a thread; devices of Vulkan are granted"
                f" {_MAX_LOCAL_BYTES}"
            )

    def _check_group_memory(
        self, program: ir.Program, specs: Mapping[str, int | float | bool], subgroup_bytes: int
    ) -> None:
        info = self._device.info
        group_bytes = sum(array_bytes(array, specs) for array in program.group_arrays)
        if group_bytes + subgroup_bytes > info.max_group_memory:
            operations = f", and operations of subgroups {subgroup_bytes}" if subgroup_bytes else ""
            raise LimitExceeded(
                f"{program.name}: its group arrays take {group_bytes} bytes{operations}; {info.name} grants"
                f" {info.max_group_memory}"
            )

    def _check_shader(self, program: ir.Program, shader: glsl.Shader) -> None:
        info = self._device.info
        if missing := sorted(shader.features - info.features):
            tables = [t for t in program.constant_arrays if t.type.compute.size == 8]
            advice = "".join(f"; {t.name} is a table of {t.type}: .astype makes it a narrower one" for t in tables)
            raise MissingFeatures(f"{program.name} needs {', '.join(missing)}, which {info.name} does not have{advice}")
        most = self._device.physical.max_storage_bindings
        if shader.binding_count > most:
            raise LimitExceeded(
                f"{program.name}: {shader.binding_count} buffers (with krnlpy's own); {info.name} grants {most}"
            )

    def _layout(self, set_layout: SetLayout, push_bytes: int) -> Any:
        key = (set_layout, push_bytes)
        if key not in self._layouts:
            api = self._device.api
            ranges = []
            if push_bytes:
                stage = api.VK_SHADER_STAGE_COMPUTE_BIT
                ranges = [api.struct("VkPushConstantRange", stageFlags=stage, size=push_bytes)]
            info = api.struct(
                "VkPipelineLayoutCreateInfo",
                setLayoutCount=1,
                pSetLayouts=[set_layout.handle],
                pushConstantRangeCount=len(ranges),
                pPushConstantRanges=ranges,
            )
            new = self._device.create("vkCreatePipelineLayout", "VkPipelineLayout", info)
            if self._layouts.setdefault(key, new) is not new:  # who interrupted this was quicker
                self._device.destroy("vkDestroyPipelineLayout", new)
        return self._layouts[key]

    def _pipeline(
        self,
        code: bytes,
        shader: glsl.Shader,
        specs: Mapping[str, int | float | bool],
        threads: tuple[int, int, int],
        layout: Any,
        program: ir.Program,
    ) -> Any:
        api, device = self._device.api, self._device
        words = api.ffi.from_buffer("uint32_t[]", code)
        module = device.create(
            "vkCreateShaderModule",
            "VkShaderModule",
            api.struct("VkShaderModuleCreateInfo", codeSize=len(code), pCode=words),
        )
        try:
            # Where a device has one size, nothing needs to be said.
            required = program.subgroup_threads if len(device.info.subgroup_sizes) > 1 else 0
            size = api.struct(
                "VkPipelineShaderStageRequiredSubgroupSizeCreateInfo", requiredSubgroupSize=program.subgroup_threads
            )
            data, entries = specialization(shader, specs, threads)
            info = api.struct(
                "VkComputePipelineCreateInfo",
                stage=api.struct(
                    "VkPipelineShaderStageCreateInfo",
                    pNext=size if required else api.ffi.NULL,
                    stage=api.VK_SHADER_STAGE_COMPUTE_BIT,
                    module=module,
                    pName="main",
                    pSpecializationInfo=api.struct(
                        "VkSpecializationInfo",
                        mapEntryCount=len(entries),
                        pMapEntries=api.new("VkSpecializationMapEntry[]", entries),
                        dataSize=len(data),
                        pData=api.new("char[]", data),
                    ),
                ),
                layout=layout,
                basePipelineIndex=-1,
            )
            pipeline = api.new("VkPipeline *")
            begin = perf_counter()
            result = device.functions.vkCreateComputePipelines(
                device.handle, api.ffi.NULL, 1, info, api.ffi.NULL, pipeline
            )
            api.check(result, f"build the kernel {program.name} on {device.info.name}")
            if device.labels is not None:
                device.labels.name_pipeline(pipeline[0], program.name)
            milliseconds = 1e3 * (perf_counter() - begin)
            logger.debug("pipeline of %s: %.1f ms in the driver, %d bytes", program.name, milliseconds, len(code))
        finally:
            device.destroy("vkDestroyShaderModule", module)
        return pipeline[0]

    def destroy(self, pipeline: Any) -> None:
        """Destroys a pipeline that no queued work uses."""
        self._pipelines.discard(pipeline)
        self._device.destroy("vkDestroyPipeline", pipeline)

    def close(self) -> None:
        """Destroys all. The queue is idle."""
        for pipeline in list(self._pipelines):
            self.destroy(pipeline)
        for layout in self._layouts.values():
            self._device.destroy("vkDestroyPipelineLayout", layout)


def specialization(
    shader: glsl.Shader, specs: Mapping[str, int | float | bool], threads: tuple[int, int, int]
) -> tuple[bytes, list[dict[str, int]]]:
    """The values of the specialization constants, and where each of them lies."""
    data, entries = b"", []

    def add(number: int, code: str, value: int | float) -> None:
        nonlocal data
        packed = struct.pack(f"<{code}", value)
        entries.append({"constantID": number, "offset": len(data), "size": len(packed)})
        data += packed

    if shader.size_ids:
        for number, count in zip(shader.size_ids, threads, strict=True):
            add(number, "I", count)
        threads = math.prod(threads), 1, 1
    for number, count in enumerate(threads):
        add(number, "I", count)
    for name, (number, type) in shader.spec_ids.items():
        add(number, _CODES[type.name], _spec_value(specs[name], type))
    return data, entries


def _spec_value(value: int | float | bool, type: ScalarType) -> int | float:
    return float(value) if type.is_float else int(value)

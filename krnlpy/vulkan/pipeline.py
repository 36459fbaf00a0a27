"""From a program to a compute pipeline, and from buffers to descriptor sets."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from krnlpy.backend import DeviceInfo
from krnlpy.dsl import glsl, spirv
from krnlpy.dsl.extents import group_array_bytes
from krnlpy.dsl.ir import Program
from krnlpy.dsl.layout import Variant
from krnlpy.errors import LimitExceeded, MissingFeatures
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType

from . import api

_COMPUTE_STAGE = 0x20
_STORAGE_BUFFER = 7
_CODES = {"u32": "I", "i32": "i", "f32": "f", "u64": "Q", "i64": "q", "f64": "d", "bool": "I"}
_SETS_OF_A_POOL = 256


@dataclass(eq=False)
class Pipeline:
    """A program built for a device."""

    program: Program
    shader: glsl.Shader
    threads: tuple[int, int, int]
    debug: bool
    handle: Any
    layout: Any
    set_layout: Any
    module: Any


def build(
    device: Any,
    info: DeviceInfo,
    program: Program,
    variant: Variant,
    specs: Mapping[str, int | float | bool],
    threads: tuple[int, int, int],
    debug: bool,
) -> Pipeline:
    """Compiles a program for a device.

    Raises:
        MissingFeatures: the device lacks something that the kernel needs.
        LimitExceeded: threads, group memory or buffers beyond the device's limits.
    """
    options = glsl.GlslOptions(
        storage8=Feature.STORAGE8 in info.features,
        storage16=Feature.STORAGE16 in info.features,
        debug=debug,
        max_parameter_bytes=info.max_parameter_bytes,
    )
    shader = glsl.emit(program, variant, options)
    _check(program, shader, info, specs, threads)
    module_bytes = spirv.compile_shader(shader.source, program.name)
    ffi, lib = api.ffi(), api.lib()
    code = ffi.new("uint32_t[]", len(module_bytes) // 4)
    ffi.memmove(code, module_bytes, len(module_bytes))
    module_info = api.struct("VkShaderModuleCreateInfo", codeSize=len(module_bytes), pCode=code)
    module = api.create(lib.vkCreateShaderModule, device, module_info, "VkShaderModule", "vkCreateShaderModule")
    set_layout = _set_layout(device, shader.binding_count)
    layout = _layout(device, set_layout, shader.layout.size if shader.parameters == "push" else 0)
    handle = _pipeline(device, module, layout, shader, specs, threads)
    return Pipeline(program, shader, threads, debug, handle, layout, set_layout, module)


def _check(
    program: Program,
    shader: glsl.Shader,
    info: DeviceInfo,
    specs: Mapping[str, int | float | bool],
    threads: tuple[int, int, int],
) -> None:
    missing = sorted(f.value for f in shader.features - info.features)
    if missing:
        raise MissingFeatures(
            f"the kernel {program.name} needs {', '.join(missing)}, which {info.name} does not have; use another device"
            " or types of 32 bits"
        )
    if prod(threads) > info.max_threads or any(t > m for t, m in zip(threads, info.max_threads_xyz, strict=True)):
        raise LimitExceeded(
            f"the kernel {program.name} has groups of {threads} threads; {info.name} allows {info.max_threads} in all"
            f" and {info.max_threads_xyz} along the axes"
        )
    nbytes = group_array_bytes(program, specs)
    if nbytes > info.max_group_memory:
        raise LimitExceeded(
            f"the group arrays of the kernel {program.name} take {nbytes} bytes; {info.name} has"
            f" {info.max_group_memory} for a group"
        )
    most = info.extra["max_storage_buffers"]
    if shader.binding_count > most:
        raise LimitExceeded(
            f"the kernel {program.name} binds {shader.binding_count} buffers; {info.name} allows {most}"
        )


def _set_layout(device: Any, count: int) -> Any:
    bindings = api.ffi().new("VkDescriptorSetLayoutBinding[]", max(count, 1))
    for i in range(count):
        bindings[i].binding = i
        bindings[i].descriptorType = _STORAGE_BUFFER
        bindings[i].descriptorCount = 1
        bindings[i].stageFlags = _COMPUTE_STAGE
    info = api.struct("VkDescriptorSetLayoutCreateInfo", bindingCount=count, pBindings=bindings)
    return api.create(
        api.lib().vkCreateDescriptorSetLayout, device, info, "VkDescriptorSetLayout", "vkCreateDescriptorSetLayout"
    )


def _layout(device: Any, set_layout: Any, push_bytes: int) -> Any:
    sets = api.ffi().new("VkDescriptorSetLayout *", set_layout)
    ranges = api.ffi().new("VkPushConstantRange *", {"stageFlags": _COMPUTE_STAGE, "offset": 0, "size": push_bytes})
    info = api.struct(
        "VkPipelineLayoutCreateInfo",
        setLayoutCount=1,
        pSetLayouts=sets,
        pushConstantRangeCount=1 if push_bytes else 0,
        pPushConstantRanges=ranges,
    )
    return api.create(api.lib().vkCreatePipelineLayout, device, info, "VkPipelineLayout", "vkCreatePipelineLayout")


def _pipeline(
    device: Any,
    module: Any,
    layout: Any,
    shader: glsl.Shader,
    specs: Mapping[str, int | float | bool],
    threads: tuple[int, int, int],
) -> Any:
    ffi, lib = api.ffi(), api.lib()
    values = [(axis, struct.pack("<I", count)) for axis, count in enumerate(threads)]
    for name, (constant, type) in shader.spec_ids.items():
        values.append((constant, pack_scalar(type, specs[name])))
    data = b"".join(value for _, value in values)
    entries = ffi.new("VkSpecializationMapEntry[]", len(values))
    offset = 0
    for entry, (constant, value) in zip(entries, values, strict=True):
        entry.constantID, entry.offset, entry.size = constant, offset, len(value)
        offset += len(value)
    raw = ffi.new("char[]", data)
    special = ffi.new(
        "VkSpecializationInfo *",
        {"mapEntryCount": len(values), "pMapEntries": entries, "dataSize": len(data), "pData": raw},
    )
    name = ffi.new("char[]", b"main")
    info = api.struct("VkComputePipelineCreateInfo", layout=layout)
    info.stage.sType = lib.VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO
    info.stage.stage = _COMPUTE_STAGE
    info.stage.module = module
    info.stage.pName = name
    info.stage.pSpecializationInfo = special
    handle = ffi.new("VkPipeline *")
    api.check(lib.vkCreateComputePipelines(device, ffi.NULL, 1, info, ffi.NULL, handle), "vkCreateComputePipelines")
    return handle[0]


def pack_scalar(type: ScalarType, value: float) -> bytes:
    """A specialization constant's bytes."""
    number = value if type.is_float else int(value)
    return struct.pack("<" + _CODES[type.name], number)


class DescriptorSets:
    """Sets for buffers that were bound before are used again: the same ranges need no new set.

    Sets are never changed while work may use them; when there are many, all are retired at once and their pools
    destroyed as soon as the queue has passed.
    """

    def __init__(self, device: Any, limit: int = 8192) -> None:
        self._device = device
        self._limit = limit
        self._sets: dict[tuple[Any, ...], Any] = {}
        self._pools: list[Any] = []
        self._room = 0
        self._retired: list[tuple[int, list[Any]]] = []

    def get(self, pipeline: Pipeline, ranges: tuple[tuple[Any, int, int], ...]) -> Any:
        """The set that binds ranges (buffer, offset, size) for a pipeline."""
        key = (pipeline.set_layout, ranges)
        found = self._sets.get(key)
        if found is None:
            found = self._sets[key] = self._make(pipeline.set_layout, ranges)
        return found

    def _make(self, set_layout: Any, ranges: tuple[tuple[Any, int, int], ...]) -> Any:
        ffi, lib = api.ffi(), api.lib()
        layouts = ffi.new("VkDescriptorSetLayout *", set_layout)
        result = ffi.new("VkDescriptorSet *")
        for fresh_pool in (not self._room, True):
            if fresh_pool:
                self._pools.append(self._new_pool(len(ranges)))
                self._room = _SETS_OF_A_POOL
            info = api.struct(
                "VkDescriptorSetAllocateInfo", descriptorPool=self._pools[-1], descriptorSetCount=1, pSetLayouts=layouts
            )
            code = lib.vkAllocateDescriptorSets(self._device, info, result)
            if code >= 0:
                break
        api.check(code, "vkAllocateDescriptorSets")
        self._room -= 1
        infos = ffi.new("VkDescriptorBufferInfo[]", max(len(ranges), 1))
        writes = ffi.new("VkWriteDescriptorSet[]", max(len(ranges), 1))
        for i, (buffer, offset, size) in enumerate(ranges):
            infos[i].buffer, infos[i].offset, infos[i].range = buffer, offset, size
            writes[i].sType = lib.VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET
            writes[i].dstSet, writes[i].dstBinding, writes[i].descriptorCount = result[0], i, 1
            writes[i].descriptorType = _STORAGE_BUFFER
            writes[i].pBufferInfo = infos + i
        lib.vkUpdateDescriptorSets(self._device, len(ranges), writes, 0, ffi.NULL)
        return result[0]

    def _new_pool(self, bindings: int) -> Any:
        # Room for sets of eight buffers on average; a set that no longer fits opens another pool.
        count = max(8 * _SETS_OF_A_POOL, bindings)
        sizes = api.ffi().new("VkDescriptorPoolSize *", {"type": _STORAGE_BUFFER, "descriptorCount": count})
        info = api.struct("VkDescriptorPoolCreateInfo", maxSets=_SETS_OF_A_POOL, poolSizeCount=1, pPoolSizes=sizes)
        return api.create(
            api.lib().vkCreateDescriptorPool, self._device, info, "VkDescriptorPool", "vkCreateDescriptorPool"
        )

    def tidy(self, value: int, completed: int, force: bool = False) -> None:
        """Retires the sets when there are many, or all their buffers may have changed; ``value`` is when those in use
        are free."""
        while self._retired and self._retired[0][0] <= completed:
            self._destroy(self._retired.pop(0)[1])
        if len(self._sets) > self._limit or (force and self._sets):
            self._retired.append((value, self._pools))
            self._sets, self._pools, self._room = {}, [], 0

    def _destroy(self, pools: list[Any]) -> None:
        for pool in pools:
            api.lib().vkDestroyDescriptorPool(self._device, pool, api.ffi().NULL)

    def close(self) -> None:
        """Destroys all pools; the device is idle."""
        for _, pools in self._retired:
            self._destroy(pools)
        self._destroy(self._pools)
        self._sets.clear()


def destroy(device: Any, pipeline: Pipeline) -> None:
    """Destroys what :func:`build` made; the device is idle."""
    lib, null = api.lib(), api.ffi().NULL
    lib.vkDestroyPipeline(device, pipeline.handle, null)
    lib.vkDestroyPipelineLayout(device, pipeline.layout, null)
    lib.vkDestroyDescriptorSetLayout(device, pipeline.set_layout, null)
    lib.vkDestroyShaderModule(device, pipeline.module, null)

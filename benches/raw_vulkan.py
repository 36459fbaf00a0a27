"""The same work through raw calls of Vulkan: what a device does when nothing of krnlpy's is in the way.

Memory and device are krnlpy's, so that both sides have the same; shader, pipeline, commands and submission are written
by hand here. An iteration is one command, ordered after the one before; a sample is one submission of all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.harness import Runner
from krnlpy import Buffer, Device
from krnlpy.dsl.spirv import module as spirv

Array = np.ndarray[Any, Any]

THREADS = 256

_FUNCTIONS = ("vkQueueWaitIdle",)

SAXPY = """#version 460
layout(local_size_x = 256) in;
layout(push_constant) uniform Parameters { float alpha; uint count; };
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) buffer Y { float y[]; };
void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < count; i += stride) y[i] += alpha * x[i];
}
"""


class _RawRunner(Runner):
    """Commands recorded and submitted at once."""

    def __init__(self, device: Device) -> None:
        self._backend: Any = device.backend
        backend: Any = self._backend
        self._made: list[tuple[str, Any]] = []
        logical = self.logical = backend._device
        api = self.api = logical.api
        self.functions = logical.functions
        get = backend._instance.functions.vkGetDeviceProcAddr
        self._wait_idle = api.functions(_FUNCTIONS, get, logical.handle).vkQueueWaitIdle
        self._pool = self.create(
            "vkCreateCommandPool",
            "VkCommandPool",
            api.struct("VkCommandPoolCreateInfo", queueFamilyIndex=logical.physical.queue_family),
        )
        commands = api.new("VkCommandBuffer *")
        info = api.struct(
            "VkCommandBufferAllocateInfo",
            commandPool=self._pool,
            level=api.VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            commandBufferCount=1,
        )
        api.check(self.functions.vkAllocateCommandBuffers(logical.handle, info, commands), "allocate")
        self.commands = commands[0]
        work = api.VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | api.VK_PIPELINE_STAGE_TRANSFER_BIT
        writes = api.VK_ACCESS_SHADER_WRITE_BIT | api.VK_ACCESS_TRANSFER_WRITE_BIT
        reads = api.VK_ACCESS_SHADER_READ_BIT | api.VK_ACCESS_TRANSFER_READ_BIT
        self._memory_barrier = api.struct("VkMemoryBarrier", srcAccessMask=writes, dstAccessMask=reads | writes)
        null = api.ffi.NULL
        self._barrier = (work, work, 0, 1, self._memory_barrier, 0, null, 0, null)
        self._begin = api.struct("VkCommandBufferBeginInfo", flags=api.VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT)
        self._submission = api.struct("VkSubmitInfo", commandBufferCount=1, pCommandBuffers=[self.commands])

    def create(self, function: str, type: str, info: Any) -> Any:
        """A new object, destroyed with the runner."""
        handle = self.logical.create(function, type, info)
        self._made.append((function.replace("Create", "Destroy"), handle))
        return handle

    def __del__(self) -> None:
        if self._backend._queue.failure is None:  # else the device is gone, and all that was made of it
            self.wait()
            for function, handle in reversed(self._made):
                self.logical.destroy(function, handle)

    def run(self, iterations: int) -> None:
        functions, commands, api = self.functions, self.commands, self.api
        api.check(functions.vkResetCommandPool(self.logical.handle, self._pool, 0), "reset")
        api.check(functions.vkBeginCommandBuffer(commands, self._begin), "begin")
        for i in range(iterations):
            if i:
                functions.vkCmdPipelineBarrier(commands, *self._barrier)
            self.record()
        api.check(functions.vkEndCommandBuffer(commands), "end")
        api.check(functions.vkQueueSubmit(self.logical.queue, 1, self._submission, api.ffi.NULL), "submit")

    def record(self) -> None:
        """The command of an iteration."""
        raise NotImplementedError

    def wait(self) -> None:
        self.api.check(self._wait_idle(self.logical.queue), "wait")


class RawFill(_RawRunner):
    """``vkCmdFillBuffer``."""

    def __init__(self, device: Device, nbytes: int, word: int) -> None:
        super().__init__(device)
        self.buffer = Buffer.zeros(nbytes // 4, "u32", device)
        device.wait()
        self.word = word

    def record(self) -> None:
        memory = self.buffer.memory
        self.functions.vkCmdFillBuffer(self.commands, memory.buffer, memory.offset, self.buffer.nbytes, self.word)

    def result(self) -> Array:
        self.run(1)
        self.wait()
        return self.buffer.numpy()


class RawSaxpy(_RawRunner):
    """The kernel in GLSL."""

    def __init__(self, device: Device, x: Array, y: Array, alpha: float) -> None:
        super().__init__(device)
        self.x, self.y = Buffer.from_numpy(x, device, copy=True), Buffer.from_numpy(y, device, copy=True)
        device.wait()
        api, logical = self.api, self.logical
        code = spirv.compile_shader(SAXPY, "saxpy")
        words = api.new("uint32_t[]", np.frombuffer(code, "<u4").tolist())
        info = api.struct("VkShaderModuleCreateInfo", codeSize=len(code), pCode=words)
        shader = self.create("vkCreateShaderModule", "VkShaderModule", info)
        bindings = api.new("VkDescriptorSetLayoutBinding[2]")
        for i in range(2):
            bindings[i].binding = i
            bindings[i].descriptorType = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
            bindings[i].descriptorCount = 1
            bindings[i].stageFlags = api.VK_SHADER_STAGE_COMPUTE_BIT
        info = api.struct("VkDescriptorSetLayoutCreateInfo", bindingCount=2, pBindings=bindings)
        sets = self.create("vkCreateDescriptorSetLayout", "VkDescriptorSetLayout", info)
        constants = api.struct("VkPushConstantRange", stageFlags=api.VK_SHADER_STAGE_COMPUTE_BIT, offset=0, size=8)
        info = api.struct(
            "VkPipelineLayoutCreateInfo",
            setLayoutCount=1,
            pSetLayouts=[sets],
            pushConstantRangeCount=1,
            pPushConstantRanges=constants,
        )
        self.layout = self.create("vkCreatePipelineLayout", "VkPipelineLayout", info)
        stage = api.struct(
            "VkPipelineShaderStageCreateInfo", stage=api.VK_SHADER_STAGE_COMPUTE_BIT, module=shader, pName="main"
        )
        info = api.struct("VkComputePipelineCreateInfo", stage=stage, layout=self.layout, basePipelineIndex=-1)
        pipeline = api.new("VkPipeline *")
        null = api.ffi.NULL
        result = self.functions.vkCreateComputePipelines(logical.handle, null, 1, info, null, pipeline)
        api.check(result, "build")
        self.pipeline = pipeline[0]
        self._made.append(("vkDestroyPipeline", self.pipeline))
        self.set = self._bind(sets)
        self.groups = min(-(-len(x) // THREADS), device.info.max_groups_xyz[0])
        self.parameters = api.new("char[8]", np.float32(alpha).tobytes() + np.uint32(len(x)).tobytes())

    def _bind(self, layout: Any) -> Any:
        api, logical = self.api, self.logical
        size = api.new("VkDescriptorPoolSize *")
        size.type, size.descriptorCount = api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2
        info = api.struct("VkDescriptorPoolCreateInfo", maxSets=1, poolSizeCount=1, pPoolSizes=size)
        pool = self.create("vkCreateDescriptorPool", "VkDescriptorPool", info)
        info = api.struct(
            "VkDescriptorSetAllocateInfo", descriptorPool=pool, descriptorSetCount=1, pSetLayouts=[layout]
        )
        found = api.new("VkDescriptorSet[1]")
        api.check(self.functions.vkAllocateDescriptorSets(logical.handle, info, found), "allocate a descriptor set")
        for i, buffer in enumerate((self.x, self.y)):
            memory = buffer.memory
            place = api.new("VkDescriptorBufferInfo *")
            place.buffer, place.offset, place.range = memory.buffer, memory.offset, memory.nbytes
            write = api.struct(
                "VkWriteDescriptorSet",
                dstSet=found[0],
                dstBinding=i,
                descriptorCount=1,
                descriptorType=api.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                pBufferInfo=place,
            )
            self.functions.vkUpdateDescriptorSets(logical.handle, 1, write, 0, api.ffi.NULL)
        return found

    def record(self) -> None:
        api, functions, commands = self.api, self.functions, self.commands
        point, stage = api.VK_PIPELINE_BIND_POINT_COMPUTE, api.VK_SHADER_STAGE_COMPUTE_BIT
        functions.vkCmdBindPipeline(commands, point, self.pipeline)
        functions.vkCmdBindDescriptorSets(commands, point, self.layout, 0, 1, self.set, 0, api.ffi.NULL)
        functions.vkCmdPushConstants(commands, self.layout, stage, 0, 8, self.parameters)
        functions.vkCmdDispatch(commands, self.groups, 1, 1)

    def result(self) -> Array:
        self.run(1)
        self.wait()
        return self.y.numpy()

"""What barriers are recorded with."""

from __future__ import annotations

from typing import Any

from krnlpy.vulkan.loading.api import Api


def barriers(api: Api, stage: int, read: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What a barrier between commands, and one at the end of a batch, are recorded with.

    Args:
        stage: another one where commands read, beside those of kernels and copies. ``read``: how they read there.
    """
    work = api.VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | api.VK_PIPELINE_STAGE_TRANSFER_BIT | stage
    reads = api.VK_ACCESS_SHADER_READ_BIT | api.VK_ACCESS_TRANSFER_READ_BIT | read
    writes = api.VK_ACCESS_SHADER_WRITE_BIT | api.VK_ACCESS_TRANSFER_WRITE_BIT
    null = api.ffi.NULL
    between = api.struct("VkMemoryBarrier", srcAccessMask=writes, dstAccessMask=reads | writes)
    host_reads = reads | writes | api.VK_ACCESS_HOST_READ_BIT
    after = api.struct("VkMemoryBarrier", srcAccessMask=writes, dstAccessMask=host_reads)
    host = api.VK_PIPELINE_STAGE_HOST_BIT
    return (work, work, 0, 1, between, 0, null, 0, null), (work, work | host, 0, 1, after, 0, null, 0, null)

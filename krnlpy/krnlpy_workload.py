"""What krnlpy ships compiled: the kernels behind buffers (see ``krnlpy compile --help``).

All casts of contiguous buffers, those between the types of networks and images also of strided ones; copies and fills
of strided buffers of up to four axes that can't be merged; and the probes that tell what drivers compute wrongly.
"""

from __future__ import annotations

from . import Buffer, Device, ScalarType, bf16, f16, f32, i32, scalar_type, u8
from .backend.protocol import BuildRequest
from .scalar import SCALAR_TYPES
from .vulkan.pipelines.probe_kernels import probe_programs

_AXES = 4


def workload(device: Device) -> None:
    """Does what users will do."""
    for program, variant in probe_programs():
        device.backend.build(BuildRequest(program, variant, {}, program.threads))
    for source in SCALAR_TYPES:
        for to in SCALAR_TYPES:
            Buffer.empty(8, source, device).cast(to)
    for axes in range(1, _AXES + 1):
        for source in (*map(scalar_type, (f16, bf16, f32, i32, u8)),):
            for to in (*map(scalar_type, (f16, bf16, f32)),):
                _strided(axes, source, device).cast(to)
        for type in SCALAR_TYPES:
            strided = _strided(axes, type, device)
            strided.copy()
            strided.fill(1)


def _strided(axes: int, type: ScalarType, device: Device) -> Buffer:
    """Elements apart from each other along each axis."""
    return Buffer.empty((4,) * axes, type, device)[(slice(None, None, 2),) * axes]

"""What is known of a device: what it is called, what it can do, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .features import Features
from .scalar import ScalarType

MAX_INDEX = (1 << 31) - 1
"""The greatest index, id and count of a kernel, all of which are i32."""

DeviceKind = Literal["discrete", "integrated", "virtual", "cpu", "other", "host", "interpreter"]


@dataclass(frozen=True)
class CooperativeShape:
    """A product that a device computes: of ``a``, m x k, and ``b``, k x n, added to ``c``, m x n, whose type the result
    has."""

    m: int
    n: int
    k: int
    a: ScalarType
    b: ScalarType
    c: ScalarType


@dataclass(frozen=True)
class DeviceInfo:
    """What is known of a device. Sizes are bytes unless the name says otherwise.

    Attributes:
        index: place in ``krnlpy.devices()``, or None for host and interpreter.
        name: the device's own name.
        kind: ``discrete``, ``integrated``, ``virtual``, ``cpu``, ``other`` (Vulkan), ``host`` or ``interpreter``.
        backend: ``vulkan``, ``host`` or ``interpreter``.
        vendor: the vendor's name where known, else its id in hex.
        driver: name and version of the driver.
        api_version: Vulkan version, or "".
        features: optional abilities.
        max_threads: threads of a group, in all. ``max_threads_xyz``: along each axis.
        max_groups_xyz: groups of a dispatch along each axis; launches of more go in parts.
        max_group_memory: of all group arrays of a kernel.
        max_buffer_bytes: of one buffer.
        max_binding_bytes: that a kernel can reach in one buffer; it takes larger ones in parts.
        max_parameter_bytes: that fit push constants; more go through memory.
        subgroup_threads: threads of a subgroup.
        memory_bytes: of the device's main heap.
        extra: further limits and properties, for reports.
        cooperative_shapes: the products of cooperative matrices that the device has; others are computed by ordinary
            arithmetic.
        subgroup_sizes: threads of a subgroup that a kernel can require.
        vector_bytes: of the vectors that the host computes with; 0 on other devices.

    >>> from krnlpy import Device, Feature
    >>> info = Device.host().info
    >>> info.kind, info.max_threads >= 256, Feature.FLOAT64 in info.features
    ('host', True, True)
    """

    index: int | None
    name: str
    kind: DeviceKind
    backend: str
    vendor: str
    driver: str
    api_version: str
    features: Features
    max_threads: int
    max_threads_xyz: tuple[int, int, int]
    max_groups_xyz: tuple[int, int, int]
    max_group_memory: int
    max_buffer_bytes: int
    max_binding_bytes: int
    max_parameter_bytes: int
    subgroup_threads: int
    memory_bytes: int
    extra: Mapping[str, Any] = field(default_factory=dict)
    cooperative_shapes: tuple[CooperativeShape, ...] = ()
    subgroup_sizes: tuple[int, ...] = ()
    vector_bytes: int = 0

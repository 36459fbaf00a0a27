"""What a kernel can need of a device and a device can lack. Negotiated by feature bits, never by names of vendors."""

from __future__ import annotations

from enum import StrEnum


class Feature(StrEnum):
    """Optional abilities of a device. Arithmetic on narrow types needs none: it is done in 32 bits.

    >>> from krnlpy import Device, Feature
    >>> Feature.FLOAT64 in Device.host().info.features
    True
    """

    INT64 = "int64"
    """64-bit integer arithmetic and storage."""
    FLOAT64 = "float64"
    """64-bit float arithmetic and storage."""
    STORAGE8 = "storage8"
    """Native 8-bit loads and stores; without it bytes are packed in 32-bit words."""
    STORAGE16 = "storage16"
    """Native 16-bit loads and stores; without it halves are packed in 32-bit words."""
    INT64_ATOMICS = "int64_atomics"
    """Atomics of 64-bit elements of buffers."""
    GROUP_INT64_ATOMICS = "group_int64_atomics"
    """Atomics of 64-bit elements of group arrays."""
    FLOAT32_ATOMIC_ADD = "float32_atomic_add"
    """Native atomic addition of f32 in buffers; without it, it is made of compare-and-exchange."""
    GROUP_FLOAT32_ATOMIC_ADD = "group_float32_atomic_add"
    """Likewise in group arrays."""
    FLOAT64_ATOMIC_ADD = "float64_atomic_add"
    """Native atomic addition of f64 in buffers; without it, it is made of compare-and-exchange of 64 bits."""
    GROUP_FLOAT64_ATOMIC_ADD = "group_float64_atomic_add"
    """Likewise in group arrays."""
    SUBGROUP_BASIC = "subgroup_basic"
    SUBGROUP_VOTE = "subgroup_vote"
    SUBGROUP_ARITHMETIC = "subgroup_arithmetic"
    SUBGROUP_BALLOT = "subgroup_ballot"
    SUBGROUP_SHUFFLE = "subgroup_shuffle"
    SUBGROUP_SHUFFLE_RELATIVE = "subgroup_shuffle_relative"
    SUBGROUP_CLUSTERED = "subgroup_clustered"
    SUBGROUP_QUAD = "subgroup_quad"
    SUBGROUP_EXTENDED_TYPES = "subgroup_extended_types"
    """64-bit integers in operations of subgroups."""
    FLOAT32_PRESERVE = "float32_preserve"
    """Compilers can be told to keep the signs of zeros, infinities and NaN in floats of 32 bits (in which narrower ones
    are computed too): without it ``0 * x`` may become 0 for an infinite x."""
    FLOAT64_PRESERVE = "float64_preserve"
    """Likewise in 64-bit floats."""
    COOPERATIVE_MATRIX = "cooperative_matrix"
    """Products of small matrices by a subgroup; ``DeviceInfo.cooperative_shapes`` lists which. Others, and those of
    devices without it, are computed by ordinary arithmetic."""

    SHARED_HOST_MEMORY = "shared_host_memory"
    """Buffers can be the very memory of NumPy arrays: ``Buffer.from_numpy(array, device, copy=False)``."""


Features = frozenset[Feature]

FLOAT_ATOMICS: Features = frozenset(
    (
        *(Feature.FLOAT32_ATOMIC_ADD, Feature.GROUP_FLOAT32_ATOMIC_ADD),
        *(Feature.FLOAT64_ATOMIC_ADD, Feature.GROUP_FLOAT64_ATOMIC_ADD),
    )
)
"""The native atomics of floats. No kernel needs them."""

FLOAT_PRESERVE: Features = frozenset((Feature.FLOAT32_PRESERVE, Feature.FLOAT64_PRESERVE))
"""What makes float arithmetic keep zeros' signs, infinities and NaN. No kernel needs it to run."""

"""Which products of cooperative matrices a device computes, by VK_KHR_cooperative_matrix."""

from __future__ import annotations

from typing import Any

from krnlpy.device_info import CooperativeShape
from krnlpy.scalar import ScalarType, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

from .api import Api, Functions

EXTENSION = "VK_KHR_cooperative_matrix"
FEATURES = "VkPhysicalDeviceCooperativeMatrixFeaturesKHR"
FUNCTION = "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"

_SUBGROUP_SCOPE = 3
_TYPES: dict[int, ScalarType] = dict(enumerate((f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64)))


def cooperative_shapes(api: Api, functions: Functions, handle: Any) -> tuple[CooperativeShape, ...]:
    """The products of whole subgroups, without saturation, whose result has the type of what they are added to."""
    function = getattr(functions, FUNCTION, None)
    if function is None:
        return ()
    found: dict[CooperativeShape, None] = {}
    for p in api.enumerate("VkCooperativeMatrixPropertiesKHR", function, handle):
        types = [_TYPES.get(kind) for kind in (p.AType, p.BType, p.CType)]
        a, b, c = types
        if a is None or b is None or c is None or p.CType != p.ResultType:
            continue
        if p.scope == _SUBGROUP_SCOPE and not p.saturatingAccumulation:
            found[CooperativeShape(p.MSize, p.NSize, p.KSize, a, b, c)] = None
    return tuple(found)

"""krnlpy: compute kernels written as Python functions, run on any GPU through Vulkan or on the host CPU."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import config, errors
from .backend.recorder import StandIn
from .buffers.buffer import Buffer
from .buffers.struct_buffer import StructBuffer
from .device import Device, devices
from .device_info import DeviceInfo
from .dsl.types.annotations import Global, GlobalMut, Item, ItemMut, Out, Spec
from .errors import (
    BenchmarkError,
    CaptureError,
    CompileError,
    CompilerUnavailable,
    ConfigError,
    DeviceBusy,
    DeviceError,
    DeviceLost,
    DeviceUnavailable,
    DriverDefect,
    DtypeError,
    FileError,
    FileMissing,
    InspectionError,
    InternalCompilerError,
    KernelAssertionError,
    KernelError,
    KernelIndexError,
    KernelNameError,
    KernelOverflowError,
    KernelRaceError,
    KernelSyntaxError,
    KernelTypeError,
    KernelUninitializedError,
    KrnlpyError,
    LaunchError,
    LimitExceeded,
    MissingFeatures,
    OutOfMemory,
    ProfileError,
    ShapeError,
    SharingError,
    SourceError,
    TuningError,
    UnsizedError,
)
from .features import Feature
from .kernels.kernel import Kernel, kernel
from .scalar import SCALAR_TYPES, DTypeLike, ScalarType, scalar_type
from .views.struct_view import struct_dtype

if TYPE_CHECKING:
    from .backend.foreign import ForeignCalls
    from .backend.memory_stats import MemoryStats
    from .backend.roofline import Roofline
    from .dsl.frontend.callables import Func
    from .dsl.frontend.syntax.function_info import FunctionInfo, function_info
    from .dsl.frontend.syntax.functions import func
    from .dsl.types.checked import bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
    from .graphs.graph import Graph
    from .graphs.host_call import call_foreign, host_call
    from .kernels.from_source import kernel_from_source
    from .profiling.profile import Profile, Record
    from .tuning.autotune import autotune
    from .tuning.trials import TuningResult
else:
    from .scalar import bf16, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

__version__ = "0.1.0"

__all__ = [
    "SCALAR_TYPES",
    "BenchmarkError",
    "Buffer",
    "CaptureError",
    "CompileError",
    "CompilerUnavailable",
    "ConfigError",
    "DTypeLike",
    "Device",
    "DeviceBusy",
    "DeviceError",
    "DeviceInfo",
    "DeviceLost",
    "DeviceUnavailable",
    "DriverDefect",
    "DtypeError",
    "Feature",
    "FileError",
    "FileMissing",
    "ForeignCalls",
    "Func",
    "FunctionInfo",
    "Global",
    "GlobalMut",
    "Graph",
    "InspectionError",
    "InternalCompilerError",
    "Item",
    "ItemMut",
    "Kernel",
    "KernelAssertionError",
    "KernelError",
    "KernelIndexError",
    "KernelNameError",
    "KernelOverflowError",
    "KernelRaceError",
    "KernelSyntaxError",
    "KernelTypeError",
    "KernelUninitializedError",
    "KrnlpyError",
    "LaunchError",
    "LimitExceeded",
    "MemoryStats",
    "MissingFeatures",
    "Out",
    "OutOfMemory",
    "Profile",
    "ProfileError",
    "Record",
    "Roofline",
    "ScalarType",
    "ShapeError",
    "SharingError",
    "SourceError",
    "Spec",
    "StandIn",
    "StructBuffer",
    "TuningError",
    "TuningResult",
    "UnsizedError",
    "autotune",
    "bf16",
    "call_foreign",
    "config",
    "devices",
    "errors",
    "f16",
    "f32",
    "f64",
    "func",
    "function_info",
    "host_call",
    "i8",
    "i16",
    "i32",
    "i64",
    "kernel",
    "kernel_from_source",
    "scalar_type",
    "struct_dtype",
    "u8",
    "u16",
    "u32",
    "u64",
]  # fmt: skip


# The compiler comes when it is needed, so that `import krnlpy` stays light.
_LATER = {
    "Graph": "graphs.graph",
    "MemoryStats": "backend.memory_stats",
    "Roofline": "backend.roofline",
    "Profile": "profiling.profile",
    "Record": "profiling.profile",
    "TuningResult": "tuning.trials",
    "autotune": "tuning.autotune",
    "Func": "dsl.frontend.callables",
    "FunctionInfo": "dsl.frontend.syntax.function_info",
    "func": "dsl.frontend.syntax.functions",
    "function_info": "dsl.frontend.syntax.function_info",
    "ForeignCalls": "backend.foreign",
    "call_foreign": "graphs.host_call",
    "host_call": "graphs.host_call",
    "kernel_from_source": "kernels.from_source",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LATER[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})

"""DLPack: memory shared with other libraries' tensors.

NumPy does the work, in C and with the right lifetimes: a buffer's capsule is that of the array that shares its memory,
and a tensor's capsule is read by NumPy. What NumPy lacks is bf16: such elements pass it as 16-bit integers, and the
type in the capsule is set before and after.

Source: https://dmlc.github.io/dlpack/latest/, of version 1.1.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.errors import DtypeError, KrnlpyError, SharingError
from krnlpy.scalar import bf16, boolean, f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64

if TYPE_CHECKING:
    from .buffer import Buffer

Array = np.ndarray[Any, Any]

_CPU, _CUDA_HOST, _VULKAN, _ROCM_HOST, _CUDA_MANAGED = 1, 3, 7, 11, 13
_READABLE = (_CPU, _CUDA_HOST, _ROCM_HOST, _CUDA_MANAGED)
_DEVICES = {2: "CUDA", 4: "OpenCL", _VULKAN: "Vulkan", 8: "Metal", 10: "ROCm", 14: "oneAPI"}
_VERSION = (1, 0)
_INT, _UINT, _FLOAT, _BFLOAT, _BOOL = 0, 1, 2, 4, 6
_TYPES = {
    **{(_UINT, t.bits): t for t in (u8, u16, u32, u64)},
    **{(_INT, t.bits): t for t in (i8, i16, i32, i64)},
    **{(_FLOAT, t.bits): t for t in (f16, f32, f64)},
    (_BFLOAT, 16): bf16,
    (_BOOL, 8): boolean,
}


class _Tensor(ctypes.Structure):
    """DLTensor, as far as it is looked at."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
    )


class _Versioned(ctypes.Structure):
    """DLManagedTensorVersioned; DLManagedTensor begins with its tensor."""

    _fields_ = (
        ("version", ctypes.c_uint32 * 2),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


_is_capsule = ctypes.pythonapi.PyCapsule_IsValid
_is_capsule.argtypes, _is_capsule.restype = (ctypes.py_object, ctypes.c_char_p), ctypes.c_int
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.argtypes, _pointer.restype = (ctypes.py_object, ctypes.c_char_p), ctypes.c_void_p


def _tensor(capsule: Any) -> _Tensor:
    """The tensor in a capsule, for as long as the capsule is not consumed."""
    if _is_capsule(capsule, b"dltensor_versioned"):
        tensor: _Tensor = _Versioned.from_address(_pointer(capsule, b"dltensor_versioned")).tensor
        return tensor
    if _is_capsule(capsule, b"dltensor"):
        return _Tensor.from_address(_pointer(capsule, b"dltensor"))
    raise SharingError(f"__dlpack__ returned {capsule!r}, which is not a DLPack capsule")


def device_of(buffer: Buffer) -> tuple[int, int]:
    """The device's kind and index by DLPack's numbers."""
    index = buffer.device.info.index
    return (_CPU, 0) if index is None else (_VULKAN, index)


def export(
    buffer: Buffer, stream: Any, max_version: tuple[int, int] | None, device: tuple[int, int] | None, copy: bool | None
) -> Any:
    """The capsule of a buffer; see Buffer.__dlpack__."""
    if stream is not None:
        raise SharingError(f"stream={stream!r}: memory of the process has no streams; expected None")
    here = device_of(buffer)
    if device is not None and device != (_CPU, 0):
        raise SharingError(f"dl_device={device}: buffers are shared in the process's memory only, which is (1, 0)")
    if here[0] != _CPU and (device is None or copy is False):
        raise SharingError(
            f"the elements lie on {buffer.device!r}, which other libraries can't read;"
            " .to_device(Device.host()) copies them to the process's memory"
        )
    # Who names a device asks for the elements there, and gets the same from every device.
    shares = here[0] == _CPU and (device is None or copy is False)
    array = buffer.numpy(copy=not shares)
    if buffer.dtype is bf16:
        array = array.view(np.uint16)
    try:
        capsule = array.__dlpack__(max_version=max_version, copy=copy if shares else None)
    except BufferError as error:
        raise SharingError(str(error)) from None
    if buffer.dtype is bf16:
        _tensor(capsule).code = _BFLOAT
    return capsule


class _Given:
    """A capsule, for whom asks an object for one."""

    def __init__(self, capsule: Any, device: tuple[int, int]) -> None:
        self._capsule, self._device = capsule, device

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device


def array_of(tensor: Any) -> Array:
    """The array that shares the memory of another library's tensor.

    Raises:
        DtypeError: it is no tensor, or of a type that buffers can't hold. SharingError: it is not in the process's
            memory, or its library does not share it.
    """
    if not hasattr(tensor, "__dlpack__") or not hasattr(tensor, "__dlpack_device__"):
        raise DtypeError(f"from_dlpack takes an object with __dlpack__, not {type(tensor).__name__}")
    place = tensor.__dlpack_device__()
    if not (isinstance(place, tuple) and len(place) == 2 and all(isinstance(n, int) for n in place)):
        raise SharingError(
            f"__dlpack_device__ of the {type(tensor).__name__} gives no device: expected two whole numbers, its kind"
            " and its index"
        )
    kind, index = place
    if kind not in _READABLE:
        name = _DEVICES.get(kind, f"kind {int(kind)}")
        raise SharingError(f"the tensor lies on device {index} of {name}; move it to the CPU first")
    try:
        capsule = _capsule(tensor)
        content = _tensor(capsule)
        dtype = _TYPES.get((content.code, content.bits)) if content.lanes == 1 else None
        if dtype is None:
            told = f"DLPack code {content.code}, {content.bits} bits"
            names = ", ".join(t.name for t in _TYPES.values())
            raise DtypeError(f"the tensor's elements are of {told}, which no buffer holds; expected one of {names}")
        if dtype is bf16:
            content.code = _UINT
        array: Array = np.from_dlpack(_Given(capsule, (kind, index)))
    except KrnlpyError:
        raise
    except Exception as error:  # whatever the other library says
        raise SharingError(f"the tensor's memory can't be shared: {error}") from None
    return array.view(bf16.dtype) if dtype is bf16 else array


def _capsule(tensor: Any) -> Any:
    try:
        return tensor.__dlpack__(max_version=_VERSION)
    except TypeError:  # of a time before versions
        return tensor.__dlpack__()

"""DLPack both ways: with NumPy, with PyTorch where it is installed, and with libraries that get it wrong."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, KrnlpyError, ScalarType
from krnlpy.errors import DtypeError, SharingError
from krnlpy.scalar import bf16, f16, f32, i32, u8
from tests.conformance.values import NUMBERS
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device

LOCAL = pytest.mark.parametrize("name", ["host", "interpreter"])
TYPES = pytest.mark.parametrize("dtype", NUMBERS, ids=str)
NUMPYS = pytest.mark.parametrize("dtype", [t for t in NUMBERS if t is not bf16], ids=str)


@NUMPYS
@LOCAL
def test_numpy_reads_a_buffer(name: str, dtype: ScalarType) -> None:
    values = np.arange(12).reshape(3, 4).astype(dtype.dtype)
    buffer = Buffer.from_numpy(values.copy(), Device(name))
    for view, expected in ((buffer, values), (buffer.transpose(), values.T), (buffer[::-1, 1::2], values[::-1, 1::2])):
        array = np.from_dlpack(view)
        assert array.dtype == dtype.dtype and np.array_equal(array, expected)
    array = np.from_dlpack(buffer)
    buffer[1].fill(7)
    assert array[1].tolist() == [7] * 4
    copied = np.from_dlpack(buffer, copy=True)
    buffer.fill(3)
    assert copied[1, 0] == 7
    assert np.from_dlpack(Buffer.zeros((0, 2), dtype, Device(name))).shape == (0, 2)


def test_a_broadcast_buffer_is_read_only() -> None:
    array = np.from_dlpack(Buffer.ones(3, f32).broadcast_to((2, 3)))
    assert array.tolist() == [[1] * 3] * 2 and not array.flags.writeable
    with pytest.raises(BufferError, match="readonly"):  # consumers of before version 1 can't be told that it is
        Buffer.ones(3, f32).broadcast_to((2, 3)).__dlpack__()


def test_other_devices_are_copied_when_asked(device: Device) -> None:
    buffer = Buffer.from_numpy(np.arange(6, dtype=np.float32), device, copy=True).reshape((2, 3))
    if device.info.index is None:
        assert buffer.__dlpack_device__() == (1, 0)
    else:
        assert buffer.__dlpack_device__() == (7, device.info.index)
        with pytest.raises(BufferError, match=r"which other libraries can't read; \.to_device"):
            np.from_dlpack(buffer)
        with pytest.raises(BufferError, match="can't read"):
            np.from_dlpack(buffer, device="cpu", copy=False)
    copied = np.from_dlpack(buffer.transpose(), device="cpu")
    assert np.array_equal(copied, buffer.numpy().T)
    buffer.fill(9)  # who names a device gets a copy, from any device
    assert copied.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_wrong_requests(device: Device) -> None:
    buffer = Buffer.ones(3, f32, device)
    with pytest.raises(BufferError, match="stream=1: memory of the process has no streams"):
        buffer.__dlpack__(stream=1)
    with pytest.raises(BufferError, match=r"dl_device=\(2, 0\)"):
        buffer.__dlpack__(dl_device=(2, 0))
    assert issubclass(SharingError, KrnlpyError) and issubclass(SharingError, ValueError)


@NUMPYS
def test_a_buffer_of_numpys_capsule(device: Device, dtype: ScalarType) -> None:
    values = np.arange(12).reshape(3, 4).astype(dtype.dtype)
    buffer = Buffer.from_dlpack(values, device)
    assert buffer.dtype is dtype and buffer.device == device and np.array_equal(buffer.numpy(), values)
    values[1] = 9
    assert buffer.numpy()[1].tolist() == [4, 5, 6, 7]
    if device.info.index is None:
        assert Buffer.from_dlpack(values, device, copy=False).numpy()[1].tolist() == [9] * 4
        values[1] = 8
    assert np.array_equal(Buffer.from_dlpack(values.T, device, copy=True).numpy(), values.T)


def test_the_memory_lives_as_long_as_any_side_needs_it() -> None:
    array = np.arange(1000, dtype=np.float32)
    gone = weakref.ref(array)
    buffer = Buffer.from_dlpack(array, copy=False)
    del array
    gc.collect()
    again = np.from_dlpack(buffer[500:])
    del buffer
    gc.collect()
    assert again[0] == 500 and gone() is not None
    del again
    gc.collect()
    assert gone() is None


class Tensor:
    """What another library's tensor says of itself, given."""

    def __init__(self, dlpack: Any, device: tuple[int, int] = (1, 0)) -> None:
        self.__dict__["__dlpack__"] = dlpack
        self._dlpack, self._device = dlpack, device

    def __dlpack__(self, **arguments: Any) -> Any:
        return self._dlpack(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device


def test_a_library_of_before_versions() -> None:
    array = np.arange(4, dtype=np.int32)

    def dlpack(stream: Any = None) -> Any:
        return array.__dlpack__()

    assert Buffer.from_dlpack(Tensor(dlpack)).numpy().tolist() == [0, 1, 2, 3]


def test_what_from_dlpack_refuses() -> None:
    for wrong in (None, [1.0], SimpleNamespace(__dlpack__=None)):
        with pytest.raises(DtypeError, match="takes an object with __dlpack__, not"):
            Buffer.from_dlpack(wrong)
    with pytest.raises(
        DtypeError, match="the tensor's elements are of DLPack code 5, 128 bits, which no buffer holds; expected one"
    ):
        Buffer.from_dlpack(np.zeros(3, complex))
    with pytest.raises(SharingError, match="lies on device 3 of CUDA; move it to the CPU first"):
        Buffer.from_dlpack(Tensor(None, (2, 3)))
    with pytest.raises(SharingError, match="lies on device 0 of kind 99"):
        Buffer.from_dlpack(Tensor(None, (99, 0)))
    with pytest.raises(SharingError, match="which is not a DLPack capsule"):
        Buffer.from_dlpack(Tensor(lambda **_: "capsule"))

    def refuses(**_: Any) -> Any:
        raise BufferError("not today")

    with pytest.raises(SharingError, match="the tensor's memory can't be shared: not today"):
        Buffer.from_dlpack(Tensor(refuses))
    constant = np.zeros(3, np.float32)
    constant.flags.writeable = False
    assert Buffer.from_dlpack(constant).size == 3
    with pytest.raises(SharingError, match="it is read-only"):
        Buffer.from_dlpack(constant, copy=False)
    used = np.zeros(3, np.float32).__dlpack__()
    np.from_dlpack(Tensor(lambda **_: used))
    with pytest.raises(SharingError, match="which is not a DLPack capsule"):
        Buffer.from_dlpack(Tensor(lambda **_: used))


# ----------------------------------------------------------------------------------------------------------- PyTorch


@TYPES
def test_pytorch_reads_a_buffer(device: Device, dtype: ScalarType) -> None:
    torch = pytest.importorskip("torch")
    buffer = Buffer.from_numpy(np.arange(12).reshape(3, 4).astype(dtype.dtype), device, copy=True)
    if device.info.index is not None:
        tensor = torch.from_dlpack(buffer.transpose().to_device(Device.host()))
        assert tensor.to(torch.float64).tolist() == np.arange(12.0).reshape(3, 4).T.tolist()
        return
    tensor = torch.from_dlpack(buffer[1:].transpose())
    name = {"bf16": "bfloat16", "f": "float", "u": "uint", "i": "int"}
    assert str(tensor.dtype) == f"torch.{name.get(dtype.name) or name[dtype.name[0]] + str(dtype.bits)}"
    assert tensor.to(torch.float64).tolist() == np.arange(4.0, 12).reshape(2, 4).T.tolist()
    tensor[1] = 3
    assert buffer.numpy()[1:, 1].astype(np.float64).tolist() == [3, 3] and buffer.numpy()[0, 1] == 1
    del buffer
    gc.collect()
    assert tensor[1, 0] == 3


@TYPES
def test_a_buffer_of_a_pytorch_tensor(device: Device, dtype: ScalarType) -> None:
    torch = pytest.importorskip("torch")
    name = {"bf16": "bfloat16", "f": "float", "u": "uint", "i": "int"}
    kind = getattr(torch, name.get(dtype.name) or name[dtype.name[0]] + str(dtype.bits))
    tensor = torch.arange(12, dtype=torch.float32).reshape(3, 4).to(kind)
    buffer = Buffer.from_dlpack(tensor, device)
    assert buffer.dtype is dtype and np.array_equal(buffer.numpy().astype(np.float64), np.arange(12.0).reshape(3, 4))
    tensor[1] = 3
    assert buffer.numpy()[1].astype(np.float64).tolist() == [4, 5, 6, 7]
    if device.info.index is None:
        turned = Buffer.from_dlpack(tensor.T, device, copy=False)
        turned.fill(5)
        assert tensor.to(torch.float64).tolist() == [[5] * 4] * 3


def test_what_pytorch_does_not_share() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.ones(3, requires_grad=True)
    with pytest.raises(SharingError, match=r"the tensor's memory can't be shared: .*requires? grad"):
        Buffer.from_dlpack(tensor)
    assert Buffer.from_dlpack(tensor.detach()).numpy().tolist() == [1, 1, 1]


def test_truth_values_both_ways(device: Device) -> None:
    """NumPy's bool, PyTorch's, and that of JAX, which speaks DLPack as they do: a type of its own, not u8."""
    values = np.arange(12).reshape(3, 4) % 3 == 0
    buffer = Buffer.from_dlpack(values.T, device)
    assert buffer.dtype == bool and np.array_equal(buffer.numpy(), values.T)
    array = np.from_dlpack(buffer[1:], device="cpu")
    assert array.dtype == bool and np.array_equal(array, values.T[1:])
    if device.info.index is None:
        own = values.copy()
        shared = Buffer.from_dlpack(own, device, copy=False)
        np.from_dlpack(shared)[0] = True
        shared[1].fill(False)
        assert own[0].all() and not own[1].any() and np.array_equal(own[2], values[2])
    torch = pytest.importorskip("torch")
    tensor = torch.from_dlpack(buffer.to_device(Device.host()).transpose())
    assert tensor.dtype is torch.bool and np.array_equal(tensor.numpy(), values)
    again = Buffer.from_dlpack(tensor, device)
    assert again.dtype == bool and np.array_equal(again.numpy(), values)
    if device.info.index is None:
        Buffer.from_dlpack(tensor, device, copy=False).fill(True)
        assert tensor.all()


def test_bf16_through_dlpack_and_back() -> None:
    """NumPy has no bf16 in DLPack; we are a consumer of our own capsules."""
    values = np.arange(6).astype(bf16.dtype).reshape(2, 3)
    buffer = Buffer.from_numpy(values)
    again = Buffer.from_dlpack(buffer[:, ::-1], copy=False)
    assert again.dtype is bf16 and again.shares_memory is not None
    again[0].fill(8)
    assert buffer.numpy()[0].astype(np.float32).tolist() == [8, 8, 8]
    assert Buffer.from_dlpack(Buffer.ones((), f16)).shape == ()
    assert Buffer.from_dlpack(Buffer.ones(2, u8)).dtype is u8 and Buffer.from_dlpack(Buffer.ones(2, i32)).dtype is i32

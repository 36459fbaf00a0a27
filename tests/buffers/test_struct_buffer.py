"""Buffers of structs do what buffers do, on every device."""

from __future__ import annotations

import copy
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from krnlpy import Buffer, Device, Feature, StructBuffer, f32, i16, struct_dtype, u8
from krnlpy.errors import DtypeError, ShapeError, SharingError, UnsizedError
from tests.support.typed import instance, untyped


@dataclass
class Cell:
    alive: u8
    heat: f32
    count: i16


def cells() -> np.ndarray[Any, Any]:
    array = np.zeros((2, 3), struct_dtype(Cell))
    array["heat"] = np.arange(6).reshape(2, 3)
    array["count"] = 7
    return array


def test_constructors(device: Device) -> None:
    for make in (StructBuffer.empty, StructBuffer.zeros):
        made = make((2, 3), Cell, device)
        assert (made.shape, made.ndim, made.size, made.nbytes) == ((2, 3), 2, 6, 6 * struct_dtype(Cell).itemsize)
        assert made.device == device and made.dtype == struct_dtype(Cell)
    assert StructBuffer.zeros(2, Cell, device).numpy().tolist() == [(0, 0.0, 0)] * 2


def test_views_and_copies(device: Device) -> None:
    buffer = StructBuffer.from_numpy(cells(), device)
    flat = buffer.reshape(-1)
    heat: Any = flat["heat"]
    assert flat.shape == (6,) and flat.shares_memory(buffer)
    with pytest.raises(ShapeError, match="has 4 elements"):
        buffer.reshape((2, 2))
    for made in (buffer.copy(), copy.copy(buffer), copy.deepcopy(buffer)):
        assert made.device == device and not made.shares_memory(buffer)
        heat[0].fill(9.0)
        assert made.numpy()["heat"][0, 0] == 0.0
        heat[0].fill(0.0)
    with pytest.raises(DtypeError, match="shares_memory of a StructBuffer and a Buffer"):
        buffer.shares_memory(untyped(Buffer.zeros(2)))


def test_copies_from_buffers_and_arrays(device: Device) -> None:
    for other in (
        cells(),
        cells()[::-1, ::-1],
        StructBuffer.from_numpy(cells()),
        StructBuffer.from_numpy(cells(), device),
    ):
        buffer = StructBuffer.zeros((2, 3), Cell, device)
        buffer.copy_from(other)
        assert (buffer.numpy() == np.asarray(other)).all()
    with pytest.raises(ShapeError, match=r"of shape \(6,\) to those of shape \(2, 3\)"):
        buffer.copy_from(cells().reshape(-1))
    with pytest.raises(DtypeError, match="to those of"):
        buffer.copy_from(np.zeros((2, 3), [("heat", "f4")]))
    for wrong in (3, Buffer.zeros((2, 3))):
        with pytest.raises(DtypeError, match="expected a StructBuffer or a structured array"):
            buffer.copy_from(untyped(wrong))
    assert (buffer.numpy() == cells()).all()


def test_into_an_array(device: Device) -> None:
    buffer = StructBuffer.from_numpy(cells(), device)
    out = np.zeros((3, 2), struct_dtype(Cell)).T
    assert buffer.numpy(out=out) is out and (out == cells()).all()
    with pytest.raises(ShapeError, match=r"shape \(2, 3\): got an array of shape \(3, 2\)"):
        buffer.numpy(out=out.T)
    with pytest.raises(DtypeError, match="got an array of float32"):
        buffer.numpy(out=np.zeros((2, 3), np.float32))
    with pytest.raises(DtypeError, match="of a tuple: expected an array"):
        buffer.numpy(out=untyped(()))
    with pytest.raises(SharingError, match="give one of them"):
        buffer.numpy(out=out, copy=False)
    out.flags.writeable = False
    with pytest.raises(SharingError, match="is read-only"):
        buffer.numpy(out=out)


def test_an_array_is_shared_where_it_is_asked_for(device: Device) -> None:
    array = cells()
    if Feature.SHARED_HOST_MEMORY not in device.info.features:
        with pytest.raises(SharingError):
            StructBuffer.from_numpy(array, device, copy=False)
        return
    buffer = StructBuffer.from_numpy(array, device, copy=False)
    instance(Buffer, buffer["heat"]).fill(5.0)
    device.wait()
    assert (array["heat"] == 5).all() and (array["count"] == 7).all()


@pytest.mark.parametrize("array", [cells().T, cells()[:, ::2], np.zeros(3, [("a", "u1"), ("b", "f4")])])
def test_arrays_that_are_not_shared(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(SharingError, match="copy=True copies it"):
        StructBuffer.from_numpy(array, copy=False)
    assert StructBuffer.from_numpy(array).numpy().shape == array.shape
    array = cells()
    array.flags.writeable = False
    with pytest.raises(SharingError, match="read-only"):
        StructBuffer.from_numpy(array, copy=False)


@pytest.mark.parametrize("array", [np.zeros(3), [(1, 2)], 5, [[1], [1, 2]], np.zeros(2, [("a", complex)])], ids=str)
def test_what_is_no_array_of_structs(array: Any) -> None:
    with pytest.raises(DtypeError, match=r"holds a structured array|NumPy makes no array|expected one of u8"):
        StructBuffer.from_numpy(array)


def test_python_protocols(device: Device) -> None:
    buffer = StructBuffer.zeros((2, 3), Cell, device)
    assert len(buffer) == 2
    with pytest.raises(UnsizedError, match=r"len\(\) of an array of shape \(\)"):
        len(StructBuffer.zeros((), Cell, device))
    with pytest.raises(ShapeError, match="neither true nor false"):
        bool(buffer)
    with pytest.raises(TypeError, match="not iterable"):
        iter(buffer)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        operator.contains(untyped(buffer), "heat")

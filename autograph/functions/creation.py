"""Tensors made of numbers, arrays and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import DtypeError, ShapeError
from autograph.tensor.base import Shape, TensorBase, require_tensor, tensor_of
from krnlpy import Buffer, Device, DTypeLike, SharingError, f32, i32, scalar_type

from .casts import cast
from .checks import integers, single
from .elementwise.promotion import as_number, number_dtype
from .shapes.views import copy as copy_of
from .shapes.views import to_device

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_PYTHONS = (np.dtype(np.int64), np.dtype(np.uint64), np.dtype(np.float64))  # what NumPy makes of Python's numbers


def from_numpy(array: Any, device: Device | None = None, *, copy: bool = True) -> Tensor:
    """A tensor of an array's elements.

    Args:
        array: of any strides; without ``copy``, a NumPy array.
        device: None is the host.
        copy: False borrows the array's memory, on the host and on devices that can use it, whatever its strides.
            The tensor never writes to it (a change in place copies first); whoever changes the array changes the
            tensor.

    Raises:
        krnlpy.DtypeError: the array's dtype is none of the 13.
        krnlpy.SharingError: without ``copy``: the array is read-only, not aligned or of foreign byte order, or the
            device can't use it.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> array = np.zeros(2, np.float32)
    >>> x = Tensor.from_numpy(array, copy=False)
    >>> np.shares_memory(x.numpy(), array)
    True
    """
    if copy:
        return tensor_of(Buffer.from_numpy(array, device))
    return _borrowing(Buffer.from_numpy(array, device, copy=False))


def from_dlpack(x: Any, /, *, device: Device | None = None, copy: bool | None = None) -> Tensor:
    """A tensor of the elements of another library's tensor.

    Args:
        x: a tensor of PyTorch, JAX, NumPy or another library with ``__dlpack__``, in the process's memory; or one of
            autograph's, on any device.
        device: None is where ``x`` lies: a device of autograph's, or the host.
        copy: False shares the memory or raises, None shares it where that is possible. Memory that is shared is never
            written to: a change of the tensor in place copies first. Whoever changes ``x`` changes the tensor.

    Raises:
        krnlpy.DtypeError: the elements are of none of the 13 types, or ``x`` is no tensor.
        krnlpy.SharingError: ``x`` lies on another library's device; or with ``copy=False`` its memory can't be shared.

    >>> import numpy as np
    >>> from autograph import from_dlpack
    >>> from_dlpack(np.arange(3, dtype=np.int16))
    Tensor(i16, (3,), Device.host(), [0, 1, 2])
    """
    if copy is not None and not isinstance(copy, bool):
        raise DtypeError(f"from_dlpack(copy={copy!r}): expected True, False or None")
    if isinstance(x, TensorBase):
        return asarray(x.detach(), device=device, copy=copy)
    if copy:
        return tensor_of(Buffer.from_dlpack(x, device))
    try:
        return _borrowing(Buffer.from_dlpack(x, device, copy=False))
    except SharingError:
        if copy is not None:
            raise
        return tensor_of(Buffer.from_dlpack(x, device))


def asarray(
    obj: Any, /, *, dtype: DTypeLike | None = None, device: Device | None = None, copy: bool | None = None
) -> Tensor:
    """A tensor of a number, a nested sequence of numbers, an array, another library's tensor, or a tensor.

    Args:
        obj: what there is. A tensor stays as it is where dtype and device are the wanted ones.
        dtype: the result's, to which elements are converted as by :meth:`Tensor.cast`. None: that of an array or a
            tensor; i32 of Python's whole numbers, f32 of its floats, bool of its truth values.
        device: None: where a tensor lies, else the host.
        copy: True: the result shares no memory with ``obj``. False: it does, or an error is raised. None: a tensor is
            not copied unless it must be, all else is.

    Raises:
        DtypeError: an element is no number, or a whole number that the dtype can't hold.
        krnlpy.SharingError: ``copy`` is False, and the memory can't be shared.

    >>> from autograph import asarray
    >>> asarray([1, 2, 3])
    Tensor(i32, (3,), Device.host(), [1, 2, 3])
    >>> asarray([[0.5], [1]], dtype="f64").shape
    (2, 1)
    """
    if isinstance(obj, TensorBase):
        x: Any = obj
    elif isinstance(obj, np.ndarray | np.generic) or not isinstance(obj, Real | complex | list | tuple):
        of = from_dlpack if hasattr(obj, "__dlpack__") and not isinstance(obj, np.ndarray | np.generic) else from_numpy
        x = of(obj, device=device, copy=copy is not False)
    elif copy is False:
        raise SharingError(f"asarray(copy=False) of {type(obj).__name__}: only arrays and tensors have memory to share")
    else:
        return from_numpy(_array_of_numbers(obj, dtype), device)
    wanted = x.dtype if dtype is None else scalar_type(dtype)
    place = x.device if device is None else device
    if copy is False and (wanted is not x.dtype or place != x.device):
        raise SharingError(
            f"asarray(copy=False) of {x.dtype} on {x.device.name} as {wanted} on {getattr(place, 'name', place)}: a"
            " conversion is a copy"
        )
    if wanted is not x.dtype:
        x = cast(x, wanted)
    if place != x.device:
        return to_device(x, place)
    return copy_of(x) if copy and x is obj else x


def _array_of_numbers(obj: Any, dtype: DTypeLike | None) -> np.ndarray[Any, Any]:
    """What is made of Python's numbers."""
    try:
        array = np.asarray(obj)
    except ValueError as error:
        raise ShapeError(f"asarray of a {type(obj).__name__}: {error}") from None
    if array.dtype.kind not in "biufOV":
        raise DtypeError(f"asarray of a {type(obj).__name__}: its elements are not numbers")
    if dtype is not None:
        wanted = scalar_type(dtype)
    elif array.dtype in _PYTHONS or array.dtype == object:
        wanted = scalar_type(f32 if array.dtype.kind == "f" else i32)
    else:
        wanted = scalar_type(array.dtype)
    if array.dtype.kind in "iuO" and wanted.is_integer and array.size:
        try:
            low, high = int(array.min()), int(array.max())
        except (TypeError, ValueError):
            raise DtypeError(f"asarray of a {type(obj).__name__}: its elements are not numbers") from None
        for number in (low, high):
            as_number("asarray", number, wanted)
    return np.asarray(wanted(array))


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DTypeLike | None = None,
    device: Device | None = None,
) -> Tensor:
    """A matrix of ones on a diagonal, and zeros.

    Args:
        n_rows: how many rows it has.
        n_cols: how many columns; None is as many.
        k: which diagonal: above 0 one that lies above the main one.
        dtype: None is f32.
        device: None is the host.

    Raises:
        ShapeError: a length is below 0, or one of the numbers is no whole one.

    >>> from autograph import eye
    >>> eye(2, 3, k=1, dtype="i32").numpy().tolist()
    [[0, 1, 0], [0, 0, 1]]
    """
    rows = single("n_rows", n_rows, 0)
    columns = rows if n_cols is None else single("n_cols", n_cols, 0)
    y = Buffer.zeros((rows, columns), _or_f32(dtype), device)
    y.diagonal(*integers((k,))).fill(1)
    return tensor_of(y)


def full(
    shape: int | Sequence[int],
    fill_value: complex | Tensor,
    dtype: DTypeLike | None = None,
    device: Device | None = None,
) -> Tensor:
    """A tensor whose elements are all one value.

    Args:
        shape: an int, or the lengths of the axes.
        fill_value: converted as in :meth:`Tensor.fill`; also a tensor without axes, whose number is waited for.
        dtype: a scalar type, its name, or its NumPy dtype. None: bool, i32 or f32, as the value is.
        device: None is the host.

    Raises:
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``fill_value`` is not a number, ``dtype`` no scalar type, or ``device`` no Device.
        LimitExceeded: the tensor is larger than the device's buffers can be.
        OutOfMemory: the device has not enough memory.

    >>> from autograph import full
    >>> full((2, 2), 7, "u8").numpy().tolist()
    [[7, 7], [7, 7]]
    """
    fill_value = _number(fill_value)
    if dtype is None and isinstance(fill_value, Real):
        dtype = inferred = number_dtype("full", (fill_value,))
        as_number("full", fill_value, inferred)
    return tensor_of(Buffer.full(shape, fill_value, _or_f32(dtype), device))


def zeros(shape: int | Sequence[int], dtype: DTypeLike | None = None, device: Device | None = None) -> Tensor:
    """A tensor of zeros; arguments are those of :func:`full`, f32 if no dtype is given.

    Raises:
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not a scalar type, or ``device`` no Device.
        LimitExceeded: the tensor is larger than the device's buffers can be.
        OutOfMemory: the device has not enough memory.

    >>> from autograph import zeros
    >>> zeros(3)
    Tensor(f32, (3,), Device.host(), [0., 0., 0.])
    """
    return tensor_of(Buffer.zeros(shape, _or_f32(dtype), device))


def ones(shape: int | Sequence[int], dtype: DTypeLike | None = None, device: Device | None = None) -> Tensor:
    """A tensor of ones; arguments are those of :func:`full`, f32 if no dtype is given.

    Raises:
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not a scalar type, or ``device`` no Device.
        LimitExceeded: the tensor is larger than the device's buffers can be.
        OutOfMemory: the device has not enough memory.

    >>> from autograph import ones
    >>> ones((2, 3)).sum(axis=1).numpy().tolist()
    [3.0, 3.0]
    """
    return tensor_of(Buffer.ones(shape, _or_f32(dtype), device))


def empty(shape: int | Sequence[int], dtype: DTypeLike | None = None, device: Device | None = None) -> Tensor:
    """A tensor of undefined content, to be filled; arguments are those of :func:`full`, f32 if no dtype is given.

    Raises:
        ShapeError: ``shape`` is not a shape.
        DtypeError: ``dtype`` is not a scalar type, or ``device`` no Device.
        LimitExceeded: the tensor is larger than the device's buffers can be.
        OutOfMemory: the device has not enough memory.

    >>> from autograph import asarray, empty
    >>> x = empty(2, "i32")
    >>> x.assign(asarray([3, 4]))
    >>> x.numpy().tolist()
    [3, 4]
    """
    return tensor_of(Buffer.empty(shape, _or_f32(dtype), device))


def full_like(
    x: Tensor, /, fill_value: complex | Tensor, *, dtype: DTypeLike | None = None, device: Device | None = None
) -> Tensor:
    """A tensor of a tensor's shape whose elements are all one value.

    Args:
        x: what has the shape.
        fill_value: converted as in :meth:`Tensor.fill`; also a tensor without axes, whose number is waited for.
        dtype: None is that of ``x``.
        device: None is that of ``x``.

    Raises:
        DtypeError: ``fill_value`` is not a number, ``dtype`` no scalar type, ``device`` no Device, or ``x`` no tensor.

    >>> from autograph import full_like, zeros
    >>> full_like(zeros((2, 2), "u8"), 7).numpy().tolist()
    [[7, 7], [7, 7]]
    """
    return tensor_of(Buffer.full(*_like("full_like", x, fill_value, dtype, device)))


def zeros_like(x: Tensor, /, *, dtype: DTypeLike | None = None, device: Device | None = None) -> Tensor:
    """A tensor of zeros of a tensor's shape; arguments are those of :func:`full_like`.

    Raises:
        DtypeError: ``dtype`` is no scalar type, ``device`` no Device, or ``x`` no tensor.

    >>> from autograph import asarray, zeros_like
    >>> zeros_like(asarray([1, 2]))
    Tensor(i32, (2,), Device.host(), [0, 0])
    """
    return tensor_of(Buffer.full(*_like("zeros_like", x, 0, dtype, device)))


def ones_like(x: Tensor, /, *, dtype: DTypeLike | None = None, device: Device | None = None) -> Tensor:
    """A tensor of ones of a tensor's shape; arguments are those of :func:`full_like`.

    Raises:
        DtypeError: ``dtype`` is no scalar type, ``device`` no Device, or ``x`` no tensor.

    >>> from autograph import asarray, ones_like
    >>> ones_like(asarray([0.5, 2]))
    Tensor(f32, (2,), Device.host(), [1., 1.])
    """
    return tensor_of(Buffer.full(*_like("ones_like", x, 1, dtype, device)))


def empty_like(x: Tensor, /, *, dtype: DTypeLike | None = None, device: Device | None = None) -> Tensor:
    """A tensor of undefined content of a tensor's shape; arguments are those of :func:`full_like`.

    Raises:
        DtypeError: ``dtype`` is no scalar type, ``device`` no Device, or ``x`` no tensor.

    >>> from autograph import asarray, empty_like
    >>> empty_like(asarray([1, 2]), dtype="f64").dtype
    f64
    """
    shape, _, wanted, place = _like("empty_like", x, 0, dtype, device)
    return tensor_of(Buffer.empty(shape, wanted, place))


def _or_f32(dtype: DTypeLike | None) -> DTypeLike:
    return f32 if dtype is None else dtype


def _like(
    operation: str, x: Tensor, value: Any, dtype: DTypeLike | None, device: Device | None
) -> tuple[Shape, Any, DTypeLike, Device]:
    """The arguments of a buffer of a tensor's shape."""
    require_tensor(operation, x)
    return x.shape, _number(value), x.dtype if dtype is None else dtype, x.device if device is None else device


def _number(value: Any) -> Any:
    """The number that a tensor without axes holds, which waits for it; anything else as it is."""
    return value.item() if isinstance(value, TensorBase) and not value.ndim else value


def _borrowing(buffer: Buffer) -> Tensor:
    """A tensor of memory that others look at, too."""
    tensor = tensor_of(buffer)
    tensor.share.users.append(None)  # the others: for as long as the memory lives
    return tensor

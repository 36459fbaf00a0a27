"""Functions of the standard that autograph has under another name or with another signature, or has no use for."""

from __future__ import annotations

from autograph import Tensor, positive, zeros_like
from autograph.tensor.base import require_tensor
from krnlpy import Device, DTypeLike, SharingError


def astype(x: Tensor, dtype: DTypeLike, /, *, copy: bool = True, device: Device | None = None) -> Tensor:
    """The elements converted to a dtype, as by :meth:`Tensor.cast`.

    Args:
        x: any shape and dtype.
        dtype: the result's.
        copy: False gives ``x`` itself where it has the dtype and lies on the device.
        device: where the result lies; None is where ``x`` does.

    Raises:
        DtypeError: ``x`` is not a tensor, or ``dtype`` not a scalar type.

    >>> from autograph import array_api as xp
    >>> xp.astype(xp.asarray([1.5, 2.5]), xp.int8)
    Tensor(i8, (2,), Device.host(), [1, 2])
    """
    require_tensor("astype", x)
    place = x.device if device is None else device
    result = x.cast(dtype)
    if result.dtype is x.dtype and place == x.device:
        return x.copy() if copy else x
    return result.to_device(place)


def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """The tensor repeated along axes of length 1 and new leading axes, as by :meth:`Tensor.broadcast_to`.

    Args:
        x: any dtype.
        shape: the result's.

    Raises:
        ShapeError: an axis is neither of the wanted length nor of length 1, or the shape has too few axes.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import array_api as xp
    >>> xp.broadcast_to(xp.asarray([1, 2]), (2, 2)).numpy().tolist()
    [[1, 2], [1, 2]]
    """
    require_tensor("broadcast_to", x)
    return x.broadcast_to(shape)


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The elements in row-major order in another shape, as by :meth:`Tensor.reshape`.

    Args:
        x: any dtype.
        shape: one length may be -1.
        copy: True: the result has memory of its own. False: it shares that of ``x``, or an error is raised. None: it
            shares it where that is possible.

    Raises:
        ShapeError: the shape has another number of elements.
        DtypeError: ``x`` is not a tensor.
        krnlpy.SharingError: ``copy`` is False, and the elements lie so that they must be copied.

    >>> from autograph import array_api as xp
    >>> xp.reshape(xp.asarray([1, 2, 3, 4]), (2, -1)).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    require_tensor("reshape", x)
    result = x.reshape(shape)
    is_shared = result.buffer.memory is x.buffer.memory
    if copy is False and not is_shared:
        raise SharingError(f"reshape(copy=False) of shape {x.shape} with strides {x.strides} to {shape} is a copy")
    return result.copy() if copy and is_shared else result


def conj(x: Tensor, /) -> Tensor:
    """The numbers themselves, which are real.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import array_api as xp
    >>> xp.conj(xp.asarray([1.0, -2.0])).numpy().tolist()
    [1.0, -2.0]
    """
    require_tensor("conj", x)
    result: Tensor = positive(x)
    return result


def real(x: Tensor, /) -> Tensor:
    """The numbers themselves, which are real.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import array_api as xp
    >>> xp.real(xp.asarray([1.0, -2.0])).numpy().tolist()
    [1.0, -2.0]
    """
    require_tensor("real", x)
    result: Tensor = positive(x)
    return result


def imag(x: Tensor, /) -> Tensor:
    """Zeros: the numbers are real.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import array_api as xp
    >>> xp.imag(xp.asarray([1.0, -2.0])).numpy().tolist()
    [0.0, 0.0]
    """
    require_tensor("imag", x)
    return zeros_like(x)

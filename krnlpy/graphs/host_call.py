"""Python functions among the work of a device whose memory is the process's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from krnlpy.backend import recorder as capture
from krnlpy.backend.commands import Call
from krnlpy.backend.foreign import ForeignCalls
from krnlpy.buffers.buffer import Buffer
from krnlpy.device import Device
from krnlpy.errors import LaunchError
from krnlpy.views.view import unwatched

from .temporaries import arrays_of


def host_call(function: Callable[..., Any], *buffers: Buffer, outputs: int | None = None) -> None:
    """Calls a function with the arrays of buffers on the host or the interpreter: NumPy's or another library's work
    between kernels.

    The arrays share the buffers' memory, as those of ``Buffer.numpy(copy=False)`` do. While a graph of the buffers'
    device is captured, the call is recorded, and made at each replay with the same arrays; what the function raises,
    the replay raises, after what stands before it.

    Args:
        function: takes an array for each buffer. What it returns is not used.
        buffers: at least one; all on one device.
        outputs: the function writes all elements of so many of the last arrays, which it does not read before, and
            only reads the others; it uses no array after it returned. Graphs that are told so can do more with what
            stands before and after. None: it may read and write all, and keep the arrays.

    Raises:
        LaunchError: not such buffers, or not so many.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Device, f32, host_call
    >>> a, product = Buffer.full((2, 2), 3.0, f32), Buffer.empty((2, 2), f32)
    >>> with Device.host().capture() as graph:
    ...     host_call(lambda x, out: np.matmul(x, x, out=out), a, product, outputs=1)
    >>> graph.replay()
    >>> product.numpy()[0]
    array([18., 18.], dtype=float32)
    """
    # Nearly always nobody captures, and the buffers are right: small products take less time than many questions.
    arrays = None if capture.recorders or not callable(function) else _arrays(buffers)
    if arrays:
        function(*arrays)
    else:
        _recorded(function, outputs, *buffers)


def call_foreign(calls: ForeignCalls) -> None:
    """Calls a function of a C library, whose calls the host's threads share, without Python's lock.

    A function that is given to :func:`host_call` may do this, and be an object whose method ``foreign`` takes the same
    arrays and returns its :class:`ForeignCalls`, or None: graphs then make the calls themselves.

    Args:
        calls: of what, and with which arguments.

    Raises:
        LaunchError: these are no calls.
        BaseException: what the handler of a signal raises meanwhile; calls that were begun have ended then.

    >>> import ctypes, ctypes.util
    >>> import numpy as np
    >>> from krnlpy import ForeignCalls, call_foreign
    >>> source, to = np.arange(8, dtype=np.uint8), np.zeros(8, np.uint8)
    >>> copy = ctypes.cast(ctypes.memmove, ctypes.c_void_p).value
    >>> rows = [(to.ctypes.data, source.ctypes.data, 4), (to.ctypes.data + 4, source.ctypes.data + 4, 2)]
    >>> call_foreign(ForeignCalls(copy, np.array(rows, "u8,u8,i8")))
    >>> to
    array([0, 1, 2, 3, 4, 5, 0, 0], dtype=uint8)
    """
    if not isinstance(calls, ForeignCalls):
        raise LaunchError(f"call_foreign of a {type(calls).__name__}: expected ForeignCalls")
    backend: Any = Device.host().backend
    backend.call(calls)


def _arrays(buffers: tuple[Buffer, ...]) -> list[Any] | None:
    """The arrays of buffers on one device whose memory is the process's own; None where there is more to ask."""
    backend, arrays = None, []
    for buffer in buffers:
        if buffer.__class__ is not Buffer:
            return None
        if backend is None:
            backend = buffer.device.backend
            if backend.info.index is not None:
                return None
        elif buffer.device.backend is not backend:
            return None
        arrays.append(buffer.numpy(copy=False))
    return arrays


@capture.capturable
def _recorded(function: Callable[..., Any], outputs: int | None, *buffers: Buffer) -> None:
    """As :func:`host_call`, for all cases."""
    if not callable(function):
        raise LaunchError(f"host_call of a {type(function).__name__}: expected a function of arrays")
    name = getattr(function, "__name__", repr(function))
    if not buffers or not all(isinstance(buffer, Buffer) for buffer in buffers):
        given = ", ".join(type(buffer).__name__ for buffer in buffers) or "none"
        raise LaunchError(f"host_call of {name} takes at least one Buffer, and nothing else; got {given}")
    if outputs is not None and (outputs.__class__ is not int or not 0 <= outputs <= len(buffers)):
        raise LaunchError(
            f"host_call of {name}: outputs={outputs!r} of {len(buffers)} buffers; expected so many or less"
        )
    devices = dict.fromkeys([buffer.device for buffer in buffers])
    if len(devices) > 1:
        raise LaunchError(f"host_call of {name}: buffers on {', '.join(map(repr, devices))}; expected one device")
    device = buffers[0].device
    if device.info.index is not None:
        raise LaunchError(
            f"host_call of {name}: the buffers are on {device!r}, whose memory functions of the host can't use;"
            " .to_device(Device.host()) copies"
        )
    recorder = capture.current(device.backend)
    if recorder is None:
        function(*[buffer.numpy(copy=False) for buffer in buffers])
        return
    views = tuple(map(unwatched, buffers))
    arrays = arrays_of(views, device.backend)
    memories = tuple(view.memory for view in views if view.memory is not None)
    recorder.commands.append(Call(function, arrays, memories, views, outputs))

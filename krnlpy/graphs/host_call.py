"""Python functions among the work of a device whose memory is the process's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from krnlpy.backend import recorder as capture
from krnlpy.backend.commands import Call
from krnlpy.buffers.buffer import Buffer
from krnlpy.device import Device
from krnlpy.errors import LaunchError
from krnlpy.views.view import unwatched

from .temporaries import arrays_of


def host_call(
    function: Callable[..., Any], *buffers: Buffer, parts: int | None = None, outputs: int | None = None
) -> None:
    """Calls a function with the arrays of buffers on the host or the interpreter: NumPy's or another library's work
    between kernels.

    The arrays share the buffers' memory, as those of ``Buffer.numpy(copy=False)`` do. While a graph of the buffers'
    device is captured, the call is recorded, and made at each replay with the same arrays; what the function raises,
    the replay raises, after what stands before it.

    Args:
        function: takes an array for each buffer. What it returns is not used.
        buffers: at least one; all on one device.
        parts: the work has so many parts, which the host's threads share: the function is called for each, with its
            number from 0 before the arrays. For functions that take long without Python's lock, as NumPy's do.
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
    if parts is not None:
        function = _InParts(function, parts)
    # Nearly always nobody captures, and the buffers are right: small products take less time than many questions.
    arrays = None if capture.recorders or not callable(function) else _arrays(buffers)
    if arrays:
        function(*arrays)
    else:
        _recorded(function, outputs, *buffers)


class _InParts:
    """A function that is called for the parts of its work, by the threads of the host."""

    def __init__(self, function: Callable[..., Any], parts: int) -> None:
        self.__name__ = getattr(function, "__name__", repr(function))
        if not callable(function) or parts.__class__ is not int or parts < 1:
            raise LaunchError(
                f"host_call of {self.__name__}: expected a function and at least one part; got parts={parts!r}"
            )
        self._function, self._parts = function, parts

    def __call__(self, *arrays: Any) -> None:
        function = self._function
        backend: Any = Device.host().backend  # the interpreter has its arrays in the same memory

        def work(begin: int, end: int) -> None:
            for part in range(begin, end):
                function(part, *arrays)

        backend.share(work, self._parts)


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

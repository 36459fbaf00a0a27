"""Whether code runs because the program calls it, or because something interrupted the program."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Container, Iterator
from types import FrameType
from typing import Any

_VARARGS = 4  # inspect.CO_VARARGS, without the time that module takes to import


def frames() -> frozenset[FrameType]:
    """The frames of this thread, without the caller's."""
    return frozenset(_outwards(sys._getframe(2)))


def is_interruption(known: Container[FrameType]) -> bool:
    """Whether an interruption put a frame of this thread between the caller's and the first known one: that of a signal
    handler (or a debugger), of a ``__del__`` method, or of a weak reference's callback.

    Args:
        known: frames of this thread from before.
    """
    between = itertools.takewhile(lambda frame: frame not in known, _outwards(sys._getframe(1)))
    return any(map(_interrupts, between))


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _interrupts(frame: FrameType) -> bool:
    if frame.f_globals.get("__name__", "").startswith("krnlpy."):
        return False
    return frame.f_code.co_name == "__del__" or any(
        # Python hands signal handlers the frame that they interrupt, and callbacks the reference that is dead.
        argument is frame.f_back or (isinstance(argument, weakref.ref) and argument() is None)
        for argument in _arguments(frame)
        if argument is not None
    )


def _arguments(frame: FrameType) -> Iterator[Any]:
    # Before Python 3.13, asking for a frame's locals keeps them alive as long as it runs: so known ones are not asked.
    code = frame.f_code
    count = code.co_argcount
    if count:
        values = frame.f_locals
        yield from map(values.get, code.co_varnames[:count])
    if code.co_flags & _VARARGS:
        yield from frame.f_locals.get(code.co_varnames[count + code.co_kwonlyargcount], ())

"""Work that Ctrl-C may not break off: llvmlite's, whose lock it could leave locked for ever."""

from __future__ import annotations

import inspect
import signal
import threading
from collections.abc import Callable
from typing import Any


def uninterrupted(work: Callable[[], Any]) -> Any:
    """What ``work()`` returns or raises. Ctrl-C, which Python handles in the main thread only, is handled when it is
    done: until then a handler stands in the place of the program's that notes it."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        return work()
    noted: list[int] = []

    def note(number: int, frame: object) -> None:
        # Not the frame: the objects in it, which are LLVM's, would live until after the work, and die in the open.
        noted.append(number)

    try:
        signal.signal(signal.SIGINT, note)
        return work()
    finally:
        signal.signal(signal.SIGINT, handler)
        if noted:
            handler(noted[0], inspect.currentframe())

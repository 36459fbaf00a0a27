"""Work that Ctrl-C must not break off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def uninterrupted(work: Callable[[], Any]) -> Any:
    """What ``work()`` returns or raises. Ctrl-C, which Python raises in the main thread only, comes when it is done:
    the main thread has another one do it."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="krnlpy-compiles")
    interrupt: BaseException | None = None
    try:
        thread.start()
    except RuntimeError:  # at the end of the process there are no new threads, and hardly a Ctrl-C
        return work()
    except BaseException as error:
        interrupt = error
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt
    if errors:
        raise errors[0]
    return results[0]

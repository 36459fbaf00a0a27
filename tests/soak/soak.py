"""Threads that do random operations until the time is over."""

from __future__ import annotations

import faulthandler
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from krnlpy import Device

from .operations import Thread
from .resources import resident_bytes

_HANGS_S = 300


@dataclass
class Figures:
    """What a soak did.

    Attributes:
        operations: by name, of all threads.
        resident: bytes of the process's memory, looked at ten times, the first after a tenth of the time.
        failures: what went wrong.
    """

    seconds: float = 0
    operations: Counter[str] = field(default_factory=Counter)
    resident: list[int] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)


def soak(devices: list[Device], threads: int, seconds: float, seed: int, least: int = 4) -> Figures:
    """Lets threads work on devices; buffers move between these. Each does at least so many operations. Ends at the
    first failure."""
    figures = Figures()
    begin = time.monotonic()
    over = threading.Event()

    def work(number: int) -> None:
        thread = Thread(devices, 1000 * seed + number)
        try:
            steps = 0
            while not over.is_set() or (steps < least and not figures.failures):
                thread.step()
                steps += 1
            thread.check()
        except BaseException as error:
            figures.failures.append(error)
            over.set()
        figures.operations.update(thread.done)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    faulthandler.dump_traceback_later(seconds + _HANGS_S, exit=True)
    try:
        for worker in workers:
            worker.start()
        for tenth in range(1, 11):
            over.wait(max(0, begin + seconds * tenth / 10 - time.monotonic()))
            figures.resident.append(resident_bytes())
        over.set()
        for worker in workers:
            worker.join()
    finally:
        over.set()
        faulthandler.cancel_dump_traceback_later()
    figures.seconds = time.monotonic() - begin
    return figures

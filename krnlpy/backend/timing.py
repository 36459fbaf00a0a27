"""How long work takes on a device: what profiles and the tuner measure with, and every backend has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Literal, Protocol

Clock = Literal["device", "host"]
"""Who looked at the time: the device's own timestamps; or the host, which waited for the device before and after."""


@dataclass(slots=True)
class Span:
    """When measured work began and ended: nanoseconds of ``time.perf_counter_ns``, known when ``is_measured``."""

    begin: int = 0
    end: int = 0
    is_measured: bool = False

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.begin) / 1e9


class Timer(Protocol):
    """Measures work of one backend. May be used from several threads, and while other timers of it are."""

    @property
    def clock(self) -> Clock:
        """Whose clock it is."""

    def time(self, work: Callable[[], None]) -> Span:
        """Does some work, as if by ``work()``; on queues after all that was queued before, and before all that is
        queued after. The span is known after :meth:`finish`."""

    def finish(self) -> None:
        """Waits for all that is measured, whose spans are known then. Raises DeviceLost."""

    def close(self) -> None:
        """Gives back what the timer holds. Spans that are not known yet never are."""


class HostTimer:
    """Looks at the host's clock.

    Args:
        wait: waits for the backend; None where nothing is ever queued.
    """

    clock: Clock = "host"

    def __init__(self, wait: Callable[[], None] | None = None) -> None:
        self._wait = wait

    def time(self, work: Callable[[], None]) -> Span:
        """Does some work, and waits for it."""
        wait = self._wait
        if wait is not None:
            wait()
        begin = perf_counter_ns()
        work()
        if wait is not None:
            wait()
        return Span(begin, perf_counter_ns(), True)

    def finish(self) -> None:
        """Nothing is ever open."""

    def close(self) -> None:
        """Nothing is held."""

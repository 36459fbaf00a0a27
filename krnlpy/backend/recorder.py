"""Capturing: while a thread captures on a device, its calls of the backend go to a recorder instead.

Nothing outside asks whether somebody captures: a backend's methods are replaced (interposition.py) for as long as a
thread captures on it, by ones that look who calls. So launches cost nothing more, and whatever krnlpy asks of a backend
is captured or refused, wherever it asks.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, NoReturn, ParamSpec

from krnlpy.errors import CaptureError
from krnlpy.locks import renew_after_fork

from .commands import Command, Copy, Fill, Launch, LaunchIndirect
from .interposition import Layer, Rank, put, refuse_within, remove
from .interruption import frames, is_interruption
from .protocol import Backend, Binding

P = ParamSpec("P")

Taker = Callable[[Callable[..., None], tuple[Any, ...], dict[str, Any]], bool]

recorders: dict[tuple[int, Backend], Recorder] = {}
"""Who captures: by thread and backend. Empty nearly always, which is all that a launch looks at."""

_lock = threading.RLock()
renew_after_fork(__name__, "_lock")


class StandIn(ABC):
    """What is handed to kernels while a graph is captured for a number that changes between replays.

    Libraries on krnlpy let it through to their kernels where they take numbers.

    Attributes:
        first: the number that it has at first.

    >>> from krnlpy import Buffer, Device, StandIn
    >>> x = Buffer.zeros(1)
    >>> with Device.host().capture() as graph:
    ...     rate = graph.parameter("rate", 1.0)
    ...     x.fill(2 * rate + 1)
    >>> isinstance(rate, StandIn), rate.first
    (True, 1.0)
    >>> graph.replay(rate=3.0)
    >>> x.numpy()
    array([7.], dtype=float32)
    """

    __slots__ = ("first",)
    first: Any

    @abstractmethod
    def mapped(self, function: Callable[[Any], Any]) -> Any:
        """What stands for a function's result.

        Args:
            function: of the number. It is called at once, and at each replay before which the number changed.

        Raises:
            CaptureError: ``function`` is no function.

        >>> import math
        >>> from krnlpy import Buffer, Device
        >>> x = Buffer.zeros(1)
        >>> with Device.host().capture() as graph:
        ...     x.fill(graph.parameter("square", 1.0).mapped(math.sqrt))
        >>> graph.replay(square=9.0)
        >>> x.numpy()
        array([3.], dtype=float32)
        """


class Recorder:
    """Stands for a backend in a thread that captures: takes down what it is asked to do.

    Args:
        backend: the backend.
        take: is offered each call of a function that is :func:`capturable`; True if it took the call over.

    Attributes:
        commands: what was recorded.
        allocated: the memory that was allocated meanwhile.
        outer: the recorder whose place it has taken.
    """

    def __init__(self, backend: Backend, take: Taker | None = None) -> None:
        self.backend = backend
        self.take = take
        self.commands: list[Command] = []
        self.allocated: list[Any] = []
        self.outer: Recorder | None = None
        self._frames = frames()

    def is_asked(self) -> bool:
        """Whether the call at hand is to be taken down: not that of a signal handler or a finalizer which interrupts
        the block."""
        return not is_interruption(self._frames)

    def forget_frames(self) -> None:
        """Lets go of the frames, which have references to the recorder."""
        self._frames = frozenset()

    def allocate(self, nbytes: int) -> Any:
        memory = type(self.backend).allocate(self.backend, nbytes)
        self.allocated.append(memory)
        return memory

    def copy(self, source: Any, source_offset: int, to: Any, to_offset: int, nbytes: int) -> None:
        self.commands.append(Copy(source, source_offset, to, to_offset, nbytes))

    def fill(self, memory: Any, offset: int, nbytes: int, pattern: bytes) -> None:
        self.commands.append(Fill(memory, offset, nbytes, pattern))

    def launch(
        self, executable: Any, groups: tuple[int, int, int], bindings: Sequence[Binding], parameters: bytes
    ) -> None:
        self.commands.append(Launch(executable, groups, tuple(bindings), parameters))

    def launch_indirect(self, executable: Any, counts: Binding, bindings: Sequence[Binding], parameters: bytes) -> None:
        self.commands.append(LaunchIndirect(executable, counts, tuple(bindings), parameters))

    def planes(self, memory: Any, is_written: bool = False) -> tuple[()]:
        """None: elements are moved by kernels, which can be captured, not by NumPy."""
        return ()

    def view(self, memory: Any) -> NoReturn:
        self._refuse("values can't be read: nothing has run yet", "read them after graph.replay()")

    def download(self, *_: Any) -> NoReturn:
        self.view(None)

    def adopt(self, *_: Any) -> NoReturn:
        self.upload()

    def upload(self, *_: Any) -> NoReturn:
        self._refuse(
            "values can't be uploaded: replays would not see later ones",
            "make the buffer before; graph.parameter() is for a buffer or number that changes",
        )

    def wait(self) -> NoReturn:
        self._refuse("there is nothing to wait for: nothing has run yet", "wait after graph.replay()")

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise CaptureError(f"while a graph is captured on {self.backend.info.name}, {what}; {instead}")


_ROUTED = (
    *("adopt", "allocate", "copy", "download", "fill", "launch", "launch_indirect", "planes", "upload", "view"),
    *("wait",),
)


def _routed(backend: Backend, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def routed(*arguments: Any) -> Any:
        recorder = recorders.get((threading.get_ident(), backend))
        if recorder is None or not recorder.is_asked():
            return method(*arguments)
        return getattr(recorder, name)(*arguments)

    return routed


def begin(recorder: Recorder) -> None:
    """From now on, this thread's calls of the backend go to the recorder.

    Raises:
        CaptureError: they go to one already. DeviceBusy: a capture or profile that begins or ends was interrupted.
    """
    backend = recorder.backend
    if current(backend) is not None:
        raise CaptureError(
            f"this thread captures a graph on {backend.info.name} already; end that with block first, or capture"
            " before and replay within: a graph that is replayed while another is captured becomes part of it"
        )
    _begin(recorder)


def _begin(recorder: Recorder) -> None:
    backend = recorder.backend
    refuse_within(_lock)
    with _lock:
        key = threading.get_ident(), backend
        recorder.outer = recorders.get(key)
        if not any(other is backend for _, other in list(recorders)):
            put(backend, Layer(Rank.CAPTURE, _ROUTED, partial(_routed, backend)))
        recorders[key] = recorder


def end(recorder: Recorder) -> None:
    """From now on, this thread's calls go where they went before."""
    backend = recorder.backend
    with _lock:
        key = threading.get_ident(), backend
        if recorder.outer is not None:
            recorders[key] = recorder.outer
        else:
            del recorders[key]
            if not any(other is backend for _, other in list(recorders)):
                remove(backend, Rank.CAPTURE)
    recorder.forget_frames()


@contextmanager
def recording(backend: Backend) -> Iterator[Recorder]:
    """A recorder of what krnlpy asks of a backend within the block; of a capture, if any, it takes the place."""
    recorder = Recorder(backend)
    _begin(recorder)
    try:
        yield recorder
    finally:
        end(recorder)


@contextmanager
def suspended(recorder: Recorder) -> Iterator[None]:
    """Within the block, this thread's calls reach the recorder's backend."""
    key = threading.get_ident(), recorder.backend
    del recorders[key]
    try:
        yield
    finally:
        recorders[key] = recorder


def current(backend: Backend) -> Recorder | None:
    """What takes this thread's calls of a backend, if it captures."""
    recorder = recorders.get((threading.get_ident(), backend))
    return recorder if recorder is not None and recorder.is_asked() else None


def refuse_reading(backend: Backend) -> None:
    """Raises CaptureError where this thread captures on a backend: nothing has run yet that could be read."""
    if recorders and (recorder := current(backend)) is not None:
        recorder.download()


def is_taken(function: Callable[..., None], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    """Whether a graph that this thread captures took a call over, because a parameter is among its arguments."""
    thread = threading.get_ident()
    for (owner, _), recorder in list(recorders.items()):
        take = recorder.take if owner == thread and recorder.is_asked() else None
        if take is not None and take(function, arguments, keywords):
            return True
    return False


def capturable(function: Callable[P, None]) -> Callable[P, None]:
    """Makes a function take graphs' parameters as arguments while a graph is captured."""

    @wraps(function)
    def wrapper(*arguments: P.args, **keywords: P.kwargs) -> None:
        if not (recorders and is_taken(function, arguments, keywords)):
            function(*arguments, **keywords)

    return wrapper

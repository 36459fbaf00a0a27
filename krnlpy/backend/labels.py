"""Names for parts of a program: shown in profiles, and by tools such as RenderDoc and Nsight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .protocol import Backend

_open: ContextVar[tuple[tuple[Backend, str], ...]] = ContextVar("krnlpy_labels", default=())
"""The labels around the code that runs, outermost first, of all devices: each thread and each task has its own."""


class LabelRange(NamedTuple):
    """What ran under a label: ``path`` with the labels around it, and the host's time in ns of perf_counter_ns."""

    path: str
    begin: int
    end: int


listeners: dict[Backend, Callable[[LabelRange], None]] = {}
"""Called with each label that was left, by backend; profiles listen."""


def path(backend: Backend) -> str:
    """The labels of a backend around the code that runs: ``"step/forward"``; "" if there is none."""
    return "/".join([name for of, name in _open.get() if of is backend])


@contextmanager
def label(backend: Backend, name: str) -> Iterator[None]:
    """Names what is queued within."""
    token = _open.set((*_open.get(), (backend, name)))
    begin = perf_counter_ns()
    try:
        yield
    finally:
        if (listener := listeners.get(backend)) is not None:
            listener(LabelRange(path(backend), begin, perf_counter_ns()))
        _open.reset(token)

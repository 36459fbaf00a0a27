"""Putting something between a backend and those who call it, for as long as it is needed.

Profiles and captures replace methods of one backend by their own, which call the methods below. So no call has to look
whether there is a profile, and what is off costs nothing. Callers look a method up on the backend at each call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from krnlpy.errors import DeviceBusy
from krnlpy.locks import is_mine, renew_after_fork

if TYPE_CHECKING:
    from .protocol import Backend


class Rank(IntEnum):
    """Who calls whom, whatever came first: the later are called first."""

    LABELS = 0
    SERIALIZATION = 1
    PROFILE = 2
    CAPTURE = 3


class Layer(NamedTuple):
    """What is put in.

    Attributes:
        names: of the methods that are replaced.
        replace: makes, of a method's name and the method below, the one that takes its place.
    """

    rank: Rank
    names: tuple[str, ...]
    replace: Callable[[str, Callable[..., Any]], Callable[..., Any]]


_lock = threading.RLock()
renew_after_fork(__name__, "_lock")
_LAYERS = "_interposed"
"""The attribute of a backend that holds its layers; it is not there while there are none."""


def refuse_within(lock: Any) -> None:
    """Raises DeviceBusy for who interrupted this thread while it held a lock."""
    if is_mine(lock):
        raise DeviceBusy("a graph's capture or a profile that was beginning or ending was interrupted; none begins now")


def put(backend: Backend, layer: Layer) -> None:
    """Puts a layer in; there is none of its rank. Calls that are under way are not changed.

    Raises:
        DeviceBusy: this interrupted another one.
    """
    refuse_within(_lock)
    with _lock:
        layers = vars(backend).setdefault(_LAYERS, [])
        layers.append(layer)
        layers.sort(key=lambda layer: layer.rank)
        _rebuild(backend, layers, layer.names)


def remove(backend: Backend, rank: Rank) -> None:
    """Takes the layer of a rank out again."""
    with _lock:
        layers = vars(backend)[_LAYERS]
        names = [name for layer in layers if layer.rank == rank for name in layer.names]
        layers[:] = [layer for layer in layers if layer.rank != rank]
        _rebuild(backend, layers, names)
        if not layers:
            del vars(backend)[_LAYERS]


def _rebuild(backend: Backend, layers: list[Layer], names: Iterable[str]) -> None:
    for name in names:
        own = method = getattr(type(backend), name).__get__(backend)
        for layer in layers:
            if name in layer.names:
                method = layer.replace(name, method)
        if method is not own:
            setattr(backend, name, method)
        else:
            vars(backend).pop(name, None)

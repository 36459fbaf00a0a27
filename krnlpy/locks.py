"""Locks that a forked child can take, whichever thread of its parent held them when it was forked; and that tell a
signal handler or a finalizer whether it interrupted what they protect."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from contextlib import suppress
from typing import Any

_owners: list[tuple[weakref.ref[Any], str]] = []
_most = 64


def renew_after_fork(owner: Any, name: str) -> None:
    """In forked children, sets an attribute of an object, or a global of the module with the name ``owner``, to a new
    ``threading.RLock``."""
    global _most
    if isinstance(owner, str):
        owner = sys.modules[owner]
    _owners.append((weakref.ref(owner), name))
    if len(_owners) > _most:  # not by callbacks, in which Ctrl-C would be lost
        for entry in [entry for entry in _owners if entry[0]() is None]:  # one by one: others may come meanwhile
            with suppress(ValueError):
                _owners.remove(entry)
        _most = 2 * len(_owners) + 64


def is_mine(lock: Any) -> bool:
    """Whether this thread holds an RLock. Asked where a method that takes the lock begins, for methods that don't call
    each other: then a handler or finalizer asks, which interrupted such a method of this thread, anywhere in it."""
    held: bool = lock._is_owned()  # as threading.Condition asks
    return held


def _renew() -> None:
    for reference, name in _owners:
        if (owner := reference()) is not None:
            setattr(owner, name, threading.RLock())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

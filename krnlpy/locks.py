"""Locks that a forked child can take, whichever thread of its parent held them when it was forked."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from typing import Any

_owners: list[tuple[weakref.ref[Any], str]] = []


def renew_after_fork(owner: Any, name: str) -> None:
    """In forked children, sets an attribute of an object, or a global of the module with the name ``owner``, to a new
    ``threading.RLock``."""
    if isinstance(owner, str):
        owner = sys.modules[owner]
    _owners.append((weakref.ref(owner, _forget), name))


def _forget(owner: weakref.ref[Any]) -> None:
    _owners[:] = [entry for entry in _owners if entry[0] is not owner]


def _renew() -> None:
    for reference, name in _owners:
        if (owner := reference()) is not None:
            setattr(owner, name, threading.RLock())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

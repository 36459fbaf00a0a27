"""What kernels captured from outside, and whether it still is what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from .source import outside
from .tables import frozen


def same(value: Any, captured: Any) -> bool:
    """Whether an object from outside still is what was compiled in."""
    if value is captured:
        return True
    value = frozen(value)
    if value.__class__ is not captured.__class__:
        return False
    if isinstance(value, tuple):
        return len(value) == len(captured) and all(map(same, value, captured))
    if isinstance(value, np.ndarray):
        like = value.dtype == captured.dtype and value.shape == captured.shape
        return bool(like and value.tobytes() == captured.tobytes())
    if isinstance(value, int | float | str | np.generic):
        return repr(value) == repr(captured)  # 0.0 and -0.0 are equal, and NaN not even to itself
    return value is captured


def changed(captured: Mapping[tuple[Any, str], Any]) -> Iterator[tuple[str, Any, Any]]:
    """What means something else now than when it was captured: name, then, now."""
    for (owner, name), then in list(captured.items()):
        try:
            now = outside(owner, name) if isinstance(owner, FunctionType) else getattr(owner, name)
        except (KeyError, AttributeError):  # it is gone
            continue
        if not same(now, then):
            yield name if isinstance(owner, FunctionType) else f"{owner.__name__}.{name}", then, now

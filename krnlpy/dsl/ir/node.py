"""Dataclasses for the nodes of the IR, that are quick to define.

The standard dataclasses compile four methods for each class, which took most of the compiler's import time.
Type checkers see standard frozen dataclasses, and refuse changes of a node; at run time, nodes share a ``repr``, and
assignments are not checked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, eq: bool, kw_only: bool = False) -> Callable[[type], type]:
        """As the standard ``dataclass``."""

        def define(cls: type) -> type:
            defined = dataclasses.dataclass(repr=False, eq=eq, kw_only=kw_only)(cls)
            defined.__repr__ = _repr
            return defined

        return define


def _repr(node: Any) -> str:
    values = ", ".join(f"{field.name}={getattr(node, field.name)!r}" for field in dataclasses.fields(node))
    return f"{type(node).__name__}({values})"

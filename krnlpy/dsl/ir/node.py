"""Dataclasses for the nodes of the IR, that are quick to define.

The standard ones write and compile four methods for each class, most of the time that the compiler takes to import.
Type checkers see these, and hold everybody to not changing a node; when a program runs, nodes have a common ``repr``,
and nothing watches assignments.
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

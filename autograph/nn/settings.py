"""Settings of layers: as they are kept, and as they are shown."""

from __future__ import annotations

from typing import Any

from autograph.functions.checks import per_axis, single

Sizes = int | tuple[int, ...]
"""One number, or one for each axis."""


def sizes(name: str, value: Any, minimum: int, ndim: int) -> Sizes:
    """A setting as layers of signals, images or volumes keep it: a number for each axis; of signals, the number.

    Raises:
        ShapeError: a number is below the minimum, or they are not such numbers.
    """
    return per_axis(name, value, minimum, ndim) if ndim > 1 else single(name, value, minimum)


def settings(*values: Any, **named: Any) -> str:
    """Settings as they are written in a call; what is at its default (given as ``(value, default)``) is left out."""
    parts = [repr(value) for value in values]
    parts += [f"{name}={value!r}" for name, (value, default) in named.items() if repr(value) != repr(default)]
    return f"({', '.join(parts)})"

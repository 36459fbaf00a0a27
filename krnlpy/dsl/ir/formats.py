"""What ``print`` and ``assert`` say: fixed texts, and between them fields for values that are known when they run.

A format is known while compiling. A thread that prints leaves a record: the number of the format and the values of its
fields. Python makes the text from them for every target, so Python's own rules apply.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from krnlpy.scalar import ScalarType, boolean, f32


class Field(NamedTuple):
    """A place for a value.

    Attributes:
        type: the value's type: boolean or one of the types of computation.
        spec: the text after the colon in ``{x:.3f}``, in Python's format language.
        as_text: whether ``spec`` is applied to the value's text, as in ``{x!r:>10}``, not to the number.
    """

    type: ScalarType
    spec: str = ""
    as_text: bool = False

    def check(self) -> None:
        """Raises ValueError if numbers of this type can't be written so."""
        if self.spec.endswith("c") and not self.as_text:
            raise ValueError("numbers are not written as characters")
        self.render(True if self.type is boolean else 1.0 if self.type.is_float else 1)

    def render(self, value: int | float | bool) -> str:
        """The text of a value: of an f32 the shortest that gives the same f32 again."""
        if self.spec and not self.as_text:
            return format(value, self.spec)
        text = str(np.float32(value)) if self.type is f32 else str(value)
        return format(text, self.spec)


Format = tuple[str | Field, ...]
"""Texts and fields, in order."""


def render(format: Format, values: Iterable[int | float | bool]) -> str:
    """The text for the values of a format's fields, in order; each is a Python number of its field's type."""
    rest = iter(values)
    return "".join(part if isinstance(part, str) else part.render(next(rest)) for part in format)

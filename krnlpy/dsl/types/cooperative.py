"""The types of cooperative matrices, for kernels and for those who write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from krnlpy.errors import DtypeError
from krnlpy.scalar import ScalarType, boolean

from .composites import plain_numbers

__all__ = ["CooperativeMatrix"]

MAX_SIDE = 64
USES = ("a", "b", "accumulator")


@dataclass(frozen=True)
class CooperativeType:
    """The type of a matrix that a subgroup holds. ``use`` says what it can be in a product ``a @ b + accumulator``."""

    type: Any
    rows: int
    columns: int
    use: Literal["a", "b", "accumulator"]

    def __repr__(self) -> str:
        name = getattr(self.type, "__name__", self.type)
        return f'CooperativeMatrix[{name}, {self.rows}, {self.columns}, "{self.use}"]'


class _CooperativeFamily:
    """``CooperativeMatrix[f16, 16, 16, "a"]`` is the type of left factors of 16 rows and columns.

    All threads of a subgroup hold such a matrix together, and do all of this together. Calling the type with a number
    makes a matrix of it; ``.load(source, row, column)`` takes one from a buffer or group array of two dimensions.
    ``matrix.store(target, row, column)`` writes it, ``cooperative_multiply_add(a, b, c)`` is ``a @ b + c``, and
    ``+ - * /`` go element by element. A matrix that is not within its source as a whole is out of range: it is loaded
    as zeros, and not stored.

    >>> from krnlpy import Buffer, GlobalMut, f32, kernel
    >>> from krnlpy.dsl import CooperativeMatrix
    >>> Tile = CooperativeMatrix[f32, 8, 8, "accumulator"]
    >>> @kernel
    ... def halve(x: GlobalMut[f32, 2]):
    ...     (Tile.load(x, 0, 0) / 2.0).store(x, 0, 0)
    >>> x = Buffer.ones((8, 8), f32)
    >>> halve.with_groups(1).with_threads(8)(x)
    >>> float(x.numpy()[0, 0])
    0.5
    """

    def __repr__(self) -> str:
        return "CooperativeMatrix"

    def __getitem__(self, arguments: Any) -> CooperativeType:
        match plain_numbers(arguments):
            case (ScalarType() | TypeVar() as type, int() as rows, int() as columns, str() as use) if (
                use in USES and type is not boolean and 1 <= rows <= MAX_SIDE and 1 <= columns <= MAX_SIDE
            ):
                return CooperativeType(type, rows, columns, use)  # type: ignore[arg-type]
        raise DtypeError(
            f"CooperativeMatrix[{arguments}]: write CooperativeMatrix[type, rows, columns, use], 1 to {MAX_SIDE} rows"
            ' and columns, use "a", "b" or "accumulator": CooperativeMatrix[f16, 16, 16, "a"]'
        )


CooperativeMatrix: Any = _CooperativeFamily()

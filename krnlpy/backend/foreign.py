"""Functions of C libraries among the work of the host: what is called, and with which arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from krnlpy.errors import LaunchError

C_TYPES = {"i4": "i32", "i8": "i64", "f4": "float", "f8": "double", "u8": "ptr"}
"""The types of arguments, as NumPy and as LLVM know them: u8 is an address."""


@dataclass(frozen=True, eq=False)
class ForeignCalls:
    """Calls of a function of C's, one for each row of a table, which the host's threads share.

    They may run in any order, and at the same time.

    Attributes:
        function: its address. It must not touch Python, and what it returns is dropped.
        table: a structured array of one axis whose fields are the arguments, in their order: i4, i8, f4, f8, or u8 for
            addresses.
        chunk: so many rows are worth a thread: 10 us or more.
        within: calls what it is given, which makes the calls.

    Raises:
        LaunchError: no such table, no address, or no such chunk.

    >>> import numpy as np
    >>> from krnlpy import ForeignCalls
    >>> table = np.array([(4096, 8192, 64), (4160, 8256, 64)], "u8,u8,i8")
    >>> len(ForeignCalls(0x1000, table).table)  # of two calls, which call_foreign makes
    2
    """

    function: int
    table: np.ndarray[Any, Any]
    chunk: int = 1
    within: Callable[[Callable[[], object]], object] | None = None

    def __post_init__(self) -> None:
        if type(self.function) is not int or not 0 < self.function < 1 << 64:
            raise LaunchError(f"ForeignCalls: expected the address of a function; got {self.function!r}")
        if not isinstance(self.table, np.ndarray):
            raise LaunchError(f"ForeignCalls: expected a structured array; got a {type(self.table).__name__}")
        fields = self.table.dtype.fields or {}
        types = [field[0].str[1:] for field in fields.values()]
        is_table = self.table.ndim == 1 and bool(types) and all(name in C_TYPES for name in types)
        if not is_table or type(self.chunk) is not int or self.chunk < 1:
            raise LaunchError(
                f"ForeignCalls: expected a structured array of one axis with fields of {', '.join(C_TYPES)}, and a"
                f" chunk of at least one row; got {self.table.dtype} of shape {self.table.shape}, chunk={self.chunk!r}"
            )
        if self.within is not None and not callable(self.within):
            raise LaunchError(f"ForeignCalls: within is a {type(self.within).__name__}; expected a function or None")

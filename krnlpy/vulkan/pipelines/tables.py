"""The constant arrays of a kernel in a device's memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from krnlpy.backend.protocol import Binding


class Tables:
    """What the last binding of a kernel with tables binds.

    Attributes:
        binding: the memory, and all of its bytes.
    """

    binding: Binding

    def __init__(self, contents: bytes) -> None:
        self._contents = np.frombuffer(contents, np.uint8)

    def place(self, allocate: Callable[[int], Any], upload: Callable[[Any, int, Any], None]) -> None:
        """Copies them to memory. Raises OutOfMemory."""
        memory = allocate(self._contents.nbytes)
        upload(memory, 0, self._contents)
        self.binding = memory, 0, memory.nbytes

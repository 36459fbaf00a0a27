"""The buffer in which a kernel reports to the host: what it begins with, and how much of it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from krnlpy import config
from krnlpy.dsl.ir.reports import HEADER, Reports, Words

Array = np.ndarray[Any, Any]


def new_report(reports: Reports) -> tuple[Array, int]:
    """The bytes that a report begins with, and the bytes that it needs."""
    capacity = reports.capacity(config.print_bytes)
    header = np.frombuffer(reports.header(capacity), np.uint8)
    return header, header.nbytes + 4 * capacity


def words_of(count: int, read: Callable[[Array], None]) -> Words:
    """So many words, read as bytes."""
    words = np.empty(count, "<u4")
    read(words.view(np.uint8))
    return words


def used_words(reports: Reports, read: Callable[[int], Words]) -> Words:
    """The words of a report that are used; ``read`` gives so many from its start."""
    words = read(len(HEADER) + reports.failure_words)
    used = len(HEADER) + int(words[HEADER.index("used")])
    return words if len(words) == used else read(used)

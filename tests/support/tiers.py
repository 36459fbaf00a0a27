"""Which tests run for each change (``make test``), and which in the deep tier alone (``make test-deep``).

The deep tier takes hours. ``--deep-part K/N`` runs one of N parts of it: a checksum of a test's name says in which part
it is. So a part is the same each time, whatever tests there are besides, and all parts together are all tests.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

deep = pytest.mark.deep

one_vulkan_device = pytest.mark.one_vulkan_device
"""For what no driver decides: for each change it runs on the host, and by the interpreter or on one Vulkan device."""


def sampled(cases: Sequence[tuple[Any, ...]], every: int) -> list[Any]:
    """The cases of a grid for ``parametrize``: one of so many runs for each change, all others in the deep tier."""
    return [case if place % every == 0 else pytest.param(*case, marks=deep) for place, case in enumerate(cases)]


def part_of(text: str) -> tuple[int, int]:
    """The numbers of ``K/N``.

    Raises:
        pytest.UsageError: it is something else, or there is no such part.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    part, parts = map(int, found.groups()) if found else (0, 0)
    if not 1 <= part <= parts:
        raise pytest.UsageError(f"--deep-part {text}: expected K/N, the K-th of N parts, such as 3/30")
    return part, parts


def in_part(names: Iterable[str], part: int, parts: int) -> list[bool]:
    """Which of the tests are in a part."""
    return [zlib.crc32(name.encode()) % parts == part - 1 for name in names]

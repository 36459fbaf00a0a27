"""Which tests run for each change (``make test``), and which in the deep tier alone (``make test-deep``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

deep = pytest.mark.deep


def sampled(cases: Sequence[tuple[Any, ...]], every: int) -> list[Any]:
    """The cases of a grid for ``parametrize``: one of so many runs for each change, all others in the deep tier."""
    return [case if place % every == 0 else pytest.param(*case, marks=deep) for place, case in enumerate(cases)]

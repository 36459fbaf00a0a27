"""Layers, losses and optimizers beside PyTorch's, where it is installed: ``python -m tests.parity networks``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from krnlpy import Device
from tests.support.tiers import one_vulkan_device, sampled

from .networks import LINES, Line

pytest.importorskip("torch")

CASES: list[tuple[Any, ...]] = [(kind, line) for kind, lines in LINES.items() for line in lines]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "parity_pytorch.md"


@one_vulkan_device
@pytest.mark.parametrize(("kind", "line"), sampled(CASES, 37), ids=lambda value: getattr(value, "ours", value))
def test_a_line(kind: str, line: Line, device: Device) -> None:
    from .training import bounds, compare

    if device.info.kind == "interpreter":
        pytest.skip("twenty steps take seconds")
    for what, found, bound in zip(
        ("value", "gradients", "steps"), compare(kind, line, device), bounds(line), strict=True
    ):
        assert not found > bound, f"the {what} of {line.ours}: {found:.1e} apart, above {bound:.1e}"


def test_the_page_has_all_lines() -> None:
    """``python -m tests.parity networks > docs/parity_pytorch.md`` writes it anew."""
    text = PAGE.read_text(encoding="utf-8")
    for _, line in CASES:
        assert f"| `{line.ours}` | `{line.theirs}` |" in text

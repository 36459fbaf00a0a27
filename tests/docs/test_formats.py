"""docs/formats.md lists the operations and operators that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("onnx")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text()


def listed(title: str) -> list[str]:
    section = PAGE.partition(f"### {title}\n\n")[2].partition("\n\n")[0]
    return re.findall(r"`([^`]+)`", section)


def test_operators_that_are_read() -> None:
    from autograph.files.onnx.load import OPERATORS

    assert listed("Operators that are read") == sorted(OPERATORS)


def test_operations_that_are_written() -> None:
    from autograph.files.onnx.export import operations

    assert listed("Operations that are written") == sorted({f.__name__ for f in operations()})

"""Runs that do not look for long who else uses the processors."""

from __future__ import annotations

import pytest

from krnlpy.bench import running


@pytest.fixture(autouse=True)
def looks_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOOKED", 0.001)

"""The Python on each page of docs runs as it stands, from top to bottom, and prints what the page says it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy import config

from .pages import ROOT, blocks, run

PAGES = [page for path in sorted((ROOT / "docs").glob("*.md")) if blocks(page := f"docs/{path.name}")]


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page sets is as before afterwards."""
    for name in ("cache_dir", "cache_bytes"):
        monkeypatch.setattr(config, name, getattr(config, name))


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "\n".join(blocks(page))
    expected = [
        text.strip()
        for line in source.splitlines()
        if "print(" in line and "  # " in line
        for text in line.split("  # ")[1:]
    ]
    run(tmp_path, source)
    assert capsys.readouterr().out.splitlines() == expected

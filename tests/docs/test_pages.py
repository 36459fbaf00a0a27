"""The Python on each page of docs runs as it stands, from top to bottom, and prints what the page says it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from krnlpy import config

from .pages import PAGES, blocks, promised, run

PROGRAMS = [page for page in PAGES if page != "README.md" and blocks(page)]
"""README's blocks are programs by themselves."""


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a page sets is as before afterwards, and its files lie in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    for name in ("cache_dir", "cache_bytes"):
        monkeypatch.setattr(config, name, getattr(config, name))


@pytest.mark.parametrize("page", PROGRAMS)
def test_page(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where pages that save something do so
    source = "\n".join(blocks(page))
    run(tmp_path, source)
    assert capsys.readouterr().out.splitlines() == promised(source)

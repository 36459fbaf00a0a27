"""The Python on each page of docs runs as it stands, from top to bottom, and prints what the page says it prints."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [path for path in sorted(DOCS.glob("*.md")) if "```python\n" in path.read_text()]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_page(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    expected = [
        text.strip()
        for line in source.splitlines()
        if "print(" in line and "  # " in line
        for text in line.split("  # ")[1:]
    ]
    # Kernels are compiled from their file's text, so the blocks become a file.
    path = tmp_path / f"{page.stem}_page.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert capsys.readouterr().out.splitlines() == expected

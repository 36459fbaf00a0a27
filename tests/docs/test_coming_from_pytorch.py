"""The ten tasks of the page for users of PyTorch: PyTorch's programs run, too, and the table counts the lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.tiers import deep
from tools import measure_tasks

from .pages import ROOT, blocks, promised, run

PAGE = "docs/coming-from-pytorch.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")


@deep
def test_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    source = "\n".join([blocks(PAGE)[0], *blocks(PAGE, "py")])
    run(tmp_path, source)
    assert capsys.readouterr().out.splitlines() == promised(source)


def test_the_table_counts_the_lines() -> None:
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| [\d.]+ \| [\d.]+ \|$", TEXT, re.MULTILINE)
    found = measure_tasks.tasks(TEXT)
    assert len(rows) == len(found) - 1 == 10
    for title, here, there in rows:
        assert (int(here), int(there)) == tuple(measure_tasks.lines(found[title][s]) for s in measure_tasks.SIDES)


def test_times_are_of_statements(tmp_path: Path) -> None:
    sources = ["import time\n\ndef wait():\n    time.sleep(0)\n\ncount = 0\n", "wait()\ncount += 1\nprint(count)\n"]
    assert all(0 <= seconds < 1 for seconds in measure_tasks.times(sources))


def test_lines() -> None:
    assert measure_tasks.lines("import a\nfrom b import c\n\n# why\nx = 1\nif x:\n    y = 2\n") == 3

"""The examples in docstrings run, and give what they say: as in a module of a user's that has the names of theirs."""

from __future__ import annotations

import ast
import doctest
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from .pages import ROOT

FILES = sorted(
    path
    for package in ("autograph", "benches", "examples", "krnlpy")
    for path in (ROOT / package).rglob("*.py")
    if "\n>>> " in (text := path.read_text(encoding="utf-8")) or " >>> " in text
)
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef


def docstrings(path: Path) -> Iterator[tuple[str, int, str]]:
    """All of a file, whatever became of what they stand in: its name, the line before, the text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)) is not None:
            yield getattr(node, "name", path.stem), node.body[0].lineno - 1, text


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_examples(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    runner = doctest.DocTestRunner()
    for name, line, text in docstrings(path):
        # Structs look their annotations up in their module, which is the running one.
        user = ModuleType("docstring_example")
        vars(user).update({key: value for key, value in vars(module).items() if key not in vars(user)})
        monkeypatch.setitem(sys.modules, user.__name__, user)
        test = doctest.DocTestParser().get_doctest(text, {}, name, str(path), line)
        test.globs = vars(user)
        runner.run(test, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, capsys.readouterr().out
    assert runner.tries > 0


def test_few_are_skipped() -> None:
    """Only what differs from machine to machine."""
    skips = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("+SKIP") for path in FILES}
    assert {name: count for name, count in skips.items() if count} == {"krnlpy/device.py": 1}

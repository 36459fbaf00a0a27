"""The documents' site is built without a warning, and says what is true; its notebooks run."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from krnlpy.cli.tested import TESTED
from tests.support.tiers import deep

from .pages import PAGES, ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def navigation() -> set[str]:
    """The pages that mkdocs.yml lists."""
    return set(re.findall(r"[\w/.-]+\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))


def test_each_page_is_in_the_navigation() -> None:
    pages = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}
    assert pages <= navigation()


@deep
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    home = (tmp_path / "index.html").read_text()
    assert "of any maker" in home and "pictures/mandelbrot.png" in home and 'href="quick-start/"' in home
    reference = "".join(page.read_text() for page in (tmp_path / "reference").glob("*/index.html"))
    documented = set(re.findall(r'id="autograph\.[\w.]*?(\w+)"', reference))
    package = importlib.import_module("autograph")
    names = {name for name in package.__all__ if not isinstance(getattr(package, name), ModuleType)}
    assert names - documented == set()
    language = (tmp_path / "reference" / "dsl" / "index.html").read_text()
    named = set(re.findall(r'id="krnlpy\.dsl\.[\w.]*?(\w+)"', language)) | set(re.findall(r"<code>(\w+)", language))
    assert [name for name in importlib.import_module("krnlpy.dsl").__all__ if name not in named] == []


def cells(path: Path) -> Iterator[str]:
    return ("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebooks_are_python(path: Path) -> None:
    assert [ast.parse(cell) for cell in cells(path)]
    assert "/tmp/" not in path.read_text()


@deep
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebooks_run(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    done = subprocess.run(
        [sys.executable, "-c", "from nbclient.cli import main; main()", f"--output={tmp_path / 'done'}", path],
        env={**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_what_is_tested_is_what_the_command_says() -> None:
    page = " ".join((ROOT / "docs" / "installation.md").read_text().split())
    (sentence,) = re.findall(r"\*\*What is tested\*\*: (.*?)\. GPUs are not", page)
    named = set(re.findall(r"\d\d\.\d|SwiftShader|lavapipe", " ".join(TESTED.values())))
    assert named == {"22.3", "25.0", "SwiftShader", "lavapipe"}
    assert all(name in sentence for name in named)


def test_messages_of_troubleshooting_are_real() -> None:
    """Each part of a message that the page quotes stands in a module."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    rows = re.findall(r"^\| (.*?) \|", page.partition("## By message")[2], re.MULTILINE)
    quoted = {part for row in rows for part in re.findall(r"`([^`]+)`", row)}
    texts = "\0".join(
        node.value
        for package in ("krnlpy", "autograph")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    assert len(quoted) > 20
    assert sorted(part for part in quoted if part not in texts) == []

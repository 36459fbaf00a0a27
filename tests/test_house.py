"""The rules that keep the house one of rooms: sizes, names, and which names of krnlpy autograph may import.

The floors are contracts of import-linter in pyproject.toml, which `make check` checks.
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LONG = {"krnlpy/dsl/ir/nodes.py": "the IR on one page"}


@cache
def modules() -> dict[str, Path]:
    """All modules of both packages, by name."""
    found = {}
    for package in ("krnlpy", "autograph"):
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, module: str) -> Iterator[tuple[str, str]]:
    """Each import of a file, wherever it stands: the module and the name."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], node.module or ""]) if node.level else node.module
            for alias in node.names:
                yield (base or "").rstrip("."), alias.name


def test_at_most_three_arrows_go_up_for_types() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    assert len({arrow for contract in contracts for arrow in contract.get("ignore_imports", ())}) <= 3


def test_folders_are_small() -> None:
    counts = Counter(path.parent for path in modules().values() if path.name != "__init__.py")
    assert {str(f.relative_to(ROOT)): n for f, n in counts.items() if n > 16} == {}


def test_a_third_file_with_a_prefix_is_a_room() -> None:
    counts = Counter((path.parent, path.stem.partition("_")[0]) for path in modules().values() if path.stem[0] != "_")
    assert [(str(folder), prefix) for (folder, prefix), n in counts.items() if n > 2] == []


def test_files_are_short() -> None:
    lines = {path.relative_to(ROOT).as_posix(): path.read_text().count("\n") for path in modules().values()}
    assert {name: n for name, n in lines.items() if n > 500 and name not in LONG} == {}


def test_no_module_has_the_name_of_what_its_package_exports() -> None:
    doubled = []
    for module, path in modules().items():
        if path.name == "__init__.py":
            exported = {name for base, name in imports(path, module) if f"{base}.{name}" not in modules()}
            doubled += [f"{module}.{name}" for name in exported if f"{module}.{name}" in modules()]
    assert doubled == []


def test_rooms_say_what_they_are() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    for module, path in modules().items():
        if path.name == "__init__.py" and module not in ("krnlpy", "autograph"):
            sentence = (ast.get_docstring(ast.parse(path.read_text())) or "").split(".\n")[0].split(". ")[0]
            row = f"| `{path.parent.relative_to(ROOT).as_posix()}/` | {' '.join(sentence.split())}".rstrip(".")
            assert row.replace("``", "`") + " |\n" in page, f"docs/architecture.md lacks the room {module}"


@pytest.mark.parametrize("folder", ["autograph", "examples"])
def test_only_public_names_of_krnlpy_are_used(folder: str) -> None:
    bench = {"krnlpy.bench", "krnlpy.bench.peers"}
    public = bench | {"krnlpy", "krnlpy.config", "krnlpy.dsl", "krnlpy.errors", "krnlpy.files", "krnlpy.locks"}
    for path in (ROOT / folder).rglob("*.py"):
        for base, name in imports(path, ".".join(path.relative_to(ROOT).with_suffix("").parts)):
            if base.partition(".")[0] == "krnlpy":
                assert base in public and not name.startswith("_"), f"{path}: {base} {name}"
